"""`gnomon fairness` as its users meet it: every part a column may play, and one line for what cannot be."""

import json

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.record import Record
from gnomon.reports import cli

LEVELS = ["a, b", 'say "no"', "😀", "<script>alert(1)</script>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fairness")
    rng, n = np.random.default_rng(0), 240
    score = rng.integers(0, 101, n) / 100
    frame = pd.DataFrame(
        {
            "y": (rng.random(n) < 0.3 + 0.4 * score).astype(int),
            "p": score,
            "yhat": (score >= 0.5).astype(int),
            "sex": rng.choice(["f", "m"], n),
            "who": rng.choice(LEVELS, n),
            "same": "one",
            "dept": rng.choice(["x", "y"], n),
            "w": rng.integers(1, 4, n),
            "id": rng.integers(0, 60, n),
            "when": np.datetime_as_string(np.datetime64("2024-01-01") + rng.integers(0, 400, n)),
            "grade": rng.choice(["low", "mid", "high"], n),
            "said": rng.choice(["low", "mid", "high"], n),
            "value": rng.normal(size=n).round(3),
            "guess": rng.normal(size=n).round(3),
            "wide": score * 3,
            "nothing": 0,
            "below": -1,
            "gap": [None, *([1.0] * (n - 1))],
        }
    )
    frame.to_csv(folder / "table.csv", index=False)
    frame.iloc[:0].to_csv(folder / "empty.csv", index=False)
    pd.DataFrame({"yhat": [0, 1] * 501, "g": range(1002)}).to_csv(folder / "levels.csv", index=False)
    pd.DataFrame({"yhat": [0, 1] * 500, "g": np.repeat(range(500), 2)}).to_csv(folder / "many.csv", index=False)
    return folder


@pytest.fixture
def gnomon(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def run(table, *options):
        code = cli._guarded(["fairness", table, *options, "--replicates", "0", "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return Record.from_json(captured.out)

    return run


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def run(table, *options):
        code = cli._guarded(["fairness", table, *options, "--json"])
        captured = capsys.readouterr()
        assert (code, captured.out) == (2, "")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def errors(record):
    return [finding for finding in record.findings if finding.verdict == "ERROR"]


BINARY = ("table.csv", "--target", "y", "--prediction", "yhat", "--sensitive", "sex")


def test_weights_weigh_and_the_record_says_where_they_do_not(gnomon, folder):
    frame = pd.read_csv(folder / "table.csv")
    record = gnomon(*BINARY, "--weight", "w")
    women = frame[frame.sex == "f"]
    rate = record.find("selection_rate", where={"sex": "f"})
    assert rate.value == pytest.approx(np.average(women.yhat, weights=women.w))
    assert rate.method == "wilson-kish"
    assert rate.n == len(women)
    assert [m.parameters["analysis"] for m in record.limitations if m.message == "unweighted"] == ["data"]
    everyone = record.find("accuracy", analysis="fairness", where={})
    whole = record.find("accuracy", analysis="performance")
    assert (whole.value, whole.low, whole.high) == pytest.approx((everyone.value, everyone.low, everyone.high))
    assert whole.details["effective_n"] == everyone.details["effective_n"]
    assert whole.value == pytest.approx(np.average(frame.y == frame.yhat, weights=frame.w))
    assert not errors(record)


def test_every_part_of_a_table_reaches_the_record(gnomon):
    more = ("--cluster", "id", "--control", "dept", "--window", "when", "--every", "quarter", "--depth", "1")
    record = gnomon(*BINARY, *more, "--minimum-count", "10", "--seed", "7")
    assert record.subject["controls"] == [{"name": "dept", "levels": ["x", "y"]}]
    assert record.subject["window"]["levels"] == ["2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4", "2025-Q1"]
    (own,) = [a for a in record.settings["analyses"] if a["name"] == "fairness"]
    assert (own["seed"], own["minimum"], own["depth"], own["replicates"]) == (7, 10, 1, 0)
    assert record.find("selection_rate", where={"sex": "f"}).method == "wilson-cluster"
    assert not errors(record)


def test_without_labels_only_what_needs_none_is_measured(gnomon):
    for asked in (("--prediction", "yhat"), ("--score", "p")):
        record = gnomon("table.csv", *asked, "--sensitive", "sex")
        assert record.find("selection_rate", where={"sex": "f"}).value is not None
        assert record.find("accuracy").reason == "the data has no labels"
        assert not errors(record)


def test_a_score_at_the_threshold_is_a_positive_decision(gnomon, folder):
    record = gnomon("table.csv", "--score", "p", "--threshold", "0.37", "--sensitive", "sex")
    assert record.find("selection_rate").numerator == (pd.read_csv(folder / "table.csv").p >= 0.37).sum()


def test_the_task_is_what_was_said_and_never_guessed(gnomon, refused):
    assert "not binary" in refused("table.csv", "--target", "grade", "--prediction", "said")
    record = gnomon(
        "table.csv", "--target", "grade", "--prediction", "said", "--task", "multiclass", "--sensitive", "sex"
    )
    assert record.subject["task"]["classes"] == ["high", "low", "mid"]
    record = gnomon(
        "table.csv", "--target", "value", "--prediction", "guess", "--task", "regression", "--sensitive", "sex"
    )
    assert record.subject["task"]["kind"] == "regression"
    assert record.find("mean_absolute_error").value > 0
    ranked = ("--score", "guess", "--task", "ranking", "--query", "id", "--top", "2", "--sensitive", "sex")
    record = gnomon("table.csv", "--target", "w", *ranked)
    assert record.subject["task"] == {"kind": "ranking", "top": 2}
    assert not errors(record)


def test_group_names_may_hold_anything_and_the_page_stays_a_page(gnomon, folder):
    record = gnomon("table.csv", "--target", "y", "--prediction", "yhat", "--sensitive", "who", "--out", "strange")
    assert {m.where["who"] for m in record.measures if set(m.where) == {"who"}} >= set(LEVELS)
    assert "<script>alert(1)" not in (folder / "strange" / "report.html").read_text()


def test_one_group_has_rates_and_a_reason_for_no_gap(gnomon):
    record = gnomon("table.csv", "--target", "y", "--prediction", "yhat", "--sensitive", "same")
    gap = record.find("selection_rate", statistic="difference", where={"attribute": "same"})
    assert (gap.value, "only one group" in gap.reason) == (None, True)
    assert not errors(record)


def test_five_hundred_levels_are_measured(gnomon):
    record = gnomon("many.csv", "--prediction", "yhat", "--sensitive", "g")
    assert sum(m.metric == "selection_rate" and m.statistic == "value" for m in record.measures) >= 501
    assert not errors(record)


@pytest.mark.parametrize(
    "options, says",
    [
        (("--weight", "nothing"), "weighs every row 0"),
        (("--weight", "below"), "is -1, below 0 at row 0"),
        (("--weight", "gap"), "is blank at row 0"),
        (("--weight", "sex"), "named as --weight and as --sensitive"),
        (("--weight", "dept"), "no number"),
        (("--cluster", "gap"), "blank at row 0"),
        (("--control", "sex"), "named as --sensitive and as --control"),
        (("--control", "none"), "no column 'none'"),
        (("--window", "dept", "--every", "day"), "which is no time"),
        (("--window", "when", "--every", "hour"), "--every must be day, week"),
        (("--every", "day"), "pass --window"),
        (("--query", "id"), "--query is for --task ranking"),
        (("--task", "guess"), "--task must be binary, multiclass, regression or ranking"),
        (("--task", "regression", "--score", "p"), "--prediction COLUMN alone"),
        (("--task", "ranking"), "--score COLUMN alone"),
        (("--standard", "gdpr"), "give nyc-ll144"),
        (("--mitigate", "hope"), "--mitigate 'hope' is not known"),
        (("--depth", "0"), "--depth"),
        (("--replicates", "-1"), "--replicates"),
        (("--minimum-count", "-1"), "--minimum-count"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_in_one_line(refused, options, says):
    assert says in refused(*BINARY, *options)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("table.csv", "--target", "y", "--score", "wide"), "holds no probabilities"),
        (("table.csv", "--target", "y"), "pass --prediction COLUMN or --score COLUMN"),
        (("table.csv", "--target", "y", "--prediction", "y"), "named as --target and as --prediction"),
        (("empty.csv", "--prediction", "yhat", "--sensitive", "sex"), "no rows"),
        (
            ("levels.csv", "--prediction", "yhat", "--sensitive", "g"),
            "1,002 different values, and groups may have 1,000",
        ),
    ],
)
def test_a_table_that_cannot_be_read_so_is_refused_in_one_line(refused, arguments, says):
    assert says in refused(*arguments)


def test_wishes_are_checked_before_the_table_is_read(refused):
    absent = ("absent.csv", "--prediction", "yhat", "--sensitive", "sex")
    for options in (("--standard", "gdpr"), ("--task", "guess"), ("--weight", "sex")):
        assert "absent.csv" not in refused(*absent, *options)


def test_the_settings_come_back_from_the_file_as_they_were(gnomon):
    record = gnomon(*BINARY)
    assert Record.from_json(record.to_json()) == record
    assert json.loads(record.to_json())["settings"] == record.settings


def test_a_table_counted_in_pieces_has_the_same_rates_and_says_what_is_left_out(gnomon, refused):
    more = ("--weight", "w", "--control", "dept", "--sensitive", "who")
    whole, pieces = gnomon(*BINARY, *more), gnomon(*BINARY, *more, "--stream")
    own = [m for m in whole.measures if m.analysis == "fairness"]
    assert [m.key for m in pieces.measures] == [m.key for m in own]
    for a, b in zip(pieces.measures, own, strict=True):
        assert (a.n, a.reason) == (b.n, b.reason)
        assert a.value == (b.value if b.value is None else pytest.approx(b.value))
    said = {(m.message, m.parameters.get("analysis")) for m in pieces.limitations}
    assert {("streamed", None), ("not_run", "performance"), ("not_run", "data")} <= said
    assert "needs every row" in refused("table.csv", "--prediction", "guess", "--task", "regression", "--stream")
