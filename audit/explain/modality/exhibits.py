"""A handful of rows of texts, sounds and series, and what their outputs rest on, for reports to draw. Loads no torch.

What a row holds (its words, its sound, its values) goes into the record only where the audit was asked to show rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Audio, InputSpec, Series, Text
from ...record import Exhibit
from .tokens import Floats, Words, numbered, words_of

DIGITS = 4  # significant digits of a number that is drawn: more are not seen, and make a record large
BINS = 240  # samples or frames of a sound that are drawn, at most
BANDS = 64  # bands of a spectrogram that are drawn, at most

Chosen = Sequence[tuple[int, Mapping[str, Any]]]
"""(place in the sample, what is told of the row: number, score, decision, target, reason)"""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Attributions of features, with what is known of their error.

    Attributes:
        values: [n, features].
        stderr: of sampling, likewise; None where nothing was sampled.
        error: numerical, likewise; None where there is none to estimate.
    """

    values: Floats
    stderr: Floats | None = None
    error: Floats | None = None

    def of_features(self, columns: slice) -> Amounts:
        """Some of the features."""
        return self._each(lambda values: values[:, columns])

    def of_words(self, words: Words) -> Amounts:
        """Pieces added up to words; their errors too, which is the most that these can come to."""
        return self._each(words.summed)

    def _each(self, change: Callable[[Floats], Floats]) -> Amounts:
        stderr, error = (None if x is None else change(x) for x in (self.stderr, self.error))
        return Amounts(change(self.values), stderr, error)

    def of_row(self, k: int, shape: tuple[int, ...]) -> dict[str, Any]:
        """A row's first numbers in this shape, as an exhibit has them."""
        size = int(np.prod(shape))

        def shaped(values: Floats | None) -> Any:
            return None if values is None else rounded(np.asarray(values[k][:size], np.float64).reshape(shape))

        return {"attributions": shaped(self.values), "stderr": shaped(self.stderr), "error": shaped(self.error)}


def single_rows(
    name: str,
    head: Mapping[str, Any],
    chosen: Chosen,
    parts: Sequence[tuple[InputSpec, slice]],
    inputs: Sequence[NDArray[Any]],
    amounts: Amounts,
    *,
    raw: bool,
) -> tuple[Exhibit, ...]:
    """The chosen rows of all declared texts, sounds and series; tables and pictures have exhibits of their own.

    Args:
        name: of the analysis.
        head: what is true of all rows: method, explained.
        chosen: the rows.
        parts: each declaration and which features are its, as `declared.parts` gives them.
        inputs: what went into the model, each [n, …] in the shape that it has there.
        amounts: of all declared features.
        raw: whether what the rows hold is shown.
    """
    found = []
    for spec, columns in parts:
        own = amounts.of_features(columns)
        if isinstance(spec, Text):
            words = words_in(spec, inputs)
            found.append(attribution_tokens(name, head, chosen, words, own.of_words(words), raw=raw))
        elif isinstance(spec, Audio):
            sounds = inputs[int(spec.input)]
            found.append(attribution_spectrograms(name, head, chosen, spec, sounds, own, raw=raw))
        elif isinstance(spec, Series):
            found.append(attribution_series(name, head, chosen, spec, inputs[int(spec.input)], own, raw=raw))
    return tuple(found)


def attribution_tokens(
    name: str, head: Mapping[str, Any], chosen: Chosen, words: Words, amounts: Amounts, *, raw: bool
) -> Exhibit:
    """The chosen texts, word by word; the words themselves only if `raw`.

    Args:
        name: of the analysis.
        head: what is true of all rows: method, explained.
        chosen: the rows.
        words: of all rows of the sample.
        amounts: of words, as `words.summed` and `by_row` give them.
        raw: whether words are shown.
    """
    rows = [
        {
            **told,
            "words": list(words.texts[k]) if raw else None,
            **amounts.of_row(k, (len(words.texts[k]),)),
        }
        for k, told in chosen
    ]
    return Exhibit(name, "attribution_tokens", {**head, "rows": rows})


def attribution_spectrograms(
    name: str,
    head: Mapping[str, Any],
    chosen: Chosen,
    spec: Audio,
    sounds: NDArray[Any],
    amounts: Amounts,
    *,
    raw: bool,
) -> Exhibit:
    """The chosen sounds, window by window, and of spectrograms band by band; what is heard only if `raw`.

    Args:
        name: of the analysis.
        head: what is true of all rows: method, explained.
        chosen: the rows.
        spec: the declaration.
        sounds: [n, …] what went into the model, in the shape that it has there.
        amounts: of the declared features, in their order.
        raw: whether the sound's outline (and loudness, of a spectrogram) is shown.
    """
    width, window = sounds.shape[-1], spec.width(sounds.shape[-1])
    bands = ceil(sounds.shape[-2] / ceil(sounds.shape[-2] / spec.bands)) if spec.kind == "spectrogram" else 1
    shape = (bands, ceil(width / window))
    rows = [{**told, **amounts.of_row(k, shape), **_heard(spec, sounds[k], raw=raw)} for k, told in chosen]
    seconds = {"seconds": width * spec.step, "window": window * spec.step}
    return Exhibit(name, "attribution_spectrograms", {**head, "kind": spec.kind, **seconds, "rows": rows})


def attribution_series(
    name: str,
    head: Mapping[str, Any],
    chosen: Chosen,
    spec: Series,
    values: NDArray[Any],
    amounts: Amounts,
    *,
    raw: bool,
) -> Exhibit:
    """The chosen series, channel by channel and window by window; the values only if `raw`.

    Args:
        name: of the analysis.
        head: what is true of all rows: method, explained.
        chosen: the rows.
        spec: the declaration.
        values: [n, steps, channels] or [n, steps], what went into the model.
        amounts: of the declared features, in their order.
        raw: whether values are shown.
    """
    count, steps = len(spec.channels), values.shape[1]
    window = spec.width(steps)
    shape = (count, ceil(steps / window))
    rows = [
        {
            **told,
            **amounts.of_row(k, shape),
            "values": rounded(values[k].reshape(steps, count).T.astype(np.float64)) if raw else None,
        }
        for k, told in chosen
    ]
    time = {"step": spec.step, "unit": spec.unit, "steps": steps, "window": window}
    return Exhibit(name, "attribution_series", {**head, "channels": list(spec.channels), **time, "rows": rows})


def rounded(values: Floats) -> Any:
    """Nested lists of numbers to four significant digits."""
    if values.ndim > 1:
        return [rounded(part) for part in values]
    return [float(f"{x:.{DIGITS}g}") for x in values]


def words_in(spec: Text, inputs: Sequence[NDArray[Any]]) -> Words:
    """The words of the rows of a text input; of vectors, which have none, their places."""
    ids, mask = inputs[int(spec.input)], None if spec.mask is None else inputs[int(spec.mask)]
    if ids.ndim == 3:
        return numbered(np.ones(ids.shape[:2], bool) if mask is None else mask != 0)
    return words_of(spec, ids.astype(np.int64), mask)


def _heard(spec: Audio, sound: NDArray[Any], *, raw: bool) -> dict[str, Any]:
    """How far a waveform swings, and how loud a spectrogram is from 0 to 1, over time."""
    if not raw:
        return {"envelope": None, "loudness": None}
    if spec.kind == "waveform":
        flat = np.abs(sound.astype(np.float64) - spec.silence).reshape(-1, sound.shape[-1]).max(0)
        return {"envelope": rounded(_pooled(flat[None], 1, BINS, np.max)[0]), "loudness": None}
    loud = _pooled(sound.astype(np.float64).reshape(-1, *sound.shape[-2:]).mean(0), BANDS, BINS, np.mean)
    span = loud.max() - loud.min()
    return {"envelope": None, "loudness": rounded((loud - loud.min()) / (span or 1))}


def _pooled(field: Floats, most_high: int, most_wide: int, pool: Any) -> Floats:
    """A field [height, width] with at most so many lines and columns, neighbours taken together."""
    lines = np.array_split(field, min(most_high, len(field)), axis=0)
    field = np.stack([pool(part, axis=0) for part in lines])
    columns = np.array_split(field, min(most_wide, field.shape[1]), axis=1)
    return np.stack([pool(part, axis=1) for part in columns], 1)
