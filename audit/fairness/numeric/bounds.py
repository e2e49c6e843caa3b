"""How wide and how narrow a gap of numbers could be, whatever groups the rows of unknown group are of. Loads no torch.

The numbers of those rows are known and only their group is not, so nothing is assumed of them: each may belong to any
group that what is known of it allows. These are bounds and no confidence interval [manski2003].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.plan import Plan
from .members import Members
from .quantities import Quantity

Codes = NDArray[np.int64]
Ends = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a group's number is the weighted mean of.

    Attributes:
        codes: [n, attributes] levels, −1 = not known; member: [n] the group, −1 = not known.
        value: [n]; weight: [n].
        root: whether the number is the root of the mean.
    """

    codes: Codes
    member: Codes
    value: Floats
    weight: Floats
    root: bool = False


def measures(quantity: Quantity, members: Members, rows: Amounts | None, plan: Plan) -> Iterator[Measure]:
    """`difference_bounds`, and `ratio_bounds` of what is above 0, across groups that some rows cannot be placed in.

    Args:
        rows: None where the number is no mean, for which there are no such bounds.
    """
    for statistic in ("difference_bounds", "ratio_bounds") if quantity.positive else ("difference_bounds",):
        unit = quantity.unit if statistic == "difference_bounds" else "1"
        common: dict[str, Any] = {"analysis": "fairness", "metric": quantity.name, "statistic": statistic}
        common |= {"where": members.gap, "unit": unit, "method": "manski"}
        common |= {"level": plan.level(quantity.name, statistic, members.gap)}
        if rows is None:
            n, lost = int((members.code >= 0).sum()), int((members.code < 0).sum())
            details = {"interval": "bounds", "unknown": lost}
            yield undefined(Message("no_mean", {"count": lost}), n=n, details=details, **common)
        else:
            yield _measure(quantity, members, rows, plan, common)


def _measure(quantity: Quantity, members: Members, rows: Amounts, plan: Plan, common: dict[str, Any]) -> Measure:
    n = np.bincount(rows.member[rows.member >= 0], minlength=len(members))
    few = (n > 0) & (n < plan.minimum)
    value, low, high = reach(members, rows)
    kept = np.isfinite(value) & ~few
    possible = np.isfinite(low) & ~few
    details = {
        "interval": "bounds",
        "unknown": int((rows.member < 0).sum()),
        "undefined": [members.labels[k] for k in np.flatnonzero(~kept)],
    }
    common = common | {"n": int(n[kept].sum()), "details": details}
    if kept.sum() < 2:
        return undefined(Message("one_level", {"attribute": members.name, "of": quantity.of}), **common)
    # a group without a known row may turn out to have none, so nothing must lie as far off as it might
    ends = _difference if common["statistic"] == "difference_bounds" else _ratio
    size, least, most = ends(value[kept], (low[kept], high[kept]), (low[possible], high[possible]))
    if not np.isfinite(size):
        return undefined(Message("zero_over_zero"), **common)
    # rounding may put an end on the wrong side of the value by the last bit
    return Measure(value=size, low=min(least, size), high=max(most, size), **common)


def reach(members: Members, rows: Amounts) -> tuple[Floats, Floats, Floats]:
    """[groups] each group's number of known rows, and the lowest and highest with some rows of unknown group added.

    The highest mean is had by adding the largest values as long as each lies above the mean so far. Two groups can
    reach opposite ends at once, for no row is wanted by both, so the widest gap is sharp as long as a third group may
    take the rows that neither wants; else it may be a little wider than any table shows. NaN without any row.
    """
    known = rows.member >= 0
    code, value, weight = rows.member[known], rows.value[known], rows.weight[known]
    whole = np.bincount(code, weight, minlength=len(members)).astype(np.float64)
    part = np.bincount(code, weight * value, minlength=len(members)).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = part / whole
    high = _highest(members, rows.codes[~known], rows.value[~known], rows.weight[~known], part, whole)
    low = -_highest(members, rows.codes[~known], -rows.value[~known], rows.weight[~known], -part, whole)
    found = np.stack([mean, low, high])
    mean, low, high = np.sqrt(np.maximum(found, 0)) if rows.root else found
    return mean, low, high


def _highest(members: Members, codes: Codes, value: Floats, weight: Floats, part: Floats, whole: Floats) -> Floats:
    """[groups] the highest mean, by halving: a rank is added as long as it lies above the mean of all higher ones."""
    values, rank = np.unique(value, return_inverse=True)
    piles = list(_piles(members, codes, rank, value, weight, len(values)))

    def mean(least: Codes) -> Floats:
        """[groups] with the possible rows of at least a rank, which each group has of its own."""
        added = [pile.above(least) for pile in piles]
        top, below = part + sum(a for a, _ in added), whole + sum(b for _, b in added)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(below > 0, top / below, -np.inf)

    # the lowest rank that lies above the mean of all higher ones; `len(values)` where none does
    first, last = np.zeros(len(members), np.int64), np.full(len(members), len(values))
    while (first < last).any():
        middle = (first + last) // 2
        adds = values[np.minimum(middle, len(values) - 1)] > mean(middle + 1)
        first, last = np.where(adds | (first >= last), first, middle + 1), np.where(adds, middle, last)
    found = mean(first)
    return np.where(np.isfinite(found), found, np.nan)


@dataclass(frozen=True, slots=True)
class Pile:
    """Rows of which the same attributes are known, in order of what is known and then of rank.

    Attributes:
        key: [n] what is known × ranks + rank; part, whole: [n + 1] sums of weight × value, and of weight, before each.
        own: [groups] the key at which a group's rows begin; ranks: how many there are.
    """

    key: Codes
    part: Floats
    whole: Floats
    own: Codes
    ranks: int

    def above(self, least: Codes) -> tuple[Floats, Floats]:
        """[groups] the sums over the rows that may be of the group, of at least its rank."""
        start = np.searchsorted(self.key, self.own + np.minimum(least, self.ranks))
        end = np.searchsorted(self.key, self.own + self.ranks)
        return self.part[end] - self.part[start], self.whole[end] - self.whole[start]


def _piles(
    members: Members, codes: Codes, rank: NDArray[np.intp], value: Floats, weight: Floats, ranks: int
) -> Iterator[Pile]:
    """The rows parted by which attributes are not known: a row of known race may be of any group of that race."""
    base = members.levels.max(0, initial=0) + 1
    for pattern in product((False, True), repeat=codes.shape[1]):
        hidden = np.array(pattern)
        mine = ((codes < 0) == hidden).all(1)
        if not mine.any():
            continue
        shape = tuple(np.where(hidden, 1, np.maximum(base, codes.max(0) + 1)).tolist())
        flat = np.asarray(np.ravel_multi_index(tuple(np.where(hidden, 0, codes[mine]).T), shape), np.int64)
        own = np.asarray(np.ravel_multi_index(tuple(np.where(hidden, 0, members.levels).T), shape), np.int64)
        key = flat * ranks + rank[mine]
        order = np.argsort(key, kind="stable")
        part, whole = (np.append(0.0, np.cumsum(each[mine][order])) for each in (weight * value, weight))
        yield Pile(key[order], part, whole, own * ranks, ranks)


def _difference(value: Floats, known: Ends, possible: Ends) -> tuple[float, float, float]:
    """The difference among known rows, the least and the most it could be.

    The least allows each group every row that brings it nearer, also where two groups want the same one.
    """
    low, high = known
    least = max(low[a] - high[b] for a, b in _pairs(-low, high))
    low, high = possible
    most = max(high[a] - low[b] for a, b in _pairs(-high, low))
    return float(np.ptp(value)), max(0.0, float(least)), float(most)


def _ratio(value: Floats, known: Ends, possible: Ends) -> tuple[float, float, float]:
    """The ratio of lowest to highest among known rows, the least and the most it could be; NaN where all are 0."""
    if not value.max() > 0:
        return np.nan, np.nan, np.nan
    low, high = possible
    least = min(low[b] / high[a] if high[a] > 0 else 1.0 for a, b in _pairs(-high, low))
    low, high = known
    most = min(high[b] / low[a] if low[a] > 0 else 1.0 for a, b in _pairs(-low, high))
    return float(value.min() / value.max()), float(least), min(1.0, float(most))


def _pairs(first: Floats, second: Floats) -> list[tuple[int, int]]:
    """The pairs of two groups that have the smallest first and second numbers."""
    a, b = (np.argsort(each, kind="stable")[:2].tolist() for each in (first, second))
    return [(i, j) for i in a for j in b if i != j]
