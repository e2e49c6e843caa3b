"""How wide and how narrow a gap could be, whatever groups the rows of unknown group belong to. Loads no torch.

Nothing is assumed of the rows whose group is not known, so these are bounds and no confidence interval [manski2003].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, column, undefined
from ...messages import Message
from ...state import Counts as Table
from ..table.context import Context
from ..table.groups import CELLS, Groups, View
from ..table.metrics import Cells, Metric, total
from ..table.plan import Plan
from ..table.shares import parts, values


@dataclass(frozen=True, slots=True)
class Ends:
    """The furthest that each group's metric can go, and the closest that all of them can come.

    Attributes:
        low, high: [groups] with every possible unknown row against, or for, the group; NaN where it has no rows.
        near: (lowest, highest) metric of any group once the unknown rows are dealt out to bring groups together.
    """

    low: Floats
    high: Floats
    near: tuple[float, float]


def section(context: Context) -> Section:
    """Bounds on the difference and the ratio across every grouping that some rows cannot be placed in."""
    views = {tuple(view.where.items()): view for view in context.views}
    found: list[Measure] = []
    for groups in context.groupings:
        if groups.unknown.any():
            possible = candidates(groups, context.table, context.axes.people, views[tuple(groups.where.items())])
            found += measures(groups, possible, context.plan)
    return Section(measures=tuple(found))


def measures(groups: Groups, possible: Floats, plan: Plan) -> Iterator[Measure]:
    """`difference_bounds` and `ratio_bounds` of every metric that some known row has."""
    for metric in groups.metrics:
        if not all(total(groups.rows, bottom).any() for _, bottom, _ in metric.parts):
            continue  # no known row has it, as the gap itself says
        yield from _measures(groups, metric, _reach(groups, metric, possible, plan.minimum), plan)


def candidates(groups: Groups, table: Table, people: tuple[Attribute, ...], view: View) -> Floats:
    """[groups, 3, 2] weights of the rows that cannot be placed and might belong to each group.

    A row of which only the race is known may belong to any group of that race, and to no other.
    """
    axes = [people.index(attribute) for attribute in groups.attributes]
    every = table.codes()
    codes, cell = np.stack([every[axis] for axis in axes]), view.cell[every[-2], every[-1]]
    shape = tuple(table.shape[axis] for axis in axes)
    unknown = np.array(shape)[:, None] - 1
    own = _codes(groups)
    out = np.zeros((len(groups), CELLS))
    for pattern in product((False, True), repeat=len(axes)):
        hidden = np.array(pattern)[:, None]
        rows = ((codes == unknown) == hidden).all(0) if any(pattern) else np.zeros(len(table.keys), bool)
        if rows.any():
            asked, held = _flat(np.where(hidden, unknown, own), shape), _flat(codes[:, rows], shape)
            out += _looked_up(asked, held, cell[rows], table.sums[rows])
    return out.reshape(-1, 3, 2)


def reach(metric: Metric, sums: Floats, unknown: Floats, possible: Floats) -> Ends:
    """How far apart and how close the groups can be.

    The highest rate of a group is (x+u₁)/(m+u₁), with all u₁ rows that would count on top, the lowest x/(m+u₀), with
    all others; both may come true of two groups at once, so their gap is sharp. Of the mean of two shares only that
    groups may also be alike is known.

    Args:
        sums: [groups, 3, 2] weights of the rows in each group; unknown: [3, 2] of those that cannot be placed.
        possible: [groups, 3, 2] of those that might belong to each group.
    """
    shares = [_share_reach(top, bottom, sums, possible) for top, bottom, _ in metric.parts]
    low, high = (np.mean(ends, 0) for ends in zip(*shares, strict=True))
    if len(shares) > 1:
        return Ends(low, high, (1.0, 1.0))
    near = closest(total(sums, metric.top), total(sums, metric.bottom), *_added(metric.top, metric.bottom, unknown))
    least, most = metric.bent(np.array(near))
    return Ends(metric.bent(low), metric.bent(high), (float(least), float(most)))


def _reach(groups: Groups, metric: Metric, possible: Floats, minimum: int) -> Ends:
    """The same of the groups with enough rows; unknown rows may then belong to others, so these may be alike."""
    few = np.any([(n > 0) & (n < minimum) for n in (total(groups.rows, below) for _, below, _ in metric.parts)], axis=0)
    if not few.any():
        return reach(metric, groups.sums, groups.unknown, possible)
    sums, added = (np.where(few[:, None, None], 0.0, cells) for cells in (groups.sums, possible))
    return replace(reach(metric, sums, groups.unknown, added), near=(1.0, 1.0))


def closest(part: Floats, whole: Floats, tops: float, others: float) -> tuple[float, float]:
    """The lowest and the highest share once rows of unknown group are dealt out to bring all shares together.

    With `tops` more rows on top, the k lowest groups can be brought up to (X_k + tops) / (M_k + tops) and no further,
    where X_k and M_k are their sums; with `others` more below, the k highest down to X_k / (M_k + others). All are
    used, so the share of all rows lies between. A row may be split, so a table of few rows may not come quite as close.
    """
    kept = whole > 0
    order = np.argsort(part[kept] / whole[kept])
    x, m = part[kept][order], whole[kept][order]
    overall = (x.sum() + tops) / (m.sum() + tops + others)
    up = (np.cumsum(x) + tops) / (np.cumsum(m) + tops)
    down = np.cumsum(x[::-1]) / (np.cumsum(m[::-1]) + others)
    return min(overall, float(up.min())), max(overall, float(down.max()))


def _share_reach(top: Cells, bottom: Cells, sums: Floats, possible: Floats) -> tuple[Floats, Floats]:
    part, whole = total(sums, top), total(sums, bottom)
    tops, others = _added(top, bottom, possible)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = part / (whole + others), (part + tops) / (whole + tops)
    # a group without known rows may still be made of unknown ones, perhaps only of such as count on top, or below
    return np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)


def _added(top: Cells, bottom: Cells, rows: Floats) -> tuple[Any, Any]:
    """How many rows would count on top, and how many only below."""
    tops = total(rows, top)
    return tops, total(rows, bottom) - tops


def _flat(codes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """One number for each column of codes [attributes, n]."""
    return np.asarray(np.ravel_multi_index(tuple(codes), shape), np.int64)


def _looked_up(asked: NDArray[np.int64], held: NDArray[np.int64], cell: NDArray[np.int64], weights: Floats) -> Floats:
    """[groups, 6] the weights in each cell of those that hold the key asked for."""
    keys, place = np.unique(asked, return_inverse=True)
    where = np.minimum(np.searchsorted(keys, held), len(keys) - 1)
    mine = keys[where] == held
    sums = np.bincount(where[mine] * CELLS + cell[mine], weights[mine], minlength=len(keys) * CELLS)
    return sums.astype(float).reshape(-1, CELLS)[place]


def _codes(groups: Groups) -> NDArray[np.int64]:
    """[attributes, groups] the level of each group as a code."""
    out = []
    for attribute in groups.attributes:
        codes, key = {level: code for code, level in enumerate(attribute.levels)}, column(attribute.name)
        out.append([codes[place[key]] for place in groups.places])
    return np.array(out, np.int64)


def _measures(groups: Groups, metric: Metric, ends: Ends, plan: Plan) -> Iterator[Measure]:
    """The bounds on the difference and on the ratio of one metric."""
    found = parts(groups, metric, plan.minimum)
    value = values(metric, found)
    known = value[np.isfinite(value)]
    lost = sum(float(total(groups.unknown, bottom)) for _, bottom, _ in metric.parts)
    absent = [groups.labels[k] for k in np.flatnonzero(~np.isfinite(value))]
    common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "where": groups.gap, "method": "manski"}
    common |= {"n": sum(share.behind for share in found)}
    common |= {"details": {"interval": "bounds", "unknown": lost, "undefined": absent}}
    for statistic in ("difference_bounds", "ratio_bounds"):
        common["level"] = plan.level(metric.name, statistic, groups.gap)
        why = _missing(groups, metric, known, statistic)
        if why is not None:
            yield undefined(why, statistic=statistic, **common)
            continue
        size, low, high = _difference(known, ends) if statistic == "difference_bounds" else _ratio(known, ends)
        # rounding may put an end on the wrong side of the value by the last bit
        least, most = (float(end) if np.isfinite(end) else None for end in (min(low, size), max(high, size)))
        yield Measure(statistic=statistic, value=size, low=least, high=most, **common)


def _missing(groups: Groups, metric: Metric, known: Floats, statistic: str) -> Message | None:
    if len(known) < 2:
        return Message("one_level", {"attribute": groups.name, "of": metric.of})
    return Message("zero_over_zero") if statistic == "ratio_bounds" and not known.max() else None


def _difference(known: Floats, ends: Ends) -> tuple[float, float, float]:
    """The difference among the known rows, the least and the most it could be."""
    least, most = ends.near
    return float(known.max() - known.min()), most - least if np.isfinite(most) else 0.0, _widest(ends)


def _ratio(known: Floats, ends: Ends) -> tuple[float, float, float]:
    """The ratio among the known rows, the least and the most it could be."""
    least, most = ends.near
    return float(known.min() / known.max()), _smallest(ends), least / most if most and np.isfinite(most) else 1.0


def _widest(ends: Ends) -> float:
    """The largest highest − lowest of two groups."""
    return max(ends.high[a] - ends.low[b] for a, b in _extremes(ends))


def _smallest(ends: Ends) -> float:
    """The smallest lowest / highest of two groups; 0 where the lowest may be."""
    return min(ends.low[b] / ends.high[a] if ends.high[a] > 0 else 1.0 for a, b in _extremes(ends))


def _extremes(ends: Ends) -> list[tuple[int, int]]:
    """The pairs (highest, lowest) of two groups one of which is the furthest apart."""
    kept = np.flatnonzero(np.isfinite(ends.low))
    tops = kept[np.argsort(-ends.high[kept], kind="stable")][:2]
    feet = kept[np.argsort(ends.low[kept], kind="stable")][:2]
    return [(int(a), int(b)) for a in tops for b in feet if a != b]
