"""How badly a model's raw output fits the labels, row by row: by it a network is told from its shuffled kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ....models.batch import UNKNOWN
from ....models.subject import Subject
from ....models.task import Binary, Multiclass, Regression
from .question import Question

LEAST = 1e-9  # probability whose logarithm is taken, at least

Loss = Callable[[Tensor, slice], Tensor]
"""(raw output of some rows, which rows these are) → [k] the loss of each, NaN where its label is not known."""


def loss_of(subject: Subject, question: Question, targets: Any) -> Loss | None:
    """The logarithmic loss of decisions, the squared error of values; None where there are no labels, or grades."""
    if targets is None or not isinstance(subject.task, (Binary, Multiclass, Regression)):
        return None
    known = torch.as_tensor(targets)
    number, logits = question.function, subject.output in ("logits", "logit")

    def of_values(raw: Tensor, rows: slice) -> Tensor:
        return (number.read(raw, len(known[rows]), rows).double() - known[rows].to(raw.device)).square()

    def of_chances(raw: Tensor, rows: slice) -> Tensor:
        label = known[rows].to(raw.device)
        if isinstance(subject.task, Binary):
            found = number.read(raw, len(label), rows).double()
            chance = found.sigmoid() if logits else found
            right = torch.where(label == 1, chance, 1 - chance)
        else:
            chances = functional.softmax(raw.double(), 1) if logits else raw.double()
            right = chances.gather(1, label.long().clamp(min=0)[:, None])[:, 0]
        return torch.where(label == UNKNOWN, torch.nan, -right.clamp(min=LEAST).log())

    return of_values if isinstance(subject.task, Regression) else of_chances
