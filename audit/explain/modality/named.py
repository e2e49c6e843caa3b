"""A feature that a person would name, and where it stands in a model's inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """What one attribution is given to.

    Attributes:
        name: as reports show it.
        input: which of the model's inputs it stands in.
        places: its places in a row of that input, flattened.
    """

    name: str
    input: int
    places: tuple[int, ...]


def cut(length: int, width: int) -> list[range]:
    """0 … length in pieces of this width; the last may be shorter.

    >>> cut(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    return [range(start, min(start + width, length)) for start in range(0, length, width)]
