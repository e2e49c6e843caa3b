"""All that a table of counts, and the rows behind it, say of groups. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator

from ..analysis import Section, joined
from ..measure import UNKNOWN_LEVEL, Measure
from .comparison import aggregates, bounds, differential, gaps, inequality, multiclass, rates
from .conditional import conditional, decomposition, disparity
from .mitigation import mitigation
from .monitoring import monitoring
from .scores import scores
from .small import detectable, discovery, pooling, structured
from .standards import four_fifths, standards
from .table.context import Context, Part
from .table.groups import unknown_level
from .table.headlines import left_out


def conclude(context: Context) -> Section:
    """Every part of the analysis, in the order of a report."""
    return joined([part(context) for part in PARTS])


def of_groups(context: Context) -> Section:
    """Metrics of everyone, of each group, of rows whose level is not known; and the gaps."""
    return Section(measures=tuple(_of_groups(context)), limitations=left_out(context.groupings, context.plan))


def _of_groups(context: Context) -> Iterator[Measure]:
    plan, people = context.plan, context.axes.people
    for everyone in context.everyone:
        yield from rates.measures(everyone, plan)
    for groups in context.groupings:
        yield from rates.measures(groups, plan)
        yield from gaps.measures(groups, plan)
    for view in context.views:
        for axis, attribute in enumerate(people):
            lost = unknown_level(context.table, people, axis, view, UNKNOWN_LEVEL)
            # shown where there are any, but no part of a gap: what is not known is not a group
            if lost.rows.any() and UNKNOWN_LEVEL not in attribute.levels:
                yield from rates.measures(lost, plan)


PARTS: tuple[Part, ...] = (
    of_groups,
    aggregates.section,
    conditional.section,
    disparity.section,
    decomposition.section,
    differential.section,
    inequality.section,
    multiclass.section,
    scores.section,
    detectable.section,
    pooling.section,
    structured.section,
    bounds.section,
    discovery.section,
    four_fifths.section,
    standards.section,
    monitoring.section,
    mitigation.section,
)
