"""Sounds: windows of time, and in spectrograms bands of frequencies; silence as the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil

import numpy as np
from torch import Tensor

from ....models.spec import Audio
from .located import ill_formed
from .named import Named, cut


def features(spec: Audio, inputs: Sequence[Tensor]) -> list[Named]:
    """Windows of time in order; of a spectrogram each band's, the lowest band first.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    number = int(spec.input)
    shape = _shape(spec, inputs[number])
    places = np.arange(int(np.prod(shape))).reshape(shape)
    bands = cut(shape[1], ceil(shape[1] / spec.bands)) if spec.kind == "spectrogram" else [range(shape[1])]
    found = []
    for band, window in product(bands, cut(shape[2], spec.width(shape[2]))):
        name = _seconds(spec, window)
        if spec.kind == "spectrogram":
            name = f"bands {band[0] + 1}–{band[-1] + 1}, {name}"
        own = places[:, band.start : band.stop, window.start : window.stop]
        found.append(Named(name, number, tuple(own.ravel().tolist())))
    return found


def baselines(spec: Audio, inputs: list[Tensor]) -> None:
    """Make silence, in place."""
    inputs[int(spec.input)].fill_(spec.silence)


def words(spec: Audio) -> str:
    """The baseline in words."""
    return "silence" if spec.silence == 0 else f"silence ({spec.silence:g})"


def _shape(spec: Audio, value: Tensor) -> tuple[int, int, int]:
    """(channels, bands, length); a waveform has one band."""
    shape = tuple(value.shape[1:])
    if spec.kind == "waveform":
        if len(shape) not in (1, 2) or not shape[-1]:
            raise ill_formed(spec, value, "[n, samples] or [n, channels, samples]")
        return (shape[0] if len(shape) == 2 else 1), 1, shape[-1]
    if len(shape) not in (2, 3) or 0 in shape:
        raise ill_formed(spec, value, "[n, bands, frames] or [n, channels, bands, frames]")
    return (shape[0] if len(shape) == 3 else 1), shape[-2], shape[-1]


def _seconds(spec: Audio, window: range) -> str:
    return f"{window.start * spec.step:.3g}–{window.stop * spec.step:.3g} s"
