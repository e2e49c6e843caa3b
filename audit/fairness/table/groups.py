"""The groups that attributes part rows into, each with its table of truth × decision. Loads no torch."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...measure import Where, column
from ...state import Counts as Table
from .metrics import METRICS, Metric

SEPARATOR = " × "  # between the attributes, or levels, that a group combines
CELLS = 6  # truth (negative, positive, no label) × decision (negative, positive)


@dataclass(frozen=True, slots=True)
class View:
    """One way to read a table of classes as truth × decision.

    Attributes:
        cell: [classes + 1, classes] int64, for each truth (the last = no label) and decision its place 0 … 5 in [3, 2].
        metrics: what this view tells.
        where: what it adds to the place of each of its measures.
    """

    cell: NDArray[np.int64]
    metrics: tuple[Metric, ...] = METRICS
    where: Where = field(default_factory=dict)


def views(classes: Sequence[str]) -> tuple[View, ...]:
    """A binary task has one view; of several classes each is held against the rest, beside accuracy over all."""
    if len(classes) == 2:
        return (_one_against_rest(2, 1),)
    each = (_one_against_rest(len(classes), place, {"class": name}) for place, name in enumerate(classes))
    return (_right_or_wrong(len(classes)), *each)


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn when rows are resampled: clusters, or rows that differ in weight. A sparse matrix unit × cell.

    Attributes:
        unit: [entries] the unit of each entry; cell: [entries] its cell in [groups × 6].
        amount: [entries] what the unit adds to the cell: the sum of its rows' weights.
        multiplicity: [units] how many alike there are.
    """

    unit: NDArray[np.int64]
    cell: NDArray[np.int64]
    amount: NDArray[np.float64]
    multiplicity: NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Groups side by side, each with a table of truth × decision.

    Attributes:
        name: "sex", or "race × sex": what a gap across these groups is known by.
        attributes: what they are made of.
        labels: the name of each group; places: its `where`, which also holds what the view and the stratum add.
        where: what the view and the stratum add to the place of a gap.
        metrics: what is measured of them.
        rows: [groups, 3, 2] int64, rows in each cell.
        sums: [groups, 3, 2] their weights summed; equal to the rows where none is weighed.
        squares: [groups, 3, 2] their squared weights summed.
        unknown: [3, 2] weights of rows whose group is not known.
        entries: what `units` is made from: (cell [e] in groups × 6, rows [e], weight [e] or None, cluster [e] or None).
        told: measures of these groups that several parts ask for, kept by whoever made them.
    """

    name: str
    attributes: tuple[Attribute, ...]
    labels: tuple[str, ...]
    places: tuple[Where, ...]
    where: Where
    metrics: tuple[Metric, ...]
    rows: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    unknown: NDArray[np.float64]
    entries: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.uint64] | None]
    told: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def gap(self) -> Where:
        """The place of a gap across these groups."""
        return {"attribute": self.name, **self.where}

    @property
    def weighted(self) -> bool:
        return self.entries[2] is not None

    @property
    def clustered(self) -> bool:
        return self.entries[3] is not None

    @cached_property
    def units(self) -> Units:
        """What is drawn when rows are resampled."""
        cell, rows, weight, cluster = self.entries
        amount = rows.astype(np.float64) if weight is None else rows * weight
        if cluster is None:  # rows of one cell and one weight are alike
            each = np.arange(len(cell))
            return Units(each, cell, amount / np.maximum(rows, 1), rows)
        names, unit = np.unique(cluster, return_inverse=True)
        return Units(unit.astype(np.int64), cell, amount, np.ones(len(names), np.int64))


def everyone(table: Table, view: View) -> Groups:
    """All rows as one group."""
    return _groups("", (), ("everyone",), ({},), table, (), view, np.ones(len(table.keys), bool), {})


def group(
    table: Table, people: Sequence[Attribute], axes: Sequence[int], view: View, stratum: Stratum | None = None
) -> Groups:
    """The groups that some attributes make together: each level of one, or every combination of levels of several.

    Of several attributes with more than `DENSE` combinations only those that occur are listed.
    """
    attributes = tuple(people[axis] for axis in axes)
    shape = tuple(len(attribute.levels) for attribute in attributes)
    kept = np.ones(len(table.keys), bool) if stratum is None else stratum.rows(table)
    picked = (
        list(product(*(range(size) for size in shape)))
        if prod(shape) <= DENSE or len(shape) == 1
        else _seen(table, axes, shape, kept)
    )
    named = [[attribute.levels[k] for attribute, k in zip(attributes, codes, strict=True)] for codes in picked]
    where = {} if stratum is None else stratum.where
    keys = [column(attribute.name) for attribute in attributes]
    places = tuple({**dict(zip(keys, levels, strict=True)), **where} for levels in named)
    labels = tuple(SEPARATOR.join(levels) for levels in named)
    name = SEPARATOR.join(attribute.name for attribute in attributes)
    return _groups(name, attributes, labels, places, table, axes, view, kept, where, picked)


DENSE = 100_000  # combinations of levels up to which those without rows are listed too


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows that share a level of some other axis: a department, a time window.

    Attributes:
        axis: of the table; code: the level's place on it; where: how the level is named in a place.
    """

    axis: int
    code: int
    where: Where

    def rows(self, table: Table) -> NDArray[np.bool_]:
        """[entries] whether an entry belongs."""
        return table.codes()[self.axis] == self.code


def groupings(table: Table, people: Sequence[Attribute], view: View, depth: int) -> Iterator[Groups]:
    """The groups of each attribute, then of each combination of up to `depth` attributes."""
    for size in range(1, min(depth, len(people)) + 1):
        for axes in combinations(range(len(people)), size):
            yield group(table, people, axes, view)


def unknown_level(table: Table, people: Sequence[Attribute], axis: int, view: View, level: str) -> Groups:
    """The rows whose level of one attribute is not known, as one group."""
    kept = table.codes()[axis] == len(people[axis].levels)
    place = {column(people[axis].name): level}
    return _groups("", (people[axis],), (level,), (place,), table, (), view, kept, {})


def _groups(
    name: str,
    attributes: tuple[Attribute, ...],
    labels: tuple[str, ...],
    places: tuple[Where, ...],
    table: Table,
    axes: Sequence[int],
    view: View,
    kept: NDArray[np.bool_],
    where: Where,
    picked: Sequence[tuple[int, ...]] = ((),),
) -> Groups:
    codes = table.codes()
    shape = tuple(table.shape[axis] for axis in axes)
    wanted = _ravel(np.array(picked, np.int64).reshape(len(labels), len(shape)), shape)  # in order, as levels are
    own = _ravel(np.array([codes[axis] for axis in axes], np.int64).reshape(len(axes), len(table.keys)).T, shape)
    place = np.minimum(np.searchsorted(wanted, own), len(wanted) - 1)
    mine = np.where(wanted[place] == own, place, -1)  # −1 for those that make no group here
    cell = view.cell[codes[-2], codes[-1]]
    inside = kept & (mine >= 0)
    flat = (mine * CELLS + cell)[inside]
    lost = kept & (mine < 0)

    def summed(
        values: NDArray[np.float64], which: NDArray[np.bool_], place: NDArray[np.int64], groups: int
    ) -> NDArray[np.float64]:
        found = np.bincount(place, values[which], minlength=groups * CELLS)
        return found.astype(np.float64).reshape(-1, 3, 2)

    rows = summed(table.counts.astype(float), inside, flat, len(labels))
    weighed = table.weights is not None
    sums = summed(table.sums, inside, flat, len(labels)) if weighed else rows
    squares = summed(table.sums * table.weights, inside, flat, len(labels)) if table.weights is not None else rows
    entries = (
        flat,
        table.counts[inside],
        None if table.weights is None else table.weights[inside],
        None if table.clusters is None else table.clusters[inside],
    )
    return Groups(
        name,
        attributes,
        labels,
        tuple({**place, **view.where} for place in places),
        {**where, **view.where},
        view.metrics,
        rows.astype(np.int64),
        sums,
        squares,
        summed(table.sums, lost, cell[lost], 1)[0],
        entries,
    )


def _ravel(codes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """One number for each row of codes [n, axes]."""
    out = np.zeros(len(codes), np.int64)
    for axis, size in enumerate(shape):
        out = out * size + codes[:, axis]
    return out


def _seen(table: Table, axes: Sequence[int], shape: tuple[int, ...], kept: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    codes = np.stack([table.codes()[axis] for axis in axes], 1)[kept]
    known = (codes < np.array(shape)).all(1)
    return [tuple(map(int, row)) for row in np.unique(codes[known], axis=0)]


def _one_against_rest(classes: int, positive: int, where: Where | None = None) -> View:
    truth = np.array([*(int(c == positive) for c in range(classes)), 2])
    decision = np.array([int(c == positive) for c in range(classes)])
    return View(truth[:, None] * 2 + decision, METRICS, where or {})


def _right_or_wrong(classes: int) -> View:
    """Accuracy over all classes: a right decision is a true positive of the class that it names."""
    cell = np.full((classes + 1, classes), 2, np.int64)  # (1, 0): labelled positive, decided otherwise
    cell[np.arange(classes), np.arange(classes)] = 3
    cell[classes] = 4
    return View(cell, tuple(m for m in METRICS if m.name in ("accuracy", "error_rate")))
