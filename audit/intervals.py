"""Score intervals of shares, their differences and their ratios, over arrays. Loads no torch.

They hold where the textbook's normal interval breaks: near 0 and 1, and in small groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def quantile(level: ArrayLike) -> Floats:
    """Two-sided standard normal quantile: 1.96 at level 0.95."""
    return ndtri((1 + np.asarray(level, float)) / 2)


def wilson(part: ArrayLike, whole: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of a share [wilson1927]: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n). NaN where whole is 0.

    >>> low, high = wilson(81, 263)
    >>> round(float(low), 4), round(float(high), 4)
    (0.2553, 0.3662)
    """
    x, n = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    z = quantile(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x / n
        centre, scale = p + z * z / (2 * n), 1 + z * z / n
        half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (centre - half) / scale, (centre + half) / scale
    # exact at the ends, where rounding would cross them
    low = np.where(x == 0, 0.0, np.minimum(low, p))
    high = np.where(x == n, 1.0, np.maximum(high, p))
    empty = n == 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def newcombe(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of p1 − p2 from two Wilson intervals, method 10 of [newcombe1998].

    L = d − √((p1−l1)² + (u2−p2)²), U = d + √((u1−p1)² + (p2−l2)²).

    >>> low, high = newcombe(56, 70, 48, 80)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    l1, u1 = wilson(x1, n1, level)
    l2, u2 = wilson(x2, n2, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = np.asarray(x1, float) / np.asarray(n1, float), np.asarray(x2, float) / np.asarray(n2, float)
    low = p1 - p2 - np.hypot(p1 - l1, u2 - p2)
    high = p1 - p2 + np.hypot(u1 - p1, p2 - l2)
    return np.maximum(low, -1), np.minimum(high, 1)


def koopman(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Score interval of p1 / p2 [koopman1984]: the T whose chi-square Σ (x−nP)²/(nP(1−P)) is at most z².

    P2 is the smaller root of N·T·P² − (n1·T + x1 + n2 + x2·T)·P + x1 + x2 = 0 and P1 = T·P2: the likeliest shares whose
    ratio is T. The low end is 0 where x1 = 0; the high end is infinite where x2 = 0; NaN where both are 0 or a group is
    empty.

    >>> low, high = koopman(7, 34, 1, 34)
    >>> round(float(low), 6), round(float(high), 6)
    (1.220853, 42.575718)
    """
    x1, n1, x2, n2 = (a.astype(float) for a in np.broadcast_arrays(x1, n1, x2, n2))
    undefined = (n1 == 0) | (n2 == 0) | ((x1 == 0) & (x2 == 0))
    x1, n1, x2, n2 = (np.where(undefined, 1.0, a) for a in (x1, n1, x2, n2))
    limit = quantile(level) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # the chi-square falls to 0 at the observed ratio and rises on both sides; both ends are found in log T
        start = np.log(np.where(x1 == 0, 0.5, x1) / n1) - np.log(np.where(x2 == 0, 0.5, x2) / n2)
        low = np.exp(_cross(x1, n1, x2, n2, limit, start, -1.0))
        high = np.exp(_cross(x1, n1, x2, n2, limit, start, 1.0))
        observed = (x1 / n1) / (x2 / n2)
    low = np.where(x1 == 0, 0.0, np.minimum(low, observed))
    high = np.where(x2 == 0, np.inf, np.maximum(high, observed))
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def _cross(x1: Floats, n1: Floats, x2: Floats, n2: Floats, limit: Floats, start: Floats, side: float) -> Floats:
    """Where the chi-square reaches the limit on one side of `start`, in log T: bracketed by doubling, then halved."""
    inner, step = start.copy(), np.full_like(start, 0.5)
    for _ in range(12):  # e^(0.5·2^12) is beyond any ratio of counts
        inside = _chi_square(np.exp(inner + side * step), x1, n1, x2, n2) < limit
        if not inside.any():
            break
        inner, step = np.where(inside, inner + side * step, inner), np.where(inside, step * 2, step)
    for _ in range(60):
        step = step / 2
        inside = _chi_square(np.exp(inner + side * step), x1, n1, x2, n2) < limit
        inner = np.where(inside, inner + side * step, inner)
    return inner


def _chi_square(ratio: Floats, x1: Floats, n1: Floats, x2: Floats, n2: Floats) -> Floats:
    a, b, c = (n1 + n2) * ratio, n1 * ratio + x1 + n2 + x2 * ratio, x1 + x2
    p2 = 2 * c / (b + np.sqrt(np.maximum(b * b - 4 * a * c, 0)))  # the smaller root, without cancellation
    p1 = ratio * p2
    return _deviation(x1, n1, p1) + _deviation(x2, n2, p2)


def _deviation(x: Floats, n: Floats, p: Floats) -> Floats:
    # at p = 0 or 1 the deviation is 0 where the data agree and infinite where not
    variance = n * p * (1 - p)
    gap = (x - n * p) ** 2
    return np.where(variance > 1e-300, gap / np.maximum(variance, 1e-300), np.where(gap > 1e-9, np.inf, 0.0))
