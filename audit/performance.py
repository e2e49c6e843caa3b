"""How well the model does what it is for, over all rows. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import Batch
from ..models.subject import Subject
from ..models.task import Binary, Number, Ranking, Regression, Scores
from . import calibration, curves, discrimination, means
from .analysis import HERE, Runtime, Section, unweighted
from .criteria import Levels
from .curves import NAME
from .intervals import wilson
from .labelled import Labelled
from .measure import Measure, Where, undefined
from .messages import Message
from .sampling import Sampling
from .state import Columns


@dataclass(frozen=True, slots=True)
class Performance:
    """Accuracy, balanced accuracy, AUC, log loss, Brier score and calibration.

    Of a regression MAE, RMSE, mean error and R²; of a ranking NDCG. Where rows weigh or hang together so do they here:
    every number is that of the weighted rows, every interval that of what was drawn. NDCG alone counts each list once.
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
        more = {"queries": batch.queries, "weights": batch.weights, "clusters": batch.clusters}
        columns |= {name: column for name, column in more.items() if column is not None}
        return Columns.of(batch.rows, **columns)

    def conclude(self, subject: Subject, state: Columns, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        _, columns = state.sorted()
        seen = Labelled.of(subject, columns)
        if isinstance(subject.task, Ranking):
            ndcg = _measure(seen, _Ask("ndcg", _ndcg, {}, drawn=False), levels)
            return Section((ndcg,), limitations=unweighted(subject, NAME))
        limits = (Message("rows_shown", {"analysis": NAME}),) if seen.sampling.weights is not None else ()
        if isinstance(subject.task, Regression):
            return Section(tuple(_regression(seen, levels)), tuple(curves.of_numbers(seen)), limitations=limits)
        exhibits = tuple(curves.of_classes(seen, levels.default))
        return Section(tuple(_classification(seen, levels)), exhibits, limitations=limits)


@dataclass(frozen=True, slots=True)
class _Ask:
    """One metric: what it needs and how it is computed."""

    metric: str
    compute: Callable[[Labelled, float], tuple[means.Interval, str]]
    where: Where
    unit: str = "1"
    needs_scores: bool = True
    needs_classes: bool = False
    rows: int = 2
    details: Callable[[Labelled], dict[str, Any]] | None = None
    drawn: bool = True  # whether weights and clusters matter to it


def _classification(seen: Labelled, levels: Levels) -> Iterator[Measure]:
    asks = [
        _Ask("accuracy", _accuracy, {}, needs_scores=False, rows=1, details=_worth),
        _Ask("balanced_accuracy", _balanced_accuracy, {}, needs_scores=False, needs_classes=True),
        _Ask("auc", _auc, {}, needs_classes=True),
        _Ask("log_loss", _log_loss, {}),
        _Ask("brier_score", _brier, {}),
        _Ask("calibration_in_the_large", _in_the_large, {}),
        _Ask("expected_calibration_error", _ece, {}, details=_uncorrected),
    ]
    for ask in asks:
        yield _measure(seen, ask, levels)


def _regression(seen: Labelled, levels: Levels) -> Iterator[Measure]:
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


def _measure(seen: Labelled, ask: _Ask, levels: Levels) -> Measure:
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
    details = _drawn(seen.sampling) if ask.drawn else {}
    if ask.needs_classes and (absent := _absent(seen)):
        details["undefined"] = absent
    if ask.details is not None:
        details |= ask.details(seen)
    if details:
        common["details"] = details
    (value, low, high), method = ask.compute(seen, level)
    ends = {} if np.isnan(low) else {"low": min(low, value), "high": max(high, value)}
    return Measure(value=value, **ends, method=method, **common)


def _drawn(sampling: Sampling) -> dict[str, Any]:
    """How many unweighted rows these are worth; of clustered ones how many clusters there are."""
    if sampling.clusters is not None:
        return {"clusters": sampling.units}
    return {} if sampling.plain else {"effective_n": round(sampling.worth, 3)}


def _why_not(seen: Labelled, ask: _Ask) -> Message | None:
    if not seen.n:
        return Message("no_weight", {"of": "labelled rows"}) if seen.weightless else Message("no_labels")
    if seen.n < ask.rows:
        return Message("too_few_rows", {"n": seen.n, "needed": ask.rows})
    if ask.needs_scores and seen.values is None:
        return Message("no_scores")
    if ask.needs_classes and len(np.unique(seen.targets)) < 2:
        return Message("one_class")
    if ask.metric == "log_loss" and (impossible := int((seen.chance_of_truth <= 0).sum())):
        return Message("infinite_loss", {"count": impossible, "n": seen.n})
    if ask.metric == "ndcg" and not np.isfinite(seen.orders).any():
        return Message("no_order")
    if ask.metric == "r_squared" and np.ptp(seen.targets) == 0:
        return Message("constant_target")
    return None


def _absent(seen: Labelled) -> list[str]:
    """Classes that no label names: what is a mean over classes leaves them out, and says so."""
    assert not isinstance(seen.subject.task, Number)
    return [name for code, name in enumerate(seen.subject.task.classes) if not (seen.targets == code).any()]


def _accuracy(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    share, worth = seen.sampling.share(seen.right)
    return _around(share, worth, level), f"wilson{seen.sampling.suffix}"


def _worth(seen: Labelled) -> dict[str, Any]:
    if seen.sampling.plain:
        return {}
    return {"effective_n": round(seen.sampling.share(seen.right)[1], 3)}


def _around(share: float, worth: float, level: float) -> means.Interval:
    """A share with Wilson's interval at the effective number of rows."""
    low, high = wilson(share * worth, worth, level)
    # rounding of p · n may put an end on the wrong side of p by the last bit
    return share, min(float(low), share), max(float(high), share)


def _balanced_accuracy(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    assert seen.decisions is not None
    parts = []
    for c in np.unique(seen.targets):
        of_class = seen.targets == c
        parts.append(_around(*seen.sampling.only(of_class).share(seen.right[of_class]), level))
    return means.within(means.together(parts), 0, 1), f"mover-wilson{seen.sampling.suffix}"


def _auc(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    assert seen.values is not None
    if isinstance(seen.subject.task, Binary):
        return discrimination.auc(seen.values, seen.targets == 1, level, seen.sampling)
    found = discrimination.mean_auc(seen.values, seen.targets, level, seen.sampling)
    return found, f"mean one-against-rest, influence function{seen.sampling.manner}"


def _log_loss(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    return _mean(seen, -np.log(seen.chance_of_truth), level, 0)


def _mean(
    seen: Labelled, values: NDArray[np.float64], level: float, least: float = -np.inf
) -> tuple[means.Interval, str]:
    found = means.within(means.mean(values, level, seen.sampling), least)
    return found, f"student-t{seen.sampling.manner}"


def _brier(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    """(p − y)² of a binary task; Σ over classes of several [brier1950]."""
    assert seen.values is not None
    if seen.values.ndim == 1:
        squares = (seen.values - seen.targets) ** 2
    else:
        squares = ((seen.values - np.eye(seen.values.shape[1])[seen.targets]) ** 2).sum(1)
    return _mean(seen, squares, level, 0)


def _in_the_large(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    score, truth = seen.confidence
    return _mean(seen, score - truth, level)


def _ece(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    found = seen.bins
    return calibration.calibration_error(found, level), f"triangle, bias-corrected, {len(found.n)} bins of equal size"


def _uncorrected(seen: Labelled) -> dict[str, Any]:
    return calibration.uncorrected(seen.bins)


def _mae(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    return _mean(seen, np.abs(seen.errors), level, 0)


def _rmse(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    found, method = _mean(seen, seen.errors**2, level)
    return means.root(found), f"{method} of the squares"


def _mean_error(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    return _mean(seen, seen.errors, level)


def _r_squared(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    """1 − Σ e² / Σ (y − ȳ)²; the influence of a row on the ratio θ of the two is (e² − θ (y − ȳ)²) / var y."""
    mean = seen.sampling.mean
    squares, spread = seen.errors**2, (seen.targets - mean(seen.targets)) ** 2
    unexplained = mean(squares) / mean(spread)
    influence = (squares - unexplained * spread) / mean(spread)
    found = means.from_influence(1 - unexplained, influence, level, seen.sampling)
    return means.within(found, -np.inf, 1), f"influence function{seen.sampling.manner}"


def _ndcg(seen: Labelled, level: float) -> tuple[means.Interval, str]:
    """The mean over lists in which something is relevant; a single list has no interval.

    Lists are what is drawn, and each counts once: a row's weight says nothing of its list's.
    """
    weighted = seen.sampling.weights is not None
    found = seen.orders
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return (float(found[0]), float("nan"), float("nan")), "one list"
    return means.within(means.mean(found, level), 0, 1), f"student-t over lists{', unweighted' * weighted}"
