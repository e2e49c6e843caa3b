"""Intervals of each pair of groups, and what they allow the largest gap to be. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats, koopman
from ..table.metrics import Metric
from ..table.shares import Shares, intervals, values
from .bands import MOST_GROUPS, Joint, sidak

Ends = tuple[Floats, Floats]


@dataclass(frozen=True)
class Compared:
    """A metric of groups that have it, and how intervals of their pairs hold together.

    Attributes:
        metric: what is compared; found: its shares, of all groups.
        place: [k] the groups that have it.
        joint: the level of each pair's interval, or of each group's where there are too many pairs.
    """

    metric: Metric
    found: tuple[Shares, ...]
    place: NDArray[np.intp]
    joint: Joint

    @cached_property
    def value(self) -> Floats:
        """[k] the metric of each of them."""
        return values(self.metric, self.found)[self.place]

    @property
    def rectangular(self) -> bool:
        """Whether each group has an interval of its own in place of each pair."""
        return len(self.place) > MOST_GROUPS

    @property
    def indices(self) -> NDArray[np.intp]:
        """[2, pairs] of places in `place`."""
        return _pairs(len(self.place))

    def single(self) -> tuple[Floats, Floats, str]:
        """[k] the interval of each group by itself, and its name."""
        low, high, name = intervals(self.metric, self.found, self.joint.level)
        return low[self.place], high[self.place], name

    def differences(self) -> tuple[Floats, Floats, str]:
        """[pairs] intervals of first − second, by MOVER [zou2008]; of shares that is Newcombe's."""
        low, high, name = self.single()
        value, (i, j) = self.value, self.indices
        down = np.hypot(value[i] - low[i], high[j] - value[j])
        up = np.hypot(high[i] - value[i], value[j] - low[j])
        method = f"newcombe{self.found[0].suffix}" if self.metric.is_share else f"{name}, mover"
        return value[i] - value[j] - down, value[i] - value[j] + up, f"{method}{self.joint.name}"

    def ratios(self) -> tuple[Floats, Floats, str]:
        """[pairs] intervals of first / second: Koopman's of shares, else MOVER-R [donner2012]; NaN where both are 0."""
        i, j = self.indices
        if self.metric.is_share:
            x, n = self.found[0].successes[self.place], self.found[0].effective[self.place]
            low, high = koopman(x[i], n[i], x[j], n[j], self.joint.level)
            return low, high, f"koopman{self.found[0].suffix}{self.joint.name}"
        low, high, name = self.single()
        return *mover_r(self.value, low, high, i, j), f"{name}, mover-r{self.joint.name}"

    def largest_difference(self) -> tuple[float, float, str]:
        """What the largest difference may be: no less than 0 or any pair's near end, no more than the furthest end."""
        if self.rectangular:
            low, high, name = self.single()
            return max(0.0, float(low.max() - high.min())), float(high.max() - low.min()), f"{name}{self.joint.name}"
        low, high, name = self.differences()
        return max(0.0, float(np.maximum(low, -high).max())), float(np.maximum(high, -low).max()), name

    @cached_property
    def impacts(self) -> tuple[Floats, Floats, str]:
        """[k] each group's metric as a share of the highest: true is the least of its ratios to any group."""
        if self.rectangular:
            low, high, name = self.single()
            with np.errstate(divide="ignore", invalid="ignore"):
                least, most = low / _highest_other(high), high / _highest_other(low)
            return np.fmin(least, 1.0), np.fmin(most, 1.0), f"{name}{self.joint.name}"
        low, high, name = self.ratios()
        i, j = self.indices
        least, most = np.ones((2, len(self.place)))
        with np.errstate(divide="ignore"):
            # two groups that both have rate 0 say nothing about each other's ratio: NaN, left out
            for end, first, second in ((least, low, 1 / high), (most, high, 1 / low)):
                np.fmin.at(end, i, first)
                np.fmin.at(end, j, second)
        return least, most, name


def compared(metric: Metric, found: tuple[Shares, ...], level: float, joint: Joint | None = None) -> Compared:
    """The groups that have a metric, at least two, with intervals that hold together.

    Args:
        joint: the common level of the pairs' intervals; Šidák's at `level` where none is given.
    """
    place = np.flatnonzero(np.isfinite(values(metric, found)))
    if joint is None:
        many = len(place) if len(place) > MOST_GROUPS else len(place) * (len(place) - 1) // 2
        joint = sidak(level, many) if len(place) > 2 else Joint(level, "")
    return Compared(metric, found, place, joint)


@lru_cache(maxsize=16)
def _pairs(groups: int) -> NDArray[np.intp]:
    """[2, pairs] both places of every pair; shared, so not to be written to."""
    found = np.stack(np.triu_indices(groups, 1))
    found.flags.writeable = False
    return found


def _highest_other(ends: Floats) -> Floats:
    """[k] the highest of all others' ends."""
    first, second = np.argsort(ends)[[-1, -2]]
    out = np.full(len(ends), ends[first])
    out[first] = ends[second]
    return out


def mover_r(value: Floats, low: Floats, high: Floats, i: NDArray[np.intp], j: NDArray[np.intp]) -> Ends:
    """[pairs] intervals of first / second from each group's own interval [donner2012]."""
    a, b = value[i], value[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = (a * b) ** 2 - low[i] * high[j] * (2 * a - low[i]) * (2 * b - high[j])
        above = (a * b) ** 2 - high[i] * low[j] * (2 * a - high[i]) * (2 * b - low[j])
        least = (a * b - np.sqrt(np.maximum(below, 0))) / (high[j] * (2 * b - high[j]))
        most = (a * b + np.sqrt(np.maximum(above, 0))) / (low[j] * (2 * b - low[j]))
    return np.maximum(np.nan_to_num(least), 0), np.where(np.isfinite(most), most, np.inf)
