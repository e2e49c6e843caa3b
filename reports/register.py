"""The criteria register: what was asked beforehand beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from ..audit.findings import Finding
from ..audit.record import Record
from . import numbers, words
from .facts import as_measure, target
from .plain import plain
from .view import whole


@dataclass(frozen=True, slots=True)
class Judged:
    """A row of the criteria register: what was asked beside what was measured."""

    id: str
    asked: str
    target: str
    measured: str
    interval: str
    verdict: str
    symbol: str
    word: str
    why: str
    clauses: str


def register(record: Record) -> list[Judged]:
    """Every criterion with its target beside what was measured."""
    return [_judged(whole(record, f)) for f in record.findings if "criterion" in f.parameters]


def _judged(f: Finding) -> Judged:
    p, shown = f.parameters, words.verdict(f.verdict)
    why, clauses = plain(p.get("why", ""), 300), ", ".join(plain(c) for c in f.clauses)
    if f.message != "criterion":
        return Judged(plain(p["criterion"]), plain(p.get("asks", ""), 120), "–", "–", "–", *_verdict(f), why, clauses)
    m = as_measure(p)
    return Judged(
        plain(p["criterion"]),
        f"{words.title(m.metric, m.statistic)}, {words.place(m.where)}",
        target(p.get("at_least"), p.get("at_most"), m.metric, m.statistic, m.unit),
        numbers.value(m),
        numbers.cell(m),
        f.verdict.value,
        shown.symbol,
        shown.word,
        why,
        clauses,
    )


def _verdict(f: Finding) -> tuple[str, str, str]:
    shown = words.verdict(f.verdict)
    return f.verdict.value, shown.symbol, shown.word
