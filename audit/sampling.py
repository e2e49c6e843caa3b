"""How the rows behind a number were drawn: what each weighs, and which hang together. Loads no torch.

A weighted row stands for so many rows of a population; rows of one cluster (a person with many rows) are one draw. The
value of a statistic is then that of the weighted rows, and its error comes from what each row, or all rows of a
cluster together, move it by: its influence function [hampel1974]. Rows that each weigh 1 and stand alone are the case
that every formula here comes down to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .intervals import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sampling:
    """The rows behind a number.

    Attributes:
        n: how many there are.
        weights: [n] or None; clusters: [n] names, or None.
    """

    n: int
    weights: Floats | None = None
    clusters: NDArray[np.generic] | None = None

    @property
    def plain(self) -> bool:
        """Whether each row weighs 1 and stands alone."""
        return self.weights is None and self.clusters is None

    @property
    def suffix(self) -> str:
        """What is added to the name of a score interval at the effective number of rows."""
        return "-cluster" if self.clusters is not None else "-kish" if self.weights is not None else ""

    @property
    def manner(self) -> str:
        """What is added to the name of an interval that rests on influences."""
        return "-cluster" if self.clusters is not None else "-weighted" if self.weights is not None else ""

    @cached_property
    def amount(self) -> Floats:
        """[n] what each row weighs."""
        return np.ones(self.n) if self.weights is None else self.weights

    @cached_property
    def whole(self) -> float:
        return float(self.amount.sum())

    @cached_property
    def _cluster(self) -> NDArray[np.int64]:
        """[n] the number of each row's cluster."""
        assert self.clusters is not None
        return np.unique(self.clusters, return_inverse=True)[1].astype(np.int64)

    def only(self, kept: Mask) -> Sampling:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[kept]
        return Sampling(int(kept.sum()), weights, None if self.clusters is None else self.clusters[kept])

    def mean(self, values: Floats) -> float:
        return float((self.amount * values).sum() / self.whole)

    def share(self, hits: Mask) -> tuple[float, float]:
        """The share of the weight that has something, and how many unweighted rows, each by itself, would say as much.

        Weighted rows count as (Σw)² / Σw² [kish1965]; clustered ones as p(1−p) / V, V being the linearised variance
        between clusters [korn1998]: at most as many as there are rows, and where p is 0 or 1 as many as clusters.
        """
        p = min(float(self.amount[hits].sum()) / self.whole, 1.0)
        if self.clusters is None:
            return p, self.worth
        variance = self.error(hits.astype(np.float64) - p) ** 2 if 0 < p < 1 else 0.0
        worth = p * (1 - p) / variance if variance > 0 and self.units > 1 else float(self.units)
        return p, min(worth, float(self.n))

    @cached_property
    def units(self) -> int:
        """What is drawn: rows, or clusters."""
        return self.n if self.clusters is None else int(self._cluster.max(initial=-1)) + 1

    @cached_property
    def worth(self) -> float:
        """Kish's effective number of units, (Σu)² / Σu², u being what a row or a cluster weighs."""
        each = self.amount if self.clusters is None else np.bincount(self._cluster, self.amount)
        return float(each.sum() ** 2 / (each**2).sum())

    @property
    def freedom(self) -> float:
        """Degrees of freedom of an error; at least 1."""
        return max((self.worth if self.clusters is None else self.units) - 1, 1.0)

    def error(self, influence: Floats) -> float:
        """The standard error of a statistic that a row of weight w moves by w · influence / Σw.

        m/(m − 1), m being the units, makes up for the value having been taken from the same rows.
        """
        moves = self.amount * influence / self.whole
        if self.clusters is not None:
            moves = np.bincount(self._cluster, moves)
        return float(np.sqrt((moves**2).sum() * self.units / max(self.units - 1, 1)))
