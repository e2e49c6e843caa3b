"""Pairs of people explained block by block, and added up person by person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..asking import attribute
from ..core.groups import Groups
from ..core.result import Attributions, Shaped, like, tensors
from ..errors import ExplanationError
from .pairing import Pairs
from .sides import Side
from .variance import Tally

NUMBERS = 2**22  # attributions in float64 that are held at once: 32 MB
ROUNDING = 1e-6  # of the outputs: a network in float32 says the same row a little differently in another batch


@dataclass(slots=True, eq=False)
class Sums:
    """Sums over pairs: of places (none where the method knows groups alone) and of groups."""

    tally: Tally
    error: Tensor  # [columns], numerical
    missed: float = 0.0  # mean |residual| of a pair, before it was handed out
    size: float = 0.0  # mean Σ |attribution| of a pair
    noise: float = 0.0  # standard error of each mean from coalitions that were drawn
    rule: str = ""
    evaluations: int = 0
    gradients: int = 0

    def halved(self, other: Sums) -> Sums:
        """The mean of two runs that drew apart; their difference, pooled over columns, tells the noise of the mean."""
        noise = float((self.tally.mean - other.tally.mean).square().mean().sqrt()) / 2
        return Sums(
            self.tally.averaged(other.tally),
            (self.error + other.error) / 2,
            (self.missed + other.missed) / 2,
            (self.size + other.size) / 2,
            noise,
            self.rule,
            self.evaluations + other.evaluations,
            self.gradients + other.gradients,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two groups, their pairs, and what explains a pair."""

    model: Any
    form: Shaped
    first: Side
    second: Side
    pairs: Pairs
    groups: Groups
    way: str
    options: dict[str, Any]

    @property
    def by_place(self) -> bool:
        """Whether places have numbers of their own."""
        return self.way == "integrated_gradients"

    @property
    def places(self) -> int:
        """How many of the tallied columns are places; groups follow, where they are not the same."""
        return sum(len(mask) for mask in self.groups.masks) if self.by_place else 0

    def shaped(self, numbers: Tensor) -> Shaped:
        """[columns] as one row of the inputs."""
        if self.places:
            flat = numbers[: self.places]
        else:
            flat = torch.cat([x.flatten(1) for x in self.groups.spread(numbers[None])], 1)[0]
        parts = flat.split([len(mask) for mask in self.groups.masks])
        rows = [part.reshape(shape) for part, shape in zip(parts, self.groups.shapes, strict=True)]
        return like(self.form, rows)

    def grouped(self, numbers: Tensor) -> Tensor:
        """Those of [columns] that are of groups."""
        return numbers[-len(self.groups) :]

    def run(self, outputs: tuple[Tensor, ...]) -> Sums:
        """Every pair explained; twice where coalitions are drawn, which all pairs of a run share."""
        found = self._once(outputs)
        if self.way == "kernel_shap":
            found = found.halved(self._once(outputs))
        self._check(found, outputs)
        return found

    def _once(self, outputs: tuple[Tensor, ...]) -> Sums:
        """Every pair explained, block by block."""
        columns = self.places + (0 if self.groups.single and self.by_place else len(self.groups))
        device = self.first.inputs[0].device
        found = Sums(Tally.zero(self.pairs, columns, device), torch.zeros(columns, dtype=torch.float64, device=device))
        size = max(1, NUMBERS // columns)
        for start in range(0, len(self.pairs), size):
            self._block(slice(start, min(start + size, len(self.pairs))), outputs, found)
        return found

    def _check(self, found: Sums, outputs: tuple[Tensor, ...]) -> None:
        """Raise where the mean pair misses its sum by more than the tolerance, rounding apart."""
        tolerance = max(self.options["tolerance"], ROUNDING)
        scale = max(found.size, ROUNDING * float(torch.cat(outputs).abs().mean()))
        if found.missed > tolerance * scale:
            parameters = {"residual": found.missed / scale, "tolerance": self.options["tolerance"]}
            raise ExplanationError(Message("gap_incomplete", parameters))

    def _block(self, at: slice, outputs: tuple[Tensor, ...], found: Sums) -> None:
        rows_first = self.pairs.first[at].to(outputs[0].device)
        rows_second = self.pairs.second[at].to(outputs[0].device)
        attributions = attribute(
            self.model,
            like(self.form, [x[rows_second] for x in self.second.inputs]),
            baselines=like(self.form, [x[rows_first] for x in self.first.inputs]),
            method=self.way,
            feature_groups=self.groups,
            strict=False,
            **self.options,
        )
        values, errors = self._numbers(attributions)
        change = outputs[1][rows_second] - outputs[0][rows_first]
        weight = self.pairs.weight[at].to(values.device)
        found.missed += float(weight @ (change - values.sum(1)).abs())
        found.size += float(weight @ values.abs().sum(1))
        values, errors = _closed(values, errors, change)
        values, errors = self._with_groups(values), self._with_groups(errors)
        found.tally.add(at, values)
        found.error += weight @ errors
        found.rule = attributions.rule
        found.evaluations += attributions.cost.evaluations
        found.gradients += attributions.cost.gradients

    def _numbers(self, attributions: Attributions) -> tuple[Tensor, Tensor]:
        """[pairs, places], or [pairs, groups]; and their numerical errors."""
        values = _flat(attributions.values) if self.by_place else attributions.grouped
        error = attributions.error if self.by_place else attributions.grouped_error
        return values, torch.zeros_like(values) if error is None else _flat(error)

    def _with_groups(self, values: Tensor) -> Tensor:
        if not self.by_place or self.groups.single:
            return values
        return torch.cat([values, self.groups.sums([values])], 1)


def _flat(values: Shaped) -> Tensor:
    return torch.cat([value.flatten(1).double() for value in tensors(values)], 1)


def _closed(values: Tensor, errors: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Values [pairs, m] that add up to f(b) − f(a): what is missing goes where the error is, else where the values are.

    A feature that changes nothing has a value of exactly 0, and keeps it.
    """
    residual = change - values.sum(1)
    tiny = torch.finfo(torch.float64).tiny
    doubt = torch.where(values == 0, 0, errors)
    weight = torch.where(doubt.sum(1, keepdim=True) > tiny, doubt, values.abs())
    weight = torch.where(weight.sum(1, keepdim=True) > tiny, weight, torch.ones_like(weight))
    added = residual[:, None] * weight / weight.sum(1, keepdim=True)
    return values + added, errors + added.abs()
