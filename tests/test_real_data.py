"""Real data, as a user would audit it; numbers against published counts and against fairlearn where it is right."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as theirs
from gnomon.audit import Record
from gnomon.models.datasets import adult, compas
from gnomon.reports import cli

pytestmark = pytest.mark.data

SUBJECT = """
from gnomon.models.reference import tabular

def subject():
    return tabular.subject(rows="all", epochs=3)

def held_out():
    return tabular.subject(epochs=3)
"""
CELLS = {  # TP, FP, TN, FN of the two-year table, positive = medium or high risk
    None: (2035, 1282, 2681, 1216),
    "African-American": (1369, 805, 990, 532),
    "Caucasian": (505, 349, 1139, 461),
}


@pytest.fixture
def workplace(tmp_path, monkeypatch, data_folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GNOMON_DATA", str(data_folder))
    return tmp_path


def gnomon(*arguments):
    return cli._guarded([str(a) for a in arguments])


def cells(record, where):
    tpr = record.find("true_positive_rate", where=where)
    fpr = record.find("false_positive_rate", where=where)
    return tpr.numerator, fpr.numerator, fpr.denominator - fpr.numerator, tpr.denominator - tpr.numerator


def test_compas_has_the_published_cells(workplace, data_folder):
    frame = compas.load(Path(data_folder) / "compas")
    frame.assign(predicted=(frame["score_text"] != "Low").astype(int)).to_csv("compas.csv", index=False)
    code = gnomon(
        "fairness", "compas.csv", "--target", "two_year_recid", "--prediction", "predicted",
        "--sensitive", "race", "--sensitive", "sex", "--out", "x", "--quiet",
    )  # fmt: skip
    assert code == 0
    record = Record.load("x")
    for race, expected in CELLS.items():
        assert cells(record, {"race": race} if race else {}) == expected
    assert record.find("false_positive_rate", where={"race": "African-American"}).value == pytest.approx(
        0.4485, abs=5e-5
    )


def test_compas_rates_are_fairlearns_where_it_is_right(workplace, data_folder):
    frame = compas.load(Path(data_folder) / "compas").reset_index(drop=True)
    y, yhat = frame["two_year_recid"].astype(int), (frame["score_text"] != "Low").astype(int)
    frame.assign(predicted=yhat).to_parquet("compas.parquet")
    gnomon(
        "fairness", "compas.parquet", "--target", "two_year_recid", "--prediction", "predicted",
        "--sensitive", "race", "--sensitive", "sex", "--out", "x", "--quiet",
    )  # fmt: skip
    record = Record.load("x")
    named = {
        "selection_rate": theirs.selection_rate,
        "true_positive_rate": theirs.true_positive_rate,
        "false_positive_rate": theirs.false_positive_rate,
    }
    frame_of = theirs.MetricFrame(metrics=named, y_true=y, y_pred=yhat, sensitive_features=frame[["race", "sex"]])
    checked = 0
    for (race, sex), row in frame_of.by_group.iterrows():
        for name in named:
            ours = record.find(name, where={"race": race, "sex": sex})
            if ours.value is not None:  # fairlearn says 0 where nothing is defined
                assert ours.value == pytest.approx(row[name], abs=1e-12)
                checked += 1
    assert checked > 30


def test_adult_has_the_published_base_rates(data_folder):
    frame = adult.load(Path(data_folder) / "adult")
    by_sex = frame.groupby("sex", observed=True)["income"].agg([lambda c: (c == ">50K").sum(), "size"])
    assert by_sex.loc["Female"].tolist() == [1769, 16192]
    assert by_sex.loc["Male"].tolist() == [9918, 32650]


def test_adult_is_audited_from_a_file_as_a_user_would(workplace):
    Path("mine.py").write_text(SUBJECT)
    rules = [
        {
            "id": "gap",
            "metric": "selection_rate",
            "statistic": "difference",
            "where": {"attribute": "sex"},
            "at_most": 0.1,
        }
    ]
    Path("c.yaml").write_text(json.dumps(rules))
    assert gnomon("run", "mine.py", "--criteria", "c.yaml", "--country", "USA", "--out", "x", "--quiet") == 1
    record = Record.load("x")
    assert record.subject["rows"] == 48842
    women, men = (record.find("base_rate", where={"sex": sex}) for sex in ("Female", "Male"))
    assert (women.numerator, women.denominator) == (1769, 16192)
    assert (men.numerator, men.denominator) == (9918, 32650)
    assert record.find("auc").value > 0.88
    assert record.find("energy_per_1000_predictions").value > 0
    assert any(f.message == "audited_on_training_rows" for f in record.findings)
    assert len(Path("x/report.html").read_bytes()) < 1_000_000
    frame = pd.read_parquet("x/scores.parquet")
    assert len(frame) == 48842
    selected = frame.loc[frame["group:sex"] == 0, "prediction"].mean()
    assert record.find("selection_rate", where={"sex": "Female"}).value == pytest.approx(selected)


def test_no_value_of_a_row_stands_in_adults_report(workplace):
    Path("mine.py").write_text(SUBJECT)
    gnomon("run", "mine.py:held_out", "--out", "x", "--quiet")
    page = Path("x/report.html").read_text()
    record = Record.load("x")
    assert {row["values"] for e in record.exhibits if e.kind == "attribution_rows" for row in e.data["rows"]} == {None}
    for value in ("Prof-specialty", "Married-civ-spouse", "Bachelors"):  # categories that only a row could bring
        assert value not in page


def test_a_gzipped_file_that_is_no_table_is_one_line(workplace, capsys):
    Path("x.csv.gz").write_bytes(gzip.compress(b"\x89PNG\r\n\x1a\n\x00\x00"))
    assert gnomon("fairness", "x.csv.gz", "--target", "y", "--prediction", "p") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_counts_add_up_to_all_rows(workplace, data_folder):
    frame = compas.load(Path(data_folder) / "compas")
    frame.assign(predicted=np.arange(len(frame)) % 2).to_csv("c.csv", index=False)
    gnomon(
        "fairness",
        "c.csv",
        "--target",
        "two_year_recid",
        "--prediction",
        "predicted",
        "--sensitive",
        "sex",
        "--out",
        "x",
        "--quiet",
    )
    (exhibit,) = [e for e in Record.load("x").exhibits if e.kind == "counts"]
    assert sum(cell[-1] for cell in exhibit.data["cells"]) == len(frame) == 7214
