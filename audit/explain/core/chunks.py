"""Work cut into pieces that fit: nobody sets a batch size, and memory that runs out halves the pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ....models.inference import out_of_memory

EVALUATIONS = 65_536  # of the model in one piece, at most
ELEMENTS = 2**18  # numbers that go into the model in one piece, at most: 1 MB, and a few hundred times that inside it

T = TypeVar("T")


@dataclass(slots=True)
class Chunks:
    """How many evaluations go into one piece; less for good once memory has run out.

    Attributes:
        most: evaluations of the model in one piece.
    """

    most: int

    @classmethod
    def of(cls, inputs: Sequence[Tensor]) -> Chunks:
        """For inputs each [n, ...]."""
        width = sum(value[0].numel() for value in inputs if len(value))
        return cls(max(1, min(EVALUATIONS, ELEMENTS // max(width, 1))))

    def over(self, total: int, compute: Callable[[slice], T], each: int = 1) -> list[T]:
        """What `compute` says of each piece of 0 … total, in order. `compute` may be called again for what failed.

        Args:
            total: of things.
            compute: called with the things' numbers, as a slice.
            each: how many evaluations of the model one thing takes.
        """
        found, start = [], 0
        while start < total:
            size = max(1, self.most // each)
            try:
                found.append(compute(slice(start, min(start + size, total))))
                start += size
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or size == 1:
                    raise
                self.most = max(each, self.most // 2)
        return found
