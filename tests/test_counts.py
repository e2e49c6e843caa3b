"""Counts from plain arrays: what is counted, how parts merge, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.models.errors import DataError
from hypothesis import given, settings
from hypothesis import strategies as st

rows = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.sampled_from(["a", "b", "c", None])),
    min_size=1,
    max_size=40,
).filter(lambda rows: any(y or p for y, p, _ in rows) and any(g for _, _, g in rows))


def of(found):
    y, p, g = zip(*found, strict=True)
    return Counts.from_arrays(list(y), list(p), {"g": list(g)})


def rate(counts, metric, statistic="value", **where):
    (found,) = [m for m in counts.measures() if (m.metric, m.statistic, m.where) == (metric, statistic, where)]
    return found


@given(rows, rows)
@settings(max_examples=30)
def test_parts_merge_into_the_whole_whatever_levels_each_holds(first, second):
    merged, whole = of(first).merge(of(second)), of(first + second)
    assert merged.people == whole.people
    assert merged.measures() == whole.measures()
    assert of(second).merge(of(first)).measures() == merged.measures()


@given(rows)
@settings(max_examples=30)
def test_rates_are_those_of_the_rows(found):
    frame = pd.DataFrame(found, columns=["y", "p", "g"])
    counts = of(found)
    for level, group in frame.groupby("g"):
        assert rate(counts, "selection_rate", g=level).value == pytest.approx(group.p.mean())
        positives = group[group.y == 1]
        tpr = rate(counts, "true_positive_rate", g=level)
        assert (tpr.numerator, tpr.denominator) == (positives.p.sum(), len(positives))
        assert (tpr.value is None) == (len(positives) == 0)


@given(rows)
@settings(max_examples=30)
def test_every_row_twice_leaves_values_and_narrows_intervals(found):
    once, twice = of(found).measures(), of(found + found).measures()
    for a, b in zip(once, twice, strict=True):
        assert (a.key, a.reason) == (b.key, b.reason)
        if a.value is not None:
            assert a.value == pytest.approx(b.value)
            if a.statistic == "value":
                assert b.high - b.low < a.high - a.low


def test_a_declared_level_without_rows_is_counted_as_empty():
    counts = Counts.from_arrays([1, 0], [1, 1], {"sex": ["f", "f"]}, levels={"sex": ["f", "m"]})
    empty = rate(counts, "selection_rate", sex="m")
    assert (empty.value, empty.reason) == (None, "no rows")
    assert rate(counts, "selection_rate", "difference", attribute="sex").details["undefined"] == ["m"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_labels_of_any_kind_are_counted(kind):
    counts = Counts.from_arrays(
        kind(["yes", "no", "yes"]), kind(["yes", "yes", "no"]), {"sex": kind(["f", "m", "f"])}, positive="yes"
    )
    assert counts.classes == ("no", "yes")
    assert rate(counts, "selection_rate", sex="f").value == 0.5


def test_tensors_are_counted_too():
    torch = pytest.importorskip("torch")
    counts = Counts.from_arrays(torch.tensor([1, 0]), torch.tensor([1, 0]), {"g": torch.tensor([3, 4])})
    assert rate(counts, "selection_rate", g="3").value == 1


def test_the_frame_is_tidy():
    frame = of([(1, 1, "a"), (0, 1, "b")]).frame(0.9)
    assert {"metric", "statistic", "where", "value", "low", "high", "n", "numerator", "denominator", "reason"} <= set(
        frame
    )
    assert set(frame["level"]) == {0.9}


@pytest.mark.parametrize(
    "target, prediction, groups, says",
    [
        ([1, 0], [1], ["a", "b"], "one of each a row"),
        ([1, 0], [1, None], ["a", "b"], "blank at row 1"),
        ([0, 0], [0, 0], ["a", "b"], "positive label '1'"),
        ([1, 0], [1, 0], ["a"], "one a row"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(target, prediction, groups, says):
    with pytest.raises(DataError, match=says) as error:
        Counts.from_arrays(target, prediction, {"g": groups})
    assert "\n" not in str(error.value)


def test_counts_of_other_attributes_do_not_merge():
    with pytest.raises(DataError, match="do not merge"):
        Counts.from_arrays([1], [1], {"a": ["x"]}).merge(Counts.from_arrays([1], [1], {"b": ["x"]}))


def test_counting_arrays_loads_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from gnomon.audit.fairness import Counts\n"
        "Counts.from_arrays([1, 0], [1, 0], {'g': ['a', 'b']}).frame(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
