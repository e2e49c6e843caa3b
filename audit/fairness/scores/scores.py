"""What scores say of groups beyond decisions: ranking, calibration, and how both differ. Loads no torch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.plan import Plan
from ..table.streaming import BINS
from . import abroca, binned, estimates, score_curves, spans
from .estimates import Estimate
from .steps import NEGATIVE, POSITIVE, Scored, Steps

MOST = 100  # combinations of levels up to which scores of combinations are measured
UNLABELLED: tuple[Callable[[Steps], Estimate], ...] = (estimates.mean_score,)
LABELLED: tuple[Callable[[Steps], Estimate], ...] = (
    estimates.auc,
    estimates.average_precision,
    binned.calibration_error,
    estimates.brier_score,
    estimates.calibration_in_the_large,
)
GAPS = ("auc", "mean_score", "calibration_in_the_large", "expected_calibration_error")
"""What groups are compared in: average precision and Brier score move with the base rate, so their gap says little."""


def section(context: Context) -> Section:
    """Numbers of each group, their gaps, ABROCA; of single attributes the curves too. Binary scores only."""
    rows, columns = context.rows.sorted()
    if not len(rows) or len(context.axes.classes) != 2:
        return Section()
    scored = Scored.of(
        columns["score"].astype(np.float64),
        columns["truth"],
        columns["groups"],
        columns.get("weight"),
        columns.get("cluster"),
        columns.get("count"),
    )
    measures: list[Measure] = []
    exhibits = []
    for groups, steps in _groupings(context, scored):
        found = _of_groups(groups, steps, context)
        measures += found if scored.count is None else _of_bins(list(found), groups, steps)
        if len(groups.attributes) == 1:
            exhibits += score_curves.exhibits(groups, steps, context)
    limits = () if scored.count is None else (Message("scores_in_bins", {"bins": BINS}),)
    return Section(tuple(measures), tuple(exhibits), limitations=limits)


def _of_bins(found: list[Measure], groups: Groups, steps: Steps) -> Iterator[Measure]:
    """Numbers of scores that were counted in bins, with how far the bins can put them off."""
    hidden = dict(zip(map(str, groups.places), steps.hidden().tolist(), strict=True))
    for m in found:
        if m.value is None or m.statistic != "value" or m.metric not in ("auc", "mean_score"):
            yield m
            continue
        off = hidden[str(m.where)] if m.metric == "auc" else 1 / (2 * BINS)
        yield replace(m, details={**m.details, "bins": BINS, "off_by_at_most": off})


def _groupings(context: Context, scored: Scored) -> Iterator[tuple[Groups, Steps]]:
    people = context.axes.people
    for groups in context.groupings:
        if len(groups.attributes) > 1 and len(groups) > MOST:
            continue
        code = np.zeros(len(scored.score), np.int64)
        known = np.ones(len(scored.score), bool)
        for attribute in groups.attributes:
            own = scored.groups[:, people.index(attribute)]
            known &= own >= 0
            code = code * len(attribute.levels) + own
        yield groups, scored.steps(np.where(known, code, -1), len(groups))


def _of_groups(groups: Groups, steps: Steps, context: Context) -> Iterator[Measure]:
    plan, held = context.plan, (steps.total(steps.rows), steps.total(steps.sums))
    for compute in (*UNLABELLED, *(LABELLED if context.labelled else ())):
        found = compute(steps)
        why = [missing(found.needs, *held, k, plan.minimum) for k in range(len(groups))]
        yield from _values(groups, found, why, steps, plan)
        if found.metric in GAPS:
            yield _gap(groups, found, why, steps, plan)
    if context.labelled:
        yield from _abroca(groups, steps, held, plan)


def missing(
    needs: tuple[tuple[str, tuple[int, ...]], ...], rows: Floats, sums: Floats, k: int, minimum: int = 0
) -> Message | None:
    """Why group k has no such number, by the rows and weights [groups, 3] of each truth; None where it has one."""
    for of, truths in needs:
        n = int(rows[k, list(truths)].sum())
        if not n:
            return Message("empty_denominator", {"of": of})
        if sums[k, list(truths)].sum() <= 0:
            return Message("no_weight", {"of": of})
        if n < minimum:
            return Message("below_minimum", {"count": n, "of": of, "minimum": minimum})
    return None


def _n(found: Estimate, steps: Steps) -> NDArray[np.int64]:
    """[groups] rows behind the number: those with a label, or all."""
    kept = [0, 1] if found.metric != "mean_score" else [0, 1, 2]
    return steps.total(steps.rows)[:, kept].sum(1).astype(np.int64)


def _values(groups: Groups, found: Estimate, why: list[Message | None], steps: Steps, plan: Plan) -> Iterator[Measure]:
    n, levels = _n(found, steps), [plan.level(found.metric, "value", place) for place in groups.places]
    asked = {level: found.ends(level) for level in set(levels)}
    for k, (place, level) in enumerate(zip(groups.places, levels, strict=True)):
        common: dict[str, Any] = {"analysis": "fairness", "metric": found.metric, "where": place, "level": level}
        common |= {"n": int(n[k]), "method": found.methods[k]}
        reason = why[k]
        if reason is not None:
            yield undefined(reason, **common)
            continue
        value, (low, high) = float(found.value[k]), (float(end[k]) for end in asked[level])
        # rounding may put an end on the wrong side of the value by the last bit
        ends = {"low": min(max(low, float(found.least)), value), "high": max(min(high, float(found.most)), value)}
        yield Measure(value=value, **ends, details=found.details[k] if found.details else {}, **common)


def _gap(groups: Groups, found: Estimate, why: list[Message | None], steps: Steps, plan: Plan) -> Measure:
    kept = np.array([reason is None for reason in why])
    n = _n(found, steps)
    common = _common(groups, found.metric, "difference", int(n.sum()), plan)
    absent = [label for label, one in zip(groups.labels, kept, strict=True) if not one]
    if kept.sum() < 2:
        of = Message("one_level", {"attribute": groups.name, "of": _needed(found)})
        return undefined(of, details={"undefined": absent}, **common)
    gap = spans.span(found, common["level"], kept)
    details = _pair(groups, n, gap.lowest, gap.highest, int(kept.sum()), absent)
    return Measure(value=gap.value, low=gap.low, high=gap.high, method=gap.method, details=details, **common)


def _abroca(groups: Groups, steps: Steps, held: tuple[Floats, Floats], plan: Plan) -> Iterator[Measure]:
    """The area between the ROC curves of the pair furthest apart, and what chance makes of it."""
    needs = (("positives", (POSITIVE,)), ("negatives", (NEGATIVE,)))
    kept = np.array([missing(needs, *held, k, plan.minimum) is None for k in range(len(groups))])
    n = steps.total(steps.rows)[:, :2].sum(1).astype(np.int64)
    common = _common(groups, "abroca", "value", int(n.sum()), plan)
    chance = _common(groups, "abroca", "expected_by_chance", int(n.sum()), plan)
    absent = [label for label, one in zip(groups.labels, kept, strict=True) if not one]
    if kept.sum() < 2:
        why = Message("one_level", {"attribute": groups.name, "of": "positives and negatives"})
        yield undefined(why, details={"undefined": absent}, **common)
        return
    found = abroca.widest(steps, kept)
    seed = zlib.crc32(f"abroca {groups.name} {plan.seed}".encode())
    width, method = abroca.reach(steps, kept, common["level"], plan.replicates, seed)
    details = _pair(groups, n, *found.pair, int(kept.sum()), absent)
    details["bias"] = "an area cannot be negative, so chance alone makes it positive"
    low, high = max(found.value - width, 0.0), min(found.value + width, 1.0)
    yield Measure(value=found.value, low=low, high=high, method=method, details=details, **common)
    if plan.replicates:
        areas, method = abroca.by_chance(steps, kept, plan.replicates, seed + 1)
        tail = (1 - chance["level"]) / 2
        ends = np.quantile(areas, [tail, 1 - tail])
        details = {"exact": True, "quantiles": [float(end) for end in ends], "draws": len(areas)}
        yield Measure(value=float(areas.mean()), method=method, details=details, **chance)


def _common(groups: Groups, metric: str, statistic: str, n: int, plan: Plan) -> dict[str, Any]:
    level = plan.level(metric, statistic, groups.gap)
    place = {"where": groups.gap, "level": level, "n": n}
    return {"analysis": "fairness", "metric": metric, "statistic": statistic, **place}


def _pair(groups: Groups, n: NDArray[np.int64], low: int, high: int, kept: int, absent: list[str]) -> dict[str, Any]:
    return {
        "pair": [groups.labels[low], groups.labels[high]],
        "pair_n": [int(n[low]), int(n[high])],
        "levels": kept,
        "pairs": kept * (kept - 1) // 2,
        "undefined": absent,
    }


def _needed(found: Estimate) -> str:
    return " and ".join(of for of, _ in found.needs)
