"""The report: one offline page that a person reads, prints and files. A record in, the same bytes out each time."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..audit.measure import Measure
from ..audit.record import Record
from . import methods, numbers, palette, provenance, quality, sentences, svg, view, words
from .charts import one_by_one
from .evidence import marked_place, not_evidence
from .figure import HELD, Figure, Table
from .groups import COMBINED, GLANCE, glance
from .plain import clean, plain
from .register import register
from .tiles import tiles
from .untested import not_tested

TEMPLATES = Path(__file__).with_name("templates")
CHARTED = re.compile(r"The chart shows the [^;.]*; this table")  # of a table that stands alone
TOP = 3  # findings shown large
FURTHER = 100  # findings shown small, and criteria in the register: a criterion may ask of thousands of groups
LONGEST = 900  # characters of any text from the record
FULL_TABLE = 80_000  # bytes that the table of all measures may take, so that the page opens at once


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure ready for the page.

    Attributes:
        drawing: empty where it could not be drawn; then its table stands open in its place.
    """

    figure: Figure
    drawing: Markup
    table: Table


@dataclass(frozen=True, slots=True)
class Part:
    """One analysis on the page.

    Attributes:
        numbers: its headline numbers, with what each means.
        interval: the head over their intervals.
        known: whether any of them was measured.
        glance: the leading gaps between groups; of other analyses nothing.
        figures: those that are drawn.
        folded: those whose table is shown folded, without a picture.
        methods: how its numbers were made, by method.
    """

    name: str
    words: words.AnalysisWords
    answer: list[str]
    numbers: list[tuple[str, ...]]
    interval: str
    known: bool
    glance: list[tuple[str, ...]]
    figures: list[Drawn]
    folded: list[Drawn]
    methods: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class All:
    """The measures of one analysis, as many as the page has room for."""

    title: str
    interval: str
    rows: list[tuple[str, ...]]
    total: int


def render(record: Record) -> str:
    """The report as one HTML document: no script, no request, light and dark, screen and paper."""
    style = _style()
    found, judged = view.findings(record), register(record)
    template = _environment().get_template("report.html.jinja")
    return template.render(
        style=Markup(style),
        policy=_policy(style),
        name=plain(record.subject.get("name") or "unnamed", 120),
        verdict=words.verdict(record.verdict),
        verdict_key=record.verdict.value,
        verdict_sentence=view.verdict_sentence(record),
        facts=view.facts(record),
        top=found[:TOP],
        rest=found[TOP : TOP + FURTHER],
        more_findings=_left(len(found) - TOP - FURTHER),
        tiles=tiles(record),
        not_tested=not_tested(record),
        own_cost=view.own_cost(record),
        parts=_parts(record),
        glance_head=GLANCE,
        register=judged[:FURTHER],
        more_criteria=_left(len(judged) - FURTHER),
        limitations=[sentences.limitation(m) for m in record.limitations],
        environment=provenance.environment(record),
        settings=provenance.settings(record),
        measures=_all(record),
        command=_words(record.settings.get("command") or "gnomon run SUBJECT.py"),
        verdicts=[words.verdict(v) for v in words.VERDICTS],
    )


def _words(command: str) -> list[str]:
    """A command word by word, so that no line breaks within an option."""
    return [plain(word, 300) for word in plain(command, 4_000).split(" ")]


def _left(number: int) -> str:
    """What a list leaves out, as its last line; empty where it holds all."""
    return f"… and {number:,} more, in record.json." if number > 0 else ""


def _parts(record: Record) -> list[Part]:
    with ThreadPoolExecutor(1) as pen:  # draws one chart while the next is made
        pen.submit(svg.start)
        drawn = list(pen.map(_drawn, one_by_one(record)))
    return [_part(record, name, [d for d in drawn if d.figure.section == name]) for name in view.sections(record)]


def _part(record: Record, name: str, figures: list[Drawn]) -> Part:
    headlines = view.headlines(record, name)
    return Part(
        name,
        words.analysis(name),
        view.answer(record, name),
        [_headline(m) for m in headlines],
        _interval_head(headlines),
        any(m.value is not None for m in headlines),
        glance(record) if name == "fairness" else [],
        [d for d in figures if not d.figure.folded],
        [d for d in figures if d.figure.folded],
        _methods(record, name),
    )


def _methods(record: Record, name: str) -> list[tuple[str, str]]:
    """Tests of explanations, the methods that the glossary explains, then the others with the numbers they made."""
    made: dict[str, list[str]] = {}
    for m in record.measures:
        if m.analysis == name and m.method:
            titles = made.setdefault(m.method, [])
            if len(titles) <= MADE and (title := words.title(m.metric, m.statistic)) not in titles:
                titles.append(title)
    others = {method: titles for method, titles in made.items() if not methods.known(method)}
    told = [(plain(method, LONGEST), _listed(titles)) for method, titles in others.items()]
    tests = quality.meanings(record) if name == "explanations" else []
    return [*tests, *methods.glossary(list(made)), *told]


def _listed(titles: list[str]) -> str:
    return ", ".join(titles[:MADE]) + (" …" if len(titles) > MADE else "")


MADE = 14  # numbers that are told of a method


def _headline(m: Measure) -> tuple[str, ...]:
    known = words.metric(m.metric)
    better = f" {words.capital(known.better)} is better." if known.better else ""
    return (words.title(m.metric), numbers.value(m), _interval(m), numbers.count(m.n), known.meaning + better)


def _drawn(figure: Figure) -> Drawn:
    table = figure.table
    if len(table.rows) > HELD + 1:  # one more than the largest groups: everyone
        note = f"The first {HELD} of {len(table.rows):,} rows; record.json holds them all. {table.note}"
        table = Table(table.columns, table.rows[:HELD], note.strip())
    if figure.folded:
        table = Table(table.columns, table.rows, CHARTED.sub("This table", table.note))
    return Drawn(figure, Markup() if figure.folded else _drawing(figure), table)


def _drawing(figure: Figure) -> Markup:
    try:
        return Markup(svg.draw(figure.chart, figure.id, figure.title, f"{figure.question} {figure.reading}"))
    except Exception:  # whatever a drawing library stumbles over: a page is worth more than one of its pictures
        return Markup()


def _all(record: Record) -> list[All]:
    """All measures by analysis, each analysis given the same share of the page's room."""
    by: dict[str, list[Measure]] = {}
    for m in record.measures:
        by.setdefault(m.analysis, []).append(m)
    room, told = FULL_TABLE // max(1, len(by)), not_evidence(record)
    spare, found = 0, []
    for name, own in sorted(by.items(), key=lambda pair: len(pair[1])):
        rows, spare = _within((_row(m, told) for m in sorted(own, key=_rank)), room + spare)
        found.append(All(words.analysis(name).title, _interval_head(own), rows, len(own)))
    order = [words.analysis(n).title for n in (*view.ORDER, *by)]
    return sorted(found, key=lambda a: order.index(a.title))


def _rank(m: Measure) -> tuple[int, int]:
    """What is told first where room is short: everyone, gaps and single groups before windows and combinations."""
    several = m.where.get("attribute", "").count(COMBINED)
    return (len(m.where) + several, FIRST.index(m.statistic) if m.statistic in FIRST else len(FIRST))


FIRST = ("value", "difference")


def _within(rows: Iterable[tuple[str, ...]], room: int) -> tuple[list[tuple[str, ...]], int]:
    """As many rows as fit, and the room they leave; what does not fit is never made."""
    kept: list[tuple[str, ...]] = []
    for row in rows:
        size = 60 + sum(len(cell.encode()) for cell in row)
        if size > room:
            return kept, 0
        kept.append(row)
        room -= size
    return kept, room


def _row(m: Measure, told: dict[str, str]) -> tuple[str, ...]:
    origin = m.kind + (f", {plain(m.method, 40)}" if m.method else "")
    return (
        words.title(m.metric, m.statistic),
        marked_place(m.where, told),
        numbers.value(m),
        _interval(m),
        numbers.count(m.n),
        origin,
    )


def _interval(m: Measure) -> str:
    span = numbers.cell(m)
    return span if span == "–" or m.level == 0.95 or numbers.is_range(m) else f"{span} ({numbers.level(m.level)})"


def _interval_head(measures: Iterable[Measure]) -> str:
    """The head over intervals: what they all are, "95 % interval" or "Range"; where they differ the cells say which."""
    kinds = {words.capital(numbers.spread(m)) for m in measures if m.low is not None}
    return kinds.pop() if len(kinds) == 1 else "Interval"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """The one door for text into the page: whatever the record holds, no control code and no endless line passes."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = clean(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@cache
def _style() -> str:
    own = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    light, dark = palette.variables(palette.LIGHT), palette.variables(palette.DARK)
    night = f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return "\n".join([f":root{{{light}}}", night, own, palette.recolouring(), ""])


def _policy(style: str) -> str:
    """What a browser may load for this page: nothing but its own style and pictures that stand in it."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
