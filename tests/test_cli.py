"""The command line as a user meets it: what it writes, what it prints, how it ends, and what it says when it cannot."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gnomon.audit import Record
from gnomon.reports import cli

SUBJECT = """
import torch
from torch import nn
from gnomon.models import Binary, Feature, Subject, Tabular

def subject():
    torch.manual_seed(0)
    x = torch.randn(300, 2)
    y = (x[:, 0] + 0.5 * torch.randn(300) > 0).long()
    model = nn.Sequential(nn.Linear(2, 1))
    spec = Tabular((Feature("height", 0, (0,)), Feature("weight", 0, (1,))))
    return Subject.from_tensors(
        "A small <b>subject</b>", model, x, y, groups={"sex": ["f", "m", "m"] * 100},
        task=Binary(positive="yes", negative="no"), output="logit", spec=(spec,))

def nan():
    found = subject()
    with torch.no_grad():
        found.model[0].weight.fill_(float("nan"))
    return found

def probabilities():
    from dataclasses import replace
    return replace(subject(), output="probability")

def nothing():
    return 3

def broken():
    raise RuntimeError("the flux capacitor\\nis empty")

def leaving():
    raise SystemExit(0)

def noisy():
    print("hello from the subject")
    return subject()

def with_a_sibling():
    import sibling_of_mine
    return subject()

def mapping():
    from dataclasses import replace
    found = subject()
    return replace(found, model=lambda x: {"scores": x[:, 0]})

def failing_data():
    from dataclasses import dataclass, replace
    found = subject()

    @dataclass(frozen=True)
    class Torn:
        people = found.people
        split = "test"
        origin = ""
        def __len__(self):
            return 300
        def batches(self, size):
            yield from list(found.data.batches(100))[:2]
            raise ValueError("a torn page")

    return replace(found, data=Torn())
"""


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def table(empty_folder):
    rng = np.random.default_rng(0)
    n = 600
    sex = np.where(rng.random(n) < 0.4, "f", "m")
    truth = rng.integers(0, 2, n)
    score = np.clip(truth * 0.4 + rng.random(n) * 0.6 - 0.15 * (sex == "f"), 0, 1)
    frame = pd.DataFrame({"y": truth, "yhat": (score >= 0.5).astype(int), "p": score, "sex": sex, "one": "same"})
    frame["three"] = ["low", "mid", "high"] * (n // 3)
    frame.to_csv("table.csv", index=False)
    return frame


@pytest.fixture
def subject_file(empty_folder):
    (empty_folder / "mine.py").write_text(SUBJECT)
    return "mine.py"


def gnomon(*arguments):
    return cli._guarded([str(a) for a in arguments])


FAIRNESS = ("fairness", "table.csv", "--target", "y", "--prediction", "yhat", "--sensitive", "sex")


def test_run_writes_a_folder_and_says_where(subject_file, capsys):
    assert gnomon("run", subject_file, "--out", "mine") == 0
    out = capsys.readouterr().out
    assert "mine/report.html" in out
    assert "not judged" in out.lower()
    written = {path.name for path in (os.scandir("mine"))}
    assert written == {"record.json", "summary.json", "report.html", "bill.json", "scores.parquet"}
    record = Record.load("mine")
    assert (
        record.find("mean_absolute_attribution", where={"feature": "height", "method": "integrated_gradients"}).low > 0
    )
    assert {m.analysis for m in record.measures} == {"data", "performance", "fairness", "explanations", "energy"}
    page = open("mine/report.html").read()
    assert "<b>subject</b>" not in page
    bill = json.load(open("mine/bill.json"))
    assert bill["seconds"] > 0
    assert bill["joules"] > 0


def test_without_out_a_folder_is_named_by_time_and_subject_and_never_overwritten(table):
    assert gnomon(*FAIRNESS, "--quiet") == 0
    assert gnomon(*FAIRNESS, "--quiet") == 0
    names = sorted(os.listdir("audits"))
    assert len(names) == 2
    assert all("table" in name for name in names)


def test_json_prints_the_record_and_writes_nothing(table, capsys, empty_folder):
    before = sorted(os.listdir())
    assert gnomon(*FAIRNESS, "--json") == 0
    record = Record.from_json(capsys.readouterr().out)
    assert sorted(os.listdir()) == before
    women = table[table.sex == "f"]
    measure = record.find("selection_rate", where={"sex": "f"})
    assert (measure.numerator, measure.denominator) == (women.yhat.sum(), len(women))


def test_json_with_out_does_both(table, capsys):
    assert gnomon(*FAIRNESS, "--json", "--out", "x") == 0
    assert Record.from_json(capsys.readouterr().out) == Record.load("x")


def test_scores_and_a_threshold_stand_in_for_predictions(table, capsys):
    arguments = (
        "fairness",
        "table.csv",
        "--target",
        "y",
        "--score",
        "p",
        "--threshold",
        "0.5",
        "--sensitive",
        "sex",
        "--json",
    )
    assert gnomon(*arguments) == 0
    record = Record.from_json(capsys.readouterr().out)
    assert record.find("auc").value > 0.5
    assert record.find("selection_rate").numerator == (table.p >= 0.5).sum()


def test_fairness_and_report_load_no_torch(table):
    code = (
        "import sys; from gnomon.reports import cli\n"
        f"assert cli._guarded({list(FAIRNESS)!r} + ['--out', 'x', '--quiet']) == 0\n"
        "assert cli._guarded(['report', 'x', '--to', 'markdown', '--out', 'y']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "bounds, fail_on, code",
    [
        ({"at_most": 0.99}, "inconclusive", 0),
        ({"at_most": 0.001}, "inconclusive", 1),
        ({"at_most": 0.17}, "inconclusive", 4),
        ({"at_most": 0.17}, "fail", 0),
    ],
)
def test_exit_codes_tell_the_verdict(table, bounds, fail_on, code):
    rule = [
        {"id": "gap", "metric": "selection_rate", "statistic": "difference", "where": {"attribute": "sex"}, **bounds}
    ]
    with open("c.yaml", "w") as file:
        json.dump(rule, file)
    assert gnomon(*FAIRNESS, "--criteria", "c.yaml", "--fail-on", fail_on, "--quiet") == code


def test_a_criterion_that_nothing_answers_is_an_error_not_a_pass(table):
    with open("c.yaml", "w") as file:
        json.dump([{"id": "x", "metric": "selection_rates", "at_most": 0.5}], file)
    assert gnomon(*FAIRNESS, "--criteria", "c.yaml", "--quiet", "--out", "x") == 3
    assert Record.load("x").verdict == "ERROR"


@pytest.mark.parametrize("form, name", [("html", "report.html"), ("markdown", "report.md"), ("text", "report.txt")])
def test_report_renders_a_record_again(table, capsys, form, name):
    gnomon(*FAIRNESS, "--quiet", "--out", "x")
    assert gnomon("report", "x", "--to", form, "--out", "again") == 0
    assert os.listdir("again") == [name]
    capsys.readouterr()
    assert gnomon("report", "x/record.json", "--to", form) == 0
    assert capsys.readouterr().out == open(f"again/{name}").read()


def test_the_report_of_a_run_and_a_later_one_are_the_same_bytes(table):
    gnomon(*FAIRNESS, "--quiet", "--out", "x")
    gnomon("report", "x", "--out", "again")
    assert open("again/report.html").read() == open("x/report.html").read()


BAD_TABLES = {
    "a missing column": ((*FAIRNESS[:-1], "sexx"), "did you mean 'sex'"),
    "no such file": (("fairness", "none.csv", *FAIRNESS[2:]), "none.csv"),
    "neither score nor prediction": (("fairness", "table.csv", "--target", "y"), "prediction"),
    "both, in disagreement": ((*FAIRNESS, "--score", "p", "--threshold", "0.9"), "p"),
    "a label not binary": (("fairness", "table.csv", "--target", "three", "--prediction", "yhat"), "--positive"),
    "a score outside 0 and 1": (("fairness", "wide.csv", "--target", "y", "--score", "p"), "p"),
    "an empty table": (("fairness", "empty.csv", *FAIRNESS[2:]), "no rows"),
    "a picture called csv": (("fairness", "picture.csv", *FAIRNESS[2:]), "picture.csv"),
    "a pickle": (("fairness", "frame.pkl", *FAIRNESS[2:]), "frame.pkl"),
    "mixed types": (("fairness", "mixed.csv", "--target", "y", "--score", "p"), "p"),
    "an unknown option": ((*FAIRNESS, "--sensitve", "x"), "sensitve"),
    "an unknown command": (("fairnes",), "fairnes"),
    "a level that is no level": ((*FAIRNESS, "--level", "95"), "--level"),
    "an unknown format": (("report", "table.csv", "--to", "pdff"), "record"),
    "no record": (("report", "nowhere"), "nowhere"),
    "criteria that are none": ((*FAIRNESS, "--criteria", "table.csv"), "criteria"),
    "an unknown demo": (("demo", "adul"), "adul"),
}


@pytest.fixture
def bad_files(table):
    table.head(0).to_csv("empty.csv", index=False)
    table.assign(p=table.p * 100).to_csv("wide.csv", index=False)
    table.assign(p=[*table.p[:-1], "many"]).to_csv("mixed.csv", index=False)
    table.to_pickle("frame.pkl")
    with open("picture.csv", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))


@pytest.mark.parametrize("arguments, says", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_input_is_one_line_on_stderr_and_leaves_nothing(bad_files, capsys, arguments, says):
    before = sorted(os.listdir())
    assert gnomon(*arguments) in (2, 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert sorted(os.listdir()) == before


BAD_SUBJECTS = {
    "nan": "NaN",
    "probabilities": "declare output=",
    "nothing": "must return a gnomon.models.Subject",
    "broken": "flux capacitor is empty",
    "absent": "has no 'absent'",
    "leaving": "SystemExit",
    "mapping": "give Subject(forward=...)",
    "failing_data": "the data fails after 200 rows: ValueError: a torn page",
}


@pytest.mark.parametrize("name, says", BAD_SUBJECTS.items(), ids=BAD_SUBJECTS)
def test_a_bad_subject_is_one_line_on_stderr_and_leaves_nothing(subject_file, capsys, name, says):
    assert gnomon("run", f"{subject_file}:{name}") in (2, 3)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error
    assert not os.path.exists("audits")


@pytest.mark.parametrize("path", ["none.py", "model.pkl", "folder.py"])
def test_a_subject_that_is_no_python_file_is_refused(empty_folder, capsys, path):
    (empty_folder / "model.pkl").write_bytes(b"\x80\x04N.")
    (empty_folder / "folder.py").mkdir()
    assert gnomon("run", path) == 2
    assert path in capsys.readouterr().err


def test_a_country_that_does_not_exist_is_said_before_anything_runs(subject_file, capsys):
    assert gnomon("run", subject_file, "--country", "Frnace") == 2
    assert "France" in capsys.readouterr().err


def test_a_constant_attribute_has_rates_but_no_gap(table, capsys):
    gnomon("fairness", "table.csv", "--target", "y", "--prediction", "yhat", "--sensitive", "one", "--json")
    record = Record.from_json(capsys.readouterr().out)
    gap = record.find("selection_rate", statistic="difference", where={"attribute": "one"})
    assert gap.value is None
    assert "only one group" in gap.reason


def test_what_a_subject_prints_does_not_mix_with_the_record(subject_file, capsys):
    assert gnomon("run", f"{subject_file}:noisy", "--json") == 0
    captured = capsys.readouterr()
    assert Record.from_json(captured.out)
    assert "hello from the subject" in captured.err


def test_files_beside_the_subjects_can_be_imported_also_while_it_is_made(subject_file, empty_folder):
    (empty_folder / "sibling_of_mine.py").write_text("x = 1")
    path = list(sys.path)
    assert gnomon("run", f"{subject_file}:with_a_sibling", "--out", "x", "--quiet") == 0
    assert sys.path == path


@pytest.mark.parametrize(
    "wish",
    [
        ("--level", "2"),
        ("--criteria", "none.yaml"),
        ("--country", "Atlantis"),
        ("--fail-on", "bogus"),
        ("--precision", "int4"),
        ("--out", "mine.py/below"),
    ],
)
def test_a_wish_that_cannot_be_met_is_said_before_the_subject_is_made(subject_file, empty_folder, capsys, wish):
    (empty_folder / "mine.py").write_text("from pathlib import Path\nPath('ran').touch()\n" + SUBJECT)
    assert gnomon("run", subject_file, *wish) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not os.path.exists("ran")


def test_an_error_that_nobody_foresaw_is_one_line_and_never_looks_like_a_verdict(table, capsys, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("of\nall things")

    monkeypatch.setattr("gnomon.audit.engine.describe_subject", fail)
    assert gnomon(*FAIRNESS) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert os.listdir() == ["table.csv"]


@pytest.mark.parametrize("before", [False, True], ids=["new", "replacing"])
@pytest.mark.parametrize("at", range(5))
def test_an_interrupt_while_writing_leaves_the_folder_as_it_was(table, monkeypatch, before, at):
    if before:
        gnomon(*FAIRNESS, "--quiet", "--out", "x", "--level", "0.8")
    was = {p.name: p.read_bytes() for p in Path("x").iterdir()} if before else None
    calls, fsync = [], os.fsync

    def interrupt(handle):
        calls.append(handle)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        fsync(handle)

    monkeypatch.setattr(os, "fsync", interrupt)
    assert gnomon(*FAIRNESS, "--quiet", "--out", "x") == 130
    assert os.path.exists("x") == before
    assert was is None or {p.name: p.read_bytes() for p in Path("x").iterdir()} == was
    assert sorted(os.listdir()) == (["table.csv", "x"] if before else ["table.csv"])


def test_an_audit_written_over_another_replaces_it_whole(table):
    gnomon(*FAIRNESS, "--quiet", "--out", "x", "--level", "0.8")
    gnomon(*FAIRNESS, "--quiet", "--out", "x", "--level", "0.9")
    assert Record.load("x").settings["level"] == 0.9
    gnomon("report", "x", "--out", "again")
    assert open("again/report.html").read() == open("x/report.html").read()


def test_debug_shows_where(subject_file):
    with pytest.raises(Exception, match="flux"):
        gnomon("run", f"{subject_file}:broken", "--debug")


def test_an_interrupt_leaves_no_half_written_record(empty_folder):
    (empty_folder / "slow.py").write_text(
        textwrap.dedent("""
        import time
        from pathlib import Path
        def subject():
            Path("started").touch()
            time.sleep(60)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from gnomon.reports.cli import main; main()", "run", "slow.py", "--out", "x"],
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background shell ignores it
    )  # fmt: skip
    while not os.path.exists("started"):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.count("\n") == 1
    assert not os.path.exists("x")


def test_doctor_says_what_can_be_measured(capsys):
    assert gnomon("doctor") == 0
    out = capsys.readouterr().out
    assert "Energy is read from" in out
    assert "cpu" in out
    assert gnomon("doctor", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sensors"]


def test_schema_is_json(capsys):
    assert gnomon("schema") == 0
    assert json.loads(capsys.readouterr().out)["properties"]["measures"]


def test_version_and_help(capsys):
    assert gnomon("--version") == 0
    assert capsys.readouterr().out.startswith("gnomon ")
    assert gnomon() == 0
    for command in ("demo", "run", "fairness", "report", "dashboard", "doctor", "schema"):
        assert gnomon(command, "--help") == 0
        assert "Usage: gnomon " + command in capsys.readouterr().out


def test_demo_lists_its_subjects(capsys):
    assert gnomon("demo", "--list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("credit", "adult", "mnist"))
