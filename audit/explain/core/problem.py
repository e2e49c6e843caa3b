"""What is asked: why f(inputs) and not f(baselines), group by group."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...messages import Message
from ..errors import ExplanationError
from .budget import Spending
from .chunks import Chunks
from .function import Function
from .groups import Groups

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Everything that a method may read. A method is a function from this to `Found`.

    Attributes:
        function: f, the explained number.
        inputs: each [n, ...], as the model takes them.
        baselines: of the same shapes, one for each row (views where they are shared).
        groups: what attributions are given to.
        background: each [m, ...], rows that stand for what is usual, where the caller gave some; else None.
        tolerance: of numerical error, relative to a row's summed absolute attribution.
        spending: the budget and what is left of it.
        chunks: how much goes through the model at once.
        generator: of every random number that a method draws; on the processor.
        layer: the module of the model that a layer method looks at.
        shape: how the output depends on the inputs, as the doctor found: "piecewise_linear", "smooth", "mixed" or
            "unknown".
        embedding: the module whose vectors stand for integer codes; "auto" finds for each group which lookups are its.
        options: what else the method was asked for, by its own names.
        strict: whether attributions that do not add up are refused; else their residuals alone tell it.
    """

    function: Function
    inputs: Tensors
    baselines: Tensors
    groups: Groups
    spending: Spending
    chunks: Chunks
    generator: torch.Generator
    background: Tensors | None = None
    tolerance: float = 1e-3
    shape: str = "unknown"
    layer: nn.Module | None = None
    embedding: nn.Module | str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = True

    def __len__(self) -> int:
        return len(self.inputs[0])

    def outputs(self, inputs: Sequence[Tensor] | None = None, rows: Tensor | None = None) -> Tensor:
        """f of these inputs (of the rows themselves, if None), [m] float64, piece by piece and without gradients.

        Raises:
            ExplanationError: one of them is not finite.
        """
        given = self.inputs if inputs is None else tuple(inputs)
        return self.evaluated(len(given[0]), lambda at: (tuple(x[at] for x in given), at if rows is None else rows[at]))

    def evaluated(self, total: int, make: Callable[[slice], tuple[Sequence[Tensor], Any]]) -> Tensor:
        """f of inputs that are made piece by piece, [total] float64, without gradients.

        Args:
            total: how many there are.
            make: called with a slice of them; returns inputs each [m, ...], and the explained rows they stand for: [m]
                int64, or a slice.
        """

        def piece(at: slice) -> Tensor:
            inputs, rows = make(at)
            return self.function(inputs, rows).double()

        with torch.no_grad():
            parts = self.chunks.over(total, piece)
        found = torch.cat(parts) if parts else self.inputs[0].new_zeros(0, dtype=torch.float64)
        if not math.isfinite(found.sum()):
            self._check(found, make)
        return found

    def _check(self, outputs: Tensor, make: Callable[[slice], tuple[Sequence[Tensor], Any]]) -> None:
        """Raise where an output is not finite, and name the first of the explained rows that it is about."""
        numbers = torch.arange(len(self), device=self.inputs[0].device)
        asked = torch.cat(self.chunks.over(len(outputs), lambda at: numbers[make(at)[1]]))
        rows = asked[~torch.isfinite(outputs)].unique().tolist()
        if rows:
            found = {"count": len(rows), "n": len(self), "rows": rows[:5]}
            raise ExplanationError(Message("output_not_finite", found))

    def gradients(
        self,
        total: int,
        make: Callable[[slice], tuple[Sequence[Tensor], Any]],
        take: Callable[[slice, Tensor, Tensors], None],
    ) -> None:
        """∂f/∂x of inputs that are made piece by piece; `take` is handed each piece's slice, outputs and gradients."""

        def piece(at: slice) -> tuple[Tensor, Tensors]:
            return self.function.gradient(*make(at))

        def whole(at: slice) -> None:
            take(at, *piece(at))

        self.chunks.over(total, whole)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a method says.

    Attributes:
        values: for each input [n, ...], in its shape.
        rule: how they were computed, in words, and why so, where the method had a choice.
        error: estimated numerical error of each value, as `values`; None where the method has no such error.
        stderr: standard error of each value from sampling, as `values`; None where nothing is sampled.
        output: f(inputs), [n] float64, where the method knows it.
        baseline_output: f(baselines), [n] float64, likewise; of a background the mean.
        grouped: one number for each group, [n, groups] float64, where the method gives one by itself; otherwise values
            are added up in each group.
        grouped_error: of `grouped`, where it is not `error` added up.
        grouped_stderr: of `grouped`, likewise.
        details: what else is worth keeping: gradients a row, samples, the rule of each row.
    """

    values: Tensors
    rule: str
    error: Tensors | None = None
    stderr: Tensors | None = None
    output: Tensor | None = None
    baseline_output: Tensor | None = None
    grouped: Tensor | None = None
    grouped_error: Tensor | None = None
    grouped_stderr: Tensor | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def by_group(problem: Problem, grouped: Tensor, rule: str, **more: Any) -> Found:
    """What a method found that gives one number [n, groups] to each group: every place of the group shows it.

    Args:
        problem: whose groups these are.
        grouped: [n, groups].
        rule: in words.
        **more: further fields of `Found`; `grouped_error` and `grouped_stderr` are shown at places likewise.
    """
    for name in ("error", "stderr"):
        if more.get(f"grouped_{name}") is not None:
            more[name] = problem.groups.spread(more[f"grouped_{name}"])
    return Found(problem.groups.spread(grouped), rule, grouped=grouped, **more)


def finite(values: Tensor, what: str) -> None:
    """Raise where a value of [n, ...] is not finite, and name the first such rows."""
    if math.isfinite(values.detach().sum()):  # one pass; where finite numbers add up to infinity, each is looked at
        return
    good = torch.isfinite(values)
    if bool(good.all()):
        return
    bad = (~good.reshape(len(values), -1).all(1)).nonzero()[:, 0].tolist()
    raise ExplanationError(
        Message("not_finite_rows", {"what": what, "count": len(bad), "n": len(values), "rows": bad[:5]})
    )
