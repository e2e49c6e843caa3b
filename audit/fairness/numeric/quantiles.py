"""Quantiles of groups with intervals by order statistics. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ...intervals import Floats, wilson
from ...messages import Message
from .estimates import Ends, Estimates
from .sample import Sample, Spread

NEAR = 1e-9  # of a group's weight: rounding of p·n that is no part of a row


@dataclass(frozen=True, slots=True)
class Ordered:
    """Values in order within each group.

    Attributes:
        values: [n], group after group.
        weight: [n], all weight up to and with each.
        start: [groups + 1], where each group's values begin.
        before: [groups], all weight before each group; whole: [groups], its own.
    """

    values: Floats
    weight: Floats
    start: NDArray[np.int64]
    before: Floats
    whole: Floats

    @classmethod
    def of(cls, sample: Sample, values: Floats) -> Ordered:
        order = np.lexsort((values, sample.code))
        each = np.ones(len(values)) if sample.weight is None else sample.weight[order]
        start = np.append(0, np.cumsum(sample.n))
        up_to = np.append(0.0, np.cumsum(each))
        return cls(values[order], up_to[1:], start, up_to[start[:-1]], up_to[start[1:]] - up_to[start[:-1]])

    def at(self, share: Floats) -> Floats:
        """[groups], the quantile of each group at its own share; NaN without rows."""
        wanted = self.before + np.clip(share, 0, 1) * self.whole
        slack = NEAR * self.whole
        low = self._row(np.searchsorted(self.weight, wanted - slack, "left"))
        high = self._row(np.searchsorted(self.weight, wanted + slack, "right"))
        return (low + high) / 2

    def ranked(self, rank: NDArray[np.int64]) -> Floats:
        """[groups], the value of that rank, from 1; infinite beyond the first and the last."""
        n = np.diff(self.start)
        found = self._row(self.start[:-1] + rank - 1)
        return np.where(rank < 1, -np.inf, np.where(rank > n, np.inf, found))

    def _row(self, place: NDArray[np.int64]) -> Floats:
        if not len(self.values):
            return np.full(len(self.whole), np.nan)
        inside = np.clip(place, self.start[:-1], np.maximum(self.start[1:] - 1, self.start[:-1]))
        found = self.values[np.minimum(inside, len(self.values) - 1)]
        return np.where(np.diff(self.start) > 0, found, np.nan)


def quantile(
    sample: Sample, table: Ordered, values: Floats, share: float, why: tuple[Message | None, ...]
) -> Estimates:
    """The value that a share of each group's rows is at or below; between two rows their middle.

    Its interval runs from the r-th to the s-th smallest row, where the binomial distribution puts the true quantile
    between them at the level asked for [conover1999]. Of weighted or clustered rows it runs between the quantiles at
    the ends of Wilson's interval of the share itself [woodruff1952].
    """
    value = np.where([reason is None for reason in why], table.at(np.full(sample.groups, share)), np.nan)
    nothing = np.full(sample.groups, np.nan)
    if sample.weight is None and sample.cluster is None:
        ends, method, effective = _order_statistics(sample, table, share), "order-statistics", None
    else:
        effective = _effective(sample, values, value, share)
        ends, method = _woodruff(table, effective, share), "woodruff"
    return Estimates(value, Spread(nothing, nothing), sample.n, effective, why, ends, method, joined=True)


def _order_statistics(sample: Sample, table: Ordered, share: float) -> Ends:
    def ends(level: float) -> tuple[Floats, Floats]:
        alpha = (1 - level) / 2
        low = binom.ppf(alpha, sample.n, share).astype(np.int64)
        high = binom.ppf(1 - alpha, sample.n, share).astype(np.int64) + 1
        return table.ranked(low), table.ranked(high)

    return ends


def _woodruff(table: Ordered, rows: Floats, share: float) -> Ends:
    """Ends at the quantiles of the ends of the share's own interval."""

    def ends(level: float) -> tuple[Floats, Floats]:
        low, high = wilson(share * rows, rows, level)
        return table.at(np.nan_to_num(low)), table.at(np.where(np.isnan(high), 1.0, high))

    return ends


def _effective(sample: Sample, values: Floats, value: Floats, share: float) -> Floats:
    """[groups] how many rows, each by itself, would tell the share of values at or below the quantile as well."""
    if sample.cluster is None:
        return sample.effective
    below = (values <= value[sample.code]).astype(np.float64)
    spread = sample.spread(below - sample.mean(below)[sample.code])
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = share * (1 - share) / spread.variance
    return np.minimum(np.where(np.isfinite(rows), rows, np.nan_to_num(spread.freedom) + 1), sample.n)
