"""One number of every group with its interval, and the intervals of what lies between groups. Loads no torch.

A mean, and what is made of means, has Student's interval; between two groups Welch's [welch1947]. A quantile or a share
has an interval of its own kind; between two groups those are joined by MOVER [zou2008].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ...intervals import Floats, koopman
from ...messages import Message
from .sample import DENSE, Spread

Ends = Callable[[float], tuple[Floats, Floats]]
"""The lower and upper end of each group's interval at a level."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """One number of every group.

    Attributes:
        value: [groups]; NaN where `why` says why.
        spread: what they vary by.
        n: [groups], rows; effective: [groups], how many that is worth, or None where it is the same.
        why: for each group why it has no such number, or None.
        ends: each group's own interval.
        method: how that interval is made.
        joined: whether the interval between two groups joins their own intervals; else it is Welch's.
        shares: whether they are shares of rows, whose ratio has Koopman's interval where groups are independent.
    """

    value: Floats
    spread: Spread
    n: NDArray[np.int64]
    effective: Floats | None
    why: tuple[Message | None, ...]
    ends: Ends
    method: str
    joined: bool = False
    shares: bool = False

    @property
    def place(self) -> NDArray[np.intp]:
        """The groups that have the number."""
        return np.flatnonzero(np.isfinite(self.value))

    @property
    def rows(self) -> Floats:
        """[groups], how many rows stand behind the number, by their worth."""
        return self.n.astype(np.float64) if self.effective is None else self.effective


@dataclass(frozen=True, slots=True)
class Between:
    """The interval of the largest difference, or the smallest ratio, of groups; NaN or infinite where there is none."""

    low: float
    high: float
    method: str


def student(value: Floats, spread: Spread, least: float = -np.inf, most: float = np.inf) -> Ends:
    """v ± t √V, cut to where the number can lie."""

    def ends(level: float) -> tuple[Floats, Floats]:
        half = stdtrit(spread.freedom, (1 + level) / 2) * np.sqrt(spread.variance)
        return np.maximum(value - half, least), np.minimum(value + half, most)

    return ends


def difference(e: Estimates, level: float) -> Between:
    """The interval of highest − lowest of two groups or more; of more it allows for the choice.

    Every pair gets an interval at the level (1 − α)^(1/pairs) [sidak1967], all of which hold together, and the gap's is
    what they allow. Of more than `DENSE` groups every group gets one at (1 − α)^(1/groups) instead.
    """
    place = e.place
    if len(place) > DENSE:
        low, high = _each(e, level)
        return Between(max(0.0, low.max() - high.min()), high.max() - low.min(), f"{e.method}, sidak over groups")
    i, j = place[np.array(np.triu_indices(len(place), 1))]
    swap = e.value[i] < e.value[j]
    i, j = np.where(swap, j, i), np.where(swap, i, j)  # the first is the higher one
    together = level ** (1 / len(i))
    low, high, name = _joined(e, i, j, together) if e.joined else _welch(e, i, j, together)
    if len(place) == 2:
        return Between(float(low[0]), float(high[0]), name)
    return Between(max(0.0, _most(low)), _most(np.maximum(high, -low), np.inf), f"{name}-sidak")


def ratio(e: Estimates, level: float) -> Between:
    """The interval of lowest / highest of groups, on the scale of the logarithm; of shares Koopman's [koopman1984].

    Of more than two groups it allows for the choice, as that of the difference does.
    """
    place = e.place
    if e.shares and e.spread.covariance is None and len(place) <= DENSE:
        return _of_shares(e, level)
    if not (e.value[place] > 0).all():  # the logarithm of 0 is no number
        return Between(np.nan, np.nan, "")
    log = _logarithm(e)
    if len(place) > 2:
        found = difference(log, level)
        return Between(
            float(np.exp(-found.high)), float(np.exp(-found.low)), f"log {found.method.removeprefix('log ')}"
        )
    i, j = (place[[k]] for k in np.argsort(e.value[place], kind="stable"))
    low, high, name = _welch(log, i, j, level)
    return Between(float(np.exp(low[0])), float(np.exp(high[0])), f"log {name}")


def _logarithm(e: Estimates) -> Estimates:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, variance = np.log(e.value), e.spread.variance / e.value**2
    shared = None if e.spread.covariance is None else e.spread.covariance / np.outer(e.value, e.value)
    spread = Spread(variance, e.spread.freedom, shared)
    return Estimates(value, spread, e.n, e.effective, e.why, student(value, spread), f"log {e.method}")


def _of_shares(e: Estimates, level: float) -> Between:
    place, rows, name = e.place, e.rows, e.method.replace("wilson", "koopman")
    two = len(place) == 2
    i, j = place[np.array(np.triu_indices(len(place), 1))]
    if two:
        i, j = (place[[k]] for k in np.argsort(e.value[place], kind="stable"))
    hits = np.nan_to_num(e.value) * rows
    low, high = koopman(hits[i], rows[i], hits[j], rows[j], level ** (1 / len(i)))
    if two:
        return Between(float(low[0]), float(high[0]), name)
    with np.errstate(divide="ignore", invalid="ignore"):
        # two groups that both have share 0 say nothing about each other's ratio: NaN, left out
        near, far = np.nanmin(np.minimum(high, 1 / low)), np.nanmin(np.minimum(low, 1 / high))
    return Between(float(far), float(min(1.0, near)), f"{name}-sidak")


def _welch(e: Estimates, i: NDArray[np.intp], j: NDArray[np.intp], level: float) -> tuple[Floats, Floats, str]:
    """First − second of each pair: d ± t √(V₁ + V₂ − 2C), with Satterthwaite's degrees of freedom [welch1947]."""
    variance, freedom, shared = e.spread.variance, e.spread.freedom, e.spread.covariance
    both = variance[i] + variance[j] - (0.0 if shared is None else 2 * shared[i, j])
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = both**2 / (variance[i] ** 2 / freedom[i] + variance[j] ** 2 / freedom[j])
    if shared is not None:  # clusters that hold rows of both groups: no more freedom than there are
        degrees = np.minimum(freedom[i], freedom[j])
    half = stdtrit(np.where(both > 0, degrees, 1.0), (1 + level) / 2) * np.sqrt(np.maximum(both, 0))
    gap = e.value[i] - e.value[j]
    return gap - half, gap + half, "welch" if shared is None else e.method.removeprefix("log ")


def _joined(e: Estimates, i: NDArray[np.intp], j: NDArray[np.intp], level: float) -> tuple[Floats, Floats, str]:
    """First − second of each pair, from both own intervals by MOVER [zou2008]; with their correlation where known."""
    low, high = e.ends(level)
    gap, rho = e.value[i] - e.value[j], np.zeros(len(i))
    if e.spread.covariance is not None:
        scale = np.sqrt(e.spread.variance[i] * e.spread.variance[j])
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = np.clip(np.nan_to_num(e.spread.covariance[i, j] / scale), -1, 1)

    def half(a: Floats, b: Floats) -> Floats:
        both = np.where(rho == 0, 0.0, 2 * rho * np.where(rho == 0, 0.0, a) * np.where(rho == 0, 0.0, b))
        return np.sqrt(np.maximum(a**2 + b**2 - both, 0))

    down, up = half(e.value[i] - low[i], high[j] - e.value[j]), half(high[i] - e.value[i], e.value[j] - low[j])
    name = "newcombe" if e.method == "wilson" else f"{e.method}, mover"
    return gap - down, gap + up, name


def _each(e: Estimates, level: float) -> tuple[Floats, Floats]:
    """Intervals of the groups that hold together; an end that is not known is infinitely far."""
    low, high = (end[e.place] for end in e.ends(level ** (1 / len(e.place))))
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _most(ends: Floats, unknown: float = -np.inf) -> float:
    return float(np.where(np.isnan(ends), unknown, ends).max())
