"""Scores of groups in fixed bins, for rows that stream by: a state that merges by adding. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ...intervals import Floats
from .steps import NEGATIVE, POSITIVE, UNLABELLED, Steps, summed

BINS = 1024


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows of each group and truth score in each bin [b/bins, (b+1)/bins); the last holds 1 too.

    Read as steps, a threshold at a bin's edge b/bins, b < bins, gives exactly the table that the rows give; between
    edges a count is off by no more than the rows of that one bin. An AUC is off by at most `auc_error`.

    Attributes:
        rows: [groups, bins, 3] int64, by truth: negative, positive, no label.
        sums: [groups, bins, 3] their weights; squares: their squared weights.
        weighted: whether rows differ in weight.

    Example:
        >>> first = Histogram.of(np.array([0.2, 0.9]), np.array([0, 1]), np.array([0, 0]), groups=1)
        >>> first.merge(first).rows.sum(), first.auc_error().tolist()
        (np.int64(4), [0.0])
    """

    rows: NDArray[np.int64]
    sums: Floats
    squares: Floats
    weighted: bool = False

    @classmethod
    def zero(cls, groups: int, bins: int = BINS) -> Histogram:
        """Raises DataError where bins is no power of two: only those have edges that are exact in binary."""
        if bins < 1 or bins & (bins - 1):
            raise DataError(f"{bins} bins have edges that no float holds exactly; take a power of two such as {BINS}")
        shape = (groups, bins, 3)
        return cls(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape))

    @classmethod
    def of(
        cls,
        score: Floats,
        truth: NDArray[np.int64],
        group: NDArray[np.int64],
        groups: int,
        weight: Floats | None = None,
        bins: int = BINS,
    ) -> Histogram:
        """Count rows: scores in [0, 1], truth −1 where there is no label, group −1 where it is not known."""
        zero = cls.zero(groups, bins)
        kept = group >= 0
        place = np.minimum((score[kept] * bins).astype(np.int64), bins - 1)  # · 2^k is exact
        label = np.where(truth[kept] < 0, UNLABELLED, truth[kept])
        cell = (group[kept] * bins + place) * 3 + label
        shape, size = zero.rows.shape, zero.rows.size
        rows = np.bincount(cell, minlength=size).reshape(shape).astype(np.int64)
        if weight is None:
            return cls(rows, rows.astype(np.float64), rows.astype(np.float64))
        sums, squares = (summed(cell, w, size).reshape(shape) for w in (weight[kept], weight[kept] ** 2))
        return cls(rows, sums, squares, True)

    def merge(self, other: Histogram, /) -> Histogram:
        return Histogram(
            self.rows + other.rows,
            self.sums + other.sums,
            self.squares + other.squares,
            self.weighted or other.weighted,
        )

    @property
    def edges(self) -> Floats:
        """[bins] the lower edge of each bin: thresholds at which a sweep is exact."""
        return np.arange(self.rows.shape[1]) / self.rows.shape[1]

    def steps(self) -> Steps:
        """The bins as steps, each at its lower edge."""
        group, place = np.nonzero(self.rows.any(2))
        rows, sums, squares = self.rows[group, place], self.sums[group, place], self.squares[group, place]
        return Steps(group, self.edges[place], rows, sums, squares, len(self.rows), self.weighted)

    def auc_error(self) -> Floats:
        """[groups] how far the AUC of the bins can be from that of the rows: ½ Σ_b p_b n_b / (P N).

        Pairs that share a bin count one half, and truly count between 0 and 1. NaN where a class is missing.
        """
        positive, negative = self.sums[:, :, POSITIVE], self.sums[:, :, NEGATIVE]
        pairs = positive.sum(1) * negative.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pairs > 0, (positive * negative).sum(1) / (2 * pairs), np.nan)
