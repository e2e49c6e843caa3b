"""What inputs are compared with: a baseline for each row, or the many rows of a background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..catalogue import Method
from ..errors import ExplanationError
from .asked import Asked
from .groups import Groups
from .kept import plain
from .problem import Tensors, finite


def compared(baselines: Any, background: Any, method: Method, asked: Asked) -> tuple[Tensors, Tensors | None]:
    """Each row's baseline, and the rows of the background where there are any."""
    given = _each(baselines, asked)
    many = None if background is None else _each(background, asked)
    if many is None and method.background != "no" and _is_many(given, asked, method):
        given, many = (None,) * len(asked.inputs), given
    if many is not None and method.background == "no":
        raise ExplanationError(Message("no_background", {"method": method.name}))
    rows = None if many is None else tuple(_rows(b, x) for b, x in zip(many, asked.inputs, strict=True))
    if method.background == "must" and rows is None:
        rows = tuple(_paired(b, x)[:1] for b, x in zip(given, asked.inputs, strict=True))
    means = [None if r is None else _middle(r) for r in rows or [None] * len(given)]
    paired = [_paired(b if b is not None else m, x) for b, m, x in zip(given, means, asked.inputs, strict=True)]
    return tuple(paired), rows


def _each(value: Any, asked: Asked) -> tuple[Any, ...]:
    """One for each input."""
    if value is None:
        return (None,) * len(asked.inputs)
    if isinstance(value, Mapping):
        names = asked.keywords or ()
        if not set(value) <= set(names):
            given = {"given": f"a dict of {', '.join(map(str, value))}", "names": ", ".join(names) or "none here"}
            raise ExplanationError(Message("baseline_unknown", given))
        return tuple(value.get(name) for name in names)
    several = list(value) if isinstance(value, (tuple, list)) else [value]
    if len(several) != len(asked.inputs):
        raise ExplanationError(Message("baselines_number", {"given": len(several), "n": len(asked.inputs)}))
    return tuple(several)


def _is_many(given: Sequence[Any], asked: Asked, method: Method) -> bool:
    full = [isinstance(b, Tensor) and b.ndim == x.ndim for b, x in zip(given, asked.inputs, strict=True)]
    if not all(full):
        return False
    pairs = zip(given, asked.inputs, strict=True)
    return method.background == "must" or all(len(b) not in (1, len(x)) for b, x in pairs)


def _rows(value: Any, x: Tensor) -> Tensor:
    """[m, ...]"""
    if not isinstance(value, Tensor) or value.shape[1:] != x.shape[1:] or not len(value):
        shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ExplanationError(Message("background_shape", {"shape": shape, "wanted": ["m", *x.shape[1:]]}))
    finite(value, "background")
    return plain(value.to(x.device, x.dtype))


def _paired(value: Any, x: Tensor) -> Tensor:
    """[n, ...], a view where it is shared."""
    if value is None:
        return x.new_zeros(()).expand_as(x)
    try:
        one = torch.as_tensor(value, device=x.device).to(x.dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExplanationError(Message("baseline_unknown", {"given": repr(value)[:60], "names": "none"})) from error
    if tuple(one.shape) not in ((), tuple(x.shape[1:]), (1, *x.shape[1:]), tuple(x.shape)):
        raise ExplanationError(Message("baseline_shape", {"shape": list(one.shape), "wanted": list(x.shape)}))
    finite(one.reshape(1, *one.shape) if one.ndim < x.ndim else one, "baseline")
    return plain(one).expand_as(x)


def where_owned(groups: Groups, inputs: Tensors, baselines: Tensors) -> Tensors:
    """Baselines that leave nobody's places as they are."""
    found = []
    for mask, x, b in zip(groups.masks, inputs, baselines, strict=True):
        whole = groups.single or bool((mask >= 0).all())
        found.append(b if whole else torch.where((mask >= 0).reshape(x.shape[1:]), b, x))
    return tuple(found)


def _middle(rows: Tensor) -> Tensor:
    """The background's mean, which stands for it where one row must."""
    return rows.mean(0) if rows.is_floating_point() else rows[0]


def unmoved(given: Tensors, still: Sequence[int], baselines: Any, method: Method, asked: Asked) -> Tensors:
    """Baselines in which these inputs do not move: then attributions of the others add up to what they change.

    Raises:
        ExplanationError: another baseline was given for one of them.
    """
    found = list(given)
    for number in still:
        said = _each(baselines, asked)[number]
        if said is not None and bool((given[number] != asked.inputs[number]).any()):
            raise ExplanationError(Message("integer_baseline", {"method": method.name, "input": number}))
        found[number] = asked.inputs[number]
    return tuple(found)
