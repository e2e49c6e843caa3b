"""What a model really returns, found by asking it: before an audit, the declared output is tried, not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from .batch import Batch
from .errors import DataError, SubjectError
from .inference import Inputs, length, session, take
from .subject import Subject
from .task import Binary, Multiclass, Number, Output, Precision, Ranking, Regression, Task

ROWS = 256  # rows that are probed
ALONE = 4  # rows that are also scored alone
ENOUGH = 32  # rows from which a pattern in the outputs is taken for what it looks like
FITS: dict[type, tuple[Output, ...]] = {
    Binary: ("logits", "logit", "probabilities", "probability"),
    Multiclass: ("logits", "probabilities"),
    Regression: ("value",),
    Ranking: ("value",),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """What was established.

    Attributes:
        shape: of the outputs, without the rows.
        looks_like: what the outputs look like on their own: "logits", "logit", "probabilities", "probability", "value".
        rows: how many rows were asked for.
        repeat_difference: the largest difference between two passes over the same rows.
        alone_difference: the largest difference between a row scored alone and in its batch.
    """

    shape: tuple[int, ...]
    looks_like: str
    rows: int
    repeat_difference: float
    alone_difference: float


def probe(subject: Subject, *, device: str | None = None, precision: Precision = "float32") -> Probe:
    """Ask the model about a few rows and hold the answer against what the subject declares.

    Raises:
        SubjectError: outputs and declaration disagree; a row scores otherwise alone than in its batch; two passes over
            the same rows disagree; or outputs are not finite.
        DataError: there are no rows, or the data gives others when it is read again.
    """
    fits(subject.task, subject.output)
    batch = first(subject)
    _repeats(subject, batch)
    inputs = take(batch.inputs, slice(0, ROWS))
    with session(subject, device=device, precision=precision) as score:
        out = score(inputs)
        finite(out, batch.rows[:ROWS].tolist())
        repeat = _difference(out, score(inputs))
        alone = max(_difference(out[i : i + 1], score(take(inputs, slice(i, i + 1)))) for i in range(_some(inputs)))
        _steady(subject, out, repeat, alone, loose=precision != "float32")
    looks = looks_like(out, subject.task)
    _agrees(subject, out, looks)
    return Probe(tuple(out.shape[1:]), looks, len(out), repeat, alone)


def first(subject: Subject) -> Batch:
    """The first batch of the data."""
    batch = next(iter(subject.data.batches(ROWS)), None)
    if batch is None or not len(batch):
        raise DataError(f"the data of '{subject.name}' has no rows; give it some")
    return batch


def _repeats(subject: Subject, batch: Batch) -> None:
    """The data gives the same first rows when it is read again."""
    again = first(subject)
    same = length(again.inputs) == length(batch.inputs) and np.array_equal(again.rows, batch.rows)
    if not same or not all(_equal(a, b) for a, b in zip(_values(again.inputs), _values(batch.inputs), strict=True)):
        raise DataError(
            f"the data of '{subject.name}' gives other inputs when it is read again, so no two audits would agree; "
            f"turn off shuffling and random augmentation"
        )


def _values(inputs: Inputs) -> list[Tensor]:
    return list(inputs.values()) if isinstance(inputs, dict) else list(inputs)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=0, atol=0, equal_nan=True))


def fits(task: Task, output: Output) -> None:
    """Raises SubjectError where a task cannot be decided from that output."""
    allowed = FITS[type(task)]
    if output not in allowed:
        raise SubjectError(
            f"output '{output}' does not fit a {type(task).__name__.lower()} task; declare one of {', '.join(allowed)}"
        )


def finite(out: Tensor, rows: list[int]) -> None:
    """Raises SubjectError that names the rows whose outputs are not finite."""
    bad = ~torch.isfinite(out.reshape(len(out), -1)).all(1)
    if bad.any():
        named = [row for row, is_bad in zip(rows, bad.tolist(), strict=True) if is_bad]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        raise SubjectError(
            f"the model returns NaN or infinity for row {', '.join(map(str, named[:5]))}{more}; "
            f"look for missing or unscaled inputs in these rows, or for weights that are not finite"
        )


def looks_like(out: Tensor, task: Task) -> str:
    """What outputs look like on their own, without what was declared."""
    if isinstance(task, Number):
        return "value"
    wide = out.ndim == 2 and out.shape[1] > 1
    inside = bool(((out >= 0) & (out <= 1)).all())
    if wide:
        sums_to_one = bool(((out.sum(1) - 1).abs() < 1e-3).all())
        return "probabilities" if inside and sums_to_one else "logits"
    return "probability" if inside else "logit"


def _agrees(subject: Subject, out: Tensor, looks: str) -> None:
    shape, declared = list(out.shape[1:]), subject.output
    wide = out.ndim == 2 and out.shape[1] > 1
    if out.ndim > 2:
        raise SubjectError(
            f"the model returns [n, {', '.join(map(str, shape))}]; give a forward that returns one score a class"
        )
    if isinstance(subject.task, Multiclass) and (not wide or out.shape[1] != len(subject.task.classes)):
        raise SubjectError(
            f"the model returns {shape[0] if shape else 1} scores a row, "
            f"but {len(subject.task.classes)} classes are declared"
        )
    if isinstance(subject.task, Binary) and wide and out.shape[1] != 2:
        raise SubjectError(
            f"the model returns {out.shape[1]} scores a row, but the task is binary; declare Multiclass(classes)"
        )
    if isinstance(subject.task, Number):
        if wide:
            kind = type(subject.task).__name__.lower()
            raise SubjectError(f"the model returns {out.shape[1]} values a row; a {kind} task needs one")
        return
    declared_wide = declared in ("logits", "probabilities")
    if wide != declared_wide and not (declared == "logits" and not wide):
        seen = f"{out.shape[1]} scores" if wide else "one score"
        raise SubjectError(
            f"output '{declared}' is declared but the model returns {seen} a row; declare output='{looks}'"
        )
    probabilities = ("probabilities", "probability")
    if declared in probabilities and looks not in probabilities:
        low, high = out.min().item(), out.max().item()
        raise SubjectError(
            f"output '{declared}' is declared, but the model returns values from {low:.3g} to {high:.3g}"
            f"{'' if low < 0 or high > 1 else ' whose rows do not sum to 1'}; declare output='{looks}'"
        )
    certain = wide or (len(out) >= ENOUGH and out.unique().numel() > 1)
    if declared not in probabilities and looks in probabilities and certain:
        raise SubjectError(
            f"output '{declared}' is declared, but all {len(out)} probed rows look like {looks}: values within "
            f"[0, 1]{' that sum to 1' if wide else ''}; declare output='{looks}', or run without the probe (--no-probe)"
        )


def _steady(subject: Subject, out: Tensor, repeat: float, alone: float, *, loose: bool) -> None:
    """Two passes agree, and a row alone scores as it does in its batch."""
    scale = max(1.0, out.abs().max().item())
    tolerance = (2e-2 if loose else 1e-4) * scale
    if repeat > tolerance:
        raise SubjectError(
            f"two passes over the same rows of '{subject.name}' differ by {repeat:.2g}: the model is random even in "
            f"eval mode; look for functional dropout with training=True or unseeded sampling"
        )
    if alone > tolerance:
        raise SubjectError(
            f"a row of '{subject.name}' scores {alone:.2g} off when alone: rows influence each other; "
            f"look for batch statistics, attention over the batch, or padding that is not masked"
        )


def _some(inputs: object) -> int:
    return min(ALONE, length(inputs))  # type: ignore[arg-type]


def _difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


assert set(FITS) == set(get_args(Task))
