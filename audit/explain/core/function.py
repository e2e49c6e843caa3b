"""Which number is explained: one a row, read off the model's output; and its gradients, by one backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ....models.errors import GnomonError
from ....models.inference import out_of_memory
from ....models.subject import unpack
from ...messages import Message
from ..errors import ExplanationError, FailedError

Quantity = Literal["output", "logit", "probability", "log_odds", "loss"]
"""What of the output is explained. "output" and "logit" are the output as it stands, the second declared to be a logit;
"probability" and "log_odds" are computed from logits; "loss" is the cross-entropy of the target's class."""

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
Target = int | Tensor | Callable[[Tensor], Tensor] | None
Rows = slice | Tensor


@dataclass(slots=True, eq=False)
class Function:
    """The explained number as a function of the model's inputs: f(x), [n]. Counts how often it is asked.

    Attributes:
        model: a module, or any callable on tensors.
        target: the output's column: one for all rows (an int), one for each ([n] int64), or None for outputs [n] or
            [n, 1]; or a callable that reads [n] off the raw output.
        keywords: names of the inputs, where the model takes them by keyword; None = by position.
        forward: called as forward(model, inputs).
        evaluations: rows that went through the model so far.
        gradients: rows whose gradient was taken so far.
    """

    model: Callable[..., Any]
    target: Target = None
    quantity: Quantity = "output"
    keywords: tuple[str, ...] | None = None
    forward: Callable[[Any, Any], Any] = unpack
    evaluations: int = field(default=0, compare=False)
    gradients: int = field(default=0, compare=False)

    @property
    def module(self) -> nn.Module | None:
        """The model, where it is a module whose insides can be looked at."""
        return self.model if isinstance(self.model, nn.Module) else None

    def __call__(self, inputs: Sequence[Tensor], rows: Rows | None = None) -> Tensor:
        """f(inputs), [m].

        Args:
            inputs: each [m, ...].
            rows: which of the explained rows each of them stands for, where the target differs from row to row: [m]
                int64, or a slice; None = all of them in order.
        """
        return self.read(self.raw(inputs), len(inputs[0]), rows)

    def read(self, raw: Tensor, n: int, rows: Rows | None = None) -> Tensor:
        """f of n rows, [n], read off the model's own output for them."""
        found = read(raw, self._target_of(rows), self.quantity)
        if found.shape != (n,):
            raise ExplanationError(Message("not_one_a_row", {"shape": list(found.shape), "n": n}))
        return found

    def raw(self, inputs: Sequence[Tensor]) -> Tensor:
        """The model's own output for these inputs.

        Raises:
            FailedError: the model raises an error; but memory that runs out is left to `Chunks`.
            ExplanationError: it returns no numbers.
        """
        self.evaluations += len(inputs[0])
        named = tuple(inputs) if self.keywords is None else dict(zip(self.keywords, inputs, strict=True))
        try:
            found = self.forward(self.model, named)
        except GnomonError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            raise FailedError(Message("model_failed", told(error))) from error
        return found if isinstance(found, Tensor) else _numbers(found)

    def gradient(self, inputs: Sequence[Tensor], rows: Rows | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """f(inputs) [m] and ∂f/∂x for each floating-point input; zeros for the others.

        One backward pass of the rows' sum, which is right because rows do not meet in the model (the doctor checks it).

        Raises:
            ExplanationError: the output is detached from the inputs.
        """
        with torch.enable_grad():
            given = [x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
            out = self(given, rows)
            if not out.requires_grad:
                raise ExplanationError(Message("detached", {}))
            floats = [x for x in given if x.requires_grad]
            found = iter(torch.autograd.grad(out.sum(), floats, allow_unused=True, materialize_grads=True))
        self.gradients += len(out)
        return out.detach(), tuple(next(found) if x.requires_grad else torch.zeros_like(x) for x in given)

    def _target_of(self, rows: Rows | None) -> Target:
        return self.target[rows] if isinstance(self.target, Tensor) and rows is not None else self.target


def told(error: BaseException) -> dict[str, str]:
    """An error of other people's code, in one line: its kind, and what it says first."""
    lines = str(error).strip().splitlines()
    return {"kind": type(error).__name__, "error": lines[0][:160] if lines else "no word of why"}


def _numbers(found: Any) -> Tensor:
    """An output that is no tensor, an array say, as a tensor."""
    try:
        return torch.as_tensor(found)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExplanationError(Message("output_no_tensor", {"kind": type(found).__name__})) from error


def read(raw: Tensor, target: Target, quantity: Quantity) -> Tensor:
    """The explained number [n] of a model's raw output."""
    if not isinstance(target, (int, Tensor)) and callable(target):
        return target(raw)
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim == 1:
        return _of_one(raw, target, quantity)
    if raw.ndim != 2:
        raise ExplanationError(Message("output_shape", {"shape": list(raw.shape)}))
    return _of_several(raw, target, quantity)


def _of_one(raw: Tensor, target: int | Tensor | None, quantity: Quantity) -> Tensor:
    """Of an output [n]: the number itself, or the logit of the positive class."""
    if quantity == "loss":
        if not isinstance(target, Tensor) or bool(((target < 0) | (target > 1)).any()):
            raise ExplanationError(Message("loss_needs_labels", {}))
        return nn.functional.binary_cross_entropy_with_logits(raw, target.to(raw.dtype), reduction="none")
    others = target[target != 0] if isinstance(target, Tensor) else [target] if target else []
    if len(others):
        raise ExplanationError(Message("target_out_of_range", {"target": int(others[0]), "columns": 1}))
    return raw.sigmoid() if quantity == "probability" else raw


def _of_several(raw: Tensor, target: int | Tensor | None, quantity: Quantity) -> Tensor:
    """Of an output [n, columns]: the target's column."""
    n, columns = raw.shape
    if target is None:
        raise ExplanationError(Message("target_missing", {"columns": columns}))
    if isinstance(target, int) and quantity in ("output", "logit") and 0 <= target < columns:
        return raw[:, target]  # the usual case, and the quickest
    picked = torch.full((n,), target, device=raw.device) if isinstance(target, int) else target.to(raw.device)
    if picked.is_floating_point() and bool((picked != picked.round()).any()):
        raise ExplanationError(Message("target_unknown", {"given": "a tensor of numbers with fractions"}))
    if picked.shape != (n,):
        raise ExplanationError(Message("target_shape", {"shape": list(picked.shape), "n": n}))
    if n and (int(picked.min()) < 0 or int(picked.max()) >= columns):
        worst = int(picked.max()) if int(picked.max()) >= columns else int(picked.min())
        raise ExplanationError(Message("target_out_of_range", {"target": worst, "columns": columns}))
    at = picked[:, None].long()
    if quantity in ("output", "logit"):
        return raw.gather(1, at)[:, 0]
    logs = raw.log_softmax(1).gather(1, at)[:, 0]
    if quantity == "probability":
        return logs.exp()
    if quantity == "loss":
        return -logs
    others = raw.scatter(1, at, -torch.inf).logsumexp(1)
    return raw.gather(1, at)[:, 0] - others
