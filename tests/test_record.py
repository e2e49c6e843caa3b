"""The record is a value: to JSON and back bit for bit, written whole or not at all, refused when it is spoilt."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from gnomon.audit import record as records
from gnomon.audit.errors import RecordError
from gnomon.audit.findings import Finding, Verdict
from gnomon.audit.measure import Measure, column, undefined
from gnomon.audit.messages import ENGLISH, Message
from gnomon.audit.record import Cost, Exhibit, Record, schema
from gnomon.audit.rows import Rows, digest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)


def make(**changes):
    measure = Measure(analysis="a", metric="m", where={"sex": "f"}, value=0.5, low=0.4, high=0.6, n=3)
    given = {
        "subject": {"name": "s"}, "environment": {"created": "2026-01-01T00:00:00+00:00"}, "settings": {},
        "measures": (measure,), "exhibits": (Exhibit("a", "table", {"x": [1, None]}),),
        "findings": (Finding("f", "criterion", {"value": 0.5}, Verdict.PASS, "high", (0,), ("A",)),),
        "verdict": Verdict.PASS, "costs": (Cost("audit", 1.5, 3.0, 2.0, 4.0, 0.0),),
        "limitations": (Message("no_labels"),),
    }  # fmt: skip
    return Record(**{**given, **changes})


@given(value=finite, where=st.dictionaries(texts, texts, max_size=3), details=st.dictionaries(texts, finite | texts))
def test_a_record_survives_json_bit_for_bit(value, where, details):
    record = make(measures=(Measure(analysis="a", metric="m", where=where, value=value, n=1, details=details),))
    text = record.to_json()
    assert Record.from_json(text) == record
    assert Record.from_json(text).to_json() == text


def test_json_answers_to_its_schema():
    Draft202012Validator(schema()).validate(json.loads(make().to_json()))
    Draft202012Validator.check_schema(schema())
    names = [
        "format",
        "subject",
        "environment",
        "settings",
        "measures",
        "exhibits",
        "findings",
        "verdict",
        "costs",
        "limitations",
    ]
    assert set(names) == set(json.loads(make().to_json()))


def test_a_folder_is_read_back(tmp_path):
    rows = Rows(["aa", "bb"], np.array([0.25, 0.75]), np.array([0, 1]), np.array([1, -1]), {"sex": np.array([0, -1])})
    record = make(rows=rows)
    record.save(tmp_path / "new" / "audit")
    assert Record.load(tmp_path / "new" / "audit") == record
    assert Record.load(tmp_path / "new" / "audit" / "record.json") == record
    import pandas

    frame = pandas.read_parquet(tmp_path / "new" / "audit" / "scores.parquet")
    assert frame.columns.tolist() == ["row", "score", "prediction", "target", "group:sex"]
    assert frame["score"].tolist() == [0.25, 0.75]
    assert len((tmp_path / "new" / "audit" / "summary.json").read_bytes()) < 4096
    assert not list((tmp_path / "new" / "audit").glob(".*"))


def test_a_summary_stays_small_whatever_the_names():
    many = tuple(
        Measure(analysis="a", metric=f"{k}" * 500, value=0.1234567890123, low=0.1, high=0.2, n=1, unit="u" * 900)
        for k in range(50)
    )
    record = make(subject={"name": "n" * 10_000}, measures=many)
    assert len(json.dumps(record.summary(), indent=1)) < 4096 * 2


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        make().save(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="choose another --out"):
        make().save(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda d: d.update(format=99), "format 99; this version of gnomon reads format 1"),
        (lambda d: d["measures"][0].update(value="many"), "damaged at measures.0.value"),
        (lambda d: d["measures"][0].update(value=None), "damaged"),
        (lambda d: d["measures"].append(d["measures"][0]), "damaged"),
        (lambda d: d.update(verdict="FAIL"), "damaged"),
        (lambda d: d.pop("costs"), "damaged at costs"),
        (lambda d: d.pop("format"), "is not a record"),
        (lambda d: d["measures"][0].update(vaule=1), r"damaged at measures\.0\.vaule"),
    ],
)
def test_a_spoilt_record_is_refused_in_one_line(spoil, says):
    document = json.loads(make().to_json())
    spoil(document)
    with pytest.raises(RecordError, match=says) as error:
        Record.from_json(json.dumps(document))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", make().to_json()[:200]])
def test_a_truncated_record_is_refused(text):
    with pytest.raises(RecordError, match="not a record"):
        Record.from_json(text)


def test_a_missing_record_says_what_to_give(tmp_path):
    with pytest.raises(RecordError, match=r"folder or its record\.json"):
        Record.load(tmp_path)


def test_two_measures_of_one_key_are_refused():
    measure = make().measures[0]
    with pytest.raises(RecordError, match="holds each once"):
        make(measures=(measure, replace(measure, value=0.45)))


@pytest.mark.parametrize(
    "fields",
    [
        {"value": float("nan")}, {"value": float("inf")}, {"value": None}, {"value": 1.0, "reason": "both"},
        {"value": 0.5, "low": 0.6}, {"value": 0.5, "high": 0.4},
    ],
)  # fmt: skip
def test_a_measure_is_finite_inside_its_interval_or_says_why_not(fields):
    with pytest.raises(ValueError):
        Measure(analysis="a", metric="m", n=1, **fields)


def test_an_undefined_measure_carries_its_reason_in_words_and_as_a_key():
    measure = undefined(Message("empty_denominator", {"of": "positives"}), analysis="a", metric="m", n=0)
    assert measure.reason == "no positives"
    assert measure.details == {"reason": "empty_denominator", "of": "positives"}


def test_frames_are_tidy():
    frame = make().frame()
    assert frame.columns.tolist()[:5] == ["analysis", "metric", "statistic", "where", "value"]
    assert len(make().frame("other")) == 0


def test_find_takes_the_whole_key():
    assert make().find("m", where={"sex": "f"}).value == 0.5
    with pytest.raises(RecordError, match="0 measures"):
        make().find("m")


def test_a_rows_name_tells_nothing_and_never_changes():
    assert digest("sha256:x", 7) == digest("sha256:x", 7) != digest("sha256:y", 7)
    assert len(digest("sha256:x", 7)) == 12


def test_reserved_names_of_columns_are_marked():
    assert column("class") == "column:class"
    assert column("sex") == "sex"


def test_every_sentence_can_be_said():
    import string

    for key, template in ENGLISH.items():
        fields = [name for _, name, spec, _ in string.Formatter().parse(template) if name for spec in [spec]]
        assert str(Message(key, dict.fromkeys(fields, 0.5)))


def test_headlines_are_about_everyone():
    everyone = Measure(analysis="a", metric="x", value=1, n=1)
    assert records.headlines([make().measures[0], everyone]) == [everyone]
