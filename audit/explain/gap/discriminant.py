"""How well one number, or a few columns, tell two groups apart. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ... import discrimination, means

Floats = NDArray[np.float64]
PENALTIES = 10.0 ** np.arange(-3, 5)  # of standardised columns, in rows
FOLDS = 5


def plain_auc(values: Floats, second: NDArray[np.bool_], level: float) -> means.Interval:
    """AUC of one number, or of how far it is from the middle where that says more; from 0.5 up, with interval.

    Both have DeLong's interval [delong1988], at a level that holds for the two together (Bonferroni). The low end is
    0.5 where the interval holds it.

    >>> round(plain_auc(np.array([-3.0, -2, -1, 0, 1, 2, 3, 4] * 9), np.arange(72) % 8 < 1, 0.95)[0], 2)
    1.0
    """
    far = np.abs(discrimination.midranks(values) - (len(values) + 1) / 2)
    both = [discrimination.auc(x, second, (1 + level) / 2)[0] for x in (values, far)]
    value, low, high = max(both, key=lambda found: abs(found[0] - 0.5))
    if value < 0.5:
        value, low, high = 1 - value, 1 - high, 1 - low
    return value, max(low, 0.5), high


def held_out_auc(columns: Floats, second: NDArray[np.bool_], level: float, draw: np.random.Generator) -> means.Interval:
    """AUC of a linear rule learnt on four fifths of the rows and tried on the fifth, each fifth in turn, with interval.

    The rule is ridge regression of the group on the columns, which is the linear discriminant; its penalty is the one
    whose leave-one-out error on the learning rows is least [golub1979]. Each fold's AUC has DeLong's interval
    [delong1988]; joined they are widened by √(1 + k/(k − 1)), as folds learn from each other's rows [nadeau2003].

    Args:
        columns: [n, columns]
        second: [n], who belongs to the second group; each group has at least four rows.
        level: of the interval.
        draw: which rows go into which fold.

    Example:
        >>> x = np.linspace(-1, 1, 40)[:, None]
        >>> held_out_auc(x, x[:, 0] > 0, 0.95, np.random.default_rng(0))[0]
        1.0
    """
    count = min(FOLDS, int(min(second.sum(), (~second).sum())) // 2)
    fold = _folds(second, count, draw)
    parts = []
    for k in range(count):
        held = fold == k
        scores = _rule(columns[~held], second[~held])(columns[held])
        parts.append(discrimination.auc(scores, second[held], level)[0])
    value, low, high = means.together(parts)
    wider = float(np.sqrt(1 + count / (count - 1)))
    return means.within((value, value - wider * (value - low), value + wider * (high - value)), 0, 1)


def _folds(second: NDArray[np.bool_], count: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Each row's fold, both groups spread evenly."""
    found = np.empty(len(second), np.int64)
    for side in (second, ~second):
        found[side] = draw.permutation(np.arange(side.sum()) % count)
    return found


def _rule(columns: Floats, second: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
    """A function from columns to scores, learnt from these rows."""
    centre, scale = columns.mean(0), columns.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    target = second - second.mean()
    u, s, vt = np.linalg.svd((columns - centre) / scale, full_matrices=False)
    along = u.T @ target
    errors = [_left_out(u, s, along, target, penalty) for penalty in PENALTIES]
    penalty = PENALTIES[int(np.argmin(errors))]
    weights = vt.T @ (s / (s**2 + penalty) * along)
    return lambda rows: (rows - centre) / scale @ weights


def _left_out(u: Floats, s: Floats, along: Floats, target: Floats, penalty: float) -> float:
    """Mean squared error of each row by the rule of all others: residual / (1 − leverage); the mean is a parameter."""
    shrunk = s**2 / (s**2 + penalty)
    leverage = 1 / len(u) + (u**2) @ shrunk
    residual = target - u @ (shrunk * along)
    return float(np.mean((residual / np.maximum(1 - leverage, 1e-9)) ** 2))
