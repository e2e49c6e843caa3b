"""Shares of groups and what stands behind them: rows, weights, and how many rows that is worth. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats, jeffreys, wilson
from .groups import CELLS, Groups
from .metrics import Cells, Metric, total


@dataclass(frozen=True, slots=True)
class Shares:
    """One share of every group.

    Attributes:
        part: [groups] weights on top; whole: [groups] weights below.
        n: [groups] rows below.
        effective: [groups] how many unweighted rows, each by itself, would say as much.
        suffix: what is added to the name of an interval that rests on them: "", "-kish" or "-cluster".
    """

    part: Floats
    whole: Floats
    n: NDArray[np.int64]
    effective: Floats
    suffix: str

    @property
    def value(self) -> Floats:
        """[groups], NaN where there is nothing below."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.whole > 0, self.part / self.whole, np.nan)

    @property
    def behind(self) -> int:
        """How many rows all groups that have the share stand on."""
        return int(self.n[self.whole > 0].sum())

    @property
    def successes(self) -> Floats:
        """[groups], effective rows on top."""
        return np.where(self.whole > 0, np.nan_to_num(self.value) * self.effective, 0.0)

    def wilson(self, level: float) -> tuple[Floats, Floats]:
        """Wilson's interval at the effective number of rows; NaN where there is nothing below."""
        return self._around(*wilson(self.successes, self.effective, level))

    def jeffreys(self, level: float) -> tuple[Floats, Floats]:
        """Jeffreys' credible interval at the effective number of rows; NaN where there is nothing below."""
        return self._around(*jeffreys(self.successes, self.effective, level))

    def _around(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        value = self.value
        # rounding of p · n may put an end on the wrong side of p by the last bit
        return np.fmin(low, value), np.fmax(high, value)


def shares(groups: Groups, top: Cells, bottom: Cells) -> Shares:
    """The share of some cells in others, for every group.

    Weighted rows count as (Σw)² / Σw² unweighted ones [kish1965]; clustered rows as p(1−p) / V, where V is the
    linearised variance between clusters [korn1998].
    """
    part, whole, n = total(groups.sums, top), total(groups.sums, bottom), total(groups.rows, bottom)
    if groups.clustered:
        return Shares(part, whole, n, _by_cluster(groups, top, bottom, part, whole, n), "-cluster")
    if not groups.weighted:
        return Shares(part.astype(float), whole.astype(float), n, n.astype(float), "")
    squares = total(groups.squares, bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Shares(part, whole, n, np.where(squares > 0, whole**2 / squares, 0.0), "-kish")


def parts(groups: Groups, metric: Metric, minimum: int = 0) -> tuple[Shares, ...]:
    """The shares that a metric is made of: one, or two; of groups with fewer rows below than the minimum, none."""
    return tuple(large(shares(groups, top, bottom), minimum) for top, bottom, _ in metric.parts)


def large(found: Shares, minimum: int) -> Shares:
    """The shares of the groups that have so many rows below; the others have none, as if they weighed nothing."""
    few = (found.n > 0) & (found.n < minimum)
    if not few.any():
        return found
    part, whole, effective = (np.where(few, 0.0, each) for each in (found.part, found.whole, found.effective))
    return replace(found, part=part, whole=whole, effective=effective)


def measured(groups: Groups) -> tuple[Metric, ...]:
    """The metrics that these rows can tell: of rows of which none has a label only those that need none."""
    if groups.rows[:, :2].any() or not groups.rows.any():
        return groups.metrics
    return tuple(metric for metric in groups.metrics if any(truth == 2 for truth, _ in metric.bottom))


def values(metric: Metric, found: tuple[Shares, ...]) -> Floats:
    """[groups] the metric of its shares; NaN where it is undefined."""
    first, *second = found
    if second:
        return (first.value + second[0].value) / 2
    if metric.is_share:
        return first.value
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = metric.bend(first.part, first.whole)  # of whole numbers the quotient is exact
        bent = np.true_divide(top, bottom)
    return np.where(np.isfinite(bent), bent, np.nan)


def known(numbers: Floats) -> list[float | None]:
    """Numbers as they are told: None where there is none, or no end."""
    return [number if isfinite(number) else None for number in numbers.tolist()]


def intervals(
    metric: Metric, found: tuple[Shares, ...], level: float, *, posterior: bool = False
) -> tuple[Floats, Floats, str]:
    """The metric's own closed-form interval for every group, and its name; an end may be infinite.

    Of a bent share the interval is Wilson's, bent likewise; of a mean of two the intervals are joined by MOVER
    [zou2008]. With `posterior` the credible interval of Jeffreys' prior takes the place of Wilson's.
    """
    ends = [share.jeffreys(level) if posterior else share.wilson(level) for share in found]
    name = f"{'jeffreys' if posterior else 'wilson'}{found[0].suffix}"
    if len(ends) == 1:
        low, high = ends[0]
        if metric.is_share:
            return low, high, name
        # rounding may put an end on the wrong side of the value by the last bit
        value = values(metric, found)
        return np.fmin(metric.bent(low), value), np.fmax(metric.bent(high), value), f"{name}, bent"
    value, each = values(metric, found), [share.value for share in found]
    down = np.sqrt(sum((v - low) ** 2 for v, (low, _) in zip(each, ends, strict=True))) / len(each)
    up = np.sqrt(sum((high - v) ** 2 for v, (_, high) in zip(each, ends, strict=True))) / len(each)
    return value - down, value + up, f"{name}, mover"


def _by_cluster(groups: Groups, top: Cells, bottom: Cells, part: Floats, whole: Floats, n: NDArray[np.int64]) -> Floats:
    """Effective rows of clustered ones, at most as many as there are; where p is 0 or 1, as many as clusters."""
    units = groups.units
    below, above = _mask(bottom), _mask(top)
    group, cell = units.cell // CELLS, units.cell % CELLS
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(whole > 0, part / whole, 0.0)
    residual = units.amount * (above[cell] - p[group] * below[cell])
    relevant = below[cell] > 0
    pairs, place = np.unique(units.unit[relevant] * len(groups) + group[relevant], return_inverse=True)
    score = np.bincount(place, residual[relevant], minlength=len(pairs))
    clusters = np.bincount(pairs % len(groups), minlength=len(groups)).astype(float)
    squares = np.bincount(pairs % len(groups), score**2, minlength=len(groups))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squares / whole**2 * clusters / (clusters - 1)
        effective = p * (1 - p) / variance
    effective = np.where(np.isfinite(effective) & (p > 0) & (p < 1) & (clusters > 1), effective, clusters)
    return np.where(whole > 0, np.minimum(effective, n), 0.0)


def _mask(cells: Cells) -> Floats:
    mask = np.zeros((3, 2))
    for truth, decision in cells:
        mask[truth, decision] = 1.0
    return mask.ravel()
