"""Rates of intersections, told by what their attributes add up to and what only the combination explains. No torch.

A structured regression [herlihy2024]: the rate of a group is a sum of effects of its levels and of their combinations,
fitted by a LASSO that weighs each group by the inverse of its variance, so a small group borrows from its kin and a
combination counts only where the rows insist on it. Beside it the test of whether the attributes' own effects add up
to all there is.

Where this differs from the paper:

- The bootstrap. A residual bootstrap adds drawn residuals to the fitted rates and fits again with the same penalty;
  what the LASSO drew to 0 then stays there in every draw, and the interval leaves it out. Here residuals are added to
  the rates as seen, and the penalty is a quarter (`effects.resampled`). Where ten or fewer residuals are left over,
  normal errors of the known variance are drawn in their place.
- The variance of a rate is that within groups, pooled over all groups, so that a group with no success has one too.
- The test is Pearson's, with tables drawn from the additive model, and no comparison of two fitted models.

Adding up is meant of the rates themselves. Effects that add up on the scale of log odds, or that multiply, bend away
from a sum of rates where rates come near 0 or 1, so with rows enough the test rejects them too. It tells that a
combination differs from the sum of its parts in rates, and not why; a limitation says so wherever it rejects.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, column, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.headlines import headlines
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, large, shares
from .effects import Design, fit, interaction, resampled, spread

MOST = 200  # groups up to which the regression is fitted
RESAMPLES = 200  # behind its intervals, at most
NULLS = 2_000  # tables drawn where attributes only add up, behind the test, at most


def section(context: Context) -> Section:
    """Structured rates and the test of interaction for combinations of attributes; nothing without resampling."""
    if not context.plan.replicates:
        return Section()
    kept = [groups for groups in context.groupings if len(groups.attributes) > 1 and len(groups) <= MOST]
    found = tuple(measure for groups in kept for measure in measures(groups, context.plan))
    return Section(measures=found, limitations=tuple(_rejected(found)))


def _rejected(found: tuple[Measure, ...]) -> Iterator[Message]:
    """What a test that rejects does not say, once for each combination of attributes."""
    told = [m for m in found if m.statistic == "interaction_p_value" and m.value is not None]
    places = dict.fromkeys(str(m.where["attribute"]) for m in told if m.value is not None and m.value < 1 - m.level)
    return (Message("adds_up_in_rates", {"attribute": place}) for place in places)


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """`structured` of every group and `interaction_p_value` of the grouping, for each headline share."""
    for metric in headlines(groups):
        found = large(shares(groups, metric.top, metric.bottom), plan.minimum)
        if not found.whole.any():
            continue
        rng = np.random.default_rng([plan.seed, zlib.crc32(f"{groups.gap} {metric.name}".encode())])
        yield _test(groups, metric, found, plan, rng)
        yield from _rates(groups, metric, found, plan, rng)
        yield from _too_small(groups, metric, found, plan)


def design(groups: Groups, kept: NDArray[np.bool_]) -> Design:
    """The groups that have rows as sums of effects: of each level, then of each combination of two, of three, …"""
    codes = np.array([[place[column(a.name)] for a in groups.attributes] for place in groups.places])[kept]
    columns: list[Floats] = []
    levels = 0
    for size in range(1, len(groups.attributes) + 1):
        for axes in combinations(range(len(groups.attributes)), size):
            _, place = np.unique(codes[:, axes], axis=0, return_inverse=True)
            columns.append(np.eye(int(place.max()) + 1)[place.ravel()])
        levels = levels or sum(block.shape[1] for block in columns)
    return Design(np.concatenate(columns, 1), levels)


def _test(groups: Groups, metric: Metric, found: Shares, plan: Plan, rng: np.random.Generator) -> Measure:
    kept = found.effective > 0
    common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "interaction_p_value"}
    common |= {"where": groups.gap, "level": plan.level(metric.name, "interaction_p_value", groups.gap)}
    common |= {"method": "pearson, parametric bootstrap", "n": found.behind}
    draws = min(plan.replicates, NULLS)
    m = found.effective[kept]
    p = interaction(design(groups, kept), found.value[kept], m, draws, rng) if kept.any() else None
    if p is None:
        return undefined(Message("nothing_to_add", {"attribute": groups.name, "of": metric.of}), **common)
    return Measure(
        value=p, details={"exact": True, "scale": "rate", "draws": draws, "groups": int(kept.sum())}, **common
    )


def _too_small(groups: Groups, metric: Metric, found: Shares, plan: Plan) -> Iterator[Measure]:
    for k in np.flatnonzero((found.n > 0) & (found.n < plan.minimum)).tolist():
        why = Message("below_minimum", {"count": int(found.n[k]), "of": metric.of, "minimum": plan.minimum})
        level = plan.level(metric.name, "structured", groups.places[k])
        common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "structured"}
        yield undefined(why, **common, where=groups.places[k], level=level, n=int(found.n[k]))


def _rates(groups: Groups, metric: Metric, found: Shares, plan: Plan, rng: np.random.Generator) -> Iterator[Measure]:
    """The structured rate of each group that has rows."""
    kept = found.effective > 0
    rates, m = found.value[kept], found.effective[kept]
    model = design(groups, kept)
    fitted = fit(model, rates, spread(rates, m))
    drawn = resampled(model, fitted, rates, m, min(plan.replicates, RESAMPLES), rng)
    for row, k in enumerate(np.flatnonzero(kept)):
        place, value = groups.places[k], float(fitted.rates[row])
        level = plan.level(metric.name, "structured", place)
        low, high = np.quantile(drawn[row], [(1 - level) / 2, (1 + level) / 2])
        details = {"raw": float(rates[row]), "effects": fitted.kept, "penalty": fitted.penalty}
        yield Measure(
            analysis="fairness",
            metric=metric.name,
            statistic="structured",
            where=place,
            value=value,
            low=min(float(low), value),
            high=max(float(high), value),
            level=level,
            method=f"structured-regression{found.suffix}",
            n=int(found.n[k]),
            details=details,
        )
