"""The row bootstrap on a table of counts: one joint draw of all cells, used by every metric. Loads no torch.

Rows drawn with replacement fall into cells as Multinomial(n, C / n), so resampling n rows is one draw of the cells,
whatever n is [efron1993]. Rows that differ in weight are drawn by cell and weight; rows that hang together are drawn as
clusters. All metrics and gaps of one table read the same draws, so what moves together stays together.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ...intervals import Floats, quantile
from ..table.groups import CELLS, Groups
from ..table.metrics import Table
from ..table.plan import Plan
from .pool import CHUNK, pool, seeded

MOST_CELLS = 6_000  # occupied cells beyond which resampling them would take minutes
DRAWS = 10_000_000  # numbers drawn for one table: replicates are fewer where it has more than 1,000 cells
FEWEST = 2_000  # … but not fewer than these, of those asked for
LOST = 0.005  # share of replicates without the statistic up to which the others speak for all
KEPT_BYTES = 128_000_000  # draws that are kept for the next metric or part to use

Statistic = Callable[[Table], Floats]


class Estimate(NamedTuple):
    """A statistic of cells and its interval; no interval where nothing can be said of how it varies."""

    value: float
    low: float | None
    high: float | None
    method: str


def of_cells(statistic: Statistic, groups: Groups, level: float, plan: Plan) -> Estimate:
    """Any smooth statistic of a table with its interval: BCa, or by the jackknife where nothing may be resampled.

    Args:
        statistic: from tables [..., groups, 3, 2] of weights to values [...]; NaN where undefined. Smooth: no maximum
            or minimum over groups, for which the bootstrap fails where groups are equal.
        groups: what is resampled.
        level: of the interval.
        plan: `replicates` and `seed`.

    Returns:
        The value (NaN where undefined), the ends, and "bca", "jackknife", or "" where there is no interval: the
        statistic never varies, is undefined in some resamples, or there are more cells than can be resampled.

    Example:
        >>> from gnomon.audit.fairness import Counts
        >>> counts = Counts.from_arrays(None, [1, 0, 0, 1, 1, 0, 0, 0] * 20, {"g": list("aabbabba") * 20})
        >>> context = counts.context()
        >>> share = lambda cells: cells[..., 2, 1].sum(-1) / cells.sum((-1, -2, -3))
        >>> found = of_cells(share, context.groupings[0], 0.95, context.plan)
        >>> found.method, round(found.value, 3), found.low < found.value < found.high
        ('bca', 0.375, True)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(groups.sums.astype(np.float64)))
        if not np.isfinite(value) or not resampled(groups):
            return Estimate(value, None, None, "")
        influence, multiplicity = _jackknife(statistic, groups, plan.seed)
        if not plan.replicates:
            return _delta(value, influence, multiplicity, level)
        found = np.concatenate([np.atleast_1d(statistic(tables)) for tables in drawn(groups, plan)])
    ends = bca(value, found, acceleration(influence, multiplicity), level)
    return Estimate(value, *ends, "bca") if ends else Estimate(value, None, None, "")


def resampled(groups: Groups) -> bool:
    """Whether the table has rows, and few enough cells to be resampled."""
    return bool(0 < np.count_nonzero(groups.rows) <= MOST_CELLS)


def drawn(groups: Groups, plan: Plan) -> Iterator[Table]:
    """The resamples piece by piece: tables [piece, groups, 3, 2] of float64, together `replicates` of them."""
    cells = draws(groups, plan)
    step = max(1, CHUNK // max(1, len(groups) * CELLS))
    for start in range(0, cells.shape[0], step):
        yield cells[start : start + step].astype(np.float64)


def replicates(groups: Groups, plan: Plan) -> int:
    """How many resamples are drawn: as many as asked for, fewer where the table has very many cells."""
    return min(plan.replicates, max(FEWEST, DRAWS // max(1, int(np.count_nonzero(groups.rows)))))


def draws(groups: Groups, plan: Plan) -> Table:
    """Resampled tables [replicates, groups, 3, 2], the same for everyone who asks with the same seed.

    Cells lie one after another in memory, [3, 2, replicates, groups], so that reading one is quick.
    """
    count = replicates(groups, plan)
    return _kept.get(groups.rows, (count, plan.seed), lambda: _draw(groups, count, plan.seed))


def _draw(groups: Groups, count: int, seed: int) -> Table:
    found = pool(groups, seed)
    rng = seeded(seed, "rows", groups.name, *groups.where.values())
    exact = np.int32 if found.amount is None and found.size < 2**31 else np.float32 if _large(groups) else np.float64
    out = np.zeros((len(groups) * CELLS, count), exact)
    step = max(1, CHUNK // max(1, len(found.chance)))
    for start in range(0, count, step):
        piece = found.draw(rng, min(step, count - start))
        out[found.cells, start : start + len(piece)] = piece.T
    by_group = out.reshape(len(groups), CELLS, count)
    cells = np.ascontiguousarray(by_group.transpose(1, 2, 0)).reshape(3, 2, count, len(groups))
    return np.moveaxis(cells, (0, 1), (2, 3))


def _large(groups: Groups) -> bool:
    return len(groups) > 40  # weights summed need no sixteen digits where memory counts


def _jackknife(statistic: Statistic, groups: Groups, seed: int) -> tuple[Floats, Floats]:
    """The statistic with one unit left out [units], and how many units are alike [units]."""
    found = pool(groups, seed)
    whole = groups.sums.reshape(-1).astype(np.float64)
    step = max(1, CHUNK // max(1, whole.size))
    pieces = []
    for start in range(0, len(found.chance), step):
        tables = np.repeat(whole[None], min(step, len(found.chance) - start), 0)
        tables[:, found.cells] -= found.one(slice(start, start + step))
        pieces.append(np.atleast_1d(statistic(np.maximum(tables, 0).reshape(-1, len(groups), 3, 2))))
    return np.concatenate(pieces), found.chance * found.size


def _delta(value: float, left_out: Floats, multiplicity: Floats, level: float) -> Estimate:
    """A normal interval with the jackknife's variance, (n − 1) / n Σ m (θ₋ − mean)² [efron1993]."""
    n = multiplicity.sum()
    if n < 2 or not np.isfinite(left_out).all():
        return Estimate(value, None, None, "")
    mean = (multiplicity * left_out).sum() / n
    variance = (n - 1) / n * (multiplicity * (left_out - mean) ** 2).sum()
    half = float(quantile(level) * np.sqrt(variance))
    return Estimate(value, value - half, value + half, "jackknife") if half > 0 else Estimate(value, None, None, "")


def acceleration(left_out: Floats, multiplicity: Floats) -> float:
    """BCa's acceleration Σ m e³ / (6 (Σ m e²)^1.5), e = mean − θ₋ [efron1987]; 0 where nothing varies."""
    known = np.isfinite(left_out)
    m, theta = multiplicity[known], left_out[known]
    if not m.sum():
        return 0.0
    e = (m * theta).sum() / m.sum() - theta
    square = (m * e**2).sum()
    return float((m * e**3).sum() / (6 * square**1.5)) if square > 0 else 0.0


def bca(value: float, found: Floats, acceleration: float, level: float) -> tuple[float, float] | None:
    """The bias-corrected and accelerated interval [efron1987]; None where resamples are all alike or undefined.

    Args:
        value: the statistic of all rows.
        found: [replicates] the statistic of the resamples; NaN where undefined.
    """
    known = found[np.isfinite(found)]
    if len(known) < (1 - LOST) * len(found) or not len(known) or np.ptp(known) == 0:
        return None
    below = (np.count_nonzero(known < value) + np.count_nonzero(known == value) / 2) / len(known)
    if not 0 < below < 1:
        return None
    bias, z = ndtri(below), quantile(level) * np.array([-1.0, 1.0])
    shifted = bias + z
    places = ndtr(bias + shifted / np.maximum(1 - acceleration * shifted, 1e-3))
    low, high = np.quantile(known, places)
    return min(float(low), value), max(float(high), value)


@dataclass(slots=True)
class Kept:
    """Draws that were made, while their table lives and as long as they fit in memory; the oldest go first."""

    most_bytes: int
    draws: dict[tuple[int, int, int], tuple[weakref.ref[NDArray[Any]], Table]] = field(default_factory=dict)

    def get(self, rows: NDArray[Any], asked: tuple[int, int], draw: Callable[[], Table]) -> Table:
        """The draws of the table with these rows, made anew where they are not kept."""
        key = (id(rows), *asked)
        found = self.draws.get(key)
        if found is not None and found[0]() is rows:
            return found[1]
        made = draw()
        self.draws[key] = (weakref.ref(rows, lambda _: self.draws.pop(key, None)), made)
        while sum(table.nbytes for _, table in self.draws.values()) > self.most_bytes:
            self.draws.pop(next(iter(self.draws)))
        return made


_kept = Kept(KEPT_BYTES)
