"""The rows an audit rests on: held out or not, twice or not, whom they stand for. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import UNKNOWN, Batch
from ..models.spec import Tabular
from ..models.subject import Subject
from ..models.task import Binary, Number, Scores
from .analysis import HERE, Runtime, Section, unweighted
from .contents import contents_of, digests, missing, shape
from .criteria import Levels
from .findings import Finding, Severity
from .intervals import wilson
from .means import within
from .measure import Measure, Where, column, undefined
from .messages import Message
from .record import Exhibit
from .state import Columns

NAME = "data"
BLANK = ("(missing)", "(other)")  # levels that an encoding gives to blanks and to what training never saw
PASS = 4096  # rows of a step through the training data
DRAWS = 10_000
GRAVE_OVERLAP = 0.01  # share of audited rows from which overlap with training is a grave finding


@dataclass(frozen=True, slots=True)
class Data:
    """What the rows are: the split declared, duplicates, overlap with training, blanks, labels and groups.

    Attributes:
        seed: of the simulated noise behind the interval of the distance from a reference population.
    """

    seed: int = 0
    name: str = NAME

    def zero(self, subject: Subject, /) -> Columns:
        return Columns()

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Columns:
        columns: dict[str, NDArray[Any]] = {"groups": batch.groups, "blank": missing(batch, _places(subject))}
        if batch.inputs:
            columns["contents"] = contents_of(batch)
        if batch.targets is not None and not isinstance(subject.task, Number):
            columns["targets"] = batch.targets
        return Columns.of(batch.rows, **columns)

    def conclude(self, subject: Subject, state: Columns, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        rows, columns = state.sorted()
        n = len(rows)
        repeats = _repeats(n, columns)
        overlap, found = _overlap(subject, n, columns)
        measures = (
            _count("rows", n, n),
            *repeats,
            *overlap,
            *_blanks(subject, n, columns, levels),
            *_labels(subject, columns, levels),
            *_groups(subject, columns, levels, self.seed),
        )
        return Section(
            measures,
            tuple(_exhibits(subject, n, columns, levels.default)),
            (*_split(subject, n), *found),
            _limits(subject),
        )


def _split(subject: Subject, n: int) -> Iterator[Finding]:
    if subject.data.split == "train":
        yield Finding("data.audited_on_training_rows", "audited_on_training_rows", {"n": n}, severity="high")


def _limits(subject: Subject) -> tuple[Message, ...]:
    found = []
    if subject.data.split == "unknown":
        found.append(Message("split_unknown"))
    if subject.model is not None and subject.train is None:
        found.append(Message("no_training_data"))
    if subject.people and not subject.reference:
        found.append(Message("no_reference"))
    return (*found, *unweighted(subject, NAME))


def _repeats(n: int, columns: dict[str, NDArray[Any]]) -> tuple[Measure, ...]:
    if "contents" not in columns:
        return (undefined(Message("no_inputs_given"), analysis=NAME, metric="duplicate_rows", n=n, unit="rows"),)
    return (_count("duplicate_rows", n - len(_keys(columns["contents"])), n),)


def _overlap(
    subject: Subject, n: int, columns: dict[str, NDArray[Any]]
) -> tuple[tuple[Measure, ...], tuple[Finding, ...]]:
    """The share of audited rows whose inputs and label occur in the training rows too: a count, so it is exact."""
    common: dict[str, Any] = {"analysis": NAME, "metric": "train_test_overlap", "n": n}
    if subject.train is None or "contents" not in columns or not n:
        return (undefined(Message("no_training_rows"), **common),), ()
    mine, theirs = (shape(next(iter(data.batches(1)))) for data in (subject.data, subject.train))
    if mine != theirs:
        return (undefined(Message("not_comparable", {"audited": mine, "training": theirs}), **common),), ()
    seen = np.concatenate([_void(digests(batch)) for batch in subject.train.batches(PASS)])
    count = int(np.isin(_void(columns["contents"]), seen).sum())
    share = count / n
    measure = Measure(
        value=share, method="exact match", numerator=count, denominator=n, details={"exact": True}, **common
    )
    if not count:
        return (measure,), ()
    severity: Severity = "high" if share > GRAVE_OVERLAP else "low"
    parameters = {"count": count, "n": n, "share": share}
    # its evidence is the third measure: rows, duplicates, overlap
    return (measure,), (
        Finding("data.train_test_overlap", "train_test_overlap", parameters, severity=severity, evidence=(2,)),
    )


def _blanks(subject: Subject, n: int, columns: dict[str, NDArray[Any]], levels: Levels) -> Iterator[Measure]:
    """Blanks by feature, and rows with any blank by group; then people of whom the group is not known."""
    if not n:
        return
    blank = columns["blank"]
    features = [feature for feature, _ in _blankable(subject)]
    if features:
        rows: NDArray[np.bool_] = np.any(blank, axis=1)
        yield _share("missing_share", int(rows.sum()), n, {}, levels)
        for place, feature in enumerate(features):
            yield _share("missing_share", int(blank[:, place].sum()), n, {"feature": feature}, levels)
        for where, members in _members(subject, columns):
            yield _share("missing_share", int(rows[members].sum()), int(members.sum()), where, levels)
    for axis, attribute in enumerate(subject.people):
        unknown = int((columns["groups"][:, axis] == UNKNOWN).sum())
        yield _share("missing_group_share", unknown, n, {"attribute": attribute.name}, levels)


def _labels(subject: Subject, columns: dict[str, NDArray[Any]], levels: Levels) -> Iterator[Measure]:
    """The share of each class (of two, of the positive one) among labelled rows, of everyone and of each group."""
    if isinstance(subject.task, Number) or "targets" not in columns:
        return
    targets = columns["targets"]
    everyone = np.ones(len(targets), bool)
    classes = list(enumerate(subject.task.classes))[-1 if isinstance(subject.task, Binary) else 0 :]
    for where, members in ({}, everyone), *_members(subject, columns):
        labelled = targets[members & (targets != UNKNOWN)]
        for code, name in classes:
            yield _share("label_share", int((labelled == code).sum()), len(labelled), {**where, "class": name}, levels)


def _groups(subject: Subject, columns: dict[str, NDArray[Any]], levels: Levels, seed: int) -> Iterator[Measure]:
    for axis, attribute in enumerate(subject.people):
        counts = _level_counts(columns, axis, len(attribute.levels))
        known = int(counts.sum())
        stated = subject.reference.get(attribute.name)
        for level, count in zip(attribute.levels, counts.tolist(), strict=True):
            where = {column(attribute.name): level}
            share = _share("group_share", count, known, where, levels)
            yield share
            if stated is not None and share.value is not None:
                yield _beside(share, stated.get(level, 0.0), where, levels)
        if stated is not None and known:
            yield _distance(
                counts, [stated.get(level, 0.0) for level in attribute.levels], attribute.name, levels, seed
            )


def _beside(share: Measure, stated: float, where: Where, levels: Levels) -> Measure:
    """A group's share minus its share in the stated population, which is taken as known."""
    level = levels.of(NAME, "group_share", "difference", where)
    low, high = wilson(share.numerator or 0, share.denominator or 0, level)
    assert share.value is not None
    value = share.value - stated
    return Measure(
        analysis=NAME,
        metric="group_share",
        statistic="difference",
        where=where,
        value=value,
        low=min(float(low) - stated, value),
        high=max(float(high) - stated, value),
        level=level,
        method="wilson",
        n=share.n,
        details={"reference": stated},
    )


def _distance(counts: NDArray[np.int64], stated: list[float], attribute: str, levels: Levels, seed: int) -> Measure:
    """Total variation ½ Σ |share − stated|; by the triangle inequality ± the quantile of its multinomial noise."""
    n = int(counts.sum())
    level = levels.of(NAME, "total_variation", "value", {"attribute": attribute})
    shares = counts / n
    value = float(np.abs(shares - np.array(stated)).sum() / 2)
    draws = np.random.default_rng(seed).multinomial(n, shares, DRAWS) / n
    reach = float(np.quantile(np.abs(draws - shares).sum(1) / 2, level))
    value, low, high = within((value, value - reach, value + reach), 0, 1)
    return Measure(
        analysis=NAME,
        metric="total_variation",
        where={"attribute": attribute},
        value=value,
        low=low,
        high=high,
        level=level,
        method="triangle, multinomial",
        n=n,
    )


def _exhibits(subject: Subject, n: int, columns: dict[str, NDArray[Any]], level: float) -> Iterator[Exhibit]:
    for axis, attribute in enumerate(subject.people if n else ()):
        counts = _level_counts(columns, axis, len(attribute.levels))
        low, high = wilson(counts, counts.sum(), level)
        stated = subject.reference.get(attribute.name)
        data = {
            "level": list(attribute.levels),
            "n": counts.tolist(),
            "share": (counts / max(int(counts.sum()), 1)).tolist(),
            "low": np.nan_to_num(low).tolist(),
            "high": np.nan_to_num(high).tolist(),
            "reference": [None if stated is None else stated.get(level) for level in attribute.levels],
            "confidence": level,
        }
        yield Exhibit(NAME, "group_shares", data, {"attribute": attribute.name})


def _level_counts(columns: dict[str, NDArray[Any]], axis: int, levels: int) -> NDArray[np.int64]:
    if "groups" not in columns:
        return np.zeros(levels, np.int64)
    codes = columns["groups"][:, axis]
    return np.bincount(codes[codes >= 0], minlength=levels).astype(np.int64)


def _members(subject: Subject, columns: dict[str, NDArray[Any]]) -> Iterator[tuple[Where, NDArray[np.bool_]]]:
    for axis, attribute in enumerate(subject.people):
        for code, level in enumerate(attribute.levels):
            yield {column(attribute.name): level}, columns["groups"][:, axis] == code


def _blankable(subject: Subject) -> list[tuple[str, tuple[int, int, tuple[int, ...]]]]:
    """Features that have a level for blanks: their name, and (input, column, codes) to find these by.

    Of a one-hot feature the column of that level is 1.
    """
    found = []
    for spec in subject.inputs:
        for feature in spec.features if isinstance(spec, Tabular) else ():
            codes = tuple(code for code, level in enumerate(feature.levels) if level in BLANK)
            if codes and len(feature.columns) == 1:
                found.append((feature.name, (feature.input, feature.columns[0], codes)))
            elif codes:
                found += [(feature.name, (feature.input, feature.columns[code], (1,))) for code in codes[:1]]
    return found


def _places(subject: Subject) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    return tuple(place for _, place in _blankable(subject))


def _share(metric: str, part: int, whole: int, where: Where, levels: Levels) -> Measure:
    level = levels.of(NAME, metric, "value", where)
    common: dict[str, Any] = {"analysis": NAME, "metric": metric, "where": where, "level": level, "method": "wilson"}
    if not whole:
        return undefined(Message("empty_denominator", {"of": "rows"}), n=0, numerator=part, denominator=0, **common)
    low, high = wilson(part, whole, level)
    ends = {"low": float(low), "high": float(high)}
    return Measure(value=part / whole, n=whole, numerator=part, denominator=whole, **ends, **common)


def _count(metric: str, value: int, n: int) -> Measure:
    return Measure(analysis=NAME, metric=metric, value=value, n=n, unit="rows", method="count", details={"exact": True})


def _void(contents: NDArray[np.uint64]) -> NDArray[Any]:
    """[n, 2] numbers as [n] opaque keys, so that sets of them can be formed."""
    return np.ascontiguousarray(contents).view([("a", np.uint64), ("b", np.uint64)]).reshape(-1)


def _keys(contents: NDArray[np.uint64]) -> NDArray[Any]:
    return np.unique(_void(contents))
