"""What attributions are given to: features of a table, regions of an image; and the baselines they are measured from.

A feature owns places of a row: all the columns of a one-hot, the one column of a code, the pixels of a region. Places
are counted along the row's input, flattened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from ...models.spec import Feature, Image, InputSpec
from ..messages import Message
from .errors import ExplanationError

GRID = 8  # regions along an image's side, at most: 64 regions are as many as a person can tell apart


@dataclass(frozen=True, slots=True)
class Player:
    """What one attribution is given to.

    Attributes:
        input: which of the model's inputs it stands in.
        places: its places in a row of that input, flattened.
    """

    name: str
    input: int
    places: tuple[int, ...]


def players(spec: InputSpec, inputs: Sequence[Tensor]) -> tuple[Player, ...]:
    """The features of a table, or the regions of an image.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    found = _regions(spec) if isinstance(spec, Image) else [Player(f.name, f.input, f.columns) for f in spec.features]
    for player in found:
        if not 0 <= player.input < len(inputs):
            raise ExplanationError(
                Message("no_such_input", {"feature": player.name, "input": player.input, "n": len(inputs)})
            )
        width = inputs[player.input][0].numel()
        if max(player.places) >= width or (isinstance(spec, Image) and width != _pixels(spec)):
            raise ExplanationError(
                Message("no_such_column", {"feature": player.name, "input": player.input, "width": width})
            )
    return tuple(found)


def baselines(spec: InputSpec, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Inputs of the same shapes where every feature says as little as it can; what no feature owns stays as it is.

    An image is black. A number is at its mean (0 where it was centred before the model saw it), a category at the
    sample's most frequent one, so that no row gets a category which does not exist.
    """
    found = [value.clone() for value in inputs]
    if isinstance(spec, Image):
        found[0].fill_(spec.black)
        return tuple(found)
    for feature in spec.features:
        flat = found[feature.input].view(len(found[feature.input]), -1)
        flat[:, list(feature.columns)] = _usual(feature, flat[:, list(feature.columns)])
    return tuple(found)


def baseline_words(spec: InputSpec) -> str:
    """The baselines in words, for the record."""
    return (
        "a black image"
        if isinstance(spec, Image)
        else "mean numbers, and the most frequent category of the explained rows"
    )


def owners(players: Sequence[Player], place: int, value: Tensor) -> Tensor:
    """[places] of a row of one input: the number of the player who owns it, -1 for none."""
    found = torch.full((value[0].numel(),), -1, dtype=torch.int64)
    for number, player in enumerate(players):
        if player.input == place:
            found[list(player.places)] = number
    return found


def grid(spec: Image) -> list[list[int]]:
    """[height][width]: the number of the region that a pixel belongs to."""
    high, wide = _side(spec.height), _side(spec.width)
    across = ceil(spec.width / wide)
    return [[(y // high) * across + x // wide for x in range(spec.width)] for y in range(spec.height)]


def _regions(spec: Image) -> list[Player]:
    high, wide, area = _side(spec.height), _side(spec.width), spec.height * spec.width
    found = []
    for top in range(0, spec.height, high):
        for left in range(0, spec.width, wide):
            ys, xs = range(top, min(top + high, spec.height)), range(left, min(left + wide, spec.width))
            places = tuple(c * area + y * spec.width + x for c in range(spec.channels) for y in ys for x in xs)
            found.append(Player(f"pixels y {ys[0]}–{ys[-1]}, x {xs[0]}–{xs[-1]}", 0, places))
    return found


def _side(length: int) -> int:
    return ceil(length / GRID)


def _pixels(spec: Image) -> int:
    return spec.channels * spec.height * spec.width


def _usual(feature: Feature, values: Tensor) -> Tensor:
    """[columns] of a feature where it says the least."""
    if feature.levels or not values.is_floating_point():
        rows = Counter(map(tuple, values.tolist()))
        return values.new_tensor(min(rows, key=lambda row: (-rows[row], row)))
    if feature.centre != 0 or feature.scale != 1:
        return torch.zeros_like(values[0])
    return values.double().nanmean(0).to(values.dtype)
