"""Paths that go through a plan's steps until each is within the tolerance."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.problem import Tensors
from .line import Line
from .plans import RULES, Plan, Step, Tried

ROUNDING = 16  # units in the last place of the summed absolute attribution, at most, in sums of gradients
PROVED = {torch.float64: 1e-9}  # how closely pieces add up to the output's change, of all that is added and subtracted
PROVED_FLOAT = 1e-4
TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True, slots=True, eq=False)
class Integral:
    """Integrated gradients of m paths.

    Attributes:
        values: shaped like the inputs, each [m, ...] float64.
        error: estimated numerical error of each value, likewise.
        output: f at the ends, [m] float64.
        baseline_output: f at the starts, [m] float64.
        rule: [m] int64, which of `RULES` gave the values.
        nodes: [m] int64, gradients that the values are made of.
        gradients: [m] int64, gradients that were taken, coarser attempts included.
        reached: [m] bool: error and completeness are within the tolerance.
    """

    values: Tensors
    error: Tensors
    output: Tensor
    baseline_output: Tensor
    rule: Tensor
    nodes: Tensor
    gradients: Tensor
    reached: Tensor

    def __len__(self) -> int:
        return len(self.output)


def through(plan: Plan, line: Line) -> Integral:
    """Step by step, with the paths that need it, while time and energy last."""
    found, spending = _nothing(line), line.problem.spending
    timed = spending.budget.seconds is not None or spending.budget.joules is not None
    served = {name: torch.zeros_like(found.reached) for name in RULES}
    for number, step in enumerate(plan.steps):
        if number and not spending.room(0):
            break
        needs = ~found.reached & (found.gradients + step.least <= plan.most)
        for name in step.unless:
            needs &= ~served[name]
        left = needs.nonzero()[:, 0]
        if len(left):
            with spending.step() if timed else nullcontext():
                served[step.rule][_take(found, step, left, line, plan.most)] = True
    return found


def _nothing(line: Line) -> Integral:
    """Before the first step: no values, errors without bound."""
    values = tuple(torch.zeros(x.shape, dtype=torch.float64, device=x.device) for x in line.ends)
    error = tuple(torch.full_like(value, torch.inf) for value in values)
    end, start = line.outputs()
    rule, nodes, gradients = (torch.zeros_like(line.rows) for _ in range(3))
    return Integral(values, error, end, start, rule, nodes, gradients, torch.zeros_like(line.rows, dtype=torch.bool))


def _take(found: Integral, step: Step, left: Tensor, line: Line, most: int) -> Tensor:
    """One step for the paths `left`; where better, what it says replaces what is there. Returns those it served."""
    tried = step.run(line if len(left) == len(line) else line.only(left), most - found.gradients[left])
    found.gradients[left] += tried.gradients
    at = left[tried.served]
    if not len(at):
        return at
    if step.continues:
        tried = _continued(tried, tuple(values[at] for values in found.values))
    judged, before = _Judged.of(found, at, tried, line), _largest(found.error, at)
    exact = step.rule == "exact"
    better = judged.proved | ~before.isfinite() if exact else judged.reached | (judged.largest < before)
    better |= step.continues | step.replaces
    for mine, new in zip((*found.values, *found.error), (*tried.values, *judged.error), strict=True):
        mine[at[better]] = new[better]
    kept = at[better]
    found.rule[kept] = RULES.index(step.rule)
    found.nodes[kept] = tried.gradients[tried.served][better] + (found.nodes[kept] if step.continues else 0)
    found.reached[kept] = (judged.proved if exact else judged.reached)[better]
    return at


def _continued(tried: Tried, before: Tensors) -> Tried:
    """The nodes between joined to those before: three times as many, of equal weight."""
    values = tuple((old + 2 * new) / 3 for old, new in zip(before, tried.values, strict=True))
    off = tuple(new - old for old, new in zip(before, values, strict=True))
    return Tried(tried.served, values, off, tried.gradients)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """An attempt's error.

    Attributes:
        error: of each value.
        largest: [m], of a path's values.
        reached: [m] bool: largest error and completeness are within the tolerance.
        proved: [m] bool: values add up to the output's change as exact ones do.
    """

    error: Tensors
    largest: Tensor
    reached: Tensor
    proved: Tensor

    @classmethod
    def of(cls, found: Integral, at: Tensor, tried: Tried, line: Line) -> _Judged:
        end, start, tolerance = found.output[at], found.baseline_output[at], line.problem.tolerance
        summed = torch.stack([values.abs().reshape(len(at), -1).sum(1) for values in tried.values]).sum(0)
        change = torch.stack([values.reshape(len(at), -1).sum(1) for values in tried.values]).sum(0)
        missed = (change - (end - start)).abs()
        dtype = _coarsest(line)
        unit = ROUNDING * torch.finfo(dtype).eps
        proved = missed <= PROVED.get(dtype, PROVED_FLOAT) * (end.abs() + start.abs() + summed)
        least = unit * summed + torch.where(proved, 0, missed) if tried.off is None else unit * summed
        error = tuple(_error(tried, number, summed, least) for number in range(len(tried.values)))
        largest = _largest(error, torch.arange(len(at), device=at.device))
        rounding = unit * (end.abs() + start.abs() + summed)
        within = largest <= tolerance * summed + unit * summed
        complete = missed <= tolerance * torch.maximum(summed, (end - start).abs()) + rounding
        return cls(error, largest, within & complete, proved)


def _error(tried: Tried, number: int, summed: Tensor, least: Tensor) -> Tensor:
    """Of one input's values: how far the coarser rule is off, and beside it `least`, [m].

    Two rules may agree on a value by chance, so its error is no smaller a share of it than the path's is on the whole.
    """
    values = tried.values[number]

    def spread(each: Tensor) -> Tensor:
        return each.reshape(-1, *[1] * (values.ndim - 1)).expand(values.shape)

    if tried.off is None:
        return spread(least).clone()
    whole = torch.stack([off.abs().reshape(len(off), -1).sum(1) for off in tried.off]).sum(0)
    share = whole / summed.clamp(min=TINY)
    return torch.maximum(tried.off[number].abs(), spread(share) * values.abs()) + spread(least)


def _largest(error: Tensors, at: Tensor) -> Tensor:
    return torch.stack([part[at].reshape(len(at), -1).amax(1) for part in error]).amax(0)


def _coarsest(line: Line) -> torch.dtype:
    """The floating-point type in which the model's inputs are kept that rounds most."""
    floats = [x.dtype for x in line.at(torch.zeros_like(line.rows[:1]), 1.0) if x.is_floating_point()]
    return max(floats, key=lambda dtype: torch.finfo(dtype).eps)
