"""The rows whose label is known, and what their scores say of it. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import UNKNOWN
from ..models.subject import Subject
from ..models.task import Number, Ranking
from . import calibration, ranking
from .intervals import Floats
from .sampling import Sampling


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labelled rows that weigh anything, in order.

    Attributes:
        targets: [n] class codes or values.
        values: [n] or [n, classes] scores; None where only decisions are known.
        decisions: [n] class codes; None where the output is a number.
        groups: [n, attributes] codes.
        sampling: what each row weighs, and which hang together.
        queries: [n] names of the lists of a ranking.
        weightless: how many more have a label and weigh 0.
    """

    subject: Subject
    targets: NDArray[Any]
    values: Floats | None
    decisions: NDArray[np.int64] | None
    groups: NDArray[np.int64]
    sampling: Sampling
    queries: NDArray[np.uint64] | None = None
    weightless: int = 0

    @classmethod
    def of(cls, subject: Subject, columns: dict[str, NDArray[Any]]) -> Labelled:
        """Those among columns [n] of all rows; none where the data has no labels."""
        targets = columns.get("targets")
        if targets is None:
            nobody = np.empty((0, len(subject.people)), np.int64)
            return cls(subject, np.empty(0), None, None, nobody, Sampling(0))
        known = ~np.isnan(targets) if isinstance(subject.task, Number) else targets != UNKNOWN
        counts = columns.get("weights", np.ones(len(known))) > 0
        kept = known if isinstance(subject.task, Ranking) else known & counts  # a list is ordered with all its rows
        pick = {name: values[kept] for name, values in columns.items()}
        read = pick["targets"], pick.get("values"), pick.get("decisions"), pick["groups"]
        sampling = Sampling(int(kept.sum()), pick.get("weights"), pick.get("clusters"))
        return cls(subject, *read, sampling, pick.get("queries"), int((known & ~kept).sum()))

    @property
    def n(self) -> int:
        return len(self.targets)

    @property
    def right(self) -> NDArray[np.bool_]:
        """[n] whether the decision is what is true."""
        assert self.decisions is not None
        return self.decisions == self.targets

    @property
    def errors(self) -> Floats:
        """[n] value predicted − value."""
        assert self.values is not None
        return self.values - self.targets

    @property
    def chance_of_truth(self) -> Floats:
        """[n] the probability given to the class that is true."""
        assert self.values is not None
        if self.values.ndim == 1:
            return np.where(self.targets == 1, self.values, 1 - self.values)
        return self.values[np.arange(self.n), self.targets]

    @property
    def confidence(self) -> tuple[Floats, NDArray[np.bool_]]:
        """What is calibrated: the positive class' probability; of several classes, that of the class decided on."""
        assert self.values is not None
        if self.values.ndim == 1:
            return self.values, self.targets == 1
        return self.values.max(1), self.right

    @property
    def bins(self) -> calibration.Bins:
        """The rows in bins of their confidence."""
        return calibration.bins(*self.confidence, sampling=self.sampling)

    @property
    def orders(self) -> Floats:
        """[lists] NDCG of each list; NaN where nothing can be ordered."""
        assert self.values is not None
        queries = self.queries
        lists = np.zeros(self.n, np.int64) if queries is None else np.unique(queries, return_inverse=True)[1]
        return ranking.ndcg(ranking.Lists.of(self.values, lists), self.targets)
