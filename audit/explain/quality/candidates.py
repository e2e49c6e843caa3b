"""The explanations that are compared: what each says matters, and what each says it would cost to take it away."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..core.problem import Tensors
from ..core.result import Attributions, tensors

LOCAL = ("saliency", "smooth_grad")
"""Methods whose numbers are slopes: what the output changes by for each unit that an input changes."""

MAPS = ("grad_cam", "guided_grad_cam", "attention_rollout")
"""Methods whose numbers show where to look and have no unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One method's attributions of the rows.

    Attributes:
        name: what the caller calls it.
        found: the attributions.
        importance: [n, groups] float64, by which places are ranked: the attributions as they stand; of slopes the
            size, summed over a group, as saliency maps show it [simonyan2014].
        claims: [n, groups] float64, what taking a group away is said to cost: the attributions themselves; slopes are
            first multiplied by the distance from the baseline [yeh2019].
    """

    name: str
    found: Attributions
    importance: Tensor
    claims: Tensor

    @classmethod
    def of(cls, name: str, found: Attributions, inputs: Tensors, baselines: Tensors) -> Candidate:
        """With both readings of the attributions."""
        if found.method not in LOCAL:
            return cls(name, found, found.grouped, found.grouped)
        sizes = found.groups.sums([value.abs() for value in tensors(found.values)])
        moved = [
            value.double() * (x.double() - b.double()) if x.is_floating_point() else value.double()
            for value, x, b in zip(tensors(found.values), inputs, baselines, strict=True)
        ]
        return cls(name, found, sizes, found.groups.sums(moved))

    @property
    def unitless(self) -> bool:
        """Whether its numbers are not in the output's unit."""
        return self.found.method in MAPS


def moving(inputs: Tensors, baselines: Tensors, found: Attributions) -> Tensor:
    """[n, groups] bool: the groups of a row that differ from the baseline somewhere; the others cannot matter."""
    differs = [(x != b).double() for x, b in zip(inputs, baselines, strict=True)]
    return found.groups.sums(differs) > 0
