"""Curves of each group for pictures: ROC, precision-recall, calibration, and every gap against the threshold.

Loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...discrimination import thinned
from ...intervals import Floats, wilson
from ...record import Exhibit
from ..table.context import Context
from ..table.groups import Groups
from . import abroca, binned, sweep
from .steps import NEGATIVE, POSITIVE, Steps

CURVES = 25  # groups whose curves are kept, the largest; the others are named
THRESHOLDS = 101
FEW = 21  # thresholds where there are many groups, or many rows in clusters
MANY = 40  # groups
CLUSTERED = 100_000  # rows
DIGITS = 5


def exhibits(groups: Groups, steps: Steps, context: Context) -> Iterator[Exhibit]:
    """The curves of the groups of one attribute: what needs labels only where there are some."""
    kept = _largest(steps)
    if not kept:
        return
    if context.labelled:
        yield _exhibit("roc_by_group", groups, kept, [_roc(steps, k) for k in kept], steps)
        yield _exhibit("precision_recall_by_group", groups, kept, [_precision_recall(steps, k) for k in kept], steps)
        level = context.plan.levels.default
        found = binned.bins(steps)
        each = [_calibration(found[k], level) for k in kept]
        yield _exhibit("calibration_by_group", groups, kept, each, steps, confidence=level)
    yield _sweep(groups, steps, kept, context)


def _largest(steps: Steps) -> list[int]:
    """Places of the groups with most rows, in order; those without rows never."""
    n = steps.total(steps.rows).sum(1)
    first = np.argsort(-n, kind="stable")[:CURVES]
    return sorted(int(k) for k in first if n[k])


def _exhibit(
    kind: str, groups: Groups, kept: list[int], curves: list[dict[str, Any] | None], steps: Steps, **more: Any
) -> Exhibit:
    n = steps.total(steps.rows).sum(1)
    found = [
        {"group": groups.labels[k], "n": int(n[k]), **curve}
        for k, curve in zip(kept, curves, strict=True)
        if curve is not None
    ]
    data = {"curves": found, "groups": len(groups), **more}
    return Exhibit("fairness", kind, data, {"attribute": groups.name})


def _both(steps: Steps, k: int) -> bool:
    first, last = np.searchsorted(steps.group, [k, k + 1])
    return bool((steps.sums[first:last, : POSITIVE + 1].sum(0) > 0).all())


def _roc(steps: Steps, k: int) -> dict[str, Any] | None:
    if not _both(steps, k):
        return None
    false, true = thinned(*abroca.curve(steps, k))
    return {"false_positive_rate": _short(false), "true_positive_rate": _short(true)}


def _precision_recall(steps: Steps, k: int) -> dict[str, Any] | None:
    first, last = np.searchsorted(steps.group, [k, k + 1])
    amounts = steps.sums[first:last][::-1]
    hits = np.cumsum(amounts[:, POSITIVE])
    chosen = hits + np.cumsum(amounts[:, NEGATIVE])
    seen = chosen > 0
    if not len(hits) or hits[-1] <= 0:
        return None
    recall, precision = thinned(hits[seen] / hits[-1], hits[seen] / chosen[seen])
    return {"recall": _short(recall), "precision": _short(precision)}


def _calibration(found: Any, level: float) -> dict[str, Any] | None:
    if found is None:
        return None
    low, high = wilson(found.observed * found.effective, found.effective, level)
    ends = np.fmin(low, found.observed), np.fmax(high, found.observed)
    columns = {"mean_score": found.score, "observed": found.observed, "low": ends[0], "high": ends[1]}
    return {**{name: _short(column) for name, column in columns.items()}, "rows": found.n.astype(int).tolist()}


def _sweep(groups: Groups, steps: Steps, kept: list[int], context: Context) -> Exhibit:
    """Gaps and rates at thresholds from 0 to 1; each ribbon holds at its threshold by itself."""
    few = len(groups) > MANY or (steps.members is not None and len(steps.members.step) > CLUSTERED)
    thresholds = np.linspace(0, 1, FEW if few else THRESHOLDS)
    found = sweep.tables(steps, thresholds)
    gaps, rates = {}, {}
    for metric in sweep.METRICS if context.labelled else sweep.METRICS[:1]:
        level = context.plan.level(metric.name, "difference", groups.gap)
        gap = sweep.gap(metric, found, level)
        columns = {"value": gap.value, "low": gap.low, "high": gap.high}
        pair = {"lowest": gap.lowest.astype(int).tolist(), "highest": gap.highest.astype(int).tolist()}
        gaps[metric.name] = {**{name: _short(column) for name, column in columns.items()}, **pair, "confidence": level}
        value = found.shares(metric).value
        rates[metric.name] = [_short(value[k]) for k in kept]
    data = {
        "thresholds": _short(thresholds),
        "labels": list(groups.labels),
        "groups": [groups.labels[k] for k in kept],
        "in_use": _in_use(context),
        "gaps": gaps,
        "rates": rates,
    }
    return Exhibit("fairness", "threshold_sweep", data, {"attribute": groups.name})


def _in_use(context: Context) -> float | None:
    """The threshold that the decisions were made at; None where no single one made them.

    Any number above the highest rejected score, up to the lowest selected one, is as good: a half where it is among
    them, else the lowest selected score.
    """
    _, columns = context.rows.sorted()
    score, selected = columns["score"], columns["decision"] == 1
    above = float(score[~selected].max()) if not selected.all() else -np.inf
    least = float(score[selected].min()) if selected.any() else np.inf
    if above >= least:
        return None
    return 0.5 if above < 0.5 <= least else least if np.isfinite(least) else None


def _short(values: Floats | NDArray[np.float64]) -> list[float | None]:
    """Numbers with the digits that a picture needs; None for what is undefined."""
    return [round(float(x), DIGITS) if np.isfinite(x) else None for x in values]
