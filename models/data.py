"""Rows in memory: tensors, their targets and their people. Loads no torch before tensors come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN, Batch
from .errors import DataError
from .labels import attribute, code, targets
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
    """

    inputs: Inputs
    targets: NDArray[np.int64] | NDArray[np.float64] | None
    groups: NDArray[np.int64]
    people: tuple[Attribute, ...] = ()
    split: Split = "unknown"
    origin: str = ""

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
) -> TensorData:
    """Rows of tensors.

    Args:
        inputs: one tensor, several positional ones, or named ones; each [n, …].
        target: [n] class codes (−1 = unknown), class names, or numbers; None without labels.
        task: tells how the targets are read.
        groups: attribute -> [n] labels, or `Coded` codes with their levels.
        levels: attribute -> its levels, where they are declared beforehand.
        split: whether these rows were held out from training.
        origin: where they come from, in words.

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
    return TensorData(held, truth, codes, people, split, origin)  # pyright: ignore[reportArgumentType]


def group_codes(
    groups: Mapping[str, Any], n: int, levels: Mapping[str, Sequence[str]] | None = None
) -> tuple[tuple[Attribute, ...], NDArray[np.int64]]:
    """Sensitive columns as attributes and [n, attributes] codes."""
    people: list[Attribute] = []
    codes = np.full((n, len(groups)), UNKNOWN, dtype=np.int64)
    for k, (name, values) in enumerate(groups.items()):
        coded = code(name, values, (levels or {}).get(name))
        if len(coded.codes) != n:
            raise DataError(f"attribute '{name}' has {len(coded.codes)} values for {n} rows; give one a row")
        people.append(attribute(name, coded))
        codes[:, k] = coded.codes
    return tuple(people), codes
