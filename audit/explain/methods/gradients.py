"""Gradients of the explained number with respect to the inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.problem import Found, Problem, Tensors, finite
from .codes import coded, lengths, moved
from .drawing import Means, limit, number, samples

PAIRS = 25  # of noise and its mirror image, where neither `samples` nor a budget is given [smilkov2017: 50 samples]
NOISE = 0.15  # of a row's range [smilkov2017]


def saliency(problem: Problem) -> Found:
    """∂f/∂x at each row, with its sign [simonyan2014]; all rows by one backward pass of their sum.

    A code that an embedding looks up has no sign of its own: its value is the length of its vector's gradient, √Σ g²
    [atanasova2020].
    """
    if coded(problem):
        values, output = lengths(problem)
        return Found(values, "gradients at the rows; a code has the length of its vector's gradient", output=output)
    output, found = gradients_at(problem, problem.inputs)
    return Found(found, "gradients at the rows", output=output)


def input_x_gradient(problem: Problem) -> Found:
    """(x − b) ∂f/∂x: what a network that is linear between the baseline and the row would hand out [shrikumar2017].

    Of a code that an embedding looks up, the same added up over its vector: (e(x) − e(b)) · ∂f/∂e.
    """
    if coded(problem):
        values, output = moved(problem)
        rule = "gradients at the rows, times the distance from the baseline; a code has the sum over its vector"
        return Found(values, rule, output=output)
    output, found = gradients_at(problem, problem.inputs)
    pairs = zip(found, problem.inputs, problem.baselines, strict=True)
    values = tuple(g * (x - b) for g, x, b in pairs)
    return Found(values, "gradients at the rows, times the distance from the baseline", output=output)


def smooth_grad(problem: Problem) -> Found:
    """The mean gradient around each row: E ∂f/∂x (x + ε), ε normal [smilkov2017]; noise and its mirror image in pairs.

    Options: `samples`, how many noisy copies (a pair counts two); `noise`, the noise's standard deviation as a share of
    the row's range (0.15).

    Raises:
        ExplanationError: the budget has no room for two pairs.
    """
    noise = number(problem, "noise", NOISE)
    asked = samples(problem)
    pairs = limit(problem, None if asked is None else max(2, asked // 2), PAIRS)
    means = Means.like(problem.inputs)
    spread = [noise * _range(x) if x.is_floating_point() else None for x in problem.inputs]
    while (pairs is None or means.n < pairs) and problem.spending.room(2 * means.n + 2):
        with problem.spending.step():
            means.add(_pair(problem, spread))
    means.check(problem, "smooth_grad", 4)
    rule = f"mean gradient of {2 * means.n} copies with noise of {noise:g} of the row's range, in mirrored pairs"
    return Found(means.mean, rule, stderr=means.stderr, details={"samples": 2 * means.n})


def gradients_at(problem: Problem, inputs: Tensors) -> tuple[Tensor, Tensors]:
    """f [n] float64, and its gradients at inputs that stand for the rows in order."""
    parts: list[tuple[Tensor, Tensors]] = []
    problem.gradients(
        len(problem),
        lambda at: (tuple(x[at] for x in inputs), at),
        lambda _, out, found: parts.append((out, found)),
    )
    outputs, found = parts[0]
    if len(parts) > 1:
        outputs = torch.cat([out for out, _ in parts])
        found = tuple(torch.cat(pieces) for pieces in zip(*(found for _, found in parts), strict=True))
    for values in found:
        finite(values, "gradient")
    return outputs.double(), found


def _pair(problem: Problem, spread: list[Tensor | None]) -> Tensors:
    """The mean gradient at the rows with noise, and with the same noise the other way."""
    drawn = [
        None if s is None else s * _normal(x, problem.generator) for x, s in zip(problem.inputs, spread, strict=True)
    ]
    both = []
    for sign in (1, -1):
        moved = tuple(x if e is None else x + sign * e for x, e in zip(problem.inputs, drawn, strict=True))
        both.append(gradients_at(problem, moved)[1])
    return tuple((a.double() + b.double()) / 2 for a, b in zip(*both, strict=True))


def _normal(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype)


def _range(x: Tensor) -> Tensor:
    """[n, 1, …] the largest less the smallest number of each row."""
    flat = x.reshape(len(x), -1)
    return (flat.amax(1) - flat.amin(1)).reshape(len(x), *[1] * (x.ndim - 1))
