"""What the audit says: verdicts, findings, and the judging that makes them. Judging never measures. Loads no torch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from .criteria import Criterion
from .measure import Measure
from .messages import STRICT

Severity = Literal["high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low", "info")


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_MEASURED = "NOT_MEASURED"
    ERROR = "ERROR"
    NOT_JUDGED = "NOT_JUDGED"  # no criterion was given: never a pass


GRAVEST = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the audit says, as a message key with parameters; `reports/` makes the sentence.

    Attributes:
        id: stable over audits of the same kind: the criterion and the place, or the analysis and the message.
        evidence: the numbers of the measures it rests on, in the record's list.
    """

    __pydantic_config__ = STRICT

    id: str
    message: str
    parameters: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict = Verdict.NOT_JUDGED
    severity: Severity = "info"
    evidence: tuple[int, ...] = ()
    clauses: tuple[str, ...] = ()


def overall(findings: Iterable[Finding]) -> Verdict:
    """The gravest verdict among the judged findings; NOT_JUDGED where nothing was judged."""
    verdicts = {f.verdict for f in findings}
    return next((v for v in GRAVEST if v in verdicts), Verdict.NOT_JUDGED)


def judge(criteria: Sequence[Criterion], measures: Sequence[Measure]) -> tuple[Finding, ...]:
    """Every criterion against the measures it asks for: one finding a place."""
    return tuple(finding for criterion in criteria for finding in _judge_one(criterion, measures))


def _judge_one(criterion: Criterion, measures: Sequence[Measure]) -> list[Finding]:
    found = [(i, m) for i, m in enumerate(measures) if criterion.asks_for(m)]
    if criterion.where is None and any(not m.where for _, m in found):
        found = [(i, m) for i, m in found if not m.where]
    if not found:
        return [_error(criterion, "criterion_unanswered", _nearest(criterion, measures))]
    if not criterion.many and len(found) > 1:
        return [_error(criterion, "criterion_ambiguous", found)]
    return [_finding(criterion, index, measure) for index, measure in found]


def _error(criterion: Criterion, message: str, found: Sequence[tuple[int, Measure]]) -> Finding:
    keys = ("analysis", "metric", "statistic", "where")
    candidates = [{key: getattr(m, key) for key in keys} for _, m in found[:5]]
    parameters = {"criterion": criterion.id, "asks": criterion.describe(), "candidates": candidates}
    evidence = tuple(i for i, _ in found[:5])
    return Finding(criterion.id, message, parameters, Verdict.ERROR, criterion.severity, evidence, criterion.clauses)


def _nearest(criterion: Criterion, measures: Sequence[Measure]) -> list[tuple[int, Measure]]:
    """What the record has instead: measures of that metric, else of the metric whose name is nearest."""
    names = {m.metric for m in measures}
    near = difflib.get_close_matches(criterion.metric, sorted(names), 1)
    return [(i, m) for i, m in enumerate(measures) if near and m.metric == near[0]]


def _finding(criterion: Criterion, index: int, measure: Measure) -> Finding:
    verdict, why = decide(criterion, measure)
    parameters: dict[str, Any] = {
        "criterion": criterion.id,
        "why": criterion.why,
        "analysis": measure.analysis,
        "metric": measure.metric,
        "statistic": measure.statistic,
        "where": measure.where,
        "value": measure.value,
        "low": measure.low,
        "high": measure.high,
        "level": measure.level,
        "n": measure.n,
        "unit": measure.unit,
        "reason": why,
        "at_least": criterion.bounds[0],
        "at_most": criterion.bounds[1],
        "pair": measure.details.get("pair"),
        "rows_needed": rows_needed(criterion, measure) if verdict is Verdict.INCONCLUSIVE else None,
    }
    place = ",".join(f"{k}={v}" for k, v in sorted(measure.where.items()))
    name = f"{criterion.id}[{place}]" if criterion.many else criterion.id
    return Finding(name, "criterion", parameters, verdict, criterion.severity, (index,), criterion.clauses)


def decide(criterion: Criterion, measure: Measure) -> tuple[Verdict, str]:
    """PASS if the whole interval is inside the tolerance, FAIL if it is outside, else INCONCLUSIVE.

    A number that is not defined, or has no interval though it is an estimate, is NOT_MEASURED; a gap that leaves out a
    level whose rate is undefined can fail but never pass.
    """
    if measure.value is None:
        return Verdict.NOT_MEASURED, measure.reason
    low, high = measure.low, measure.high
    if low is None and high is None:
        if not measure.details.get("exact"):
            return Verdict.NOT_MEASURED, "no interval"
        low = high = measure.value
    low, high = -math.inf if low is None else low, math.inf if high is None else high  # odds have no upper bound
    if (
        criterion.level is not None
        and not (measure.low is None and measure.high is None)
        and measure.level != criterion.level
    ):
        return Verdict.NOT_MEASURED, f"its interval is at level {measure.level}; name the place by where"
    least, most = criterion.bounds
    inside = (least is None or low >= least) and (most is None or high <= most)
    outside = (least is not None and high < least) or (most is not None and low > most)
    if outside:
        return Verdict.FAIL, ""
    if not inside:
        return Verdict.INCONCLUSIVE, ""
    missing = measure.details.get("undefined")
    return (Verdict.NOT_MEASURED, "undefined for " + ", ".join(missing)) if missing else (Verdict.PASS, "")


def rows_needed(criterion: Criterion, measure: Measure) -> int | None:
    """About how many rows would decide it, were the true value the one seen: n · (h / distance)².

    h is the half of the interval that reaches over the bound, the distance is from the value to the bound. None where
    the value stands on the bound itself, or no end reaches over it: then no number of rows is known to do.
    """
    if measure.value is None or (measure.low is None and measure.high is None):
        return None
    low, high = -math.inf if measure.low is None else measure.low, math.inf if measure.high is None else measure.high
    needed = 0.0
    for bound in criterion.bounds:
        if bound is None or not low <= bound <= high:
            continue
        distance = abs(measure.value - bound)
        half = high - measure.value if bound > measure.value else measure.value - low
        needed = max(needed, math.inf if distance == 0 else measure.n * (half / distance) ** 2)
    return math.ceil(needed) if math.isfinite(needed) and needed < 1e15 else None
