"""Means and what follows from them, with intervals over rows. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from .sampling import Sampling

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]  # value, low, high


def mean(values: Floats, level: float, sampling: Sampling | None = None) -> Interval:
    """Mean of two or more values with Student's interval: x̄ ± t √(s²/n).

    Of weighted rows x̄ = Σ w x / Σ w, whose influence is x − x̄; of a single cluster there is no interval, but NaN.

    >>> [round(x, 3) for x in mean(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, -0.484, 4.484]
    """
    if sampling is not None and not sampling.plain:
        centre = sampling.mean(values)
        return _influenced(centre, values - centre, level, sampling)
    n = len(values)
    centre = float(values.mean())
    half = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n))
    return centre, centre - half, centre + half


def from_influence(value: float, influence: Floats, level: float, sampling: Sampling | None = None) -> Interval:
    """A statistic with the interval of its influence function over rows: v ± t √(Σ IF² / n²) [hampel1974]."""
    if sampling is not None and not sampling.plain:
        return _influenced(value, influence, level, sampling)
    n = len(influence)
    half = float(stdtrit(n - 1, (1 + level) / 2) * np.sqrt((influence**2).sum()) / n)
    return value, value - half, value + half


def _influenced(value: float, influence: Floats, level: float, sampling: Sampling) -> Interval:
    """v ± t · error, with the degrees of freedom of the rows or clusters; NaN where a single one tells no error."""
    if sampling.units < 2:
        return value, float("nan"), float("nan")
    half = float(stdtrit(sampling.freedom, (1 + level) / 2)) * sampling.error(influence)
    return value, value - half, value + half


def root(interval: Interval) -> Interval:
    """The square root of a mean that cannot be negative."""
    value, low, high = (float(np.sqrt(np.maximum(x, 0.0))) for x in interval)
    return value, low, high


def within(interval: Interval, least: float, most: float = np.inf) -> Interval:
    """The interval cut to where the statistic can lie; NaN, no end, stays."""
    value, low, high = interval
    return value, float(np.maximum(low, least)), float(np.minimum(high, most))


def together(parts: list[Interval]) -> Interval:
    """The mean of independent estimates, their intervals joined by MOVER [zou2008].

    L = v̄ − √(Σ (vᵢ − lᵢ)²)/k, U = v̄ + √(Σ (uᵢ − vᵢ)²)/k.
    """
    values, lows, highs = (np.array(column) for column in zip(*parts, strict=True))
    k = len(parts)
    centre = float(values.mean())
    low = centre - float(np.sqrt(((values - lows) ** 2).sum())) / k
    return centre, low, centre + float(np.sqrt(((highs - values) ** 2).sum())) / k
