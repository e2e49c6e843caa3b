"""Which number of a subject's output is explained, in words. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ....models.task import Binary, Multiclass, Output, Ranking, Regression, Task


@dataclass(frozen=True, slots=True)
class Explained:
    """The explained number, in words, and its unit: "logit", "probability", or that of the regression's value."""

    name: str
    unit: str


def explained(task: Task, output: Output) -> Explained:
    """What is explained of a model with this task and output.

    Two logits are read as their difference: both their log-odds and what one logit says. Of several classes it is the
    one that the model predicts for the row.

    >>> explained(Binary(positive="hired"), "logits")
    Explained(name='log-odds of hired', unit='logit')
    """
    logits = output in ("logits", "logit")
    match task:
        case Regression():
            return Explained("predicted value", task.unit)
        case Ranking():
            return Explained("ranking score", "1")
        case Binary():
            return Explained(("log-odds" if logits else "probability") + f" of {task.positive}", _unit(logits))
        case Multiclass():
            return Explained(("logit" if logits else "probability") + " of the predicted class", _unit(logits))


def _unit(logits: bool) -> str:
    return "logit" if logits else "probability"
