"""Groups over time: a test that may be read after every window, and rates by window."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.monitoring.betting import average, wealth
from gnomon.audit.fairness.monitoring.monitoring import section
from gnomon.audit.fairness.monitoring.windows import over_time
from gnomon.audit.record import Record
from gnomon.models.errors import DataError
from gnomon.models.windows import windows
from gnomon.reports import cli
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

WINDOWS = 10
shapes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)).map(
        lambda w: (min(w[0], w[1]), max(w[0], w[1]), min(w[2], w[3]), max(w[2], w[3]))
    ),
    min_size=1,
    max_size=6,
)


def drawn(rng, first, second, n=(50, 80)):
    return [(int(rng.binomial(n[0], first)), n[0], int(rng.binomial(n[1], second)), n[1]) for _ in range(WINDOWS)]


def share_rejected(first, second, times, seed=0):
    rng = np.random.default_rng(seed)
    return np.mean([wealth(drawn(rng, first, second), k).rejects(0.05) is not None for k in range(times)])


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_equal_groups_are_rejected_at_most_at_the_level_though_somebody_looks_after_every_window(rate):
    # sup over the windows; 600 draws at .05 would exceed .07 by chance less than once in a hundred
    assert share_rejected(rate, rate, 600) <= 0.07


def test_power_grows_with_the_gap():
    found = [share_rejected(0.3, 0.3 + gap, 80) for gap in (0.0, 0.1, 0.2, 0.4)]
    assert found == sorted(found)
    assert found[-1] == 1.0


def test_where_groups_are_equal_the_wealth_expected_is_the_stake_exactly():
    """By enumeration of all outcomes of four windows with one row of the first group and three of the second."""
    rate, total = 0.3, 0.0
    each = [(x, y, rate**x * (1 - rate) ** (1 - x) * binom.pmf(y, 3, rate)) for x in (0, 1) for y in range(4)]
    for shape in product(each, repeat=4):
        chance = np.prod([p for *_, p in shape])
        total += chance * wealth([(x, 1, y, 3) for x, y, _ in shape]).final
    assert total == pytest.approx(1.0, abs=1e-9)


def test_wealth_is_the_product_of_the_bets_with_newton_steps():
    """A replica for windows whose batches have one row each and one outcome, so no order is left to chance."""
    found = wealth([(4, 4, 0, 4), (3, 3, 0, 3)])
    bet, squares, total = 0.0, 1.0, 1.0
    for _ in range(7):
        total *= 1 + bet
        slope = 1 / (1 + bet)
        squares += slope**2
        bet = min(0.5, bet + 2 / (2 - np.log(3)) * slope / squares)
    assert found.final == pytest.approx(total)
    assert found.bets == 7


@given(shapes)
@settings(max_examples=30)
def test_wealth_is_defined_positive_and_the_same_each_time(counts):
    found = wealth(counts, 1)
    assert np.isfinite(found.log).all()
    assert found.final > 0
    assert 0 < found.p_value <= 1
    assert np.array_equal(found.log, wealth(counts, 1).log)


@given(shapes)
@settings(max_examples=30)
def test_what_comes_later_changes_no_wealth_of_before(counts):
    """The bets are predictable: a look after window k is the same whatever follows."""
    assert np.array_equal(wealth(counts, 1).log[:-1], wealth(counts[:-1], 1).log)


def test_a_mean_of_wealths_is_their_mean():
    some = [wealth([(5, 9, 2, 9)] * 3), wealth([(1, 9, 8, 9)] * 3)]
    assert np.exp(average(some).log) == pytest.approx(np.mean([np.exp(one.log) for one in some], 0))


def months(gap, n=400, seed=0, labels=True):
    rng = np.random.default_rng(seed)
    found = {}
    for k in range(8):
        sex = rng.choice(["f", "m"], n)
        decided = (rng.random(n) < 0.3 + gap * (sex == "m")).astype(int)
        truth = (rng.random(n) < 0.5).astype(int) if labels else None
        found[f"2026-{k + 1:02d}"] = Counts.from_arrays(truth, decided, {"sex": sex.tolist()})
    return found


def known(section, metric="selection_rate", statistic="e_value"):
    return [m for m in section.measures if (m.metric, m.statistic) == (metric, statistic)]


def test_a_gap_that_stays_is_found_and_the_window_is_named():
    (found,) = known(over_time(months(0.2)))
    assert found.value > 20
    assert found.where == {"attribute": "sex"}
    assert found.details["rejected_in"] in months(0.2)
    assert found.details["exact"]
    assert known(over_time(months(0.0)))[0].details["rejected_in"] is None


def test_rates_and_gaps_are_those_of_each_window():
    parts = months(0.1)
    section = over_time(parts)
    for name, part in parts.items():
        by = {(m.metric, m.statistic, *sorted(m.where.items())): m for m in part.measures(replicates=0)}
        for m in section.measures:
            if m.where.get("window") != name:
                continue
            whole = {key: level for key, level in m.where.items() if key != "window"}
            alone = by[m.metric, m.statistic, *sorted(whole.items())]
            assert (m.value, m.n, m.numerator) == (pytest.approx(alone.value), alone.n, alone.numerator)
    assert known(section, statistic="difference")
    assert {m.metric for m in section.measures if "window" in m.where} == {
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
    }


def test_windows_may_be_cut_from_other_rows_in_any_order():
    parts = months(0.1)
    halves = {}
    for k, (name, part) in enumerate(parts.items()):
        other = Counts.from_arrays([1, 0], [1, k % 2], {"sex": ["f", "m"]})
        halves[name] = (part, other)
    one = over_time({name: a.merge(b) for name, (a, b) in halves.items()})
    two = over_time({name: b.merge(a) for name, (a, b) in halves.items()})
    assert one.measures == two.measures


def test_windows_of_other_levels_are_united_by_their_names():
    first = Counts.from_arrays([1, 0], [1, 0], {"sex": ["f", "m"]})
    second = Counts.from_arrays([1, 0], [1, 0], {"sex": ["x", "m"]})
    section = over_time({"a": first, "b": second})
    places = [tuple(sorted(m.where.items())) for m in section.measures if m.statistic == "value" and "sex" in m.where]
    assert (("sex", "x"), ("window", "a")) in places
    (empty,) = {m.reason for m in section.measures if m.where == {"sex": "x", "window": "a"} and not m.n} - {
        "no positives",
        "no negatives",
    }
    assert empty == "no rows"


def test_without_labels_only_selection_is_told():
    section = over_time(months(0.1, labels=False))
    assert {m.metric for m in section.measures} == {"selection_rate"}


def test_more_than_two_groups_are_each_held_against_the_rest():
    rng = np.random.default_rng(1)
    parts = {}
    for k in range(6):
        race = rng.choice(["a", "b", "c"], 600)
        decided = (rng.random(600) < 0.3 + 0.25 * (race == "c")).astype(int)
        parts[str(k)] = Counts.from_arrays(None, decided, {"race": race.tolist()})
    (found,) = known(over_time(parts))
    assert found.details["rejected_in"] is not None


@pytest.mark.parametrize("more", [{"weights": [1.0, 2.0]}, {"clusters": ["p", "q"]}])
def test_rows_that_do_not_stand_for_themselves_have_no_test(more):
    one = Counts.from_arrays([1, 0], [1, 0], {"sex": ["f", "m"]}, **more)
    (found,) = known(over_time({"a": one, "b": one}))
    assert found.value is None
    assert "stand for themselves" in found.reason


def test_one_window_is_too_few():
    with pytest.raises(DataError, match="at least two"):
        over_time({"a": Counts.from_arrays([1, 0], [1, 0], {"sex": ["f", "m"]})})


def timed(months):
    """Twenty rows of two groups in each of some months."""
    when = np.repeat([f"{month}-15" for month in months], 20)
    decided = np.tile([1, 0, 0, 1, 1], len(when) // 5)
    return {"y": 1 - decided, "yhat": decided, "sex": np.tile(["f", "m"], len(when) // 2), "when": when}


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_a_month_without_rows_is_shown_as_such_and_counted(tmp_path, monkeypatch, capsys, stream):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(timed(["2024-01", "2024-02", "2024-05"])).to_csv("t.csv", index=False)
    asked = ("--target", "y", "--prediction", "yhat", "--sensitive", "sex", "--window", "when", "--every", "month")
    assert cli._guarded(["fairness", "t.csv", *asked, "--replicates", "0", "--json", *stream]) == 0
    record = Record.from_json(capsys.readouterr().out)
    assert record.find("selection_rate", where={"window": "2024-02"}).n == 20
    for month in ("2024-03", "2024-04"):
        empty = record.find("selection_rate", where={"window": month})
        assert (empty.value, empty.reason, empty.n) == (None, "no rows", 0)
        assert not [m for m in record.measures if m.where.get("window") == month and "sex" in m.where]
    (said,) = [str(m) for m in record.limitations if m.message == "windows_without_rows"]
    assert said == "no row falls in 2 of the 5 time windows from 2024-01 to 2024-05"
    drawn = next(e for e in record.exhibits if e.kind == "monitoring")
    assert drawn.data["rates"][0][2:4] == [None, None]
    assert drawn.data["log10_wealth"][1] == drawn.data["log10_wealth"][3]  # no row, no bet
    assert next(f for f in record.findings if f.message == "over_time").parameters["windows"] == 3


def test_windows_too_far_apart_to_be_shown_with_all_between_are_counted():
    rows = timed(["2001-01", "2011-01", "2021-01"])
    when = windows("when", rows["when"], "month")
    counts = Counts.from_arrays(rows["y"], rows["yhat"], {"sex": rows["sex"]}, windows=when)
    limits = section(counts.context(replicates=0)).limitations
    assert [m.parameters["count"] for m in limits if m.message == "windows_without_rows"] == [238]
    named = over_time({"before": Counts.from_arrays([1, 0], [1, 0], {"sex": ["f", "m"]})} | months(0.1))
    assert not named.limitations
