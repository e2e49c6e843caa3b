"""Rows from a dataset or a user's own DataLoader: its dataset and its collate function, in the data's own order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, Subset, default_collate

from .batch import UNKNOWN, Batch
from .data import group_codes
from .errors import DataError
from .labels import code, listed, targets, to_numpy
from .spec import Attribute, Split
from .task import Task

Parts = Callable[[Any], tuple[Any, ...]]
"""A collated batch -> (inputs, targets) or (inputs, targets, groups)."""

_INPUTS = ("inputs", "input", "x")
_TARGETS = ("labels", "label", "targets", "target", "y")
_GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class LoaderData:
    """Rows that a dataset makes when asked.

    Attributes:
        dataset: map-style; or iterable, if `row` is given.
        length: how many rows it has.
        task: tells how targets are read.
        collate: a list of samples -> a batch.
        parts: see `Parts`.
        row: where an iterable's batches carry their row numbers: a key or a place.
        side: [n, attributes] codes that came beside the dataset; None where batches carry their groups.
        workers: processes that load.
        people: the sensitive attributes.
        split: whether the rows were held out.
        origin: where they come from, in words.
    """

    dataset: Any
    length: int
    task: Task
    collate: Callable[[list[Any]], Any]
    parts: Parts
    row: str | int | None
    side: NDArray[np.int64] | None
    workers: int
    people: tuple[Attribute, ...]
    split: Split
    origin: str

    def __len__(self) -> int:
        return self.length

    def batches(self, size: int) -> Iterator[Batch]:
        loader = DataLoader(
            self.dataset,
            batch_size=size,
            collate_fn=self.collate,
            num_workers=self.workers,
            generator=torch.Generator(),  # else every pass draws from the user's global generator
        )
        yield from self._numbered(loader) if self.row is None else self._named(loader, self.row)

    def _numbered(self, loader: DataLoader[Any]) -> Iterator[Batch]:
        start = 0
        for collated in loader:
            batch = self._batch(collated, None, start)
            start += len(batch)
            yield batch

    def _named(self, loader: DataLoader[Any], row: str | int) -> Iterator[Batch]:
        seen = np.zeros(self.length, dtype=bool)
        for collated in loader:
            rows, rest = _take_rows(collated, row)
            _check_rows(rows, seen)
            yield self._batch(rest, rows, 0)
        if not seen.all():
            raise DataError(
                f"the iterable data gave {int(seen.sum()):,} of {self.length:,} rows (row {int((~seen).argmax())} "
                f"never came); it must yield each row once in every pass"
            )

    def _batch(self, collated: Any, rows: NDArray[np.int64] | None, start: int) -> Batch:
        inputs, truth, groups = (*self.parts(collated), None, None)[:3]
        held = _tensors(inputs)
        first = next(iter(held.values() if isinstance(held, dict) else held))
        rows = np.arange(start, start + len(first)) if rows is None else rows
        known = None if truth is None else targets(self.task, truth)
        for what, length in (("row numbers", len(rows)), ("targets", len(first if known is None else known))):
            if length != len(first):
                raise DataError(f"a batch has {len(first)} rows of inputs but {length} {what}; give one a row")
        return Batch(rows, held, known, self._groups(groups, rows))

    def _groups(self, groups: Any, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.side is not None:
            return self.side[rows]
        if groups is None:
            return np.full((len(rows), len(self.people)), UNKNOWN, dtype=np.int64)
        return _coded(groups, self.people, len(rows))


def from_loader(
    source: Any,
    *,
    task: Task,
    groups: Mapping[str, Any] | None = None,
    people: Sequence[Attribute] = (),
    parts: Parts | None = None,
    row: str | int | None = None,
    split: Split = "unknown",
    origin: str = "",
) -> LoaderData:
    """Rows of a map-style dataset, or of the dataset behind a DataLoader.

    The DataLoader's own order and batch size are not used: rows are read from first to last, so that a row is known by
    its place in the dataset. Its collate function and its number of workers are used.

    Args:
        source: a dataset or a DataLoader.
        task: tells how targets are read.
        groups: attribute -> labels of all rows, beside the dataset.
        people: instead, the attributes that batches carry, with all their levels.
        parts: a collated batch -> (inputs, targets) or (inputs, targets, groups). By default pairs and triples are
            taken so, and of a dict: labels (or targets, y), groups, and inputs (or x), else all others as keywords.
        row: for iterable data: the key or the place at which a batch carries its row numbers, 0 to n−1.
        split: whether these rows were held out from training.
        origin: where they come from, in words.

    Raises:
        DataError: the rows have no identity or no number, or groups do not fit them.
    """
    loader = source if isinstance(source, DataLoader) else None
    dataset: Any = source if loader is None else loader.dataset
    if loader is not None and loader.batch_sampler is None:
        raise DataError(
            "the DataLoader has batch_size=None, so its samples are no rows; give one that makes batches of rows"
        )
    length = _length(dataset, row)
    beside, side = group_codes(groups, length) if groups is not None else (tuple(people), None)
    return LoaderData(
        dataset=dataset,
        length=length,
        task=task,
        collate=default_collate if loader is None else loader.collate_fn,
        parts=parts or parts_of,
        row=row,
        side=side,
        workers=0 if loader is None else loader.num_workers,
        people=beside,
        split=split,
        origin=origin or f"the dataset {type(dataset.dataset if isinstance(dataset, Subset) else dataset).__name__}",
    )


def parts_of(collated: Any) -> tuple[Any, ...]:
    """The inputs, targets and groups of a collated pair, triple or dict.

    Raises:
        DataError: the batch is none of these.
    """
    if isinstance(collated, Mapping):
        return _keyed(dict(collated))
    if isinstance(collated, (tuple, list)) and len(collated) in (2, 3):
        return tuple(collated)
    raise DataError(
        f"a batch is {_described(collated)}, not (inputs, targets), (inputs, targets, groups) or a dict; say with "
        f"parts=lambda batch: (inputs, targets) where they are"
    )


def _keyed(batch: dict[str, Any]) -> tuple[Any, ...]:
    truth = next((batch.pop(key) for key in _TARGETS if key in batch), None)
    groups = batch.pop(_GROUPS, None)
    inputs = next((batch[key] for key in _INPUTS if key in batch), batch)
    return inputs, truth, groups


def _length(dataset: Any, row: str | int | None) -> int:
    iterable = isinstance(dataset, IterableDataset)
    if iterable and row is None:
        raise DataError(
            "iterable data has no row numbers, so its rows could not be told apart from pass to pass; let each sample "
            "carry its number (0 to n−1) and say where: row='row' for a dict's key, row=0 for a tuple's place"
        )
    if not hasattr(dataset, "__len__"):
        raise DataError(f"{type(dataset).__name__} does not tell how many rows it has; give it a __len__")
    if len(dataset) == 0:
        raise DataError(f"{type(dataset).__name__} has no rows; give at least one")
    return len(dataset)


def _take_rows(collated: Any, row: str | int) -> tuple[NDArray[np.int64], Any]:
    try:
        rows = to_numpy(collated[row])
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"a batch is {_described(collated)} and has no row numbers at {row!r}; say where with row="
        ) from error
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise DataError(
            f"row numbers at {row!r} are {rows.dtype} of shape {list(rows.shape)}; give one whole number a row"
        )
    if isinstance(collated, Mapping):
        return rows.astype(np.int64), {key: value for key, value in collated.items() if key != row}
    return rows.astype(np.int64), [value for k, value in enumerate(collated) if k != row]


def _check_rows(rows: NDArray[np.int64], seen: NDArray[np.bool_]) -> None:
    outside = (rows < 0) | (rows >= len(seen))
    if outside.any():
        raise DataError(f"row number {rows[outside.argmax()]} is outside 0 to {len(seen) - 1}; number the rows from 0")
    twice = seen[rows] | (np.bincount(rows, minlength=len(seen))[rows] > 1)
    if twice.any():
        raise DataError(
            f"row {rows[twice.argmax()]} came twice in one pass; give each worker its own share of the rows "
            f"(torch.utils.data.get_worker_info), or use num_workers=0"
        )
    seen[rows] = True


def _tensors(inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        held: Any = {key: value for key, value in inputs.items() if isinstance(value, torch.Tensor)}
    else:
        held = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    values = tuple(held.values()) if isinstance(held, dict) else held
    if not values or not all(isinstance(value, torch.Tensor) for value in values):
        raise DataError(
            f"inputs are {_described(inputs)}; give a tensor, several, or a dict of them (by parts= or collate_fn)"
        )
    return held


def _coded(groups: Any, people: tuple[Attribute, ...], n: int) -> NDArray[np.int64]:
    if not people:
        raise DataError("batches carry groups but no attribute is declared; pass people=[Attribute(name, levels), …]")
    columns = groups if isinstance(groups, Mapping) else _columns(groups, people, n)
    codes = np.full((n, len(people)), UNKNOWN, dtype=np.int64)
    for k, one in enumerate(people):
        if one.name not in columns:
            raise DataError(f"groups have no '{one.name}', only {listed(list(columns))}; give every declared attribute")
        codes[:, k] = _column(one, columns[one.name])
    return codes


def _columns(groups: Any, people: tuple[Attribute, ...], n: int) -> dict[str, Any]:
    if len(people) == 1 and len(groups) == n and not hasattr(groups, "ndim"):
        return {people[0].name: groups}
    array = to_numpy(groups)
    table = array[:, None] if array.ndim == 1 else array
    if table.shape != (n, len(people)):
        raise DataError(f"groups have shape {list(array.shape)}; give [{n}, {len(people)}], or a dict by attribute")
    return {one.name: table[:, k] for k, one in enumerate(people)}


def _column(one: Attribute, values: Any) -> NDArray[np.int64]:
    array = to_numpy(values)
    if array.dtype.kind not in "iu":
        return code(one.name, values, one.levels).codes
    wrong = (array < UNKNOWN) | (array >= len(one.levels))
    if wrong.any():
        raise DataError(
            f"attribute '{one.name}' has code {array[wrong.argmax()]}, but {len(one.levels)} levels are declared "
            f"({', '.join(one.levels)}); declare the level, or code unknown rows as -1"
        )
    return array.astype(np.int64)


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict with keys {listed([str(key) for key in value])}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
