"""The shares that are told of every group, however many groups there are. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...intervals import Floats
from ...messages import Message
from .groups import Groups
from .metrics import Metric
from .plan import Plan
from .shares import measured

HEADLINES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
MANY = 1_000  # groups beyond which only this is listed of each: a record of a million numbers helps nobody
LISTED = {"value": HEADLINES, "pooled": ("selection_rate",), "impact_ratio": ("selection_rate",)}


def many(groups: Groups, plan: Plan) -> bool:
    """Whether the groups are too many for all that can be told of each to be listed."""
    return len(groups) > MANY and not plan.complete


def listed(groups: Groups, metrics: Sequence[Metric], statistic: str, plan: Plan) -> tuple[Metric, ...]:
    """The metrics of which a statistic is listed group by group.

    All of them; of very many groups only the headlines, and what a criterion asks for of any of these groups.
    """
    if not many(groups, plan):
        return tuple(metrics)
    kept = LISTED.get(statistic, ())
    return tuple(m for m in metrics if m.name in kept or plan.wants(m.name, statistic, groups.places))


def shares_listed(groups: Groups, statistic: str, plan: Plan) -> tuple[Metric, ...]:
    """The same of those metrics that are shares."""
    return listed(groups, [metric for metric in groups.metrics if metric.is_share], statistic, plan)


def left_out(groupings: Sequence[Groups], plan: Plan) -> tuple[Message, ...]:
    """What a record must say of combinations that make very many groups: what it lists of each."""
    sizes = {groups.name: len(groups) for groups in groupings if many(groups, plan)}
    return tuple(not_listed(name, size, _told(groupings, name)) for name, size in sizes.items())


def not_listed(name: str, groups: int, told: Sequence[str]) -> Message:
    """That of so many groups these metrics alone are listed."""
    parameters = {"attribute": name, "groups": groups, "most": MANY, "told": ", ".join(told)}
    return Message("groups_not_listed", parameters)


def _told(groupings: Sequence[Groups], name: str) -> list[str]:
    found = {metric.name for groups in groupings if groups.name == name for metric in measured(groups)}
    return [headline for headline in HEADLINES if headline in found]


def headlines(groups: Groups) -> tuple[Metric, ...]:
    """The headline shares that these groups have."""
    return tuple(metric for metric in groups.metrics if metric.name in HEADLINES)


def levels(plan: Plan, metric: Metric, statistic: str, groups: Groups) -> Floats:
    """[groups] the confidence level that a statistic of each group is asked for at."""
    if not plan.levels.criteria:
        return np.full(len(groups), plan.levels.default)
    return np.array([plan.level(metric.name, statistic, place) for place in groups.places])
