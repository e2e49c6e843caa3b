"""Pictures: the regions of a grid; and black, a blurred copy or the mean colour as the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor

from ....models.spec import Image
from ...messages import Message
from ..errors import ExplanationError
from .named import Named, cut

GRID = 8  # regions along an image's side, at most: 64 regions are as many as a person can tell apart
BLUR = 8  # a blurred picture's Gaussian is this part of the longer side wide: no shape is left, the light and shade are


def features(spec: Image, inputs: Sequence[Tensor]) -> list[Named]:
    """The regions of the grid, line by line.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    number, area = int(spec.input), spec.height * spec.width
    width = inputs[number][0].numel()
    if width != spec.channels * area:
        raise ExplanationError(Message("no_such_column", {"feature": "image", "input": spec.input, "width": width}))
    found = []
    for ys in cut(spec.height, _side(spec.height)):
        for xs in cut(spec.width, _side(spec.width)):
            places = tuple(c * area + y * spec.width + x for c in range(spec.channels) for y in ys for x in xs)
            found.append(Named(f"pixels y {ys[0]}–{ys[-1]}, x {xs[0]}–{xs[-1]}", number, places))
    return found


def baselines(spec: Image, inputs: list[Tensor]) -> None:
    """Make the picture say nothing, in place."""
    value = inputs[int(spec.input)]
    if spec.baseline == "black":
        value.fill_(spec.black)
        return
    pictures = value.double().reshape(len(value), spec.channels, spec.height, spec.width)
    plain = blurred(pictures) if spec.baseline == "blurred" else pictures.mean((2, 3), keepdim=True).expand_as(pictures)
    value.copy_(plain.reshape(value.shape).to(value.dtype))


def words(spec: Image) -> str:
    """The baseline in words."""
    return {"black": "a black image", "blurred": "the image blurred", "mean": "the image's mean colour"}[spec.baseline]


def blurred(pictures: Tensor) -> Tensor:
    """[n, channels, height, width] pictures under a wide Gaussian, edges continued."""
    height, width = pictures.shape[2:]
    deviation = max(height, width) / BLUR
    return _bell(height, deviation).to(pictures) @ pictures @ _bell(width, deviation).to(pictures).T


def _bell(size: int, deviation: float) -> Tensor:
    """[size, size] how much of each place goes into the blurred one; what lies outside goes to the edge."""
    reach = ceil(3 * deviation)
    along = torch.arange(-reach, reach + 1)
    weights = torch.exp(-((along.double() / deviation) ** 2) / 2)
    places = (torch.arange(size)[:, None] + along).clamp(0, size - 1)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(
        1, places, (weights / weights.sum()).expand(size, -1)
    )


def grid(spec: Image) -> list[list[int]]:
    """[height][width]: the number of the region that a pixel belongs to."""
    high, wide = _side(spec.height), _side(spec.width)
    across = ceil(spec.width / wide)
    return [[(y // high) * across + x // wide for x in range(spec.width)] for y in range(spec.height)]


def _side(length: int) -> int:
    return ceil(length / GRID)
