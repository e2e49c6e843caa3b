"""The one pass: every batch is read once, scored once, and shown to every analysis. Loads no torch by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..models.batch import Batch
from ..models.errors import DataError, GnomonError, SubjectError
from ..models.subject import Subject
from ..models.task import Scores, from_data, read
from .analysis import Analysis, State
from .contents import digests
from .ledger import Ledger

Window = Callable[[str], AbstractContextManager[Any]]
"""Opens a metered window of that name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known after some batches: one state an analysis, and the ledger. A monoid of monoids.

    Attributes:
        failed: analysis -> the error that stopped it; its state is then worth nothing.
    """

    states: tuple[State, ...]
    ledger: Ledger
    failed: dict[str, str]
    rows: int = 0

    @classmethod
    def zero(cls, subject: Subject, analyses: Sequence[Analysis[Any]]) -> Seen:
        return cls(tuple(a.zero(subject) for a in analyses), Ledger(), {})

    def merge(self, other: Seen, /) -> Seen:
        states = tuple(a.merge(b) for a, b in zip(self.states, other.states, strict=True))
        failed = {**other.failed, **self.failed}
        return Seen(states, self.ledger.merge(other.ledger), failed, self.rows + other.rows)


def stream(
    subject: Subject,
    analyses: Sequence[Analysis[Any]],
    batches: Iterable[Batch],
    score: Callable[[Any], Any] | None,
    window: Window,
) -> Seen:
    """Show batches to every analysis.

    Args:
        score: raw outputs [n, ...] of a batch's inputs; None where scores came with the data.
        window: opens a metered window for "load", "score" and each analysis.

    Raises:
        SubjectError: outputs are not finite, or do not fit the task.
        DataError: labels or groups do not fit what was declared.
    """
    seen = Seen.zero(subject, analyses)
    batches = iter(batches)
    while True:
        with window("load"):
            batch = _next(batches, seen.rows)
        if batch is None:
            return seen
        with window("score"):
            scores = scored(subject, batch, score)
        check(subject, batch)
        seen = seen.merge(observe(subject, analyses, batch, scores, window))


def observe(subject: Subject, analyses: Sequence[Analysis[Any]], batch: Batch, scores: Scores, window: Window) -> Seen:
    """What one batch alone tells. An analysis that stops does not stop the others."""
    with window("ledger"):
        batch = replace(batch, contents=digests(batch))
    states, failed = [], {}
    for analysis in analyses:
        with window(analysis.name):
            try:
                states.append(analysis.observe(subject, batch, scores))
            except Exception as error:
                failed[analysis.name] = f"{type(error).__name__}: {error}"
                states.append(analysis.zero(subject))
    with window("ledger"):
        ledger = Ledger.of(batch, scores)
    return Seen(tuple(states), ledger, failed, len(batch))


def _next(batches: Iterator[Batch], rows: int) -> Batch | None:
    try:
        return next(batches, None)
    except GnomonError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise DataError(
            f"the data fails after {rows} rows: {type(error).__name__}: {said}; look at the next row"
        ) from error


def scored(subject: Subject, batch: Batch, score: Callable[[Any], Any] | None) -> Scores:
    """The scores of a batch, from the model or from the data; finite, or an error that names the rows."""
    if score is None:
        scores = from_data(subject.task, batch.scores, batch.decisions)
    else:
        scores = read(subject.task, subject.output, score(batch.inputs).numpy())
    if scores.values is not None:
        bad = ~np.isfinite(scores.values.reshape(len(batch), -1)).all(1)
        if bad.any():
            who = "the model returns" if score is not None else "the data has"
            raise SubjectError(
                f"{who} NaN or infinite scores for {int(bad.sum())} of {len(batch)} rows, first row "
                f"{int(batch.rows[bad][0])}; look for missing or unscaled inputs there, or weights that are not finite"
            )
    return scores


def check(subject: Subject, batch: Batch) -> None:
    """Labels and groups are codes of what was declared."""
    classes = getattr(subject.task, "classes", None)
    if classes is not None and batch.targets is not None and len(batch):
        _codes("label", batch.targets, classes, batch)
    if batch.groups.shape != (len(batch), len(subject.people)):
        raise DataError(
            f"groups have shape {batch.groups.shape} for {len(batch)} rows and {len(subject.people)} attributes; "
            f"give one code a row and attribute"
        )
    for axis, attribute in enumerate(subject.people):
        _codes(f"attribute '{attribute.name}'", batch.groups[:, axis], attribute.levels, batch)
    _more(subject, batch)


def _more(subject: Subject, batch: Batch) -> None:
    """Controls and windows are codes of what was declared, and weights are weights."""
    held = batch.groups[:, :0] if batch.controls is None else batch.controls
    if held.shape != (len(batch), len(subject.controls)):
        raise DataError(
            f"controls have shape {held.shape} for {len(batch)} rows and {len(subject.controls)} controls; give one "
            f"code a row and control"
        )
    for axis, control in enumerate(subject.controls):
        _codes(f"control '{control.name}'", held[:, axis], control.levels, batch)
    if (batch.windows is None) != (subject.window is None):
        raise DataError("rows have time windows where none are declared, or the other way round; give both or neither")
    if batch.windows is not None and subject.window is not None:
        _codes(f"window '{subject.window.name}'", batch.windows, subject.window.levels, batch)
    if batch.weights is not None and not (np.isfinite(batch.weights) & (batch.weights >= 0)).all():
        bad = int((~(np.isfinite(batch.weights) & (batch.weights >= 0))).argmax())
        raise DataError(
            f"the weight of row {int(batch.rows[bad])} is {batch.weights[bad]:g}; weights are numbers of 0 or more"
        )


def _codes(what: str, codes: Any, levels: Sequence[str], batch: Batch) -> None:
    bad = (codes < -1) | (codes >= len(levels))
    if bad.any():
        place = int(bad.argmax())
        raise DataError(
            f"{what} has code {codes[place]} at row {int(batch.rows[place])}, but {len(levels)} levels are declared "
            f"({', '.join(levels[:8])}{', …' if len(levels) > 8 else ''}); declare it, or code unknown rows as -1"
        )
