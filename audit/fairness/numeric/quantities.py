"""The measures of a number by group, and of how far groups lie apart in it. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...measure import Measure, Where, undefined
from ...messages import Message
from ..table.headlines import MANY
from ..table.plan import Plan
from . import spreads
from .estimates import Between, Estimates, difference, ratio
from .members import Members

FEWEST = 3  # groups that a common mean and its spread can be told from


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that every group has.

    Attributes:
        name: the metric.
        of: the rows behind it, in words: "rows with a label".
        unit: of its value and differences.
        positive: whether it is above 0 by nature, so that ratios make sense.
        deep: whether its gap is also tested, freed from chance and pooled; else it has value and difference alone.
        permuted: whether it is tested by dealing groups out at random, which `chance` does.
        headline: whether it is told in full of very many groups too.
    """

    name: str
    of: str = "rows"
    unit: str = "1"
    positive: bool = False
    deep: bool = True
    permuted: bool = False
    headline: bool = False


def values(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    """The number of every group with its interval, or why there is none; of very many groups headlines alone."""
    if _many(members, plan) and not (quantity.headline or plan.wants(quantity.name, "value", members.places)):
        return
    levels = [plan.level(quantity.name, "value", place) for place in members.places]
    asked = {level: e.ends(level) for level in set(levels)}
    for k, (place, level) in enumerate(zip(members.places, levels, strict=True)):
        common = _common(quantity, place, "value", level, int(e.n[k]), e.method)
        why = e.why[k] or _too_few(quantity, int(e.n[k]), plan.minimum)
        if why is not None:
            yield undefined(why, **common)
            continue
        low, high = (float(end[k]) for end in asked[level])
        yield _measure(common, float(e.value[k]), low, high, _effective(e, k))


def _many(members: Members, plan: Plan) -> bool:
    """Whether the groups are too many for all that can be told of each to be listed."""
    return len(members) > MANY and not plan.complete


def gaps(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    """Difference and ratio across the groups that have enough rows, and what they are worth."""
    e = replace(e, value=np.where(e.n < plan.minimum, np.nan, e.value))
    yield from _gap(quantity, members, e, plan, "difference")
    if quantity.positive:
        yield from _gap(quantity, members, e, plan, "ratio")
    if len(e.place) < 2 or (_many(members, plan) and not quantity.headline):
        return
    if not quantity.deep or e.joined:
        return
    if not quantity.permuted:
        yield from _by_chance(quantity, members, e, plan)
        yield from _tested(quantity, members, e, plan)
    if np.isfinite(e.spread.variance[e.place]).any():
        yield from _debiased(quantity, members, e, plan)
        yield from _by_group(quantity, members, e, plan)


def _gap(quantity: Quantity, members: Members, e: Estimates, plan: Plan, statistic: str) -> Iterator[Measure]:
    level = plan.level(quantity.name, statistic, members.gap)
    common = _common(quantity, members.gap, statistic, level, int(e.n[e.place].sum()))
    absent = [members.labels[k] for k in range(len(members)) if not np.isfinite(e.value[k])]
    if len(e.place) < 2:
        why = Message("one_level", {"attribute": members.name, "of": quantity.of})
        yield undefined(why, **common, details={"undefined": absent})
        return
    lowest, highest = (int(e.place[k]) for k in (e.value[e.place].argmin(), e.value[e.place].argmax()))
    least, most = float(e.value[lowest]), float(e.value[highest])
    if statistic == "ratio" and (why := _no_ratio(members.labels[lowest], least, most)):
        yield undefined(why, **common, details={"undefined": absent})
        return
    found: Between = (difference if statistic == "difference" else ratio)(e, level)
    details = {
        "pair": [members.labels[lowest], members.labels[highest]],
        "pair_n": [int(e.n[lowest]), int(e.n[highest])],
        "levels": len(e.place),
        "pairs": len(e.place) * (len(e.place) - 1) // 2,
        "undefined": absent,
    }
    size = most - least if statistic == "difference" else least / most
    yield _measure({**common, "method": found.method}, size, found.low, found.high, details)


def _by_chance(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    """The difference that groups of these sizes would show if all were alike."""
    errors = spreads.errors(e)
    if len(errors) == len(e.place):
        size = spreads.expected_range(errors)
        yield _about(quantity, members, e, plan, "expected_by_chance", size, "normal order statistics")


def _tested(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    chance = spreads.equal_means(e)
    if chance is not None:
        method = "welch anova" if e.spread.covariance is None else "cluster-robust wald"
        yield _about(quantity, members, e, plan, "p_value", chance, method)


def _debiased(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    level = plan.level(quantity.name, "debiased_spread", members.gap)
    method = "variance less its expectation from sampling, noncentral chi-square"
    common = _common(quantity, members.gap, "debiased_spread", level, int(e.n[e.place].sum()), method)
    details = {"levels": len(e.place), "observed": float(e.value[e.place].std(ddof=1))}
    yield _measure(common, spreads.debiased(e), *spreads.debiased_ends(e, level), details)


def _by_group(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    """What each group's rows could have shown, and its number drawn towards that of all."""
    if len(e.place) >= FEWEST and np.nansum(spreads.moderated(e)) > 0:
        yield from _pooled(quantity, members, e, plan)
    levels = [plan.level(quantity.name, "minimum_detectable", place) for place in members.places]
    asked = {level: spreads.detectable(e, level) for level in set(levels)}
    for k in e.place:
        size = float(asked[levels[k]][k])
        if np.isfinite(size) and size > 0:
            common = _common(quantity, members.places[k], "minimum_detectable", levels[k], int(e.n[k]))
            details = {"exact": True, "power": spreads.POWER}
            yield Measure(value=size, details=details, **{**common, "method": "normal-approximation"})
    yield from _few(quantity, members, e, plan, "minimum_detectable")


def _pooled(quantity: Quantity, members: Members, e: Estimates, plan: Plan) -> Iterator[Measure]:
    levels = [plan.level(quantity.name, "pooled", place) for place in members.places]
    asked = {level: spreads.pooled(e, level) for level in set(levels)}
    for k in e.place:
        value, low, high = (float(column[k]) for column in asked[levels[k]])
        if np.isfinite(value):
            common = _common(quantity, members.places[k], "pooled", levels[k], int(e.n[k]), "hierarchical normal")
            yield _measure(common, value, low, high, {"raw": float(e.value[k])})
    yield from _few(quantity, members, e, plan, "pooled")


def _few(quantity: Quantity, members: Members, e: Estimates, plan: Plan, statistic: str) -> Iterator[Measure]:
    """Why a statistic is not told of the groups that have fewer rows than the minimum."""
    for k in np.flatnonzero((e.n > 0) & (e.n < plan.minimum)).tolist():
        place, why = members.places[k], _too_few(quantity, int(e.n[k]), plan.minimum)
        if why is not None:
            level = plan.level(quantity.name, statistic, place)
            yield undefined(why, **_common(quantity, place, statistic, level, int(e.n[k])))


def _about(
    quantity: Quantity, members: Members, e: Estimates, plan: Plan, statistic: str, value: float, method: str
) -> Measure:
    n, groups = int(e.n[e.place].sum()), len(e.place)
    return of_gap(quantity, members.gap, statistic, value, method, n, groups, plan)


def _no_ratio(group: str, least: float, most: float) -> Message | None:
    if most == 0 and least == 0:
        return Message("zero_over_zero")
    return Message("not_positive", {"group": group}) if least < 0 else None


def of_gap(
    quantity: Quantity, where: Where, statistic: str, value: float, method: str, n: int, groups: int, plan: Plan
) -> Measure:
    """A number about a gap that is exact given the rows, or given the shuffles."""
    level = plan.level(quantity.name, statistic, where)
    common = _common(quantity, where, statistic, level, n, method)
    return Measure(value=value, details={"exact": True, "levels": groups}, **common)


def _common(quantity: Quantity, where: Where, statistic: str, level: float, n: int, method: str = "") -> dict[str, Any]:
    unit = "1" if statistic in ("ratio", "p_value") else quantity.unit
    told = {"analysis": "fairness", "metric": quantity.name, "statistic": statistic, "where": where}
    return {**told, "level": level, "n": n, "method": method, "unit": unit}


def _measure(common: dict[str, Any], value: float, low: float, high: float, details: dict[str, Any]) -> Measure:
    """A measure whose interval holds its value to the last bit; an end that is not known is left out."""
    ends = {"low": min(low, value), "high": max(high, value)}
    known = {name: end if np.isfinite(end) else None for name, end in ends.items()}
    return Measure(value=value, **known, details=details, **common)


def _too_few(quantity: Quantity, n: int, minimum: int) -> Message | None:
    if n >= minimum:
        return None
    return Message("below_minimum", {"count": n, "of": quantity.of, "minimum": minimum})


def _effective(e: Estimates, k: int) -> dict[str, Any]:
    return {} if e.effective is None else {"effective_n": round(float(e.effective[k]), 3)}
