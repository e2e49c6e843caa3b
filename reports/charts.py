"""Every figure that a record has something to show for, in the order of a report. Pure: a record in, charts out."""

from __future__ import annotations

from altair.utils import schemapi

from ..audit.record import Record
from . import (
    attributions,
    conditional,
    curves,
    flips,
    footprint,
    mitigation,
    monitoring,
    quantities,
    rates,
    scores,
    smallgroups,
    standards,
)
from .figure import Figure, Table

__all__ = ["Figure", "Table", "charts"]


def charts(record: Record) -> tuple[Figure, ...]:
    """The figures of a record: data, performance, groups, explanations, energy.

    Each carries an Altair chart, for a page to draw as SVG or to show interactively, and the table of the same numbers.
    What the record holds no data for is left out.
    """
    with schemapi.debug_mode(
        False
    ):  # the specs are our own and tested: checking each against the schema takes longer than drawing
        return tuple(figure for figure in _figures(record) if figure is not None)


def _figures(record: Record) -> tuple[Figure | None, ...]:
    return (
        footprint.shares(record),
        curves.confusion(record),
        curves.histogram(record),
        curves.calibration(record),
        curves.roc(record),
        *rates.by_attribute(record),
        rates.intersections(record),
        rates.gaps(record),
        *quantities.by_group(record),
        *conditional.adjusted(record),
        *conditional.causes(record),
        smallgroups.pooled(record),
        smallgroups.subgroups(record),
        standards.four_fifths(record),
        *standards.local_law_144(record),
        *monitoring.over_time(record),
        *mitigation.trade_offs(record),
        *flips.by_attribute(record),
        *scores.by_attribute(record),
        attributions.ranking(record),
        attributions.single_rows(record),
        attributions.images(record),
        footprint.energy(record),
    )
