"""A gap between two groups, handed out to the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from scipy.special import stdtrit
from torch import Tensor

from ...messages import Message
from ..core.budget import Cost
from ..core.groups import Groups
from ..core.result import Shaped

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class ScoreGap:
    """mean f(B) − mean f(A), handed out to the features; positive where the feature lifts B above A.

    Attributes:
        values: shaped like one row of the inputs, float64, adding up to `total`. Of Shapley values of groups each place
            shows its group's number; then `grouped` adds up.
        stderr: standard error of each value with people as the unit, and of the coalitions that were drawn where there
            are too many for all; NaN where a group is a single person.
        error: numerical error of each value, at most.
        grouped: [groups] float64, one number for each group of places, adding up to `total`.
        grouped_stderr: [groups]
        grouped_error: [groups]
        freedom: [groups] degrees of freedom of `grouped_stderr`.
        total: mean f(B) − mean f(A).
        total_stderr: with people as the unit.
        total_freedom: degrees of freedom of it.
        mean_a: mean f(A).
        mean_b: mean f(B).
        n: people in A and in B.
        missing: rows of A and B left out because their label is not known.
        pairs: how many pairs of people were compared.
        complete: they are all that there are.
        groups: what the gap is handed out to.
        quantity: what is explained.
        rule: how, in words.
        cost: of it all.
        reason: why there are no standard errors; None where there are.
        settings: what repeats the call.
    """

    values: Shaped
    stderr: Shaped
    error: Shaped
    grouped: Tensor
    grouped_stderr: Tensor
    grouped_error: Tensor
    freedom: Tensor
    total: float
    total_stderr: float
    total_freedom: float
    mean_a: float
    mean_b: float
    n: tuple[int, int]
    missing: tuple[int, int]
    pairs: int
    complete: bool
    groups: Groups
    quantity: str
    rule: str
    cost: Cost
    reason: Message | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The groups of places by name, or by number where nobody named them."""
        return self.groups.names or tuple(map(str, range(len(self.groups))))

    @property
    def shares(self) -> Tensor:
        """[groups] of the total; NaN where the total is 0. They may be negative, or above 1."""
        return self.grouped / self.total if self.total else torch.full_like(self.grouped, torch.nan)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """[groups] low and high ends: value ± (t · standard error + numerical error).

        Degrees of freedom know how heavy the tails of people's attributions are.
        """
        t = torch.from_numpy(stdtrit(self.freedom.cpu().numpy(), (1 + level) / 2)).to(self.grouped.device)
        half = t * self.grouped_stderr + self.grouped_error
        return self.grouped - half, self.grouped + half

    def total_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Low and high end of the total."""
        half = float(stdtrit(self.total_freedom, (1 + level) / 2)) * self.total_stderr
        return self.total - half, self.total + half

    def frame(self, level: float = 0.95, names: Sequence[str] | None = None) -> DataFrame:
        """One row a group of places, the largest part first: feature, value, stderr, low, high, error, share."""
        import pandas

        low, high = self.interval(level)
        numbers = {"value": self.grouped, "stderr": self.grouped_stderr, "low": low, "high": high,
                   "error": self.grouped_error, "share": self.shares}  # fmt: skip
        columns = {name: column.cpu().numpy() for name, column in numbers.items()}
        table = pandas.DataFrame({"feature": list(names or self.names), **columns})
        return table.sort_values("value", key=abs, ascending=False, kind="stable", ignore_index=True)
