"""How far groups truly differ: the spread of their numbers with what sampling adds taken out. Loads no torch.

Estimates of groups that are all alike differ too, so what is seen is more than what is true [lum2022]. The interval
asks which true spreads would make a spread as seen neither too small nor too large to be believed. It is no bootstrap:
a draw varies around estimates that vary already, and taking that off twice holds a small true spread 98 to 100 times in
a hundred where 95 were asked for (`benchmarks/coverage.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chndtr, ndtr

from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.shares import Shares
from .bands import Resampled

ORDERS = np.arange(1, 5)  # of the cumulants that are matched
FURTHEST = 12.0  # in logarithms: spreads so much smaller or larger than what is seen are looked at
LARGE = 1e8  # degrees of freedom and noncentrality from which on a chi-square is normal


def of_shares(share: Shares, place: NDArray[np.intp], drawn: Resampled | None, common: dict[str, Any]) -> Measure:
    """The debiased spread of a share across the groups at `place`, at least two."""
    rate, n = share.value[place], share.effective[place]
    if n.min() < 2:
        return undefined(Message("too_few_rows", {"n": int(n.min()), "needed": 2}), **common)
    variance = spread(rate, n)
    value = float(np.sqrt(max(0.0, variance)))
    details = {"variance": variance, "observed": float(rate.std(ddof=1))}
    shared = drawn is not None and share.suffix == "-cluster"
    low, high = ends(rate, _apart(drawn) if drawn is not None and shared else _sampled(rate, n), common["level"])
    method = "variance less its expectation from sampling, noncentral chi-square"
    return Measure(
        value=value,
        low=min(low, value),
        high=max(high, value) if np.isfinite(high) else None,
        method=method,
        details=details,
        **common,
    )


def spread(rate: Floats, n: Floats) -> float:
    """The variance of the groups' true rates, S²(r) − mean r (1 − r) / (n − 1) [lum2022]: no bias; may be negative.

    >>> round(spread(np.array([0.2, 0.4]), np.array([11.0, 11.0])), 6)
    0.0
    """
    return float(rate.var(ddof=1) - (rate * (1 - rate) / (n - 1)).mean())


def ends(values: Floats, variance: Floats, level: float) -> tuple[float, float]:
    """The standard deviations between the groups' true numbers at which what is seen is just not surprising.

    What is seen, Q = Σ (x − x̄)², may be too small with chance a and too large with chance 1 − level − a. The share a
    grows from 0, where the truth has no spread, towards half: so the lower end is above 0 exactly where a test at that
    level finds the groups unlike. A spread smaller than chance makes on average is read as that average, for it tells
    no more against a true spread than being alike does. Of equal variances Q is noncentral chi-square exactly.

    Args:
        values: [groups] as seen, at least two; variance: [groups] of each by itself, above 0.
    """
    unit = float(np.sqrt(variance.mean()))  # in which no number is too small for a root to be told
    seen = Seen(values / unit, variance / unit**2)
    surprise, noise = 1 - level, float(seen.chance[0])

    def tail(truth: Truth) -> float:
        return surprise / 2 * truth.signal / (truth.signal + noise)

    def too_large(truth: Truth) -> float:
        return seen.below(seen.size, truth) - (1 - surprise) - tail(truth)

    def too_small(truth: Truth) -> float:
        return seen.below(max(seen.size, noise), truth) - tail(truth)

    alike = Truth(0.0, np.zeros(len(ORDERS)))
    low = seen.solved(too_large) if too_large(alike) > 0 else 0.0
    return low * unit, seen.solved(too_small) * unit


@dataclass(frozen=True, slots=True)
class Truth:
    """True numbers of groups: their Σ (μ − μ̄)², and what they add to the cumulants of what is seen."""

    signal: float
    cumulants: Floats


@dataclass(frozen=True)
class Seen:
    """Numbers of independent groups, and how likely they spread so little given the truth.

    Attributes:
        values: [groups]; variance: [groups], V.
    """

    values: Floats
    variance: Floats

    @cached_property
    def size(self) -> float:
        """Σ (x − x̄)²"""
        return float(((self.values - self.values.mean()) ** 2).sum())

    @cached_property
    def chance(self) -> Floats:
        """[4] tr (CV)ᵏ with C = I − 11ᵀ/G: the cumulants of Σ (x − x̄)² of groups that are alike, but for a factor."""
        g = len(self.values)
        a, b, c, d = ((self.variance**k).sum() for k in ORDERS)
        return np.array(
            [
                a - a / g,
                b - 2 * b / g + (a / g) ** 2,
                c - 3 * c / g + 3 * a * b / g**2 - (a / g) ** 3,
                d - 4 * d / g + (4 * a * c + 2 * b**2) / g**2 - 4 * a**2 * b / g**3 + (a / g) ** 4,
            ]
        )

    def solved(self, surprise: Callable[[Truth], float]) -> float:
        """The true standard deviation where a surprise, above 0 for small ones, is 0."""
        # groups with the same number and the same largest variance tell of no direction in which truth might lie
        at = next((each for each in (self.truth, self._scaled) if surprise(each(FURTHEST)) < 0), None)
        if at is None or surprise(at(-FURTHEST)) <= 0:
            return 0.0 if at is not None else float("inf")
        root: Any = brentq(lambda far: surprise(at(far)), -FURTHEST, FURTHEST, xtol=1e-9)
        return float(np.sqrt(at(root).signal / (len(self.values) - 1)))

    def truth(self, far: float) -> Truth:
        """The likeliest truth whose spread is so much smaller or larger than what is seen; at 0 it is what is seen.

        Which groups stand apart says how surely the spread is known. Of what is seen, the part that chance would make
        speaks of no group, so that part of the cumulants is the mean over all directions.
        """
        scale, known = float(np.exp(far)), max(0.0, 1 - self.chance[0] / self.size) if self.size else 0.0
        if not known:
            return self._scaled(far)
        # the least Σ (x − μ)² / V for a given spread: (μ − m) (1 − pull · V) = x − m
        give = 1 / (1 - (1 - 1 / scale) / self._steepest * self.variance)
        apart = (self.values - np.average(self.values, weights=give)) * give
        signal, moved = float(apart @ apart), apart
        own = np.empty(len(ORDERS))
        for order in ORDERS:
            own[order - 1] = order * (moved @ apart)
            moved = self.variance * moved
            moved = moved - moved.mean()
        mixed = known * own + (1 - known) * self._anywhere(signal).cumulants
        return Truth(signal, np.asarray(mixed, np.float64))

    def _scaled(self, far: float) -> Truth:
        return self._anywhere(max(self.size, float(self.chance[0])) * float(np.exp(2 * far)))

    def _anywhere(self, signal: float) -> Truth:
        before = np.append(1.0, self.chance[:-1] / (len(self.values) - 1))
        return Truth(signal, np.asarray(ORDERS * before * signal, np.float64))

    @cached_property
    def _steepest(self) -> float:
        """The largest eigenvalue of CV: the spread of the likeliest truth grows without end as 1/pull nears it."""
        second, first = np.sort(self.variance)[-2:]
        gap = first - second
        if gap <= 1e-9 * first:
            return float(first)
        root: Any = brentq(lambda x: (1 / (x - self.variance)).sum(), second + 1e-10 * gap, first - 1e-10 * gap)
        return float(root)

    def below(self, size: float, truth: Truth) -> float:
        """The chance of at most so large a Σ (x − x̄)²: the noncentral chi-square with its cumulants [liu2009]."""
        first, second, third, fourth = self.chance + truth.cumulants
        skew, tails = third / second**1.5, fourth / second**2
        gap = skew**2 - tails
        scale = 1 / (skew - np.sqrt(gap)) if gap > 1e-9 * tails else 1 / skew
        centre = max(0.0, skew * scale**3 - scale**2) if gap > 1e-9 * tails else 0.0
        z = (size - first) / np.sqrt(second)
        if scale**2 > LARGE:
            return float(ndtr(z / np.sqrt(2)))
        freedom = scale**2 - 2 * centre
        place = z * scale + freedom + centre
        return float(chndtr(place, freedom, centre)) if place > 0 else 0.0


def _sampled(rate: Floats, n: Floats) -> Floats:
    """[groups] the variance of each rate, from rates kept off 0 and 1 by half a row."""
    inside = (rate * n + 0.5) / (n + 1)
    return inside * (1 - inside) / n


def _apart(drawn: Resampled) -> Floats:
    """[groups] the same from draws of clusters, less what moves two groups together: it sets none apart."""
    own, groups = drawn.spread**2, len(drawn.spread)
    both = groups**2 * drawn.draws.mean(1, dtype=np.float64).var() - own.sum()
    return less_common(own, float(both / (groups * (groups - 1))))


def less_common(variance: Floats, common: float) -> Floats:
    """[groups] variances less the mean covariance of two groups, of which each keeps a thousandth at least."""
    return np.maximum(variance - common, 1e-3 * variance)
