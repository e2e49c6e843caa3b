"""The rows of groups parted by the levels of controls: what is alike in them is held fixed. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ...intervals import Floats
from ...measure import column
from ..table.context import Context
from ..table.groups import DENSE, SEPARATOR, Groups, Stratum, View, group
from ..table.metrics import Metric
from ..table.shares import shares


@dataclass(frozen=True, slots=True)
class Strata:
    """Groups within every combination of levels of the controls.

    Attributes:
        whole: the same groups over all strata.
        cells: a group for each (group, stratum), the stratum varying fastest.
        count: how many strata there may be.
    """

    whole: Groups
    cells: Groups
    count: int

    def shares(self, metric: Metric) -> tuple[Floats, Floats]:
        """Successes and rows of a share, each [strata, groups]; weighted or clustered rows as effective ones."""
        found = shares(self.cells, metric.top, metric.bottom)
        shape = len(self.whole), self.count
        return found.successes.reshape(shape).T, found.effective.reshape(shape).T

    def tables(self, cells: Floats) -> Floats:
        """Tables [..., groups × strata, 3, 2] as [..., groups, strata, 3, 2]."""
        return cells.reshape(*cells.shape[:-3], len(self.whole), self.count, 3, 2)


def controls(context: Context) -> str:
    """The controls by name: "department × year"."""
    return SEPARATOR.join(attribute.name for attribute in context.axes.controls)


def view_of(context: Context, groups: Groups) -> View:
    """The view that one of the context's groupings was read in."""
    return next(view for view in context.views if view.where == groups.where)


def strata(context: Context, whole: Groups) -> Strata | None:
    """One of the context's groupings parted by all controls together; None where there would be too many groups."""
    held, people = context.axes.controls, context.axes.people
    axes = [people.index(attribute) for attribute in whole.attributes]
    view = view_of(context, whole)
    count = prod(len(attribute.levels) for attribute in held)
    every = (*axes, *(context.axes.control(place) for place in range(len(held))))
    if count * prod(len(attribute.levels) for attribute in whole.attributes) > DENSE:
        return None
    return Strata(whole, group(context.table, (*people, *held), every, view), count)


def levels(context: Context) -> Iterator[Stratum]:
    """Every level of every control."""
    for place, attribute in enumerate(context.axes.controls):
        for code, level in enumerate(attribute.levels):
            yield Stratum(context.axes.control(place), code, {column(attribute.name): level})
