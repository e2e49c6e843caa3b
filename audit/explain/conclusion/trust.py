"""How far the explanations can be trusted, as measures, curves and findings. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ... import intervals, means
from ...analysis import Section
from ...criteria import Levels
from ...findings import Finding
from ...measure import Measure, Where, column, undefined
from ...messages import Message
from ...record import Exhibit
from ..quality.metrics import METRICS

if TYPE_CHECKING:
    from ..quality.evaluation import Evaluation
    from ..quality.score import Score

ELSEWHERE = ("completeness_residual", "rank_agreement")  # told of the methods' tables already
SANITY = "parameter_randomisation"
OF_NETWORK = "learned_structure"
NOTABLE = 0.1  # of the mean of all rows: a smaller difference between groups changes nobody's reading
SMALLEST = 0.02  # of numbers that go up to 1: likewise
OF_WEIGHTS = frozenset({SANITY, OF_NETWORK, "randomised_complexity"})  # of networks with shuffled weights


def section(name: str, evaluation: Evaluation, levels: Levels) -> Section:
    """Every score of the explanations' quality, the curves behind them, and which methods are no evidence."""
    measures = [_measure(name, score, levels) for score in evaluation.scores]
    curves = [asdict(curve) for curve in evaluation.curves]
    evidence = {method: None if why is None else str(why) for method, why in evaluation.evidence.items()}
    unchecked = {method: str(why) for method, why in evaluation.unchecked.items()}
    shown = [Exhibit(name, "explanation_evidence", {"evidence": evidence, "unchecked": unchecked})]
    if curves:
        shown.append(Exhibit(name, "quality_curves", {"curves": curves}))
    return Section(tuple(measures), tuple(shown), tuple(_findings(name, evaluation, measures)))


def _measure(name: str, score: Score, levels: Levels) -> Measure:
    where = _where(score)
    level = levels.of(name, score.metric, score.statistic, where)
    details = {**score.details, **_left_out(score)}
    low, high, why = _ends(score, level)
    if score.value is None or why is not None:
        return undefined(
            why or score.reason or Message("too_few_rows", {"n": score.n, "needed": 2}),
            analysis=name,
            metric=score.metric,
            statistic=score.statistic,
            where=where,
            n=score.n,
            level=level,
            details=details,
        )
    return Measure(
        analysis=name,
        metric=score.metric,
        statistic=score.statistic,
        where=where,
        value=score.value,
        low=None if low is None else min(low, score.value),
        high=None if high is None else max(high, score.value),
        level=level,
        method=score.interval,
        n=score.n,
        details=details,
    )


def _ends(score: Score, level: float) -> tuple[float | None, float | None, Message | None]:
    """The interval at a level that a criterion asks for, made again from the rows where it was not made at it."""
    if level == score.level or score.low is None:
        return score.low, score.high, None
    if score.statistic == "value" and score.values is not None and score.interval == "t over rows":
        _, low, high = means.mean(score.values, level)
        return low, high, None
    if score.statistic == "value" and score.values is not None and score.interval == "wilson":
        low, high = intervals.wilson(score.values.sum(), len(score.values), level)
        return float(low), float(high), None
    return None, None, Message("one_level_only", {"level": score.level, "asked": level})


def _left_out(score: Score) -> dict[str, Any]:
    """Rows without a value, by reason."""
    return {"left_out": {str(why): count for why, count in score.left_out}} if score.left_out else {}


def _findings(name: str, evaluation: Evaluation, measures: list[Measure]) -> list[Finding]:
    """Methods whose attributions are no evidence, and groups whose rows are explained less well."""
    methods: dict[str, list[str]] = {}
    for method, why in evaluation.evidence.items():
        if why is not None:
            methods.setdefault(str(why), []).append(method)
    return [_not_evidence(name, measures, names, why) for why, names in methods.items()] + _uneven(name, measures)


def _not_evidence(name: str, measures: list[Measure], methods: list[str], why: str) -> Finding:
    """One finding for all the methods of one reason: what the network fails, it fails for all of them."""
    evidence = tuple(
        k
        for k, m in enumerate(measures)
        if m.statistic == "value"
        and (m.metric == OF_NETWORK or (m.metric == SANITY and m.where.get("method") in methods and len(m.where) == 1))
    )
    parameters = {"method": methods[0], "methods": methods, "why": why}
    key = f"{name}.not_evidence.{methods[0]}"
    return Finding(key, "not_evidence", parameters, severity="high", evidence=evidence)


def _uneven(name: str, measures: list[Measure]) -> list[Finding]:
    """For each attribute, the groups that are explained less well, where that stands after adjustment.

    Of numbers that only describe (how concentrated attributions are, what shuffled weights do to them) a difference
    says nothing of better or worse, so they are not told; nor is a difference that is sure and does not matter. One
    finding an attribute: the surest, and what else differs.
    """
    overall = {
        (m.metric, m.where.get("method")): m.value
        for m in measures
        if m.statistic == "value" and set(m.where) == {"method"}
    }
    places: dict[str, list[int]] = {}
    for k, m in enumerate(measures):
        if m.statistic == "difference" and m.details.get("differ") and m.metric in _praising() and _notable(m, overall):
            places.setdefault(m.where["attribute"], []).append(k)
    return [_unevenly(name, attribute, measures, at) for attribute, at in places.items()]


def _notable(m: Measure, overall: Mapping[tuple[str, str | None], float | None]) -> bool:
    """Whether the difference is large enough to tell: a tenth of the mean of all rows, and no less than 0.02.

    All metrics but infidelity are shares, correlations, or in units of the row's own scale.
    """
    if m.value is None:
        return False
    least = NOTABLE * abs(overall.get((m.metric, m.where.get("method"))) or 0.0)
    return abs(m.value) >= (least if m.metric == "infidelity" else max(least, SMALLEST))


def _praising() -> frozenset[str]:
    """Metrics whose better direction is better for a group's rows."""
    return frozenset(m.name for m in METRICS.values() if m.better != "neither" and m.name not in OF_WEIGHTS)


def _unevenly(name: str, attribute: str, measures: list[Measure], places: list[int]) -> Finding:
    surest, *others = sorted(places, key=lambda k: measures[k].details["p"])
    m = measures[surest]
    parameters = {
        "metric": m.metric,
        "method": m.where.get("method", ""),
        "attribute": attribute,
        "groups": m.details["groups"],
        "value": m.value,
        "low": m.low,
        "high": m.high,
        "p": m.details["p_holm"],
        "others": [{"metric": measures[k].metric, "method": measures[k].where.get("method", "")} for k in others],
    }
    key = f"{name}.explained_unevenly.{attribute}"
    return Finding(key, "explained_unevenly", parameters, evidence=(surest, *others))


def _where(score: Score) -> Where:
    own = {key if key in ("attribute", "with") else column(key): value for key, value in score.where.items()}
    return {**({"method": score.method} if score.method else {}), **own}
