"""What is audited: a trained model, the data it is judged on, the people it decides about. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import SubjectError
from .spec import Attribute, Data, InputSpec, Split
from .task import OUTPUTS, Output, Task

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import Tensor, nn

    from .frames import Encoding

    Inputs = tuple[Tensor, ...] | dict[str, Tensor]


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
    """Call a model with its inputs, positional or by keyword; of a `ModelOutput` the logits, of a tuple the first."""
    out = model(**inputs) if isinstance(inputs, dict) else model(*inputs)
    out = out["logits"] if isinstance(out, Mapping) and "logits" in out else getattr(out, "logits", out)
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
        if not isinstance(self.inputs, tuple):
            kind = type(self.inputs).__name__
            raise SubjectError(
                f"inputs must be a tuple of specs, one for each kind of input, got a {kind}; write (spec,)"
            )

    @property
    def people(self) -> tuple[Attribute, ...]:
        return self.data.people

    @property
    def controls(self) -> tuple[Attribute, ...]:
        """What comparisons are held fixed in: a department, a band of income."""
        return getattr(self.data, "controls", ())

    @property
    def window(self) -> Attribute | None:
        """The time windows that rows fall in, in order."""
        return getattr(self.data, "window", None)

    @classmethod
    def from_frame(
        cls,
        name: str,
        model: nn.Module | Callable[..., Any],
        frame: DataFrame,
        *,
        target: str | None,
        encoding: Encoding,
        task: Task,
        sensitive: Sequence[str] = (),
        output: Output = "logits",
        levels: Mapping[str, Sequence[str]] | None = None,
        split: Split = "unknown",
        origin: str = "a data frame",
        train: DataFrame | None = None,
        card: Card | None = None,
        weight: str | None = None,
        cluster: str | None = None,
        control: Sequence[str] = (),
        window: str | None = None,
        every: str | None = None,
        query: str | None = None,
    ) -> Subject:
        """A model judged on the rows of a table. See `gnomon.models.frames` for the encoding.

        Args:
            name: how reports call it.
            model: takes the inputs that the encoding makes.
            frame: the rows it is judged on.
            target: the column of labels; None without labels.
            encoding: learned on training rows by `frames.fit_encoding`.
            task: what the model decides.
            sensitive: the columns of sensitive attributes.
            output: what the model returns.
            levels: attribute or control -> its levels, where they are declared beforehand.
            split: whether these rows were held out from training.
            origin: where they come from, in words.
            train: the rows it was trained on, where at hand.
            card: what the owner declares.
            weight, cluster, control, window, every, query: columns as in `gnomon.models.frames.from_frame`.

        Raises:
            DataError: the table cannot be read so.
        """
        from .frames import from_frame

        rows = partial(from_frame, encoding=encoding, target=target, sensitive=sensitive, task=task, levels=levels)
        return cls(
            name=name,
            data=rows(
                frame,
                split=split,
                origin=origin,
                weight=weight,
                cluster=cluster,
                control=control,
                window=window,
                every=every,
                query=query,
            ),
            task=task,
            model=model,
            output=output,
            inputs=(encoding.spec,),
            train=None if train is None else rows(train, split="train", origin=origin),
            card=card or Card(),
        )

    @classmethod
    def from_tensors(
        cls,
        name: str,
        model: nn.Module | Callable[..., Any],
        inputs: Tensor | Sequence[Tensor] | Mapping[str, Tensor],
        target: Any,
        *,
        task: Task,
        groups: Mapping[str, Any] | None = None,
        output: Output = "logits",
        spec: tuple[InputSpec, ...] = (),
        levels: Mapping[str, Sequence[str]] | None = None,
        split: Split = "unknown",
        origin: str = "tensors in memory",
        train: Data | None = None,
        card: Card | None = None,
        weights: Any = None,
        clusters: Any = None,
        controls: Mapping[str, Any] | None = None,
        windows: Any = None,
        queries: Any = None,
    ) -> Subject:
        """A model judged on tensors in memory. Arguments as in `gnomon.models.data.from_tensors`; `spec` is `inputs`.

        Raises:
            DataError: lengths differ, or values are not as declared.
        """
        from .data import from_tensors

        data = from_tensors(
            inputs,
            target,
            task=task,
            groups=groups,
            levels=levels,
            split=split,
            origin=origin,
            weights=weights,
            clusters=clusters,
            controls=controls,
            windows=windows,
            queries=queries,
        )
        card = card or Card()
        return cls(name=name, data=data, task=task, model=model, output=output, inputs=spec, train=train, card=card)

    @classmethod
    def from_loader(
        cls,
        name: str,
        model: nn.Module | Callable[..., Any],
        loader: Any,
        *,
        task: Task,
        groups: Mapping[str, Any] | None = None,
        people: Sequence[Attribute] = (),
        output: Output = "logits",
        spec: tuple[InputSpec, ...] = (),
        parts: Callable[[Any], tuple[Any, ...]] | None = None,
        row: str | int | None = None,
        split: Split = "unknown",
        origin: str = "",
        train: Data | None = None,
        card: Card | None = None,
    ) -> Subject:
        """A model judged on a dataset or a DataLoader. Arguments as in `gnomon.models.loaders.from_loader`.

        Raises:
            DataError: rows have no identity, or are not as declared.
        """
        from .loaders import from_loader

        data = from_loader(
            loader, task=task, groups=groups, people=people, parts=parts, row=row, split=split, origin=origin
        )
        card = card or Card()
        return cls(name=name, data=data, task=task, model=model, output=output, inputs=spec, train=train, card=card)

    @classmethod
    def from_predictions(
        cls,
        table: DataFrame | Path | str,
        *,
        target: str | None = None,
        prediction: str | None = None,
        score: str | None = None,
        threshold: float = 0.5,
        sensitive: Sequence[str] = (),
        positive: object = None,
        name: str | None = None,
        levels: Mapping[str, Sequence[str]] | None = None,
        split: Split = "unknown",
        task: str = "binary",
        classes: Sequence[str] | None = None,
        weight: str | None = None,
        cluster: str | None = None,
        control: Sequence[str] = (),
        window: str | None = None,
        every: str | None = None,
        query: str | None = None,
        top: int = 0,
        card: Card | None = None,
    ) -> Subject:
        """A table of predictions, with no model. Arguments as in `gnomon.models.predictions.read_predictions`.

        Raises:
            DataError: the table cannot be read so.
        """
        from .predictions import read_predictions

        data, kind = read_predictions(
            table,
            target=target,
            prediction=prediction,
            score=score,
            threshold=threshold,
            sensitive=sensitive,
            positive=positive,
            levels=levels,
            split=split,
            task=task,
            classes=classes,
            weight=weight,
            cluster=cluster,
            control=control,
            window=window,
            every=every,
            query=query,
            top=top,
        )
        stem = Path(table).name.split(".")[0] if isinstance(table, (str, Path)) else "predictions"
        return cls(name=name or stem, data=data, task=kind, output="probability", card=card or Card())
