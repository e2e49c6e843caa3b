"""The single rows that a record shows, with what their outputs rest on. Loads torch only when there are some."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Image, Tabular, Text
from ....models.subject import Subject
from ....models.task import Binary, Multiclass
from ...contents import inputs_of
from ...record import Exhibit
from ...state import Sample
from .. import exhibits
from ..exhibits import Shown
from ..modality.exhibits import Amounts, single_rows, words_in
from .table import Table
from .texts import Worded

Floats = NDArray[np.float64]


def shown(name: str, subject: Subject, state: Sample, table: Table, count: int, *, raw: bool) -> tuple[Exhibit, ...]:
    """A handful of rows chosen by rule, explained by the primary method: an exhibit for each kind of input."""
    from ..modality import declared

    assert table.values is not None
    given = arrays(state)
    told, margin = _known(subject, state, given)
    chosen = exhibits.choose(subject.task, told, margin, count)
    parts = declared.parts(subject.inputs, inputs_of(state.values))
    found: list[Exhibit] = []
    for spec, columns in parts:
        if isinstance(spec, Tabular):
            own = table.of_features(columns)
            found.append(exhibits.attribution_rows(name, subject, spec, own, told, chosen, raw=raw))
        elif isinstance(spec, Image):
            maps = _maps(spec, table)
            found += exhibits.attribution_images(name, subject, spec, table, told, maps, chosen, raw=raw)
    head = {"method": table.method, "explained": table.explained}
    heads = [(k, exhibits.row(subject.task, told, k, why, raw=raw)) for k, why in chosen]
    amounts = Amounts(table.values, table.stderr, table.error)
    return (*found, *single_rows(name, head, heads, parts, given, amounts, raw=raw))


def texts(subject: Subject, state: Sample) -> list[Worded]:
    """The inputs of the explained rows whose features are words."""
    if not any(isinstance(spec, Text) for spec in subject.inputs):
        return []
    from ..modality import declared

    given, parts = arrays(state), declared.parts(subject.inputs, inputs_of(state.values))
    return [Worded(columns, words_in(spec, given)) for spec, columns in parts if isinstance(spec, Text)]


def arrays(state: Sample) -> list[NDArray[Any]]:
    """What went into the model, each [n, ...] in the shape that it has there."""
    inputs = inputs_of(state.values)
    parts = inputs.values() if isinstance(inputs, dict) else inputs
    return [x.detach().cpu().float().numpy() if x.is_floating_point() else x.detach().cpu().numpy() for x in parts]


def _known(subject: Subject, state: Sample, given: list[NDArray[Any]]) -> tuple[Shown, Floats | None]:
    """What is known of the sampled rows, and how near each came to another decision (None in regression)."""
    values = state.values
    scores: Any = values.get("scores")
    decisions: Any = values.get("decisions")
    targets: Any = values.get("targets")
    margin = None
    if scores is not None and isinstance(subject.task, Binary):
        margin = np.abs(scores - subject.task.threshold)
    if scores is not None and isinstance(subject.task, Multiclass):
        ordered = np.sort(scores, 1)
        margin, scores = ordered[:, -1] - ordered[:, -2], ordered[:, -1]
    inputs = tuple(x.reshape(len(x), -1) for x in given)
    return Shown(state.rows, scores, decisions, targets, inputs), margin


def _maps(spec: Image, table: Table) -> Floats:
    """[n, height, width]: each pixel's own attribution, or that of its region where the method has no finer one."""
    return table.places[int(spec.input)].reshape(-1, spec.channels, spec.height, spec.width).sum(1)
