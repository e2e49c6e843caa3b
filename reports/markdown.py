"""A record as a pull-request comment: verdict, findings, criteria, the largest gaps, what was not tested."""

from __future__ import annotations

import re

from ..audit.record import Record
from . import groups, numbers, view, words
from .plain import clean, plain
from .register import register
from .untested import not_tested

FINDINGS = 40  # and criteria: a forge takes no comment of more than 65,536 characters
SPECIAL = re.compile(r"([\\`*_{}\[\]()<>!|~&$])")
LIVE = re.compile(
    r"([@#]|://|www\.)"
)  # what a forge turns into mentions, references and links even where it is escaped


def render(record: Record) -> str:
    """The record as Markdown. Text from data or model is escaped: it makes no link, mention, image, table or HTML."""
    shown = words.verdict(record.verdict)
    name = escape(plain(record.subject.get("name") or "unnamed", 120))
    blocks = [f"## {shown.symbol} {shown.word}: {name}", escape(view.verdict_sentence(record))]
    blocks += [_findings(record), _criteria(record), _gaps(record), _numbers(record), _not_tested(record)]
    blocks += [escape(view.own_cost(record)), _foot(record)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is.

    >>> escape("a|b <c> [d](e)")
    'a\\\\|b \\\\<c\\\\> \\\\[d\\\\]\\\\(e\\\\)'
    """
    return LIVE.sub(lambda m: m[0][0] + "\u200b" + m[0][1:], SPECIAL.sub(r"\\\1", " ".join(clean(text).split("\n"))))


def _findings(record: Record) -> str:
    found = view.findings(record)
    lines = [f"- **{said.symbol} {said.word}** {escape(said.text)}" for said in found[:FINDINGS]]
    lines += [f"- {line}" for line in _left(len(found))]
    return "\n".join(["### Findings", "", *lines]) if lines else ""


def _criteria(record: Record) -> str:
    rows = [
        (
            j.id,
            j.asked,
            j.target,
            f"{j.measured} ({j.interval})" if j.interval != "–" else j.measured,
            f"{j.symbol} {j.word}",
        )
        for j in register(record)
    ]
    head = ("Criterion", "Asks for", "Target", "Measured", "Verdict")
    return "\n\n".join(block for block in (_table("Criteria", head, rows[:FINDINGS]), *_left(len(rows))) if block)


def _left(total: int) -> list[str]:
    return [f"… and {total - FINDINGS:,} more, in record.json"] if total > FINDINGS else []


def _gaps(record: Record) -> str:
    table = _table("Gaps between groups", groups.GLANCE, groups.glance(record))
    return "\n\n".join(filter(None, (table, *(escape(line) for line in groups.too_small(record)))))


def _numbers(record: Record) -> str:
    rows = [
        (words.title(m.metric), numbers.value(m), numbers.cell(m), numbers.count(m.n), m.kind)
        for name in ("performance", "energy")
        for m in view.headlines(record, name)
        if m.value is not None
    ]
    return _table("For all rows together", ("Measure", "Value", "Interval", "Rows", "Origin"), rows)


def _not_tested(record: Record) -> str:
    return "\n".join(["### Not tested", "", *(f"- {escape(line)}" for line in not_tested(record))])


def _foot(record: Record) -> str:
    e = record.environment
    model = view.digest((record.subject.get("model") or {}).get("digest"))
    data = view.digest((record.subject.get("data") or {}).get("digest"))
    told = [f"gnomon {plain(e.get('gnomon', ''))}", view.time(e.get("created", ""))]
    told += [f"model {model}" if model else "no model", f"data {data}" if data else ""]
    return "<sub>" + escape(" · ".join(t for t in told if t)) + "</sub>"


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return "\n".join([f"### {title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines])
