"""Where gradients are taken on many paths at once, and the sums over them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.problem import Tensors, finite
from .line import Line
from .quadrature import Rule


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Points of paths, with their weights; every path may have its own number of them.

    Attributes:
        pair: [k] int64, the path's number.
        alpha: [k] float64, how far along it.
        weight: [k] float64.
        coarse: [k] float64, weights of the coarser rule; None where there is none.
    """

    pair: Tensor
    alpha: Tensor
    weight: Tensor
    coarse: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pair)

    @classmethod
    def same(cls, m: int, rule: Rule, device: torch.device) -> Nodes:
        """One rule for m paths."""
        k = len(rule)
        pair = torch.arange(m, device=device).repeat_interleave(k)
        parts = (rule.nodes, rule.weights, rule.coarse)
        return cls(pair, *(None if part is None else part.to(device).repeat(m) for part in parts))  # pyright: ignore

    @classmethod
    def pieces(cls, pair: Tensor, low: Tensor, high: Tensor, rule: Rule) -> Nodes:
        """One rule in each piece low … high of a path, each [pieces]; its weights are shares of the piece's length."""
        length = (high - low)[:, None]

        def shared(part: Tensor) -> Tensor:
            return (length * part.to(pair.device)).reshape(-1)

        alpha = low.repeat_interleave(len(rule)) + shared(rule.nodes)
        coarse = None if rule.coarse is None else shared(rule.coarse)
        return cls(pair.repeat_interleave(len(rule)), alpha, shared(rule.weights), coarse)


def integrate(line: Line, nodes: Nodes) -> tuple[Tensors, Tensors | None]:
    """(end − start) · Σ weight ∂f/∂point of each path, handed back to the inputs; and how far the coarser rule is off.

    Returns:
        Each [m, ...] float64, shaped like the inputs: the integral, and finer minus coarser rule (None without one).

    Raises:
        ExplanationError: a gradient is not finite.
    """
    sums: list[Tensor] = []
    weights = [nodes.weight] if nodes.coarse is None else [nodes.weight, nodes.weight - nodes.coarse]

    def make(at: slice) -> tuple[Tensors, Tensor]:
        pairs = nodes.pair[at]
        return line.at(pairs, nodes.alpha[at]), line.rows[pairs]

    def take(at: slice, _: Tensor, found: Tensors) -> None:
        if not sums:
            shapes = [gradient.shape[1:] for gradient in found] * len(weights)
            sums.extend(found[0].new_zeros((len(line), *shape), dtype=torch.float64) for shape in shapes)
        for number, weight in enumerate(weights):
            for place, gradient in enumerate(found):
                if gradient.is_floating_point():
                    share = weight[at].reshape(-1, *[1] * (gradient.ndim - 1))
                    sums[number * len(found) + place].index_add_(0, nodes.pair[at], gradient.double() * share)

    line.gradients(len(nodes), make, take)
    moves = line.moves(slice(None))
    found = [tuple(s * move for s, move in zip(part, moves, strict=True)) for part in _parted(sums, len(weights))]
    handed = [line.back(part) for part in found]
    for values in handed[0]:
        finite(values, "gradient")
    return handed[0], handed[1] if len(handed) > 1 else None


def _parted(sums: list[Tensor], parts: int) -> list[list[Tensor]]:
    size = len(sums) // parts
    return [sums[number * size : (number + 1) * size] for number in range(parts)]
