"""Rows in memory: tensors, their targets and their people. Loads no torch before tensors come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .batch import Batch
from .design import NOTHING, Design
from .errors import DataError
from .labels import group_codes, targets
from .spec import Attribute, Split
from .task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from .subject import Inputs


@dataclass(frozen=True, slots=True)
class TensorData:
    """Rows whose inputs lie in memory as tensors.

    Attributes:
        inputs: each [n, …], positional or by keyword.
        targets: [n] class codes or values, as in `Batch`; None without labels.
        groups: [n, attributes] int64 codes; `UNKNOWN` = not known.
        people: the sensitive attributes, in the order of the columns of `groups`.
        split: whether the rows were held out.
        origin: where they come from, in words.
        design: weights, clusters, controls, windows and lists, where there are any.
    """

    inputs: Inputs
    targets: NDArray[np.int64] | NDArray[np.float64] | None
    groups: NDArray[np.int64]
    people: tuple[Attribute, ...] = ()
    split: Split = "unknown"
    origin: str = ""
    design: Design = NOTHING

    @property
    def controls(self) -> tuple[Attribute, ...]:
        return self.design.controls

    @property
    def window(self) -> Attribute | None:
        return self.design.window

    def __len__(self) -> int:
        return len(self.groups)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield self._batch(start, min(start + size, len(self)))

    def _batch(self, start: int, stop: int) -> Batch:
        cut = slice(start, stop)
        return Batch(
            rows=np.arange(start, stop),
            inputs={key: value[cut] for key, value in self.inputs.items()}
            if isinstance(self.inputs, dict)
            else tuple(value[cut] for value in self.inputs),
            targets=None if self.targets is None else self.targets[cut],
            groups=self.groups[cut],
            **self.design.batch(cut),
        )


def from_tensors(
    inputs: Tensor | Sequence[Tensor] | Mapping[str, Tensor],
    target: Any,
    *,
    task: Task,
    groups: Mapping[str, Any] | None = None,
    levels: Mapping[str, Sequence[str]] | None = None,
    split: Split = "unknown",
    origin: str = "tensors in memory",
    weights: Any = None,
    clusters: Any = None,
    controls: Mapping[str, Any] | None = None,
    windows: Any = None,
    queries: Any = None,
) -> TensorData:
    """Rows of tensors.

    Args:
        inputs: one tensor, several positional ones, or named ones; each [n, …].
        target: [n] class codes (−1 = unknown), class names, or numbers; None without labels.
        task: tells how the targets are read.
        groups: attribute -> [n] labels, or `Coded` codes with their levels.
        levels: attribute or control -> its levels, where they are declared beforehand.
        split: whether these rows were held out from training.
        origin: where they come from, in words.
        weights: [n] how many rows of the population each stands for, 0 or more.
        clusters: [n] names of what rows hang together in: a person, a household.
        controls: what comparisons are held fixed in -> [n] labels.
        windows: [n] the time window of each row, as `gnomon.models.windows` makes them.
        queries: [n] names of the lists of a ranking.

    Raises:
        DataError: no rows, different lengths, or values that are not declared.
    """
    held = (
        dict(inputs)
        if isinstance(inputs, Mapping)
        else tuple(inputs)
        if isinstance(inputs, (tuple, list))
        else (inputs,)
    )
    lengths = {len(tensor) for tensor in (held.values() if isinstance(held, dict) else held)}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(f"inputs need one length, at least 1 row; got lengths {sorted(lengths)}")
    n = lengths.pop()
    truth = None if target is None else targets(task, target)
    if truth is not None and len(truth) != n:
        raise DataError(f"{n} rows of inputs but {len(truth)} targets; give one target a row")
    people, codes = group_codes(groups or {}, n, levels)
    both = {attribute.name for attribute in people} & set(controls or ())
    if both:
        raise DataError(f"'{both.pop()}' is both a sensitive attribute and a control; name it once")
    design = Design.of_arrays(
        n, weights=weights, clusters=clusters, controls=controls, windows=windows, queries=queries, levels=levels
    )
    return TensorData(held, truth, codes, people, split, origin, design)  # pyright: ignore[reportArgumentType]
