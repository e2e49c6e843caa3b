"""Which coalitions KernelSHAP asks about: small and large ones all, those in between by a sample without bias.

A pair is a coalition and its complement. A level holds the pairs whose smaller half has so many players.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb

import torch
from torch import Tensor

LISTED = 2**17  # pairs of a level that are drawn without repeating any; of larger levels a repeat is rare
STRATUM = 6  # draws whose spread is taken to be one stratum's, at least
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Pairs of coalitions with the weights that make sums over them stand for sums over all coalitions.

    Attributes:
        present: [m, players] bool, one half of each pair.
        weights: [m] float64.
        stratum: [m] int64, pairs drawn from the same part; -1 where the part is there as a whole.
        unseen: [m] float64, the share of the pair's level that was not drawn.
        fold: [m] int64, 0 … 4 by turns among those that were drawn; -1 for parts that are there as a whole.
    """

    present: Tensor
    weights: Tensor
    stratum: Tensor
    unseen: Tensor
    fold: Tensor

    @property
    def whole(self) -> bool:
        """Whether all coalitions are in it."""
        return bool((self.stratum < 0).all())


@dataclass(slots=True, eq=False)
class Levels:
    """All levels of a game of two players or more, and what was drawn of them so far.

    Attributes:
        players: how many.
        generator: of the draws.
        counts: pairs in each level.
        drawn: pairs of each level so far.
        present: what each round drew, [m, players] bool.
        level: of each pair, in the order of `present`.
    """

    players: int
    generator: torch.Generator
    counts: list[int] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)
    present: list[Tensor] = field(default_factory=list)
    level: list[Tensor] = field(default_factory=list)
    _orders: list[Tensor | None] = field(default_factory=list)
    _offset: float = 0.0

    def __post_init__(self) -> None:
        d = self.players
        self.counts = [comb(d - 1, s - 1) if 2 * s == d else comb(d, s) for s in self.sizes]
        self.drawn = [0] * len(self.sizes)
        self._orders = [
            torch.randperm(count, generator=self.generator) if count <= LISTED else None for count in self.counts
        ]
        self._offset = float(torch.rand((), generator=self.generator))

    @property
    def sizes(self) -> range:
        """Players of the smaller half, level by level."""
        return range(1, self.players // 2 + 1)

    @property
    def shares(self) -> list[float]:
        """The kernel's weight of each level, (d − 1) / (s (d − s)) for either half [lundberg2017]."""
        d = self.players
        return [(d - 1) / (s * (d - s)) * (1 if 2 * s == d else 2) for s in self.sizes]

    @property
    def asks(self) -> list[int]:
        """How much of the draws each level is given, to scale: all the same, the one that is its own complement half.

        That is in proportion to the pairs' leverage in the regression [musco2025]. By the kernel's weights the levels
        in the middle, where most interactions show, would come off badly.
        """
        return [1 if 2 * s == self.players else 2 for s in self.sizes]

    def grow(self, pairs: int) -> Tensor:
        """Draw until there are about `pairs` in all; the new ones, [m, players] bool."""
        fresh = []
        for level, wanted in enumerate(self._wanted(pairs)):
            before, self.drawn[level] = self.drawn[level], wanted
            fresh.append(self._draw(level, before, wanted))
            self.level.append(torch.full((wanted - before,), level))
        self.present.append(torch.cat(fresh))
        return self.present[-1]

    def design(self, device: torch.device) -> Design:
        """Everything drawn so far, in the order it was drawn."""
        strata, weights = self._parts()
        level = torch.cat(self.level)
        unseen = [
            1.0 if order is None else 1 - m / count
            for m, count, order in zip(self.drawn, self.counts, self._orders, strict=True)
        ]
        stratum = torch.tensor(strata)[level]
        sampled = stratum >= 0
        fold = torch.where(sampled, sampled.cumsum(0) % FOLDS, -1)
        numbers = (torch.tensor(x, dtype=torch.float64)[level] for x in (weights, unseen))
        weight, left = (x.to(device) for x in numbers)
        return Design(torch.cat(self.present).to(device), weight, stratum.to(device), left, fold.to(device))

    def _wanted(self, pairs: int) -> list[int]:
        """How many of each level: level by level the whole, while its share of the draws pays for it."""
        wanted, left, weight = [], float(pairs), sum(self.asks)
        whole, before = True, 0.0
        for level, (count, share) in enumerate(zip(self.counts, self.asks, strict=True)):
            quota = max(0.0, left * share / weight)
            listed = self._orders[level] is not None
            whole = whole and listed and (quota >= count * (1 - 1e-9) or not level)
            if whole:
                wanted.append(count)
                left, weight = left - count, weight - share
                continue
            until = before + quota
            m = int(until + self._offset) - int(before + self._offset)
            m = max(m, self.drawn[level])
            wanted.append(min(count, m) if listed else m)
            before = until
        return wanted

    def _draw(self, level: int, before: int, until: int) -> Tensor:
        size, order, m = self.sizes[level], self._orders[level], until - before
        if order is None:
            places = torch.rand(m, self.players, generator=self.generator).argsort(1)[:, :size]
        elif 2 * size == self.players:  # a pair is counted once: by the half in which the first player is
            others = subsets(order[before:until], self.players - 1, size - 1) + 1
            places = torch.cat([torch.zeros(m, 1, dtype=torch.int64), others], 1)
        else:
            places = subsets(order[before:until], self.players, size)
        return torch.zeros(m, self.players, dtype=torch.bool).scatter_(1, places, True)

    def _parts(self) -> tuple[list[int], list[float]]:
        """Of each level: its stratum (-1 = there as a whole), and the weight of each of its draws."""
        strata, weights = [-1] * len(self.drawn), [0.0] * len(self.drawn)
        for level, (share, drawn) in enumerate(zip(self.shares, self.drawn, strict=True)):
            weights[level] = share / max(drawn, 1)
        for part, run in enumerate(self._runs()):
            odds = {k: self.shares[k] / self.asks[k] for k in run}
            scale = sum(self.shares[k] for k in run) / max(sum(odds[k] * self.drawn[k] for k in run), 1e-300)
            for level in run:
                strata[level], weights[level] = part, scale * odds[level]
        return strata, weights

    def _runs(self) -> list[list[int]]:
        """Neighbouring levels that were drawn from, put together where one has too few draws to show a spread."""
        runs: list[list[int]] = []
        for level, (m, count, order) in enumerate(zip(self.drawn, self.counts, self._orders, strict=True)):
            if order is not None and m == count:
                continue
            if runs and self._draws(runs[-1]) < STRATUM:
                runs[-1].append(level)
            else:
                runs.append([level])
        if len(runs) > 1 and self._draws(runs[-1]) < STRATUM:
            last = runs.pop()
            runs[-1] += last
        return runs

    def _draws(self, levels: list[int]) -> int:
        return sum(self.drawn[level] for level in levels)


def subsets(ranks: Tensor, of: int, size: int) -> Tensor:
    """The subsets of 0 … of − 1 with these numbers in the order of their largest members, [m, size] int64.

    Every number below C(of, size) is one subset, C(c₁, 1) + C(c₂, 2) + … with c₁ < c₂ < … its members.

    Example:
        >>> subsets(torch.arange(3), 3, 2).tolist()
        [[1, 0], [2, 0], [2, 1]]
    """
    found, left = [], ranks.clone()
    for members in range(size, 0, -1):
        table = torch.tensor([comb(c, members) for c in range(of)])
        member = torch.searchsorted(table, left, right=True) - 1
        left = left - table[member]
        found.append(member)
    return torch.stack(found, 1) if found else ranks.new_zeros(len(ranks), 0)
