"""Rates and gaps at every threshold, read off the steps of one sort. Loads no torch.

A row is decided positive where its score reaches the threshold, p ≥ t, so rows that tie with it are selected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...intervals import Floats
from ..table.metrics import BY_NAME, Metric, total
from ..table.shares import Shares
from .steps import Steps, summed

METRICS: tuple[Metric, ...] = tuple(
    BY_NAME[name]
    for name in (
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "positive_predictive_value",
        "accuracy",
    )
)


@dataclass(frozen=True, slots=True)
class Tables:
    """What each group's table of truth × decision would be at each threshold.

    Attributes:
        thresholds: [T]; rows: [groups, T, 3, 2]; sums: their weights; squares: their squared weights.
        weighted: whether rows differ in weight.
        effective: metric -> [groups, T] effective rows, where rows hang together in clusters; else empty.
    """

    thresholds: Floats
    rows: Floats
    sums: Floats
    squares: Floats
    weighted: bool
    effective: dict[str, Floats]

    def shares(self, metric: Metric) -> Shares:
        """The metric [groups, T], as shares with what stands behind them."""
        top, bottom = metric.top, metric.bottom
        part, whole, n = total(self.sums, top), total(self.sums, bottom), total(self.rows, bottom)
        if self.effective:
            return Shares(part, whole, n, self.effective[metric.name], "-cluster")
        if not self.weighted:
            return Shares(part, whole, n, n, "")
        squares = total(self.squares, bottom)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Shares(part, whole, n, np.where(squares > 0, whole**2 / squares, 0.0), "-kish")


@dataclass(frozen=True, slots=True)
class Sweep:
    """A gap at each threshold: highest − lowest, its interval at that threshold by itself, and the two groups.

    All [T]; NaN, and −1, where fewer than two groups have the metric.
    """

    value: Floats
    low: Floats
    high: Floats
    lowest: np.ndarray
    highest: np.ndarray


def tables(steps: Steps, thresholds: Floats | None = None) -> Tables:
    """The tables of all groups at some thresholds; at every distinct score, the lowest first, where none are given."""
    asked = np.unique(steps.score) if thresholds is None else np.asarray(thresholds, float)
    starts = steps.starts
    place = np.stack([a + np.searchsorted(steps.score[a:b], asked) for a, b in pairwise(starts)])
    rows, sums, squares = (_at(steps, amount, place) for amount in (steps.rows, steps.sums, steps.squares))
    effective = _effective(steps, asked, rows, sums) if steps.members is not None else {}
    return Tables(asked, rows, sums, squares, steps.weighted, effective)


def gap(metric: Metric, found: Tables, level: float) -> Sweep:
    """The gap at every threshold; intervals as for one threshold: Newcombe's, by Šidák over more than a pair."""
    share = found.shares(metric)
    value, groups = share.value, len(share.value)
    pairs = groups * (groups - 1) // 2
    low, high = share.wilson(level ** (1 / max(pairs, 1)))
    down, up = value - low, high - value
    near, far = np.full((2, value.shape[1]), -np.inf)
    for i in range(groups - 1):
        difference = value[i] - value[i + 1 :]
        least = difference - np.hypot(down[i], up[i + 1 :])
        most = difference + np.hypot(up[i], down[i + 1 :])
        near = np.fmax(near, _most(np.maximum(least, -most)))
        far = np.fmax(far, _most(np.maximum(most, -least)))
    defined = np.isfinite(value).sum(0) > 1
    lowest, highest = (np.where(defined, at, -1) for at in _extremes(value))
    size = np.where(defined, _most(value) - -_most(-value), np.nan)
    if groups == 2:  # the interval of a pair runs through 0 to where the other group has the higher rate
        sign = np.where(value[0] >= value[1], 1.0, -1.0)
        difference = value[0] - value[1]
        least, most = difference - np.hypot(down[0], up[1]), difference + np.hypot(up[0], down[1])
        near = np.where(sign > 0, least, -most)
    else:
        near = np.maximum(near, 0.0)
    low, high = np.fmax(np.fmin(near, size), -1), np.fmin(np.fmax(far, size), 1)
    return Sweep(size, np.where(defined, low, np.nan), np.where(defined, high, np.nan), lowest, highest)


def _most(values: Floats) -> Floats:
    """[T] the largest of each column, NaN left out; −∞ where there is none."""
    return np.where(np.isnan(values), -np.inf, values).max(0)


def _extremes(value: Floats) -> tuple[np.ndarray, np.ndarray]:
    return np.where(np.isnan(value), np.inf, value).argmin(0), np.where(np.isnan(value), -np.inf, value).argmax(0)


def _at(steps: Steps, amount: np.ndarray, place: np.ndarray) -> Floats:
    """[groups, T, 3, 2] amounts [steps, 3] below, and from, the step at each place."""
    running = np.concatenate([np.zeros((1, 3)), np.cumsum(amount, 0, dtype=np.float64)])
    starts = steps.starts
    below = running[place] - running[starts[:-1]][:, None]
    whole = (running[starts[1:]] - running[starts[:-1]])[:, None]
    return np.stack([below, whole - below], -1)


def _effective(steps: Steps, thresholds: Floats, rows: Floats, sums: Floats) -> dict[str, Floats]:
    """metric -> [groups, T] effective rows p(1−p)/V, V the linearised variance between clusters [korn1998].

    At most as many as there are; where p is 0 or 1, as many as clusters.
    """
    whole = {metric.name: total(sums, metric.bottom) for metric in METRICS}
    with np.errstate(divide="ignore", invalid="ignore"):
        p = {m.name: np.where(whole[m.name] > 0, total(sums, m.top) / whole[m.name], 0.0) for m in METRICS}
    clusters, squares = ({m.name: np.zeros(rows.shape[:2]) for m in METRICS} for _ in range(2))
    for group, tables in _cluster_tables(steps, thresholds):
        first = np.flatnonzero(np.diff(group, prepend=-1))
        for metric in METRICS:
            above, below = total(tables, metric.top), total(tables, metric.bottom)
            residual = above - p[metric.name][group] * below
            squares[metric.name][group[first]] += np.add.reduceat(residual**2, first, 0)
            clusters[metric.name][group[first]] += np.add.reduceat((below > 0).astype(float), first, 0)
    return {
        m.name: _capped(p[m.name], whole[m.name], clusters[m.name], squares[m.name], total(rows, m.bottom))
        for m in METRICS
    }


def _capped(p: Floats, whole: Floats, clusters: Floats, squares: Floats, n: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = p * (1 - p) * whole**2 * (clusters - 1) / (squares * clusters)
    seen = np.isfinite(effective) & (p > 0) & (p < 1)
    return np.minimum(np.where(seen, effective, clusters), n)


def _cluster_tables(steps: Steps, thresholds: Floats, most: int = 2_000_000) -> Iterator[tuple[np.ndarray, Floats]]:
    """The group of some clusters within groups, in order, and their tables [clusters, T, 3, 2]; some at a time."""
    members = steps.members
    assert members is not None
    ends = np.searchsorted(members.unit, np.arange(len(members.group) + 1))
    reached = np.searchsorted(thresholds, steps.score[members.step], side="right")
    width = len(thresholds) + 1
    step = max(most // (6 * width), 1)
    for start in range(0, len(members.group), step):
        stop = min(start + step, len(members.group))
        inside = slice(int(ends[start]), int(ends[stop]))
        cell = ((members.unit[inside] - start) * 3 + members.truth[inside]) * width + reached[inside]
        found = summed(cell, members.weight[inside], (stop - start) * width * 3)
        tail = np.cumsum(found.reshape(-1, 3, width)[:, :, ::-1], 2)[:, :, ::-1].swapaxes(1, 2)
        yield members.group[start:stop], np.stack([tail[:, :1] - tail[:, 1:], tail[:, 1:]], -1)
