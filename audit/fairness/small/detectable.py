"""The smallest disparity that each group's own rows could have shown. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from ...analysis import Section
from ...intervals import Floats, quantile
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.headlines import levels, shares_listed
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, large, shares

POWER = 0.8  # the chance to notice a disparity that is there; the custom since [cohen1988]
METHOD = "normal-approximation"


def section(context: Context) -> Section:
    """For each share of each group the smallest disparity against all other groups that could be detected."""
    found = (measure for groups in context.groupings for measure in measures(groups, context.plan))
    return Section(measures=tuple(found))


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """The statistic `minimum_detectable` of every group that has the denominator, metric by metric."""
    for metric in shares_listed(groups, "minimum_detectable", plan):
        found = large(shares(groups, metric.top, metric.bottom), plan.minimum)
        yield from _column(groups, metric, found, plan)


def minimum(m1: ArrayLike, m2: ArrayLike, share: ArrayLike, level: ArrayLike = 0.95, power: float = POWER) -> Floats:
    """The difference between two shares that a two-sided test at 1 − level finds with that chance [cohen1988].

    (z₁₋α⸝₂ + z_power) · √(p(1−p)(1/m1 + 1/m2)), where p is the share of both groups together. It may be more than 1:
    then no difference is large enough.

    >>> round(float(minimum(100, 100, 0.5)), 4)
    0.1981
    """
    m1, m2, p = (np.asarray(a, float) for a in (m1, m2, share))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (quantile(level) + ndtri(power)) * np.sqrt(p * (1 - p) * (1 / m1 + 1 / m2))


def power(p1: ArrayLike, p2: ArrayLike, m1: ArrayLike, m2: ArrayLike, level: float = 0.95) -> Floats:
    """The chance that the two-sided test of equal shares notices a difference from p1 to p2 [fleiss2003].

    Φ((|p1−p2| − e) / s) + Φ((−|p1−p2| − e) / s), where e = z√(p̄q̄(1/m1+1/m2)), p̄ being the share of both together,
    and s = √(p1q1/m1 + p2q2/m2).

    >>> round(float(power(0.001, 0.015, 550, 550)), 7)
    0.74156
    """
    p1, p2, m1, m2 = (np.asarray(a, float) for a in (p1, p2, m1, m2))
    pooled = (p1 * m1 + p2 * m2) / (m1 + m2)
    null = np.sqrt(pooled * (1 - pooled) * (1 / m1 + 1 / m2))
    own = np.sqrt(p1 * (1 - p1) / m1 + p2 * (1 - p2) / m2)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap, edge = np.abs(p1 - p2), quantile(level) * null
        return ndtr((gap - edge) / own) + ndtr((-gap - edge) / own)


def rest(found: Shares) -> Floats:
    """[groups] how many effective rows all other groups together are worth: W² / Σ(wᵢ²/mᵢ) over them.

    Of rows that weigh alike, how many they are; of weighted ones Kish's number [kish1965] of the joined rows.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(found.effective > 0, found.whole**2 / found.effective, 0.0)
        whole, below = found.whole.sum() - found.whole, squares.sum() - squares
        return np.where(whole > 1e-9 * found.whole.sum(), whole**2 / np.maximum(below, 1e-300), 0.0)


def _column(groups: Groups, metric: Metric, found: Shares, plan: Plan) -> Iterator[Measure]:
    """One metric of every group that has it, in order."""
    few = (found.n > 0) & (found.n < plan.minimum)
    whole = float(found.whole.sum())
    if not whole and not few.any():  # the rates themselves say so, group by group
        return
    pooled = float(found.part.sum()) / whole if whole else 0.0
    others = rest(found)
    asked_at = levels(plan, metric, "minimum_detectable", groups)
    sizes = minimum(found.effective, others, pooled, asked_at)
    common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "minimum_detectable"}
    columns = (asked_at, found.n, others, sizes, (found.whole > 0) | few)
    for place, level, n, rest_n, size, some in zip(groups.places, *(each.tolist() for each in columns), strict=True):
        if not some:
            continue
        if n < plan.minimum:
            why = Message("below_minimum", {"count": n, "of": metric.of, "minimum": plan.minimum})
        else:
            why = _undetectable(groups, metric, pooled, rest_n, size, n)
        if why is not None:
            yield undefined(why, **common, where=place, level=level, method=METHOD, n=n)
            continue
        yield Measure(
            analysis="fairness",
            metric=metric.name,
            statistic="minimum_detectable",
            where=place,
            value=size,
            level=level,
            method=METHOD,
            n=n,
            details={"exact": True, "power": POWER, "pooled_rate": pooled, "rest_n": round(rest_n, 3)},
        )


def _undetectable(groups: Groups, metric: Metric, pooled: float, others: float, size: float, n: int) -> Message | None:
    """Why no smallest disparity can be told."""
    if not others:
        return Message("one_level", {"attribute": groups.name, "of": metric.of})
    if pooled in (0.0, 1.0):
        return Message("one_outcome", {"of": metric.of})
    if size > 1:
        return Message("none_detectable", {"count": n, "of": metric.of})
    return None
