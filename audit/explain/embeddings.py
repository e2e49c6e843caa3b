"""Codes that a model looks up: which embedding reads which feature, and how to put other vectors in their place.

A code has no points between it and another code, but the vector that is looked up for it has. So a path from the
baseline to a row leads through the looked-up vectors. Hooks live only inside a call, and go away on exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..messages import Message
from .errors import ExplanationError
from .features import Player
from .target import Explained


@dataclass(slots=True)
class Lookups:
    """The calls of embedding layers in one forward pass, in their order.

    Attributes:
        codes: each [n, ...] int.
        vectors: each [n, ..., dimension].
    """

    codes: list[Tensor] = field(default_factory=list)
    vectors: list[Tensor] = field(default_factory=list)


@contextmanager
def lookups(model: nn.Module, instead: Mapping[int, Tensor] | None = None) -> Iterator[Lookups]:
    """Watch what embedding layers look up inside; vectors that `instead` has for a call's number take its place."""
    seen, instead = Lookups(), instead or {}

    def hook(_: nn.Module, args: tuple[Any, ...], vectors: Tensor) -> Tensor:
        vectors = instead.get(len(seen.codes), vectors)
        seen.codes.append(args[0])
        seen.vectors.append(vectors)
        return vectors

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, nn.Embedding)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def owners(
    explained: Explained,
    players: Sequence[Player],
    inputs: Sequence[Tensor],
    baselines: Sequence[Tensor],
    classes: Tensor,
) -> dict[int, Tensor]:
    """Which feature each looked-up code belongs to, found by trying: {call: [codes of a row] player's number or -1}.

    One feature after the other goes to its baseline; the codes that change are its own. So shared tables, offsets and
    columns that are cut up inside the model are followed too. Calls that no feature changes are left out.

    Raises:
        ExplanationError: one code depends on two features, or a feature's codes reach the output by no embedding.
    """
    value, before = watch(explained, inputs, classes)
    found: dict[int, Tensor] = {}
    for number, player in enumerate(players):
        moved = move(inputs, baselines, player)
        other, after = watch(explained, moved, classes)
        changed = {call: mask for call, mask in enumerate(_changed(before, after, len(classes))) if mask.any()}
        if not changed and not inputs[player.input].is_floating_point() and not torch.equal(value, other):
            raise ExplanationError(Message("no_embedding", {"feature": player.name}))
        for call, mask in changed.items():
            owner = found.setdefault(call, torch.full_like(mask, -1, dtype=torch.int64))
            if (owner[mask] >= 0).any():
                raise ExplanationError(Message("entangled", {"feature": player.name}))
            owner[mask] = number
    return found


def move(inputs: Sequence[Tensor], baselines: Sequence[Tensor], player: Player) -> list[Tensor]:
    """Inputs with one feature at its baseline."""
    moved = list(inputs)
    flat, places = inputs[player.input].reshape(len(inputs[player.input]), -1).clone(), list(player.places)
    flat[:, places] = baselines[player.input].reshape(flat.shape)[:, places]
    moved[player.input] = flat.view_as(inputs[player.input])
    return moved


def watch(explained: Explained, inputs: Sequence[Tensor], classes: Tensor) -> tuple[Tensor, Lookups]:
    """f(inputs) [n], and what was looked up on the way."""
    assert isinstance(explained.subject.model, nn.Module)
    with torch.no_grad(), lookups(explained.subject.model) as seen:
        return explained(inputs, classes), seen


def _changed(before: Lookups, after: Lookups, n: int) -> list[Tensor]:
    """For each call [codes of a row]: whether a code changed in any row."""
    if [c.shape for c in before.codes] != [c.shape for c in after.codes]:
        raise ExplanationError(Message("other_path", {}))
    masks = []
    for old, new in zip(before.codes, after.codes, strict=True):
        changed = old != new
        if changed.any() and len(old) != n:
            raise ExplanationError(Message("other_path", {}))
        masks.append(changed.reshape(len(old), -1).any(0).cpu())
    return masks
