"""Rows parted in two by the hash of their number: one half to fit on, the other to audit on. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....models.batch import UNKNOWN
from ...intervals import Floats
from ...state import Columns, hash_rows

_SPLIT = 0x68616C66  # keeps this split apart from other hashes of the same rows


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows with scores, and their level of one attribute.

    Attributes:
        names: [n] the number of each row.
        scores: [n]; truth: [n], −1 where there is no label; decisions: [n].
        groups: [n] codes of the attribute, −1 where not known.
        weights: [n] or None; clusters: [n] or None.
    """

    names: NDArray[np.int64]
    scores: Floats
    truth: NDArray[np.int64]
    decisions: NDArray[np.int64]
    groups: NDArray[np.int64]
    weights: Floats | None = None
    clusters: NDArray[np.uint64] | None = None

    @classmethod
    def of(cls, columns: Columns, axis: int) -> Rows:
        """The rows of a context, with the attribute at that place."""
        names, held = columns.sorted()
        groups = held["groups"][:, axis]
        more = held.get("weight"), held.get("cluster")
        return cls(names, held["score"], held["truth"], held["decision"], groups, *more)

    def __len__(self) -> int:
        return len(self.names)

    def only(self, which: NDArray[np.bool_]) -> Rows:
        return Rows(
            self.names[which],
            self.scores[which],
            self.truth[which],
            self.decisions[which],
            self.groups[which],
            None if self.weights is None else self.weights[which],
            None if self.clusters is None else self.clusters[which],
        )

    def halves(self, seed: int) -> tuple[Rows, Rows]:
        """Two halves; rows of one cluster stay together."""
        first = first_half(self.names if self.clusters is None else self.clusters, seed)
        return self.only(first), self.only(~first)

    def learnable(self, levels: int) -> tuple[Rows, NDArray[np.bool_]]:
        """The rows that a rule can be fitted on, and [levels] which groups have both labels among them."""
        known = self.only((self.groups != UNKNOWN) & (self.truth != UNKNOWN))
        seen = np.zeros((levels, 2), bool)
        seen[known.groups, known.truth] = True
        both = seen[:, 0] & seen[:, 1]
        return known.only(both[known.groups]), both


def first_half(names: NDArray[np.int64] | NDArray[np.uint64], seed: int) -> NDArray[np.bool_]:
    """[n] whether a row (or its cluster) falls into the first half."""
    return hash_rows(names.astype(np.int64), seed ^ _SPLIT) >> np.uint64(63) == 0
