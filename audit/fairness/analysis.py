"""Group fairness: rates of each level, each pair of attributes, everyone; and their gaps. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...models.batch import UNKNOWN, Batch
from ...models.subject import Subject
from ...models.task import Regression, Scores
from ..analysis import HERE, Runtime, Section
from ..criteria import Levels
from ..findings import Finding
from ..measure import Measure
from ..messages import Message
from ..record import Exhibit
from ..state import Counts
from . import rates

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
        classes = subject.task.classes
        measures = tuple(rates.measures(subject.people, classes, state, levels, intersections=self.intersections))
        return Section(
            measures=measures,
            exhibits=(_counts_exhibit(subject, state),),
            findings=tuple(_largest_gaps(measures)),
            limitations=tuple(_limitations(subject, state)),
        )


def _levels(subject: Subject) -> list[int]:
    if isinstance(subject.task, Regression):
        return []
    classes = len(subject.task.classes)
    # decisions are never unknown, but every axis has a place for what is
    return [*(len(a.levels) for a in subject.people), classes, classes]


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
