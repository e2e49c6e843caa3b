"""Which rows of its dataset a DataLoader visits, where its sampler says so beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, SubsetRandomSampler

from .errors import DataError

_WAY_OUT = "pass torch.utils.data.Subset(dataset, indices) of the rows to audit, or a DataLoader without a sampler"


def visited(loader: DataLoader[Any], length: int) -> NDArray[np.int64]:
    """The rows that a DataLoader of a map-style dataset visits, in the dataset's order.

    A sequential and a random sampler visit all rows, a `SubsetRandomSampler` its indices. Kinds derived from these may
    do otherwise, so they are refused like every other one.

    Args:
        loader: makes batches of rows.
        length: how many rows the dataset has.

    Raises:
        DataError: the sampler does not visit rows once each, or does not say which.
    """
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler:
        raise _refused(batches)
    sampler: Any = batches.sampler
    if type(sampler) is SubsetRandomSampler:
        return _indices(sampler.indices, length)
    if type(sampler) is not SequentialSampler and (type(sampler) is not RandomSampler or sampler.replacement):
        raise _refused(sampler)
    if not len(sampler) == len(sampler.data_source) == length:
        raise DataError(
            f"the DataLoader's {type(sampler).__name__} visits {len(sampler):,} of {len(sampler.data_source):,} rows, "
            f"but the dataset has {length:,}; {_WAY_OUT}"
        )
    return np.arange(length)


def _indices(indices: Any, length: int) -> NDArray[np.int64]:
    rows = np.sort(np.array([int(index) for index in indices], dtype=np.int64))
    if not len(rows):
        raise DataError("the DataLoader's SubsetRandomSampler has no indices; give at least one row")
    for wrong in (int(rows[0]), int(rows[-1])):
        if not 0 <= wrong < length:
            raise DataError(
                f"the DataLoader's SubsetRandomSampler has index {wrong}, outside 0 to {length - 1}; give indices of "
                f"rows of the dataset"
            )
    twice = np.diff(rows) == 0
    if twice.any():
        raise DataError(
            f"the DataLoader's SubsetRandomSampler visits row {int(rows[twice.argmax()])} twice; give each index once"
        )
    return rows


def _refused(sampler: object) -> DataError:
    return DataError(
        f"which rows the DataLoader's {type(sampler).__name__} visits, and how often, is not known beforehand; "
        f"{_WAY_OUT}"
    )
