"""What the parts of the fairness analysis are given: a table of counts with its labels, rows, and a plan. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ....models.spec import Attribute
from ...analysis import Section
from ...state import Columns
from ...state import Counts as Table
from .groups import Groups, View, everyone, groupings, views
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes of a table of counts are, in their order: people, controls, window, truth, decision.

    Attributes:
        people: the sensitive attributes.
        controls: attributes that comparisons are held fixed in.
        window: the time windows, in order; None where rows have no time.
        classes: what is true and what is decided; of two, the second is the positive one.
    """

    people: tuple[Attribute, ...]
    classes: tuple[str, ...]
    controls: tuple[Attribute, ...] = ()
    window: Attribute | None = None

    @property
    def sizes(self) -> list[int]:
        """Levels of each axis, without the place for what is unknown."""
        window = () if self.window is None else (self.window,)
        return [*(len(a.levels) for a in (*self.people, *self.controls, *window)), *([len(self.classes)] * 2)]

    def control(self, place: int) -> int:
        """The axis of a control."""
        return len(self.people) + place

    @property
    def time(self) -> int:
        """The axis of the windows, where there is one."""
        return len(self.people) + len(self.controls)


@dataclass(frozen=True)
class Context:
    """All that is known when numbers are read off.

    Attributes:
        axes: what the axes of the table are.
        table: people × controls × window × truth × decision.
        plan: how the numbers are asked for.
        rows: score [n], truth [n] (−1 = no label), decision [n], groups [n, attributes] and, where there are any,
            weight [n] and cluster [n] of every row, in order of the row; without columns where only counts are known.
    """

    axes: Axes
    table: Table
    plan: Plan = field(default_factory=Plan)
    rows: Columns = field(default_factory=Columns)

    @cached_property
    def views(self) -> tuple[View, ...]:
        return views(self.axes.classes)

    @cached_property
    def everyone(self) -> tuple[Groups, ...]:
        """All rows as one group, for each view."""
        return tuple(everyone(self.table, view) for view in self.views)

    @cached_property
    def groupings(self) -> tuple[Groups, ...]:
        """For each view the groups of each attribute, then of each combination of attributes."""
        people, depth = self.axes.people, self.plan.depth
        return tuple(found for view in self.views for found in groupings(self.table, people, view, depth))

    @cached_property
    def labelled(self) -> bool:
        """Whether any row has a label; without, only what needs none is measured."""
        truth = self.table.codes()[-2]
        return bool((truth < len(self.axes.classes)).any())


Part = Callable[[Context], Section]
"""A part of the analysis: what it measures, shows and finds, and what it cannot claim."""
