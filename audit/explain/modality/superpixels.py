"""Regions of a picture that its own edges draw: neighbouring pixels of like colour."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

ITERATIONS = 10  # the centres hardly move any more [achanta2012]


def superpixels(pictures: Tensor, count: int = 49, compactness: float = 0.3) -> Tensor:
    """[n, height, width] int64: the number of each pixel's region, by simple linear iterative clustering [achanta2012].

    k-means of colour and place, from the centres of a regular grid: pixels go to the centre with the smallest
    |Δcolour|² + compactness² |Δplace|² / step², colours on the picture's own scale from 0 to 1. Scraps that hang apart
    from the largest part of their region then go to the nearest region. Regions of a row are numbered from 0; there may
    be fewer than `count`.

    Args:
        pictures: [n, channels, height, width].
        count: regions, about.
        compactness: the larger, the closer to squares.
    """
    height, width = pictures.shape[2:]
    step = max(1.0, sqrt(height * width / count))
    start = _grid(height, width, step).to(pictures.device)
    points = _points(pictures.double(), compactness / step)
    owners = [_clusters(own, start).reshape(height, width).cpu().numpy() for own in points]
    return torch.from_numpy(np.stack([_connected(numbers) for numbers in owners])).to(pictures.device)


def _points(pictures: Tensor, scale: float) -> Tensor:
    """[n, pixels, channels + 2] colour from 0 to 1 in each picture, and place on the scale where it counts as much."""
    n, _, height, width = pictures.shape
    flat = pictures.flatten(1)
    low, high = flat.min(1).values, flat.max(1).values
    span = torch.where(high > low, high - low, 1)
    colour = ((flat - low[:, None]) / span[:, None]).reshape(pictures.shape).permute(0, 2, 3, 1)
    y, x = (torch.arange(size, dtype=torch.float64, device=pictures.device) * scale for size in (height, width))
    place = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).expand(n, height, width, 2)
    return torch.cat([colour, place], -1).reshape(n, height * width, -1)


def _grid(height: int, width: int, step: float) -> Tensor:
    """[centres] the pixels in the middle of the fields of a regular grid."""
    sides = []
    for size in (height, width):
        parts = max(1, ceil(size / step - 0.5))
        sides.append(torch.tensor([int((k + 0.5) * size / parts) for k in range(parts)]))
    return (sides[0][:, None] * width + sides[1][None]).reshape(-1)


def _clusters(points: Tensor, start: Tensor) -> Tensor:
    """[pixels] the number of the nearest centre, after the centres have moved to the middle of theirs."""
    centres = points[start]
    nearest = _nearest(points, centres)
    for _ in range(ITERATIONS):
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        sizes = torch.bincount(nearest, minlength=len(centres))[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        nearest = _nearest(points, centres)
    return nearest


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    """[pixels] by |c|² − 2 p · c, which is smallest where |p − c|² is."""
    return torch.addmm((centres**2).sum(1), points, centres.T, alpha=-2).argmin(1)


def _connected(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Regions in one part each, numbered from 0: scraps go to the region of the nearest pixel that stays."""
    kept = np.full(numbers.shape, -1, np.int64)
    for count, number in enumerate(np.unique(numbers)):
        parts, _ = ndimage.label(numbers == number)  # type: ignore[misc]
        largest = np.bincount(parts.ravel())[1:].argmax() + 1
        kept[parts == largest] = count
    while bool((kept < 0).any()):
        kept = _grown(kept)
    return kept


def _grown(kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of no region that touch one go to it: the one above, below, left or right, in this order."""
    found, around = kept.copy(), np.pad(kept, 1, constant_values=-1)
    for beside in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        found = np.where((found < 0) & (beside >= 0), beside, found)
    return found
