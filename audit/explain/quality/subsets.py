"""Random sets of places taken away: what that costs, and what the attributions said that it would cost.

One set of masks serves every explanation and both metrics. Chance is the same attributions, shuffled among the places.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...messages import Message
from .candidates import Candidate
from .ranks import correlation
from .reading import Reading
from .trial import Trial

SUBSETS = 32  # a row


@dataclass(frozen=True, slots=True, eq=False)
class Drops:
    """What taking random sets away costs.

    Attributes:
        drops: [n, subsets] f(x) − f(x without the set).
        claimed: for each explanation [n, subsets], the sum of its attributions over the set.
        shuffled: likewise, the attributions shuffled among the row's places, for all explanations in the same way.
    """

    drops: Tensor
    claimed: dict[str, Tensor]
    shuffled: dict[str, Tensor]


def faithfulness_correlation(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Pearson's correlation over random sets S of Σ_S φ and f(x) − f(x without S) [bhatt2020].

    Each place is in S with a chance of one half.
    """
    found = drops(trial)
    every = torch.ones_like(found.drops, dtype=torch.bool)
    values, chance = (correlation(said[candidate.name], found.drops, every) for said in (found.claimed, found.shuffled))
    # A shuffle of all-equal attributions is themselves, and one whose sums are constant tells nothing: no correlation.
    chance = torch.where(chance.isnan(), 0, chance)
    constant = (Message("quality_constant_sums", {}), values.isnan())
    return (Reading(values, (*trial.few(2), constant), chance),)


def infidelity(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The mean over random sets of (Iᵀφ − (f(x) − f(x − I)))² [yeh2019], I being the distance from the baseline on the
    set and 0 elsewhere, φ being slopes; in the output's unit, squared.

    Of an attribution that is already multiplied by the distance, Iᵀφ is its sum over the set. Maps without a unit get
    the factor that suits them best, row by row.
    """
    found = drops(trial)
    values, chance = (
        squared_error(
            _fitted(said[candidate.name], found.drops) if candidate.unitless else said[candidate.name], found.drops
        )
        for said in (found.claimed, found.shuffled)
    )
    size = float((found.drops**2).mean())
    details = {"relative": float(values.mean()) / size if size else None, "scaled_to_fit": candidate.unitless}
    return (Reading(values, trial.few(1), chance, details=details),)


def squared_error(claimed: Tensor, lost: Tensor) -> Tensor:
    """[n] the mean squared difference of what was said and what was lost, [n, perturbations] both."""
    return ((claimed - lost) ** 2).mean(1)


def drops(trial: Trial) -> Drops:
    """The random sets of every row, drawn and evaluated once for all."""

    def compute() -> Drops:
        parts = [_of(trial, block) for block in trial.blocks(SUBSETS)]
        names = [candidate.name for candidate in trial.candidates]
        return Drops(
            torch.cat([part.drops for part in parts]),
            {name: torch.cat([part.claimed[name] for part in parts]) for name in names},
            {name: torch.cat([part.shuffled[name] for part in parts]) for name in names},
        )

    return trial.once("drops", compute)


def _of(trial: Trial, block: slice) -> Drops:
    counts = trial.moves[block]
    taken = (trial.uniform(len(counts), SUBSETS, counts.shape[1]) < 0.5) & counts[:, None]
    left = trial.outputs(block, SUBSETS, lambda row, mask: ~taken[row, mask])
    order = _shuffle(trial, counts)
    claims = {candidate.name: candidate.claims[block] for candidate in trial.candidates}
    return Drops(
        trial.output[block, None] - left,
        {name: _sums(taken, values) for name, values in claims.items()},
        {name: _sums(taken, values.gather(1, order)) for name, values in claims.items()},
    )


def _sums(taken: Tensor, values: Tensor) -> Tensor:
    """[rows, subsets] of values [rows, groups] over sets [rows, subsets, groups]."""
    return torch.einsum("rsg,rg->rs", taken.double(), values.double())


def _shuffle(trial: Trial, counts: Tensor) -> Tensor:
    """[rows, groups] a random permutation of the places that count, which come first in `places` as in `order`."""
    places = (~counts).double().argsort(dim=1, stable=True)
    order = torch.where(counts.gather(1, places), trial.uniform(*counts.shape), 2.0).argsort(dim=1, stable=True)
    return torch.empty_like(places).scatter_(1, places, places.gather(1, order))


def _fitted(claimed: Tensor, lost: Tensor) -> Tensor:
    size = (claimed**2).sum(1, keepdim=True)
    factor = (claimed * lost).sum(1, keepdim=True) / size
    return torch.where(size > 0, factor, 0) * claimed
