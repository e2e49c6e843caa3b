"""What is audited: a trained model, the data it is judged on, the people it decides about. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .batch import Batch
from .errors import SubjectError
from .task import OUTPUTS, Output, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    Inputs = tuple[Tensor, ...] | dict[str, Tensor]

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
    """Rows of named columns: input 0, 1, … are [n, columns], float32 numbers or int64 codes."""

    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """Pictures [n, channels, height, width] or [n, height, width], with the range of a pixel's values.

    Attributes:
        black: the value of a pixel where nothing is (the baseline of attributions).
        white: the value of a pixel at full intensity.
    """

    height: int
    width: int
    channels: int = 1
    black: float = 0.0
    white: float = 1.0


InputSpec = Tabular | Image


class Data(Protocol):
    """Rows that can be read again and again, each time the same, each row known by its number.

    Attributes:
        people: the sensitive attributes, in the order of `Batch.groups`' columns.
        split: whether these rows were held out ("test"), trained on ("train"), or no one says ("unknown").
        origin: where the rows come from, in words.
    """

    @property
    def people(self) -> tuple[Attribute, ...]: ...
    @property
    def split(self) -> Split: ...
    @property
    def origin(self) -> str: ...
    def __len__(self) -> int: ...
    def batches(self, size: int, /) -> Iterator[Batch]: ...


@dataclass(frozen=True, slots=True)
class Card:
    """What the owner declares of the model. What is blank is reported as not provided, never guessed."""

    purpose: str = ""
    owner: str = ""
    version: str = ""
    out_of_scope: str = ""
    data: str = ""
    contact: str = ""


def unpack(model: Callable[..., Any], inputs: Inputs) -> Any:
    """Call a model with its inputs: positional or by keyword; of a `ModelOutput` take the logits, of a tuple the first."""
    out = model(**inputs) if isinstance(inputs, dict) else model(*inputs)
    out = getattr(out, "logits", out)
    return out[0] if isinstance(out, (tuple, list)) else out


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is audited.

    Attributes:
        name: how reports call it.
        data: the rows it is judged on, with labels and people.
        task: what it decides.
        model: a module; or a callable, for what needs no gradient; or None where predictions came with the data.
        output: what the model returns. It is probed before the audit, not trusted.
        inputs: what the model's inputs mean, so that attributions have names.
        forward: called as forward(model, inputs), returns the output tensor.
        train: the rows it was trained on, where at hand: train/test overlap is then measured.
        reference: shares of a stated population by attribute, {"sex": {"Female": 0.51, …}}, to compare the data with.
        card: what the owner declares.
    """

    name: str
    data: Data
    task: Task
    model: nn.Module | Callable[..., Any] | None = None
    output: Output = "logits"
    inputs: tuple[InputSpec, ...] = ()
    forward: Callable[[Any, Any], Any] = unpack
    train: Data | None = None
    reference: dict[str, dict[str, float]] = field(default_factory=dict)
    card: Card = field(default_factory=Card)

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise SubjectError(f"output '{self.output}' is not known; say one of {', '.join(OUTPUTS)}")

    @property
    def people(self) -> tuple[Attribute, ...]:
        return self.data.people
