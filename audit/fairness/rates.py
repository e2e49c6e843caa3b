"""Every rate of every group, and every gap between groups, as measures read off one table of counts. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from ...models.spec import Attribute
from ..criteria import Levels
from ..intervals import wilson
from ..measure import UNKNOWN_LEVEL, Measure, Where, column, undefined
from ..messages import Message
from ..state import Counts
from . import gaps
from .metrics import RATES, Rate, one_against_rest, right_or_wrong

Table = NDArray[np.int64]  # [..., 3, 2]: truth × decision, as in metrics


def measures(
    people: tuple[Attribute, ...],
    classes: tuple[str, ...],
    counts: Counts,
    levels: Levels,
    *,
    intersections: bool = True,
) -> Iterator[Measure]:
    """Rates of everyone, of each level, of rows whose level is not known, of each pair of attributes; and the gaps.

    Args:
        people: the attributes, the first axes of the counts.
        classes: the last two axes: what is true, what was decided. Of two, the second is the positive one.
        intersections: whether each pair of attributes is tabulated.
    """
    for view in _views(classes):
        yield from view.rates_of(view.table(counts), {}, levels)
        for axis, attribute in enumerate(people):
            table = view.table(counts, axis)
            yield from _of_levels(view, attribute, table, levels)
            yield from view.gaps_of(attribute, table[:-1], levels)
        if intersections:
            yield from _intersections(people, counts, view, levels)


@dataclass(frozen=True, slots=True)
class _View:
    """One way to read the table as truth × decision.

    Attributes:
        fold: [..., classes + 1, classes] counts to [..., 3, 2].
        where: what this view adds to the place of each of its measures.
    """

    fold: Callable[[Table], Table]
    rates: tuple[Rate, ...] = RATES
    where: Where = field(default_factory=dict)

    def table(self, state: Counts, *axes: int) -> Table:
        """[levels + 1, …, 3, 2] over some attributes."""
        truth, decision = len(state.shape) - 2, len(state.shape) - 1
        return self.fold(state.marginal(*axes, truth, decision)[..., :-1])

    def rates_of(self, cells: Table, where: Where, levels: Levels) -> Iterator[Measure]:
        for rate in self.rates:
            part, whole = (int(x) for x in rate.counts(cells))
            yield _rate(rate, part, whole, {**where, **self.where}, levels)

    def gaps_of(self, attribute: Attribute, table: Table, levels: Levels) -> Iterator[Measure]:
        for rate, statistic in product(self.rates, ("difference", "ratio")):
            part, whole = rate.counts(table)
            yield _gap(rate, statistic, attribute, part, whole, {"attribute": attribute.name, **self.where}, levels)


def _views(classes: tuple[str, ...]) -> list[_View]:
    """A binary task has one view; of several classes each is held against the rest, beside accuracy over all."""
    if len(classes) == 2:
        return [_View(partial(one_against_rest, positive=1))]
    accuracy = tuple(rate for rate in RATES if rate.name == "accuracy")
    each = enumerate(classes)
    return [
        _View(right_or_wrong, accuracy),
        *(_View(partial(one_against_rest, positive=place), where={"class": name}) for place, name in each),
    ]


def _of_levels(view: _View, attribute: Attribute, table: Table, levels: Levels) -> Iterator[Measure]:
    name = column(attribute.name)
    for level, cells in zip(attribute.levels, table, strict=False):
        yield from view.rates_of(cells, {name: level}, levels)
    # shown where there are any, but no part of a gap: what is not known is not a group
    if table[-1].any() and UNKNOWN_LEVEL not in attribute.levels:
        yield from view.rates_of(table[-1], {name: UNKNOWN_LEVEL}, levels)


def _rate(rate: Rate, part: int, whole: int, where: Where, levels: Levels) -> Measure:
    level = levels.of("fairness", rate.name, "value", where)
    if not whole:
        why = Message("empty_denominator", {"of": rate.of})
        return undefined(
            why,
            analysis="fairness",
            metric=rate.name,
            where=where,
            n=0,
            level=level,
            method="wilson",
            numerator=part,
            denominator=whole,
        )
    low, high = wilson(part, whole, level)
    return Measure(
        analysis="fairness",
        metric=rate.name,
        where=where,
        value=part / whole,
        low=float(low),
        high=float(high),
        level=level,
        method="wilson",
        n=whole,
        numerator=part,
        denominator=whole,
    )


def _gap(
    rate: Rate,
    statistic: str,
    attribute: Attribute,
    part: NDArray[np.int64],
    whole: NDArray[np.int64],
    where: Where,
    levels: Levels,
) -> Measure:
    level = levels.of("fairness", rate.name, statistic, where)
    missing = [name for name, n in zip(attribute.levels, whole, strict=True) if not n]
    common = {"analysis": "fairness", "metric": rate.name, "statistic": statistic, "where": where, "level": level}
    n = int(whole.sum())
    if len(attribute.levels) - len(missing) < 2:
        why = Message("one_level", {"attribute": attribute.name, "of": rate.of})
        return undefined(why, n=n, details={"undefined": missing}, **common)
    gap = (gaps.difference if statistic == "difference" else gaps.ratio)(part, whole, level)
    if gap is None:
        return undefined(Message("zero_over_zero"), n=n, details={"undefined": missing}, **common)
    details = {
        "pair": [attribute.levels[gap.lowest], attribute.levels[gap.highest]],
        "pair_n": [int(whole[gap.lowest]), int(whole[gap.highest])],
        "levels": gap.levels,
        "pairs": gap.pairs,
        "undefined": missing,
    }
    return Measure(value=gap.value, low=gap.low, high=gap.high, method=gap.method, n=n, details=details, **common)


def _intersections(people: tuple[Attribute, ...], counts: Counts, view: _View, levels: Levels) -> Iterator[Measure]:
    for (i, a), (j, b) in combinations(enumerate(people), 2):
        table = view.table(counts, i, j)
        for (k, first), (m, second) in product(enumerate(a.levels), enumerate(b.levels)):
            yield from view.rates_of(table[k, m], {column(a.name): first, column(b.name): second}, levels)
