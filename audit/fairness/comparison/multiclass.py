"""Several classes at once: mean recall and mean F1 over all classes, from the whole confusion table. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis import Section
from ...intervals import Floats, quantile
from ...measure import Measure, Where, column, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import SEPARATOR
from .class_gaps import Between, difference, ratio

NAMES = ("balanced_accuracy", "f1_score")
CELLS = 2_000_000  # groups × classes × classes that are held at once
METHOD = "linearised, logit"


@dataclass(frozen=True, slots=True)
class Confusion:
    """Groups side by side, each with its table of all classes.

    Attributes:
        name: what a gap across them is known by; empty for everyone.
        labels, places: as in `Groups`.
        rows: [groups, classes, classes] int64, truth × decision; sums: their weights.
        entries: (group × class × class number, weight, rows) of what is resampled, and its cluster or None.
    """

    name: str
    labels: tuple[str, ...]
    places: tuple[Where, ...]
    rows: NDArray[np.int64]
    sums: Floats
    entries: tuple[NDArray[np.int64], Floats, NDArray[np.int64], NDArray[np.uint64] | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over classes for every group: value [groups], its standard error, and the classes that are missing."""

    value: Floats
    error: Floats
    missing: tuple[tuple[int, ...], ...]


def section(context: Context) -> Section:
    """Both means for everyone, each group, and their gaps; nothing of two classes, whose rates say it already."""
    if len(context.axes.classes) < 3 or not context.labelled:
        return Section()
    found: list[Measure] = []
    left: list[Message] = []
    for axes in _axes(context):
        groups = confusion(context, axes)
        if groups is None:
            names = SEPARATOR.join(context.axes.people[axis].name for axis in axes)
            left.append(Message("classes_left_out", {"attribute": names, "classes": len(context.axes.classes)}))
            continue
        for name in NAMES:
            estimate = _large(estimates(name, groups), groups, context.plan.minimum)
            found += _values(name, groups, estimate, context)
            if axes:
                found += _gaps(name, groups, estimate, context)
    return Section(measures=tuple(found), limitations=tuple(left))


def _axes(context: Context) -> Iterator[tuple[int, ...]]:
    people = range(len(context.axes.people))
    for size in range(min(context.plan.depth, len(people)) + 1):
        yield from combinations(people, size)


def confusion(context: Context, axes: Sequence[int]) -> Confusion | None:
    """The groups of some attributes with their tables of all classes; None where these would be too many cells."""
    people, table, classes = context.axes.people, context.table, len(context.axes.classes)
    shape = tuple(len(people[axis].levels) for axis in axes)
    if prod(shape) * classes**2 > CELLS:
        return None
    codes = table.codes()
    kept = codes[-2] < classes
    group = np.zeros(len(table.keys), np.int64)
    for axis, size in zip(axes, shape, strict=True):
        kept &= codes[axis] < size
        group = group * size + codes[axis]
    cell = ((group * classes + codes[-2]) * classes + codes[-1])[kept]
    size = (prod(shape), classes, classes)
    weight = table.sums[kept]
    rows = np.bincount(cell, table.counts[kept], minlength=prod(size)).reshape(size).astype(np.int64)
    sums = np.bincount(cell, weight, minlength=prod(size)).reshape(size).astype(np.float64)
    levels = list(product(*(people[axis].levels for axis in axes)))
    keys = [column(people[axis].name) for axis in axes]
    cluster = None if table.clusters is None else table.clusters[kept]
    return Confusion(
        SEPARATOR.join(people[axis].name for axis in axes),
        tuple(SEPARATOR.join(names) for names in levels) if axes else ("everyone",),
        tuple(dict(zip(keys, names, strict=True)) for names in levels),
        rows,
        sums,
        (cell, weight, table.counts[kept], cluster),
    )


def estimates(name: str, groups: Confusion) -> Estimate:
    """A mean over classes of every group, and its standard error by linearisation over rows or clusters.

    Balanced accuracy is the mean of the classes' recalls, macro F1 that of 2 TP / (2 TP + FP + FN) [sokolova2009]. Half
    a row is added to right and wrong decisions of each class where the error is estimated: no error is ever 0.
    """
    value = _mean(name, groups.sums)
    missing = tuple(tuple(map(int, np.flatnonzero(~np.isfinite(row)))) for row in _each(name, groups.sums))
    return Estimate(value, np.sqrt(_variance(name, groups)), missing)


def _each(name: str, table: Floats) -> Floats:
    """[..., classes] recall or F1 of tables [..., classes, classes]; NaN where undefined."""
    right = np.diagonal(table, axis1=-2, axis2=-1)
    truth, decided = table.sum(-1), table.sum(-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "balanced_accuracy":
            return np.where(truth > 0, right / truth, np.nan)
        # a class without a label has no recall, so no F1 that means anything either
        return np.where(truth > 0, 2 * right / (truth + decided), np.nan)


def _mean(name: str, table: Floats) -> Floats:
    return _each(name, table).mean(-1)


def _influence(name: str, table: Floats) -> Floats:
    """[groups, classes, classes] how much a row of a cell moves the mean, per unit of weight."""
    classes = table.shape[-1]
    right = np.diagonal(table, axis1=-2, axis2=-1)
    truth, decided = table.sum(-1), table.sum(-2)
    eye = np.eye(classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "balanced_accuracy":
            return (eye - (right / truth)[..., None]) / truth[..., None] / classes
        both = truth + decided
        pull = right / both**2  # d F1 / d right = 2 / both, d F1 / d both = −2 right / both²
        return 2 * (eye / both[..., None] - pull[..., :, None] - pull[..., None, :]) / classes


def _variance(name: str, groups: Confusion) -> Floats:
    """[groups] Σ (influence)² over rows or clusters."""
    cell, weight, rows, cluster = groups.entries
    count, classes, _ = groups.sums.shape
    smooth = groups.sums + np.where(np.eye(classes) > 0, 0.5, 0.5 / (classes - 1))
    influence = _influence(name, smooth).reshape(-1)
    own = cell // classes**2
    if cluster is None:
        unit = weight / np.maximum(rows, 1)
        # what the half rows that were added vary by is counted too
        extra = (_influence(name, smooth) ** 2 * (smooth - groups.sums)).sum((1, 2))
        return np.bincount(own, rows * (unit * influence[cell]) ** 2, minlength=count) + extra
    unit = np.unique(cluster, return_inverse=True)[1]
    pairs, place = np.unique(unit * count + own, return_inverse=True)
    moved = np.bincount(place, weight * influence[cell], minlength=len(pairs))
    found = np.bincount(pairs % count, moved**2, minlength=count)
    many = np.bincount(pairs % count, minlength=count)
    return found * many / np.maximum(many - 1, 1)


def ends(estimate: Estimate, level: float) -> tuple[Floats, Floats]:
    """[groups] interval of a mean between 0 and 1, on the scale of its log odds so that it stays there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.clip(estimate.value, 1e-12, 1 - 1e-12)
        inner = np.clip(value, np.minimum(estimate.error, 0.5), 1 - np.minimum(estimate.error, 0.5))
        half = quantile(level) * estimate.error / (inner * (1 - inner))
        odds = np.log(inner / (1 - inner))
        low, high = 1 / (1 + np.exp(half - odds)), 1 / (1 + np.exp(-half - odds))
    low = np.where(estimate.value <= 0, 0.0, np.fmin(low, estimate.value))
    return low, np.where(estimate.value >= 1, 1.0, np.fmax(high, estimate.value))


def _values(name: str, groups: Confusion, estimate: Estimate, context: Context) -> Iterator[Measure]:
    for k, place in enumerate(groups.places):
        level = context.plan.level(name, "value", place)
        common: dict[str, Any] = {"analysis": "fairness", "metric": name, "where": place, "level": level}
        common["n"] = int(groups.rows[k].sum())
        why = _missing(groups, estimate, k, context)
        if why is not None:
            yield undefined(why, **common)
            continue
        low, high = (float(end[k]) for end in ends(estimate, level))
        details = {"classes": len(context.axes.classes)}
        method = METHOD + (", cluster" if groups.entries[3] is not None else "")
        yield Measure(value=float(estimate.value[k]), low=low, high=high, method=method, details=details, **common)


def _missing(groups: Confusion, estimate: Estimate, k: int, context: Context) -> Message | None:
    if not groups.rows[k].any():
        return Message("empty_denominator", {"of": "labelled rows"})
    few, minimum = _fewest(groups)[k], context.plan.minimum
    if 0 < few < minimum:
        return Message("below_minimum", {"count": int(few), "of": "rows of a class", "minimum": minimum})
    names = [context.axes.classes[place] for place in estimate.missing[k]]
    return Message("classes_missing", {"classes": ", ".join(names)}) if names else None


def _fewest(groups: Confusion) -> NDArray[np.int64]:
    """[groups] how many rows have the label that is rarest in the group."""
    return groups.rows.sum(2).min(1)


def _large(estimate: Estimate, groups: Confusion, minimum: int) -> Estimate:
    return replace(estimate, value=np.where(_fewest(groups) < minimum, np.nan, estimate.value))


def _gaps(name: str, groups: Confusion, estimate: Estimate, context: Context) -> Iterator[Measure]:
    """Difference and ratio across the groups that have every class."""
    place = np.flatnonzero(np.isfinite(estimate.value))
    absent = [label for k, label in enumerate(groups.labels) if k not in set(place)]
    for statistic in ("difference", "ratio"):
        where = {"attribute": groups.name}
        level = context.plan.level(name, statistic, where)
        common: dict[str, Any] = {"analysis": "fairness", "metric": name, "statistic": statistic, "where": where}
        common |= {"level": level, "n": int(groups.rows[place].sum())}
        if len(place) < 2:
            why = Message("one_level", {"attribute": groups.name, "of": "every class"})
            yield undefined(why, **common, details={"undefined": absent})
        elif statistic == "ratio" and not estimate.value[place].max() > 0:
            yield undefined(Message("zero_over_zero"), **common, details={"undefined": absent})
        else:
            yield _gap(statistic, groups, estimate, place, absent, common)


def _gap(
    statistic: str,
    groups: Confusion,
    estimate: Estimate,
    place: NDArray[np.intp],
    absent: list[str],
    common: dict[str, Any],
) -> Measure:
    value = estimate.value
    lowest, highest = int(place[value[place].argmin()]), int(place[value[place].argmax()])
    size = float(value[highest] - value[lowest] if statistic == "difference" else value[lowest] / value[highest])
    found = _between(statistic, estimate, place, common["level"])
    details = {
        "pair": [groups.labels[lowest], groups.labels[highest]],
        "pair_n": [int(groups.rows[k].sum()) for k in (lowest, highest)],
        "levels": len(place),
        "undefined": absent,
    }
    low, high = min(found.low, size), max(found.high, size)
    return Measure(value=size, low=low, high=high, method=f"{METHOD}, {found.method}", details=details, **common)


def _between(statistic: str, estimate: Estimate, place: NDArray[np.intp], level: float) -> Between:
    of = difference if statistic == "difference" else ratio

    def own(each: float) -> tuple[Floats, Floats]:
        low, high = ends(estimate, each)
        return low[place], high[place]

    return of(estimate.value[place], own, level)
