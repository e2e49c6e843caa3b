"""Whether attributions stay the same where they should: with other random numbers, baselines, slightly other inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..catalogue import METHODS
from ..core.result import Shaped, like, mapped
from ..errors import ExplanationError
from .candidates import Candidate
from .randomised import scattered, spared, taken
from .ranks import rank_correlation
from .reading import Reading, Reasons
from .trial import Trial

SEEDS = 3
MOVES = 5
RADIUS = 0.02  # of the distance from the baseline [yeh2019: 0.02 of inputs between 0 and 1]


def stability_over_seeds(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The mean of Spearman's correlations with the attributions of three other seeds.

    Raises:
        ExplanationError: the method draws no random numbers.
    """
    if not METHODS[candidate.found.method].samples:
        raise ExplanationError(Message("quality_no_randomness", {"method": candidate.found.method}))
    seeds = trial.once(
        "other seeds", lambda: torch.randint(2**62, (SEEDS,), generator=trial.problem.generator).tolist()
    )
    changes = [{"generator": torch.Generator().manual_seed(seed)} for seed in seeds]
    return (_alike(trial, candidate, changes),)


def stability_over_baselines(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The mean of Spearman's correlations with the attributions against other baselines.

    Where there is a background, it is drawn from anew, twice. Else rows are compared with the rows' mean, and each with
    another row; codes have no mean, so where there are some each row is compared with two others. Groups that do not
    differ from their baseline keep it.

    Raises:
        ExplanationError: there is one row and no background.
    """
    return (_alike(trial, candidate, _other_baselines(trial, candidate)),)


def sensitivity_max(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """max ‖φ(x + e) − φ(x)‖ / ‖φ(x)‖ over five draws of e [yeh2019]; |eᵢ| is at most 2 % of place i's distance from its
    baseline, so that what does not differ from the baseline stays.

    Raises:
        ExplanationError: the inputs are codes, which cannot be moved a little.
    """
    problem, found = trial.problem, candidate.found
    if not any(x.is_floating_point() for x in problem.inputs):
        raise ExplanationError(Message("quality_codes_do_not_move", {}))
    size, worst = found.grouped.norm(dim=1), torch.zeros(len(trial), dtype=torch.float64, device=trial.moves.device)
    for draw in range(MOVES):
        new = _again(trial, candidate, {"inputs": like(found.inputs, _moved(trial, draw))})
        worst = torch.maximum(worst, (new - found.grouped).norm(dim=1))
    zero = (Message("quality_all_zero", {}), size == 0)
    details = {"radius": RADIUS, "draws": MOVES}
    return (Reading(worst / size, (*_left_out(trial, candidate), zero), details=details),)


def _alike(trial: Trial, candidate: Candidate, changes: Sequence[Mapping[str, Any]]) -> Reading:
    others = [_again(trial, candidate, change) for change in changes]
    alike = torch.stack([rank_correlation(candidate.found.grouped, other, trial.moves) for other in others])
    values = alike.where(torch.stack(others).isfinite().all(2), torch.nan).nanmean(0)
    tied = (Message("quality_no_ranking", {}), values.isnan())
    reasons = (*_left_out(trial, candidate), *trial.few(3), tied)
    return Reading(values, reasons, details={"draws": len(others)})


def _again(trial: Trial, candidate: Candidate, change: Mapping[str, Any]) -> Tensor:
    """[n, groups] attributions with something changed; NaN at rows that were left out."""
    if not _costly(candidate):
        return trial.again(candidate.found, **change).grouped
    at = taken(trial)
    by_row = {name: _some(given, at) for name, given in change.items() if name in ("inputs", "baselines")}
    return scattered(trial, trial.again(candidate.found[at], **{**change, **by_row}).grouped)


def _some(given: Shaped, at: Tensor) -> Shaped:
    return mapped(given, lambda x: x[at.to(x.device)])


def _costly(candidate: Candidate) -> bool:
    """Whether a row takes so long that not all rows are explained again and again: it is sampled."""
    return METHODS[candidate.found.method].samples


def _left_out(trial: Trial, candidate: Candidate) -> Reasons:
    return spared(trial) if _costly(candidate) else ()


def _other_baselines(trial: Trial, candidate: Candidate) -> list[dict[str, Any]]:
    problem, background = trial.problem, candidate.found.settings["background"]
    if background is not None:
        m = len(background[0])
        if m < 2:
            raise ExplanationError(Message("quality_small_background", {"n": m}))
        picks = [torch.randint(m, (m,), generator=problem.generator) for _ in range(2)]
        return [
            {"background": like(candidate.found.inputs, [x[pick.to(x.device)] for x in background])} for pick in picks
        ]
    if len(trial) < 2:
        raise ExplanationError(Message("too_few_rows", {"n": len(trial), "needed": 2}))
    others = [_other_rows(trial, 1)]
    if all(x.is_floating_point() for x in problem.inputs):
        others.insert(0, [x.mean(0, keepdim=True).expand_as(x) for x in problem.inputs])
    else:
        others.append(_other_rows(trial, 2))
    kept = [problem.groups.choose(~trial.moves, problem.baselines, given) for given in others]
    return [{"baselines": like(candidate.found.inputs, given)} for given in kept]


def _other_rows(trial: Trial, by: int) -> list[Tensor]:
    """Inputs in which each row is another one; the same ones for every explanation."""
    order = trial.once("other rows", lambda: torch.randperm(len(trial), generator=trial.problem.generator))
    other = torch.empty_like(order)
    other[order] = order.roll(by % len(trial) or 1)
    return [x[other.to(x.device)] for x in trial.problem.inputs]


def _moved(trial: Trial, draw: int) -> list[Tensor]:
    """The inputs moved a little, in the same way for every explanation."""

    def compute() -> list[Tensor]:
        pairs = zip(trial.problem.inputs, trial.problem.baselines, strict=True)
        return [_one_moved(trial, x, b) for x, b in pairs]

    return trial.once(("moved", draw), compute)


def _one_moved(trial: Trial, x: Tensor, b: Tensor) -> Tensor:
    if not x.is_floating_point():
        return x
    share = 2 * RADIUS * (torch.rand(x.shape, generator=trial.problem.generator, dtype=torch.float64) - 0.5)
    return x + (share.to(x.device) * (x.double() - b.double())).to(x.dtype)
