"""What the attributions tell by themselves: do they add up, how many inputs do they rest on, do methods agree."""

from __future__ import annotations

import torch
from torch import Tensor

from ...messages import Message
from ..errors import ExplanationError
from .candidates import Candidate
from .ranks import rank_correlation
from .reading import Reading, Reasons
from .trial import Trial


def completeness_residual(_: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """|Σ φ − (f(x) − f(b))| over the larger of Σ |φ| and |f(x) − f(b)| [sundararajan2017].

    Raises:
        ExplanationError: the method promises no such sum.
    """
    found = candidate.found
    if found.completeness is None:
        raise ExplanationError(Message("quality_no_promise", {"method": found.method}))
    residual = found.completeness.double().abs()
    change = (found.grouped.sum(1) - found.completeness).abs()
    scale = torch.maximum(found.grouped.abs().sum(1), change)
    still = (scale == 0) & (residual == 0)
    return (Reading(torch.where(still, 0.0, residual / scale)),)


def gini(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Gini's index of |φ| over places that differ from the baseline: Σₖ (2k − m − 1) aₖ / (m Σ a) [chalasani2020]."""
    found = gini_of(candidate.found.grouped, trial.moves)
    return (Reading(found, (*trial.few(2), *_zero(candidate.found.grouped, trial.moves))),)


def entropy(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Entropy of |φ| / Σ |φ| over the places that differ from the baseline, in nats [bhatt2020]."""
    found = entropy_of(candidate.found.grouped, trial.moves)
    return (Reading(found, (*trial.few(2), *_zero(candidate.found.grouped, trial.moves))),)


def rank_agreement(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Spearman's correlation of the attributions with those of each method after it, row by row [krishna2024].

    Raises:
        ExplanationError: there is no other method.
    """
    if len(trial.candidates) < 2:
        raise ExplanationError(Message("quality_one_method", {}))
    others = trial.candidates[trial.candidates.index(candidate) + 1 :]
    missing = (*trial.few(3), *_zero(candidate.found.grouped, trial.moves))
    found = []
    for other in others:
        alike = rank_correlation(candidate.importance, other.importance, trial.moves)
        tied = (Message("quality_no_ranking", {}), alike.isnan())
        found.append(Reading(alike, (*missing, tied), where={"with": other.name}))
    return tuple(found)


def gini_of(values: Tensor, counts: Tensor) -> Tensor:
    """[n] Gini's index of |values| [n, m] over the places that count; NaN where all are 0.

    >>> gini_of(torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 0.0]]), torch.ones(2, 4, dtype=torch.bool))
    tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    sizes = torch.where(counts, values.double().abs(), 0).sort(1).values  # the places left out come first, as zeros
    m = counts.sum(1, keepdim=True)
    k = torch.arange(1, values.shape[1] + 1, device=values.device) - (~counts).sum(1, keepdim=True)
    return ((2 * k - m - 1) * sizes).sum(1) / (m[:, 0] * sizes.sum(1))


def entropy_of(values: Tensor, counts: Tensor) -> Tensor:
    """[n] entropy in nats of |values| as shares of their sum, over the places that count; NaN where all are 0.

    >>> entropy_of(torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64), torch.ones(1, 4, dtype=torch.bool))
    tensor([1.2799], dtype=torch.float64)
    """
    sizes = torch.where(counts, values.double().abs(), 0)
    shares = sizes / sizes.sum(1, keepdim=True)
    return -torch.special.xlogy(shares, shares).sum(1)


def _zero(values: Tensor, counts: Tensor) -> Reasons:
    return ((Message("quality_all_zero", {}), ~((values != 0) & counts).any(1)),)
