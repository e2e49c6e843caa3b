"""Which explanations are evidence: of this model, of a network that has learned something, and of what it learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

import torch

from ...messages import Message
from .candidates import Candidate
from .learned import powerless
from .randomised import LEAST, passes
from .score import Score
from .trial import Trial

CHANCE = 0.05  # of taking a network with shuffled weights for a trained one
OFF = 1e-3  # of the outputs' size: two runs of one model differ by less


def judged(trial: Trial, scores: Sequence[Score]) -> tuple[dict[str, Message | None], dict[str, Message]]:
    """For each method None or why it is no evidence; and why a test of it could not be made.

    An explanation is no evidence where it is of another model, where the network cannot be told from one with shuffled
    weights (p above 0.05), or where shuffling the weights beyond doubt hardly changes the explanation. What a test has
    not the power to say is unchecked: of a small network, or where rows and networks scatter too much.
    """
    measured = {(score.method, score.metric): score for score in scores if score.statistic == "value"}
    network = measured.get(("", "learned_structure"))
    evidence, unchecked = {}, {}
    for candidate in trial.candidates:
        own = measured.get((candidate.name, "parameter_randomisation"))
        evidence[candidate.name] = _elsewhere(trial, candidate) or _unlearned(network) or _insensitive(own)
        why = _untested(own) or _untested(network)
        if why is not None and evidence[candidate.name] is None:
            unchecked[candidate.name] = why
    return evidence, unchecked


def _elsewhere(trial: Trial, candidate: Candidate) -> Message | None:
    """The attributions were made of a model with other outputs."""
    known = candidate.found.output
    if known is None:
        return None
    size = torch.maximum(known.double().abs(), trial.output.abs()).mean()
    off = int(((known.double() - trial.output).abs() > OFF * size).sum())
    return Message("quality_other_model", {"count": off, "n": len(trial)}) if off else None


def _unlearned(score: Score | None) -> Message | None:
    if not _indistinct(score) or powerless(score.details):
        return None
    return Message("quality_unlearned", {"p": score.details["p"], "networks": score.details["networks"]})


def _indistinct(score: Score | None) -> TypeGuard[Score]:
    return score is not None and bool(score.details) and score.details["p"] > CHANCE


def _insensitive(score: Score | None) -> Message | None:
    if score is None or score.value is None or passes(score.details) is not False:
        return None
    told: Mapping[str, float | None] = score.details
    parameters = {"similarity": score.value, "own": told["own"], "high": told["loss_high"], "least": LEAST}
    return Message("quality_insensitive", parameters)


def _untested(score: Score | None) -> Message | None:
    """Why a test was not made, or has not the power to say."""
    if score is None:
        return Message("quality_not_asked", {})
    if score.value is None:
        return score.reason
    if score.metric == "parameter_randomisation" and passes(score.details) is None:
        return Message("quality_in_doubt", {"low": score.details["loss_low"], "high": score.details["loss_high"]})
    if score.metric == "learned_structure" and _indistinct(score) and powerless(score.details):
        return Message("quality_powerless", {"weights": score.details["weights"], "p": score.details["p"]})
    return score.reason
