"""Exhibits of texts, sounds and series: they hold no row that was not asked for, and reports draw what they hold."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.explain.modality import declared
from gnomon.audit.explain.modality.exhibits import (
    Amounts,
    attribution_series,
    attribution_spectrograms,
    attribution_tokens,
)
from gnomon.audit.explain.modality.exhibits import single_rows as exhibits_of
from gnomon.audit.explain.modality.tokens import words_of
from gnomon.audit.record import Exhibit, Record
from gnomon.models import Audio, Series, Text
from gnomon.reports import palette, svg
from gnomon.reports.attributions import single_rows
from gnomon.reports.charts import Figure, charts
from gnomon.reports.series import CHANNELS
from gnomon.reports.timelines import windows
from golden import sample

VOCABULARY = ("<pad>", "the", "film", "is", "un", "##expected", "##ly", "good", ",", "bad", "wonder", "##ful", "never")
TEXT = Text(VOCABULARY, padding=0)
HEAD = {"method": "kernel_shap", "explained": "log-odds of good"}
REASONS = ("highest score", "lowest score", "nearest to the threshold", "smallest hash")


def told(k: int) -> dict[str, Any]:
    return {"number": k, "score": 0.2 + 0.2 * k, "decision": "good", "target": None, "reason": REASONS[k % 4]}


def chosen(count: int) -> list[tuple[int, dict[str, Any]]]:
    return [(k, told(k)) for k in range(count)]


def tokens(*, raw: bool, stderr: bool = True) -> Exhibit:
    draw = np.random.default_rng(0)
    ids = draw.integers(1, len(VOCABULARY), (4, 30))
    ids[1, 12:] = 0
    words = words_of(TEXT, ids)
    values = draw.normal(size=(4, words.most)) ** 3
    amounts = Amounts(values, stderr=0.1 + 0 * values if stderr else None)
    return attribution_tokens("explanations", HEAD, chosen(4), words, amounts, raw=raw)


def sound(*, raw: bool, kind: Any = "waveform") -> Exhibit:
    draw = np.random.default_rng(1)
    spec = Audio(8000.0) if kind == "waveform" else Audio(8000.0, kind="spectrogram", hop=80, bands=8)
    time = np.arange(4000) / 8000
    wave = np.sin(900 * time) * np.exp(-((time - 0.2) ** 2) / 0.01)
    field = np.exp(-((np.arange(40)[:, None] - 8 - 20 * np.arange(50)[None] / 50) ** 2) / 20)
    sounds = np.stack([wave if kind == "waveform" else field] * 4)
    values = draw.normal(size=(4, 16 if kind == "waveform" else 8 * 13))
    amounts = Amounts(values, stderr=0.2 + 0 * values)
    return attribution_spectrograms("explanations", HEAD, chosen(4), spec, sounds, amounts, raw=raw)


def lines(*, raw: bool, channels: int = 4) -> Exhibit:
    draw = np.random.default_rng(2)
    spec = Series(tuple(f"sensor {k}" for k in range(channels)), step=3.0, unit="h", window=3)
    values = draw.normal(size=(4, 24, channels)).cumsum(1)
    return attribution_series(
        "explanations", HEAD, chosen(4), spec, values, Amounts(draw.normal(size=(4, 8 * channels))), raw=raw
    )


MADE = {
    "words": tokens,
    "waveform": sound,
    "spectrogram": lambda *, raw: sound(raw=raw, kind="spectrogram"),
    "series": lines,
}
ANCHORS = {"words": "words", "waveform": "sounds", "spectrogram": "sounds", "series": "series"}


def record_of(*exhibits: Exhibit) -> Record:
    """A record as the engine keeps it: rows known by a digest."""
    kept = []
    for exhibit in exhibits:
        rows = [
            {**{k: v for k, v in row.items() if k != "number"}, "row": f"{k:04x}c0ffee"}
            for k, row in enumerate(exhibit.data["rows"])
        ]
        kept.append(Exhibit(exhibit.analysis, exhibit.kind, {**exhibit.data, "rows": rows}))
    return replace(sample.binary(), measures=(), exhibits=tuple(kept), findings=(), costs=(), verdict="NOT_JUDGED")


@cache
def figure_of(kind: str, *, raw: bool) -> Figure:
    (figure,) = charts(record_of(MADE[kind](raw=raw)))
    return figure


@cache
def drawing_of(kind: str, *, raw: bool) -> str:
    return draw(figure_of(kind, raw=raw))


def draw(figure: Figure) -> str:
    return svg.draw(figure.chart, figure.id, figure.title, figure.reading)


def texts(drawn: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", MADE)
def test_every_kind_is_drawn_in_the_palette_with_a_table_of_its_numbers(kind, raw):
    figure = figure_of(kind, raw=raw)
    drawn = drawing_of(kind, raw=raw)
    assert figure.id == f"explanations-{ANCHORS[kind]}"
    assert set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', drawn)) <= set(palette.LIGHT.values())
    assert figure.table.rows
    assert all(len(row) == len(figure.table.columns) and all(row) for row in figure.table.rows)
    assert figure.reading.endswith(".")
    assert any("highest score" in text for text in texts(drawn))
    assert figure.chart.to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")


@pytest.mark.parametrize("kind", MADE)
def test_a_record_holds_what_rows_hold_only_where_that_was_asked_for(kind):
    for raw in (True, False):
        rows = MADE[kind](raw=raw).data["rows"]
        held = [row.get(part) for row in rows for part in ("words", "envelope", "loudness", "values")]
        assert any(x is not None for x in held) == raw
        assert all(row["attributions"] for row in rows)
    hidden = json.dumps(MADE[kind](raw=False).data)
    assert not any(word in hidden for word in ("wonderful", "film"))


def test_words_are_drawn_where_they_are_shown_and_places_where_they_are_not():
    assert "wonderful" in texts(drawing_of("words", raw=True))
    hidden = texts(drawing_of("words", raw=False))
    assert "wonderful" not in hidden
    assert {"1", "2", "3"} <= set(hidden)


def test_words_do_not_overlap_and_stay_on_the_page():
    layers = figure_of("words", raw=True).chart.to_dict()["layer"]
    boxes = next(layer["data"]["values"] for layer in layers if "left" in layer["data"]["values"][0])
    assert boxes
    assert all(box["right"] <= 700 for box in boxes)
    by_line: dict[float, list[dict[str, float]]] = {}
    for box in boxes:
        by_line.setdefault(box["top"], []).append(box)
    for line in by_line.values():
        assert all(a["right"] <= b["left"] for a, b in pairwise(line))


def test_the_table_says_how_far_a_word_may_be_off_where_that_is_known():
    assert figure_of("words", raw=True).table.columns[-1] == "Uncertainty"
    (certain,) = charts(record_of(tokens(raw=True, stderr=False)))
    assert certain.table.columns[-1] == "Attribution"
    assert figure_of("words", raw=True).table.rows[0][-1].endswith("0.20")


def test_whiskers_are_drawn_where_the_error_is_known():
    assert "standard errors" in figure_of("waveform", raw=False).reading
    exact = sound(raw=False)
    rows = [{**row, "stderr": None} for row in exact.data["rows"]]
    (figure,) = charts(record_of(Exhibit("explanations", exact.kind, {**exact.data, "rows": rows})))
    assert "standard errors" not in figure.reading
    assert draw(figure).count("<line") < drawing_of("waveform", raw=False).count("<line")


def test_bars_of_a_table_row_have_whiskers_where_the_error_is_known():
    record = sample.binary()
    plain_figure = single_rows(record)
    assert plain_figure is not None
    changed = []
    for e in record.exhibits:
        if e.kind == "attribution_rows":
            rows = [{**row, "stderr": [0.1] * len(row["attributions"]), "error": None} for row in e.data["rows"]]
            e = Exhibit(e.analysis, e.kind, {**e.data, "rows": rows})
        changed.append(e)
    unsure = single_rows(replace(record, exhibits=tuple(changed)))
    assert unsure is not None
    assert "standard errors" in unsure.reading
    assert "standard errors" not in plain_figure.reading
    assert draw(unsure).count("<line") > draw(plain_figure).count("<line")


def test_of_many_channels_those_that_weigh_most_are_drawn_and_the_reading_says_so():
    exhibit = lines(raw=True, channels=20)
    (figure,) = charts(record_of(exhibit))
    first = exhibit.data["rows"][0]["attributions"]
    weight = {f"sensor {k}": sum(map(abs, line)) for k, line in enumerate(first)}
    heaviest = sorted(weight, key=lambda name: -weight[name])[:CHANNELS]
    panel = figure.chart.to_dict()["concat"][0]
    named = {v["name"] for layer in panel["layer"] for v in layer["data"].get("values", ()) if "name" in v}
    assert named == set(heaviest)
    assert f"the {CHANNELS} channels of 20 that weigh most" in figure.reading


def test_windows_end_where_the_sound_ends():
    assert windows(0.5, 0.03125)[-1] == (pytest.approx(0.46875), 0.5)
    assert len(windows(0.5, 0.03125)) == 16
    assert len(windows(0.3, 0.1)) == 3


def test_amounts_are_cut_to_the_words_of_their_row():
    exhibit = tokens(raw=True)
    assert [len(row["words"]) for row in exhibit.data["rows"]] == [
        len(row["attributions"]) for row in exhibit.data["rows"]
    ]
    assert len(exhibit.data["rows"][1]["words"]) < len(exhibit.data["rows"][0]["words"])


def test_of_several_inputs_each_has_its_exhibit_with_its_own_numbers():
    ids, vectors = torch.tensor([[1, 4, 5, 2, 0], [3, 7, 2, 0, 0]]), torch.zeros(2, 3, 4)
    inputs = (ids, torch.ones(2, 40), torch.ones(2, 6, 2), vectors)
    specs = (
        replace(TEXT, baseline=0),
        Audio(40.0, input=1, window=0.25),
        Series(("a", "b"), input=2, window=3),
        Text((), input=3),
    )
    parts = declared.parts(specs, inputs)
    count = len(declared.groups(specs, inputs))
    assert [columns for _, columns in parts] == [slice(0, 5), slice(5, 9), slice(9, 13), slice(13, 16)]
    values = np.arange(2.0 * count).reshape(2, count)
    arrays = [x.numpy() for x in inputs]
    found = exhibits_of(
        "explanations", HEAD, chosen(2), parts, arrays, Amounts(values, stderr=0 * values + 1), raw=True
    )
    assert [e.kind for e in found] == [
        "attribution_tokens", "attribution_spectrograms", "attribution_series", "attribution_tokens",
    ]  # fmt: skip
    text, sounds, lines_of, unnamed = (e.data["rows"][0] for e in found)
    assert text["words"] == ["the", "unexpected", "film"]
    assert text["attributions"] == [0, 1 + 2, 3]
    assert text["stderr"] == [1, 2, 1]
    assert sounds["attributions"] == [[5, 6, 7, 8]]
    assert lines_of["attributions"] == [[9, 10], [11, 12]]
    assert unnamed["words"] == ["1", "2", "3"]
    assert len(charts(record_of(*found[:3]))) == 3
