"""Fairness of tasks whose output is a number: rows are kept one by one, for there are no counts. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ....models.subject import Subject
from ....models.task import Ranking, Regression
from ...analysis import Section, joined
from ...findings import Finding
from ...messages import Message
from ...state import Columns
from ..largest import largest_gaps
from ..table.headlines import MANY, not_listed
from ..table.plan import Plan
from . import ranking, regression
from .members import groupings

HEADLINES = ("mean_error", "mean_prediction", "exposure")  # without labels a regression has no errors


def conclude(subject: Subject, rows: Columns, plan: Plan) -> Section:
    """Everything that is measured of a regression's or a ranking's groups, and what it cannot claim.

    Args:
        rows: score [n], truth [n] (NaN = no label), groups [n, attributes] and, where there are any, weight, cluster,
            query.
    """
    match subject.task:
        case Regression(unit=unit):
            found = regression.section(subject.people, rows, plan, unit)
        case Ranking(top=top):
            found = ranking.section(subject.people, rows, plan, plan.top or top)
        case _:
            raise TypeError(f"{type(subject.task).__name__} is no task of numbers")
    found = replace(found, findings=(*found.findings, *_largest(found)))
    said = (*_limitations(subject, rows, plan), *_not_listed(subject, rows, plan, found))
    return joined([found, Section(limitations=said)])


def _not_listed(subject: Subject, rows: Columns, plan: Plan, found: Section) -> Iterator[Message]:
    """That of combinations which make very many groups not every number of each is listed."""
    numbers, columns = rows.sorted()
    if plan.complete or not len(numbers) or prod(len(attribute.levels) for attribute in subject.people) <= MANY:
        return
    for groups in groupings(subject.people, columns["groups"], plan.depth):
        if len(groups) > MANY:
            keys = groups.places[0].keys()
            told = dict.fromkeys(m.metric for m in found.measures if m.statistic == "value" and m.where.keys() == keys)
            yield not_listed(groups.name, len(groups), list(told))


def _largest(found: Section) -> Iterator[Finding]:
    """The gap of each attribute in the first headline that was measured."""
    told = {m.metric for m in found.measures if m.statistic == "difference" and m.value is not None}
    return largest_gaps(found.measures, next((name for name in HEADLINES if name in told), ""))


def _limitations(subject: Subject, rows: Columns, plan: Plan) -> Iterator[Message]:
    if not subject.people:
        yield Message("no_people")
    numbers, columns = rows.sorted()
    total = len(numbers)
    if total:
        for axis, attribute in enumerate(subject.people):
            yield from _of_attribute(attribute, columns["groups"][:, axis], total)
        unlabelled = int(np.isnan(columns["truth"]).sum())
        if unlabelled:
            yield Message("unknown_label", {"count": unlabelled, "n": total})
    if len(subject.people) > plan.depth:
        yield Message("intersections_left_out", {"depth": plan.depth})
    kind = type(subject.task).__name__.lower()
    if subject.controls:
        names = ", ".join(attribute.name for attribute in subject.controls)
        yield Message("not_held_fixed", {"controls": names, "task": kind})
    if "weight" in columns and isinstance(subject.task, Ranking):
        yield Message("weights_left_out", {"task": kind})


def _of_attribute(attribute: Attribute, codes: NDArray[np.int64], total: int) -> Iterator[Message]:
    unknown = int((codes < 0).sum())
    if unknown:
        yield Message("unknown_group", {"count": unknown, "n": total, "attribute": attribute.name})
    for code, level in enumerate(attribute.levels):
        if not (codes == code).any():
            yield Message("empty_level", {"attribute": attribute.name, "level": level})
