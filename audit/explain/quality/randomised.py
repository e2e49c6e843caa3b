"""Attributions on networks with shuffled weights: what does not change with the weights does not explain them.

The parameter-randomisation test [adebayo2018], with several shuffled networks instead of one, and with an interval: the
criticism of the test is that one random network is a draw like any other [hedstrom2024].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor, nn

from ...messages import Message
from ..core.result import Attributions
from ..errors import ExplanationError
from .candidates import Candidate
from .ranks import rank_correlation
from .reading import Reading, Reasons
from .shuffling import layers, shuffled
from .simple import entropy_of
from .trial import Trial

NETWORKS = 6  # with all weights shuffled
ROWS = 100  # spread evenly over those given: the test needs no more
STAGES = 4  # of the cascade from the output back to the input, at most
LEAST = 0.25  # of the similarity must be lost


@dataclass(slots=True, eq=False)
class Shuffles:
    """What one method says about networks with shuffled weights; NaN at rows that were not taken.

    Attributes:
        own: [n] how alike the attributions are with those of the audited network, computed once more with other random
            numbers; 1 for a method that draws none.
        similarity: [networks, n] how alike they are with those of networks with all weights shuffled.
        spread: [networks, n] the entropy of those.
        cascade: {"layers": how many from the output back are shuffled, "similarity": the mean over rows}.
    """

    own: Tensor
    similarity: Tensor
    spread: Tensor
    cascade: list[dict[str, float | None]] = field(default_factory=list)


def parameter_randomisation(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """Spearman's correlation of a row's attributions with those of networks with shuffled weights [adebayo2018].

    The interval is the wider of that over rows and that over networks. `details` tell the loss against the audited
    network itself, with its interval, and the cascade. Where beyond doubt less than a quarter of the similarity is lost
    (the interval of the loss lies below 0.25) the attributions are no evidence; where the interval holds 0.25 the test
    has not the power to say.

    Raises:
        ExplanationError: no weights, fewer than two rows that have a ranking, or the method fails on the shuffled
            networks.
    """
    found = _shuffles(trial, candidate)
    tied = (Message("quality_no_ranking", {}), found.own.isnan() | found.similarity.isnan().all(0))
    values = found.similarity.nanmean(0)
    known = torch.isfinite(values) & torch.isfinite(found.own) & (trial.count >= 3)
    if int(known.sum()) < 2:
        raise ExplanationError(Message("too_few_rows", {"n": int(known.sum()), "needed": 2}))
    loss = found.own - found.similarity
    details = {
        "own": _mean(found.own[known]),
        **_loss(loss[:, known], trial.level),
        "networks": len(loss),
        "cascade": found.cascade,
    }
    units = found.similarity[:, known].nanmean(1)
    return (Reading(values, (*spared(trial), *trial.few(3), tied), units=units, details=details),)


def randomised_complexity(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """(H on shuffled networks − H) / H, H being the attribution's entropy [hedstrom2024]."""
    found = _shuffles(trial, candidate)
    own = entropy_of(candidate.found.grouped, trial.moves)
    values = (found.spread.nanmean(0) - own) / own
    zero = (Message("quality_all_zero", {}), own.isnan())
    single = (Message("quality_single_place", {}), own == 0)
    return (Reading(values, (*spared(trial), *trial.few(2), zero, single), units=_rowmeans(found.spread, own)),)


def passes(details: Mapping[str, object]) -> bool | None:
    """Whether attributions depend on the weights, by a reading of `parameter_randomisation`; None where in doubt."""
    low, high = details.get("loss_low"), details.get("loss_high")
    if not isinstance(low, float) or not isinstance(high, float):
        return None
    return True if low > LEAST else False if high < LEAST else None


def _shuffles(trial: Trial, candidate: Candidate) -> Shuffles:
    return trial.once(("shuffles", candidate.name), lambda: _run(trial, candidate))


def _run(trial: Trial, candidate: Candidate) -> Shuffles:
    """Attributions of every network; networks are the same for every method."""
    parts = layers(trial.problem.function.model)
    seeds = trial.once("seeds", lambda: torch.randint(2**62, (NETWORKS,), generator=trial.problem.generator).tolist())
    other = torch.Generator().manual_seed(seeds[0] // 2)
    own = _alike(trial, candidate, trial.again(candidate.found[taken(trial)], generator=other))
    similarity, spread, failed = [], [], None
    for seed in seeds:
        try:
            found = _on_shuffled(trial, candidate, [p for part in parts for p in part], seed)
        except ExplanationError as error:
            failed = error
            continue
        similarity.append(_alike(trial, candidate, found))
        at = taken(trial).to(trial.moves.device)
        spread.append(scattered(trial, entropy_of(found.grouped, trial.moves[at])))
    if len(similarity) < 2:
        assert failed is not None
        raise failed
    result = Shuffles(own, torch.stack(similarity), torch.stack(spread))
    result.cascade = _cascade(trial, candidate, parts, seeds[0])
    result.cascade.append({"layers": len(parts), "similarity": _mean(result.similarity[0])})
    return result


def _cascade(
    trial: Trial, candidate: Candidate, parts: list[list[nn.Parameter]], seed: int
) -> list[dict[str, float | None]]:
    """With some of the layers shuffled, from the output back; all of them are left to the caller."""
    found: list[dict[str, float | None]] = []
    for depth in sorted({round(len(parts) * k / STAGES) for k in range(1, STAGES)} - {0, len(parts)}):
        try:
            new = _on_shuffled(trial, candidate, [p for part in parts[:depth] for p in part], seed)
        except ExplanationError:
            continue
        found.append({"layers": depth, "similarity": _mean(_alike(trial, candidate, new))})
    return found


def _on_shuffled(trial: Trial, candidate: Candidate, parameters: Sequence[nn.Parameter], seed: int) -> Attributions:
    with shuffled(parameters, torch.Generator().manual_seed(seed)):
        return trial.again(candidate.found[taken(trial)])


def taken(trial: Trial) -> Tensor:
    """The numbers of the rows that the test looks at."""
    n = len(trial)
    return torch.linspace(0, n - 1, min(n, ROWS), dtype=torch.float64).round().long()


def spared(trial: Trial) -> Reasons:
    """Why the other rows have no value."""
    rows = torch.ones(len(trial), dtype=torch.bool, device=trial.moves.device)
    rows[taken(trial).to(rows.device)] = False
    return ((Message("quality_spared", {"taken": min(len(trial), ROWS)}), rows),)


def _alike(trial: Trial, candidate: Candidate, new: Attributions) -> Tensor:
    at = taken(trial).to(trial.moves.device)
    return scattered(trial, rank_correlation(candidate.found.grouped[at], new.grouped, trial.moves[at]))


def scattered(trial: Trial, values: Tensor) -> Tensor:
    """[n, ...] with NaN at the rows that were not taken."""
    found = values.new_full((len(trial), *values.shape[1:]), torch.nan)
    found[taken(trial).to(values.device)] = values
    return found


def _loss(loss: Tensor, level: float) -> dict[str, float | None]:
    """The mean of [networks, n] with the wider of two intervals: rows as units, and networks as units."""
    rows, networks = loss.nanmean(0), loss.nanmean(1)
    centre = _mean(rows)
    if centre is None:
        return {"loss": None, "loss_low": None, "loss_high": None}
    half = max(half_width(rows.cpu().numpy(), level), half_width(networks.cpu().numpy(), level))
    ends = (None, None) if half == inf else (centre - half, centre + half)
    return {"loss": centre, "loss_low": ends[0], "loss_high": ends[1]}


def half_width(values: np.ndarray, level: float) -> float:
    """Of Student's interval of the mean; infinite where fewer than two values are known."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return inf
    return float(stdtrit(len(known) - 1, (1 + level) / 2) * known.std(ddof=1) / np.sqrt(len(known)))


def _rowmeans(spread: Tensor, own: Tensor) -> Tensor:
    """[networks] the mean over rows of the relative rise."""
    good = torch.isfinite(own) & (own > 0)
    return ((spread[:, good] - own[good]) / own[good]).nanmean(1)


def _mean(values: Tensor) -> float | None:
    known = values[torch.isfinite(values)]
    return float(known.mean()) if len(known) else None
