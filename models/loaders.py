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
from .errors import DataError
from .labels import Coded, code, group_codes, listed, targets, to_numpy
from .samplers import visited
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
        dataset: the rows that are read; map-style, or iterable if `row` is given.
        places: [n] the numbers of the rows that are read: their places in the user's dataset, ascending.
        task: tells how targets are read.
        collate: a list of samples -> a batch.
        parts: see `Parts`.
        row: where an iterable's batches carry their row numbers: a key or a place.
        side: [rows of the user's dataset, attributes] codes that came beside it; None where batches carry their groups.
        workers: processes that load.
        people: the sensitive attributes.
        split: whether the rows were held out.
        origin: where they come from, in words.
    """

    dataset: Any
    places: NDArray[np.int64]
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
        return len(self.places)

    def batches(self, size: int) -> Iterator[Batch]:
        loader = DataLoader(
            self.dataset,
            batch_size=size,
            collate_fn=self.collate,
            num_workers=self.workers,
            generator=torch.Generator(),  # else every pass draws from the user's global generator
        )
        yield from self._numbered(loader, size) if self.row is None else self._named(loader, self.row)

    def _numbered(self, loader: DataLoader[Any], size: int) -> Iterator[Batch]:
        """Batches in the dataset's order: only if each sample makes one row is a row known by its place."""
        start = 0
        for collated in loader:
            rows = self.places[start : start + size]
            held, truth, groups = self._parted(collated)
            if (given := _rows_of(held)) != len(rows):
                raise DataError(
                    f"the collate function gave {given} rows for {len(rows)} samples; return one row a sample, or "
                    f"leave rows out of the dataset (torch.utils.data.Subset)"
                )
            start += len(rows)
            yield self._batch(rows, held, truth, groups)
        if start != len(self):
            raise DataError(
                f"the dataset gave {start:,} rows but had {len(self):,} when it was declared; let it keep its length"
            )

    def _named(self, loader: DataLoader[Any], row: str | int) -> Iterator[Batch]:
        seen = np.zeros(len(self), dtype=bool)
        for collated in loader:
            rows, rest = _take_rows(collated, row)
            _check_rows(rows, seen)
            yield self._batch(rows, *self._parted(rest))
        if not seen.all():
            raise DataError(
                f"the iterable data gave {int(seen.sum()):,} of {len(self):,} rows (row {int((~seen).argmax())} "
                f"never came); it must yield each row once in every pass"
            )

    def _parted(self, collated: Any) -> tuple[Any, Any, Any]:
        inputs, truth, groups = (*self.parts(collated), None, None)[:3]
        return _tensors(inputs), truth, groups

    def _batch(self, rows: NDArray[np.int64], held: Any, truth: Any, groups: Any) -> Batch:
        n = _rows_of(held)
        known = None if truth is None else targets(self.task, truth)
        for what, length in (("row numbers", len(rows)), ("targets", n if known is None else len(known))):
            if length != n:
                raise DataError(f"a batch has {n} rows of inputs but {length} {what}; give one a row")
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
    its place in the dataset. Which rows its sampler visits (see `samplers.visited`), its collate function and its
    number of workers are used.

    Args:
        source: a dataset or a DataLoader.
        task: tells how targets are read.
        groups: attribute -> labels of all rows, beside the dataset; or of those alone that a subset's sampler visits,
            in the dataset's order.
        people: instead, the attributes that batches carry, with all their levels.
        parts: a collated batch -> (inputs, targets) or (inputs, targets, groups). By default pairs and triples are
            taken so, and of a dict: labels (or targets, y), groups, and inputs (or x) if nothing else is left, else
            all that is left as keywords.
        row: for iterable data: the key or the place at which a batch carries its row numbers, 0 to n−1.
        split: whether these rows were held out from training.
        origin: where they come from, in words.

    Raises:
        DataError: the rows have no identity or no number, groups do not fit them, or the sampler is not understood.
    """
    loader = source if isinstance(source, DataLoader) else None
    dataset: Any = source if loader is None else loader.dataset
    if loader is not None and loader.batch_sampler is None:
        raise DataError(
            "the DataLoader has batch_size=None, so its samples are no rows; give one that makes batches of rows"
        )
    length = _length(dataset, row)
    places = np.arange(length) if loader is None or isinstance(dataset, IterableDataset) else visited(loader, length)
    beside, side = (tuple(people), None) if groups is None else _beside(groups, places, length)
    return LoaderData(
        dataset=dataset if len(places) == length else Subset(dataset, places.tolist()),
        places=places,
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
    alone = len(batch) == 1 and next(iter(batch)) in _INPUTS
    return next(iter(batch.values())) if alone else batch, truth, groups


def _beside(
    groups: Mapping[str, Any], places: NDArray[np.int64], length: int
) -> tuple[tuple[Attribute, ...], NDArray[np.int64]]:
    people: list[Attribute] = []
    side = np.full((length, len(groups)), UNKNOWN, dtype=np.int64)
    for k, (name, values) in enumerate(groups.items()):
        given = len(values.codes if isinstance(values, Coded) else values)
        if given not in (length, len(places)):
            visits = f", of which the sampler visits {len(places):,}" if len(places) < length else ""
            raise DataError(f"attribute '{name}' has {given:,} values for {length:,} rows{visits}; give one a row")
        attributes, codes = group_codes({name: values}, given)
        people += attributes
        side[slice(None) if given == length else places, k] = codes[:, 0]
    return tuple(people), side


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
        held: Any = dict(inputs)
        dropped = [str(key) for key, value in held.items() if not isinstance(value, torch.Tensor)]
        if dropped:
            raise DataError(
                f"a batch has entries that are no tensors, so they would be dropped: {listed(dropped)}; leave them out "
                f"in collate_fn, give groups as '{_GROUPS}', or say with parts= what goes in"
            )
    else:
        held = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    values = tuple(held.values()) if isinstance(held, dict) else held
    if not values or not all(isinstance(value, torch.Tensor) and value.ndim for value in values):
        raise DataError(
            f"inputs are {_described(inputs)}; give a tensor, several, or a dict of them (by parts= or collate_fn), "
            f"each with one row a sample"
        )
    return held


def _rows_of(held: Any) -> int:
    return len(next(iter(held.values() if isinstance(held, dict) else held)))


def _coded(groups: Any, people: tuple[Attribute, ...], n: int) -> NDArray[np.int64]:
    if not people:
        raise DataError("batches carry groups but no attribute is declared; pass people=[Attribute(name, levels), …]")
    columns = groups if isinstance(groups, Mapping) else _columns(groups, people, n)
    codes = np.full((n, len(people)), UNKNOWN, dtype=np.int64)
    for k, one in enumerate(people):
        if one.name not in columns:
            raise DataError(f"groups have no '{one.name}', only {listed(list(columns))}; give every declared attribute")
        found = _column(one, columns[one.name])
        if len(found) != n:
            raise DataError(f"attribute '{one.name}' has {len(found)} values in a batch of {n} rows; give one a row")
        codes[:, k] = found
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
