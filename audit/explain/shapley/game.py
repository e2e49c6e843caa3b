"""What a coalition of groups is worth: the output where its groups keep their values and the others are absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Problem, Tensors
from ..errors import ExplanationError

HELD = 2**22  # evaluations whose outputs are held at once before they are averaged over the background: 32 MB


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """The game of each row: players are the groups, v(S) = f(x on S, absent elsewhere) [lundberg2017].

    Absent places take the row's baseline; with a background v(S) is the mean over its rows.

    Attributes:
        problem: whose function, inputs, baselines and groups these are.
    """

    problem: Problem

    @property
    def players(self) -> int:
        """How many groups play."""
        return len(self.problem.groups)

    @property
    def width(self) -> int:
        """Evaluations of the model that one v(S) takes: the background's rows."""
        background = self.problem.background
        return 1 if background is None else len(background[0])

    @property
    def device(self) -> torch.device:
        """The inputs' device."""
        return self.problem.inputs[0].device

    def rows(self) -> Tensor:
        """The numbers of all rows, [n]."""
        return torch.arange(len(self.problem), device=self.device)

    def ends(self) -> tuple[Tensor, Tensor]:
        """v of nobody and v of everybody, each [n] float64."""
        everybody = self.problem.outputs()
        nobody = torch.zeros(1, self.players, dtype=torch.bool, device=self.device)
        return self.values(self.rows(), nobody)[:, 0], everybody

    def odd(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        """(v(S) − v(everybody but S)) / 2, [rows, coalitions] float64.

        Shapley values depend on the game through these halves alone: what a coalition and its complement have in
        common cancels.
        """
        both, m = torch.cat([coalitions, ~coalitions]), len(coalitions)
        found = []
        for some in rows.split(max(1, HELD // max(2 * m, 1))):
            values = self.values(some, both)
            found.append((values[:, :m] - values[:, m:]) / 2)
        return torch.cat(found)

    def values(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        """v(S), [rows, coalitions] float64, evaluated in pieces of (row, coalition) pairs.

        Args:
            rows: numbers of rows, int64.
            coalitions: [m, groups] bool, the same for every row.

        Raises:
            ExplanationError: the model's output is not finite for one of them.
        """
        total, size = len(rows) * len(coalitions), max(1, HELD // self.width)
        blocks = [range(start, min(start + size, total)) for start in range(0, total, size)]
        found = [self._block(rows, coalitions, block) for block in blocks]
        return torch.cat(found).reshape(len(rows), len(coalitions))

    def _block(self, rows: Tensor, coalitions: Tensor, block: range) -> Tensor:
        """v of some (row, coalition) pairs, counted row by row."""
        problem, width = self.problem, self.width

        def make(at: slice) -> tuple[Tensors, Any]:
            number = torch.arange(at.start, at.stop, device=self.device)
            pair = block.start + number.div(width, rounding_mode="floor")
            row = rows[pair.div(len(coalitions), rounding_mode="floor")]
            keep = coalitions[pair % len(coalitions)]
            return problem.groups.choose(keep, tuple(x[row] for x in problem.inputs), self._absent(row, number)), row

        try:
            return problem.evaluated(len(block) * width, make).reshape(-1, width).mean(1)
        except ExplanationError as error:
            if error.why.message != "output_not_finite":
                raise
            raise ExplanationError(Message("coalition_not_finite", {})) from error

    def _absent(self, row: Tensor, number: Tensor) -> Tensors:
        if self.problem.background is None:
            return tuple(b[row] for b in self.problem.baselines)
        return tuple(b[number % self.width] for b in self.problem.background)
