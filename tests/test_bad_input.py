"""What cannot be measured is explained or refused in one line: through the frame, and through `gnomon fairness`."""

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.record import Record
from gnomon.models.errors import DataError
from gnomon.reports import cli

NAMES = ["a, b", 'say "no"', "😀", "<script>alert(1)</script>"]
HALF = [1, 0, 1, 0, 1, 0, 1, 0]
AABB = list("aabbaabb")


def table(y=HALF, yhat=HALF, g=AABB, **more):
    return pd.DataFrame({"y": y, "yhat": yhat, "g": g} | more)


CASES = {  # a table, and for some numbers why there is none: metric, statistic, place, words of the reason
    "no positive decision": (
        table(yhat=[0] * 8),
        [
            ("positive_predictive_value", "value", {"g": "a"}, "no rows decided positive"),
            ("false_discovery_rate", "value", {"g": "b"}, "no rows decided positive"),
            ("positive_predictive_value", "difference", {"attribute": "g"}, "a gap needs two"),
            ("selection_rate", "ratio", {"attribute": "g"}, "0/0"),
            ("selection_rate", "impact_ratio", {"g": "a"}, "0/0"),
        ],
    ),
    "a group of one class": (
        table(y=[1, 1, 1, 0, 1, 1, 1, 0]),
        [
            ("false_positive_rate", "value", {"g": "a"}, "no negatives"),
            ("false_positive_rate", "difference", {"attribute": "g"}, "a gap needs two"),
            ("equalized_odds", "difference", {"attribute": "g"}, "false_positive_rate is undefined"),
        ],
    ),
    "one class alone": (
        table(y=[1] * 8),
        [
            ("false_positive_rate", "value", {}, "no negatives"),
            ("true_negative_rate", "value", {"g": "b"}, "no negatives"),
            ("balanced_accuracy", "value", {"g": "a"}, "no negatives"),
        ],
    ),
    "one group": (
        table(g=["a"] * 8),
        [
            ("selection_rate", "difference", {"attribute": "g"}, "only one group"),
            ("selection_rate", "impact_ratio", {"g": "a"}, "only one group"),
            ("demographic_parity", "difference", {"attribute": "g"}, "only one group"),
            ("equalized_odds", "difference", {"attribute": "g"}, "only one group"),
        ],
    ),
    "a level never seen": (
        table(g=pd.Categorical(AABB, categories=["a", "b", "never"])),
        [
            ("selection_rate", "value", {"g": "never"}, "no rows"),
            ("true_positive_rate", "value", {"g": "never"}, "no positives"),
            ("selection_rate", "impact_ratio", {"g": "never"}, "no rows"),
        ],
    ),
    "an empty intersection": (
        table(h=list("xxyyxxyy")),
        [
            ("selection_rate", "value", {"g": "a", "h": "y"}, "no rows"),
            ("selection_rate", "impact_ratio", {"g": "b", "h": "x"}, "no rows"),
        ],
    ),
    "a group that weighs nothing": (
        table(w=[1, 1, 0, 0] * 2),
        [
            ("selection_rate", "value", {"g": "b"}, "have weight 0"),
            ("selection_rate", "difference", {"attribute": "g"}, "a gap needs two"),
        ],
    ),
}


def frame(rows, **plan):
    sensitive = {name: rows[name] for name in ("g", "h") if name in rows}
    counts = Counts.from_arrays(rows["y"], rows["yhat"], sensitive, weights=rows.get("w"))
    return counts.frame(**{"replicates": 0, **plan})


def explained(found):
    """Every number is finite, or has a reason instead."""
    assert len(found)
    for row in found.itertuples():
        missing = row.value is None or np.isnan(row.value)
        assert missing == bool(row.reason), row
        assert missing or all(end is None or not np.isinf(end) for end in (row.value, row.low, row.high)), row
    return True


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("plan", [{}, {"replicates": 60, "standard": "nyc-ll144"}, {"posterior": True, "minimum": 3}])
def test_every_number_of_a_frame_is_finite_or_explained(name, plan):
    rows, reasons = CASES[name]
    found = frame(rows, **plan)
    assert explained(found)
    for metric, statistic, where, says in () if plan else reasons:
        own = found[(found.metric == metric) & (found.statistic == statistic)]
        (place,) = [k for k in own.index if own["where"][k] == where]
        assert says in own.reason[place], (metric, statistic, where)


@pytest.mark.parametrize("name", CASES)
def test_the_command_explains_the_same(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows, reasons = CASES[name]
    rows.to_parquet("t.parquet")
    asked = ["--target", "y", "--prediction", "yhat", "--sensitive", "g", "--out", "page", "--replicates", "0"]
    asked += ["--sensitive", "h"] if "h" in rows else []
    asked += ["--weight", "w"] if "w" in rows else []
    assert cli._guarded(["fairness", "t.parquet", *asked, "--json"]) == 0
    record = Record.from_json(capsys.readouterr().out)
    assert not [finding for finding in record.findings if finding.verdict == "ERROR"]
    for metric, statistic, where, says in reasons:
        measure = record.find(metric, statistic=statistic, where=where)
        assert measure.value is None
        assert says in measure.reason
    page = (tmp_path / "page" / "report.html").read_text()
    assert not [word for word in (">nan<", ">inf<", ">None<", "NaN %") if word in page]


@pytest.mark.parametrize(
    "more, says",
    [
        ({"weights": [0] * 8}, "weighs every row 0"),
        ({"weights": [1] * 7 + [-1]}, "below 0 at row 7"),
        ({"weights": [1] * 7 + [np.inf]}, "infinite at row 7"),
        ({"weights": [1] * 7}, "length"),
        ({"prediction": None, "scores": [0.5] * 7 + [1.01]}, "score 1.01 at row 7 is no probability"),
        ({"prediction": None, "scores": [-0.1] * 8}, "score -0.1 at row 0 is no probability"),
        ({"prediction": None, "scores": [np.nan] * 8}, "no probability"),
        ({"prediction": None, "scores": [0.5] * 8, "threshold": 1.5}, "threshold"),
        ({"levels": {"g": ["a", "c"]}}, "declare it as a level"),
        ({"target": ["yes", "no"] * 4, "prediction": ["yes", "no"] * 4}, "positive label '1'"),
        ({"target": [], "prediction": [], "sensitive": {"g": []}}, "no rows"),
    ],
)
def test_what_nothing_can_be_told_from_is_refused_in_one_line(more, says):
    given = {"target": HALF, "prediction": HALF, "sensitive": {"g": AABB}} | more
    with pytest.raises(DataError, match=says) as refused:
        Counts.from_arrays(**given)
    assert "\n" not in str(refused.value)


def test_a_score_at_the_threshold_is_a_positive_decision_through_both_doors(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    score = np.array([0.3, 0.3, 0.299999, 0.7, 0.3, 0.1, 0.30000001, 0.3])
    counts = Counts.from_arrays(HALF, None, {"g": AABB}, scores=score, threshold=0.3)
    ours = counts.frame(replicates=0)
    assert explained(ours)
    everyone = ours[(ours.metric == "selection_rate") & (ours.statistic == "value")].iloc[0]
    assert everyone.numerator == 6
    table(p=score).to_csv("t.csv", index=False)
    asked = ["--target", "y", "--score", "p", "--threshold", "0.3", "--sensitive", "g", "--replicates", "0", "--json"]
    assert cli._guarded(["fairness", "t.csv", *asked]) == 0
    assert Record.from_json(capsys.readouterr().out).find("selection_rate").numerator == 6


@pytest.mark.parametrize("extra", [(), ("--stream",)])
def test_five_hundred_levels_of_any_name_are_measured_and_shown(tmp_path, monkeypatch, capsys, extra):
    monkeypatch.chdir(tmp_path)
    names = [f"{NAMES[k % 4]} {k}" for k in range(500)]
    rows = pd.DataFrame({"y": [0, 1] * 500, "yhat": [0, 1, 1, 0] * 250, "g": np.repeat(names, 2)})
    rows.to_csv("t.csv", index=False)
    asked = ["--target", "y", "--prediction", "yhat", "--sensitive", "g", "--replicates", "0", "--out", "page"]
    assert cli._guarded(["fairness", "t.csv", *asked, "--json", *extra]) == 0
    record = Record.from_json(capsys.readouterr().out)
    found = {m.where["g"] for m in record.measures if m.metric == "selection_rate" and set(m.where) == {"g"}}
    assert found == set(names)
    assert all((m.value is None) == bool(m.reason) for m in record.measures)
    page = (tmp_path / "page" / "report.html").read_text()
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_told_as_it_was_given(name):
    found = frame(table(g=[name, "b"] * 4))
    assert explained(found)
    places = [where["g"] for where in found["where"] if set(where) == {"g"}]
    assert name in places
    gap = found[(found.metric == "selection_rate") & (found.statistic == "difference")].iloc[0]
    assert set(gap.details["pair"]) == {name, "b"}
