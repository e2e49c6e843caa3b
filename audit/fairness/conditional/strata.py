"""The rows of groups parted by the levels of controls: what is alike in them is held fixed. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...measure import column
from ..table.context import Context
from ..table.groups import CELLS, DENSE, SEPARATOR, Groups, Stratum, View, group
from ..table.metrics import Metric
from ..table.shares import shares


@dataclass(frozen=True, slots=True)
class Strata:
    """Groups within every combination of levels of the controls.

    Attributes:
        whole: the same groups over all strata.
        cells: a group for each (group, stratum), the stratum varying fastest.
        count: how many strata there may be.
        few: the names of groups that were left out, as they have fewer rows than the least number asked for.
    """

    whole: Groups
    cells: Groups
    count: int
    few: tuple[str, ...] = ()

    def shares(self, metric: Metric) -> tuple[Floats, Floats]:
        """Successes and rows of a share, each [strata, groups]; weighted or clustered rows as effective ones."""
        found = shares(self.cells, metric.top, metric.bottom)
        shape = len(self.whole), self.count
        return found.successes.reshape(shape).T, found.effective.reshape(shape).T

    def large(self, rows: NDArray[np.int64], minimum: int) -> Strata:
        """Without the groups that have some rows, but fewer than the minimum: as if these rows had no known group.

        Args:
            rows: [groups] over all strata, below the rate that is compared.
            minimum: the least number of them; 0 for none.
        """
        few = (rows > 0) & (rows < minimum)
        if not few.any():
            return self
        kept = np.flatnonzero(~few)
        cells = (kept[:, None] * self.count + np.arange(self.count)).ravel()
        names = tuple(self.whole.labels[k] for k in np.flatnonzero(few).tolist())
        return Strata(only(self.whole, kept.tolist()), only(self.cells, cells.tolist()), self.count, names)

    def tables(self, cells: Floats) -> Floats:
        """Tables [..., groups × strata, 3, 2] as [..., groups, strata, 3, 2]."""
        return cells.reshape(*cells.shape[:-3], len(self.whole), self.count, 3, 2)


def only(groups: Groups, places: Sequence[int]) -> Groups:
    """Some of the groups, in that order."""
    cell, rows, weight, cluster = groups.entries
    where = np.full(len(groups), -1)
    where[list(places)] = np.arange(len(places))
    group = where[cell // CELLS]
    kept = group >= 0
    entries = (
        (group * CELLS + cell % CELLS)[kept],
        rows[kept],
        None if weight is None else weight[kept],
        None if cluster is None else cluster[kept],
    )
    index = np.array(places, np.int64)
    return replace(
        groups,
        labels=tuple(groups.labels[k] for k in places),
        places=tuple(groups.places[k] for k in places),
        rows=groups.rows[index],
        sums=groups.sums[index],
        squares=groups.squares[index],
        entries=entries,
    )


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
