"""The arguments of `attribute` as they came, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from ...messages import Message
from ..errors import ExplanationError
from .function import QUANTITIES, Quantity, Target
from .kept import plain
from .problem import Tensors, finite
from .result import Shaped, tensors


@dataclass(frozen=True, slots=True)
class Asked:
    """The model and its inputs as they came."""

    model: Any
    inputs: Tensors
    keywords: tuple[str, ...] | None

    @classmethod
    def of(cls, model: Any, inputs: Shaped) -> Asked:
        """Checked; the inputs are cut off from whatever graph they come from."""
        if not callable(model):
            raise ExplanationError(Message("model_not_callable", {"kind": type(model).__name__}))
        given = tensors(inputs) if isinstance(inputs, (Tensor, Mapping, tuple, list)) else ()
        if not given or not all(isinstance(x, Tensor) and x.ndim for x in given):
            raise ExplanationError(Message("inputs_not_tensors", {}))
        asked = cls(model, tuple(map(plain, given)), tuple(inputs) if isinstance(inputs, Mapping) else None)
        asked.check()
        return asked

    def check(self) -> None:
        devices = {x.device for x in self.inputs}
        if len(devices) > 1 or self.inputs[0].is_meta:
            names = ", ".join(sorted(map(str, devices)))
            raise ExplanationError(Message("inputs_devices", {"devices": names}))
        lengths = [len(x) for x in self.inputs]
        if len(set(lengths)) > 1:
            raise ExplanationError(Message("inputs_lengths", {"lengths": lengths}))
        if not lengths[0]:
            raise ExplanationError(Message("too_few_rows", {"n": 0, "needed": 1}))
        if any(not x.numel() for x in self.inputs):
            raise ExplanationError(Message("empty_rows", {}))
        for x in self.inputs:
            if x.is_floating_point():
                finite(x, "input")

    def codes(self) -> tuple[int, ...]:
        """The numbers of the inputs that hold no floating-point numbers."""
        return tuple(number for number, x in enumerate(self.inputs) if not x.is_floating_point())

    def module_of(self, asked: nn.Module | str | None, what: str) -> nn.Module:
        if not isinstance(self.model, nn.Module):
            raise ExplanationError(Message("no_module", {}))
        if isinstance(asked, nn.Module):
            return asked
        known = dict(self.model.named_modules())
        if asked is None or asked not in known:
            names = ", ".join(name for name in list(known)[:12] if name)
            raise ExplanationError(Message("no_such_module", {"what": what, "given": repr(asked), "names": names}))
        return known[asked]


def tolerance_of(given: Any) -> float:
    """A number from 0 on."""
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given < float("inf"):
        return given
    wanted = {"option": "tolerance", "given": repr(given), "wanted": "a number from 0 on"}
    raise ExplanationError(Message("bad_option", wanted))


def generator_of(given: torch.Generator | None) -> torch.Generator:
    """The processor's generator that was given, or one with seed 0."""
    if given is None:
        return torch.Generator().manual_seed(0)
    if isinstance(given, torch.Generator) and given.device.type == "cpu":
        return given
    wanted = {"option": "generator", "given": repr(given), "wanted": "a torch.Generator of the processor"}
    raise ExplanationError(Message("bad_option", wanted))


def target_of(target: Any, inputs: Tensors, quantity: Quantity) -> Target:
    """A column, or one for each row as whole numbers; only the loss of one output takes shares for labels."""
    if not isinstance(target, Tensor):
        if target is None or callable(target) or (isinstance(target, int) and not isinstance(target, bool)):
            return target  # type: ignore[return-value]
        if isinstance(target, Integral) and not isinstance(target, bool):  # numpy's whole numbers
            return int(target)
        raise ExplanationError(Message("target_unknown", {"given": repr(target)[:80]}))
    if not target.ndim:
        return target_of(target.item(), inputs, quantity)
    if target.shape != (len(inputs[0]),):
        raise ExplanationError(Message("target_shape", {"shape": list(target.shape), "n": len(inputs[0])}))
    if quantity == "loss" and target.is_floating_point():
        return target.to(inputs[0].device)
    if target.is_complex() or (target.is_floating_point() and bool((target != target.round()).any())):
        raise ExplanationError(Message("target_unknown", {"given": "a tensor of numbers with fractions"}))
    return target.to(inputs[0].device, torch.int64)


def quantity_of(quantity: Quantity) -> Quantity:
    """A name of `Quantity`."""
    if quantity not in QUANTITIES:
        raise ExplanationError(Message("bad_quantity", {"given": repr(quantity), "known": ", ".join(QUANTITIES)}))
    return quantity
