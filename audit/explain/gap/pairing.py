"""Which person of one group is compared with which person of the other: every person of a group weighs the same."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import torch
from torch import Tensor

from ...messages import Message
from ..errors import ExplanationError

FEW = 4_096  # pairs that are all taken
ROUNDS = 4  # otherwise: then the pairing adds at most a quarter of the variance that only pairs have to that of people


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A balanced design: the weights of a person's pairs add up to 1/n of the person's group, whatever the two sizes.

    Attributes:
        first: [pairs] int64, rows of the first group.
        second: [pairs] int64, rows of the second.
        weight: [pairs] float64, adding up to 1.
        sizes: of the two groups.
        complete: every pair there is, all of one weight.
    """

    first: Tensor
    second: Tensor
    weight: Tensor
    sizes: tuple[int, int]
    complete: bool

    def __len__(self) -> int:
        return len(self.first)

    @property
    def overlap(self) -> float:
        """Σ weight²: one over the number of pairs that are worth as much."""
        return float((self.weight**2).sum())


def pairs_of(n_first: int, n_second: int, most: int | None, generator: torch.Generator, *, same: bool = False) -> Pairs:
    """Every pair where that is allowed; otherwise as many rounds as fit, each of which takes every person once.

    In a round both groups are shuffled and laid side by side on a line of length 1, each person of a group taking the
    same length of it; two people are a pair where they meet, and weigh the length that they share. A round has
    n + m − gcd(n, m) pairs; of equal groups n.

    Args:
        n_first: people of the first group.
        n_second: people of the second.
        most: how many pairs at most; None = all where they are few, else four rounds.
        generator: on the processor.
        same: the groups hold the same people: each pair is taken both ways round, so that what is antisymmetric is 0.

    Raises:
        ExplanationError: `most` is less than one round.

    Example:
        >>> pairs_of(2, 3, 4, torch.Generator().manual_seed(0)).weight.mul(6).tolist()
        [2.0, 1.0, 2.0, 1.0]
    """
    once = n_first + n_second - gcd(n_first, n_second)
    allowed = max(FEW, ROUNDS * once) if most is None else most
    if n_first * n_second <= allowed:
        every = torch.cartesian_prod(torch.arange(n_first), torch.arange(n_second))
        weight = torch.full((len(every),), 1 / len(every), dtype=torch.float64)
        return Pairs(every[:, 0], every[:, 1], weight, (n_first, n_second), True)
    if allowed < once:
        raise ExplanationError(Message("gap_pairs", {"given": allowed, "needed": once}))
    rounds = [
        _round(n_first, n_second, generator)
        for _ in range(min(ROUNDS, allowed // once) if most is None else allowed // once)
    ]
    codes, lengths = (torch.cat(parts) for parts in zip(*rounds, strict=True))
    if same:
        codes, lengths = torch.cat([codes, codes % n_second * n_second + codes // n_second]), lengths.repeat(2)
    found, place = codes.unique(return_inverse=True)
    total = torch.zeros(len(found), dtype=torch.int64).index_add_(0, place, lengths)
    weight = total.double() / float(total.sum())
    return Pairs(found // n_second, found % n_second, weight, (n_first, n_second), False)


def _round(n_first: int, n_second: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each pair's number first · n_second + second, and the length they share in parts of 1 / (n_first · n_second)."""
    ends_first = torch.arange(1, n_first + 1) * n_second
    ends_second = torch.arange(1, n_second + 1) * n_first
    cuts = torch.cat([ends_first, ends_second]).unique()
    first = torch.randperm(n_first, generator=generator)[torch.searchsorted(ends_first, cuts)]
    second = torch.randperm(n_second, generator=generator)[torch.searchsorted(ends_second, cuts)]
    return first * n_second + second, cuts.diff(prepend=cuts.new_zeros(1))
