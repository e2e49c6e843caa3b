"""Rows parted into groups, weighed and clustered: means of groups, and what they vary by. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats

DENSE = 600  # groups up to which every pair of them is looked at


@dataclass(frozen=True, slots=True)
class Spread:
    """How uncertain the numbers of some groups are.

    Attributes:
        variance: [groups], of each number; NaN where one row, or one cluster, tells of none.
        freedom: [groups] degrees of freedom of the variance.
        covariance: [groups, groups] where groups share clusters; None where they are independent, or more than `DENSE`.
    """

    variance: Floats
    freedom: Floats
    covariance: Floats | None = None


@dataclass(frozen=True)
class Sample:
    """The rows of some groups.

    Attributes:
        code: [n] the group of each row, 0 … groups − 1.
        groups: how many groups there are.
        weight: [n] or None where all weigh alike.
        cluster: [n] what rows hang together in; None where each stands alone.
    """

    code: NDArray[np.int64]
    groups: int
    weight: Floats | None = None
    cluster: NDArray[np.uint64] | None = None

    @cached_property
    def n(self) -> NDArray[np.int64]:
        """[groups], rows."""
        return np.bincount(self.code, minlength=self.groups)

    @cached_property
    def whole(self) -> Floats:
        """[groups], the weights of the rows."""
        return self.total(np.ones(len(self.code)))

    @cached_property
    def effective(self) -> Floats:
        """[groups], how many rows of equal weight would say as much: (Σw)² / Σw² [kish1965]."""
        if self.weight is None:
            return self.n.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.whole > 0, self.whole**2 / self.total(self.weight), 0.0)

    def total(self, values: Floats) -> Floats:
        """[groups], the weighted sum of values [n]."""
        weighed = values if self.weight is None else values * self.weight
        return np.bincount(self.code, weighed, minlength=self.groups).astype(np.float64)

    def mean(self, values: Floats) -> Floats:
        """[groups], the weighted mean of values [n]; NaN without weight."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.whole > 0, self.total(values) / self.whole, np.nan)

    def spread(self, influence: Floats) -> Spread:
        """The spread of numbers whose influence functions at the rows are given, each with mean 0 in its group.

        V = n/(n−1) · Σ(wψ)² / (Σw)², n being Kish's number; of clusters c/(c−1) · Σ(Σwψ)² / (Σw)² over the c clusters
        [korn1998]. Of the mean of rows that weigh alike this is s²/n.
        """
        weighed = influence if self.weight is None else influence * self.weight
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.cluster is not None:
                return self._by_cluster(weighed)
            freedom = np.where(self.effective > 1 + 1e-9, self.effective - 1, np.nan)
            squares = np.bincount(self.code, weighed**2, minlength=self.groups)
            return Spread((freedom + 1) / freedom * squares / self.whole**2, freedom)

    def _by_cluster(self, weighed: Floats) -> Spread:
        assert self.cluster is not None
        names, unit = np.unique(self.cluster, return_inverse=True)
        pairs, place = np.unique(unit * self.groups + self.code, return_inverse=True)
        score, group = np.bincount(place, weighed, minlength=len(pairs)), pairs % self.groups
        clusters = np.bincount(group, minlength=self.groups).astype(np.float64)
        freedom = np.where(clusters > 1, clusters - 1, np.nan)
        scale = np.sqrt((freedom + 1) / freedom) / self.whole
        variance = np.bincount(group, score**2, minlength=self.groups) * scale**2
        if self.groups > DENSE or len(pairs) == len(names):  # no cluster has rows of two groups
            return Spread(variance, freedom)
        return Spread(variance, freedom, _products(pairs // self.groups, group, score * scale[group], self.groups))


def _products(unit: NDArray[np.int64], group: NDArray[np.int64], score: Floats, groups: int) -> Floats:
    """[groups, groups] Σ over units of the products of their scores, from sparse (unit, group, score)."""
    from scipy.sparse import csr_array

    known = np.isfinite(score)
    table = csr_array((score[known], (unit[known], group[known])), shape=(int(unit.max()) + 1, groups))
    return np.asarray((table.T @ table).todense())
