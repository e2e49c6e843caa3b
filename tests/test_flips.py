"""Counterfactual flips: only what is swapped is swapped, and templates are what intervals rest on."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from gnomon import audit
from gnomon.audit.fairness.counterfactual.flips import Flips, with_level
from gnomon.audit.fairness.counterfactual.terms import (
    SLOT,
    counterfactuals,
    flips_of_pairs,
    flips_of_texts,
    groups_from_terms,
)
from gnomon.audit.record import Record
from gnomon.models import Binary, Feature, Multiclass, Regression, Subject, frames
from gnomon.models.datasets import hatecheck, jigsaw_templates, simulated
from gnomon.models.errors import DataError
from gnomon.reports import charts, cli, numbers, sentences, words
from hypothesis import given
from hypothesis import strategies as st

GENDER = {"female": ["she", "woman", "her"], "male": ["he", "man", "his"]}
BY_SEX = -1.0  # what being a woman adds to the logit of the tested model


def subject(one_hot=False, sensitive=("sex", "origin"), by_sex=BY_SEX):
    frame = simulated.credit(800, seed=2)
    encoding = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex", "employment"), one_hot=one_hot)

    def model(x, codes=None):
        female = x[:, 4] if codes is None else (codes[:, 0] == 0).float()
        return 2 * x[:, 1] + by_sex * female

    return Subject.from_frame(
        "credit", model, frame, target="approved", encoding=encoding, task=Binary(), sensitive=list(sensitive),
        output="logit",
    )  # fmt: skip


def flips(some, **settings):
    record = audit.run(some, [Flips(**settings)])
    return record, {
        (m.metric, m.where.get("attribute"), m.where.get("component")): m
        for m in record.measures
        if m.analysis == "fairness"
    }


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_share_that_flips_is_that_of_the_two_decisions_of_every_row(one_hot):
    record, found = flips(subject(one_hot))
    frame = simulated.credit(800, seed=2)
    encoding = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex",))
    income = 2 * frames.encode(encoding, frame).inputs[0][:, 1]
    known = frame["sex"].notna().to_numpy()
    expected = ((income >= 0) != (income + BY_SEX >= 0))[known]
    rate = found["flip_rate", "sex", None]
    assert (rate.value, rate.n) == (pytest.approx(expected.mean()), known.sum())
    female = (frame["sex"] == "Female").to_numpy()
    up = found["flip_rate", "sex", "Female → Male"]
    assert up.value == pytest.approx(((income >= 0) & (income + BY_SEX < 0))[female].mean())
    assert up.details == {"to_positive": up.numerator, "to_negative": 0}
    move = found["mean_score_change", "sex", "Male → Female"]
    p = 1 / (1 + np.exp(-income[known & ~female]))
    assert move.value == pytest.approx((1 / (1 + np.exp(-income[known & ~female] - BY_SEX)) - p).mean(), abs=1e-6)
    assert move.high < 0
    (finding,) = record.findings
    assert sentences.finding(finding).startswith("Swapping sex alone changes")


def test_both_encodings_of_a_level_are_swapped_alike():
    (_, codes), (_, hot) = flips(subject(False)), flips(subject(True))
    assert codes.keys() == hot.keys()
    assert all(codes[key].value == pytest.approx(hot[key].value) for key in codes if codes[key].value is not None)


def test_a_model_that_does_not_look_never_flips_and_no_finding_is_made_of_it():
    record, found = flips(subject(by_sex=0.0))
    rate = found["flip_rate", "sex", None]
    assert (rate.value, rate.numerator, rate.low) == (0.0, 0, 0.0)
    assert 0 < rate.high < 0.01
    assert not record.findings


def test_what_is_no_input_has_a_reason():
    _, found = flips(subject())
    assert found["flip_rate", "origin", None].details["reason"] == "not_an_input"
    bare = Subject.from_tensors("x", lambda x: x[:, 0], torch.ones(4, 1), [0, 1, 0, 1], task=Binary(), output="logit",
                                groups={"sex": ["f", "m", "f", "m"]})  # fmt: skip
    assert flips(bare)[1]["flip_rate", "sex", None].details["reason"] == "no_inputs"


def test_the_sample_is_the_same_however_the_rows_are_cut():
    whole, parts = (audit.run(subject(), [Flips(rows=100)], batch_size=size).measures for size in (4096, 37))
    assert [(m.key, m.value) for m in whole if m.unit == "1"] == [(m.key, m.value) for m in parts if m.unit == "1"]
    rate = next(m for m in whole if m.metric == "flip_rate")
    assert rate.n <= 100


@pytest.mark.parametrize("task", [Multiclass(("a", "b", "c")), Regression("EUR")])
def test_several_classes_and_numbers_have_what_there_is_of_them(task):
    frame = simulated.credit(200, seed=2)
    encoding = frames.fit_encoding(frame, numeric=("income",), categorical=("sex",))
    frame["y"] = np.resize(["a", "b", "c"], 200) if isinstance(task, Multiclass) else frame["income"]

    def model(x, codes):
        number = x[:, 0] + codes[:, 0].float()
        return torch.stack([number, -number, number * 0], 1) if isinstance(task, Multiclass) else number

    output = "logits" if isinstance(task, Multiclass) else "value"
    some = Subject.from_frame("s", model, frame, target="y", encoding=encoding, task=task, sensitive=["sex"],
                              output=output)  # fmt: skip
    _, found = flips(some)
    metrics = {metric for metric, *_ in found}
    if isinstance(task, Multiclass):
        assert metrics == {"flip_rate"}
    else:
        assert metrics == {"mean_score_change", "mean_absolute_score_change"}
        assert found["mean_score_change", "sex", "Female → Male"].value == pytest.approx(1.0)
        assert found["mean_score_change", "sex", "Female → Male"].unit == "EUR"


@pytest.mark.parametrize("by_sex", [3.0, 0.0])
def test_a_swap_that_moves_what_a_regression_predicts_is_told_as_a_finding(by_sex):
    frame = simulated.credit(300, seed=2)
    encoding = frames.fit_encoding(frame, numeric=("income",), categorical=("sex",))
    weights = torch.tensor([[1e3], [0.0], [0.0]])  # a matrix product: batches of other sizes may round it otherwise

    def model(x, codes):
        return (torch.nn.functional.pad(x, (0, 3 - x.shape[1])) @ weights)[:, 0] + by_sex * codes[:, 0]

    some = Subject.from_frame("s", model, frame, target="income", encoding=encoding, task=Regression("EUR"),
                              sensitive=["sex"], output="value")  # fmt: skip
    record, _ = flips(some)
    told = [sentences.finding(f).replace("\u00a0", " ") for f in record.findings if f.message == "flips"]
    if by_sex:
        assert re.match(r"Swapping sex alone moves the prediction by 3\.0+ EUR on average, up or down \(95 %", told[0])
        assert told[0].endswith("the model predicts by it directly.")
        assert sentences.headline(record.findings[0]) == "Counterfactual flips by sex"
    else:
        assert not told


def test_the_inputs_that_are_given_stay_as_they_are():
    x = torch.tensor([[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]])
    (changed,) = with_level((x,), Feature("sex", 0, (1, 2), ("f", "m")), 1)
    assert changed.tolist() == [[1.0, 0.0, 1.0], [2.0, 0.0, 1.0]]
    assert x[0].tolist() == [1.0, 1.0, 0.0]


SUBJECT = """
import torch
from gnomon.models import Binary, Subject, frames
from gnomon.models.datasets import simulated

class Model(torch.nn.Module):
    def forward(self, x, codes):
        return 2 * x[:, 1] - (codes[:, 0] == 0).float()

def subject():
    frame = simulated.credit(800, seed=2)
    encoding = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex", "employment"))
    return Subject.from_frame("credit", Model(), frame, target="approved", encoding=encoding, task=Binary(),
                              sensitive=["sex", "origin"], output="logit")
"""


def test_the_command_swaps_what_it_is_asked_to_and_the_page_shows_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SUBJECT)
    monkeypatch.setattr(sys, "argv", ["gnomon", "run", "mine.py", "--flips", "--out", "flips"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert "Swapping sex alone changes" in " ".join(capsys.readouterr().out.split())
    record = Record.load(Path("flips"))
    rate = record.find("flip_rate", where={"attribute": "sex"})
    assert rate.value == pytest.approx(flips(subject())[1]["flip_rate", "sex", None].value)
    assert [cost for cost in record.costs if cost.phase == "audit/flips"]
    page = Path("flips/report.html").read_text()
    assert "What swapping sex changes" in page
    assert "Female → Male" in page


def test_the_figure_tells_every_swap_and_all_of_them_once():
    record, found = flips(subject())
    (figure,) = charts.flips.by_attribute(record)
    assert [row[0] for row in figure.table.rows] == ["any swap", "Female → Male", "Male → Female"]
    assert figure.table.rows[0][1] == numbers.count(found["flip_rate", "sex", None].n)
    assert figure.table.rows[1][2] == numbers.value(found["flip_rate", "sex", "Female → Male"])
    assert charts.flips.by_attribute(flips(subject(sensitive=("origin",)))[0]) == []


def test_no_p_value_is_called_the_chance_that_something_is_so():
    """It is how often chance alone would show as much were it so: a p-value of something, by its name."""
    named = {name: told for name, told in words.STATISTICS.items() if name.endswith("p_value")}
    assert len(named) == 4
    assert all(told.startswith("p-value for ") and "chance" not in told for told in named.values())


def test_a_swap_is_called_by_both_levels():
    assert words.place({"attribute": "sex", "component": "Female → Male"}) == "across sex, from Female to Male"


# --- texts ------------------------------------------------------------------------------------------------------------


def test_whole_words_are_replaced_and_their_case_is_kept():
    found = counterfactuals(["She told HER mother: sheer woman’s luck, other."], GENDER)
    assert found.texts == ("He told HIS mother: sheer man’s luck, other.",)
    assert found.templates == (f"{SLOT} told {SLOT} mother: sheer {SLOT}’s luck, other.",)


def test_longer_terms_go_before_shorter_ones():
    terms = {"a": ["black", "black people"], "b": ["white", "white people"]}
    assert counterfactuals(["Black people and black cats"], terms).texts == ("White people and white cats",)


@given(st.lists(st.sampled_from([*GENDER["female"], "rain", "the", "sheer", ",", "Woman", "HER"]), max_size=8))
def test_swapping_there_and_back_gives_the_text_again(words):
    text = " ".join(words)
    there = counterfactuals([text], GENDER)
    back = counterfactuals(list(there.texts), GENDER)
    assert list(back.texts) == ([text] if len(there) else [])
    assert back.templates == there.templates


def test_texts_of_several_levels_are_in_no_group_and_left_out():
    texts = ["she and he", "she", "he", "rain", ""]
    assert groups_from_terms(texts, GENDER) == [None, "female", "male", None, None]
    found = counterfactuals(texts, GENDER)
    assert (found.several, found.original.tolist()) == (1, [1, 2])
    section = flips_of_texts(texts, lambda some: [0.1] * len(some), GENDER)
    assert section.limitations[0].parameters == {"count": 1, "n": 5}


def test_groups_may_have_lists_of_any_length_but_counterfactuals_need_a_word_for_a_word():
    uneven = {"a": ["x", "y"], "b": ["z"]}
    assert groups_from_terms(["x", "z"], uneven) == ["a", "b"]
    for wrong in (uneven, {"a": ["x"]}, {"a": [], "b": []}, {"a": ["x"], "b": ["X"]}, {"a": ["x"], "b": [" "]}):
        with pytest.raises(DataError) as error:
            counterfactuals(["x"], wrong)
        assert "\n" not in str(error.value)


def harsh(texts):
    return [0.9 if "he" in text.lower().split() else 0.2 for text in texts]


def test_templates_are_what_an_interval_rests_on():
    texts = [f"she said {k % 5}" for k in range(500)]  # five templates, a hundred times each
    by_number = {text: 0.9 if text.endswith(("0", "1")) and text.startswith("he") else 0.2 for text in texts}
    by_number |= {t.replace("she", "he"): 0.9 if t.endswith(("0", "1")) else 0.2 for t in texts}
    section = flips_of_texts(texts, lambda some: [by_number[t] for t in some], GENDER, attribute="gender")
    rate = section.measures[0]
    assert (rate.value, rate.details["clusters"], rate.n) == (0.4, 5, 500)
    assert rate.high - rate.low > 0.6  # of 500 rows by themselves it would be 0.09
    alone = flips_of_texts(texts, lambda some: [by_number[t] for t in some], GENDER, templates=range(500))
    assert alone.measures[0].high - alone.measures[0].low < 0.1


def test_each_direction_is_told_apart():
    texts = ["she left", "he left", "she came", "he came"]
    found = {m.where.get("component"): m for m in flips_of_texts(texts, harsh, GENDER).measures if "rate" in m.metric}
    assert found["female → male"].details["to_positive"] == 2
    assert found["male → female"].details["to_negative"] == 2
    assert found[None].value == 1.0


def test_without_a_term_or_a_score_a_text_each_there_is_a_reason_or_an_error():
    (measure,) = flips_of_texts(["rain"], harsh, GENDER).measures
    assert measure.details["reason"] == "no_terms"
    for wrong in (lambda texts: [0.5], lambda texts: [np.nan] * len(texts)):
        with pytest.raises(DataError, match="one finite number a text"):
            flips_of_texts(["she", "he", "she"], wrong, GENDER)


def test_pairs_that_others_made_are_measured_alike():
    texts = ["she left", "she came", "she sat"]
    ours = flips_of_texts(texts, harsh, GENDER)
    swapped = counterfactuals(texts, GENDER)
    theirs = flips_of_pairs(harsh(texts), harsh(swapped.texts), clusters=swapped.templates)
    assert theirs.measures[0].value == ours.measures[0].value
    assert (theirs.measures[0].low, theirs.measures[0].high) == (ours.measures[0].low, ours.measures[0].high)


# --- real data --------------------------------------------------------------------------------------------------------

IDENTITIES = {name: [name] for name in ("gay", "straight", "muslim", "christian")}


def words_of(text):
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def bag_of_words(texts, labels, most=3000):
    """A logistic regression on which words a text holds: a scorer that anyone can look into."""
    counted = {}
    for text in texts:
        for word in set(words_of(text)):
            counted[word] = counted.get(word, 0) + 1
    place = {word: k for k, word in enumerate(sorted(counted, key=lambda w: (-counted[w], w))[:most])}

    def matrix(some):
        x = torch.zeros(len(some), len(place))
        for row, text in enumerate(some):
            x[row, [place[w] for w in set(words_of(text)) if w in place]] = 1.0
        return x

    x, y = matrix(texts), torch.tensor(labels, dtype=torch.float32)
    weight = torch.zeros(len(place), requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=40)

    def loss():
        optimizer.zero_grad()
        value = (
            torch.nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y) + 1e-3 * weight.square().sum()
        )
        value.backward()
        return value

    optimizer.step(loss)
    return lambda some: torch.sigmoid(matrix(some) @ weight + bias).detach().numpy()


@pytest.mark.data
def test_the_jigsaw_templates_are_as_published(data_folder: Path):
    folder = data_folder / "jigsaw_templates"
    sentences_, crossed = (jigsaw_templates.load(folder, table=t) for t in ("sentences", "intersections"))
    assert (len(sentences_), sentences_["toxic"].sum()) == (76_564, 38_282)
    assert (len(crossed), crossed["toxic"].sum()) == (30_240, 15_120)
    comments = jigsaw_templates.load(folder, table="comments")
    assert (len(comments), comments["toxic"].sum(), (comments["text"] != comments["swapped"]).sum()) == (1492, 248, 734)


@pytest.mark.data
def test_hatecheck_is_as_published(data_folder: Path):
    cases = hatecheck.load(data_folder / "hatecheck")
    assert (len(cases), cases["hateful"].sum(), cases["test"].nunique()) == (3728, 2563, 29)
    assert cases["target"].value_counts().to_dict() == {
        "gay people": 551, "women": 509, "disabled people": 484, "Muslims": 484, "black people": 482,
        "trans people": 463, "immigrants": 463,
    }  # fmt: skip
    assert cases["target"].isna().sum() == 292


@pytest.mark.data
def test_a_detector_trained_on_hateful_texts_flips_by_the_identity_named(data_folder: Path):
    """What a word list learns from HateCheck it then holds against harmless sentences with the same terms."""
    cases = hatecheck.load(data_folder / "hatecheck")
    score = bag_of_words(cases["text"].tolist(), cases["hateful"].tolist())
    rows = jigsaw_templates.load(data_folder / "jigsaw_templates")
    some = rows[rows["text"].str.contains("gay|straight|muslim|christian")].iloc[::5]
    section = flips_of_texts(some["text"].tolist(), score, IDENTITIES, attribute="identity")
    found = {(m.metric, m.where.get("component")): m for m in section.measures}
    assert found["mean_score_change", "straight → gay"].low > 0  # surely worse for the group that hate aims at
    assert found["mean_score_change", "christian → muslim"].low > 0
    overall = found["flip_rate", None]
    assert 0 < overall.low < overall.value < overall.high < 1
    groups = groups_from_terms(some["text"].tolist(), IDENTITIES)
    assert set(groups) == set(IDENTITIES)


@pytest.mark.data
def test_comments_with_identities_swapped_by_others_are_pairs(data_folder: Path):
    comments = jigsaw_templates.load(data_folder / "jigsaw_templates", table="comments")
    score = bag_of_words(comments["text"].tolist(), comments["toxic"].tolist())
    changed = comments[comments["text"] != comments["swapped"]]
    section = flips_of_pairs(score(changed["text"].tolist()), score(changed["swapped"].tolist()))
    rate, move = section.measures
    assert rate.n == 734
    assert rate.low <= rate.value <= rate.high
    assert abs(move.value) < 0.2


def fairness(capsys, *options):
    code = cli._guarded(["fairness", "texts.csv", "--score", "s", "--target", "y", "--replicates", "0", *options])
    return code, capsys.readouterr()


def test_the_command_finds_the_groups_of_texts_by_the_words_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = ["She left", "he left", "rain", "she and he", "SHE came", "he stayed", ""]
    scores = [0.9, 0.1, 0.9, 0.9, 0.8, 0.7, 0.2]
    pd.DataFrame({"said": texts, "s": scores, "y": [1, 0, 1, 1, 0, 1, 0]}).to_csv("texts.csv", index=False)
    Path("terms.yaml").write_text("female: [she]\nmale: [he]\n")
    code, printed = fairness(capsys, "--text", "said", "--terms", "terms.yaml", "--json")
    assert code == 0, printed.err
    record = Record.from_json(printed.out)
    rates = [record.find("selection_rate", where={"terms in said": level}) for level in ("female", "male")]
    assert [(rate.numerator, rate.denominator) for rate in rates] == [(2, 2), (1, 2)]
    Path("empty.yaml").write_text("female: []\n")
    Path("absent.yaml").write_text("a: [zebra]\n")
    for options, said in (
        (("--text", "said"), "go together"),
        (("--text", "said", "--terms", "terms.yaml", "--stream"), "--stream keeps none"),
        (("--text", "said", "--terms", "nowhere.yaml"), "cannot be read as YAML"),
        (("--text", "said", "--terms", "empty.yaml"), "its list of words"),
        (("--text", "said", "--terms", "absent.yaml"), "no text of column 'said'"),
        (("--text", "sad", "--terms", "terms.yaml"), "there is no column 'sad'"),
    ):
        code, printed = fairness(capsys, *options)
        assert (code, printed.out) == (2, "")
        assert said in printed.err
        assert printed.err.count("\n") == 1
