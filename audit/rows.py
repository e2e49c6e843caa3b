"""Scores and decisions row by row, kept beside a record for those who recompute it. Loads no torch."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rows:
    """What the audit saw of each row, without its features.

    Attributes:
        digests: a row's name outside the data: see `digest`.
        scores: [n] or [n, classes]; None where only decisions are known.
        decisions: [n] class codes; None in regression.
        targets: [n] class codes or values; None without labels.
        groups: attribute -> [n] codes into its levels, -1 = not known.
        weights: [n] what each row weighs; None where rows weigh 1.
        clusters: [n] numbers of what rows hang together in; None where rows stand alone.
        controls: control -> [n] codes into its levels.
        windows: [n] codes of time windows; None without time.
        queries: [n] numbers of the lists of a ranking.
    """

    digests: list[str]
    scores: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    targets: NDArray[np.int64] | NDArray[np.float64] | None
    groups: dict[str, NDArray[np.int64]]
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.int64] | None = None
    controls: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    windows: NDArray[np.int64] | None = None
    queries: NDArray[np.int64] | None = None

    def to_parquet(self) -> bytes:
        """As a Parquet file with columns row, score or score_<class>, prediction, target, group:<attribute>, and more.

        Where there are any also control:<control>, weight, cluster, window and query.
        """
        import pyarrow
        import pyarrow.parquet

        columns: dict[str, object] = {"row": self.digests}
        if self.scores is not None:
            wide = self.scores.reshape(len(self.scores), -1)
            names = ["score"] if wide.shape[1] == 1 else [f"score_{k}" for k in range(wide.shape[1])]
            columns.update(zip(names, wide.T.astype(np.float32), strict=True))
        if self.decisions is not None:
            columns["prediction"] = self.decisions
        if self.targets is not None:
            columns["target"] = self.targets
        columns.update({f"group:{name}": codes for name, codes in self.groups.items()})
        columns.update({f"control:{name}": codes for name, codes in self.controls.items()})
        more = {"weight": self.weights, "cluster": self.clusters, "window": self.windows, "query": self.queries}
        columns.update({name: values for name, values in more.items() if values is not None})
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), out, compression="zstd")
        return out.getvalue()


def digest(data: str, row: int) -> str:
    """A row's name outside the data: 12 hex digits of blake2b(digest of the data, row number).

    Whoever has the data finds the row again. It tells nothing of what the row holds; its number can be found by trying.
    """
    return blake2b(f"{data}:{row}".encode(), digest_size=6).hexdigest()
