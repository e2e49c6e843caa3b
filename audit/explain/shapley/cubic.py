"""What a few coalitions tell of the whole game: interactions of three, fitted by ridge regression.

Regression-adjusted sampling [witter2025] fits the game, takes the fit's Shapley values, which are known, and samples
only what the fit misses. Pairs of coalitions are free of interactions of two already, so the first that are worth
fitting are those of three. There are d³/6 of them, and none is ever written down: the fit is a kernel's, and so are its
Shapley values.

With y = ±1 for a player who is in or out, the odd half of a game is Σ a_T Π_T y over sets T of odd size, and each
member of T gets 2 a_T / |T|.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import torch
from torch import Tensor

LINEAR = (
    30.0  # prior variance of the additive part over the cubic one's; large, since adding up is what games mostly do
)
NUGGET = 0.3  # what neither explains, over the cubic part; a choice by each row's own data came to the same
TRAINED = 1_500  # pairs that are fitted at most, since the time grows with their cube


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A game that was fitted to each row's pairs, without those whose turn it is to be predicted.

    Attributes:
        predicted: [n, m] the fit's halves of differences, of a drawn pair by a fit that has not seen its fold.
        values: [n, players] the fit's Shapley values.
    """

    predicted: Tensor
    values: Tensor


def fitted(present: Tensor, odd: Tensor, fold: Tensor) -> Fit:
    """Fit each row's game by cross-fitting; what is never left out is predicted by the mean of the fits.

    Args:
        present: [m, players] bool, one half of each pair.
        odd: [n, m] halves of differences.
        fold: [m] which pairs are left out together; -1 = never.
    """
    signs, folds = 2 * present.double() - 1, range(int(fold.max()) + 1)
    predicted, values = torch.zeros_like(odd), odd.new_zeros(len(odd), signs.shape[1])
    for k in folds:
        seen = (fold != k).nonzero()[:, 0][:TRAINED]
        own = kernel(signs[seen], signs[seen])
        own.diagonal().add_(NUGGET)
        solved = torch.cholesky_solve(odd[:, seen].T, torch.linalg.cholesky(own)).T
        asked = (fold == k) | (fold < 0)
        share = torch.where(fold[asked] < 0, 1 / len(folds), 1.0)
        predicted[:, asked] += solved @ kernel(signs[seen], signs[asked]) * share
        values += solved @ kernel_values(signs[seen]) / len(folds)
    return Fit(predicted, values)


def kernel(one: Tensor, other: Tensor) -> Tensor:
    """Covariances [m, k] of games with independent additive and cubic coefficients, at signs [m, d] and [k, d].

    The sum over triples T of Π_T y y′ is (t³ − (3d − 2) t) / 6, t = y·y′.
    """
    d = one.shape[1]
    t = one @ other.T
    return t * (LINEAR / d + (t * t - (3 * d - 2)) / (6 * max(comb(d, 3), 1)))


def kernel_values(signs: Tensor) -> Tensor:
    """Shapley values [m, d] of the games kernel(·, y) for signs y [m, d]."""
    d = signs.shape[1]
    triples = signs * ((signs.sum(1, keepdim=True) - signs) ** 2 - (d - 1)) / 2
    return 2 * LINEAR * signs / d + 2 / 3 * triples / max(comb(d, 3), 1)
