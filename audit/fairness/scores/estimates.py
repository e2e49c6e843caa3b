"""What the scores of each group come to, with intervals from influence functions over rows or clusters. No torch.

Every number here is a smooth function of weighted sums over rows. Its influence function [hampel1974] says how much
each row moves it; the sum of their squares, within clusters where rows hang together, is its variance. Unweighted and
unclustered, that of an AUC is DeLong's and that of a mean Student's, to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from ... import discrimination
from ...intervals import Floats, wilson
from .steps import NEGATIVE, POSITIVE, Steps

Ends = Callable[[float], tuple[Floats, Floats]]
NOTHING = 1e-9  # a standard error that is only rounding
LABELLED = (NEGATIVE, POSITIVE)
ALL = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number of every group.

    Attributes:
        value: [groups], NaN where it has none.
        ends: from a level to low and high [groups], not cut to where the number can lie.
        methods: [groups] how each interval is made.
        needs: of what kinds of row each needs some: (what they are called, truths).
        least, most: where the number can lie.
        covariance: [groups, groups], where groups share clusters; None where groups are independent.
        details: what else a reader needs, for each group.
    """

    metric: str
    value: Floats
    ends: Ends
    methods: tuple[str, ...]
    needs: tuple[tuple[str, tuple[int, ...]], ...]
    least: float = 0.0
    most: float = 1.0
    covariance: Floats | None = None
    details: tuple[dict[str, Any], ...] = field(default=())


def auc(steps: Steps) -> Estimate:
    """Area under the ROC curve of each group: DeLong's variance [delong1988] [sun2014], else [newcombe2006]."""
    totals = steps.total(steps.sums)
    above, below = steps.spread(totals), steps.below(steps.sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        ten = (below[:, NEGATIVE] + steps.sums[:, NEGATIVE] / 2) / above[:, NEGATIVE]
        one = 1 - (below[:, POSITIVE] + steps.sums[:, POSITIVE] / 2) / above[:, POSITIVE]
        value = steps.total(steps.sums[:, POSITIVE] * ten) / totals[:, POSITIVE]
        centre = steps.spread(value)
        influence = np.zeros(steps.sums.shape)
        influence[:, POSITIVE] = (ten - centre) / above[:, POSITIVE]
        influence[:, NEGATIVE] = (one - centre) / above[:, NEGATIVE]
    value = np.where((totals[:, NEGATIVE] > 0) & (totals[:, POSITIVE] > 0), value, np.nan)
    error, covariance = _error(steps, np.nan_to_num(influence), LABELLED, apart=True)
    worth = np.stack([steps.worth((truth,)) for truth in LABELLED])
    weak = (error < NOTHING) | (worth.min(0) <= 1)

    def fallback(level: float, k: int) -> tuple[float, float]:
        return discrimination.newcombe(float(value[k]), worth[POSITIVE, k], worth[NEGATIVE, k], level)

    ends = _wald(value, error, _freedom(steps, LABELLED, inf=True), weak, fallback)
    needs = (("positives", (POSITIVE,)), ("negatives", (NEGATIVE,)))
    return Estimate("auc", value, ends, _named(steps, "delong", weak, "newcombe-2006"), needs, covariance=covariance)


def average_precision(steps: Steps) -> Estimate:
    """Area under the precision-recall steps of each group, its interval made on the logit scale [boyd2013].

    With T(s) and N(s) the weights of positives and of all rows that score at least s, AP = Σ₊ w T/N / W₊, so a row at s
    moves it by [1₊ (T/N − AP) + Σ₊, s' ≤ s  w (1₊ N − T)/N²] / W₊.
    """
    positive, labelled = steps.sums[:, POSITIVE], steps.sums[:, NEGATIVE] + steps.sums[:, POSITIVE]
    totals = steps.total(positive)
    hits = steps.spread(totals) - steps.below(positive)
    chosen = steps.spread(steps.total(labelled)) - steps.below(labelled)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(chosen > 0, np.minimum(hits / chosen, 1), 0.0)
        each = np.where(chosen > 0, positive / chosen, 0.0)
        value = np.where(totals > 0, steps.total(positive * share) / totals, np.nan)
        gained, lost = (steps.below(x) + x for x in (each, each * share))
        influence = np.zeros(steps.sums.shape)
        influence[:, POSITIVE] = (share - steps.spread(value) + gained - lost) / steps.spread(totals)
        influence[:, NEGATIVE] = -lost / steps.spread(totals)
    error, covariance = _error(steps, np.nan_to_num(influence), LABELLED)
    worth = steps.worth((POSITIVE,))
    weak = (error < NOTHING) | (worth <= 1) | (value >= 1 - NOTHING) | (value <= NOTHING)
    freedom = _freedom(steps, LABELLED, inf=True)

    def ends(level: float) -> tuple[Floats, Floats]:
        with np.errstate(divide="ignore", invalid="ignore"):
            half = stdtrit(freedom, (1 + level) / 2) * error / (value * (1 - value))
            low, high = expit(logit(value) - half), expit(logit(value) + half)
        flat = wilson(np.nan_to_num(value) * worth, worth, level)
        return np.where(weak, flat[0], low), np.where(weak, flat[1], high)

    needs = (("positives", (POSITIVE,)),)
    methods = _named(steps, "influence function, logit", weak, "wilson over positives")
    return Estimate("average_precision", value, ends, methods, needs, covariance=covariance)


def mean_score(steps: Steps) -> Estimate:
    """Mean score of each group, over all rows whether they have a label or not."""
    return _mean("mean_score", steps, np.repeat(steps.score[:, None], 3, 1), ALL, 0, 1)


def brier_score(steps: Steps) -> Estimate:
    """Mean of (score − truth)² of each group [brier1950]."""
    truth = np.array([0.0, 1.0, 0.0])
    return _mean("brier_score", steps, (steps.score[:, None] - truth) ** 2, LABELLED, 0, 1)


def calibration_in_the_large(steps: Steps) -> Estimate:
    """Mean score less base rate of each group.

    In a group where every label is the same the labels seem not to vary; there the intervals of the two parts, the
    second one Wilson's, are joined by MOVER [zou2008].
    """
    truth = np.array([0.0, 1.0, 0.0])
    found = _mean("calibration_in_the_large", steps, steps.score[:, None] - truth, LABELLED, -1, 1)
    totals, worth = steps.total(steps.sums), steps.worth(LABELLED)
    alone = (totals[:, NEGATIVE] <= 0) | (totals[:, POSITIVE] <= 0)
    scores = _mean("", steps, np.repeat(steps.score[:, None], 3, 1), LABELLED, 0, 1)
    base = (totals[:, POSITIVE] > 0).astype(float)

    def ends(level: float) -> tuple[Floats, Floats]:
        (low, high), (least, most) = found.ends(level), scores.ends(level)
        rate = wilson(base * worth, worth, level)
        down, up = np.hypot(scores.value - least, rate[1] - base), np.hypot(most - scores.value, base - rate[0])
        return np.where(alone, found.value - down, low), np.where(alone, found.value + up, high)

    methods = tuple("mover, wilson" if one else name for one, name in zip(alone, found.methods, strict=True))
    return Estimate(found.metric, found.value, ends, methods, found.needs, -1, 1, found.covariance)


def _mean(metric: str, steps: Steps, values: Floats, truths: tuple[int, ...], least: float, most: float) -> Estimate:
    """The mean of values [steps, 3] over rows of some truths, with Student's interval.

    Where all rows are alike the interval says how many unlike ones could have been missed: at most a share
    q = 1 − (1 − level)^(1/n), and those may be anywhere between `least` and `most`.
    """
    kept = np.isin(np.arange(3), truths)
    whole = steps.total(steps.sums[:, kept]).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(whole > 0, steps.total((steps.sums * values)[:, kept]).sum(1) / whole, np.nan)
        influence = np.where(kept, (values - steps.spread(value)[:, None]) / steps.spread(whole)[:, None], 0.0)
    error, covariance = _error(steps, np.nan_to_num(influence), truths)
    worth = steps.worth(truths)
    weak = (error < NOTHING) | (worth <= 1)

    def fallback(level: float, k: int) -> tuple[float, float]:
        missed = 1 - (1 - level) ** (1 / max(worth[k], 1e-9))
        return float(value[k] - missed * (value[k] - least)), float(value[k] + missed * (most - value[k]))

    ends = _wald(value, error, _freedom(steps, truths), weak, fallback)
    needs = (("rows" if len(truths) == 3 else "labelled rows", truths),)
    return Estimate(metric, value, ends, _named(steps, "student-t", weak, "all alike"), needs, least, most, covariance)


def _error(
    steps: Steps, influence: Floats, truths: tuple[int, ...], apart: bool = False
) -> tuple[Floats, Floats | None]:
    """[groups] standard errors from influences [steps, 3] of a unit of weight; covariances where there are clusters.

    n/(n − 1) makes up for the value having been taken from the same rows: of each class by itself where `apart`.
    """
    if steps.members is not None:
        return _clustered(steps, influence)
    squares, rows = (steps.total(part)[:, list(truths)] for part in (steps.squares * influence**2, steps.rows))
    if not apart:
        squares, rows = squares.sum(1, keepdims=True), rows.sum(1, keepdims=True)
    return np.sqrt((squares * rows / np.maximum(rows - 1, 1)).sum(1)), None


def _clustered(steps: Steps, influence: Floats) -> tuple[Floats, Floats]:
    from scipy.sparse import csr_array

    rows = steps.members
    assert rows is not None
    first = np.flatnonzero(np.diff(rows.unit, prepend=-1))
    cluster, shape = rows.cluster[first], (int(rows.cluster.max(initial=0)) + 1, steps.groups)
    sums = csr_array((rows.sums(rows.weight * influence[rows.step, rows.truth]), (cluster, rows.group)), shape=shape)
    seen = rows.clusters(ALL, steps.groups)
    scale = np.sqrt(seen / np.maximum(seen - 1, 1))
    covariance = (sums.T @ sums).toarray() * scale[:, None] * scale
    return np.sqrt(np.diag(covariance)), covariance


def _freedom(steps: Steps, truths: tuple[int, ...], inf: bool = False) -> Floats:
    """[groups] degrees of freedom of Student's distribution."""
    if steps.members is not None:
        return np.maximum(steps.members.clusters(truths, steps.groups) - 1, 1)
    return np.full(steps.groups, np.inf) if inf else np.maximum(steps.worth(truths) - 1, 1)


def _wald(
    value: Floats,
    error: Floats,
    freedom: Floats,
    weak: NDArray[np.bool_],
    fallback: Callable[[float, int], tuple[float, float]],
) -> Ends:
    """value ± t · error; another interval where the error says nothing."""

    def ends(level: float) -> tuple[Floats, Floats]:
        half = stdtrit(freedom, (1 + level) / 2) * error
        low, high = value - half, value + half
        for k in np.flatnonzero(weak & np.isfinite(value)):
            low[k], high[k] = fallback(level, int(k))
        return low, high

    return ends


def _named(steps: Steps, name: str, weak: NDArray[np.bool_], other: str) -> tuple[str, ...]:
    suffix = "-cluster" if steps.members is not None else "-weighted" if steps.weighted else ""
    return tuple((other if w else name) + suffix for w in weak)
