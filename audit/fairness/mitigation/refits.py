"""Mitigation by fitting again: a new subject, decided under a constraint, to audit like any other. Loads no torch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....models.batch import BATCH_ROWS, UNKNOWN
from ....models.design import Design
from ....models.errors import SubjectError
from ....models.labels import to_numpy
from ....models.predictions import PredictionData
from ....models.spec import Data, Tabular
from ....models.subject import Subject
from ....models.task import Binary
from . import borrowed
from .halves import first_half
from .thresholds import drawn

Method = Literal["exponentiated_gradient", "grid_search", "none"]
Constraint = Literal["demographic_parity", "equalized_odds"]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of some data with a model's inputs as plain columns.

    Attributes:
        names: [n] the number of each row; features: [n, columns]; truth: [n] 0, 1 or −1; groups: [n, attributes].
        clusters: [n] or None.
    """

    names: NDArray[np.int64]
    features: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: NDArray[np.int64]
    clusters: NDArray[np.uint64] | None

    def only(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Table:
        clusters = None if self.clusters is None else self.clusters[which]
        return Table(self.names[which], self.features[which], self.truth[which], self.groups[which], clusters)


def reduce(
    subject: Subject,
    estimator: Any,
    *,
    attribute: str,
    method: Method = "exponentiated_gradient",
    constraint: Constraint = "demographic_parity",
    epsilon: float = 0.01,
    most: int = 50,
    seed: int = 0,
) -> Subject:
    """The subject as it would decide if its estimator were fitted so that groups are treated nearly alike.

    It is fitted on the subject's training rows where these are at hand, and decides all its rows; else it is fitted on
    one half of them, parted by the hash of their number, and decides the other half. A mixture of estimators decides
    each row by chance, drawn from the row's number: so every row has one decision, and counts of decisions are those of
    the mixture. The estimator that is given is left as it is.

    Args:
        subject: a binary task with labels and with inputs in columns; its model is not used.
        estimator: fit(X, y, sample_weight=…) and predict(X) -> 0 or 1, as scikit-learn's; of a network
            `gnomon.models.refit.Refit`. X is [n, columns], codes of declared categories as one column a level.
        attribute: the sensitive attribute whose groups are compared.
        method: "exponentiated_gradient", "grid_search" [agarwal2018], or "none": fitted without a constraint, to
            compare with.
        constraint: equal selection rates, or equal true and false positive rates.
        epsilon: how far a group's rate may lie from everyone's on the rows fitted.
        most: refits at most.
        seed: of the halves and of decisions by chance.

    Returns:
        Decisions on rows that were not fitted on, without a model.

    Raises:
        SubjectError: the subject is of another kind, rows are weighted, or too few groups have both labels.

    Example:
        >>> from gnomon import audit
        >>> from gnomon.models import Subject, frames
        >>> from gnomon.models.datasets import simulated
        >>> from sklearn.linear_model import LogisticRegression
        >>> frame = simulated.credit(2_000, seed=0)
        >>> encoding = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex",), one_hot=True)
        >>> parts = {"target": "approved", "encoding": encoding, "task": Binary(), "sensitive": ["sex"]}
        >>> subject = Subject.from_frame("credit", lambda x: x[:, 0], frame, output="logit", **parts)
        >>> made = [reduce(subject, LogisticRegression(), attribute="sex", method=m) for m in ("none", "grid_search")]
        >>> records = [audit.run(one, [audit.Fairness(replicates=0)]) for one in made]
        >>> where = {"attribute": "sex"}
        >>> gaps = [r.find("selection_rate", statistic="difference", where=where).value for r in records]
        >>> gaps[1] < gaps[0]
        True
    """
    place = _place(subject, attribute)
    if method not in (*borrowed.REDUCTIONS, "none") or constraint not in borrowed.CONSTRAINTS:
        raise SubjectError(
            f"method '{method}' with constraint '{constraint}' is not known; methods are "
            f"{', '.join(borrowed.REDUCTIONS)} and none, constraints {' and '.join(borrowed.CONSTRAINTS)}"
        )
    table = _table(subject, subject.data)
    if subject.train is None:
        first = first_half(table.names if table.clusters is None else table.clusters, seed)
        train, held = table.only(first), table.only(~first)
    else:
        train, held = _table(subject, subject.train), table
    train = _learnable(train, place, attribute)
    mixture = _fitted(method, constraint, estimator, train, place, epsilon, most)
    chance = np.zeros(len(held.names))
    for share, one in mixture:
        chance += share * np.asarray(one.predict(held.features), float).reshape(-1)
    decisions = drawn(np.clip(chance, 0, 1), held.names, seed)
    origin = f"{subject.data.origin}; decided anew by {method}" + ("" if method == "none" else f" for {constraint}")
    design = Design(clusters=held.clusters)
    data = PredictionData(held.truth, held.groups, None, decisions, subject.people, "test", origin, design)
    name = subject.name if method == "none" else f"{subject.name}, {method.replace('_', ' ')}"
    return Subject(name=name, data=data, task=subject.task, output="probability", card=subject.card)


def _place(subject: Subject, attribute: str) -> int:
    if not isinstance(subject.task, Binary):
        raise SubjectError(f"subject '{subject.name}' has no binary task; reductions need one")
    names = [who.name for who in subject.people]
    if attribute not in names:
        raise SubjectError(
            f"attribute '{attribute}' is not declared; '{subject.name}' has {', '.join(names) or 'none'}"
        )
    return names.index(attribute)


def _fitted(
    method: str, constraint: str, estimator: Any, train: Table, place: int, epsilon: float, most: int
) -> tuple[tuple[float, Any], ...]:
    if method == "none":
        own = copy.deepcopy(estimator)
        own.fit(train.features, train.truth)
        return ((1.0, own),)
    groups = train.groups[:, place]
    return borrowed.reduction(
        method, constraint, estimator, train.features, train.truth, groups, epsilon=epsilon, most=most
    )


def _learnable(table: Table, place: int, attribute: str) -> Table:
    """Rows with a label and a group, of groups that have both labels."""
    groups = table.groups[:, place]
    kept = (groups != UNKNOWN) & (table.truth != UNKNOWN)
    both = [int(g) for g in np.unique(groups[kept]) if len(np.unique(table.truth[kept & (groups == g)])) == 2]
    if len(both) < 2:
        raise SubjectError(f"fewer than two groups of '{attribute}' have both labels among the rows to fit on")
    return table.only(kept & np.isin(groups, both))


def _table(subject: Subject, data: Data) -> Table:
    parts = list(_batches(subject, data))
    clustered = all(part.clusters is not None for part in parts)
    names = np.concatenate([part.names for part in parts])
    whole = Table(
        names,
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.groups for part in parts]),
        np.concatenate([part.clusters for part in parts if part.clusters is not None]) if clustered else None,
    )
    return whole.only(np.argsort(names, kind="stable"))


def _batches(subject: Subject, data: Data) -> Iterator[Table]:
    for batch in data.batches(BATCH_ROWS):
        if batch.targets is None or not len(batch.inputs):
            missing = "labels" if batch.targets is None else "inputs"
            raise SubjectError(f"the data of '{subject.name}' has no {missing}; fitting again needs both")
        if batch.weights is not None:
            raise SubjectError(f"the rows of '{subject.name}' are weighted; reductions give rows weights of their own")
        inputs = list(batch.inputs.values()) if isinstance(batch.inputs, dict) else list(batch.inputs)
        columns = _columns([to_numpy(x) for x in inputs], subject)
        yield Table(batch.rows, columns, batch.targets.astype(np.int64), batch.groups, batch.clusters)


def _columns(inputs: list[NDArray[Any]], subject: Subject) -> NDArray[np.float64]:
    """[n, columns] numbers as they are; a code of a declared category as one column a level."""
    spec = subject.inputs[0] if len(subject.inputs) == 1 else None
    coded = {
        (feature.input, feature.columns[0]): len(feature.levels)
        for feature in (spec.features if isinstance(spec, Tabular) else ())
        if feature.levels and len(feature.columns) == 1
    }
    found: list[NDArray[np.float64]] = []
    for place, values in enumerate(inputs):
        if values.ndim > 2:
            raise SubjectError(f"input {place} of '{subject.name}' has {values.ndim} axes; reductions take columns")
        for k, column in enumerate(values.reshape(len(values), -1).T):
            levels = coded.get((place, k))
            hot = column[:, None] == np.arange(levels) if levels else column[:, None]
            found.append(hot.astype(np.float64))
    return np.concatenate(found, 1)
