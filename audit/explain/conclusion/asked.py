"""What the methods say of the sampled rows, as tables of numbers; and what the doctor said of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...record import Exhibit
from ..asking import ENUMERABLE
from ..checks.checkup import Checkup
from ..core.result import Attributions, tensors
from ..errors import ExplanationError, IncompleteError
from .quantity import Explained
from .question import Question
from .table import Table
from .tables import nothing

Floats = NDArray[np.float64]
NOISE = 1e-4  # of the output: attributions below it are sums of float32 rounding


def answers(
    question: Question, methods: Sequence[str], words: Explained, *, tolerance: float, budget: int | None
) -> list[tuple[Table, Attributions | None]]:
    """What each method says. Where "auto" chose gradients and they fail, Shapley values are asked for as well."""
    found: list[tuple[Table, Attributions | None]] = []
    for method in methods:
        more = {"tolerance": tolerance, "budget": budget} if method == methods[0] else {}
        found.append(table(question, method, words, **more))
        if method == "auto" and found[-1][1] is None:
            other = "shapley_values" if len(question.groups) <= ENUMERABLE else "kernel_shap"
            found.append(table(question, other, words, **more))
    return found


def table(question: Question, method: str, words: Explained, **more: Any) -> tuple[Table, Attributions | None]:
    """What a method says, or why it says nothing."""
    names, n = question.groups.names, len(question)
    try:
        found = question.ask(method, **more)
    except ExplanationError as refusal:
        residual = np.array(refusal.residual) if isinstance(refusal, IncompleteError) else None
        return replace(nothing(method, refusal.why, words, n), features=names, residual=residual), None
    text = f"{found.method} of the {words.name}, baseline: {question.words}"
    return (
        Table(
            found.method,
            names,
            words.unit,
            words.name,
            text,
            n,
            values=_numbers(found.grouped),
            output=_maybe(found.output),
            baseline_output=_maybe(found.baseline_output),
            residual=_relative(found),
            stderr=_maybe(found.grouped_stderr),
            error=_maybe(found.grouped_error),
            rule=found.rule,
            places={k: _numbers(x).reshape(n, -1) for k, x in enumerate(tensors(found.values))},
            details={k: _plain(v) for k, v in found.details.items()},
        ),
        found,
    )


def checkup(name: str, found: Checkup) -> Exhibit:
    """What the doctor found, for the record."""
    data = {
        "shape": found.shape,
        "ailments": [{"key": a.key, "where": a.where, "why": str(a.why)} for a in found.ailments],
        "refused": {method: str(why) for method, why in found.refused.items()},
        "right": list(found.right),
    }
    return Exhibit(name, "checkup", data)


def _relative(found: Attributions) -> Floats | None:
    """[n]: |Σ φ − (f(x) − f(b))| relative to the larger of Σ |φ| and |f(x) − f(b)|; 0 where nothing moves."""
    if found.completeness is None or found.output is None or found.baseline_output is None:
        return None
    output, baseline = _numbers(found.output), _numbers(found.baseline_output)
    noise = NOISE * np.maximum(np.abs(output), np.abs(baseline))
    size = np.abs(_numbers(found.grouped)).sum(1)
    scale = np.maximum.reduce([size, np.abs(output - baseline), noise])
    missing = np.abs(_numbers(found.completeness))
    return np.divide(missing, scale, out=np.zeros_like(missing), where=scale > 0)


def _numbers(value: Tensor) -> Floats:
    return value.detach().double().cpu().numpy()


def _maybe(value: Tensor | None) -> Floats | None:
    return None if value is None else _numbers(value)


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
