"""The positive label may be several: in arrays, tensors, frames, files and at the command line, with one answer."""

import numpy as np
import pandas as pd
import pytest
import torch
from gnomon.audit.engine import run
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.analysis import Fairness
from gnomon.audit.record import Record
from gnomon.models.errors import DataError
from gnomon.models.subject import Subject
from gnomon.reports import cli

# the multiclass case of AIF360's tests: favourable labels 0 and 1
TRUTH = [1, 0, 0, 1, 0, 2, 1, 0, 2, 1]
DECIDED = [1, 0, 0, 0, 2, 2, 1, 0, 2, 1]
GROUP = ["first"] * 6 + ["second"] * 4


def numbers(counts):
    return {m.key: (m.value, m.low, m.high) for m in counts.measures(replicates=0)}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame({"truth": TRUTH, "decided": DECIDED, "g": GROUP}).to_csv(path, index=False)
    return path


def arrays(positive=(0, 1)):
    return Counts.from_arrays(TRUTH, DECIDED, {"g": GROUP}, positive=positive)


def test_several_favourable_labels_give_the_published_counts():
    counts = arrays()
    assert counts.axes.classes == ("2", "0 or 1")
    (everyone,) = counts.context().everyone
    (tn, fp), (fn, tp), _ = everyone.rows[0].tolist()
    assert (tp, fn, tn, fp) == (7, 1, 2, 0)
    missed = [numbers(counts)["fairness", "false_negative_rate", "value", (("g", g),)][0] for g in ("second", "first")]
    assert missed[0] - missed[1] == pytest.approx(-0.2)


@pytest.mark.parametrize("positive", [[0, 1], (1, 0), {0, 1}, np.array([0, 1]), ["0", "1"], [0.0, 1.0]])
def test_however_the_labels_are_given_they_are_the_same(positive):
    assert numbers(arrays(positive)) == numbers(arrays())


def test_tensors_files_and_frames_agree_with_arrays(table):
    group = torch.tensor([int(g == "second") for g in GROUP])
    tensors = Counts.from_arrays(torch.tensor(TRUTH), torch.tensor(DECIDED), {"g": group}, positive=[0, 1])
    assert tensors.axes.classes == arrays().axes.classes
    assert (tensors.table.keys == arrays().table.keys).all()
    assert (tensors.table.counts == arrays().table.counts).all()
    columns = {"sensitive": ["g"], "target": "truth", "prediction": "decided"}
    assert numbers(Counts.from_file(table, **columns, positive=[0, 1])) == numbers(arrays())
    subject = Subject.from_predictions(table, **columns, positive=["0", "1"])
    assert subject.task.classes == ("2", "0 or 1")
    found = run(subject, [Fairness(replicates=0)]).measures
    own = {m.key: (m.value, m.low, m.high) for m in found if m.analysis == "fairness"}
    assert {key: own[key] for key in numbers(arrays()) if key in own} == numbers(arrays())


@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_the_command_takes_the_option_again_and_again(table, more, monkeypatch, capsys):
    monkeypatch.chdir(table.parent)
    columns = ["--target", "truth", "--prediction", "decided", "--sensitive", "g"]
    code = cli._guarded(
        ["fairness", table.name, *columns, "--positive", "0", "--positive", "1", "--replicates", "0", "--json", *more]
    )
    captured = capsys.readouterr()
    assert code == 0, captured.err
    measures = {m.key: m for m in Record.from_json(captured.out).measures}
    missed = measures["fairness", "false_negative_rate", "value", (("g", "first"),)]
    assert (missed.numerator, missed.denominator) == (1, 5)


def test_true_and_1_are_one_label():
    yes, no = np.array(TRUTH) == 1, np.array(DECIDED) == 1
    as_words = numbers(Counts.from_arrays(yes, no, {"g": GROUP}))
    assert as_words == numbers(Counts.from_arrays(yes.astype(int), no.astype(int), {"g": GROUP}))
    assert as_words == numbers(Counts.from_arrays(yes.astype(int), no.astype(int), {"g": GROUP}, positive=True))


def test_rows_that_are_all_0_have_what_can_be_told_of_them():
    found = numbers(Counts.from_arrays([0, 0, 0], [0, 0, 0], {"g": ["a", "a", "b"]}))
    assert found["fairness", "selection_rate", "value", (("g", "a"),)][0] == 0
    assert found["fairness", "true_positive_rate", "value", (("g", "a"),)][0] is None


@pytest.mark.parametrize("positive", ["hird", ["hird", "shortlisted"]])
def test_labels_that_never_occur_are_refused(positive, tmp_path):
    words = ["hired", "rejected", "hired"]
    with pytest.raises(DataError, match="hird"):
        Counts.from_arrays(words, words, {"g": list("aab")}, positive=positive)
    with pytest.raises(DataError, match="hird"):
        Counts.from_arrays(words, None, {"g": list("aab")}, positive=positive, scores=[0.2, 0.9, 0.5])
    path = tmp_path / "rows.csv"
    pd.DataFrame({"truth": words, "score": [0.2, 0.9, 0.5], "g": list("aab")}).to_csv(path, index=False)
    for read in (Counts.from_file, Subject.from_predictions):
        with pytest.raises(DataError, match="hird"):
            read(path, sensitive=["g"], target="truth", score="score", positive=positive)


def test_no_label_at_all_is_refused():
    with pytest.raises(DataError, match="no positive label"):
        arrays([])
