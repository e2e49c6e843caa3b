"""A few rows sent through the model in several ways: do rows meet, do answers differ, is there a gradient?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.function import Function
from ..core.problem import Tensors
from ..errors import FailedError

ROWS = 3
CLOSE = {torch.float64: 1e-8, torch.float32: 2e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Differences relative to the outputs that other orders of summation explain; measured values stay tenfold below."""
CLOSE_ON_CUDA = 5e-3  # TF32 convolutions round to 10 bits, and which one runs depends on the number of rows
SLOPE = 0.05  # two finite differences closer than this to each other say what the slope is


@dataclass(frozen=True, slots=True)
class Probe:
    """A few of the rows, and f of them.

    Attributes:
        function: f.
        inputs: each [m, ...].
        rows: [m] the explained rows that they stand for.
        output: f of them, [m].
    """

    function: Function
    inputs: Tensors
    rows: Tensor
    output: Tensor

    @classmethod
    def of(cls, function: Function, inputs: Tensors) -> Probe:
        """The first rows; two rows at least, the second made of the first in reverse where there is no other."""
        few = tuple(x[:ROWS].detach() for x in inputs)
        rows = torch.arange(len(few[0]), device=few[0].device)
        with torch.no_grad():
            if len(rows) == 1:
                paired = tuple(torch.cat([x, _reversed(x)]) for x in few)
                try:
                    return cls(function, paired, rows.repeat(2), _ask(function, paired, rows.repeat(2)))
                except FailedError:
                    pass  # a row in reverse means nothing to this model
            return cls(function, few, rows, _ask(function, few, rows))

    def ask(self, inputs: Sequence[Tensor]) -> Tensor:
        """f of other inputs for the same rows."""
        return _ask(self.function, inputs, self.rows)

    def random(self) -> bool:
        """Whether a second call gives something else."""
        with torch.no_grad():
            return not self._same(self.output, self.ask(self.inputs))

    def rows_meet(self) -> bool:
        """Whether a row's output changes when it comes alone, or when the rows come in another order."""
        order = torch.arange(len(self.rows) - 1, -1, -1, device=self.rows.device)
        with torch.no_grad():
            try:
                alone = _ask(self.function, tuple(x[:1] for x in self.inputs), self.rows[:1])
            except FailedError:
                return True
            turned = _ask(self.function, tuple(x[order] for x in self.inputs), self.rows[order])
        return not (self._same(self.output[:1], alone) and self._same(self.output[order], turned))

    def matters(self, number: int) -> bool:
        """Whether the output changes with one of the inputs."""
        moved = list(self.inputs)
        moved[number] = moved[number] * 0.5 + 0.25 * _size(moved[number])
        with torch.no_grad():
            return not self._same(self.output, self.ask(moved))

    def slope_is(self, gradient: Tensor, number: int) -> bool:
        """Whether differences of f agree with its gradient [m, ...] in one input, where they can be told."""
        x = self.inputs[number]
        way = torch.cos(torch.arange(x[0].numel(), device=x.device) + 1.0).reshape(x.shape[1:]).to(x.dtype)
        expected = (gradient * way).flatten(1).sum(1).double()
        wide, narrow = (self._difference(number, way * (step * _size(x))) for step in (1e-2, 5e-3))
        wide, narrow = wide / (1e-2 * _size(x)), narrow / (5e-3 * _size(x))
        told = (wide - narrow).abs() <= SLOPE * narrow.abs()
        wrong = (narrow - expected).abs() > 4 * SLOPE * torch.maximum(narrow.abs(), expected.abs())
        return not bool((told & wrong).any())

    def _difference(self, number: int, by: Tensor) -> Tensor:
        ends = []
        for sign in (1, -1):
            moved = list(self.inputs)
            moved[number] = moved[number] + sign * by
            with torch.no_grad():
                ends.append(self.ask(moved).double())
        return (ends[0] - ends[1]) / 2

    def _same(self, one: Tensor, other: Tensor) -> bool:
        close = CLOSE.get(self.output.dtype, 1e-8)
        if one.is_cuda and self.output.dtype == torch.float32:
            close = CLOSE_ON_CUDA
        scale = float(self.output.abs().nan_to_num(0, 0, 0).max())
        return torch.allclose(one.double(), other.double(), rtol=0, atol=close * scale, equal_nan=True)


def _ask(function: Callable[[Sequence[Tensor], Tensor], Tensor], inputs: Sequence[Tensor], rows: Tensor) -> Tensor:
    return function([x.clone() for x in inputs], rows).detach()


def _reversed(x: Tensor) -> Tensor:
    """Another row like this one: its places in reverse, numbers at half their size so that their sum differs too."""
    turned = x.flatten().flip(0).reshape(x.shape)
    return turned / 2 if x.is_floating_point() else turned


def _size(x: Tensor) -> float:
    return max(float(x.abs().mean()), 1e-3)
