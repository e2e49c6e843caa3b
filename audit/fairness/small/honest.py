"""A table of counts parted in two random halves: one to look for something, the other to see whether it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...state import Counts as Table


def halves(table: Table, seed: int) -> tuple[Table, Table]:
    """Two tables that add up to the one, each of half its rows; rows of one cluster stay together.

    Which rows go where is drawn on the counts: how many of each entry are among a random half of all rows follows the
    multivariate hypergeometric distribution. So the halves do not depend on the order of rows, only on the seed.
    """
    rng = np.random.default_rng([seed, 0x5B17])
    if table.clusters is not None:
        names, place = np.unique(table.clusters, return_inverse=True)
        chosen = np.zeros(len(names), bool)
        chosen[rng.permutation(len(names))[: len(names) // 2]] = True
        first = np.where(chosen[place], table.counts, 0)
    else:
        half = int(table.counts.sum()) // 2
        first = rng.multivariate_hypergeometric(table.counts, half, method="marginals")
    return _some(table, first), _some(table, table.counts - first)


def _some(table: Table, counts: NDArray[np.int64]) -> Table:
    """The entries of which any rows are left."""
    kept = counts > 0
    return replace(
        table,
        keys=table.keys[kept],
        counts=counts[kept],
        weights=None if table.weights is None else table.weights[kept],
        clusters=None if table.clusters is None else table.clusters[kept],
    )
