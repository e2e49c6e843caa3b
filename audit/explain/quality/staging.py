"""The trial set up: that explanations are of the same rows, masks are theirs, and the model is the one explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...messages import Message
from ..core.budget import Spending
from ..core.chunks import Chunks
from ..core.function import Function
from ..core.problem import Problem
from ..core.result import Attributions, Shaped, tensors
from ..errors import ExplanationError
from .candidates import Candidate, moving
from .trial import Trial

HALF = 0.5  # of a group's places must be in a mask, for the group to be


def staged(
    model: nn.Module | Callable[..., Any],
    given: Mapping[str, Attributions],
    masks: Shaped | None,
    generator: torch.Generator,
    spending: Spending,
    level: float,
) -> Trial:
    """The rows and their explanations; takes two evaluations a row.

    Raises:
        ExplanationError: the explanations are of different rows, groups, targets or quantities; masks of another shape.
    """
    names = list(given)
    first = given[names[0]]
    for name in names[1:]:
        _alike(names[0], first, name, given[name])
    inputs, baselines = tensors(first.inputs), tensors(first.baselines)
    keywords = tuple(first.inputs) if isinstance(first.inputs, Mapping) else None
    target = first.target.to(inputs[0].device) if isinstance(first.target, Tensor) else first.target
    function = Function(model, target, first.quantity, keywords, first.settings["forward"])  # type: ignore[arg-type]
    problem = Problem(function, inputs, baselines, first.groups, spending, Chunks.of(inputs), generator)
    candidates = tuple(Candidate.of(name, found, inputs, baselines) for name, found in given.items())
    output, start = problem.outputs(), problem.outputs(baselines, torch.arange(len(problem), device=inputs[0].device))
    moves = moving(inputs, baselines, first)
    return Trial(problem, candidates, moves, output, start, _masked(masks, first), level, spending.meter)


def _alike(first: str, a: Attributions, second: str, b: Attributions) -> None:
    """Raise where two explanations are of different questions."""
    mine, others = tensors(a.inputs), tensors(b.inputs)
    what = None
    if len(mine) != len(others) or any(
        x.shape != y.shape or not torch.equal(x, y) for x, y in zip(mine, others, strict=False)
    ):
        what = "rows"
    elif len(a.groups) != len(b.groups) or any(
        not torch.equal(x, y) for x, y in zip(a.groups.masks, b.groups.masks, strict=True)
    ):
        what = "feature_groups"
    elif not _same(a.target, b.target):
        what = "target"
    elif a.quantity != b.quantity:
        what = "quantity"
    if what is not None:
        raise ExplanationError(Message("quality_unlike", {"what": what, "first": first, "second": second}))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and bool((a == b.to(a.device)).all())
    return not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b


def _masked(masks: Shaped | None, found: Attributions) -> Tensor | None:
    """[n, groups] bool."""
    if masks is None:
        return None
    given, inputs = tensors(masks), tensors(found.inputs)
    shapes, wanted = [list(mask.shape) for mask in given], [list(x.shape) for x in inputs]
    if shapes != wanted:
        raise ExplanationError(Message("quality_masks", {"shapes": shapes, "wanted": wanted}))
    flags = [(mask != 0).double().to(x.device) for mask, x in zip(given, inputs, strict=True)]
    size = found.groups.sums([torch.ones_like(flag) for flag in flags])
    return found.groups.sums(flags) >= HALF * size.clamp(min=1)
