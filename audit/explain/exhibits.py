"""A handful of rows and what their outputs rest on, chosen by rules that nobody can bend. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.batch import UNKNOWN
from ...models.spec import Feature, Image, Tabular
from ...models.subject import Subject
from ...models.task import Binary, Number, Regression, Task
from ..record import Exhibit
from .conclusion.table import Table

Floats = NDArray[np.float64]
DIGITS = 4  # significant digits of a pixel: more are not seen, and make a record large


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of the explained rows besides their attributions.

    Attributes:
        rows: [n] row numbers, the smallest hash first.
        scores: [n] the score that decided: the positive class's, the predicted class's, or the value; None = unknown.
        decisions: [n] class codes; None in regression.
        targets: [n] class codes or values; None without labels.
        inputs: each [n, places], what went into the model.
    """

    rows: NDArray[np.int64]
    scores: Floats | None
    decisions: NDArray[np.int64] | None
    targets: NDArray[Any] | None
    inputs: tuple[NDArray[Any], ...]


def choose(task: Task, shown: Shown, margin: Floats | None, count: int) -> list[tuple[int, str]]:
    """(place in the sample, why this row): each rule's best row that no earlier rule took, then the next hashes."""
    chosen: dict[int, str] = {}
    for reason, order in [*_rules(task, shown, margin), ("smallest hash", np.arange(len(shown.rows)))]:
        free = next((int(k) for k in order if int(k) not in chosen), None)
        if free is not None:
            chosen[free] = reason
    for k in range(len(shown.rows)):
        chosen.setdefault(k, "next hash")
    return list(chosen.items())[:count]


def attribution_rows(
    name: str, subject: Subject, spec: Tabular, table: Table, shown: Shown, chosen: list[tuple[int, str]], *, raw: bool
) -> Exhibit:
    """The chosen rows of a table, feature by feature; the features' values and the label only if `raw`."""
    values, output, baseline = table.values, table.output, table.baseline_output
    assert values is not None
    rows = [
        {
            **row(subject.task, shown, k, reason, raw=raw),
            "baseline_output": None if baseline is None else float(baseline[k]),
            "output": None if output is None else float(output[k]),
            "features": list(table.features),
            "attributions": [float(x) for x in values[k]],
            "stderr": None if table.stderr is None else [float(x) for x in table.stderr[k]],
            "error": None if table.error is None else [float(x) for x in table.error[k]],
            "values": [_value(f, shown.inputs[f.input][k]) for f in spec.features] if raw else None,
        }
        for k, reason in chosen
    ]
    return Exhibit(name, "attribution_rows", {"method": table.method, "explained": table.explained, "rows": rows})


def attribution_images(
    name: str,
    subject: Subject,
    spec: Image,
    table: Table,
    shown: Shown,
    maps: Floats,
    chosen: list[tuple[int, str]],
    *,
    raw: bool,
) -> tuple[Exhibit, Exhibit]:
    """The chosen images' attributions [height][width], and the mean absolute attribution over all explained ones."""
    head = {"method": table.method, "explained": table.explained, "height": spec.height, "width": spec.width}
    rows = [
        {
            **row(subject.task, shown, k, reason, raw=raw),
            "attributions": _rounded(maps[k]),
            "pixels": _rounded(pixels(spec, shown.inputs[int(spec.input)][k])) if raw else None,
        }
        for k, reason in chosen
    ]
    mean = _rounded(np.abs(maps).mean(0))
    return (
        Exhibit(name, "attribution_images", {**head, "rows": rows}),
        Exhibit(name, "mean_attribution_image", {**head, "values": mean}),
    )


def pixels(spec: Image, row: NDArray[Any]) -> Floats:
    """[height, width] how bright a row's image is, mean over channels: 0 = black, 1 = white."""
    image = row.reshape(spec.channels, spec.height, spec.width).astype(np.float64).mean(0)
    return np.clip((image - spec.black) / ((spec.white - spec.black) or 1), 0, 1)


def _rules(task: Task, shown: Shown, margin: Floats | None) -> Iterator[tuple[str, NDArray[np.intp]]]:
    if shown.scores is None:
        return
    yield "highest score", np.argsort(-shown.scores, kind="stable")
    yield "lowest score", np.argsort(shown.scores, kind="stable")
    if margin is not None:
        yield "nearest to the threshold", np.argsort(margin, kind="stable")
    if shown.targets is None:
        return
    if isinstance(task, Regression):
        error = np.abs(shown.scores - shown.targets)
        yield "largest error", np.argsort(-error, kind="stable")[: int(np.isfinite(error).sum())]
    elif shown.decisions is not None:
        wrong = np.flatnonzero((shown.targets != UNKNOWN) & (shown.targets != shown.decisions))
        sure = np.abs(shown.scores - task.threshold) if isinstance(task, Binary) else shown.scores
        yield "most confidently wrong", wrong[np.argsort(-sure[wrong], kind="stable")]


def row(task: Task, shown: Shown, k: int, reason: str, *, raw: bool) -> dict[str, Any]:
    """What is told of one row beside its attributions."""
    truth = shown.targets if raw else None  # a label is a row's own value: shown only where rows are
    return {
        "number": int(shown.rows[k]),
        "score": None if shown.scores is None else float(shown.scores[k]),
        "decision": None if shown.decisions is None else _label(task, shown.decisions[k]),
        "target": None if truth is None else _label(task, truth[k]),
        "reason": reason,
    }


def _label(task: Task, value: Any) -> str | float | None:
    if isinstance(task, Number):
        return float(value) if np.isfinite(value) else None
    return None if value == UNKNOWN else task.classes[int(value)]


def _value(feature: Feature, row: NDArray[Any]) -> str | float | None:
    """A feature's value in people's terms: the category's name, or the number before it was standardised."""
    values = row[list(feature.columns)]
    if feature.levels:
        code = int(values.argmax()) if len(values) > 1 else int(values[0])
        return feature.levels[code] if 0 <= code < len(feature.levels) else None
    number = float(values[0]) * feature.scale + feature.centre
    return number if np.isfinite(number) else None


def _rounded(image: Floats) -> list[list[float]]:
    return [[float(f"{x:.{DIGITS}g}") for x in line] for line in image]
