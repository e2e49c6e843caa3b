"""The terminal's view of a record: verdict, findings, headline numbers, groups, costs. Colour only on request."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len, set_cell_size

from ..audit.measure import Measure
from ..audit.record import Record
from . import groups, numbers, view, words
from .evidence import MARK, not_evidence
from .gaps_explained import decompositions
from .plain import plain
from .untested import not_tested

WIDTH = 100
LEVELS = 25  # groups that a table shows
FINDINGS = 40  # that are told, the gravest first
PARTS = 5  # features of a gap, the largest
METRICS = (
    *("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy"),
    *("mean_error", "mean_absolute_error", "mean_prediction"),  # of a regression
    *("exposure", "top_k_selection_rate", "ndcg"),  # of a ranking
)
COLOURS = {"PASS": "32", "FAIL": "31", "ERROR": "31", "INCONCLUSIVE": "33", "NOT_MEASURED": "33", "NOT_JUDGED": "36"}

Row = tuple[str, ...]


def render(record: Record, width: int | None = None, *, colour: bool = False) -> str:
    """The record as text, `width` columns wide.

    Text from data or model carries no escape and no control code to the terminal.

    Args:
        width: columns of the terminal; 100 where not given.
        colour: whether the verdicts are coloured; the words say the same without.
    """
    width = max(40, width or WIDTH)
    blocks = [_head(record, width, colour), _findings(record, width, colour)]
    blocks += [_headlines(record, width), _groups(record, width), _gaps(record, width)]
    blocks += [_drivers(record, width), _carried(record, width)]
    blocks += [_wrapped("Not tested", not_tested(record), width), textwrap.fill(view.own_cost(record), width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(record: Record, width: int, colour: bool) -> str:
    shown = words.verdict(record.verdict)
    name = plain(record.subject.get("name") or "unnamed", width - 16)
    word = _painted(f"{shown.symbol} {shown.word.upper()}", record.verdict.value, colour)
    return f"{word}  {name}\n" + textwrap.fill(view.verdict_sentence(record), width)


def _findings(record: Record, width: int, colour: bool) -> str:
    lines: list[str] = []
    found = view.findings(record)
    for said in found[:FINDINGS]:
        text = textwrap.wrap(said.text, width - 18, break_long_words=True) or [""]
        lines.append(_painted(set_cell_size(f"  {said.symbol} {said.word}", 17), said.verdict, colour) + " " + text[0])
        lines += [" " * 18 + line for line in text[1:]]
    left = len(found) - FINDINGS
    lines += [f"  … and {left:,} more, in record.json"] if left > 0 else []
    return "\n".join(["Findings", *lines]) if lines else ""


def _headlines(record: Record, width: int) -> str:
    rows = [
        (words.title(m.metric), numbers.value(m), numbers.cell(m), numbers.count(m.n))
        for name in view.sections(record)
        if name != "fairness"
        for m in view.headlines(record, name)
        if m.value is not None
    ]
    return _table("For all rows together", ("Measure", "Value", "Interval", "Rows"), rows, width)


def _groups(record: Record, width: int) -> str:
    own = groups.group_rates(record)
    known = {m.metric for m in own if len(m.where) == 1 and m.value is not None}
    shown = [name for name in METRICS if name in known]
    by = {(m.metric, words.place(m.where)): m for m in own if len(m.where) < 2}
    places = list(dict.fromkeys(place for _, place in by))
    while len(shown) > 1 and 28 + 24 * len(shown) > width:
        shown = shown[:-1]
    rows = [(place, _rows(by, shown, place), *(_cell(by.get((name, place))) for name in shown)) for place in places]
    if not shown or not rows:
        return ""
    table = _table("By group", ("Group", "Rows", *(words.title(n) for n in shown)), rows[:LEVELS], width)
    left = len(rows) - LEVELS
    return table + (f"\n  … and {left} more groups, in record.json" if left > 0 else "")


def _gaps(record: Record, width: int) -> str:
    """The leading gaps, what chance alone would show, and whether they are more than it."""
    rows = [row[:5] for row in groups.glance(record)]
    table = _table("Gaps between groups", groups.GLANCE[:5], rows, width)
    small = [
        textwrap.fill(line, width, initial_indent="  ", subsequent_indent="  ") for line in groups.too_small(record)
    ]
    return "\n\n".join(filter(None, (table, *small)))


def _drivers(record: Record, width: int) -> str:
    found = [m for m in record.measures if m.metric == "mean_absolute_attribution" and m.value is not None]
    method = found[0].where.get("method", "") if found else ""
    own = sorted((m for m in found if m.where.get("method", "") == method), key=lambda m: -(m.value or 0))[:5]
    rows = [(plain(m.where["feature"], 40), numbers.value(m), numbers.interval(m)) for m in own]
    head = ("Feature", "Mean absolute attribution", "Interval")
    mark = f", {MARK}" if method in not_evidence(record) else ""
    return _table(f"What it decides on ({plain(method).replace('_', ' ')}{mark})", head, rows, width)


def _carried(record: Record, width: int) -> str:
    """What carries the gaps in mean output: the largest parts of each, and how well each tells the groups apart."""
    few = 3 if width < 70 else 4 if width < 90 else 6
    tables = [(f.title, f.table) for f in decompositions(record) if not f.folded]
    return "\n\n".join(
        _table(title, table.columns[:few], [row[:few] for row in table.rows[: PARTS + 1]], width)
        for title, table in tables
    )


def _table(title: str, head: Row, rows: list[Row], width: int) -> str:
    """A title over columns that fit; the first column gives way where the terminal is narrow."""
    if not rows:
        return ""
    wide = [max(cell_len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    wide[0] = max(12, min(wide[0], width - 2 - sum(w + 2 for w in wide[1:])))
    lines = [
        "  " + "  ".join(_fitted(c, w, i > 0) for i, (c, w) in enumerate(zip(row, wide, strict=True)))
        for row in (head, *rows)
    ]
    return "\n".join([title, *(line.rstrip() for line in lines)])


def _fitted(cell: str, width: int, right: bool) -> str:
    if cell_len(cell) > width:
        return set_cell_size(cell, width - 1) + "…"
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space


def _wrapped(title: str, lines: list[str], width: int) -> str:
    told = [textwrap.fill(line, width, initial_indent="  – ", subsequent_indent="    ") for line in lines]
    return "\n".join([title, *told])


def _cell(m: Measure | None) -> str:
    return "–" if m is None or m.value is None else f"{numbers.value(m)} ({numbers.interval(m)})"


def _rows(by: dict[tuple[str, str], Measure], metrics: list[str], place: str) -> str:
    return numbers.count(max((by[name, place].n for name in metrics if (name, place) in by), default=0))


def _painted(text: str, verdict: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[verdict]}m{text}\x1b[0m" if colour else text
