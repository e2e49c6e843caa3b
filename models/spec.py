"""What rows mean: the people they are about, the features they hold, and where they come from. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal, Protocol

from .batch import Batch
from .errors import SubjectError

Split = Literal["train", "test", "unknown"]
Which = int | str
"""One of a model's inputs: its position, or its keyword."""

WINDOWS, PARTS = 16, 8  # of a sound and of a series, where nothing is asked for: as many as a person can tell apart


@dataclass(frozen=True, slots=True)
class Attribute:
    """A sensitive attribute. Levels are declared beforehand: one without rows is still reported."""

    name: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise SubjectError(f"attribute '{self.name}' needs different levels, got {list(self.levels)}")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column that a person would name.

    Attributes:
        input: which of the model's inputs carries it.
        columns: the columns of that input which belong to it: one number or code, or several of a one-hot.
        levels: the categories, in the order of their codes; empty for a number.
        unit: the unit of a number, where known.
        centre: what was subtracted from a number before the model saw it.
        scale: what it was divided by.
    """

    name: str
    input: int
    columns: tuple[int, ...]
    levels: tuple[str, ...] = ()
    unit: str = ""
    centre: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.input, int):
            raise SubjectError(
                f"feature '{self.name}' has the input {self.input!r}, and it must be a position, also of inputs by "
                "keyword; give 0 for the first"
            )


@dataclass(frozen=True, slots=True)
class Tabular:
    """Rows of columns of different names: input 0, 1, … are [n, columns], float32 numbers or int64 codes."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.features]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise SubjectError(
                f"features need different names, but {', '.join(map(repr, twice))} occur more than once; rename them"
            )


@dataclass(frozen=True, slots=True)
class Image:
    """Pictures [n, channels, height, width] or [n, height, width], with the range of a pixel's values.

    Attributes:
        black: the value of a pixel where nothing is.
        white: the value of a pixel at full intensity.
        input: which of the model's inputs it is.
        baseline: what attributions compare a picture with: a black one, the same one blurred until nothing can be told
            in it, or its own mean colour.
    """

    height: int
    width: int
    channels: int = 1
    black: float = 0.0
    white: float = 1.0
    input: Which = 0
    baseline: Literal["black", "blurred", "mean"] = "black"


@dataclass(frozen=True, slots=True)
class Text:
    """Tokens [n, length] by their ids, int64, padded to one length; or tokens' vectors [n, length, dimension].

    >>> Text(("<pad>", "a", "good", "bad", "film"), padding=0).input
    0

    Attributes:
        tokens: what ids stand for: a tokenizer with `convert_ids_to_tokens`, `decode` and `all_special_ids`, as Hugging
            Face's have; or the tokens themselves in the order of their ids. Empty for vectors.
        input: which of the model's inputs it is.
        mask: the input [n, length] that is 0 at padding, where the model takes one. Attributions leave it as it is.
        padding: the id at places that hold no token; the tokenizer's, if None.
        special: further ids that are nobody's words; those of the tokenizer are known.
        baseline: the id that stands for no word; the tokenizer's mask token, else its padding, if None. Vectors are
            compared with the zero vector.
        embedding: name of the module that looks the ids up. Where it is None it is found; a model that also reads its
            mask off the ids needs it named, so that the mask stays that of the row.
    """

    tokens: Any
    input: Which = 0
    mask: Which | None = None
    padding: int | None = None
    special: tuple[int, ...] = ()
    baseline: int | None = None
    embedding: str | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """Sounds: waveforms [n, samples] or [n, channels, samples], or spectrograms [n, bands, frames].

    Attributes:
        rate: samples a second.
        input: which of the model's inputs it is.
        kind: what the model takes.
        hop: samples from one frame of a spectrogram to the next.
        window: seconds that one attribution is given to; a sixteenth of the sound, if None.
        bands: into how many bands of frequencies a spectrogram is cut.
        silence: the value where nothing is heard: 0 of a waveform, the floor of a spectrogram in decibels.
    """

    rate: float
    input: Which = 0
    kind: Literal["waveform", "spectrogram"] = "waveform"
    hop: int = 1
    window: float | None = None
    bands: int = 8
    silence: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.hop < 1 or self.bands < 1 or (self.window is not None and not self.window > 0):
            raise SubjectError("an Audio's rate, hop, bands and window must be above 0")

    @property
    def step(self) -> float:
        """Seconds from one sample of a waveform, or one frame of a spectrogram, to the next."""
        return (self.hop if self.kind == "spectrogram" else 1) / self.rate

    def width(self, length: int) -> int:
        """Samples or frames of one window of a sound of this length."""
        return ceil(length / WINDOWS) if self.window is None else max(1, round(self.window / self.step))


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time: [n, steps, channels], or [n, steps] of one channel.

    Attributes:
        channels: their names.
        input: which of the model's inputs it is.
        step: time from one step to the next.
        unit: of that time: "h", "day".
        window: steps that one attribution is given to; an eighth of the steps, if None.
    """

    channels: tuple[str, ...]
    input: Which = 0
    step: float = 1.0
    unit: str = "step"
    window: int | None = None

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) < len(self.channels):
            raise SubjectError(f"a Series needs channels of different names, got {list(self.channels)}")
        if self.window is not None and self.window < 1:
            raise SubjectError(f"a Series' window is {self.window} steps, and it must be 1 or more")

    def width(self, steps: int) -> int:
        """Steps of one window of a series of so many."""
        return self.window or ceil(steps / PARTS)


InputSpec = Tabular | Image | Text | Audio | Series


class Data(Protocol):
    """Rows that can be read again and again, each time the same, each row known by its number.

    Attributes:
        people: the sensitive attributes, in the order of `Batch.groups`' columns.
        split: whether these rows were held out ("test"), trained on ("train"), or no one says ("unknown").
        origin: where the rows come from, in words.

    Data that carries more says so by attributes that need not be there: `controls`, the attributes that comparisons are
    held fixed in (the columns of `Batch.controls`), `window`, the time windows (the codes of `Batch.windows`), and
    `weights` and `clusters`, or a `design` that has them, where rows weigh or hang together.
    """

    @property
    def people(self) -> tuple[Attribute, ...]: ...
    @property
    def split(self) -> Split: ...
    @property
    def origin(self) -> str: ...
    def __len__(self) -> int: ...
    def batches(self, size: int, /) -> Iterator[Batch]: ...
