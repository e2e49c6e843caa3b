"""Quantiles of many numbers that merge exactly: counts in bins whose width grows with the number. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ...state import Counts

LEAST = 2.0**-1000  # numbers nearer to 0 are counted as 0
MOST = 2.0**1000  # numbers further out are counted as this

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sketch:
    """How many numbers of each column fall into each bin: a monoid of counts, so that shards merge to the last one.

    Bin k > 0 holds γᵏ⁻¹ < |x| / LEAST ≤ γᵏ with γ = (1 + α) / (1 − α), and its numbers are told as the point that is
    within α of all of them, relatively [masson2019]. A quantile is so within α of a number at that rank.

    Attributes:
        columns: how many columns.
        accuracy: α.
        table: column × bin, rows that fell there.
    """

    columns: int
    accuracy: float
    table: Counts

    @classmethod
    def zero(cls, columns: int, accuracy: float = 0.01) -> Sketch:
        return cls(columns, accuracy, Counts.zero([max(columns, 1), 2 * _bins(accuracy) + 1]))

    @classmethod
    def of(cls, values: Floats, accuracy: float = 0.01) -> Sketch:
        """Of values [rows, columns]; NaN is not counted.

        >>> round(float(Sketch.of(np.arange(1.0, 101)[:, None]).quantile(0.5)[0]), 1)
        49.7
        """
        zero = cls.zero(values.shape[1], accuracy)
        rows, columns = np.nonzero(~np.isnan(values))
        side = _bins(accuracy)
        bins = side + np.sign(values[rows, columns]).astype(np.int64) * _bin(values[rows, columns], accuracy)
        return cls(zero.columns, accuracy, Counts.of([columns, bins], [max(zero.columns, 1), 2 * side + 1]))

    def merge(self, other: Sketch, /) -> Sketch:
        """Raises DataError where the two do not count the same way."""
        if (self.columns, self.accuracy) != (other.columns, other.accuracy):
            raise DataError(
                f"a sketch of {self.columns} columns to {self.accuracy:g} and one of {other.columns} columns to "
                f"{other.accuracy:g} do not add up; make both alike"
            )
        return Sketch(self.columns, self.accuracy, self.table.merge(other.table))

    def quantile(self, q: float) -> Floats:
        """[columns] the number that a share q of each column's numbers does not exceed; NaN where there are none."""
        column, bins = self.table.codes()
        counts = self.table.counts
        before = np.cumsum(counts) - counts
        n = np.bincount(column, counts, minlength=self.columns + 1)[: self.columns].astype(np.int64)
        start = np.concatenate([[0], np.cumsum(n)])[: self.columns]
        found = np.full(self.columns, np.nan)
        rank = start + np.floor(q * np.maximum(n - 1, 0)).astype(np.int64)
        at = np.searchsorted(before, rank, side="right") - 1
        found[n > 0] = self._middle(bins[at[n > 0]])
        return found

    def _middle(self, bins: NDArray[np.int64]) -> Floats:
        """The number that a bin's numbers are told as."""
        signed = bins - _bins(self.accuracy)
        gamma = (1 + self.accuracy) / (1 - self.accuracy)
        size = np.exp(log(LEAST) + (np.abs(signed)) * log(gamma)) * (1 - self.accuracy)
        return np.where(signed == 0, 0.0, np.sign(signed) * size)


def _bins(accuracy: float) -> int:
    """On each side of 0."""
    return ceil((log(MOST) - log(LEAST)) / log((1 + accuracy) / (1 - accuracy))) + 1


def _bin(values: Floats, accuracy: float) -> NDArray[np.int64]:
    """Of |x|, from 1; 0 of what counts as 0."""
    size = np.abs(values)
    gamma = (1 + accuracy) / (1 - accuracy)
    inside = np.clip(size, LEAST, MOST)
    found = np.maximum(np.ceil((np.log(inside) - log(LEAST)) / log(gamma)), 1).astype(np.int64)
    return np.where(size < LEAST, 0, found)
