"""Every figure that a record has something to show for, in the order of a report. Pure: a record in, charts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from altair.utils import schemapi

from ..audit.record import Record
from . import (
    attributions,
    checkup,
    conditional,
    curves,
    flips,
    footprint,
    gaps_explained,
    mitigation,
    monitoring,
    quality,
    quality_curves,
    quantities,
    rates,
    scores,
    series,
    smallgroups,
    sounds,
    standards,
    tokens,
)
from .evidence import marked
from .figure import Figure, Table

__all__ = ["Figure", "Table", "charts", "one_by_one"]


def charts(record: Record) -> tuple[Figure, ...]:
    """The figures of a record: data, performance, groups, explanations, energy.

    Each carries an Altair chart, for a page to draw as SVG or to show interactively, and the table of the same numbers.
    What the record holds no data for is left out.
    """
    return tuple(one_by_one(record))


def one_by_one(record: Record) -> Iterator[Figure]:
    """As `charts`, each when it is asked for: so that one can be drawn while the next is made."""
    # the specs are our own and tested: checking each against the schema takes longer than drawing
    with schemapi.debug_mode(False):
        for make in _FIGURES:
            found = make(record)
            for figure in found if isinstance(found, list) else (found,):
                if figure is not None:
                    yield marked(record, figure)


_FIGURES: tuple[Callable[[Record], Figure | list[Figure] | None], ...] = (
    footprint.shares,
    curves.confusion,
    curves.histogram,
    curves.calibration,
    curves.roc,
    rates.by_attribute,
    rates.intersections,
    rates.gaps,
    quantities.by_group,
    conditional.adjusted,
    conditional.causes,
    smallgroups.pooled,
    smallgroups.subgroups,
    standards.four_fifths,
    standards.local_law_144,
    monitoring.over_time,
    mitigation.trade_offs,
    flips.by_attribute,
    scores.by_attribute,
    attributions.ranking,
    attributions.single_rows,
    attributions.images,
    tokens.highlights,
    sounds.sounds,
    series.series,
    gaps_explained.decompositions,
    quality.table,
    quality_curves.curves,
    quality.by_group,
    checkup.checkup,
    footprint.energy,
)
