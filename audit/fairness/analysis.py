"""Group fairness: rates of each level, each pair of attributes, everyone; and their gaps. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from ...models.batch import UNKNOWN, Batch
from ...models.spec import Attribute
from ...models.subject import Subject
from ...models.task import Binary, Regression, Scores
from ..analysis import HERE, Runtime, Section
from ..criteria import Levels
from ..findings import Finding
from ..intervals import wilson
from ..measure import Measure, Where, column, undefined
from ..messages import Message
from ..record import Exhibit
from ..state import Counts
from . import gaps
from .metrics import RATES, Rate, one_against_rest, right_or_wrong

Table = NDArray[np.int64]  # [..., 3, 2]: truth × decision, as in metrics
HEADLINE = "selection_rate"


@dataclass(frozen=True, slots=True)
class Fairness:
    """Rates by group [hardt2016] with Wilson intervals; differences and ratios across groups.

    Everything is read off one table of counts: groups × truth × decision. Rows whose group is unknown are counted under
    everyone and in the record's limitations, never dropped.

    Attributes:
        intersections: whether each pair of attributes is tabulated too.
    """

    intersections: bool = True
    name: str = "fairness"

    def zero(self, subject: Subject, /) -> Counts:
        return Counts.zero(_levels(subject))

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Counts:
        if scores.decisions is None:
            return self.zero(subject)
        truth = np.full(len(batch), UNKNOWN) if batch.targets is None else batch.targets.astype(np.int64)
        return Counts.of([*batch.groups.T, truth, scores.decisions], _levels(subject))

    def conclude(self, subject: Subject, state: Counts, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        if isinstance(subject.task, Regression):
            return Section(limitations=(Message("not_for_task", {"analysis": self.name, "task": "regression"}),))
        measures = tuple(self._measures(subject, state, levels))
        return Section(
            measures=measures,
            exhibits=(_counts_exhibit(subject, state),),
            findings=tuple(_largest_gaps(measures)),
            limitations=tuple(_limitations(subject, state)),
        )

    def _measures(self, subject: Subject, state: Counts, levels: Levels) -> Iterator[Measure]:
        for view in _views(subject):
            yield from view.rates_of(view.table(state), {}, levels)
            for axis, attribute in enumerate(subject.people):
                table = view.table(state, axis)[: len(attribute.levels)]
                for level, cells in zip(attribute.levels, table, strict=True):
                    yield from view.rates_of(cells, {column(attribute.name): level}, levels)
                yield from view.gaps_of(attribute, table, levels)
            if self.intersections:
                yield from _intersections(subject, state, view, levels)


def _levels(subject: Subject) -> list[int]:
    if isinstance(subject.task, Regression):
        return []
    classes = len(subject.task.classes)
    # decisions are never unknown, but every axis has a place for what is
    return [*(len(a.levels) for a in subject.people), classes, classes]


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


def _views(subject: Subject) -> list[_View]:
    """A binary task has one view; of several classes each is held against the rest, beside accuracy over all."""
    assert not isinstance(subject.task, Regression)
    if isinstance(subject.task, Binary):
        return [_View(partial(one_against_rest, positive=1))]
    accuracy = tuple(rate for rate in RATES if rate.name == "accuracy")
    return [
        _View(right_or_wrong, accuracy),
        *(
            _View(partial(one_against_rest, positive=place), where={"class": name})
            for place, name in enumerate(subject.task.classes)
        ),
    ]


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


def _intersections(subject: Subject, state: Counts, view: _View, levels: Levels) -> Iterator[Measure]:
    for (i, a), (j, b) in combinations(enumerate(subject.people), 2):
        table = view.table(state, i, j)
        for (k, first), (m, second) in product(enumerate(a.levels), enumerate(b.levels)):
            yield from view.rates_of(table[k, m], {column(a.name): first, column(b.name): second}, levels)


def _limitations(subject: Subject, state: Counts) -> Iterator[Message]:
    total = int(state.counts.sum())
    if not subject.people:
        yield Message("no_people")
    for axis, attribute in enumerate(subject.people):
        by_level = state.marginal(axis)
        if by_level[-1]:
            yield Message("unknown_group", {"count": int(by_level[-1]), "n": total, "attribute": attribute.name})
        for level, n in zip(attribute.levels, by_level[:-1], strict=True):
            if not n:
                yield Message("empty_level", {"attribute": attribute.name, "level": level})
    unlabelled = int(state.marginal(len(state.shape) - 2)[-1])
    if unlabelled:
        yield Message("unknown_label", {"count": unlabelled, "n": total})
    if len(subject.people) > 2:
        yield Message("intersections_left_out")


def _counts_exhibit(subject: Subject, state: Counts) -> Exhibit:
    assert not isinstance(subject.task, Regression)
    people = [{"name": a.name, "levels": list(a.levels)} for a in subject.people]
    data = {"attributes": people, "classes": list(subject.task.classes), "cells": state.cells()}
    return Exhibit("fairness", "counts", data)


def _largest_gaps(measures: tuple[Measure, ...]) -> Iterator[Finding]:
    """The gap in selection of each attribute, as an unjudged finding: what a reader wants to know first."""
    for place, m in enumerate(measures):
        if (m.metric, m.statistic) != (HEADLINE, "difference") or m.value is None or "class" in m.where:
            continue
        parameters = {
            "attribute": m.where["attribute"],
            "metric": m.metric,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "level": m.level,
            "pair": m.details["pair"],
            "n": m.n,
            "pair_n": m.details["pair_n"],
        }
        name = f"fairness.largest_gap[attribute={m.where['attribute']}]"
        yield Finding(name, "largest_gap", parameters, severity="medium", evidence=(place,))
