"""A record narrowed to some attributes, so that every chart drawn from it is. Numbers stay as they were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..audit.measure import Measure, Where, column
from ..audit.record import Exhibit, Record
from ..reports.groups import COMBINED


def attributes(record: Record) -> list[str]:
    """The sensitive attributes that the record was declared with."""
    return [str(a.get("name")) for a in record.subject.get("attributes") or ()]


def narrowed(record: Record, chosen: Sequence[str]) -> Record:
    """The record with the groups of the chosen attributes, and everyone; the whole one where none is chosen."""
    left_out = set(attributes(record)) - set(chosen)
    if not chosen or not left_out:
        return record
    keys = {column(name) for name in left_out}
    declared = [a for a in record.subject["attributes"] if a.get("name") not in left_out]
    return replace(
        record,
        subject={**record.subject, "attributes": declared},
        measures=tuple(m for m in record.measures if not _about(m.where, left_out, keys)),
        exhibits=tuple(e for e in record.exhibits if not _about(_place(e), left_out, keys)),
    )


def picked(record: Record, analyses: Sequence[str]) -> list[Measure]:
    """The measures of some analyses; all where none is named."""
    return [m for m in record.measures if not analyses or m.analysis in analyses]


def _place(exhibit: Exhibit) -> Where:
    """Where an exhibit is from; that of a gap between two groups names its attribute in its data."""
    across = {"attribute": str(exhibit.data["attribute"])} if exhibit.kind == "gap_decomposition" else {}
    return {**across, **exhibit.where}


def _about(where: Where, names: set[str], keys: set[str]) -> bool:
    across = where.get("attribute", "")
    return across in names or bool(names & set(across.split(COMBINED))) or bool(keys & where.keys())
