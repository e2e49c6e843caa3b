"""Tables of counts brought onto the same levels, by the names of the levels. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ....models.batch import UNKNOWN
from ....models.errors import DataError
from ....models.places import rank
from ....models.spec import Attribute
from ... import state
from .context import Axes


def united(mine: Axes, theirs: Axes) -> Axes:
    """The axes that hold the levels of both.

    Raises:
        DataError: the parts have other attributes, controls, windows or classes.
    """
    names = [[attribute.name for attribute in _attributes(axes)] for axes in (mine, theirs)]
    classes = _classes(mine.classes, theirs.classes)
    if names[0] != names[1] or not classes:
        raise DataError(
            f"counts of {names[0]} with classes {list(mine.classes)} and of {names[1]} with {list(theirs.classes)} "
            f"do not merge; count the same attributes and the same labels"
        )
    people = tuple(map(_both, mine.people, theirs.people))
    window = None if mine.window is None or theirs.window is None else _both(mine.window, theirs.window)
    return Axes(people, classes, tuple(map(_both, mine.controls, theirs.controls)), window)


def moved(table: state.Counts, old: Axes, new: Axes) -> state.Counts:
    """The same counts over the united levels; what is not known stays last."""
    codes = [np.array(axis) for axis in table.codes()]
    pairs = [*zip(_attributes(old), _attributes(new), strict=True)]
    if len(old.classes) > 2 and old.classes != new.classes:  # of two, the second is the positive one by any name
        pairs += [(Attribute("", old.classes), Attribute("", new.classes))] * 2
    for axis, (before, after) in enumerate(pairs):
        codes[axis] = _places(before, after)[codes[axis]]
    shape = tuple(size + 1 for size in new.sizes)
    keys = np.ravel_multi_index(codes, shape).astype(np.int64)
    return replace(table, shape=shape, keys=keys).sorted()


def recoded(rows: state.Columns, old: Axes, new: Axes, after: int = 0, *, binned: bool = False) -> state.Columns:
    """Single rows, numbered on from another part's, their groups as codes of the united levels.

    Where one part's scores were counted in bins, `binned`, a row of the other stands for one.
    """
    numbers, columns = rows.sorted()
    if not len(numbers):
        return rows
    groups, alone = columns["groups"].copy(), np.ones(len(numbers), np.int64)
    for axis, (before, now) in enumerate(zip(old.people, new.people, strict=True)):
        places = np.append(_places(before, now)[:-1], UNKNOWN)
        groups[:, axis] = places[groups[:, axis]]
    counted = {"count": columns.get("count", alone)} if binned else {}
    return state.Columns.of(numbers + after, **{**columns, **counted, "groups": groups})


def _attributes(axes: Axes) -> tuple[Attribute, ...]:
    return (*axes.people, *axes.controls, *(() if axes.window is None else (axes.window,)))


def _classes(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """The classes of both, or none where they do not go together."""
    if mine == theirs:
        return mine
    if len(mine) == len(theirs) == 2:
        return (f"not {mine[1]}", mine[1]) if mine[1] == theirs[1] else ()
    return tuple(sorted({*mine, *theirs}, key=rank)) if min(len(mine), len(theirs)) > 2 else ()


def _both(mine: Attribute, theirs: Attribute) -> Attribute:
    return mine if mine == theirs else Attribute(mine.name, tuple(sorted({*mine.levels, *theirs.levels}, key=rank)))


def _places(before: Attribute, after: Attribute) -> NDArray[np.int64]:
    """For each level, and for the unknown after them, its place among the united levels."""
    place = {level: k for k, level in enumerate(after.levels)}
    return np.array([*(place[level] for level in before.levels), len(after.levels)])
