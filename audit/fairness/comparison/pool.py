"""What rows are drawn from when a table is resampled: kinds of rows, or clusters of them. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ..table.groups import Groups
from ..table.metrics import Table

CHUNK = 4_000_000  # numbers in memory at once
KINDS = 4_096  # kinds of weighted rows that are drawn one by one; more are told by two weights a cell
BLOCKS = 1_000  # clusters beyond which they are drawn in random blocks of equal size


@dataclass(frozen=True, slots=True)
class Pool:
    """Kinds of units and how likely each is drawn; together `size` units make one resample.

    Attributes:
        chance: [kinds] how likely a unit is of that kind.
        size: how many units are drawn.
        cells: [columns] the cells, of groups × 6, that the units fill.
        amount: [kinds, columns] what one unit of each kind adds to them; None where kind k is one row of cell k.
    """

    chance: Floats
    size: int
    cells: NDArray[np.int64]
    amount: Any = None

    def draw(self, rng: np.random.Generator, count: int) -> Table:
        """[count, columns] resampled cells."""
        times = self._times(rng, count)
        return times if self.amount is None else np.asarray((self.amount.T @ times.T).T)

    def one(self, kinds: slice) -> Floats:
        """[kinds, columns] what one unit of some kinds adds."""
        if self.amount is None:
            return np.eye(len(self.chance))[kinds]
        return self.amount[kinds].toarray()

    def _times(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        kinds = len(self.chance)
        if kinds != self.size:
            return rng.multinomial(self.size, self.chance, size=count)
        # all alike: drawing their numbers is quicker than a multinomial of as many categories as draws
        picked = rng.integers(0, kinds, (count, kinds)) + kinds * np.arange(count)[:, None]
        return np.bincount(picked.ravel(), minlength=count * kinds).reshape(count, kinds)


def pool(groups: Groups, seed: int = 0) -> Pool:
    """What the rows of a table are drawn from.

    Unweighted rows: its cells, exactly. Weighted rows: each cell with each weight while these are few, else each cell
    with the two weights, and their shares, that have the same mean, variance and skewness: the two-point Gauss rule of
    the cell's weights [golub1969]. Clusters: each as it is while they are few, else in random blocks of equal size,
    whose variance is that of the clusters.
    """
    if groups.clustered:
        return _clusters(groups, seed)
    if not groups.weighted:
        rows = groups.rows.reshape(-1)
        cells = np.flatnonzero(rows)
        size = int(rows.sum())
        return Pool(rows[cells] / max(size, 1), size, cells)
    return _weighted(groups)


def _weighted(groups: Groups) -> Pool:
    units = groups.units
    cell, amount, times = units.cell, units.amount, units.multiplicity.astype(np.float64)
    size = int(units.multiplicity.sum())
    if len(cell) > KINDS:
        cell, amount, times = _two_weights(cell, amount, times)
    cells, column = np.unique(cell, return_inverse=True)
    return Pool(times / times.sum(), size, cells, _sparse(np.arange(len(cell)), column, amount, len(cell), len(cells)))


def _two_weights(cell: NDArray[np.int64], weight: Floats, times: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For each cell two weights and how many rows have each, with the first three moments of its weights.

    The nodes are mean + s (g ± √(g² + 4)) / 2, with g the skewness; they lie within the range of the weights.
    """
    cells, place = np.unique(cell, return_inverse=True)
    n = np.bincount(place, times)
    mean = np.bincount(place, times * weight) / n
    off = weight - mean[place]
    spread = np.sqrt(np.bincount(place, times * off**2) / n)
    flat = spread <= 1e-12 * np.abs(mean)
    skew = np.bincount(place, times * off**3) / n / np.where(flat, 1.0, spread) ** 3
    root = np.sqrt(skew**2 + 4)
    nodes = np.stack([skew - root, skew + root]) / 2
    share = np.stack([nodes[1], -nodes[0]]) / root
    values = np.where(flat, mean, mean + spread * nodes)
    return np.tile(cells, 2), np.maximum(values, 0).ravel(), (share * n).ravel()


def _clusters(groups: Groups, seed: int) -> Pool:
    units = groups.units
    count = len(units.multiplicity)
    place = units.unit
    if count > BLOCKS:
        order = seeded(seed, "blocks").permutation(count)
        place = (order % BLOCKS)[units.unit]
        count = BLOCKS
    cells, column = np.unique(units.cell, return_inverse=True)
    amount = _sparse(place, column, units.amount, count, len(cells))
    return Pool(np.full(count, 1 / max(count, 1)), count, cells, amount)


def _sparse(row: NDArray[Any], column: NDArray[Any], values: Floats, rows: int, columns: int) -> Any:
    from scipy.sparse import csr_array

    return csr_array((values, (row, column)), shape=(rows, columns))


def seeded(seed: int, *names: str) -> np.random.Generator:
    """A stream of its own for each purpose, the same wherever and whenever it is asked for.

    >>> float(seeded(0, "rows").random()) == float(seeded(0, "rows").random())
    True
    """
    return np.random.default_rng([seed, crc32("\0".join(names).encode())])
