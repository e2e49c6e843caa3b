"""Differential fairness: the largest log ratio of any outcome's chance between any two groups. Loads no torch.

It bounds what an outcome can tell of the group, for all groups that the attributes form together [foulds2020].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis import Section
from ...intervals import Floats, koopman
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import DENSE, Groups, View, group
from ..table.metrics import BY_NAME, Metric
from ..table.plan import Plan
from ..table.shares import Shares, large, shares

SMOOTHING = 0.5  # added to each of two outcomes, so that no chance is 0
PAIRED = 100  # groups up to which every pair has an interval of its own
OF: tuple[tuple[str, str], ...] = (
    ("differential_fairness", "selection_rate"),
    ("label_differential_fairness", "base_rate"),
)


@dataclass(frozen=True, slots=True)
class Farthest:
    """The largest log ratio of smoothed shares, and between whom.

    Attributes:
        lowest, highest: the groups whose outcome is rarest and most frequent.
        positive: whether that outcome is the positive one.
    """

    value: float
    lowest: int
    highest: int
    positive: bool


def smoothed(part: Floats, whole: Floats) -> Floats:
    """[groups] shares with half a row added to each outcome: (x + ½) / (n + 1)."""
    return (part + SMOOTHING) / (whole + 2 * SMOOTHING)


def differential_fairness(part: Floats, whole: Floats) -> Farthest:
    """Max over pairs of |Δ ln p| and |Δ ln (1 − p)| of smoothed shares; groups without rows are left out.

    >>> farthest = differential_fairness(np.array([126.0, 304.0]), np.array([2084.0, 867.0]))
    >>> round(farthest.value, 12), farthest.positive
    (1.754761198555, True)
    """
    place = np.flatnonzero(whole > 0)
    p = smoothed(part[place], whole[place])
    found = []
    for positive, chance in ((True, np.log(p)), (False, np.log1p(-p))):
        low, high = int(chance.argmin()), int(chance.argmax())
        found.append(Farthest(float(chance[high] - chance[low]), int(place[low]), int(place[high]), positive))
    return max(found, key=lambda farthest: farthest.value)


def section(context: Context) -> Section:
    """Of decisions and of labels, across every grouping and across all attributes at once."""
    found, limitations = [], []
    for groups in (*context.groupings, *_all_attributes(context)):
        found += _measures(groups, context)
    people = context.axes.people
    if len(people) > context.plan.depth and not _countable(context):
        limitations.append(Message("full_intersection_left_out", {"attributes": len(people), "most": DENSE}))
    return Section(measures=tuple(found), limitations=tuple(limitations))


def _all_attributes(context: Context) -> Iterator[Groups]:
    """The groups of all attributes together, where they are not among the groupings already."""
    people = context.axes.people
    if len(people) > context.plan.depth and _countable(context):
        for view in context.views:
            yield _observed(context, view)


def _observed(context: Context, view: View) -> Groups:
    return group(context.table, context.axes.people, range(len(context.axes.people)), view)


def _countable(context: Context) -> bool:
    sizes = [len(attribute.levels) for attribute in context.axes.people]
    return prod(sizes) <= DENSE or len(np.unique(context.table.keys)) <= DENSE


def _measures(groups: Groups, context: Context) -> Iterator[Measure]:
    have = {metric.name for metric in groups.metrics}
    for name, metric in OF:
        if metric in have and (context.labelled or metric == "selection_rate"):
            yield _measure(name, BY_NAME[metric], groups, context.plan)


def _measure(name: str, metric: Metric, groups: Groups, plan: Plan) -> Measure:
    found = large(shares(groups, metric.top, metric.bottom), plan.minimum)
    level = plan.level(name, "value", groups.gap)
    common: dict[str, Any] = {"analysis": "fairness", "metric": name, "where": groups.gap, "level": level}
    common["n"] = found.behind
    some = found.whole > 0
    absent = [label for label, known in zip(groups.labels, some, strict=True) if not known]
    if some.sum() < 2:
        why = Message("one_level", {"attribute": groups.name, "of": metric.of})
        return undefined(why, **common, details={"undefined": absent})
    farthest = differential_fairness(found.part, found.whole)
    low, high, method = interval(found, level)
    details = {
        "pair": [groups.labels[farthest.lowest], groups.labels[farthest.highest]],
        "pair_n": [int(found.n[farthest.lowest]), int(found.n[farthest.highest])],
        "outcome": "positive" if farthest.positive else "negative",
        "levels": int(some.sum()),
        "undefined": absent,
        "all_or_none": int((some & ((found.part <= 0) | (found.part >= found.whole))).sum()),
    }
    value = farthest.value
    high = None if high is None else max(high, value)
    return Measure(value=value, low=min(low, value), high=high, method=method, details=details, **common)


def interval(found: Shares, level: float) -> tuple[float, float | None, str]:
    """Ends that hold over all pairs and both outcomes together; no high end where some group had all or none.

    Every pair has Koopman's interval of its ratio at a level by [sidak1967]; of very many groups each share has
    Wilson's, at a level by which all hold together.
    """
    place = np.flatnonzero(found.whole > 0)
    x, n = found.successes[place], found.effective[place]
    if len(place) > PAIRED:
        return _by_group(found, place, level)
    i, j = np.triu_indices(len(place), 1)
    each = level ** (1 / (2 * len(i)))
    ends = [koopman(part[i], n[i], part[j], n[j], each) for part in (x, n - x)]
    with np.errstate(divide="ignore"):
        low, high = (np.log(np.stack(side)) for side in zip(*ends, strict=True))
    # of two groups with no such outcome the ratio can be anything
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    near = float(np.maximum(low, -high).max(initial=0.0))
    far = float(np.maximum(high, -low).max())
    return near, far if np.isfinite(far) else None, f"koopman{found.suffix}-sidak"


def _by_group(found: Shares, place: NDArray[np.intp], level: float) -> tuple[float, float | None, str]:
    low, high = (end[place] for end in found.wilson(level ** (1 / len(place))))
    with np.errstate(divide="ignore"):
        ends = [(np.log(low), np.log(high)), (np.log1p(-high), np.log1p(-low))]
    near = max(0.0, *(float(lows.max() - highs.min()) for lows, highs in ends))
    far = max(float(highs.max() - lows.min()) for lows, highs in ends)
    return near, far if np.isfinite(far) else None, f"wilson{found.suffix}-sidak"
