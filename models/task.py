"""What the model is for, and how its raw output is read: as scores and decisions. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import SubjectError

Output = Literal["logits", "logit", "probabilities", "probability", "value"]
"""What a model returns: [n, classes] logits or probabilities; [n] or [n, 1] one logit, probability or value."""

Precision = Literal["float32", "bfloat16", "float16"]
"""How a model computes while it is scored; below float32 by autocast. Scores are float32 whatever it is."""

OUTPUTS: tuple[Output, ...] = get_args(Output)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two classes. A row is decided positive when its probability reaches the threshold: p ≥ t."""

    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise SubjectError(f"threshold {self.threshold} is not a probability; give one between 0 and 1")

    @property
    def classes(self) -> tuple[str, ...]:
        return (self.negative, self.positive)


@dataclass(frozen=True, slots=True)
class Multiclass:
    """Several classes, named in the order of the model's outputs. The decision is the largest score."""

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise SubjectError(f"classes must be two or more different names, got {list(self.classes)}")


@dataclass(frozen=True, slots=True)
class Regression:
    """A number, in a unit."""

    unit: str = "1"


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order of the rows that answer a query, the highest score first; without queries all rows are one list.

    Labels are relevances: numbers of 0 or more.

    Attributes:
        top: how many of each list count as selected; 0 for a tenth of it, at least one.
    """

    top: int = 0

    def __post_init__(self) -> None:
        if self.top < 0:
            raise SubjectError(f"top {self.top} is no number of rows; give 1 or more, or 0 for a tenth of each list")


Task = Binary | Multiclass | Regression | Ranking
Number = Regression | Ranking
"""Tasks whose output is a number: labels and scores are values, and there are no classes."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of some rows, in the form that every analysis reads.

    Attributes:
        values: binary: [n] probability of the positive class; multiclass: [n, classes] probabilities; regression: [n]
            predicted values; ranking: [n] scores. float64. None where only decisions are known.
        decisions: [n] int64 class codes; None in regression and ranking.
    """

    values: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None


def read(task: Task, output: Output, raw: NDArray[np.floating]) -> Scores:
    """Raw model outputs as scores; softmax and sigmoid in float64.

    Raises:
        SubjectError: the outputs' shape does not fit the task and the declared output.
    """
    raw = np.asarray(raw, dtype=np.float64)
    match task:
        case Regression() | Ranking():
            return Scores(_column(raw, task, output), None)
        case Binary():
            positive = _positive(raw, task, output)
            return Scores(positive, (positive >= task.threshold).astype(np.int64))
        case Multiclass():
            if raw.ndim != 2 or raw.shape[1] != len(task.classes):
                raise SubjectError(
                    f"the model returns {_shape(raw)} but {len(task.classes)} classes are declared; "
                    f"declare the classes in the order of the outputs"
                )
            values = softmax(raw) if output == "logits" else raw
            return Scores(values, values.argmax(1).astype(np.int64))


def from_data(task: Task, scores: NDArray[np.float64] | None, decisions: NDArray[np.int64] | None) -> Scores:
    """Scores that came with the data: probabilities (or values), or bare decisions."""
    if scores is None:
        return Scores(None, decisions)
    return read(task, "value" if isinstance(task, Number) else "probabilities", scores)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(z) / Σ exp(z) along the last axis, shifted so that nothing overflows."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(−z)), by the half that does not overflow."""
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1, small) / (1 + small)


def _positive(raw: NDArray[np.float64], task: Binary, output: Output) -> NDArray[np.float64]:
    if raw.ndim == 2 and raw.shape[1] == 2:
        return softmax(raw)[:, 1] if output == "logits" else raw[:, 1]
    column = _column(raw, task, output)
    return sigmoid(column) if output in ("logit", "logits") else column


def _column(raw: NDArray[np.float64], task: Task, output: Output) -> NDArray[np.float64]:
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim != 1:
        name = type(task).__name__.lower()
        raise SubjectError(f"the model returns {_shape(raw)}; a {name} task with output '{output}' needs [n] or [n, 1]")
    return raw


def _shape(raw: NDArray[np.float64]) -> str:
    return "[n" + "".join(f", {size}" for size in raw.shape[1:]) + "]"
