"""Gradients with respect to codes, by way of the vectors that an embedding looks up for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Problem, Tensors, finite
from ..errors import ExplanationError, FailedError
from ..paths.embeddings import lookups_of
from ..paths.line import Line

TRIED = 8  # rows that show which inputs are looked up


def coded(problem: Problem) -> bool:
    """Whether some inputs are codes, to be explained by their vectors."""
    return problem.embedding is not None and any(not x.is_floating_point() for x in problem.inputs)


def lengths(problem: Problem) -> tuple[Tensors, Tensor]:
    """∂f/∂x for numbers, √Σ (∂f/∂e)² for codes with vectors e, shaped like the inputs, float64; and f, [n].

    A vector that is looked up several times is one variable: its gradients are added up first.
    """
    line = Line.of(problem, _elsewhere(problem), problem.inputs)
    count, same = len(problem.inputs), _same_vectors(line)

    def squared(gradients: Tensors, _: Tensors) -> list[Tensor]:
        vectors = [g.double() for g in gradients[count:]]
        for number, first in enumerate(same):
            if first != number:
                vectors[first] = vectors[first] + vectors[number]
                vectors[number] = torch.zeros_like(vectors[number])
        return [*gradients[:count], *(v.square() for v in vectors)]

    squares, output = _at_rows(line, squared)
    pairs = zip(squares, problem.inputs, strict=True)
    return tuple(value if x.is_floating_point() else value.sqrt() for value, x in pairs), output


def moved(problem: Problem) -> tuple[Tensors, Tensor]:
    """(x − b) ∂f/∂x for numbers, Σ (e(x) − e(b)) ∂f/∂e for codes, shaped like the inputs, float64; and f, [n]."""
    return _at_rows(
        Line.of(problem), lambda gradients, moves: [g.double() * m for g, m in zip(gradients, moves, strict=True)]
    )


def _at_rows(line: Line, change: Callable[[Tensors, Tensors], Sequence[Tensor]]) -> tuple[Tensors, Tensor]:
    """Gradients at the lines' ends, changed, as values of the inputs; and f."""
    outputs: list[Tensor] = []
    parts: list[Tensors] = []
    pairs = torch.arange(len(line), device=line.rows.device)

    def take(at: slice, out: Tensor, gradients: Tensors) -> None:
        some = line if len(pairs[at]) == len(line) else line.only(pairs[at])
        parts.append(some.back(tuple(change(gradients, line.moves(at)))))
        outputs.append(out.double())

    line.gradients(len(line), lambda at: (line.at(pairs[at], 1.0), line.rows[at]), take)
    found = tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))
    for values in found:
        finite(values, "gradient")
    return found, torch.cat(outputs)


def _same_vectors(line: Line) -> list[int]:
    """For each lookup the first one that looks up the same vectors."""
    found: list[int] = []
    for number, one in enumerate(line.lookups):
        twins = (
            k for k, other in enumerate(line.lookups[:number])
            if other.module is one.module and torch.equal(other.owner, one.owner) and torch.equal(other.ends, one.ends)
        )  # fmt: skip
        found.append(next(twins, number))
    return found


def _elsewhere(problem: Problem) -> Tensors:
    """Starts that differ from the rows in every code that is looked up, so that each lookup is seen to move."""
    shifted = [x if x.is_floating_point() else _shifted(x) for x in problem.inputs]
    found, why = list(problem.inputs), None
    for number, x in enumerate(problem.inputs):
        if not x.is_floating_point():
            few = [value[:TRIED] for value in problem.inputs]
            few[number] = shifted[number][:TRIED]
            try:
                looked_up = _looks_up(problem, tuple(few))
            except ExplanationError as error:
                looked_up, why = False, error
            found[number] = shifted[number] if looked_up else x
    if all(one is x for one, x in zip(found, problem.inputs, strict=True)):
        raise why or ExplanationError(Message("embedding_unused", {}))
    return tuple(found)


def _looks_up(problem: Problem, starts: Tensors) -> bool:
    """Whether what is looked up changes between these starts and the first rows."""
    ends = tuple(x[:TRIED] for x in problem.inputs)
    try:
        found = lookups_of(problem, starts, ends, torch.arange(len(ends[0]), device=ends[0].device))
        return any(not torch.equal(lookup.starts, lookup.ends) for lookup in found)
    except FailedError:  # the model cannot take other numbers there: a length, say
        return False


def _shifted(codes: Tensor) -> Tensor:
    """Other codes, each of which the model knows: one less, and 1 for 0."""
    if codes.dtype == torch.bool:
        return ~codes
    return torch.where(codes > 0, codes - 1, codes + 1)
