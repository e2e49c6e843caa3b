"""Which of a model's inputs a declaration means, and whether it has the form that was declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ....models.spec import InputSpec, Tabular, Text, Which
from ...messages import Message
from ..errors import ExplanationError

Given = Sequence[Tensor] | Mapping[str, Tensor]
"""A model's inputs, by position or by keyword."""


def located(specs: Sequence[InputSpec], inputs: Given) -> tuple[InputSpec, ...]:
    """The declarations with the numbers of their inputs in place of keywords.

    Raises:
        ExplanationError: the model has no such input.
    """
    return tuple(spec if isinstance(spec, Tabular) else _located(spec, inputs) for spec in specs)


def values_of(inputs: Given) -> tuple[Tensor, ...]:
    """The tensors, in order."""
    return tuple(inputs.values()) if isinstance(inputs, Mapping) else tuple(inputs)


def ill_formed(spec: Any, value: Tensor, wanted: str) -> ExplanationError:
    """That an input's rows have another form than the one declared."""
    given = {"kind": _kind(spec), "input": spec.input, "shape": list(value.shape), "wanted": wanted}
    return ExplanationError(Message("input_form", given))


def _located(spec: Any, inputs: Given) -> InputSpec:
    found = {"input": _number(spec.input, spec, inputs)}
    if isinstance(spec, Text) and spec.mask is not None:
        found["mask"] = _number(spec.mask, spec, inputs)
    return replace(spec, **found)


def _number(which: Which, spec: Any, inputs: Given) -> int:
    names = list(inputs) if isinstance(inputs, Mapping) else []
    number = names.index(which) if which in names else which
    if not isinstance(number, int) or not 0 <= number < len(inputs):
        raise ExplanationError(Message("no_such_input", {"feature": _kind(spec), "input": which, "n": len(inputs)}))
    return number


def _kind(spec: Any) -> str:
    return type(spec).__name__.lower()
