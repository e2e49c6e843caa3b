"""Demographic disparity: a group's share of the rejected less its share of the accepted, in strata. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...analysis import Section
from ...intervals import Floats, quantile
from ...measure import Measure, undefined
from ...messages import Message
from ..comparison.resampling import Estimate, of_cells
from ..table.context import Context
from ..table.groups import CELLS, Groups
from ..table.metrics import REJECTED, SELECTED, total
from .strata import Strata, strata

MANY = 500  # groups × strata beyond which resampling would take long
NAME, ONE = "conditional_demographic_disparity", "demographic_disparity"


def demographic_disparities(cells: Floats) -> Floats:
    """For each group its share of all rejected rows less its share of all accepted ones.

    Args:
        cells: [..., groups, strata, 3, 2].

    Returns:
        [..., groups], the mean over strata weighed by their rows [wachter2021]; strata in which all are decided alike
        say nothing and are left out. NaN where none is left.
    """
    rejected, selected = total(cells, REJECTED), total(cells, SELECTED)
    out, into = (x.sum(-2, keepdims=True) for x in (rejected, selected))
    with np.errstate(divide="ignore", invalid="ignore"):
        each = rejected / out - selected / into
        weight = np.where((out > 0) & (into > 0), out + into, 0.0)
        return np.where(weight > 0, each * weight, 0.0).sum(-1) / weight.sum(-1)


def conditional_demographic_disparity(cells: Floats) -> Floats:
    """The mean of the groups' disparities weighed by their rows, Σ N_g (N_g⁻/N⁻ − N_g⁺/N⁺) / N, within strata.

    >>> cells = np.zeros((3, 1, 3, 2))
    >>> cells[:, 0, 2] = [[1, 2], [3, 4], [4, 2]]  # rejected and accepted of three groups
    >>> float(conditional_demographic_disparity(cells))
    0.015625
    """
    rows = cells.sum((-1, -2))
    rejected, selected = total(cells, REJECTED), total(cells, SELECTED)
    out, into = (x.sum(-2, keepdims=True) for x in (rejected, selected))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = rows / rows.sum(-2, keepdims=True)
        within = (share * (rejected / out - selected / into)).sum(-2)
        weight = np.where((out > 0) & (into > 0), out + into, 0.0)[..., 0, :]
        return np.where(weight > 0, within * weight, 0.0).sum(-1) / weight.sum(-1)


def section(context: Context) -> Section:
    """The disparity of each group, and of each grouping as one number, within levels of the controls if any."""
    found: list[Measure] = []
    for groups in context.groupings:
        if any(metric.name == "selection_rate" for metric in groups.metrics):
            found += _measures(groups, context)
    return Section(measures=tuple(found))


def _measures(whole: Groups, context: Context) -> Iterator[Measure]:
    alone = Strata(whole, whole, 1)
    parted = strata(context, whole) if context.axes.controls else alone
    if parted is None:  # so many strata that they are left out, as the adjusted gaps say
        return
    yield _mean(parted.large(whole.rows.sum((1, 2)), context.plan.minimum), context)
    if len(whole.attributes) == 1:
        yield from _each(ONE, alone, context)
        if context.axes.controls:
            yield from _each(NAME, parted, context)


def _mean(parted: Strata, context: Context) -> Measure:
    groups, cells = parted.whole, parted.cells
    level = context.plan.level(NAME, "value", groups.gap)
    common: dict[str, Any] = {"analysis": "fairness", "metric": NAME, "where": groups.gap, "level": level}
    common["n"] = int(cells.rows.sum())
    absent = [name for name, rows in zip(groups.labels, groups.sums.sum((1, 2)), strict=True) if not rows > 0]
    details = {"undefined": [*absent, *parted.few], "strata": parted.count}
    if len(groups) - len(absent) < 2:
        return undefined(Message("one_level", {"attribute": groups.name, "of": "rows"}), **common, details=details)

    def statistic(tables: Floats) -> Floats:
        return conditional_demographic_disparity(parted.tables(tables))

    if len(cells) > MANY:
        value, low, high, method = _linearised(parted, level)
    else:
        value, low, high, method = of_cells(statistic, cells, level, context.plan)
    if np.isnan(value):
        return undefined(Message("all_decided_alike"), **common, details=details)
    return Measure(value=value, low=low, high=high, method=method, details=details, **common)


def _linearised(parted: Strata, level: float) -> Estimate:
    """The mean with the interval that its slope in each cell gives: what resampling so many cells would take long for.

    With s = N_g/N the mean is f = Σ s (N_g⁻/N⁻ − N_g⁺/N⁺) in a stratum; a rejected row moves it by
    (N_g⁻/N⁻ − N_g⁺/N⁺ − f)/N + (s − Σ s N_g⁻/N⁻)/N⁻, an accepted one likewise with the sign turned.
    """
    tables = parted.tables(parted.cells.sums.astype(float))
    value = float(conditional_demographic_disparity(tables))
    both = [total(tables, cells) for cells in (REJECTED, SELECTED)]
    whole = [x.sum(0) for x in both]
    rows = whole[0] + whole[1]
    weight = np.where((whole[0] > 0) & (whole[1] > 0), rows, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, gap = (both[0] + both[1]) / rows, both[0] / whole[0] - both[1] / whole[1]
        mean = (share * gap).sum(0)
        common = (gap - mean) / rows + (mean - value) / rows
        slopes = [
            common + sign * (share - (share * x).sum(0) / n) / n
            for sign, x, n in zip((1, -1), both, whole, strict=True)
        ]
        slopes = [np.where(weight > 0, weight / weight.sum() * slope, 0.0).reshape(-1) for slope in slopes]
    units = parted.cells.units
    group, cell = units.cell // CELLS, units.cell % CELLS
    moved = units.amount * np.where(cell % 2 == 1, slopes[1][group], slopes[0][group])
    squares = np.bincount(units.unit, moved, len(units.multiplicity)) ** 2
    half = float(quantile(level) * np.sqrt((units.multiplicity * squares).sum()))
    return Estimate(value, value - half, value + half, "linearised")


def _each(name: str, parted: Strata, context: Context) -> Iterator[Measure]:
    """Each group's disparity, its variance that of two shares in every stratum."""
    groups = parted.whole
    tables = parted.tables(parted.cells.sums.astype(float))
    value = demographic_disparities(tables)
    error = _errors(parted, tables)
    for k, place in enumerate(groups.places):
        level = context.plan.level(name, "value", place)
        common: dict[str, Any] = {"analysis": "fairness", "metric": name, "where": place, "level": level}
        common["n"] = int(groups.rows[k].sum())
        if not groups.sums[k].sum() > 0:
            yield undefined(Message("empty_denominator", {"of": "rows"}), **common)
        elif common["n"] < context.plan.minimum:
            few = {"count": common["n"], "of": "rows", "minimum": context.plan.minimum}
            yield undefined(Message("below_minimum", few), **common)
        elif np.isnan(value[k]):
            yield undefined(Message("all_decided_alike"), **common)
        else:
            half = float(quantile(level) * error[k])
            ends = {"low": max(-1.0, value[k] - half), "high": min(1.0, value[k] + half)}
            yield Measure(value=float(value[k]), **ends, method="normal, adjusted variance", **common)


def _errors(parted: Strata, tables: Floats) -> Floats:
    """[groups] standard errors: √Σ w² (p(1−p)/n of the rejected + p(1−p)/n of the accepted), p as in [agresti2000]."""
    variance = np.zeros(tables.shape[:2])
    both = [total(tables, cells).sum(0) for cells in (REJECTED, SELECTED)]
    stratum = np.where((both[0] > 0) & (both[1] > 0), both[0] + both[1], 0.0)
    for cells, whole in zip((REJECTED, SELECTED), both, strict=True):
        n = _worth(parted, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = (total(tables, cells) / whole * n + 1) / (n + 2)
            variance += np.where(stratum > 0, p * (1 - p) / n, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = stratum / stratum.sum()
        return np.sqrt((share**2 * variance).sum(1))


def _worth(parted: Strata, cells: Any) -> Floats:
    """[strata] how many rows that stand for themselves the rows in these cells are worth: Kish's, or clusters."""
    groups = parted.cells
    if groups.clustered:
        inside = np.array([(truth, decision) in cells for truth in range(3) for decision in range(2)])
        group, cell = groups.units.cell // CELLS, groups.units.cell % CELLS
        kept = inside[cell]
        pairs = np.unique(np.stack([group[kept] % parted.count, groups.units.unit[kept]]), axis=1)
        return np.bincount(pairs[0], minlength=parted.count).astype(float)
    sums, squares = (total(parted.tables(x.astype(float)), cells).sum(0) for x in (groups.sums, groups.squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 0, sums**2 / squares, 0.0)
