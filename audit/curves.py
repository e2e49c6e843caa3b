"""What a report draws of performance: confusion, calibration, ROC, and histograms of scores and errors. Loads no torch.

Curves are of the weighted rows; the confusion table and the histograms count rows as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..models.task import Binary, Number
from . import discrimination
from .intervals import Floats, wilson
from .labelled import Labelled
from .measure import column
from .record import Exhibit

HISTOGRAM = 20  # bins of a histogram
NAME = "performance"  # whose exhibits these are


def of_classes(seen: Labelled, level: float) -> Iterator[Exhibit]:
    """The exhibits of a classification; none without labels, and only the confusion table without scores."""
    if not seen.n:
        return
    assert not isinstance(seen.subject.task, Number)
    classes = list(seen.subject.task.classes)
    assert seen.decisions is not None
    table = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(table, (seen.targets, seen.decisions), 1)
    yield Exhibit(NAME, "confusion", {"classes": classes, "counts": table.tolist()})
    if seen.values is None:
        return
    yield _calibration(seen, level)
    if isinstance(seen.subject.task, Binary):
        if len(np.unique(seen.targets)) == 2:
            false, true = discrimination.roc(seen.values, seen.targets == 1, seen.sampling.weights)
            yield Exhibit(NAME, "roc_curve", {"false_positive_rate": false, "true_positive_rate": true})
        yield from _histograms(seen)


def of_numbers(seen: Labelled) -> Iterator[Exhibit]:
    """The exhibit of a regression."""
    if seen.n and seen.values is not None:
        counts, edges = np.histogram(seen.errors, HISTOGRAM)
        yield Exhibit(NAME, "residuals", {"edges": edges.tolist(), "counts": counts.tolist()})


def _calibration(seen: Labelled, level: float) -> Exhibit:
    found = seen.bins
    low, high = wilson(found.successes, found.effective, level)
    columns = {"mean_score": found.score, "observed": found.observed, "low": low, "high": high, "n": found.n}
    listed = {name: column.tolist() for name, column in columns.items()}
    return Exhibit(NAME, "calibration_curve", {**listed, "confidence": level})


def _histograms(seen: Labelled) -> Iterator[Exhibit]:
    assert seen.values is not None
    edges = np.linspace(0, 1, HISTOGRAM + 1)
    yield Exhibit(NAME, "score_histogram", _histogram(seen.values, edges))
    for axis, attribute in enumerate(seen.subject.people):
        for code, level in enumerate(attribute.levels):
            values = seen.values[seen.groups[:, axis] == code]
            yield Exhibit(NAME, "score_histogram", _histogram(values, edges), {column(attribute.name): level})


def _histogram(values: Floats, edges: Floats) -> dict[str, Any]:
    return {"edges": edges.tolist(), "counts": np.histogram(values, edges)[0].tolist()}
