"""Gaps as measures, pictures and findings: what carries them, and what stands in for the attribute. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....models.subject import Subject
from ....models.task import Multiclass
from ...analysis import Section, joined
from ...criteria import Levels
from ...findings import Finding
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit

if TYPE_CHECKING:
    from ..gap.proxies import Proxy
    from ..gap.result import ScoreGap
    from .gaps import Answer, Pair

TOP = 3
NOTABLE = 0.1  # share of a gap from which a feature that tells the groups apart is worth a finding
TOTAL = "difference of means; t interval over people"


def section(name: str, subject: Subject, answers: Iterable[Answer], unit: str, levels: Levels) -> Section:
    """Totals ("difference"), what each feature brings to them ("contribution"), and how well it tells the groups apart
    ("proxy_auc")."""
    return joined([_of(name, subject, answer, "1" if answer.asked.smooth else unit, levels) for answer in answers])


def _of(name: str, subject: Subject, answer: Answer, unit: str, levels: Levels) -> Section:
    place: Where = {"attribute": answer.attribute}
    metric, pair, found = answer.asked.metric, answer.pair, answer.found
    if found is None or pair is None:
        why = answer.why or Message("too_few_rows", {"n": answer.n, "needed": 2})
        level = levels.of(name, metric, "difference", place)
        return Section(
            (undefined(why, analysis=name, metric=metric, statistic="difference", where=place, n=answer.n, unit=unit,
                       level=level),)
        )  # fmt: skip
    total = _total(name, metric, pair, found, unit, levels, place)
    parts = [_contribution(name, metric, pair, found, k, unit, levels, place) for k in range(len(found.names))]
    signs = [_proxy(name, proxy, place, sum(found.n), levels) for proxy in answer.told]
    findings = _findings(name, subject, answer, total) if answer.asked.main else []
    shown = (_exhibit(name, subject, answer, pair, found, unit),) if len(found.names) > 1 else ()
    return Section((total, *parts, *signs), shown, tuple(findings))


def _total(name: str, metric: str, pair: Pair, found: ScoreGap, unit: str, levels: Levels, place: Where) -> Measure:
    details = {
        "from": pair.names[0],
        "to": pair.names[1],
        "chosen_from": pair.chosen,
        "mean_from": found.mean_a,
        "mean_to": found.mean_b,
        "pairs": found.pairs,
        "unlabelled": sum(found.missing),
    }
    level = levels.of(name, metric, "difference", place)
    low, high = found.total_interval(level) if found.reason is None else (None, None)
    return _measure(name, metric, "difference", place, (found.total, low, high), level, TOTAL, unit, found.n, details)


def _contribution(
    name: str, metric: str, pair: Pair, found: ScoreGap, k: int, unit: str, levels: Levels, place: Where
) -> Measure:
    where: Where = {**place, "feature": found.names[k]}
    level = levels.of(name, metric, "contribution", where)
    low, high = (None, None) if found.reason is not None else [float(end[k]) for end in found.interval(level)]
    details: dict[str, Any] = {"from": pair.names[0], "to": pair.names[1], "error": float(found.grouped_error[k])}
    if np.isfinite(share := float(found.shares[k])):
        details["share"] = share
    ends = (float(found.grouped[k]), low, high)
    text = f"{found.rule}; t interval over people"
    return _measure(name, metric, "contribution", where, ends, level, text, unit, found.n, details)


def _measure(
    name: str,
    metric: str,
    statistic: str,
    where: Where,
    interval: tuple[float, float | None, float | None],
    level: float,
    method: str,
    unit: str,
    n: Sequence[int],
    details: dict[str, Any],
) -> Measure:
    value, low, high = interval
    return Measure(
        analysis=name,
        metric=metric,
        statistic=statistic,
        where=where,
        value=value,
        low=None if low is None else min(low, value),
        high=None if high is None else max(high, value),
        level=level,
        method=method,
        unit=unit,
        n=sum(n),
        details=details,
    )


def _proxy(name: str, proxy: Proxy, place: Where, n: int, levels: Levels) -> Measure:
    """How well one feature tells the two groups apart."""
    where: Where = {**place, "feature": proxy.name}
    level = levels.of(name, "proxy_auc", "value", where)
    if proxy.strength is None:
        why = proxy.reason or Message("too_few_rows", {"n": n, "needed": 2})
        return undefined(why, analysis=name, metric="proxy_auc", where=where, n=n, level=level)
    details = {k: v for k, v in (("share", proxy.share), ("weight", proxy.weight)) if v is not None and np.isfinite(v)}
    ends = (proxy.strength, proxy.low, proxy.high)
    return _measure(
        name, "proxy_auc", "value", where, ends, level, "AUC of telling the groups apart", "1", (n,), details
    )


def _exhibit(name: str, subject: Subject, answer: Answer, pair: Pair, found: ScoreGap, unit: str) -> Exhibit:
    """The decomposition as a picture needs it: features by size, with intervals and how they tell the groups apart."""
    low, high = (x.tolist() for x in found.interval())
    strength = {proxy.name: proxy for proxy in answer.told}
    features = [
        {
            "feature": feature,
            "value": float(found.grouped[k]),
            "low": low[k] if np.isfinite(low[k]) else None,
            "high": high[k] if np.isfinite(high[k]) else None,
            "proxy": None if feature not in strength else strength[feature].strength,
            "proxy_low": None if feature not in strength else strength[feature].low,
            "proxy_high": None if feature not in strength else strength[feature].high,
        }
        for k, feature in enumerate(found.names)
    ]
    features.sort(key=lambda row: -abs(row["value"]))
    data = {
        "attribute": pair.attribute,
        "metric": answer.asked.metric,
        "from": pair.names[0],
        "to": pair.names[1],
        "class": _class(subject, pair),
        "unit": unit,
        "total": found.total,
        "mean_from": found.mean_a,
        "mean_to": found.mean_b,
        "n": list(found.n),
        "features": features,
    }
    return Exhibit(name, "gap_decomposition", data)


def _class(subject: Subject, pair: Pair) -> str | None:
    if pair.column is None or not isinstance(subject.task, Multiclass):
        return None
    return subject.task.classes[pair.column]


def _findings(name: str, subject: Subject, answer: Answer, total: Measure) -> list[Finding]:
    """What carries the gap, where there is one beyond chance; and which of it stands in for the attribute."""
    pair, found = answer.pair, answer.found
    if pair is None or found is None or len(found.names) < 2:
        return []
    if total.low is None or total.high is None or total.low <= 0 <= total.high:
        return []
    shares = found.shares.tolist()
    order = [int(k) for k in np.argsort(-found.grouped.abs().cpu().numpy(), kind="stable")[:TOP]]
    parameters = {
        "attribute": pair.attribute,
        "from": pair.names[0],
        "to": pair.names[1],
        "class": _class(subject, pair),
        "total": found.total,
        "low": total.low,
        "high": total.high,
        "unit": total.unit,
        "features": [found.names[k] for k in order],
        "shares": [shares[k] for k in order],
    }
    evidence = (0, *(1 + k for k in order))
    drivers = Finding(f"{name}.gap_drivers.{pair.attribute}", "gap_drivers", parameters, evidence=evidence)
    return [drivers, *_standing_in(name, answer, 1 + len(found.names))]


def _standing_in(name: str, answer: Answer, first: int) -> list[Finding]:
    """Features that tell the groups apart beyond chance and carry a notable part of the gap."""
    told = [(k, p) for k, p in enumerate(answer.told) if p.proven and p.share is not None and p.share >= NOTABLE][:TOP]
    if not told:
        return []
    parameters = {
        "attribute": answer.attribute,
        "features": [p.name for _, p in told],
        "strengths": [p.strength for _, p in told],
        "shares": [p.share for _, p in told],
    }
    evidence = tuple(first + k for k, _ in told)
    key = f"{name}.proxies.{answer.attribute}"
    return [Finding(key, "proxies", parameters, severity="medium", evidence=evidence)]
