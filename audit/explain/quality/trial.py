"""The rows on which explanations are compared, with all that metrics share: one set of masks, outputs, networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from ...energy.meter import Meter
from ...messages import Message
from ..asking import again
from ..core.problem import Problem
from ..core.result import Attributions
from .candidates import Candidate
from .reading import Reasons

NUMBERS = 2**22  # of places that are ranked or drawn at once: 32 MB in float64

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Trial:
    """The rows, the explanations compared, and what their metrics have worked out for one another.

    Attributes:
        problem: the explained number, rows, baselines and groups; its function counts evaluations.
        candidates: the explanations.
        moves: [n, groups] bool: the groups that differ from the baseline; all others are left out of every ranking.
        output: [n] f(x), float64. baseline_output: [n] f(baseline).
        masks: [n, groups] bool, where people see the evidence; None where nobody said.
        level: of intervals.
        meter: of the energy that further attributions take.
        loss: of the raw output of some rows, each row's loss by its label, NaN where that is not known; None without
            labels.
        shared: by a name, what was computed once for all.
        attributed: evaluations that further attributions have taken. gradients: likewise.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    moves: Tensor
    output: Tensor
    baseline_output: Tensor
    masks: Tensor | None
    level: float
    meter: Meter
    loss: Callable[[Tensor, slice], Tensor] | None = None
    shared: dict[Any, Any] = field(default_factory=dict)
    attributed: int = 0
    gradients: int = 0

    def __len__(self) -> int:
        return len(self.output)

    @property
    def evaluations(self) -> int:
        """Rows that went through the model so far, further attributions included."""
        return self.problem.function.evaluations + self.attributed

    @property
    def count(self) -> Tensor:
        """[n] how many groups differ from the baseline."""
        return self.moves.sum(1)

    def few(self, needed: int) -> Reasons:
        """The rows in which fewer groups than that differ from the baseline."""
        return ((Message("quality_few_places", {"needed": needed}), self.count < needed),)

    def once(self, key: Any, compute: Callable[[], T]) -> T:
        """What was computed under this name before, or now."""
        if key not in self.shared:
            self.shared[key] = compute()
        return self.shared[key]

    def again(self, found: Attributions, **changes: Any) -> Attributions:
        """The same question of the model once more; what it takes is counted.

        That attributions add up was asked when they were made; on networks with shuffled weights nobody promised it.
        """
        new = again(self.problem.function.model, found, **{"meter": self.meter, "strict": False, **changes})
        self.attributed += new.cost.evaluations
        self.gradients += new.cost.gradients
        return new

    def blocks(self, each: int = 1) -> Iterator[slice]:
        """The rows in pieces, of whose places `each` rankings fit into memory at once."""
        size = max(1, NUMBERS // (self.moves.shape[1] * each))
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def uniform(self, *shape: int) -> Tensor:
        """Random numbers in [0, 1) from the generator, float64."""
        drawn = torch.rand(shape, generator=self.problem.generator, dtype=torch.float64)
        return drawn.to(self.moves.device)

    def outputs(self, block: slice, each: int, keep: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """f of the block's rows under several masks: [rows of the block, each].

        Args:
            block: of rows.
            each: how many masks a row has.
            keep: of the rows' numbers within the block and the masks' numbers, [k] both, which groups are kept:
                [k, groups] bool.
        """
        problem = self.problem

        def masked(at: slice) -> tuple[tuple[Tensor, ...], Tensor]:
            number = torch.arange(at.start, at.stop, device=self.moves.device)
            row = number // each
            rows = row + block.start
            inputs, baselines = [tuple(x[rows] for x in given) for given in (problem.inputs, problem.baselines)]
            return problem.groups.choose(keep(row, number % each), inputs, baselines), rows

        rows = block.stop - block.start
        return problem.evaluated(rows * each, masked).reshape(rows, each)
