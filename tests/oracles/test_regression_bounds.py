"""Bounds on gaps of numbers where rows have no known group, against every way to deal those rows out."""

from itertools import product

import numpy as np
import pytest
from gnomon.audit.fairness.numeric import regression
from gnomon.audit.fairness.table.plan import Plan
from gnomon.audit.state import Columns
from gnomon.models import Attribute
from hypothesis import given, settings
from hypothesis import strategies as st

A, B = Attribute("a", ("x", "y", "z")), Attribute("b", ("p", "q"))
OF = {
    "mean_prediction": lambda y, p, w: np.average(p, weights=w),
    "mean_error": lambda y, p, w: np.average(p - y, weights=w),
    "mean_absolute_error": lambda y, p, w: np.average(abs(p - y), weights=w),
    "root_mean_squared_error": lambda y, p, w: np.average((p - y) ** 2, weights=w) ** 0.5,
    "observed_to_expected": lambda y, p, w: (w * y).sum() / (w * p).sum(),
}


def bounds(y, p, codes, people, weight=None, **plan):
    more = {} if weight is None else {"weight": weight}
    columns = Columns.of(np.arange(len(p)), score=p, truth=y, groups=codes, **more)
    found = regression.section(people, columns, Plan(replicates=0, **plan)).measures
    assert len({m.key for m in found}) == len(found)
    return {(m.metric, m.statistic, m.where["attribute"]): m for m in found if m.statistic.endswith("_bounds")}


def dealt(codes, levels):
    """Every table of codes that what is known of the rows allows."""
    lost = np.argwhere(codes < 0)
    for choice in product(*(range(levels[axis]) for _, axis in lost)):
        full = codes.copy()
        full[tuple(lost.T)] = choice
        yield full


@st.composite
def tables(draw, axes):
    rng, n = np.random.default_rng(draw(st.integers(0, 10_000))), 11
    levels = (3, 2)[:axes]
    codes = np.stack([rng.integers(0, k, n) for k in levels], 1)
    codes[: levels[0], 0] = codes[levels[0] : 2 * levels[0], 0] = range(levels[0])
    codes[rng.choice(n, 4, replace=False), rng.integers(0, axes, 4)] = -1
    p = rng.integers(1, 9, n).astype(float)
    return rng.integers(0, 9, n) + 0.0, p, codes, levels, rng.integers(1, 4, n) / 2 if draw(st.booleans()) else None


@pytest.mark.parametrize("axes", [1, 2])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_deal_of_the_unknown_rows_lies_within_and_of_three_groups_the_widest_is_reached(axes, data):
    y, p, codes, levels, weight = data.draw(tables(axes))
    people = (A, B)[:axes]
    name, w = " × ".join(a.name for a in people), np.ones(len(y)) if weight is None else weight
    found = bounds(y, p, codes, people, weight)
    gaps = {metric: [] for metric in OF}
    for full in dealt(codes, levels):
        flat = full @ np.array([2, 1])[:axes]
        for metric, of in OF.items():
            gaps[metric].append([of(y[flat == k], p[flat == k], w[flat == k]) for k in np.unique(flat)])
    for metric, told in gaps.items():
        m = found[metric, "difference_bounds", name]
        if m.value is None:
            continue
        sizes = np.array([np.ptp(each) for each in told])
        assert m.low <= sizes.min() + 1e-9
        assert m.high >= sizes.max() - 1e-9
        if axes == 1:  # of two attributes a row may have to go to one of two groups that both do without it
            assert m.high == pytest.approx(sizes.max())
        ratio = found.get((metric, "ratio_bounds", name))
        if ratio is not None and ratio.value is not None:
            sizes = np.array([min(each) / max(each) for each in told if max(each) > 0])
            assert ratio.low <= sizes.min() + 1e-9
            assert ratio.high >= sizes.max() - 1e-9


def many(n=200, lost=0.1, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    y = rng.gamma(4, 2, n)
    return y, y + 1.5 * group + rng.normal(0, 1, n), np.where(rng.random(n) < lost, -1, group)[:, None]


def test_few_unknown_rows_leave_a_large_gap_above_0():
    y, p, codes = many(lost=0.02)
    m = bounds(y, p, codes, (A,))["mean_error", "difference_bounds", "a"]
    assert 0 < m.low < m.value < m.high
    assert m.details["interval"] == "bounds"
    assert m.details["unknown"] == (codes < 0).sum()
    assert m.method == "manski"


def test_without_unknown_rows_there_are_no_bounds():
    assert not bounds(*many(lost=0), (A,))


def test_what_is_no_mean_says_why_it_has_no_bounds():
    found = bounds(*many(), (A,))
    for metric in ("r_squared", "median_error", "quantile_90_prediction"):
        m = found[metric, "difference_bounds", "a"]
        assert m.value is None
        assert "means alone" in m.reason
    y, p, codes = many()
    assert bounds(y, p - 20, codes, (A,))["observed_to_expected", "difference_bounds", "a"].value is None


def test_a_group_below_the_minimum_is_left_out_and_one_left_over_says_so():
    y, p, codes = many(lost=0.1)
    codes[codes[:, 0] == 2] = -1
    codes[:3] = 2
    m = bounds(y, p, codes, (A,), minimum=10)["mean_error", "difference_bounds", "a"]
    assert m.details["undefined"] == ["z"]
    codes[codes[:, 0] == 1] = -1
    m = bounds(y, p, codes, (A,), minimum=10)["mean_error", "difference_bounds", "a"]
    assert m.value is None
    assert "only one group" in m.reason
