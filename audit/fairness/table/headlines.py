"""The shares that are told of every group, however many groups there are. Loads no torch."""

from __future__ import annotations

import numpy as np

from ...intervals import Floats
from .groups import Groups
from .metrics import Metric
from .plan import Plan

HEADLINES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
MANY = 1_000  # groups from which on only the headlines get more than their rate: a record of millions helps nobody


def asked(groups: Groups) -> tuple[Metric, ...]:
    """The shares of which more is told than their value: all of them, of very many groups the headlines alone."""
    few = len(groups) < MANY
    return tuple(metric for metric in groups.metrics if metric.is_share and (few or metric.name in HEADLINES))


def headlines(groups: Groups) -> tuple[Metric, ...]:
    """The headline shares that these groups have."""
    return tuple(metric for metric in groups.metrics if metric.name in HEADLINES)


def levels(plan: Plan, metric: Metric, statistic: str, groups: Groups) -> Floats:
    """[groups] the confidence level that a statistic of each group is asked for at."""
    if not plan.levels.criteria:
        return np.full(len(groups), plan.levels.default)
    return np.array([plan.level(metric.name, statistic, place) for place in groups.places])
