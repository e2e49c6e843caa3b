"""Whether attributions lie where people see the evidence; chance is known exactly, so nothing is drawn.

Only places that differ from the baseline take part. A row whose evidence covers none of them, or all, tells nothing.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...messages import Message
from .candidates import Candidate
from .ranks import positions, ranks
from .reading import Reading, Reasons
from .trial import Trial

TOP = 10  # places that the top-k intersection looks at


def pointing_game(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """1 where the largest attribution lies inside, else 0 [zhang2018]; of equals the first counts."""
    return (replace(_share_of_top(trial, candidate, torch.ones_like(trial.count)), binary=True),)


def top_k_intersection(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """|top k ∩ mask| / k [theiner2022], k being ten, but at most a fifth of the places, and at least one."""
    fifth = (trial.count + 4) // 5
    return (_share_of_top(trial, candidate, fifth.clamp(min=1, max=TOP)),)


def relevance_rank_accuracy(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """|top k ∩ mask| / k, k being the size of the mask [arras2022]."""
    return (_share_of_top(trial, candidate, _inside(trial).sum(1)),)


def relevance_mass_accuracy(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Σ over the mask of φ⁺ over Σ φ⁺, φ⁺ being the positive part [arras2022]."""
    mass = torch.where(trial.moves, candidate.importance.clamp(min=0), 0)
    found = (mass * _inside(trial)).sum(1) / mass.sum(1)
    nothing = (Message("quality_no_positive", {}), mass.sum(1) == 0)
    return (Reading(found, (*_useless(trial), nothing), _chance(trial)),)


def localisation_auc(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The chance that a place inside is ranked above a place outside, ties counting half (Mann-Whitney's U / n₁n₂)."""
    inside = _inside(trial)
    k = inside.sum(1).double()
    others = trial.count - k
    total = (ranks(candidate.importance, trial.moves) * inside).sum(1)
    found = (total - k * (k - 1) / 2) / (k * others)
    return (Reading(found, _useless(trial), torch.full_like(found, 0.5)),)


def top_share(importance: Tensor, inside: Tensor, counts: Tensor, k: Tensor) -> Tensor:
    """[n] the share of each row's k [n] most important places that lie inside.

    Args:
        importance: [n, m]. inside: [n, m] bool. counts: [n, m] bool, the places that take part.
        k: [n], at most as many as take part.
    """
    top = (positions(importance, counts) < k[:, None]) & counts
    return (top & inside).sum(1).double() / k


def _share_of_top(trial: Trial, candidate: Candidate, k: Tensor) -> Reading:
    found = top_share(candidate.importance, _inside(trial), trial.moves, k)
    return Reading(found, _useless(trial), _chance(trial))


def _inside(trial: Trial) -> Tensor:
    assert trial.masks is not None
    return trial.masks & trial.moves


def _chance(trial: Trial) -> Tensor:
    """[n] what a random ranking gets on average: the mask's share of the places."""
    return _inside(trial).sum(1).double() / trial.count


def _useless(trial: Trial) -> Reasons:
    k = _inside(trial).sum(1)
    return (
        (Message("quality_mask_empty", {}), k == 0),
        (Message("quality_mask_full", {}), k == trial.count),
    )
