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

    Attributes:
        shape: levels of each axis, the unknown place included.
        keys: [cells] int64, sorted; the mixed-radix number of each combination that occurred.
        counts: [cells] int64.
    """

    shape: tuple[int, ...]
    keys: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def zero(cls, levels: Sequence[int]) -> Counts:
        shape = tuple(size + 1 for size in levels)
        if prod(shape) >= 2**63:
            raise OverflowError(f"{len(shape)} axes of {shape} levels have more combinations than an int64 can number")
        return cls(shape, np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def of(cls, codes: Sequence[NDArray[np.int64]], levels: Sequence[int]) -> Counts:
        """Count by index, never by order of appearance.

        >>> Counts.of([np.array([0, 1, -1, 1])], [2]).dense().tolist()
        [1, 2, 1]
        """
        zero = cls.zero(levels)
        flat = np.zeros(len(codes[0]), np.int64)
        for code, size in zip(codes, zero.shape, strict=True):
            flat = flat * size + np.where(code < 0, size - 1, code)
        if prod(zero.shape) <= 4 * len(flat) + 1024:
            table = np.bincount(flat, minlength=prod(zero.shape))
            keys = np.flatnonzero(table)
            return cls(zero.shape, keys, table[keys].astype(np.int64))
        keys, counts = np.unique(flat, return_counts=True)
        return cls(zero.shape, keys, counts.astype(np.int64))

    def merge(self, other: Counts, /) -> Counts:
        keys, place = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        return Counts(self.shape, keys, counts)

    def marginal(self, *axes: int) -> NDArray[np.int64]:
        """The dense table over some axes, in the order given, the others summed."""
        codes = np.unravel_index(self.keys, self.shape)
        shape = tuple(self.shape[axis] for axis in axes)
        table = np.zeros(shape, np.int64)
        np.add.at(table, tuple(codes[axis] for axis in axes), self.counts)
        return table

    def dense(self) -> NDArray[np.int64]:
        """The whole table, [levels + 1, …]."""
        return self.marginal(*range(len(self.shape)))

    def cells(self) -> list[list[int]]:
        """[code, …, count] of every combination that occurred, in order."""
        return np.stack([*np.unravel_index(self.keys, self.shape), self.counts], 1).astype(int).tolist()


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
