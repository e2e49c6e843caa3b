"""Group fairness: metrics of each level, each combination of attributes, everyone; and their gaps. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...models.batch import UNKNOWN, Batch
from ...models.subject import Subject
from ...models.task import Binary, Number, Scores
from ..analysis import HERE, Runtime, Section, joined
from ..criteria import Levels
from ..messages import Message
from ..record import Exhibit
from ..state import Columns, Counts
from .conclusion import conclude
from .largest import largest_gaps
from .numeric import conclusion as numeric
from .table.context import Axes, Context
from .table.plan import Plan, Settings

HEADLINE, HEADLINE_OF_CLASSES = "selection_rate", "accuracy"

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the rows seen: how many of each kind, and where there are scores the rows themselves."""

    counts: Counts
    rows: Columns = field(default_factory=Columns)

    def merge(self, other: Seen, /) -> Seen:
        return Seen(self.counts.merge(other.counts), self.rows.merge(other.rows))


@dataclass(frozen=True, slots=True)
class Fairness(Settings):
    """Rates by group [hardt2016] with Wilson intervals; differences and ratios across groups.

    Everything is read off one table of counts: groups × truth × decision. Rows whose group is unknown are counted under
    everyone and in the record's limitations, never dropped. Its attributes are those of `Settings`.
    """

    name: str = "fairness"

    def zero(self, subject: Subject, /) -> Seen:
        return Seen(Counts.zero(_axes(subject).sizes))

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Seen:
        held = batch.groups[:, :0] if batch.controls is None else batch.controls
        time = () if batch.windows is None else (batch.windows,)
        codes = [*batch.groups.T, *held.T, *time, *_classes(subject, batch, scores)]
        counts = Counts.of(codes, _axes(subject).sizes, batch.weights, batch.clusters)
        return Seen(counts, _rows(subject, batch, scores))

    def plan(self, levels: Levels) -> Plan:
        """The settings with the levels of an audit."""
        return Plan(**self.own, levels=levels)

    def conclude(self, subject: Subject, state: Seen, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        plan = self.plan(levels)
        if isinstance(subject.task, Number):
            return numeric.conclude(subject, state.rows, plan)
        found = conclude(Context(_axes(subject), state.counts, plan, state.rows))
        own = Section(
            exhibits=(_counts_exhibit(subject, state.counts),),
            limitations=tuple(_limitations(subject, state.counts, self.depth)),
        )
        headline = HEADLINE if isinstance(subject.task, Binary) else HEADLINE_OF_CLASSES
        largest = tuple(largest_gaps(found.measures, headline))
        return joined([replace(found, findings=(*found.findings, *largest)), own])


def _axes(subject: Subject) -> Axes:
    classes = () if isinstance(subject.task, Number) else subject.task.classes
    return Axes(subject.people, classes, subject.controls, subject.window)


def _classes(subject: Subject, batch: Batch, scores: Scores) -> tuple[Codes, Codes]:
    """Truth and decision of each row as codes of the classes; where there are none, rows are counted by group alone."""
    nothing = np.full(len(batch), UNKNOWN)
    if isinstance(subject.task, Number) or scores.decisions is None:
        return nothing, nothing
    return nothing if batch.targets is None else batch.targets.astype(np.int64), scores.decisions


def _rows(subject: Subject, batch: Batch, scores: Scores) -> Columns:
    """What the single rows tell beyond their counts, where they have one number each: a score, or a value predicted."""
    if scores.values is None or not isinstance(subject.task, Binary | Number):
        return Columns()
    blank = np.full(len(batch), np.nan if isinstance(subject.task, Number) else UNKNOWN)
    truth = blank if batch.targets is None else batch.targets
    columns = {"score": scores.values, "truth": truth, "groups": batch.groups}
    more = {"decision": scores.decisions, "weight": batch.weights, "cluster": batch.clusters, "query": batch.queries}
    return Columns.of(batch.rows, **columns, **{name: column for name, column in more.items() if column is not None})


def _limitations(subject: Subject, state: Counts, depth: int) -> Iterator[Message]:
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
    if len(subject.people) > depth:
        yield Message("intersections_left_out", {"depth": depth})


def _counts_exhibit(subject: Subject, state: Counts) -> Exhibit:
    axes = _axes(subject)
    window = () if axes.window is None else (axes.window,)
    described = [
        [{"name": a.name, "levels": list(a.levels)} for a in some] for some in (axes.people, axes.controls, window)
    ]
    data = {
        "attributes": described[0],
        "controls": described[1],
        "window": described[2],
        "classes": list(axes.classes),
        "cells": state.cells(),
    }
    return Exhibit("fairness", "counts", data)
