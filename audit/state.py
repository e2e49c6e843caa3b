"""Monoids: small states that grow batch by batch and merge in any order. Loads no torch.

Every state has a zero, and `merge` is associative and commutative, so an audit gives the same numbers however its rows
are cut into batches, spread over processes or resumed after a stop. Where floats are summed, rows are put in the order
of their numbers first: the same sums, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    Cell = NDArray[Any] | Tensor


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each combination of codes occurred: a sparse table of any number of axes.

    Each axis has one place more than it has levels: the last counts what is unknown (code -1), so no row is dropped.
    Rows of one cell are counted apart where they differ in weight or in the cluster they belong to: then an entry is a
    (cell, cluster, weight), and whatever resamples rows or clusters later finds them here.

    Attributes:
        shape: levels of each axis, the unknown place included.
        keys: [entries] int64, sorted; the mixed-radix number of each combination that occurred.
        counts: [entries] int64, rows.
        weights: [entries] float64, the weight of each row there; None where rows weigh 1.
        clusters: [entries] uint64, the cluster of the rows there; None where rows stand alone.
    """

    shape: tuple[int, ...]
    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.uint64] | None = None

    @classmethod
    def zero(cls, levels: Sequence[int]) -> Counts:
        shape = tuple(size + 1 for size in levels)
        if prod(shape) >= 2**63:
            raise OverflowError(f"{len(shape)} axes of {shape} levels have more combinations than an int64 can number")
        return cls(shape, np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def of(
        cls,
        codes: Sequence[NDArray[np.integer]],
        levels: Sequence[int],
        weights: NDArray[np.float64] | None = None,
        clusters: NDArray[np.uint64] | None = None,
    ) -> Counts:
        """Count by index, never by order of appearance.

        >>> Counts.of([np.array([0, 1, -1, 1])], [2]).dense().tolist()
        [1, 2, 1]
        """
        zero = cls.zero(levels)
        flat = _flat(codes, zero.shape)
        if weights is not None or clusters is not None:
            return _entries(zero.shape, flat, np.ones(len(flat), np.int64), weights, clusters)
        if prod(zero.shape) <= 4 * len(flat) + 1024:
            return cls.of_table(np.bincount(flat, minlength=prod(zero.shape)), levels)
        keys, counts = np.unique(flat, return_counts=True)
        return cls(zero.shape, keys, counts.astype(np.int64))

    @classmethod
    def of_table(cls, table: NDArray[np.int64], levels: Sequence[int]) -> Counts:
        """The same as a dense table, flat [cells], has it."""
        keys = np.flatnonzero(table)
        return cls(cls.zero(levels).shape, keys, table[keys].astype(np.int64))

    def merge(self, other: Counts, /) -> Counts:
        if not len(self.keys) or not len(other.keys):
            return self if len(self.keys) else other
        return _entries(
            self.shape,
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.counts, other.counts]),
            _both(self.weights, other.weights),
            _both(self.clusters, other.clusters),
        )

    @property
    def sums(self) -> NDArray[np.float64]:
        """[entries], what the rows of each entry weigh together."""
        return self.counts.astype(np.float64) if self.weights is None else self.counts * self.weights

    def codes(self) -> tuple[NDArray[np.int64], ...]:
        """For each axis the code of every entry, the last code being *unknown*."""
        return tuple(np.asarray(axis, np.int64) for axis in np.unravel_index(self.keys, self.shape))

    def sorted(self) -> Counts:
        """The same entries in the order of their keys."""
        return _entries(self.shape, self.keys, self.counts, self.weights, self.clusters)

    def without(self, *axes: int) -> Counts:
        """The same rows counted without some axes."""
        codes, kept = self.codes(), [axis for axis in range(len(self.shape)) if axis not in axes]
        shape = tuple(self.shape[axis] for axis in kept)
        keys = np.ravel_multi_index([codes[axis] for axis in kept], shape).astype(np.int64)
        return _entries(shape, keys, self.counts, self.weights, self.clusters)

    def marginal(self, *axes: int) -> NDArray[np.int64]:
        """The dense table of rows over some axes, in the order given, the others summed."""
        codes = self.codes()
        shape = tuple(self.shape[axis] for axis in axes)
        table = np.zeros(shape, np.int64)
        np.add.at(table, tuple(codes[axis] for axis in axes), self.counts)
        return table

    def dense(self) -> NDArray[np.int64]:
        """The whole table, [levels + 1, …]."""
        return self.marginal(*range(len(self.shape)))

    def cells(self) -> list[list[int]]:
        """[code, …, count] of every combination that occurred, in order."""
        keys, place = np.unique(self.keys, return_inverse=True)
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, place, self.counts)
        return np.stack([*np.unravel_index(keys, self.shape), counts], 1).astype(int).tolist()


def _flat(codes: Sequence[NDArray[np.integer]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The mixed-radix number of each row's combination, in the narrowest type that holds it while it is formed."""
    cells = prod(shape)
    narrow = np.int16 if cells < 2**15 else np.int32 if cells < 2**31 else np.int64
    flat = np.zeros(len(codes[0]), narrow)
    for code, size in zip(codes, shape, strict=True):
        flat *= narrow(size)
        known = code if not len(code) or code.min() >= 0 else np.where(code < 0, size - 1, code)
        flat += known.astype(narrow, copy=False)
    return flat.astype(np.int64, copy=False)


def _entries(
    shape: tuple[int, ...],
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    clusters: NDArray[np.uint64] | None,
) -> Counts:
    """Entries that are alike counted together, in the order of (key, cluster, weight)."""
    columns = [column for column in (weights, clusters, keys) if column is not None]
    order = np.lexsort(columns)
    new = np.ones(len(keys), bool)
    if len(keys):
        new[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    first = order[new]
    totals = np.add.reduceat(counts[order], np.flatnonzero(new)) if len(keys) else counts
    return Counts(
        shape,
        keys[first],
        totals.astype(np.int64),
        None if weights is None else weights[first],
        None if clusters is None else clusters[first],
    )


def _both(mine: Any, theirs: Any) -> Any:
    if (mine is None) != (theirs is None):
        raise ValueError("one part is weighted or clustered and the other is not; count both the same way")
    return None if mine is None else np.concatenate([mine, theirs])


@dataclass(frozen=True, slots=True)
class Columns:
    """Values of every row seen, by name; sorted by row when read, so their order of arrival is forgotten.

    Attributes:
        parts: what each batch brought: ([n] row numbers, name -> [n, ...]).
    """

    parts: tuple[tuple[NDArray[np.int64], Mapping[str, NDArray[Any]]], ...] = ()

    @classmethod
    def of(cls, rows: NDArray[np.int64], **values: NDArray[Any]) -> Columns:
        return cls(((rows, values),)) if len(rows) else cls()

    def merge(self, other: Columns, /) -> Columns:
        return Columns(self.parts + other.parts)

    @property
    def next(self) -> int:
        """One more than the highest row number seen."""
        return max((int(rows.max()) + 1 for rows, _ in self.parts), default=0)

    def sorted(self) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """Row numbers in order, and each column in that order."""
        if not self.parts:
            return np.empty(0, np.int64), {}
        rows = np.concatenate([rows for rows, _ in self.parts])
        order = np.argsort(rows, kind="stable")
        names = self.parts[0][1]
        return rows[order], {name: np.concatenate([part[name] for _, part in self.parts])[order] for name in names}


@dataclass(frozen=True, slots=True)
class Moments:
    """Counts, means and summed squared deviations of some columns [chan1983].

    Attributes:
        n: [k] int64, how many values each column had; NaN values are not counted.
        mean: [k]
        squares: [k], Σ (x − mean)².
    """

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def zero(cls, columns: int) -> Moments:
        return cls(np.zeros(columns, np.int64), np.zeros(columns), np.zeros(columns))

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """The moments of the columns of values [rows, columns]."""
        known = ~np.isnan(values)
        n = known.sum(0)
        mean = np.where(known, values, 0).sum(0) / np.maximum(n, 1)
        return cls(n, mean, np.where(known, (values - mean) ** 2, 0).sum(0))

    def merge(self, other: Moments, /) -> Moments:
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        delta = other.mean - self.mean
        squares = self.squares + other.squares + delta**2 * self.n * share
        return Moments(n, self.mean + delta * share, squares)


@dataclass(frozen=True, slots=True)
class Sample:
    """The k rows with the smallest hash of their row number, and what they carry.

    The same rows are chosen however the data is cut, ordered or sharded [cohen2007].

    Attributes:
        k: how many rows at most.
        seed: another seed is another sample.
        rows: [<= k] int64, in the order of their hashes.
        values: name -> [<= k, ...] arrays or tensors in the same order; none where nothing was seen yet.
    """

    k: int
    seed: int
    rows: NDArray[np.int64]
    values: Mapping[str, Cell]

    @classmethod
    def zero(cls, k: int, seed: int) -> Sample:
        return cls(k, seed, np.empty(0, np.int64), {})

    @classmethod
    def of(cls, rows: NDArray[np.int64], values: Mapping[str, Cell], *, k: int, seed: int) -> Sample:
        return cls(k, seed, rows, values)._smallest()

    def merge(self, other: Sample, /) -> Sample:
        if not len(self.rows) or not len(other.rows):
            return self if len(self.rows) else other
        rows = np.concatenate([self.rows, other.rows])
        values = {name: _joined(value, other.values[name]) for name, value in self.values.items()}
        return Sample(self.k, self.seed, rows, values)._smallest()

    def _smallest(self) -> Sample:
        hashes = hash_rows(self.rows, self.seed)
        order = np.lexsort((self.rows, hashes))[: self.k]
        if len(order) == len(self.rows) and np.array_equal(order, np.arange(len(order))):
            return self
        return Sample(self.k, self.seed, self.rows[order], {n: v[order] for n, v in self.values.items()})


def hash_rows(rows: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """[n] well-mixed 64-bit hashes of row numbers: the finaliser of splitmix64 [steele2014]."""
    with np.errstate(over="ignore"):
        z = rows.astype(np.uint64) + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _joined(a: Any, b: Any) -> Any:
    if isinstance(a, np.ndarray):
        return np.concatenate([a, b])
    import torch

    return torch.cat([a, b])
