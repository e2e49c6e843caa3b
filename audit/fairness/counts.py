"""Groups × truth × decision of plain arrays, with labels, for those who have arrays and no model. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DataError
from ...models.labels import cluster_names, row_weights
from ...models.roles import Roles
from .. import state
from ..criteria import Levels
from ..measure import Measure
from .comparison import rates
from .conclusion import conclude
from .table import arrays, storage, streaming, tensors
from .table.context import Axes, Context
from .table.merging import moved, recoded, united
from .table.plan import REPLICATES, Plan

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of each group were truly positive or negative, and decided so.

    Counts of parts merge into the counts of the whole, whatever levels each part happened to hold.

    Attributes:
        axes: the attributes, controls and classes, with their levels.
        table: people × controls × window × truth × decision; the last place of each axis is for what is not known.
        rows: scores, labels and groups of the single rows, where scores were given; else without columns.

    Example:
        >>> counts = Counts.from_arrays([1, 0, 1, 0], [1, 0, 0, 0], {"sex": ["f", "f", "m", "m"]})
        >>> found = counts.frame(replicates=0)
        >>> found[(found.metric == "selection_rate") & (found.statistic == "difference")].value.item()
        0.5
    """

    axes: Axes
    table: state.Counts
    rows: state.Columns = field(default_factory=state.Columns)

    @classmethod
    def from_arrays(
        cls,
        target: Any,
        prediction: Any,
        sensitive: Mapping[str, Any],
        *,
        levels: Mapping[str, Sequence[str]] | None = None,
        positive: object = 1,
        scores: Any = None,
        threshold: float = 0.5,
        weights: Any = None,
        clusters: Any = None,
        controls: Mapping[str, Any] | None = None,
        windows: Any = None,
    ) -> Counts:
        """Count rows.

        Args:
            target: [n] true labels; None, NaN and blank are unknown. None: only what needs no label is measured.
            prediction: [n] decisions, in the same words; None where scores are given: positive from the threshold on.
            sensitive: attribute -> [n] labels; None, NaN and blank are unknown.
            levels: attribute -> its levels, where they are declared; a level without rows is then counted as empty.
            positive: the positive label, or several in a list; every other one is negative. None: every label is a
                class of its own.
            scores: [n] probabilities of the positive label.
            threshold: from which score on a decision is positive.
            weights: [n] how many rows of the population each stands for, 0 or more.
            clusters: [n] names of what rows hang together in: a person, a household.
            controls: control -> [n] labels, as for `sensitive`.
            windows: [n] the time window of each row, as `gnomon.models.windows` makes them; None, NaN, blank: unknown.

        Tensors of whole numbers on one device are counted there, and the table alone is copied to the host.

        Raises:
            DataError: lengths differ, a decision is unknown, the positive label never occurs, a level is not declared,
                a weight is negative or all are 0, a score is no probability.
        """
        given = {"target": target, "prediction": prediction, "scores": scores, "weights": weights}
        n = arrays.length(**given, clusters=clusters, windows=windows)
        bare = scores is None and weights is None and clusters is None and windows is None
        if bare and tensors.together(target, prediction, sensitive, controls or {}):
            return cls(*tensors.count(target, prediction, sensitive, controls or {}, levels, positive))
        score = None if scores is None else arrays.probabilities(scores)
        classes, truth, decided = arrays.classes(target, prediction, score, threshold, positive, n)
        people, groups = arrays.groups(sensitive, n, levels)
        held, strata = arrays.groups(controls or {}, n, levels)
        arrays.apart(people, held)
        time, periods = arrays.groups({} if windows is None else {"window": windows}, n, levels)
        axes = Axes(people, classes, held, *time)
        weight = None if weights is None else row_weights("weights", weights)
        cluster = None if clusters is None else cluster_names("clusters", clusters)
        table = state.Counts.of([*groups, *strata, *periods, truth, decided], axes.sizes, weight, cluster)
        if score is None:
            return cls(axes, table)
        stacked = np.stack([codes.astype(np.int64) for codes in groups], 1) if groups else np.empty((n, 0), np.int64)
        columns: dict[str, NDArray[Any]] = {"score": score, "truth": truth.astype(np.int64), "groups": stacked}
        more = {"decision": decided.astype(np.int64), "weight": weight, "cluster": cluster}
        columns |= {name: column for name, column in more.items() if column is not None}
        return cls(axes, table, state.Columns.of(np.arange(n), **columns))

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        sensitive: Sequence[str],
        target: str | None = None,
        prediction: str | None = None,
        score: str | None = None,
        levels: Mapping[str, Sequence[str]] | None = None,
        positive: object = 1,
        threshold: float = 0.5,
        weight: str | None = None,
        cluster: str | None = None,
        control: Sequence[str] = (),
        window: str | None = None,
        every: str | None = None,
        threads: int = 0,
    ) -> Counts:
        """Count a Parquet, CSV or TSV file in pieces: memory does not grow with the number of rows.

        Single rows are not kept. Scores are counted in 1,024 bins, where rows have no weights and no clusters: what
        follows from them says how far the bins can put it off.

        Args:
            path: the file; the values of a CSV stay text, as `gnomon.models.tables.read_table` has it.
            sensitive: columns of sensitive attributes.
            target: column of labels; prediction: of decisions; score: of probabilities instead of decisions.
            levels: attribute -> its levels, where they are declared.
            positive: the positive label, or several in a list; None: every label is a class of its own.
            threshold: from which score on a decision is positive.
            weight, cluster, control, window: columns of these.
            every: "day", "week", "month", "quarter" or "year", where the window's column holds times.
            threads: how many pieces are counted at once; 0 for one a processor.

        Raises:
            DataError: the file cannot be read so.
        """
        roles = Roles(
            target,
            prediction,
            score,
            tuple(sensitive),
            weight,
            cluster,
            tuple(control),
            window,
            every,
            kind="multiclass" if positive is None else "binary",
        )
        options = {"levels": levels, "positive": positive, "threshold": threshold, "threads": threads}
        return cls(*streaming.count(path, roles, **options))

    def merge(self, other: Counts, /) -> Counts:
        """The counts of both parts; levels are united by their names, in order of the name.

        Raises:
            DataError: the parts have other attributes, controls or classes.
        """
        axes = united(self.axes, other.axes)
        mine, theirs = (moved(part.table, part.axes, axes) for part in (self, other))
        if (mine.weights is None) != (theirs.weights is None) or (mine.clusters is None) != (theirs.clusters is None):
            raise DataError("one part has weights or clusters and the other has none; count both the same way")
        if len(self.table.keys) and len(other.table.keys) and bool(self.rows.parts) != bool(other.rows.parts):
            raise DataError("one part has scores and the other has none; count both the same way")
        binned = any("count" in columns for part in (self, other) for _, columns in part.rows.parts)
        first = recoded(self.rows, self.axes, axes, binned=binned)
        rows = first.merge(recoded(other.rows, other.axes, axes, self.rows.next, binned=binned))
        return Counts(axes, mine.merge(theirs), rows)

    def dump(self, path: Path | str) -> Path:
        """Write the counts to a file of safetensors, whole or not at all; `Counts.load` reads it.

        Raises:
            DataError: the file cannot be written.
        """
        return storage.dump(path, self.axes, self.table, self.rows)

    @classmethod
    def load(cls, path: Path | str) -> Counts:
        """The counts that `dump` wrote; reading runs no code.

        Raises:
            DataError: no such file, another format, or damage.
        """
        return cls(*storage.load(path))

    def context(self, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0, **plan: Any) -> Context:
        """What the parts of the analysis are given; `plan` as in `Plan`."""
        return Context(self.axes, self.table, Plan(replicates, seed, **plan, levels=Levels(level)), self.rows)

    def measures(
        self, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0, **plan: Any
    ) -> tuple[Measure, ...]:
        """Every metric, gap and test, with intervals at that level; `replicates=0` for closed forms only."""
        return conclude(self.context(level, replicates, seed, **plan)).measures

    def frame(self, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0, **plan: Any) -> pandas.DataFrame:
        """The measures as a tidy frame: a row a measure, the columns of `Measure`."""
        return _tidy(self.measures(level, replicates, seed, **plan))

    def rates(self, level: float = 0.95, **plan: Any) -> pandas.DataFrame:
        """As `frame`, the metrics of everyone and of each group alone: what takes a few milliseconds."""
        context = self.context(level, 0, **plan)
        groups = (*context.everyone, *context.groupings)
        return _tidy([measure for each in groups for measure in rates.measures(each, context.plan)])


def _tidy(measures: Sequence[Measure]) -> pandas.DataFrame:
    import pandas

    names = list(Measure.__dataclass_fields__)
    return pandas.DataFrame({name: list(map(attrgetter(name), measures)) for name in names})
