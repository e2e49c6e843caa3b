"""How well scores tell classes apart: ROC and AUC. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from .means import Floats, Interval, from_influence, within
from .sampling import Sampling

POINTS = 200  # of a ROC curve that is kept
NOTHING = 1e-9  # a standard error that is only rounding


def auc(
    scores: Floats, positive: NDArray[np.bool_], level: float, sampling: Sampling | None = None
) -> tuple[Interval, str]:
    """Area under the ROC curve, its interval and the interval's name. Both classes must occur.

    DeLong's variance [delong1988] from midranks [sun2014]; where it is 0 (scores part the classes perfectly, or every
    score ties) or a class has a single row, the score interval of [newcombe2006], which is not fooled by that.
    """
    if sampling is not None and not sampling.plain:
        return _drawn_auc(scores, positive, level, sampling)
    value, ten, one = placements(scores, positive)
    m, n = len(ten), len(one)
    variance = _variance(ten) / m + _variance(one) / n if min(m, n) > 1 else 0.0
    if variance <= 0:
        return (value, *newcombe(value, m, n, level)), "newcombe-2006"
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt(variance))
    return within((value, value - half, value + half), 0, 1), "delong"


def _drawn_auc(scores: Floats, positive: NDArray[np.bool_], level: float, sampling: Sampling) -> tuple[Interval, str]:
    """The same of weighted or clustered rows: both classes' errors, or that of clusters with rows of both."""
    value, ten, one = placements(scores, positive, sampling.amount)
    above, below = sampling.only(positive), sampling.only(~positive)
    if sampling.clusters is None:
        error, freedom = float(np.hypot(above.error(ten - value), below.error(one - value))), np.inf
    else:
        influence = np.empty(sampling.n)
        influence[positive] = (ten - value) * sampling.whole / above.whole
        influence[~positive] = (one - value) * sampling.whole / below.whole
        error, freedom = sampling.error(influence), sampling.freedom
    if error < NOTHING or min(above.worth, below.worth) <= 1:
        return (value, *newcombe(value, above.worth, below.worth, level)), f"newcombe-2006{sampling.manner}"
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return within((value, value - half, value + half), 0, 1), f"delong{sampling.manner}"


def mean_auc(scores: Floats, targets: NDArray[np.int64], level: float, sampling: Sampling | None = None) -> Interval:
    """Mean over classes of the AUC of each class [n, classes] against the rest, with its influence over rows.

    For class c with share π: IF = (V₁₀ − A)/π at its rows, (V₀₁ − A)/(1−π) at the others.
    """
    classes = [c for c in range(scores.shape[1]) if 0 < (targets == c).sum() < len(targets)]
    values, influence = [], np.zeros(len(targets))
    for c in classes:
        positive = targets == c
        value, ten, one = placements(scores[:, c], positive, None if sampling is None else sampling.weights)
        values.append(value)
        share = positive.mean() if sampling is None else sampling.mean(positive)
        influence[positive] += (ten - value) / share / len(classes)
        influence[~positive] += (one - value) / (1 - share) / len(classes)
    return within(from_influence(float(np.mean(values)), influence, level, sampling), 0, 1)


def placements(
    scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None
) -> tuple[float, Floats, Floats]:
    """AUC; for each positive the share of negatives below it; for each negative the share of positives above it.

    Ties count one half. Of weighted rows the shares are of weight, and the AUC their weighted mean.
    """
    if weights is not None:
        _, place = np.unique(scores, return_inverse=True)
        hits, misses = np.bincount(place, weights * positive), np.bincount(place, weights * ~positive)
        ten = ((np.cumsum(misses) - misses / 2) / misses.sum())[place][positive]
        one = 1 - ((np.cumsum(hits) - hits / 2) / hits.sum())[place][~positive]
        return float(np.average(ten, weights=weights[positive])), ten, one
    high, low = scores[positive], scores[~positive]
    ranks = midranks(scores)
    ten = (ranks[positive] - midranks(high)) / len(low)
    one = 1 - (ranks[~positive] - midranks(low)) / len(high)
    return float(ten.mean()), ten, one


def midranks(values: Floats) -> Floats:
    """Ranks from 1, tied values sharing the mean of theirs.

    >>> midranks(np.array([0.1, 0.5, 0.5])).tolist()
    [1.0, 2.5, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def roc(scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> tuple[list[float], list[float]]:
    """False and true positive rates at every threshold, thinned to a curve that looks the same."""
    order = np.argsort(-scores, kind="stable")
    amount = np.ones(len(scores)) if weights is None else weights[order]
    hits, misses = amount * positive[order], amount * ~positive[order]
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true, false = (np.concatenate([[0.0], np.cumsum(part)[ends] / part.sum()]) for part in (hits, misses))
    false, true = thinned(false, true)
    return false.tolist(), true.tolist()


def thinned(x: Floats, y: Floats, most: int = POINTS) -> tuple[Floats, Floats]:
    """At most `most` + 1 points of a curve, evenly spaced along it and not along either axis; both ends stay."""
    if len(x) <= most:
        return x, y
    along = np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))
    keep = np.unique(np.concatenate([[0], np.searchsorted(along, np.linspace(0, along[-1], most)) + 1]))
    keep = keep[keep < len(x)]
    return x[keep], y[keep]


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1))


def newcombe(value: float, m: float, n: float, level: float) -> tuple[float, float]:
    """The score interval of an AUC of m positives and n negatives: method 5 of [newcombe2006].

    Where (θ − θ̂)² = z² V(θ), V = θ(1−θ)[1 + (N−1)((1−θ)/(2−θ) + θ/(1+θ))]/(mn), N = (m+n)/2.
    """
    z = float(ndtri((1 + level) / 2))
    grid = np.linspace(0, 1, 20001)
    half = (m + n) / 2 - 1
    variance = grid * (1 - grid) * (1 + half * ((1 - grid) / (2 - grid) + grid / (1 + grid))) / (m * n)
    inside = grid[(grid - value) ** 2 <= z * z * variance + 1e-15]
    return min(float(inside.min()), value), max(float(inside.max()), value)


def precision_recall(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Recall and precision at every threshold, from the highest down. A positive must occur."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[ends]
    return hits / positive.sum(), hits / (ends + 1)


def average_precision(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Σ (R_k − R_k₋₁) P_k over thresholds: the area under the steps of the precision-recall curve [boyd2013].

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])), 4)
    0.8333
    """
    recall, precision = precision_recall(scores, positive)
    return float((np.diff(recall, prepend=0.0) * precision).sum())
