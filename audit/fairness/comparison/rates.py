"""Every metric of every group with its interval. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.groups import Groups
from ..table.headlines import levels, listed
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, intervals, known, measured, parts, values


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """The metrics of each group, group by group; of a group too small or without a denominator, why there is none.

    Of very many groups those alone that are `headlines.listed`.
    """
    columns = [list(_column(groups, metric, plan)) for metric in listed(groups, measured(groups), "value", plan)]
    for each in zip(*columns, strict=True):
        yield from each


def _column(groups: Groups, metric: Metric, plan: Plan) -> Iterator[Measure]:
    """One metric of every group, in order; all that can be told of many groups at once is told so."""
    found = parts(groups, metric)
    level = levels(plan, metric, "value", groups)
    low, high, method = _ends(metric, found, level, plan)
    lost = _lost(metric, found, plan.minimum)
    each = zip(
        groups.places,
        level.tolist(),
        values(metric, found).tolist(),
        known(low),
        known(high),
        *_behind(metric, found),
        _effective(found),
        lost.tolist(),
        strict=True,
    )
    for k, (place, at, value, least, most, n, top, bottom, details, gone) in enumerate(each):
        why = missing(metric, found, k, plan.minimum) if gone else None
        if why is not None:
            behind = {"n": n, "numerator": top, "denominator": bottom}
            own: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "where": place}
            yield undefined(why, **own, level=at, method=method, **behind)
            continue
        yield Measure(
            analysis="fairness",
            metric=metric.name,
            where=place,
            value=value,
            low=least,
            high=most,
            level=at,
            method=method,
            n=n,
            numerator=top,
            denominator=bottom,
            details=details,
        )


def _ends(metric: Metric, found: tuple[Shares, ...], level: Floats, plan: Plan) -> tuple[Floats, Floats, str]:
    """[groups] both ends of each interval, each at the level asked for, and the name of all."""
    low, high, name = np.empty_like(level), np.empty_like(level), ""
    for one in np.unique(level):
        least, most, name = intervals(metric, found, float(one), posterior=plan.posterior)
        low, high = np.where(level == one, least, low), np.where(level == one, most, high)
    return low, high, name


def _lost(metric: Metric, found: tuple[Shares, ...], minimum: int) -> NDArray[np.bool_]:
    """[groups] whether `missing` has a reason to give."""
    lost = np.any([(share.n < max(minimum, 1)) | (share.whole <= 0) for share in found], axis=0)
    return lost | (metric.bend(found[0].part, found[0].whole)[1] <= 0) if metric.without else lost


def missing(metric: Metric, found: tuple[Shares, ...], k: int, minimum: int = 0) -> Message | None:
    """Why group k has no such metric; None where it has one."""
    for share, (_, _, of) in zip(found, metric.parts, strict=True):
        if not share.n[k]:
            return Message("empty_denominator", {"of": of})
        if share.n[k] < minimum:
            return Message("below_minimum", {"count": int(share.n[k]), "of": of, "minimum": minimum})
        if share.whole[k] <= 0:
            return Message("no_weight", {"of": of})
    if metric.without and metric.bend(found[0].part[k], found[0].whole[k])[1] <= 0:
        return Message("empty_denominator", {"of": metric.without})
    return None


def _behind(metric: Metric, found: tuple[Shares, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """What stands behind the metric of each group: rows, and its own numerator and denominator where it has one."""
    rows = np.sum([share.n for share in found], axis=0).tolist()
    if len(found) > 1:
        return rows, [None] * len(rows), [None] * len(rows)
    share = next(iter(found))
    top, bottom = metric.bend(share.part, share.whole)
    return (rows, top.tolist(), bottom.tolist()) if share.suffix == "-kish" else (rows, _whole(top), _whole(bottom))


def _effective(found: Sequence[Shares]) -> list[dict[str, Any]]:
    if not found[0].suffix:
        return [{} for _ in found[0].n]
    return [{"effective_n": round(n, 3)} for n in np.sum([share.effective for share in found], axis=0).tolist()]


def _whole(numbers: Floats) -> list[float | int]:
    """Numbers of rows; of weighted rows sums that may be no whole ones."""
    return [int(number) if number.is_integer() else number for number in numbers.tolist()]
