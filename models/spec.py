"""What rows mean: the people they are about, the features they hold, and where they come from. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from .batch import Batch
from .errors import SubjectError

Split = Literal["train", "test", "unknown"]


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
        black: the value of a pixel where nothing is (the baseline of attributions).
        white: the value of a pixel at full intensity.
        input: which of the model's inputs it is.
    """

    height: int
    width: int
    channels: int = 1
    black: float = 0.0
    white: float = 1.0
    input: int = 0


InputSpec = Tabular | Image


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
