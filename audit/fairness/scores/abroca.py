"""How far apart the ROC curves of groups lie: the area between them, which is above 0 also where they cross. No torch.

ABROCA [gardner2019] is ∫ |ROC_a − ROC_b| over the false positive rate. It cannot be negative, so chance alone makes it
positive: what chance makes of it stands beside it, and its interval reaches 0 where the curves may be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from .steps import NEGATIVE, POSITIVE, Steps, summed

DRAWS = 500
CELLS = 20_000  # draws × groups at most
CHANCE = 200  # draws behind what chance makes of an area
GRID = 256  # false positive rates at which noise is compared
COARSE = 64  # of more than `MANY` groups
MANY = 100
BINS = 128  # of each group's scores, for drawing
FINE = 1024  # false positive rates at which pairs are compared before the widest are measured exactly
FEWEST = 10  # rows of a class from which on resampling is believed
PAIRS = 200  # measured exactly at most; the others are then known to be less than 2/FINE wider
Curve = tuple[Floats, Floats]  # false and true positive rates, both rising from 0 to 1


@dataclass(frozen=True, slots=True)
class Area:
    """The area between the two ROC curves furthest apart, of all groups kept.

    Attributes:
        pair: places of the two groups.
    """

    value: float
    pair: tuple[int, int]


def curve(steps: Steps, group: int) -> Curve:
    """The ROC curve of one group, a point a step. Both classes must occur."""
    first, last = steps.starts[group : group + 2]
    amounts = steps.sums[first:last][::-1]
    false, true = (np.cumsum(amounts[:, truth]) for truth in (NEGATIVE, POSITIVE))
    return np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], true / true[-1]])


def area_between(first: Curve, second: Curve) -> float:
    """∫ |ROC_a − ROC_b| dFPR of two curves of straight lines, exactly: each crossing parts its stretch in two.

    >>> low, high = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0])
    >>> area_between((low, high), (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])))
    0.5
    """
    knots = np.unique(np.concatenate([first[0], second[0]]))
    left, right = knots[:-1], knots[1:]
    here, there = (a - b for a, b in zip(_ends(first, left, right), _ends(second, left, right), strict=True))
    together = np.abs(here) + np.abs(there)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (here**2 + there**2) / (2 * together)
    return float(np.where(here * there >= 0, together / 2, crossing) @ (right - left))


def widest(steps: Steps, kept: NDArray[np.bool_]) -> Area:
    """The largest area of any pair of groups that have both classes."""
    place = np.flatnonzero(kept)
    curves = [curve(steps, int(k)) for k in place]
    candidates = _candidates(curves) if len(place) > 2 else [(0, 1)]
    areas = [area_between(curves[i], curves[j]) for i, j in candidates]
    best = int(np.argmax(areas))
    i, j = candidates[best]
    return Area(areas[best], (int(place[i]), int(place[j])))


def reach(steps: Steps, kept: NDArray[np.bool_], level: float, replicates: int, seed: int) -> tuple[float, str]:
    """How far the area can be from the true one, at that level, and how that is known.

    By the triangle inequality the areas of all pairs are off by at most the largest area between their *noise*, whose
    `level` quantile over a Bayesian bootstrap of rows within group (of clusters where rows hang together) [rubin1981]
    holds for whichever pair is widest. Without resampling, or where a class has fewer than 10 rows, the band of
    [massart1990] around each of the distributions takes its place: ε = √(ln(4G/α) / 2m), 2G of them at once.
    """
    worth = np.stack([steps.worth((truth,))[kept] for truth in (NEGATIVE, POSITIVE)])
    if replicates == 0 or worth.min() < FEWEST:
        bands = np.sqrt(np.log(4 * worth.shape[1] / (1 - level)) / (2 * worth)).sum(0)
        return float(np.sort(bands)[-2:].sum()), "triangle, massart-1990"
    draws = count(int(kept.sum()), replicates)
    noise = np.concatenate([_furthest(errors) for errors in _noise(steps, kept, draws, seed)])
    unit = "clusters" if steps.members is not None else "rows within group"
    return float(np.quantile(noise, level)), f"triangle, bayesian bootstrap of {unit} ({draws})"


def by_chance(steps: Steps, kept: NDArray[np.bool_], replicates: int, seed: int) -> tuple[Floats, str]:
    """[draws] the widest areas that groups of these sizes show where every group has everyone's ROC curve.

    Each group draws as many negatives and positives as it has from those of all groups.
    """
    draws = min(count(int(kept.sum()), replicates), CHANCE)
    rng = np.random.default_rng(seed)
    pooled = _pooled(steps, kept)
    worth = np.stack([steps.worth((truth,))[kept] for truth in (NEGATIVE, POSITIVE)], -1)
    sizes = np.maximum(np.rint(worth), 1).astype(np.int64)
    drawn = [[rng.multinomial(n, pooled[:, truth], size=draws) for truth, n in enumerate(row)] for row in sizes]
    tables = np.moveaxis(np.array(drawn, float), (0, 1, 2, 3), (1, 3, 0, 2))
    return _furthest(_on_grid(tables)), f"resampled within truth ({draws})"


def count(groups: int, replicates: int) -> int:
    """How many draws: no more than asked for, and fewer where there are many groups."""
    return max(min(replicates, DRAWS, max(CELLS // groups, 100)), 1)


def _ends(of: Curve, left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The curve's limits at both ends of stretches that hold none of its corners."""
    x, y = of
    middle = (left + right) / 2
    k = np.clip(np.searchsorted(x, middle, side="right") - 1, 0, len(x) - 2)
    run = x[k + 1] - x[k]
    slope = (y[k + 1] - y[k]) / np.where(run > 0, run, 1.0)
    return y[k] + slope * (left - x[k]), y[k] + slope * (right - x[k])


def _candidates(curves: list[Curve]) -> list[tuple[int, int]]:
    """Pairs among which the widest is, by a look at `FINE` points: each such area is off by less than 1/FINE."""
    from scipy.spatial.distance import pdist

    grid = (np.arange(FINE) + 0.5) / FINE
    rough = pdist(np.stack([np.interp(grid, x, y) for x, y in curves]), "cityblock") / FINE
    order = np.argsort(-rough, kind="stable")[:PAIRS]
    i, j = np.triu_indices(len(curves), 1)
    return [(int(i[k]), int(j[k])) for k in order if rough[k] >= rough[order[0]] - 2 / FINE]


def _noise(steps: Steps, kept: NDArray[np.bool_], draws: int, seed: int) -> Iterator[Floats]:
    """[some draws, groups, grid] how far resampled curves lie from the curves, a few draws at a time."""
    rng = np.random.default_rng(seed)
    cell = _own_bins(steps)
    amount = _table(steps, cell, steps.sums)
    base = _on_grid(amount[None, kept])
    for start, stop in pairwise([*range(0, draws, 50), draws]):
        drawn = _clustered(steps, cell, rng, stop - start) if steps.members is not None else None
        if drawn is None:
            # Gamma(n) is the sum of n exponentials: the weight that n rows get together
            squares = _table(steps, cell, steps.squares)[kept]
            scale = np.divide(squares, amount[kept], out=np.ones_like(squares), where=amount[kept] > 0)
            drawn = rng.standard_gamma(amount[kept] / scale, size=(stop - start, *squares.shape)) * scale
        else:
            drawn = drawn[:, kept]
        yield _on_grid(drawn) - base


def _clustered(steps: Steps, cell: NDArray[np.int64], rng: np.random.Generator, draws: int) -> Floats:
    """[draws, groups, BINS, 2] where each cluster weighs an exponential number."""
    from scipy.sparse import csr_array

    rows = steps.members
    assert rows is not None
    seen = rows.truth < 2
    place = (steps.group[rows.step] * BINS + cell[rows.step]) * 2 + rows.truth
    shape = (steps.groups * BINS * 2, int(rows.cluster.max(initial=0)) + 1)
    spread = csr_array((rows.weight[seen], (place[seen], rows.cluster[seen])), shape=shape)
    drawn = spread @ rng.standard_exponential((draws, shape[1])).T
    return drawn.T.reshape(draws, steps.groups, BINS, 2)


def _own_bins(steps: Steps) -> NDArray[np.int64]:
    """[steps] bins of equal size within each group; ties stay together."""
    rows = steps.rows[:, NEGATIVE] + steps.rows[:, POSITIVE]
    whole = np.maximum(steps.spread(steps.total(rows)), 1)
    return np.minimum((BINS * steps.below(rows) // whole).astype(np.int64), BINS - 1)


def _table(steps: Steps, cell: NDArray[np.int64], amount: Floats) -> Floats:
    """[groups, BINS, 2]"""
    flat = steps.group * BINS + cell
    size = steps.groups * BINS
    parts = [summed(flat, amount[:, truth], size) for truth in (NEGATIVE, POSITIVE)]
    return np.stack(parts, -1).reshape(steps.groups, BINS, 2)


def _pooled(steps: Steps, kept: NDArray[np.bool_]) -> Floats:
    """[BINS, 2] how the negatives and the positives of all groups are spread over bins of equal size."""
    mine = kept[steps.group]
    amount = steps.sums[mine][:, : POSITIVE + 1]
    order = np.argsort(steps.score[mine], kind="stable")
    score, amount = steps.score[mine][order], amount[order]
    first = np.searchsorted(score, score, side="left")  # ties stay together
    running = np.concatenate([[0.0], np.cumsum(amount.sum(1))])
    cell = np.minimum((BINS * running[first] / running[-1]).astype(np.int64), BINS - 1)
    table = np.stack([np.bincount(cell, column, minlength=BINS) for column in amount.T], -1)
    return table / table.sum(0)


def _on_grid(tables: Floats) -> Floats:
    """[draws, groups, grid] true positive rates at the grid's false positive rates; tables [draws, groups, bins, 2]."""
    rates = np.cumsum(tables[..., ::-1, :], -2)
    rates = np.concatenate([np.zeros_like(rates[..., :1, :]), rates / rates[..., -1:, :]], -2)
    lead, knots = rates.shape[:-2], rates.shape[-2]
    many = int(np.prod(lead))
    size = GRID if tables.shape[1] <= MANY else COARSE
    grid = (np.arange(size) + 0.5) / size
    # curves side by side, two apart, are read off as one
    shift = 2.0 * np.arange(many)[:, None]
    false, true = (rates[..., truth].reshape(many, knots) for truth in (NEGATIVE, POSITIVE))
    return np.interp((grid + shift).ravel(), (false + shift).ravel(), true.ravel()).reshape(*lead, size)


def _furthest(curves: Floats) -> Floats:
    """[draws] the largest mean distance of two of curves [draws, groups, grid]."""
    from scipy.spatial.distance import pdist

    if curves.shape[1] == 2:
        return np.abs(curves[:, 0] - curves[:, 1]).mean(1)
    return np.array([pdist(each, "cityblock").max() for each in curves]) / curves.shape[2]
