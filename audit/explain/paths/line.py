"""Straight lines through what a model can be differentiated by: float inputs, and vectors that stand for codes.

A method that explains codes works on a line's points instead of the inputs, and hands its values back:

    line = Line.of(problem)                         # from the baselines to the inputs
    points = line.at(pairs, alpha)                  # inputs and vectors, each [k, ...]; at alpha = 1 the rows'
    line.gradients(total, make, take)               # as Problem.gradients, by these points
    values = line.back(per_point_values)            # shaped like the inputs; a code gets its vector's sum
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ...messages import Message
from ..core.chunks import Chunks
from ..core.function import Function
from ..core.problem import Problem, Tensors
from ..errors import ExplanationError
from .embeddings import Lookup, lookups_of, over_vectors, watched

ELSEWHERE = 1e-4  # of the output: more than rounding in float32 explains


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Paths from starts to ends, m of them.

    Attributes:
        problem: with a function of points: the inputs, then the vectors of each lookup.
        starts: each [m, ...], as the inputs are.
        ends: each [m, ...]. Codes that no lookup stands for stay at their ends all along.
        rows: [m] int64, the explained row that each path stands for.
        lookups: the embeddings' calls that read codes.
        origin: the function of the inputs alone, which counts.
    """

    problem: Problem
    starts: Tensors
    ends: Tensors
    rows: Tensor
    lookups: tuple[Lookup, ...]
    origin: Function

    @classmethod
    def of(
        cls, problem: Problem, starts: Tensors | None = None, ends: Tensors | None = None, rows: Tensor | None = None
    ) -> Line:
        """The lines from the baselines to the inputs, or from other starts to other ends.

        Args:
            problem: whose function it is.
            starts: each [m, ...]; the baselines if None.
            ends: each [m, ...]; the inputs if None.
            rows: [m] int64, which explained row's target each path has; in order if None.

        Raises:
            ExplanationError: codes cannot be followed to their lookups.
        """
        starts, ends = starts or problem.baselines, ends or problem.inputs
        rows = torch.arange(len(ends[0]), device=ends[0].device) if rows is None else rows
        if problem.embedding is None or all(x.is_floating_point() for x in ends):
            return cls(problem, starts, ends, rows, (), problem.function)
        lookups = lookups_of(problem, starts, ends, rows)
        function = over_vectors(problem.function, watched(problem), [lookup.call for lookup in lookups])
        line = cls(replace(problem, function=function), starts, ends, rows, lookups, problem.function)
        line = replace(line, problem=replace(line.problem, chunks=Chunks.of(line.at(torch.zeros_like(rows[:1]), 1.0))))
        if problem.embedding == "auto" and problem.strict:
            line._all_looked_up()
        return line

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, index: Tensor) -> Line:
        """Some of the paths, by number."""
        return replace(
            self,
            starts=tuple(x[index] for x in self.starts),
            ends=tuple(x[index] for x in self.ends),
            rows=self.rows[index],
            lookups=tuple(lookup.at(index) for lookup in self.lookups),
        )

    def at(self, pairs: Tensor, alpha: Tensor | float) -> Tensors:
        """The points start + alpha (end − start) of these paths: inputs and vectors, each [k, ...].

        Args:
            pairs: [k] int64, numbers of paths.
            alpha: [k] float64, or one for all.
        """
        share = torch.as_tensor(alpha, dtype=torch.float64, device=pairs.device).expand(len(pairs))
        found = []
        for start, end in zip(self.starts, self.ends, strict=True):
            here = end[pairs]
            found.append(_between(start[pairs], here, share) if end.is_floating_point() else here)
        for lookup in self.lookups:
            start, end = (lookup.vectors(codes[pairs]) for codes in (lookup.starts, lookup.ends))
            found.append(_between(start, end, share))
        return tuple(found)

    def moves(self, index: slice) -> Tensors:
        """end − start of these paths, float64, as the points are; 0 for codes."""
        pairs = torch.arange(len(self), device=self.rows.device)[index]
        starts, ends = self.at(pairs, 0.0), self.at(pairs, 1.0)
        return tuple(b.double() - a.double() for a, b in zip(starts, ends, strict=True))

    def outputs(self) -> tuple[Tensor, Tensor]:
        """f at the end and at the start of every path, each [m] float64."""
        m, device = len(self), self.rows.device
        pairs, alpha = torch.arange(m, device=device).repeat(2), (torch.arange(2 * m, device=device) < m).double()
        found = self.problem.evaluated(2 * m, lambda at: (self.at(pairs[at], alpha[at]), self.rows[pairs[at]]))
        return found[:m], found[m:]

    def gradients(
        self,
        total: int,
        make: Callable[[slice], tuple[Tensors, Tensor]],
        take: Callable[[slice, Tensor, Tensors], None],
    ) -> None:
        """∂f/∂point, piece by piece; see `Problem.gradients`."""
        function = self.problem.function
        before = function.gradients
        self.problem.gradients(total, make, take)
        if function is not self.origin:
            self.origin.gradients += function.gradients - before

    def back(self, values: Tensors) -> Tensors:
        """Values of points [m, ...] as values of the inputs, float64; a code's is the sum over its vectors."""
        n = len(self.ends)
        found = [value.double() for value in values[:n]]
        if not self.lookups:
            return tuple(found)
        m = len(values[0])
        flat = torch.cat([value.reshape(m, -1) for value in found], 1)
        for lookup, value in zip(self.lookups, values[n:], strict=True):
            owned = lookup.owner >= 0
            sums = value.double().reshape(m, len(lookup.owner), -1).sum(2)
            flat.index_add_(1, lookup.owner[owned], sums[:, owned])
        widths = [prod(x.shape[1:]) for x in self.ends]
        parts = zip(flat.split(widths, 1), self.ends, strict=True)
        return tuple(part.reshape(m, *x.shape[1:]) for part, x in parts)

    def _all_looked_up(self) -> None:
        """Raise where codes reach the output by another way than by lookups."""
        codes = tuple(x if not x.is_floating_point() else end for x, end in zip(self.starts, self.ends, strict=True))
        pairs = torch.arange(len(self), device=self.rows.device)
        vectors = replace(self, starts=codes).outputs()[1]
        wanted = replace(self.problem, function=self.origin).evaluated(
            len(self), lambda at: (tuple(x[at] for x in codes), self.rows[pairs[at]])
        )
        off = (vectors - wanted).abs() > ELSEWHERE * torch.maximum(vectors.abs(), wanted.abs()).clamp(min=1e-6)
        if bool(off.any()):
            raise ExplanationError(Message("codes_elsewhere", {"count": int(off.sum()), "n": len(off)}))


def _between(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(start, end, share.to(end.dtype).reshape(-1, *[1] * (end.ndim - 1)))
