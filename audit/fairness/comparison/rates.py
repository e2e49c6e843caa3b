"""Every metric of every group with its interval. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...measure import Measure, undefined
from ...messages import Message
from ..table.groups import Groups
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, intervals, measured, parts, values


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """The metrics of each group, group by group; of a group too small or without a denominator, why there is none."""
    columns = [list(_column(groups, metric, plan)) for metric in measured(groups)]
    for each in zip(*columns, strict=True):
        yield from each


def _column(groups: Groups, metric: Metric, plan: Plan) -> Iterator[Measure]:
    """One metric of every group, in order."""
    found = parts(groups, metric)
    value = values(metric, found)
    levels = [plan.level(metric.name, "value", place) for place in groups.places]
    asked = {level: intervals(metric, found, level, posterior=plan.posterior) for level in set(levels)}
    for k, (place, level) in enumerate(zip(groups.places, levels, strict=True)):
        low, high, method = asked[level]
        common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "where": place}
        common |= {"level": level, "method": method}
        why = missing(metric, found, k, plan.minimum)
        if why is not None:
            yield undefined(why, **common, **_behind(metric, found, k))
            continue
        ends = {"low": _finite(low[k]), "high": _finite(high[k])}
        yield Measure(value=float(value[k]), **ends, details=_details(found, k), **common, **_behind(metric, found, k))


def missing(metric: Metric, found: tuple[Shares, ...], k: int, minimum: int = 0) -> Message | None:
    """Why group k has no such metric; None where it has one."""
    for share, (_, _, of) in zip(found, metric.parts, strict=True):
        if not share.n[k]:
            return Message("empty_denominator", {"of": of})
        if share.whole[k] <= 0:
            return Message("no_weight", {"of": of})
        if share.n[k] < minimum:
            return Message("below_minimum", {"count": int(share.n[k]), "of": of, "minimum": minimum})
    if metric.without and metric.bend(found[0].part[k], found[0].whole[k])[1] <= 0:
        return Message("empty_denominator", {"of": metric.without})
    return None


def _behind(metric: Metric, found: tuple[Shares, ...], k: int) -> dict[str, Any]:
    """What stands behind the metric of group k: rows, and its own numerator and denominator where it has one."""
    if len(found) > 1:
        return {"n": int(sum(share.n[k] for share in found)), "numerator": None, "denominator": None}
    share = next(iter(found))
    top, bottom = metric.bend(share.part[k], share.whole[k])
    number = float if share.suffix == "-kish" else _whole
    return {"n": int(share.n[k]), "numerator": number(top), "denominator": number(bottom)}


def _details(found: Sequence[Shares], k: int) -> dict[str, Any]:
    if not found[0].suffix:
        return {}
    return {"effective_n": round(float(sum(share.effective[k] for share in found)), 3)}


def _whole(number: float) -> float | int:
    """A number of rows; of weighted rows a sum that may be no whole one."""
    return int(number) if float(number).is_integer() else float(number)


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None
