"""Counts of time windows, each made by itself, told together over time. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from ....models.errors import DataError
from ....models.spec import Attribute
from ... import state
from ...analysis import Section
from ...criteria import Levels
from ..counts import Counts
from ..table.context import Axes, Context
from ..table.plan import Plan
from .monitoring import WINDOW, section


def over_time(
    counts: Mapping[str, Counts], level: float = 0.95, *, seed: int = 0, replicates: int = 0, **plan: Any
) -> Section:
    """Rates, gaps and the test by betting from the counts of each time window, in the order given.

    Args:
        counts: window -> its counts; of the same attributes and classes, whatever levels each happens to hold.
        plan: as in `Plan`.

    Raises:
        DataError: fewer than two windows, or counts of other attributes or classes.

    Example:
        >>> months = {m: Counts.from_arrays([1, 0], [1, 0], {"sex": ["f", "m"]}) for m in ("2026-01", "2026-02")}
        >>> [m.value for m in over_time(months).measures if m.statistic == "e_value" and m.metric == "selection_rate"]
        [1.5]
    """
    if len(counts) < 2:
        raise DataError(f"{len(counts)} time windows are too few; give the counts of at least two")
    axes = reduce(Counts.merge, counts.values()).axes
    if axes.window is not None:
        raise DataError("the counts already hold time windows; give them to an audit as they are")
    whole = replace(axes, window=Attribute(WINDOW, tuple(counts)))
    tables = [_in_window(part, whole, place) for place, part in enumerate(counts.values())]
    table = reduce(state.Counts.merge, tables)
    return section(Context(whole, table, Plan(replicates, seed, **plan, levels=Levels(level))))


def _in_window(part: Counts, axes: Axes, place: int) -> state.Counts:
    """The counts of one window as a table with an axis of time."""
    codes = list(part.table.codes())
    mine, whole = (*part.axes.people, *part.axes.controls), (*axes.people, *axes.controls)
    for axis, (before, after) in enumerate(zip(mine, whole, strict=True)):
        moved = [*(after.levels.index(level) for level in before.levels), len(after.levels)]
        codes[axis] = np.array(moved, np.int64)[codes[axis]]
    codes.insert(axes.time, np.full(len(part.table.keys), place, np.int64))
    shape = tuple(size + 1 for size in axes.sizes)
    keys = np.ravel_multi_index(tuple(codes), shape).astype(np.int64)
    return replace(part.table, shape=shape, keys=keys).sorted()
