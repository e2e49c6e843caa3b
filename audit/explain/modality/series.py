"""Values over time: a channel's window of steps is a feature, and the channel's mean its baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....models.spec import Series
from .located import ill_formed
from .named import Named, cut


def features(spec: Series, inputs: Sequence[Tensor]) -> list[Named]:
    """Each channel's windows in order, channel by channel.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    number, count = int(spec.input), len(spec.channels)
    steps = _steps(spec, inputs[number])
    return [
        Named(f"{channel}, {_time(spec, window)}", number, tuple(step * count + k for step in window))
        for k, channel in enumerate(spec.channels)
        for window in cut(steps, spec.width(steps))
    ]


def baselines(spec: Series, inputs: list[Tensor]) -> None:
    """Put every channel at its mean over the rows and steps, in place."""
    value = inputs[int(spec.input)]
    _steps(spec, value)
    usual = value.double().reshape(-1, len(spec.channels)).nanmean(0)
    whole = torch.empty_like(value).reshape(-1, len(spec.channels))
    whole[:] = usual.to(value.dtype)
    value.copy_(whole.reshape(value.shape))


def words(_: Series) -> str:
    """The baseline in words."""
    return "each channel's mean over the explained rows and all steps"


def _steps(spec: Series, value: Tensor) -> int:
    shape, count = tuple(value.shape[1:]), len(spec.channels)
    fits = shape[1:] == (count,) or (len(shape) == 1 and count == 1)
    if not fits or not shape[0]:
        raise ill_formed(spec, value, f"[n, steps, {count}]" + (" or [n, steps]" if count == 1 else ""))
    return shape[0]


def _time(spec: Series, window: range) -> str:
    """A window in words: "steps 1–4", "0–6 h"."""
    if spec.unit == "step" and spec.step == 1:
        first, last = window.start + 1, window.stop
        return f"step {first}" if first == last else f"steps {first}–{last}"
    return f"{window.start * spec.step:.4g}–{window.stop * spec.step:.4g} {spec.unit}"
