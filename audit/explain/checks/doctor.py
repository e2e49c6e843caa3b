"""One function for the reader who wants to know before asking: `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ....models.subject import unpack
from ..core.function import Function, Target
from ..core.kept import kept
from ..core.result import Shaped, tensors
from .ailments import IN_QUANTITY
from .checkup import Checkup
from .examination import examine


def doctor(
    model: nn.Module | Callable[..., Any],
    inputs: Shaped,
    *,
    target: Target = None,
    forward: Callable[[Any, Any], Any] = unpack,
) -> Checkup:
    """What ails a model, where, and with what cure; and which methods are right on it. `print` shows it as a list.

    `attribute` asks the same before it explains anything, and refuses the methods that would be wrong.

    Args:
        model: a module, or any callable on tensors, in the mode that it will be explained in.
        inputs: a few rows [n, ...] are enough; several inputs as a tuple or by keyword, as for `attribute`.
        target: which output will be explained; None examines all of them together.
        forward: called as forward(model, inputs).

    Example:
        >>> checkup = doctor(nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1)), torch.zeros(5, 3))
        >>> checkup.shape, "deep_lift" in checkup.right, checkup.ailments[0].key
        ('smooth', False, 'unsupported_module')
    """
    given = tensors(inputs)
    keywords = tuple(inputs) if isinstance(inputs, Mapping) else None
    function = Function(model, all_outputs if target is None else target, "output", keywords, forward)
    with kept(model, given[0].device):
        found = examine(function, given)
    if target is not None:
        return found
    return replace(found, ailments=tuple(ailment for ailment in found.ailments if ailment.where != IN_QUANTITY))


def all_outputs(raw: Tensor) -> Tensor:
    """One number a row of all outputs together: their sum with weights that no model's outputs cancel in."""
    flat = raw.reshape(len(raw), -1)
    weights = torch.cos(torch.arange(flat.shape[1], device=raw.device)).to(
        flat.dtype if raw.is_floating_point() else torch.float32
    )
    return (flat * weights).sum(1)
