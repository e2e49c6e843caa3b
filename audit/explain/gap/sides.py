"""The two groups of people whose outputs are compared: their rows, checked, and those whose label is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Tensors, finite
from ..core.result import Shaped, tensors
from ..errors import ExplanationError


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One group's rows.

    Attributes:
        name: "A" or "B".
        inputs: each [n, ...].
        missing: how many rows were left out because their label is not known.
    """

    name: str
    inputs: Tensors
    missing: int = 0

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def rank(self) -> tuple[int, bytes]:
        """An order of groups that does not ask which of them was named first: by size, then by content."""
        digest = hashlib.blake2b(digest_size=16)
        for x in self.inputs:
            digest.update(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return len(self), digest.digest()


def sides_of(inputs_a: Shaped, inputs_b: Shaped, labels: Any, given: Any) -> tuple[Side, Side]:
    """Both groups, with those of their rows that have the label `given`, where there are labels.

    Raises:
        ExplanationError: rows of different forms, a value that is not finite, labels that do not fit, or nobody left.
    """
    a, b = (_checked(name, inputs) for name, inputs in (("A", inputs_a), ("B", inputs_b)))
    forms = [[(tuple(x.shape[1:]), x.dtype) for x in inputs] for inputs in (a, b)]
    keys = [tuple(x) if isinstance(x, Mapping) else None for x in (inputs_a, inputs_b)]
    if forms[0] != forms[1] or keys[0] != keys[1]:
        shapes = [[list(shape) for shape, _ in form] for form in forms]
        raise ExplanationError(Message("gap_forms", {"a": shapes[0], "b": shapes[1]}))
    if labels is None:
        found = Side("A", a), Side("B", b)
    else:
        of_a, of_b = _two(labels)
        found = _labelled("A", a, of_a, given), _labelled("B", b, of_b, given)
    for side in found:
        if not len(side):
            which = "" if labels is None else f" with the label {given} ({side.missing} labels are not known)"
            raise ExplanationError(Message("gap_empty", {"group": side.name, "which": which}))
    return found


def _checked(name: str, inputs: Shaped) -> Tensors:
    found = tensors(inputs)
    if not found or not all(isinstance(x, Tensor) and x.ndim for x in found):
        raise ExplanationError(Message("inputs_not_tensors", {}))
    if len({len(x) for x in found}) > 1:
        raise ExplanationError(Message("inputs_lengths", {"lengths": [len(x) for x in found]}))
    for x in found:
        if x.is_floating_point():
            finite(x, f"the input of group {name}")
    return found


def _two(labels: Any) -> tuple[Any, Any]:
    if not isinstance(labels, (tuple, list)) or len(labels) != 2:
        raise ExplanationError(Message("gap_labels", {}))
    return labels[0], labels[1]


def _labelled(name: str, inputs: Tensors, labels: Any, given: Any) -> Side:
    """The rows of one label; labels that are NaN, None or -1 are not known."""
    known = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels, dtype=object)
    values = np.array([np.nan if value is None else value for value in known.ravel()], dtype=float)
    n = len(inputs[0])
    if values.shape != (n,):
        raise ExplanationError(Message("gap_labels_shape", {"group": name, "n": n, "given": len(values)}))
    missing = np.isnan(values) | (values == -1)
    at = torch.from_numpy(np.flatnonzero(~missing & (values == given)))
    return Side(name, tuple(x[at.to(x.device)] for x in inputs), int(missing.sum()))
