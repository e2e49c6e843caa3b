"""What groups would show if they were dealt out at random within each list. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import chi2

from ...intervals import Floats
from ...measure import Measure
from ..table.plan import Plan
from .members import Members
from .quantities import Quantity, of_gap
from .sample import DENSE
from .spreads import expected_range

MOST = 2_000  # shuffles; the chance of a p-value is then known to a hundredth
ROOM = 20_000_000  # rows shuffled in all; of more rows than allow a hundred shuffles the closed form is as good
FEWEST = 99


def by_chance(
    quantity: Quantity, members: Members, amount: Floats, query: NDArray[np.int64], plan: Plan
) -> Iterator[Measure]:
    """The gap expected from chance alone, and how often chance alone would set groups so far apart.

    Who belongs to which group is shuffled within each list, which keeps the order and every group's share of each list.
    With no resamples, or very many rows, the shuffles' own mean and variance are used instead.

    Args:
        amount: [n] what each row gets.
        query: [n] codes of the lists.
    """
    present = np.unique(members.code[members.code >= 0])
    if len(present) < 2:
        return
    order = np.lexsort((members.code, amount, query))  # does not depend on how the rows came
    code = np.where(members.code >= 0, np.searchsorted(present, members.code), len(present))
    deal = Deal(code[order], amount[order], query[order], len(present))
    draws = min(plan.replicates, MOST, ROOM // len(amount))
    if draws < FEWEST or len(present) > DENSE:
        (size, chance), method = deal.expected(), "permutation moments within lists"
    else:
        rng = np.random.default_rng([plan.seed, crc32(f"{quantity.name} {members.name}".encode())])
        (size, chance), method = deal.shuffled(rng, draws), "permutation within lists"
    n = int((members.code >= 0).sum())
    yield of_gap(quantity, members.gap, "expected_by_chance", size, method, n, len(present), plan)
    if chance is not None:
        yield of_gap(quantity, members.gap, "p_value", chance, method, n, len(present), plan)


@dataclass(frozen=True)
class Deal:
    """Groups that may be dealt out otherwise to what rows get.

    Attributes:
        code: [n] groups 0 … groups − 1; the next higher code is for rows of no group.
        amount: [n]; query: [n] codes of the lists, in order.
    """

    code: NDArray[np.int64]
    amount: Floats
    query: NDArray[np.int64]
    groups: int

    def expected(self) -> tuple[float, float | None]:
        """The mean range and the p-value from mean and covariance over all deals.

        Groups' means differ as independent ones would whose variance is that within the lists.
        """
        size = expected_range(np.sqrt(self._dealt[0]) / self.n, self._middle)
        if self.groups > DENSE or not self._rank:
            return size, None
        return size, float(chi2.sf(self._apart(self._means(self.code)), self._rank))

    def shuffled(self, rng: np.random.Generator, draws: int) -> tuple[float, float | None]:
        """The same from deals themselves; p = (1 + those at least so far apart) / (1 + all)."""
        apart, ranges, seen = self._apart(self._means(self.code)), np.empty(draws), 0
        for draw in range(draws):
            means = self._means(self.code[np.argsort(self.query + rng.random(len(self.code)))])
            ranges[draw] = np.ptp(means)
            seen += self._apart(means) >= apart * (1 - 1e-9)
        return float(ranges.mean()), (1 + seen) / (1 + draws)

    @cached_property
    def n(self) -> Floats:
        """[groups], rows."""
        return np.bincount(self.code, minlength=self.groups + 1)[: self.groups].astype(float)

    @cached_property
    def _mean(self) -> Floats:
        """[lists]"""
        return np.bincount(self.query, self.amount) / np.bincount(self.query)

    @cached_property
    def _middle(self) -> Floats:
        """[groups] each group's mean over all deals: that of its lists."""
        return np.bincount(self.code, self._mean[self.query], minlength=self.groups + 1)[: self.groups] / self.n

    @cached_property
    def _dealt(self) -> tuple[Floats, csr_array]:
        """[groups] Σ over lists of s²·rows, and the table [lists, groups] of rows · s/√(list's rows)."""
        size = np.bincount(self.query).astype(float)
        square = np.bincount(self.query, (self.amount - self._mean[self.query]) ** 2) / np.maximum(size - 1, 1)
        pairs, rows = np.unique(self.query * (self.groups + 1) + self.code, return_counts=True)
        of_list, group = pairs // (self.groups + 1), pairs % (self.groups + 1)
        own = group < self.groups
        of_list, group, rows = of_list[own], group[own], rows[own]
        table = csr_array((np.sqrt(square / size)[of_list] * rows, (of_list, group)), shape=(len(size), self.groups))
        return np.bincount(group, square[of_list] * rows, minlength=self.groups).astype(float), table

    @cached_property
    def _shared(self) -> Floats:
        """[groups − 1, groups − 1] the covariance, over all deals, of the means' differences from the first group."""
        among, table = self._dealt
        covariance = np.diag(among) - np.asarray((table.T @ table).todense())
        against = (np.eye(self.groups)[1:] - np.eye(self.groups)[0]) / self.n
        return against @ covariance @ against.T

    @cached_property
    def _rank(self) -> int:
        return int(np.linalg.matrix_rank(self._shared, hermitian=True))

    @cached_property
    def _precision(self) -> Floats:
        return np.linalg.pinv(self._shared, hermitian=True).astype(float)

    def _means(self, code: NDArray[np.int64]) -> Floats:
        return np.bincount(code, self.amount, minlength=self.groups + 1)[: self.groups] / self.n

    def _apart(self, means: Floats) -> float:
        """How far the groups are from what chance expects: d' V⁻¹ d of their differences."""
        off = means - self._middle
        gap = off[1:] - off[0]
        return float(gap @ self._precision @ gap)
