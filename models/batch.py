"""One step of the pass: what goes in, what is true, whom it concerns. Loads no torch.

Only `inputs` are tensors. What a row *is* (its number, label, groups) is counted on the host, so audits of plain
tables of predictions need no torch at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

BATCH_ROWS = 4096  # rows of one step of a pass; a step that does not fit in memory is halved
UNKNOWN = -1  # the code of a label or group value that is not known


@dataclass(frozen=True, slots=True)
class Batch:
    """A few rows of a subject's data.

    A row is known by its number in the data, never by its place in the batch: so the same rows are counted, sampled
    and explained however the data is cut, shuffled or sharded.

    Attributes:
        rows: [n] int64, the row's number in the data.
        inputs: each [n, ...]; positional, or keywords as Hugging Face models take them; empty without a model.
        targets: [n], int64 class codes (`UNKNOWN` = no label) or float64 values (NaN = none); None without labels.
        groups: [n, attributes] int64 codes into the declared levels; `UNKNOWN` = not known.
        scores: [n] or [n, classes] float64 where predictions came with the data and no model runs.
        decisions: [n] int64 class codes where only decisions came with the data.
        contents: [n, 2] digests of what each row holds; the pass fills them in, once for all who need them.
        weights: [n] float64, how many rows of the population each stands for; None where each stands for itself.
        clusters: [n] uint64 names of what rows hang together in (a person with many rows); None where none do.
        controls: [n, controls] int64 codes of what comparisons are held fixed in; None where nothing is.
        windows: [n] int64 codes of the time window each row falls in; None without time.
        queries: [n] uint64 names of the query that each row of a ranking answers; None where there is one, or none.
    """

    rows: NDArray[np.int64]
    inputs: tuple[Tensor, ...] | dict[str, Tensor]
    targets: NDArray[np.int64] | NDArray[np.float64] | None
    groups: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None
    decisions: NDArray[np.int64] | None = None
    contents: NDArray[np.uint64] | None = None
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.uint64] | None = None
    controls: NDArray[np.int64] | None = None
    windows: NDArray[np.int64] | None = None
    queries: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.rows)
