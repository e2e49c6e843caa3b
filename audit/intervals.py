"""Score intervals of shares, their differences and their ratios, over arrays. Loads no torch.

They hold where the textbook's normal interval breaks: near 0 and 1, and in small groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

Floats = NDArray[np.float64]


def quantile(level: ArrayLike) -> Floats:
    """Two-sided standard normal quantile: 1.96 at level 0.95."""
    return ndtri((1 + np.asarray(level, float)) / 2)


def wilson(part: ArrayLike, whole: ArrayLike, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
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


def newcombe(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: ArrayLike = 0.95
) -> tuple[Floats, Floats]:
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


def koopman(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: ArrayLike = 0.95, *, correct: bool = False
) -> tuple[Floats, Floats]:
    """Score interval of p1 / p2 [koopman1984]: the T whose chi-square Σ (x−nP)²/(nP(1−P)) is at most z².

    With `correct`, the variance is that of [miettinen1985], N / (N − 1) times as large.

    At the likeliest P1 and P2 whose ratio is T, w = (x2 − n2 P2)/(1 − P2) is also −(x1 − n1 P1)/(1 − P1), so that
    P1 = (x1 + w)/(n1 + w), P2 = (x2 − w)/(n2 − w) and chi-square = w² (a/(x1 + w) + b/(x2 − w)) with a and b
    the shares of failures: a convex function of w whose two ends are found by Newton's steps. The low end is 0 where
    x1 = 0; the high end is infinite where x2 = 0; NaN where both are 0 or a group is empty.

    >>> low, high = koopman(7, 34, 1, 34)
    >>> round(float(low), 6), round(float(high), 6)
    (1.220853, 42.575718)
    """
    x1, n1, x2, n2, level = (np.asarray(a, float) for a in np.broadcast_arrays(x1, n1, x2, n2, level))
    undefined = (n1 == 0) | (n2 == 0) | ((x1 == 0) & (x2 == 0))
    x1, n1, x2, n2 = (np.where(undefined, 1.0, a) for a in (x1, n1, x2, n2))
    total = n1 + n2
    limit = quantile(level) ** 2 * (total / (total - 1) if correct else 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        observed = (x1 / n1) / (x2 / n2)
        # the low end is the high end of the ratio the other way about, turned over
        ends = _furthest(*(np.stack(both) for both in ((x1, x2), (n1, n2), (x2, x1), (n2, n1), (limit, limit))))
        low, high = np.minimum(1 / ends[1], observed), np.maximum(ends[0], observed)
    low, high = np.where(x1 == 0, 0.0, low), np.where(x2 == 0, np.inf, high)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def _furthest(x1: Floats, n1: Floats, x2: Floats, n2: Floats, limit: Floats) -> Floats:
    """The largest ratio p1 / p2 that the chi-square allows."""
    a, b = (n1 - x1) / n1, (n2 - x2) / n2
    # where the second group has no failures w cannot pass x2: beyond, P2 alone falls
    stuck = (x2 / (x1 + x2) * x2 * a <= limit) & (b == 0)
    w = _reached(x1, x2, a, b, limit)
    first, second = (x1 + w) / (n1 + w), (x2 - w) / (n2 - w)
    ceiling = (x1 + n2) / (n1 + n2)
    left = limit - n2**2 * a / (x1 + n2)
    return np.where(stuck, ceiling * (1 + left / n2), first / np.where(b == 0, 1.0, second))


def _reached(x1: Floats, x2: Floats, a: Floats, b: Floats, limit: Floats) -> Floats:
    """The w in [0, x2] with w² (a / (x1 + w) + b / (x2 − w)) = limit, or x2: Newton's steps kept in a bracket.

    Solved as √limit = w √(a / (x1 + w) + b / (x2 − w)), which is nearly straight until close to x2.
    """
    low, high = np.zeros_like(x1), x2.copy()
    root = np.sqrt(limit)
    slope = np.sqrt(a / np.maximum(x1, 0.5) + b / np.maximum(x2, 0.5))
    w = np.minimum(root / np.where(slope > 0, slope, 1.0), x2 * 0.9)
    w = np.where(np.isfinite(w), w, x2 / 2)
    for turn in range(60):
        up, down = x1 + w, x2 - w
        s = np.sqrt(a / up + b / down)
        error = w * s - root
        high, low = np.where(error > 0, w, high), np.where(error > 0, low, w)
        step = error / (s + w * (b / down**2 - a / up**2) / (2 * s))
        next_ = w - step
        inside = (next_ >= low) & (next_ <= high)
        moved = np.where(inside, next_, (low + high) / 2)
        # the error after a step is about the square of that before it
        done = np.abs(moved - w) <= 1e-10 * np.minimum(moved, np.where(b == 0, x2, x2 - moved))
        w = moved
        if done.all():
            break
        if turn == 8 and done.mean() > 0.5:  # the few that are slow go on alone
            late = ~done
            w[late] = _reached(x1[late], x2[late], a[late], b[late], limit[late])
            break
    return w


def score_difference(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: ArrayLike = 0.95, *, correct: bool = True
) -> tuple[Floats, Floats]:
    """Score interval of p1 − p2: the D with |d − D| ≤ z √V, V at the likeliest shares that differ by D.

    Args:
        correct: with the factor N / (N − 1) on V [miettinen1985]; without it the interval is [mee1984]'s.

    >>> [round(float(end), 4) for end in score_difference(56, 70, 48, 80)]
    [0.0528, 0.3382]
    """
    x1, n1, x2, n2, level = (np.asarray(a, float) for a in np.broadcast_arrays(x1, n1, x2, n2, level))
    z = quantile(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = x1 / n1 - x2 / n2
        factor = (n1 + n2) / (n1 + n2 - 1) if correct else np.ones_like(d)
        ends = []
        for side in (-1.0, 1.0):
            inner, outer = d.copy(), np.full_like(d, side)
            for _ in range(55):  # the score falls with D: halved until no double lies between
                middle = (inner + outer) / 2
                p2 = _restricted(x1, n1, x2, n2, middle)
                p1 = p2 + middle
                variance = np.maximum(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2, 0) * factor
                inside = np.abs(d - middle) <= z * np.sqrt(variance)
                inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
            ends.append(inner)
        # at the very ends of the scale nothing is left to halve
        ends = [np.where(np.abs(end - side) < 1e-12, side, end) for end, side in zip(ends, (-1.0, 1.0), strict=True)]
    empty = (n1 == 0) | (n2 == 0)
    return np.where(empty, np.nan, ends[0]), np.where(empty, np.nan, ends[1])


def _restricted(x1: Floats, n1: Floats, x2: Floats, n2: Floats, gap: Floats) -> Floats:
    """The likeliest P2 where P1 = P2 + gap: the root of a cubic, in closed form [farrington1990]."""
    n, c = n1 + n2, x1 + x2
    l2 = (n1 + 2 * n2) * gap - n - c
    l1 = (n2 * gap - n - 2 * x2) * gap + c
    l0 = x2 * gap * (1 - gap)
    q = l2**3 / (3 * n) ** 3 - l1 * l2 / (6 * n**2) + l0 / (2 * n)
    s = np.where(q >= 0, 1.0, -1.0) * np.sqrt(np.maximum(l2**2 / (3 * n) ** 2 - l1 / (3 * n), 0))
    angle = (np.pi + np.arccos(np.clip(np.where(s == 0, 0.0, q / np.where(s == 0, 1.0, s**3)), -1, 1))) / 3
    p2 = 2 * s * np.cos(angle) - l2 / (3 * n)
    return np.clip(p2, np.maximum(0.0, -gap), np.minimum(1.0, 1 - gap))


def agresti_caffo(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: ArrayLike = 0.95
) -> tuple[Floats, Floats]:
    """Interval of p1 − p2 after adding a success and a failure to each group [agresti2000].

    >>> [round(float(end), 8) for end in agresti_caffo(7, 34, 1, 34)]
    [0.01161167, 0.32172166]
    """
    p1, m1 = (np.asarray(x1, float) + 1) / (np.asarray(n1, float) + 2), np.asarray(n1, float) + 2
    p2, m2 = (np.asarray(x2, float) + 1) / (np.asarray(n2, float) + 2), np.asarray(n2, float) + 2
    half = quantile(level) * np.sqrt(p1 * (1 - p1) / m1 + p2 * (1 - p2) / m2)
    return np.maximum(p1 - p2 - half, -1), np.minimum(p1 - p2 + half, 1)


def log_ratio(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, level: ArrayLike = 0.95, *, add: float = 0.0
) -> tuple[Floats, Floats]:
    """Normal interval of log(p1 / p2) as ratios [katz1978]; `add=0.5` to every count is the adjusted one [walter1975].

    Without the addition both ends are NaN where a group has no successes.

    >>> [round(float(end), 3) for end in log_ratio(7, 34, 1, 34, add=0.5)]
    [0.924, 27.052]
    """
    x1, n1, x2, n2 = (np.asarray(a, float) + add for a in (x1, n1, x2, n2))
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.log(x1 / n1) - np.log(x2 / n2)
        half = quantile(level) * np.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
        return np.exp(middle - half), np.exp(middle + half)


def jeffreys(part: ArrayLike, whole: ArrayLike, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
    """Equal-tailed credible interval of a share from Beta(x + ½, n − x + ½) [brown2001]; NaN where whole is 0.

    The low end is 0 where x = 0 and the high end 1 where x = n, so that it holds the share observed. It is the margin
    of a Dirichlet(½) posterior over two cells.

    >>> [round(float(end), 4) for end in jeffreys(4, 5)]
    [0.3714, 0.9775]
    """
    x, n = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    tail = (1 - np.asarray(level, float)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x / n
        low = np.where(x == 0, 0.0, np.minimum(betaincinv(x + 0.5, n - x + 0.5, tail), p))
        high = np.where(x == n, 1.0, np.maximum(betaincinv(x + 0.5, n - x + 0.5, 1 - tail), p))
    empty = n == 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
