"""Which group each row belongs to, where rows are kept one by one and not as counts. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...measure import UNKNOWN_LEVEL, Where, column
from ..table.groups import SEPARATOR

LISTED = 1_000  # combinations of levels up to which those without rows are listed too


@dataclass(frozen=True, slots=True)
class Members:
    """The groups that some attributes make, and the rows of each.

    Attributes:
        name: "sex", or "race × sex": what a gap across these groups is known by.
        labels: the name of each group; places: its `where`.
        code: [n] the group of each row; −1 where a level is not known.
        axes: which attributes; levels: [groups, attributes] the code of each group's level.
    """

    name: str
    labels: tuple[str, ...]
    places: tuple[Where, ...]
    code: NDArray[np.int64]
    axes: tuple[int, ...] = ()
    levels: NDArray[np.int64] = field(default_factory=lambda: np.zeros((1, 0), np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def gap(self) -> Where:
        """The place of a gap across these groups."""
        return {"attribute": self.name}


def everyone(n: int) -> Members:
    """All n rows as one group."""
    return Members("", ("everyone",), ({},), np.zeros(n, np.int64))


def groupings(people: Sequence[Attribute], groups: NDArray[np.int64], depth: int) -> Iterator[Members]:
    """The groups of each attribute, then of each combination of up to `depth` attributes.

    Args:
        groups: [n, attributes] codes of the levels; −1 = not known.
    """
    for size in range(1, min(depth, len(people)) + 1):
        for axes in combinations(range(len(people)), size):
            yield _combined(people, axes, groups[:, list(axes)])


def unknown(people: Sequence[Attribute], groups: NDArray[np.int64]) -> Iterator[Members]:
    """For each attribute the rows whose level is not known, where there are any."""
    for axis, attribute in enumerate(people):
        lost = groups[:, axis] < 0
        if lost.any() and UNKNOWN_LEVEL not in attribute.levels:
            place = {column(attribute.name): UNKNOWN_LEVEL}
            yield Members("", (UNKNOWN_LEVEL,), (place,), np.where(lost, 0, -1))


def _combined(people: Sequence[Attribute], axes: tuple[int, ...], codes: NDArray[np.int64]) -> Members:
    attributes = [people[axis] for axis in axes]
    shape = tuple(len(attribute.levels) for attribute in attributes)
    known = np.asarray((codes >= 0).all(1))
    flat = np.asarray(np.ravel_multi_index(tuple(np.where(known[:, None], codes, 0).T), shape), np.int64)
    if prod(shape) <= LISTED or len(shape) == 1:
        picked, code = list(product(*map(range, shape))), np.where(known, flat, -1)
    else:
        seen = np.unique(flat[known])
        picked = [tuple(map(int, place)) for place in zip(*np.unravel_index(seen, shape), strict=True)]
        code = np.where(known, np.searchsorted(seen, flat), -1)
    named = [[a.levels[k] for a, k in zip(attributes, place, strict=True)] for place in picked]
    keys = [column(attribute.name) for attribute in attributes]
    return Members(
        SEPARATOR.join(attribute.name for attribute in attributes),
        tuple(SEPARATOR.join(levels) for levels in named),
        tuple(dict(zip(keys, levels, strict=True)) for levels in named),
        code.astype(np.int64),
        axes,
        np.array(picked, np.int64).reshape(len(named), len(axes)),
    )
