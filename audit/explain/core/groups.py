"""What attributions are given to: every place of a row by itself, or places that go together.

A group owns places of a row: the columns of a one-hot, the pixels of a region, the pieces of a word. Places are counted
along the row's input, flattened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from operator import index
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..errors import ExplanationError

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group owns which place of a row.

    Attributes:
        masks: for each input [places] int64: the number of the group that owns the place, -1 = none. A group may own
            places of several inputs. On the inputs' device.
        shapes: for each input the shape of one row.
        count: how many groups there are.
        names: one for each group; empty where nobody named them.
        single: every place of every input is a group by itself, in order: sums and spreading are then free.
    """

    masks: tuple[Tensor, ...]
    shapes: tuple[tuple[int, ...], ...]
    count: int
    names: tuple[str, ...] = ()
    single: bool = False

    def __len__(self) -> int:
        return self.count

    def sums(self, values: Sequence[Tensor]) -> Tensor:
        """[n, groups] float64: values [n, ...] of places added up within each group."""
        parts = [value.reshape(len(value), -1) for value in values]
        flat = (parts[0] if len(parts) == 1 else torch.cat(parts, 1)).double()
        if self.single:
            return flat
        mask = torch.cat(self.masks)
        owned = mask >= 0
        found = flat.new_zeros(len(flat), len(self))
        return found.index_add_(1, mask[owned], flat[:, owned])

    def spread(self, values: Tensor) -> tuple[Tensor, ...]:
        """Values [n, groups] at every place of their group, 0 at nobody's: each [n, *shape], as the inputs are."""
        parts = []
        for mask, shape in zip(self.masks, self.shapes, strict=True):
            found = torch.where(mask >= 0, values[:, mask.clamp(min=0)], 0)
            parts.append(found.reshape(len(values), *shape))
        return tuple(parts)

    def choose(self, keep: Tensor, inputs: Sequence[Tensor], baselines: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Inputs where a group is kept, baselines where it is not; nobody's places stay as they are.

        Args:
            keep: [m, groups] bool.
            inputs: each [m, *shape].
            baselines: each [m, *shape].
        """
        found = []
        for mask, value, baseline in zip(self.masks, inputs, baselines, strict=True):
            stays = keep if self.single and len(self.masks) == 1 else self._stays(keep, mask)
            found.append(torch.where(stays.reshape(len(keep), *value.shape[1:]), value, baseline))
        return tuple(found)

    @staticmethod
    def _stays(keep: Tensor, mask: Tensor) -> Tensor:
        return keep[:, mask.clamp(min=0)] | (mask < 0)


def groups_of(inputs: Sequence[Tensor], asked: Any = None) -> Groups:
    """The groups that were asked for.

    Args:
        inputs: each [n, ...].
        asked: None for every place by itself; a tensor of group numbers that fits one row of the input (captum's
            `feature_mask`: [1, ...] is taken too), or one for each of several inputs, counted on together; or a mapping
            from names to the columns of the (one) input, {"age": [0], "job": [1, 2, 3]}; a place that no group names
            is left as it is and gets nothing.

    Raises:
        ExplanationError: they do not fit the inputs.

    Example:
        >>> groups_of([torch.zeros(2, 3)], {"a": [0], "b": [1, 2]}).masks
        (tensor([0, 1, 1]),)
    """
    shapes = tuple(tuple(value.shape[1:]) for value in inputs)
    if isinstance(asked, Groups):
        return _fitting(asked, inputs, shapes)
    if asked is None:
        return _singles(shapes, inputs[0].device)
    if isinstance(asked, Mapping) and asked:
        return _named(inputs, shapes, asked)
    return _numbered(inputs, shapes, asked)


def _fitting(asked: Groups, inputs: Sequence[Tensor], shapes: tuple[tuple[int, ...], ...]) -> Groups:
    """Groups that were made before, on the inputs' devices.

    Raises:
        ExplanationError: they are of inputs of another shape.
    """
    if asked.shapes != shapes:
        found = {"shape": list(map(list, asked.shapes)), "wanted": list(map(list, shapes))}
        raise ExplanationError(Message("groups_shape", found))
    masks = tuple(mask.to(value.device) for mask, value in zip(asked.masks, inputs, strict=True))
    return replace(asked, masks=masks)


@lru_cache(maxsize=8)
def _singles(shapes: tuple[tuple[int, ...], ...], device: torch.device) -> Groups:
    masks, start = [], 0
    for shape in shapes:
        with torch.inference_mode(False):  # which a caller may be in, and these are kept
            masks.append(torch.arange(start, start + prod(shape), device=device))
        start += prod(shape)
    return Groups(tuple(masks), shapes, start, single=True)


def _named(inputs: Sequence[Tensor], shapes: tuple[tuple[int, ...], ...], asked: Mapping[str, Any]) -> Groups:
    if len(inputs) != 1:
        raise ExplanationError(Message("groups_of_one_input", {"n": len(inputs)}))
    mask = torch.full((prod(shapes[0]),), NOBODY, dtype=torch.int64)
    for number, (name, places) in enumerate(asked.items()):
        owned = _columns(places, len(mask))
        if not owned:
            raise ExplanationError(Message("group_empty", {"feature": name}))
        for place in owned:
            if not 0 <= place < len(mask):
                raise ExplanationError(Message("no_such_column", {"feature": name, "input": 0, "width": len(mask)}))
            if mask[place] >= 0:
                raise ExplanationError(Message("group_twice", {"place": place}))
            mask[place] = number
    return Groups((mask.to(inputs[0].device),), shapes, len(asked), tuple(map(str, asked)))


def _columns(asked: Any, width: int) -> list[int]:
    """The columns of one feature: a number, several of them, or a slice."""
    if isinstance(asked, slice):
        return list(range(width)[asked])
    given: list[Any] = list(asked) if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
    try:
        return [index(place) for place in given]
    except TypeError as error:
        raise ExplanationError(Message("groups_unknown", {"given": repr(asked)})) from error


def _numbered(inputs: Sequence[Tensor], shapes: tuple[tuple[int, ...], ...], asked: Any) -> Groups:
    given = list(asked) if isinstance(asked, (tuple, list)) else [asked]
    if not all(isinstance(mask, Tensor) for mask in given):
        raise ExplanationError(Message("groups_unknown", {"given": repr(asked)[:80]}))
    if len(given) != len(inputs):
        raise ExplanationError(Message("groups_number", {"given": len(given), "n": len(inputs)}))
    masks = []
    for mask, value, shape in zip(given, inputs, shapes, strict=True):
        if tuple(mask.shape) not in (shape, (1, *shape)):
            raise ExplanationError(Message("groups_shape", {"shape": list(mask.shape), "wanted": list(shape)}))
        if mask.is_floating_point() and bool((mask != mask.round()).any()):
            raise ExplanationError(Message("groups_unknown", {"given": "a tensor of numbers with fractions"}))
        masks.append(mask.reshape(-1).to(value.device, torch.int64))
    numbers = torch.cat(masks)
    known = numbers[numbers >= 0].unique()
    if not len(known):
        raise ExplanationError(Message("no_groups", {}))
    closed = tuple(torch.where(mask >= 0, torch.searchsorted(known, mask), NOBODY) for mask in masks)
    return Groups(closed, shapes, len(known))
