"""Definitions of fairness as one number: which metrics' gaps each looks at, and how it joins them. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...analysis import Section
from ...criteria import Levels
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.metrics import BY_NAME, Metric
from ..table.plan import Plan
from ..table.shares import measured
from . import gaps

Statistic = Literal["difference", "ratio"]
BOTH: tuple[Statistic, ...] = ("difference", "ratio")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One definition of fairness between groups.

    Attributes:
        metrics: whose gaps it is made of.
        joins: how: "same" is the gap itself, "worst" the worst of the gaps, "mean" their mean.
        meaning: what it asks for, in one plain sentence.
        statistics: what is measured of it.
    """

    name: str
    metrics: tuple[str, ...]
    joins: Literal["same", "worst", "mean"]
    meaning: str
    statistics: tuple[Statistic, ...] = BOTH


AGGREGATES: tuple[Aggregate, ...] = (
    Aggregate(
        "demographic_parity",
        ("selection_rate",),
        "same",
        "Every group is decided positively equally often.",
    ),
    Aggregate(
        "equal_opportunity",
        ("true_positive_rate",),
        "same",
        "Of those who truly are positive, an equal share of every group is found.",
    ),
    Aggregate(
        "predictive_parity",
        ("positive_predictive_value",),
        "same",
        "A positive decision is right equally often in every group.",
    ),
    Aggregate(
        "overall_accuracy_equality",
        ("accuracy",),
        "same",
        "Decisions are right equally often in every group.",
    ),
    Aggregate(
        "equalized_odds",
        ("true_positive_rate", "false_positive_rate"),
        "worst",
        "Whoever has the same label has the same chance in every group: the worse of two gaps counts.",
    ),
    Aggregate(
        "average_odds",
        ("true_positive_rate", "false_positive_rate"),
        "mean",
        "The same two gaps, averaged without their signs, so that they cannot cancel.",
        ("difference",),
    ),
)
"""[hardt2016], [chouldechova2017], [berk2021]; average odds as in [bellamy2018], made of absolute gaps."""


def section(context: Context) -> Section:
    """Every aggregate across every grouping that has the metrics for it."""
    return Section(measures=tuple(m for groups in context.groupings for m in measures(groups, context)))


def measures(groups: Groups, context: Context) -> Iterator[Measure]:
    """The aggregates across some groups."""
    have = {metric.name for metric in measured(groups)}
    for aggregate in AGGREGATES:
        if have >= set(aggregate.metrics):
            for statistic in aggregate.statistics:
                yield _measure(aggregate, statistic, groups, context.plan)


def _measure(aggregate: Aggregate, statistic: Statistic, groups: Groups, plan: Plan) -> Measure:
    level = plan.level(aggregate.name, statistic, groups.gap)
    # all components' intervals hold together at the level asked for [bonferroni1936]
    each = 1 - (1 - level) / len(aggregate.metrics)
    found = [_gap(groups, BY_NAME[name], statistic, each, plan) for name in aggregate.metrics]
    if aggregate.joins == "same":
        return replace(found[0], metric=aggregate.name)
    common: dict[str, Any] = {
        "analysis": "fairness",
        "metric": aggregate.name,
        "statistic": statistic,
        "where": groups.gap,
        "level": level,
        "n": sum(m.n for m in found),
    }
    lost = next((m for m in found if m.value is None), None)
    if lost is not None:
        why = Message("component_undefined", {"component": lost.metric, "why": lost.reason})
        return undefined(why, **common, details={"undefined": lost.details.get("undefined", [])})
    return _joined(aggregate, statistic, found, groups, common)


def _gap(groups: Groups, metric: Metric, statistic: str, level: float, plan: Plan) -> Measure:
    """One metric's gap at a level of its own."""
    found = gaps.of_metric(groups, metric, replace(plan, levels=Levels(level)))
    return next(measure for measure in found if measure.statistic == statistic)


def _joined(
    aggregate: Aggregate, statistic: Statistic, found: list[Measure], groups: Groups, common: dict[str, Any]
) -> Measure:
    fold = _folded if statistic == "difference" else _folded_ratio
    value, low, high = zip(*(fold(m) for m in found), strict=True)
    worst = max if statistic == "difference" else min
    join = worst if aggregate.joins == "worst" else lambda parts: sum(parts) / len(parts)
    details: dict[str, Any] = {
        "components": [_component(m) for m in found],
        "undefined": sorted({name for m in found for name in m.details.get("undefined", [])}),
    }
    if aggregate.joins == "worst":
        leading = found[value.index(join(value))]
        details |= {key: leading.details[key] for key in ("pair", "pair_n") if key in leading.details}
        details["component"] = leading.metric
    elif len(groups) == 2:
        details |= _signed(aggregate, groups)
    ends = {"low": min(join(low), join(value)), "high": max(join(high), join(value))}
    return Measure(value=join(value), **ends, method=f"{found[0].method}, bonferroni", details=details, **common)


def _folded(gap: Measure) -> tuple[float, float, float]:
    """A difference and its interval as sizes: which group is ahead no longer matters."""
    assert gap.value is not None
    low, high = (gap.value if end is None else end for end in (gap.low, gap.high))
    return abs(gap.value), max(0.0, low, -high), max(abs(low), abs(high))


def _folded_ratio(gap: Measure) -> tuple[float, float, float]:
    """A ratio and its interval as at most 1: which group is ahead no longer matters."""
    assert gap.value is not None
    low = gap.value if gap.low is None else gap.low
    other = 0.0 if gap.high is None else 1 / gap.high if gap.high > 1 else 1.0  # no upper end: nothing is ruled out
    return gap.value, min(low, other), 1.0 if gap.high is None else min(1.0, gap.high)


def _component(gap: Measure) -> dict[str, Any]:
    return {
        "metric": gap.metric,
        "value": gap.value,
        "low": gap.low,
        "high": gap.high,
        "level": gap.level,
        "pair": gap.details.get("pair", []),
    }


def _signed(aggregate: Aggregate, groups: Groups) -> dict[str, Any]:
    """The mean of signed gaps of two groups, second − first, which other tools show and which can cancel to 0."""
    values = [BY_NAME[name].values(groups.sums) for name in aggregate.metrics]
    return {"signed_mean": float(sum(v[1] - v[0] for v in values) / len(values)), "signed": list(groups.labels)}
