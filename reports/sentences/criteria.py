"""What follows from a criterion, in sentences."""

from __future__ import annotations

from typing import Any

from ...audit.findings import Finding, Verdict
from ...audit.measure import Measure
from .. import numbers, words
from ..facts import as_measure, bound, target
from ..plain import plain
from .measures import told

TEMPLATES: dict[str, str] = {
    "PASS": "The whole {span} lies {inside}, so this criterion passes.",
    "PASS.exact": "The number lies {inside}, so this criterion passes.",
    "FAIL": "The whole {span} lies {outside}, so this criterion fails.",
    "FAIL.exact": "The number lies {outside}, so this criterion fails.",
    "INCONCLUSIVE": "The {span} reaches over {bound}, so this criterion is inconclusive.{rows}",
    "NOT_MEASURED": "So this criterion cannot pass: {reason}.",
    "rows_needed": " If the true value is near the one seen, about {needed} rows would settle it ({times} times as "
    "many).",
    "criterion_unanswered": "Criterion “{criterion}” asks for {asks}, which this record does not hold: an error, "
    "never a pass.",
    "criterion_ambiguous": "Criterion “{criterion}” asks for {asks}, and several measures answer ({candidates}): say "
    "which.",
}


def _criterion(found: Finding) -> str:
    p = found.parameters
    measure = as_measure(p)
    return f"{told(measure, p.get('pair'))} {_consequence(found.verdict, p, measure)}".strip()


def _consequence(verdict: Verdict, p: dict[str, Any], m: Measure) -> str:
    least, most = p.get("at_least"), p.get("at_most")
    if verdict is Verdict.NOT_MEASURED:
        reason = plain(p.get("reason") or m.reason or "it has no value", 200)
        return _say("NOT_MEASURED", reason=reason) if m.value is not None else "So this criterion cannot pass."
    aim = target(least, most, m.metric, m.statistic, m.unit)
    exact = ".exact" if m.low is None and m.high is None else ""
    span = "range" if numbers.is_range(m) else "interval"
    if verdict is Verdict.PASS:
        return _say("PASS" + exact, span=span, inside=f"within the tolerance, {aim}")
    if verdict is Verdict.FAIL:
        side = "above" if most is not None and (m.low if m.low is not None else m.value or 0) > most else "below"
        beyond = bound(most if side == "above" else least, m.metric, m.statistic, m.unit)  # type: ignore[arg-type]
        return _say("FAIL" + exact, span=span, outside=f"{side} the tolerance of {beyond}")
    if verdict is Verdict.INCONCLUSIVE:
        return _say("INCONCLUSIVE", span=span, bound=f"the tolerance, {aim}", rows=_rows_needed(p))
    return ""


def _rows_needed(p: dict[str, Any]) -> str:
    needed, n = p.get("rows_needed"), p.get("n")
    if not needed or not n:
        return ""
    return _say("rows_needed", needed=numbers.count(needed), times=numbers.significant(needed / n, 2))


def _unanswered(found: Finding) -> str:
    p = found.parameters
    candidates = "; ".join(words.place(c.get("where") or {}) for c in p.get("candidates", ()))
    return _say(found.message, criterion=plain(p["criterion"]), asks=plain(p["asks"], 200), candidates=candidates)


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {"criterion": _criterion, "criterion_unanswered": _unanswered, "criterion_ambiguous": _unanswered}
