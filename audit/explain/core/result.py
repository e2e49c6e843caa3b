"""Attributions: one result type for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .budget import Cost
from .groups import Groups

Shaped = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
"""As the inputs were given: one tensor, several, or by keyword."""


@dataclass(frozen=True, slots=True, eq=False)
class Attributions:
    """Each row's output, handed out to its inputs, with what is known of the error.

    Attributes:
        method: by the field's name, "integrated_gradients".
        values: shaped like the inputs. A method that gives one number to a group of places shows it at each of them.
        error: estimated numerical error of each value, shaped like `values`; None where there is none to estimate.
        stderr: standard error of each value from sampling, shaped like `values`; None where nothing was sampled.
        completeness: [n], Σ attributions − (f(x) − f(baseline)) in the output's unit; None where the method promises
            no such sum.
        cost: evaluations, gradients, seconds and joules.
        quantity: what is explained: "output", "logit", "probability", "log_odds" or "loss".
        rule: how the numbers were computed, in words, and why so.
        grouped: [n, groups] float64, one number for each group of places.
        grouped_error: [n, groups] or None.
        grouped_stderr: [n, groups] or None.
        groups: the groups themselves.
        output: [n] f(x); None where the method did not need it.
        baseline_output: [n] f(baseline), likewise; the mean over a background.
        target: the explained column, as it was asked for.
        inputs: the explained inputs, as given.
        baselines: what they were compared with, each broadcast to its input.
        settings: everything that repeats the call: method, tolerance, budget, the generator's state before, options.
        details: what else the method tells: gradients of each row, samples.
    """

    method: str
    values: Shaped
    error: Shaped | None
    stderr: Shaped | None
    completeness: Tensor | None
    cost: Cost
    quantity: str
    rule: str
    grouped: Tensor
    grouped_error: Tensor | None
    grouped_stderr: Tensor | None
    groups: Groups
    output: Tensor | None
    baseline_output: Tensor | None
    target: Any
    inputs: Shaped
    baselines: Shaped
    settings: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.grouped)

    @property
    def layer_values(self) -> Tensor | None:
        """What a layer method says in the layer's own shape, [n, ...]; None for other methods."""
        return self.details.get("layer")

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Attributions:
        """Some rows; the cost stays that of the whole call."""
        n = len(self)
        at = torch.arange(n)[rows] if isinstance(rows, slice) else torch.as_tensor(rows)

        def pick(value: Any) -> Any:
            return None if value is None else mapped(value, lambda x: x[at.to(x.device)])

        target = pick(self.target) if isinstance(self.target, Tensor) else self.target
        shaped = {k: pick(getattr(self, k)) for k in _SHAPED}
        details = {k: pick(v) if isinstance(v, Tensor) and len(v) == n else v for k, v in self.details.items()}
        return replace(self, **shaped, target=target, details=details)


_SHAPED = (
    "values", "error", "stderr", "completeness", "grouped", "grouped_error", "grouped_stderr", "output",
    "baseline_output", "inputs", "baselines",
)  # fmt: skip


def tensors(value: Shaped) -> tuple[Tensor, ...]:
    """The tensors of what was given, in order."""
    if isinstance(value, Tensor):
        return (value,)
    return tuple(value.values()) if isinstance(value, Mapping) else tuple(value)


def like(form: Shaped, values: Sequence[Tensor]) -> Shaped:
    """Values in the form that inputs were given in."""
    if isinstance(form, Tensor):
        return values[0]
    return dict(zip(form, values, strict=True)) if isinstance(form, Mapping) else tuple(values)


def mapped(value: Shaped, change: Any) -> Shaped:
    """Every tensor changed, in the same form."""
    return like(value, [change(x) for x in tensors(value)])
