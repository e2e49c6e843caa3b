"""A test of equal rates that may be read after every time window: a gambler's wealth [chugg2023]. Loads no torch.

Where two groups are treated alike, no bet on their difference makes money on average: the wealth is a martingale that
starts at 1, so it ever reaches 1/α with a chance of at most α, however often somebody looks and whenever they stop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats

BETS = 2048  # at most, in one window: more rows share a bet as means of a batch
CAUTION = 2 / (2 - math.log(3))  # the step of the online Newton method for bets of at most 1/2 [hazan2007], [chugg2023]
MOST = 690.0  # log wealth that a float still holds


@dataclass(frozen=True, slots=True)
class Wealth:
    """How the bets went.

    Attributes:
        log: [windows] log wealth at the end of each window, from 0 on.
        bets: how many bets were placed.
    """

    log: Floats
    bets: int

    @property
    def final(self) -> float:
        """The e-value: how many times the first stake is left; large speaks against equal rates."""
        return float(np.exp(np.minimum(self.log[-1], MOST))) if len(self.log) else 1.0

    @property
    def p_value(self) -> float:
        """1 / the highest wealth so far: valid however the moment of reading was chosen."""
        return float(np.exp(-min(max(self.log.max(initial=0.0), 0.0), MOST)))

    def rejects(self, alpha: float) -> int | None:
        """The first window at whose end wealth is at least 1/α; None where there is none."""
        reached = np.flatnonzero(self.log >= -np.log(alpha) - 1e-12)
        return int(reached[0]) if len(reached) else None


def wealth(counts: Sequence[tuple[int, int, int, int]], seed: int | Sequence[int] = 0) -> Wealth:
    """The wealth of a bettor against equal rates of two groups, window by window.

    K = Π (1 + λᵢ(ŷ₀ᵢ − ŷ₁ᵢ)), where each λᵢ is chosen from what came before by online Newton steps, within ±1/2.
    A window tells no order of its rows, so they are put in a random one, and the rows of the larger group are shared
    out evenly among those of the smaller: each bet compares means of batches of equal expectation.

    Args:
        counts: for each window in order (x₀, n₀, x₁, n₁): positive decisions and rows of both groups.
        seed: of the order of rows; the same counts and seed give the same wealth.

    >>> even, uneven = wealth([(30, 100, 30, 100)] * 6), wealth([(30, 100, 50, 100)] * 6)
    >>> even.rejects(0.05), uneven.rejects(0.05) is not None
    (None, True)
    """
    differences = [_differences(*window, np.random.default_rng(_seeds(seed, k))) for k, window in enumerate(counts)]
    log, ends, bet, squares = 0.0, [], 0.0, 1.0
    for window in differences:
        for difference in window.tolist():
            factor = 1 + bet * difference
            log += math.log(factor)
            slope = difference / factor
            squares += slope * slope
            bet = min(0.5, max(-0.5, bet + CAUTION * slope / squares))
        ends.append(log)
    return Wealth(np.array(ends), sum(map(len, differences)))


def average(found: Sequence[Wealth]) -> Wealth:
    """The mean of several wealths, read at the ends of windows: again a wealth, for stakes that are split evenly."""
    logs = np.stack([one.log for one in found])
    top = logs.max(0)
    return Wealth(top + np.log(np.exp(logs - top).mean(0)), sum(one.bets for one in found))


def _differences(x0: int, n0: int, x1: int, n1: int, rng: np.random.Generator) -> Floats:
    """[bets] differences of the rates of batches, in random order of the rows."""
    bets = min(n0, n1, BETS)
    if not bets:
        return np.zeros(0)
    return _batches(x0, n0, bets, rng) - _batches(x1, n1, bets, rng)


def _batches(x: int, n: int, bets: int, rng: np.random.Generator) -> Floats:
    """[bets] the rate of each batch when n rows, x of them positive, are dealt out at random."""
    sizes = _sizes(n, bets)
    order = rng.permutation(bets)  # which of the batches are the larger ones
    drawn = rng.multivariate_hypergeometric(sizes, x, method="marginals")
    return (drawn / sizes)[order]


def _sizes(n: int, bets: int) -> NDArray[np.int64]:
    sizes = np.full(bets, n // bets, np.int64)
    sizes[: n % bets] += 1
    return sizes


def _seeds(seed: int | Sequence[int], window: int) -> list[int]:
    return [*(seed if isinstance(seed, Sequence) else (seed,)), window]
