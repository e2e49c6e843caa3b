"""Means and what follows from them, with intervals over rows. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]  # value, low, high


def mean(values: Floats, level: float) -> Interval:
    """Mean of two or more values with Student's interval: x̄ ± t √(s²/n).

    >>> [round(x, 3) for x in mean(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, -0.484, 4.484]
    """
    n = len(values)
    centre = float(values.mean())
    half = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n))
    return centre, centre - half, centre + half


def from_influence(value: float, influence: Floats, level: float) -> Interval:
    """A statistic with the interval of its influence function over rows: v ± t √(Σ IF² / n²) [hampel1974]."""
    n = len(influence)
    half = float(stdtrit(n - 1, (1 + level) / 2) * np.sqrt((influence**2).sum()) / n)
    return value, value - half, value + half


def root(interval: Interval) -> Interval:
    """The square root of a mean that cannot be negative."""
    value, low, high = (float(np.sqrt(max(x, 0.0))) for x in interval)
    return value, low, high


def within(interval: Interval, least: float, most: float = np.inf) -> Interval:
    """The interval cut to where the statistic can lie."""
    value, low, high = interval
    return value, max(low, least), min(high, most)


def together(parts: list[Interval]) -> Interval:
    """The mean of independent estimates, their intervals joined by MOVER [zou2008].

    L = v̄ − √(Σ (vᵢ − lᵢ)²)/k, U = v̄ + √(Σ (uᵢ − vᵢ)²)/k.
    """
    values, lows, highs = (np.array(column) for column in zip(*parts, strict=True))
    k = len(parts)
    centre = float(values.mean())
    low = centre - float(np.sqrt(((values - lows) ** 2).sum())) / k
    return centre, low, centre + float(np.sqrt(((highs - values) ** 2).sum())) / k
