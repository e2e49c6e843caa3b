"""Inputs taken away, or put in, from the most important on: what the output does on the way.

Random orders of the same places go the same way, and are shared between the explanations compared. Numbers are in
units of the row's own scale, the farthest that the output gets from the baseline's on a random way (the row itself
included), so that rows of different outputs can be averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...messages import Message
from .candidates import Candidate
from .ranks import positions
from .reading import Reading, Reasons
from .trial import Trial

TOP = (0.01, 0.05, 0.1, 0.2, 0.5)  # shares of the most important places [deyoung2020]
SHARES = (0.0, *TOP[:4], 0.35, 0.5)  # taken away along a curve, each and all but each
ORDERS = 4  # random orders a row
ROUNDING = 1e-9
FLAT = 1e-6  # of the outputs' size: less is no change but rounding


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """f on the way.

    Attributes:
        counts: [n, steps] how many places were taken away, or put in, from 0 to all.
        values: [n, steps] the output there.
    """

    counts: Tensor
    values: Tensor

    def at(self, k: Tensor) -> Tensor:
        """[n, j] the output where k [n, j] places were; each k must be a step of its row."""
        return self.values.gather(1, torch.searchsorted(self.counts, k))

    def area(self) -> Tensor:
        """[n] the mean height over the whole way, between steps as a straight line."""
        widths = self.counts.diff(dim=1).double() / self.counts[:, -1:]
        return (widths * (self.values[:, 1:] + self.values[:, :-1]) / 2).sum(1)

    def on(self, shares: Tensor) -> Tensor:
        """[n, j] the height at shares [j] of the way, between steps as a straight line."""
        way = shares * self.counts[:, -1:]
        right = torch.searchsorted(self.counts, way.ceil().to(self.counts.dtype)).clamp(1, self.counts.shape[1] - 1)
        ends = [(self.counts.gather(1, at), self.values.gather(1, at)) for at in (right - 1, right)]
        (start, low), (end, high) = ends
        part = (way - start) / (end - start).clamp(min=1)
        return low + (high - low) * part.clamp(0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """One explanation's two curves, in units of the row's scale above the baseline's output."""

    deletion: Curve
    insertion: Curve


@dataclass(frozen=True, slots=True, eq=False)
class Random:
    """The random orders.

    Attributes:
        curves: one each, taking away, in units of the row's scale above the baseline's output.
        scale: [n].
    """

    curves: tuple[Curve, ...]
    scale: Tensor


def deletion(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The area under f while places are taken away, the most important first [petsiuk2018]; scaled to the row."""
    return (Reading(ways(trial, candidate).deletion.area(), _missing(trial), _area_by_chance(trial)),)


def insertion(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The area under f while places are put in, the most important first [petsiuk2018]; scaled to the row.

    A random order put in is a random order taken away, walked backwards: both have the same area.
    """
    return (Reading(ways(trial, candidate).insertion.area(), _missing(trial), _area_by_chance(trial)),)


def comprehensiveness(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The mean of f(x) − f(x without the top 1, 5, 10, 20, 50 %) [deyoung2020]; scaled to the row."""
    top = _top(trial)
    found = _lost(trial, ways(trial, candidate).deletion.at(top))
    chance = [_lost(trial, curve.at(top)) for curve in by_chance(trial).curves]
    return (Reading(found, _missing(trial), torch.stack(chance).mean(0)),)


def sufficiency(trial: Trial, candidate: Candidate) -> tuple[Reading, ...]:
    """The mean of f(x) − f(nothing but the top 1, 5, 10, 20, 50 %) [deyoung2020]; scaled to the row."""
    top = _top(trial)
    found = _lost(trial, ways(trial, candidate).insertion.at(top))
    chance = [_lost(trial, curve.at(trial.count[:, None] - top)) for curve in by_chance(trial).curves]
    return (Reading(found, _missing(trial), torch.stack(chance).mean(0)),)


def ways(trial: Trial, candidate: Candidate) -> Ways:
    """The explanation's two curves, computed once for all metrics."""

    def compute() -> Ways:
        def order(block: slice) -> Tensor:
            return positions(candidate.importance[block], trial.moves[block])

        scale = by_chance(trial).scale
        away, kept = (_scaled(trial, _along(trial, order, taken), scale) for taken in (True, False))
        return Ways(away, kept)

    return trial.once(("ways", candidate.name), compute)


def by_chance(trial: Trial) -> Random:
    """Random orders' curves, drawn once for all explanations."""

    def compute() -> Random:
        raw = [_along(trial, lambda block: _shuffled(trial, block), True) for _ in range(ORDERS)]
        far = torch.stack([(curve.values - trial.baseline_output[:, None]).abs().amax(1) for curve in raw])
        scale = far.amax(0)
        return Random(tuple(_scaled(trial, curve, scale) for curve in raw), scale)

    return trial.once("random orders", compute)


def steps(trial: Trial) -> Tensor:
    """[n, steps] how many places each step of a curve takes, the same for every explanation."""

    def compute() -> Tensor:
        m = trial.count[:, None]
        few = _parts(trial, SHARES)
        found = torch.cat([few, m - few], 1).sort(1).values.unique(dim=1).contiguous()
        # Where no row differs from its baseline all steps are one; a way has two ends even then.
        return found if found.shape[1] > 1 else torch.cat([found, found], 1)

    return trial.once("steps", compute)


def _along(trial: Trial, order: Callable[[slice], Tensor], taken: bool) -> Curve:
    """f while places are taken away, or put in, in an order of places [rows, groups] that is made block by block."""
    counts = steps(trial)
    inner = counts[:, 1:-1]
    parts = []
    for block in trial.blocks():
        position = order(block)

        def keep(row: Tensor, step: Tensor, position: Tensor = position, first: Tensor = inner[block]) -> Tensor:
            among = position[row] < first[row, step][:, None]
            return ~among if taken else among

        parts.append(trial.outputs(block, inner.shape[1], keep))
    ends = (trial.output[:, None], trial.baseline_output[:, None])
    return Curve(counts, torch.cat([ends[not taken], torch.cat(parts), ends[taken]], 1))


def _scaled(trial: Trial, curve: Curve, scale: Tensor) -> Curve:
    return Curve(curve.counts, (curve.values - trial.baseline_output[:, None]) / scale[:, None])


def _shuffled(trial: Trial, block: slice) -> Tensor:
    counts = trial.moves[block]
    return positions(trial.uniform(*counts.shape), counts)


def _area_by_chance(trial: Trial) -> Tensor:
    return torch.stack([curve.area() for curve in by_chance(trial).curves]).mean(0)


def _top(trial: Trial) -> Tensor:
    """[n, shares] how many places the top shares are."""
    return _parts(trial, TOP)


def _parts(trial: Trial, shares: tuple[float, ...]) -> Tensor:
    """[n, shares] so many of each row's places, rounded up; what rounding errors leave above a whole number is not."""
    exact = trial.count[:, None] * torch.tensor(shares, dtype=torch.float64, device=trial.moves.device)
    return (exact - ROUNDING).ceil().long()


def _lost(trial: Trial, heights: Tensor) -> Tensor:
    whole = (trial.output - trial.baseline_output) / by_chance(trial).scale
    return (whole[:, None] - heights).mean(1)


def _missing(trial: Trial) -> Reasons:
    size = torch.maximum(trial.output.abs(), trial.baseline_output.abs())
    flat = by_chance(trial).scale <= FLAT * size
    return (*trial.few(2), (Message("quality_flat", {}), flat))


def curve_rows(trial: Trial) -> Tensor:
    """[n] bool: the rows that have curves."""
    found = torch.ones(len(trial), dtype=torch.bool, device=trial.moves.device)
    for _, rows in _missing(trial):
        found &= ~rows
    return found
