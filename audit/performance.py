"""How well the model does what it is for, over all rows. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import UNKNOWN, Batch
from ..models.subject import Subject
from ..models.task import Binary, Number, Ranking, Regression, Scores
from . import calibration, discrimination, means, ranking
from .analysis import HERE, Runtime, Section, unweighted
from .criteria import Levels
from .intervals import wilson
from .measure import Measure, Where, column, undefined
from .messages import Message
from .record import Exhibit
from .state import Columns

NAME = "performance"
HISTOGRAM = 20  # bins of a score histogram


@dataclass(frozen=True, slots=True)
class Performance:
    """Accuracy, balanced accuracy, AUC, log loss, Brier score and calibration.

    Of a regression MAE, RMSE, mean error and R²; of a ranking NDCG.
    """

    name: str = NAME

    def zero(self, subject: Subject, /) -> Columns:
        return Columns()

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Columns:
        columns: dict[str, NDArray[Any]] = {"groups": batch.groups}
        if batch.targets is not None:
            columns["targets"] = batch.targets
        if scores.values is not None:
            columns["values"] = scores.values
        if scores.decisions is not None:
            columns["decisions"] = scores.decisions
        if batch.queries is not None:
            columns["queries"] = batch.queries
        return Columns.of(batch.rows, **columns)

    def conclude(self, subject: Subject, state: Columns, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        rows, columns = state.sorted()
        seen = _Seen.of(subject, len(rows), columns)
        limits = unweighted(subject, NAME)
        if isinstance(subject.task, Ranking):
            return Section((_measure(seen, _Ask("ndcg", _ndcg, {}), levels),), limitations=limits)
        if isinstance(subject.task, Regression):
            return Section(tuple(_regression(seen, levels)), tuple(_regression_exhibits(seen)), limitations=limits)
        exhibits = tuple(_classification_exhibits(seen, levels.default))
        return Section(tuple(_classification(seen, levels)), exhibits, limitations=limits)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The labelled rows, in order."""

    subject: Subject
    total: int
    targets: NDArray[Any]
    values: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    groups: NDArray[np.int64]
    queries: NDArray[np.uint64] | None = None

    @classmethod
    def of(cls, subject: Subject, total: int, columns: dict[str, NDArray[Any]]) -> _Seen:
        targets = columns.get("targets")
        if targets is None:
            nothing = np.empty(0)
            return cls(subject, total, nothing, None, None, np.empty((0, len(subject.people)), np.int64))
        known = ~np.isnan(targets) if isinstance(subject.task, Number) else targets != UNKNOWN
        pick = {name: values[known] for name, values in columns.items()}
        read = pick["targets"], pick.get("values"), pick.get("decisions"), pick["groups"], pick.get("queries")
        return cls(subject, total, *read)

    @property
    def n(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class _Ask:
    """One metric: what it needs and how it is computed."""

    metric: str
    compute: Callable[[_Seen, float], tuple[means.Interval, str]]
    where: Where
    unit: str = "1"
    needs_scores: bool = True
    needs_classes: bool = False
    rows: int = 2
    details: Callable[[_Seen], dict[str, Any]] | None = None


def _classification(seen: _Seen, levels: Levels) -> Iterator[Measure]:
    asks = [
        _Ask("accuracy", _accuracy, {}, needs_scores=False, rows=1),
        _Ask("balanced_accuracy", _balanced_accuracy, {}, needs_scores=False, needs_classes=True),
        _Ask("auc", _auc, {}, needs_classes=True),
        _Ask("log_loss", _log_loss, {}),
        _Ask("brier_score", _brier, {}),
        _Ask("calibration_in_the_large", _in_the_large, {}),
        _Ask("expected_calibration_error", _ece, {}, details=_uncorrected),
    ]
    for ask in asks:
        yield _measure(seen, ask, levels)


def _regression(seen: _Seen, levels: Levels) -> Iterator[Measure]:
    assert isinstance(seen.subject.task, Regression)
    unit = seen.subject.task.unit
    asks = [
        _Ask("mean_absolute_error", _mae, {}, unit),
        _Ask("root_mean_squared_error", _rmse, {}, unit),
        _Ask("mean_error", _mean_error, {}, unit),
        _Ask("r_squared", _r_squared, {}),
    ]
    for ask in asks:
        yield _measure(seen, ask, levels)


def _measure(seen: _Seen, ask: _Ask, levels: Levels) -> Measure:
    level = levels.of(NAME, ask.metric, "value", ask.where)
    common: dict[str, Any] = {
        "analysis": NAME,
        "metric": ask.metric,
        "where": ask.where,
        "level": level,
        "unit": ask.unit,
        "n": seen.n,
    }
    why = _why_not(seen, ask)
    if why:
        return undefined(why, **common)
    if ask.needs_classes and (absent := _absent(seen)):
        common["details"] = {"undefined": absent}
    if ask.details is not None:
        common["details"] = ask.details(seen)
    (value, low, high), method = ask.compute(seen, level)
    ends = {} if np.isnan(low) else {"low": min(low, value), "high": max(high, value)}
    return Measure(value=value, **ends, method=method, **common)


def _why_not(seen: _Seen, ask: _Ask) -> Message | None:
    if not seen.n:
        return Message("no_labels")
    if seen.n < ask.rows:
        return Message("too_few_rows", {"n": seen.n, "needed": ask.rows})
    if ask.needs_scores and seen.values is None:
        return Message("no_scores")
    if ask.needs_classes and len(np.unique(seen.targets)) < 2:
        return Message("one_class")
    if ask.metric == "log_loss" and (impossible := int((_chance_of_truth(seen) <= 0).sum())):
        return Message("infinite_loss", {"count": impossible, "n": seen.n})
    if ask.metric == "ndcg" and not np.isfinite(_orders(seen)).any():
        return Message("no_order")
    if ask.metric == "r_squared" and np.ptp(seen.targets) == 0:
        return Message("constant_target")
    return None


def _absent(seen: _Seen) -> list[str]:
    """Classes that no label names: what is a mean over classes leaves them out, and says so."""
    assert not isinstance(seen.subject.task, Number)
    return [name for code, name in enumerate(seen.subject.task.classes) if not (seen.targets == code).any()]


def _accuracy(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    right = int((seen.decisions == seen.targets).sum())
    low, high = wilson(right, seen.n, level)
    return (right / seen.n, float(low), float(high)), "wilson"


def _balanced_accuracy(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    assert seen.decisions is not None
    parts = []
    for c in np.unique(seen.targets):
        of_class = seen.targets == c
        right, n = int((seen.decisions[of_class] == c).sum()), int(of_class.sum())
        low, high = wilson(right, n, level)
        parts.append((right / n, float(low), float(high)))
    return means.within(means.together(parts), 0, 1), "mover-wilson"


def _auc(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    assert seen.values is not None
    if isinstance(seen.subject.task, Binary):
        return discrimination.auc(seen.values, seen.targets == 1, level)
    return discrimination.mean_auc(seen.values, seen.targets, level), "mean one-against-rest, influence function"


def _log_loss(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    return means.within(means.mean(-np.log(_chance_of_truth(seen)), level), 0), "student-t"


def _brier(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    """(p − y)² of a binary task; Σ over classes of several [brier1950]."""
    assert seen.values is not None
    if seen.values.ndim == 1:
        squares = (seen.values - seen.targets) ** 2
    else:
        squares = ((seen.values - np.eye(seen.values.shape[1])[seen.targets]) ** 2).sum(1)
    return means.within(means.mean(squares, level), 0), "student-t"


def _in_the_large(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    score, truth = _confidence(seen)
    return means.mean(score - truth, level), "student-t"


def _ece(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    found = calibration.bins(*_confidence(seen))
    return calibration.calibration_error(found, level), f"triangle, bias-corrected, {len(found.n)} bins of equal size"


def _uncorrected(seen: _Seen) -> dict[str, Any]:
    return calibration.uncorrected(calibration.bins(*_confidence(seen)))


def _confidence(seen: _Seen) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What is calibrated: the positive class' probability; of several classes, that of the class decided on."""
    assert seen.values is not None
    assert seen.decisions is not None
    if seen.values.ndim == 1:
        return seen.values, seen.targets == 1
    return seen.values.max(1), seen.decisions == seen.targets


def _chance_of_truth(seen: _Seen) -> NDArray[np.float64]:
    assert seen.values is not None
    if seen.values.ndim == 1:
        return np.where(seen.targets == 1, seen.values, 1 - seen.values)
    return seen.values[np.arange(seen.n), seen.targets]


def _errors(seen: _Seen) -> NDArray[np.float64]:
    assert seen.values is not None
    return seen.values - seen.targets


def _mae(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    return means.within(means.mean(np.abs(_errors(seen)), level), 0), "student-t"


def _rmse(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    return means.root(means.mean(_errors(seen) ** 2, level)), "student-t of the squares"


def _mean_error(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    return means.mean(_errors(seen), level), "student-t"


def _r_squared(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    """1 − Σ e² / Σ (y − ȳ)²; the influence of a row on the ratio θ of the two is (e² − θ (y − ȳ)²) / var y."""
    squares, spread = _errors(seen) ** 2, (seen.targets - seen.targets.mean()) ** 2
    unexplained = float(squares.mean() / spread.mean())
    influence = (squares - unexplained * spread) / spread.mean()
    return means.within(means.from_influence(1 - unexplained, influence, level), -np.inf, 1), "influence function"


def _ndcg(seen: _Seen, level: float) -> tuple[means.Interval, str]:
    """The mean over lists in which something is relevant; a single list has no interval."""
    found = _orders(seen)
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return (float(found[0]), float("nan"), float("nan")), "one list"
    return means.within(means.mean(found, level), 0, 1), "student-t over lists"


def _orders(seen: _Seen) -> NDArray[np.float64]:
    """[lists] NDCG of each list of labelled rows; NaN where nothing can be ordered."""
    assert seen.values is not None
    queries = np.zeros(seen.n, np.int64) if seen.queries is None else np.unique(seen.queries, return_inverse=True)[1]
    return ranking.ndcg(ranking.Lists.of(seen.values, queries), seen.targets)


def _classification_exhibits(seen: _Seen, level: float) -> Iterator[Exhibit]:
    if not seen.n:
        return
    assert not isinstance(seen.subject.task, Number)
    classes = list(seen.subject.task.classes)
    assert seen.decisions is not None
    table = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(table, (seen.targets, seen.decisions), 1)
    yield Exhibit(NAME, "confusion", {"classes": classes, "counts": table.tolist()})
    if seen.values is None:
        return
    yield _calibration_exhibit(seen, level)
    if isinstance(seen.subject.task, Binary):
        if len(np.unique(seen.targets)) == 2:
            false, true = discrimination.roc(seen.values, seen.targets == 1)
            yield Exhibit(NAME, "roc_curve", {"false_positive_rate": false, "true_positive_rate": true})
        yield from _histograms(seen)


def _calibration_exhibit(seen: _Seen, level: float) -> Exhibit:
    found = calibration.bins(*_confidence(seen))
    low, high = wilson(found.hits, found.n, level)
    columns = {"mean_score": found.score, "observed": found.observed, "low": low, "high": high, "n": found.n}
    return Exhibit(
        NAME, "calibration_curve", {**{k: column.tolist() for k, column in columns.items()}, "confidence": level}
    )


def _histograms(seen: _Seen) -> Iterator[Exhibit]:
    assert seen.values is not None
    edges = np.linspace(0, 1, HISTOGRAM + 1)
    yield Exhibit(NAME, "score_histogram", _histogram(seen.values, edges))
    for axis, attribute in enumerate(seen.subject.people):
        for code, level in enumerate(attribute.levels):
            values = seen.values[seen.groups[:, axis] == code]
            yield Exhibit(NAME, "score_histogram", _histogram(values, edges), {column(attribute.name): level})


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    return {"edges": edges.tolist(), "counts": np.histogram(values, edges)[0].tolist()}


def _regression_exhibits(seen: _Seen) -> Iterator[Exhibit]:
    if seen.n and seen.values is not None:
        counts, edges = np.histogram(_errors(seen), HISTOGRAM)
        yield Exhibit(NAME, "residuals", {"edges": edges.tolist(), "counts": counts.tolist()})
