"""What stands beside a row's inputs, label and groups: weight, cluster, controls, window, list. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .labels import attribute, cluster_names, group_codes, row_weights
from .roles import Roles
from .spec import Attribute
from .tables import column
from .windows import windows

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Design:
    """How rows were drawn, and what they are compared within; each is None, or empty, where there is no such thing.

    Attributes:
        controls: what comparisons are held fixed in, and strata: [n, controls] codes of it.
        window: the time windows, and periods: [n] codes of them.
        weights: [n] how many rows of the population each row stands for.
        clusters: [n] names of what rows hang together in.
        queries: [n] names of the lists of a ranking.
    """

    controls: tuple[Attribute, ...] = ()
    strata: NDArray[np.int64] | None = None
    window: Attribute | None = None
    periods: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.uint64] | None = None
    queries: NDArray[np.uint64] | None = None

    @classmethod
    def of_columns(cls, frame: DataFrame, roles: Roles, levels: Mapping[str, Sequence[str]] | None = None) -> Design:
        """The columns of a table that play these parts.

        Raises:
            DataError: a column is missing or holds what its part has no use for.
        """
        weight, cluster, query = roles.weight, roles.cluster, roles.query
        controls, strata = group_codes({name: column(frame, name) for name in roles.control}, len(frame), levels)
        timed = None if roles.window is None else windows(roles.window, column(frame, roles.window), roles.every)
        return cls(
            controls=controls,
            strata=strata if controls else None,
            window=None if timed is None or roles.window is None else attribute(roles.window, timed),
            periods=None if timed is None else timed.codes,
            weights=None if weight is None else row_weights(weight, column(frame, weight)),
            clusters=None if cluster is None else cluster_names(cluster, column(frame, cluster)),
            queries=None if query is None else cluster_names(query, column(frame, query)),
        )

    @classmethod
    def of_arrays(
        cls,
        n: int,
        *,
        weights: Any = None,
        clusters: Any = None,
        controls: Mapping[str, Any] | None = None,
        windows: Any = None,
        queries: Any = None,
        levels: Mapping[str, Sequence[str]] | None = None,
    ) -> Design:
        """Arrays of n values each; `windows` as `gnomon.models.windows` makes them, or names of periods.

        Raises:
            DataError: lengths differ, or an array holds what its part has no use for.
        """
        named: dict[str, Any] = {"weights": weights, "clusters": clusters, "queries": queries}
        for name, values in named.items():
            if values is not None and len(values) != n:
                raise DataError(f"{n} rows of inputs but {len(values)} {name}; give one a row")
        held, strata = group_codes(controls or {}, n, levels)
        time, periods = group_codes({} if windows is None else {"window": windows}, n, levels)
        return cls(
            controls=held,
            strata=strata if held else None,
            window=time[0] if time else None,
            periods=periods[:, 0] if time else None,
            weights=None if weights is None else row_weights("weights", weights),
            clusters=None if clusters is None else cluster_names("clusters", clusters),
            queries=None if queries is None else cluster_names("queries", queries),
        )

    def batch(self, cut: slice) -> dict[str, Any]:
        """What a `Batch` of these rows holds of it."""
        columns = {
            "weights": self.weights,
            "clusters": self.clusters,
            "controls": self.strata,
            "windows": self.periods,
            "queries": self.queries,
        }
        return {name: None if values is None else values[cut] for name, values in columns.items()}


NOTHING = Design()
