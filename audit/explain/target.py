"""Which number is explained: one a row, read off the model's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.subject import Subject
from ...models.task import Binary, Multiclass, Output, Ranking, Regression, Task


@dataclass(frozen=True, slots=True)
class Quantity:
    """The explained number, in words, and its unit: "logit", "probability", or that of the regression's value."""

    name: str
    unit: str


def quantity(task: Task, output: Output) -> Quantity:
    """What is explained of a model with this task and output.

    Two logits are read as their difference: both their log-odds and what one logit says. Of several classes it is the
    one that the model predicts for the row.

    >>> quantity(Binary(positive="hired"), "logits")
    Quantity(name='log-odds of hired', unit='logit')
    """
    logits = output in ("logits", "logit")
    match task:
        case Regression():
            return Quantity("predicted value", task.unit)
        case Ranking():
            return Quantity("ranking score", "1")
        case Binary():
            return Quantity(("log-odds" if logits else "probability") + f" of {task.positive}", _unit(logits))
        case Multiclass():
            return Quantity(("logit" if logits else "probability") + " of the predicted class", _unit(logits))


@dataclass(frozen=True, slots=True)
class Explained:
    """The explained number as a function of the model's inputs: f(x), [n].

    Attributes:
        keywords: names of the inputs, where the model takes them by keyword; None = by position.
    """

    subject: Subject
    keywords: tuple[str, ...] | None = None

    def classes(self, inputs: Sequence[Tensor]) -> Tensor:
        """[n] the class that is explained for each row: the predicted one; 0 where the output has no classes."""
        raw = self._raw(inputs)
        return raw.argmax(1) if raw.ndim == 2 else torch.zeros(len(raw), dtype=torch.int64, device=raw.device)

    def __call__(self, inputs: Sequence[Tensor], classes: Tensor) -> Tensor:
        raw, task = self._raw(inputs), self.subject.task
        if raw.ndim == 2 and raw.shape[1] == 1:
            raw = raw[:, 0]
        if raw.ndim == 1:
            return raw
        if isinstance(task, Binary):
            return raw[:, 1] - raw[:, 0] if self.subject.output == "logits" else raw[:, 1]
        return raw.gather(1, classes[:, None])[:, 0]

    def _raw(self, inputs: Sequence[Tensor]) -> Tensor:
        named = tuple(inputs) if self.keywords is None else dict(zip(self.keywords, inputs, strict=True))
        return torch.as_tensor(self.subject.forward(self.subject.model, named))


def _unit(logits: bool) -> str:
    return "logit" if logits else "probability"
