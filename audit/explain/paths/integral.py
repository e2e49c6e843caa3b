"""Integrated gradients of many paths to a tolerance, by the rule that suits the network."""

from __future__ import annotations

from dataclasses import fields

import torch

from ..core.chunks import Chunks
from ..core.problem import Problem, Tensors
from .attempts import Integral, through
from .line import Line
from .plans import plan

HOLD = 2**22  # numbers of attributions that are held at once while paths are refined: 32 MB


def path_integral(
    problem: Problem,
    starts: Tensors | None = None,
    ends: Tensors | None = None,
    rows: torch.Tensor | None = None,
    *,
    rule: str | None = None,
    nodes: int | None = None,
) -> Integral:
    """Integrated gradients along m straight paths: (end − start) ∫₀¹ ∂f/∂x (start + α (end − start)) dα.

    By Gauss–Kronrod pairs on smooth networks, piece by piece on piecewise-linear ones; see `plans`. Nodes are fixed
    numbers, none is drawn. Paths whose error is above `problem.tolerance`, measured over the path's summed absolute
    attribution, or whose sum misses the output's change by more, are refined while gradients are left.

    Args:
        problem: function, tolerance, shape, embedding; a budget of evaluations is gradients a path, 256 without one.
        starts: each [m, ...], like the inputs (views are fine); the baselines if None.
        ends: each [m, ...]; the inputs if None.
        rows: [m] int64: the explained row that each path stands for, where targets differ; in order if None.
        rule: "gauss", "exact" or "midpoint" for all paths.
        nodes: exactly so many gradients a path, and no refining ("midpoint": rounded up to a multiple of 3; "exact": at
            most so many pieces).

    Raises:
        ExplanationError: an option makes no sense, or outputs or gradients are not finite.
    """
    steps = plan(problem, rule, nodes)
    line = Line.of(problem, starts, ends, rows)
    width = sum(x[0].numel() for x in line.at(torch.zeros_like(line.rows[:1]), 0.0))
    numbers = torch.arange(len(line), device=line.rows.device)
    held = Chunks(max(1, HOLD // width))
    return _joined(held.over(len(line), lambda at: through(steps, line.only(numbers[at]))))


def _joined(parts: list[Integral]) -> Integral:
    if len(parts) == 1:
        return parts[0]
    several = {
        name: [torch.cat(some) for some in zip(*(getattr(p, name) for p in parts), strict=True)] for name in _SHAPED
    }
    flat = {name: torch.cat([getattr(part, name) for part in parts]) for name in _FLAT}
    return Integral(tuple(several["values"]), tuple(several["error"]), **flat)


_SHAPED = ("values", "error")
_FLAT = tuple(field.name for field in fields(Integral) if field.name not in _SHAPED)
