"""From attributions of rows to measures of features: means with intervals, completeness, agreement. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .. import means
from ..criteria import Levels
from ..findings import Finding
from ..measure import Measure, Where, undefined
from ..messages import Message

if TYPE_CHECKING:
    from .methods import Attributions

Floats = NDArray[np.float64]

METHODS = ("integrated_gradients", "feature_ablation")
PAIR = " × ".join(METHODS)
REPLICATES = 2_000  # of the bootstrap: percentiles at 95 % then stand on 50 replicates a side
AGREE = 0.7  # rank correlation from which two methods tell the same story; below, a reader should know
TOP = 3


@dataclass(frozen=True, slots=True)
class Table:
    """What a method says of each row, or why it says nothing.

    Attributes:
        features: names.
        unit: of the attributions.
        explained: what the attributions add up to, in words: "log-odds of >50K".
        text: how the attributions were made, in words.
        found: None exactly when `why` says why.
    """

    method: str
    features: tuple[str, ...]
    unit: str
    explained: str
    text: str
    n: int
    found: Attributions | None
    why: Message | None = None


def feature_measures(name: str, table: Table, levels: Levels) -> list[Measure]:
    """For each feature the mean absolute attribution, and the mean with its sign, with t intervals over rows."""
    places: list[Where] = [{"feature": feature, "method": table.method} for feature in table.features]
    return [
        _mean(name, metric, where, column, table, levels)
        for metric in ("mean_absolute_attribution", "mean_attribution")
        for column, where in enumerate(places or [{"method": table.method}])
    ]


def completeness_measure(name: str, table: Table, residual: Floats | None, levels: Levels, tolerance: float) -> Measure:
    """The median row's completeness residual, with the interval of order statistics [conover1999]."""
    metric, where = "completeness_residual", {"method": table.method}
    level = levels.of(name, metric, "value", where)
    if residual is None:
        why = table.why or Message("too_few_rows", {"n": table.n, "needed": 1})
        return undefined(why, analysis=name, metric=metric, where=where, n=table.n, level=level)
    low, high = median_interval(residual, level)
    quantiles = {f"p{q}": float(np.quantile(residual, q / 100)) for q in (50, 90, 99)}
    nodes = {} if table.found is None or table.found.nodes is None else _counts(table.found.nodes)
    details: dict[str, Any] = {
        "quantiles": {**quantiles, "max": float(residual.max())},
        "beyond": int((residual > tolerance).sum()),
        "tolerance": tolerance,
        "nodes": nodes,
    }
    return Measure(
        analysis=name,
        metric=metric,
        where=where,
        value=float(np.median(residual)),
        low=low,
        high=high,
        level=level,
        method="median over rows, interval of order statistics",
        n=len(residual),
        details=details,
    )


def agreement_measure(name: str, first: Table, second: Table, levels: Levels, seed: int) -> Measure:
    """Spearman's rank correlation of the two methods' mean absolute attributions; bootstrap over rows [efron1993]."""
    metric, where = "rank_agreement", {"method": PAIR}
    level = levels.of(name, metric, "value", where)

    def none(message: str, **parameters: Any) -> Measure:
        why = Message(message, parameters)
        return undefined(why, analysis=name, metric=metric, where=where, n=first.n, level=level)

    for table in (first, second):
        if table.found is None:
            return none("method_undefined", method=table.method)
    assert first.found is not None
    assert second.found is not None
    if len(first.features) < TOP:
        return none("too_few_features", n=len(first.features), needed=TOP)
    a, b = np.abs(first.found.values), np.abs(second.found.values)
    value = float(rank_correlation(a.mean(0)[None], b.mean(0)[None])[0])
    if not np.isfinite(value):
        return none("no_ranking")
    low, high = _bootstrapped(a, b, level, seed)
    tops = [[first.features[k] for k in _ranked(x.mean(0))[:TOP]] for x in (a, b)]
    details = {"top": dict(zip(METHODS, tops, strict=True)), "top_shared": len({*tops[0]} & {*tops[1]})}
    return Measure(
        analysis=name,
        metric=metric,
        where=where,
        value=value,
        low=None if low is None else min(low, value),
        high=None if high is None else max(high, value),
        level=level,
        method=f"Spearman over features; percentile bootstrap over rows, {REPLICATES} replicates",
        n=first.n,
        details=details,
    )


def findings(name: str, table: Table | None, agreement: Measure, measures: Sequence[Measure]) -> list[Finding]:
    """What drives the model, and whether the two methods tell different stories."""
    found = []
    if table is not None and table.found is not None:
        mean = np.abs(table.found.values).mean(0)
        if mean.sum() > 0:
            top = _ranked(mean)[:TOP]
            parameters = {
                "features": [table.features[k] for k in top],
                "method": table.method,
                "shares": [float(mean[k] / mean.sum()) for k in top],
            }
            evidence = tuple(_place(measures, table.features[k], table.method) for k in top)
            found.append(Finding(f"{name}.drivers", "drivers", parameters, evidence=evidence))
    if agreement.high is not None and agreement.high < AGREE:
        parameters = {"agreement": agreement.value, "low": agreement.low, "high": agreement.high}
        evidence = (measures.index(agreement),)
        found.append(
            Finding(f"{name}.methods_disagree", "methods_disagree", parameters, severity="medium", evidence=evidence)
        )
    return found


def median_interval(values: Floats, level: float) -> tuple[float | None, float | None]:
    """The narrowest symmetric pair of order statistics that holds the median at this level; None with too few values.

    >>> median_interval(np.arange(1.0, 101.0), 0.95)
    (40.0, 61.0)
    """
    n = len(values)
    below = int(stats.binom.ppf((1 - level) / 2, n, 0.5)) - 1  # P(X <= below) < (1 - level) / 2
    if below < 0:
        return None, None
    ordered = np.sort(values)
    return float(ordered[below]), float(ordered[n - 1 - below])


def rank_correlation(a: Floats, b: Floats) -> Floats:
    """Spearman's ρ of each row of a [k, features] with the same row of b; NaN where a row is constant."""
    ranked = [stats.rankdata(x, axis=1) for x in (a, b)]
    centred = [x - x.mean(1, keepdims=True) for x in ranked]
    length = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    product = (centred[0] * centred[1]).sum(1)
    return np.clip(np.divide(product, length, out=np.full(len(product), np.nan), where=length > 0), -1, 1)


def _mean(name: str, metric: str, where: Where, column: int, table: Table, levels: Levels) -> Measure:
    level = levels.of(name, metric, "value", where)
    if table.found is None:
        why = table.why or Message("too_few_rows", {"n": table.n, "needed": 1})
        return undefined(why, analysis=name, metric=metric, where=where, n=table.n, unit=table.unit, level=level)
    values = table.found.values[:, column]
    absolute = metric == "mean_absolute_attribution"
    values = np.abs(values) if absolute else values
    value, low, high = float(values.mean()), None, None
    if len(values) > 1:
        value, low, high = means.within(means.mean(values, level), 0.0 if absolute else -np.inf)
    return Measure(
        analysis=name,
        metric=metric,
        where=where,
        value=value,
        low=low,
        high=high,
        level=level,
        method=f"{table.text}; t interval over rows",
        unit=table.unit,
        n=len(values),
    )


def _bootstrapped(a: Floats, b: Floats, level: float, seed: int) -> tuple[float | None, float | None]:
    n = len(a)
    if n < 2:
        return None, None
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=REPLICATES) / n
    found = rank_correlation(drawn @ a, drawn @ b)
    found = found[np.isfinite(found)]
    if not len(found):
        return None, None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ranked(mean: Floats) -> NDArray[np.intp]:
    """Features, the largest first; ties in the order of the features."""
    return np.argsort(-mean, kind="stable")


def _place(measures: Sequence[Measure], feature: str, method: str) -> int:
    where = {"feature": feature, "method": method}
    return next(k for k, m in enumerate(measures) if m.metric == "mean_absolute_attribution" and m.where == where)


def _counts(nodes: NDArray[np.int64]) -> dict[str, int]:
    values, counts = np.unique(nodes, return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}
