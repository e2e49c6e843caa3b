"""From attributions of rows to measures of features: means with intervals, completeness, agreement. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ... import means
from ...analysis import Section
from ...criteria import Levels
from ...findings import Finding
from ...measure import Measure, Where, undefined
from ...messages import Message
from .quantity import Explained
from .table import Table
from .texts import Worded, with_words, without_places, word_findings, word_measures

Floats = NDArray[np.float64]

REPLICATES = 2_000  # of the bootstrap: percentiles at 95 % then stand on 50 replicates a side
AGREE = 0.7  # rank correlation from which two methods tell the same story; below, a reader should know
TOP = 3


def nothing(method: str, why: Message, words: Explained, n: int) -> Table:
    """No attributions at all, and why."""
    name = "integrated_gradients" if method == "auto" else method
    return Table(name, (), words.unit, words.name, name, n, why=why)


def section(
    name: str,
    found: Sequence[Table],
    levels: Levels,
    tolerance: float,
    seed: int,
    texts: Sequence[Worded] = (),
) -> Section:
    """What the methods say: each feature's mean attribution, completeness, how far two agree, and what drives.

    Args:
        name: of the analysis.
        found: the tables, the primary method's first and the one that it is compared with last.
        levels: of intervals.
        tolerance: of completeness.
        seed: of the bootstrap.
        texts: inputs whose features are the words of each row; their places are told as words.
    """
    named = [without_places(table, texts) for table in found]
    at = next((k for k, table in enumerate(found[:-1]) if table.values is not None), 0)
    first, second = (with_words(table, texts) for table in (found[at], found[-1]))
    agreement = agreement_measure(name, first, second, levels, seed)
    complete = [completeness_measure(name, table, levels, tolerance) for table in found[:-1]]
    of_words = [m for table in found for text in texts for m in word_measures(name, table, text, levels)]
    measures = [*(m for t in named for m in feature_measures(name, t, levels)), *of_words, *complete, agreement]
    known = next((table for table in named if table.values is not None), None)
    told = findings(name, known, agreement, measures)
    return Section(tuple(measures), findings=(*told, *word_findings(name, of_words, start=_first(measures, of_words))))


def feature_measures(name: str, table: Table, levels: Levels) -> list[Measure]:
    """For each feature the mean absolute attribution, and the mean with its sign, with t intervals over rows."""
    if table.values is not None and not table.features:
        return []
    places: list[Where] = [{"feature": feature, "method": table.method} for feature in table.features]
    return [
        _mean(name, metric, where, column, table, levels)
        for metric in ("mean_absolute_attribution", "mean_attribution")
        for column, where in enumerate(places or [{"method": table.method}])
    ]


def completeness_measure(name: str, table: Table, levels: Levels, tolerance: float) -> Measure:
    """The median row's completeness residual, with the interval of order statistics [conover1999]."""
    metric, where, residual = "completeness_residual", {"method": table.method}, table.residual
    level = levels.of(name, metric, "value", where)
    if residual is None:
        why = table.why or Message("too_few_rows", {"n": table.n, "needed": 1})
        return undefined(why, analysis=name, metric=metric, where=where, n=table.n, level=level)
    low, high = median_interval(residual, level)
    quantiles = {f"p{q}": float(np.quantile(residual, q / 100)) for q in (50, 90, 99)}
    gradients = table.details.get("gradients")
    details: dict[str, Any] = {
        "quantiles": {**quantiles, "max": float(residual.max())},
        "beyond": int((residual > tolerance).sum()),
        "tolerance": tolerance,
        "gradients": {} if gradients is None else _counts(np.asarray(gradients)),
        "rule": table.rule,
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
    metric, where = "rank_agreement", {"method": f"{first.method} × {second.method}"}
    level = levels.of(name, metric, "value", where)

    def none(message: str, **parameters: Any) -> Measure:
        why = Message(message, parameters)
        return undefined(why, analysis=name, metric=metric, where=where, n=first.n, level=level)

    for table in (first, second):
        if table.values is None:
            return none("method_undefined", method=table.method)
    assert first.values is not None
    assert second.values is not None
    if len(first.features) < TOP:
        return none("too_few_features", n=len(first.features), needed=TOP)
    a, b = np.abs(first.values), np.abs(second.values)
    value = float(rank_correlation(a.mean(0)[None], b.mean(0)[None])[0])
    if not np.isfinite(value):
        return none("no_ranking")
    low, high = _bootstrapped(a, b, level, seed)
    tops = [[first.features[k] for k in _ranked(x.mean(0))[:TOP]] for x in (a, b)]
    details = {
        "top": dict(zip((first.method, second.method), tops, strict=True)),
        "top_shared": len({*tops[0]} & {*tops[1]}),
    }
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
    if table is not None and table.values is not None and table.features:
        mean = np.abs(table.values).mean(0)
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


def _first(measures: Sequence[Measure], some: Sequence[Measure]) -> int:
    """Where some measures, which stand together, begin."""
    return next((k for k, m in enumerate(measures) if some and m is some[0]), 0)


def _mean(name: str, metric: str, where: Where, column: int, table: Table, levels: Levels) -> Measure:
    level = levels.of(name, metric, "value", where)
    if table.values is None:
        why = table.why or Message("too_few_rows", {"n": table.n, "needed": 1})
        return undefined(why, analysis=name, metric=metric, where=where, n=table.n, unit=table.unit, level=level)
    values = table.values[:, column]
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
