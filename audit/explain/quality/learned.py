"""Whether the network has learned anything that an explanation could show.

A network whose weights were shuffled explains itself as faithfully as any other, so no metric of its explanations gives
it away. What gives it away is that shuffling it once more changes nothing: it is one of many of its kind. A trained
network is not: its layers fit each other, and its outputs tell rows apart more than those of its shuffled kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...messages import Message
from ..errors import ExplanationError
from .candidates import Candidate
from .reading import Reading
from .shuffling import layers, mixing, shuffled
from .trial import Trial

NETWORKS = 99  # shuffled ones; the trained one stands out by chance in 1 of 100
ROWS = 64  # rows whose outputs are compared, at most
WIDE = 4_096  # outputs a row; of more, only the explained one is compared
FEWEST = 8  # rows
PROBES = 32  # directions by which the size of a product of large matrices is told
ITERATIONS = 12
SMALL = (
    100  # weights: of fewer, a trained network too often looks like its shuffled kind (benchmarks/explain_quality.py)
)
DEEP = 3  # layers of weights

Floats = NDArray[np.float64]


def learned_structure(trial: Trial, _: Candidate) -> tuple[Reading, ...]:
    """How much the outputs vary over rows, against the median of networks with shuffled weights.

    A permutation test of signs of learning, see `Signs`: those of structure are taken in units of their own standard
    deviations over the network and 99 shuffled ones, and their sums are ranked. Were the weights in random order, the
    network would come out first of 100 by a chance of 1 in 100 [phipson2010]. Where labels are known the loss is ranked
    too; `details["p"]` is the smaller chance, doubled for having taken two [bonferroni1936].

    Raises:
        ExplanationError: there are too few rows, no weights, or one layer of weights alone, whose order among like
            inputs no output can tell.
    """
    parameters = layers(trial.problem.function.model)
    if mixing(parameters) < 2:
        raise ExplanationError(Message("quality_one_layer", {}))
    if len(trial) < FEWEST:
        raise ExplanationError(Message("too_few_rows", {"n": len(trial), "needed": FEWEST}))
    return (trial.once("learned", lambda: _compared(trial, parameters)),)


def powerless(details: Mapping[str, object]) -> bool:
    """Whether a reading of `learned_structure` is of a network that cannot be told from its shuffled kind.

    So are those of few weights; and without labels those of two layers, which need hardly fit each other.
    """
    weights, matrices = details["weights"], details["layers"]
    assert isinstance(weights, int)
    assert isinstance(matrices, int)
    return weights < SMALL or (matrices < DEEP and details["p_loss"] is None)


def _compared(trial: Trial, parameters: list[list[nn.Parameter]]) -> Reading:
    """Against networks with all weights shuffled."""
    matrices = [next(p for p in layer if p.ndim > 1) for layer in parameters if any(p.ndim > 1 for p in layer)][::-1]
    found = [signs(trial, matrices)]
    for _ in range(NETWORKS):
        with shuffled([p for layer in parameters for p in layer], trial.problem.generator):
            found.append(signs(trial, matrices))
    variations = np.array([one.variation for one in found])
    chances = [chance(np.array([one.structure for one in found]))]
    if trial.loss is not None:
        chances.append(chance(np.array([[-one.loss] for one in found])))
    middle = float(np.median(variations[1:]))
    details = {
        "p": min(1.0, len(chances) * min(chances)),
        "p_structure": chances[0],
        "p_loss": chances[1] if len(chances) > 1 else None,
        "networks": NETWORKS,
        "variation": float(variations[0]),
        "shuffled_variation": middle,
        "weights": sum(p.numel() for layer in parameters for p in layer if p.ndim > 1),
        "layers": len(matrices),
    }
    ratio = variations[0] / middle if middle > 0 else float("nan")
    return Reading(torch.tensor([ratio], dtype=torch.float64), details=details)


def chance(signs: Floats) -> float:
    """The share of networks [networks, signs] whose signs add up to no less than the first one's, itself included."""
    spread = signs.std(0)
    scaled = np.divide(signs - signs.mean(0), spread, out=np.zeros_like(signs), where=spread > 0)
    sums = scaled.sum(1)
    return float((sums >= sums[0] - 1e-12).mean())


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells whether one network has learned.

    Attributes:
        variation: the standard deviation of the outputs over rows.
        structure: logarithms of what rises when a network learns: the variation of all outputs, and of the explained
            one; the size of each layer's largest singular value, for layers learn directions; and the size of the
            product of each two layers that follow each other, for they learn to fit.
        loss: the mean loss by the labels; 0 without labels.
    """

    variation: float
    structure: tuple[float, float, float, float]
    loss: float


def signs(trial: Trial, matrices: list[nn.Parameter]) -> Signs:
    """Of the network as it is now."""
    variation, explained, loss = _on_rows(trial)
    tiny = torch.finfo(torch.float64).tiny
    flat = [p.detach().flatten(1).double() for p in matrices]
    largest = sum(float(_largest(m).clamp(min=tiny).log()) for m in flat)
    fits = sum(float(_fit(a, b).clamp(min=tiny).log()) for a, b in pairwise(flat))
    return Signs(
        variation, (float(np.log(max(variation, tiny))), float(np.log(max(explained, tiny))), largest, fits), loss
    )


def _largest(matrix: Tensor) -> Tensor:
    """The largest singular value, by a few power iterations from a fixed start: near enough to be compared."""
    vector = torch.ones(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(ITERATIONS):
        moved = matrix.T @ (matrix @ vector)
        vector = moved / moved.norm().clamp(min=torch.finfo(matrix.dtype).tiny)
    return (matrix @ vector).norm()


def _fit(first: Tensor, second: Tensor) -> Tensor:
    """The Frobenius norm of second · first, a convolution's places apart; 1 where the one does not feed the other."""
    width = len(first)
    if second.shape[1] % width:
        return first.new_tensor(1.0)
    if first.shape[1] > PROBES:  # ‖AB‖ by what it makes of a few random directions, the same ones for every network
        draw = torch.Generator().manual_seed(0)
        probes = torch.randn(first.shape[1], PROBES, generator=draw, dtype=torch.float64)
        first = first @ probes.to(first.device)
    return torch.einsum("owk,wi->oki", second.reshape(len(second), width, -1), first).norm()


def _on_rows(trial: Trial) -> tuple[float, float, float]:
    """The standard deviation over rows of the outputs, all columns together, and of the explained number; the loss."""
    problem, loss = trial.problem, trial.loss
    rows = slice(0, min(ROWS, len(trial)))
    given = tuple(x[rows] for x in problem.inputs)

    def piece(at: slice) -> Tensor:
        raw = problem.function.raw(tuple(x[at] for x in given))
        explained = problem.function.read(raw, len(given[0][at]), at)[:, None].double()
        lost = torch.zeros_like(explained) if loss is None else loss(raw, at)[:, None].double()
        return torch.cat([lost, explained, _numbers(raw, explained)], 1)

    with torch.no_grad():
        found = torch.cat(problem.chunks.over(len(given[0]), piece))
    spread = found[:, 1:].var(0)
    numbers = torch.stack([spread[1:].mean().sqrt(), spread[0].sqrt(), found[:, 0].nanmean()])
    numbers = torch.nan_to_num(numbers, nan=0.0, posinf=torch.finfo(torch.float64).max)
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _numbers(raw: Tensor, explained: Tensor) -> Tensor:
    """[k, columns] float64: the raw outputs; the explained number where they are too many, or none a row."""
    if raw.ndim > 1 and len(raw) == len(explained) and raw[0].numel() <= WIDE and raw.is_floating_point():
        return raw.flatten(1).double()
    return explained
