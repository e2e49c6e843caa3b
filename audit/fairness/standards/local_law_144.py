"""The tables of New York City's Local Law 144 [nyc-ll144-2023]: rates and impact ratios by category. Loads no torch.

A tool that selects is told by its selection rate: of all in a category, the share selected. A tool that scores is told
by its scoring rate: the share that scores above the median of the full sample. The impact ratio is a category's rate
divided by that of the category with the highest rate, for each attribute and for their intersections.

Categories below 2 % of the data may be left out of the impact ratios, but their count and rate must be shown with a
justification. Here they are never left out: their ratio stands beside the others, as in the rule's own example, and a
second column shows what each ratio is when no such category sets the highest rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...analysis import Section
from ...findings import Finding
from ...intervals import wilson
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit
from ..table.context import Context
from ..table.groups import SEPARATOR, View, group
from ..table.metrics import SELECTED, total
from ..table.plan import Plan
from .impact import Tally, intervals, tally

NAME = "nyc-ll144"
SMALL = 0.02  # of the data: 6 RCNY 5-301
SCORING = "scoring_rate"


@dataclass(frozen=True, slots=True)
class Ratios:
    """The rates of the categories of one table.

    Attributes:
        rate: [categories]; None where a category has no rows.
        ratio: [categories] to the highest rate of all.
        ratio_without_small: [categories] to the highest rate of those that are no small category.
        small: [categories] whether fewer than 2 % of the table's rows are in it.
        highest, highest_without_small: the categories of reference; None where there is none.
    """

    rate: list[float | None]
    ratio: list[float | None]
    ratio_without_small: list[float | None]
    small: list[bool]
    highest: str | None
    highest_without_small: str | None


def ratios(found: Tally, unknown: int = 0, small: float = SMALL) -> Ratios:
    """Rates and impact ratios as the rule defines them, against both references.

    Args:
        unknown: rows of no known category, which are part of the data that a category's share is taken of.
    """
    whole = int(found.n.sum()) + unknown
    below = [bool(n < small * whole) for n in found.n.tolist()]
    best = found.highest()
    other = found.highest([k for k, few in enumerate(below) if not few])
    places = range(len(found))
    rates = [found.rate(k) for k in places]
    return Ratios(
        [None if rate is None else float(rate) for rate in rates],
        [None if best is None else found.ratio(k, found.rate(best)) for k in places],
        [None if other is None else found.ratio(k, found.rate(other)) for k in places],
        below,
        None if best is None else found.names[best],
        None if other is None else found.names[other],
    )


def section(context: Context) -> Section:
    """The tables of each attribute and of each pair, by selection and, where there are scores, by scoring."""
    scored = _scored(context)
    exhibits, measures = [], list(_everyone(context, scored))
    findings: list[Finding] = []
    for view in context.views:
        if not any(metric.name == "selection_rate" for metric in view.metrics):
            continue
        for axes in _axes(context.axes.people):
            table, places = _selection(context, view, axes)
            if scored is not None:
                own, unknown = _tally_scores(context, scored, axes, table.names)
                measures += _scoring(places, own, unknown, context.plan)
                scoring = (own, unknown)
            else:
                scoring = None
            lost = _unknown(context, axes)
            data = _data(table, lost, scoring)
            where = {"attribute": SEPARATOR.join(context.axes.people[axis].name for axis in axes), **view.where}
            exhibits.append(Exhibit("fairness", "local_law_144", {**data, "median": _median(scored)}, where))
            findings += _finding(where, data, int(table.n.sum()))
    limits = (Message("persons_counted"),) if context.table.weights is not None else ()
    return Section(tuple(measures), tuple(exhibits), tuple(findings), limits)


@dataclass(frozen=True, slots=True)
class _Scored:
    """Which rows scored above the median of the full sample, and which groups they are of."""

    above: NDArray[np.bool_]
    groups: NDArray[np.int64]
    median: float


def _scored(context: Context) -> _Scored | None:
    _, columns = context.rows.sorted()
    if "score" not in columns or "count" in columns or len(context.axes.classes) != 2:
        return None
    score = np.asarray(columns["score"], float)
    median = float(np.median(score))
    return _Scored(score > median, columns["groups"], median)


def _median(scored: _Scored | None) -> float | None:
    return None if scored is None else scored.median


def _axes(people: tuple[Attribute, ...]) -> Iterator[tuple[int, ...]]:
    for size in (1, 2):
        yield from combinations(range(len(people)), size)


def _selection(context: Context, view: View, axes: tuple[int, ...]) -> tuple[Tally, tuple[Where, ...]]:
    """Selections of each category that has rows, with their places."""
    groups = group(context.table, context.axes.people, axes, view)
    n = groups.rows.sum((1, 2))
    # of one attribute every category is told, of an intersection those that occur
    kept = [k for k in range(len(groups)) if n[k] or len(axes) == 1]
    selected = total(groups.rows, SELECTED)
    labels = [groups.labels[k] for k in kept]
    return tally(labels, selected[kept].tolist(), n[kept].tolist()), tuple(groups.places[k] for k in kept)


def _unknown(context: Context, axes: tuple[int, ...]) -> int:
    codes, people = context.table.codes(), context.axes.people
    lost = np.any([codes[axis] == len(people[axis].levels) for axis in axes], axis=0)
    return int(context.table.counts[lost].sum())


def _tally_scores(
    context: Context, scored: _Scored, axes: tuple[int, ...], names: tuple[str, ...]
) -> tuple[Tally, int]:
    """Rows above the median in each of the categories named, and rows of no known category."""
    people = [context.axes.people[axis] for axis in axes]
    codes = scored.groups[:, list(axes)]
    known = (codes >= 0).all(1)
    sizes = tuple(len(attribute.levels) for attribute in people)
    flat = np.ravel_multi_index(tuple(codes[known].T), sizes)
    keys, place = np.unique(flat, return_inverse=True)
    n, above = np.bincount(place, minlength=len(keys)), np.bincount(place, scored.above[known], minlength=len(keys))
    levels = [np.unravel_index(keys, sizes)[k] for k in range(len(axes))]
    found = {SEPARATOR.join(people[k].levels[levels[k][i]] for k in range(len(axes))): i for i in range(len(keys))}
    order = [found.get(name) for name in names]
    counts = [(0, 0) if i is None else (int(above[i]), int(n[i])) for i in order]
    return tally(names, [x for x, _ in counts], [size for _, size in counts]), int((~known).sum())


def _everyone(context: Context, scored: _Scored | None) -> Iterator[Measure]:
    """The scoring rate of all rows, or why there is none."""
    n = int(context.table.counts.sum())
    if scored is None:
        yield undefined(Message("no_scores"), analysis="fairness", metric=SCORING, n=n)
        return
    yield _rate({}, int(scored.above.sum()), len(scored.above), context.plan, {"median": scored.median})


def _scoring(places: tuple[Where, ...], own: Tally, unknown: int, plan: Plan) -> Iterator[Measure]:
    levels = [plan.level(SCORING, "impact_ratio", where) for where in places]
    kept = own.large(plan.minimum)
    ends = {level: intervals(kept, level) for level in set(levels)}
    told = ratios(kept, unknown + int(own.n.sum() - kept.n.sum()))
    for k, (where, level) in enumerate(zip(places, levels, strict=True)):
        x, n = int(own.selected[k]), int(own.n[k])
        common: dict[str, Any] = {"analysis": "fairness", "metric": SCORING, "statistic": "impact_ratio"}
        common |= {"where": where, "n": n, "level": level}
        if n < max(plan.minimum, 1):
            why = Message("empty_denominator", {"of": "rows with a score"})
            if n:
                why = Message("below_minimum", {"count": n, "of": "rows with a score", "minimum": plan.minimum})
            yield undefined(why, analysis="fairness", metric=SCORING, where=where, n=n)
            yield undefined(why, **common)
            continue
        yield _rate(where, x, n, plan, {})
        ratio = told.ratio[k]
        if ratio is None:
            yield undefined(Message("zero_over_zero"), **common)
            continue
        low, high = (float(end[k]) if np.isfinite(end[k]) else None for end in ends[level])
        low = None if low is None else min(low, ratio)
        high = None if high is None else max(high, ratio)
        details = {"reference": told.highest, "ratio_without_small": told.ratio_without_small[k]}
        method = "koopman" if (kept.n > 0).sum() == 2 else "koopman-sidak"
        yield Measure(value=ratio, low=low, high=high, method=method, details=details, **common)


def _rate(where: Where, x: int, n: int, plan: Plan, details: dict[str, Any]) -> Measure:
    level = plan.level(SCORING, "value", where)
    low, high = (float(end) for end in wilson(x, n, level))
    common: dict[str, Any] = {"analysis": "fairness", "metric": SCORING, "where": where, "level": level}
    return Measure(
        value=x / n, low=low, high=high, n=n, numerator=x, denominator=n, method="wilson", details=details, **common
    )


def _data(found: Tally, unknown: int, scoring: tuple[Tally, int] | None) -> dict[str, Any]:
    """A table as the rule prints it: category, count, selected, rate, impact ratio; and who is in no category."""
    own = ratios(found, unknown)
    data: dict[str, Any] = {"category": list(found.names), "n": found.n.tolist(), "selected": found.selected.tolist()}
    data |= {"selection_rate": own.rate, "impact_ratio": own.ratio}
    data |= {"impact_ratio_without_small": own.ratio_without_small, "small": own.small, "unknown": unknown}
    data |= {"highest": own.highest, "highest_without_small": own.highest_without_small, "small_below": SMALL}
    if scoring is None:
        return data
    scored, lost = scoring
    other = ratios(scored, lost)
    data |= {"scored": scored.n.tolist(), "above_median": scored.selected.tolist(), "scored_unknown": lost}
    data |= {"scoring_rate": other.rate, "scoring_impact_ratio": other.ratio}
    return data | {"scoring_impact_ratio_without_small": other.ratio_without_small, "highest_scoring": other.highest}


def _finding(where: Where, data: dict[str, Any], n: int) -> Iterator[Finding]:
    """The lowest impact ratios of a table, in a sentence."""
    kinds = (("selection", "impact_ratio", "highest"), ("scoring", "scoring_impact_ratio", "highest_scoring"))
    lowest: list[dict[str, Any]] = []
    for rate, ratio_of, highest_of in kinds:
        ranked = [(ratio, k) for k, ratio in enumerate(data.get(ratio_of, ())) if ratio is not None]
        if ranked:
            ratio, k = min(ranked)
            found = {"rate": rate, "category": data["category"][k], "ratio": ratio, "highest": data[highest_of]}
            lowest.append(found)
    if lowest:
        parameters = {"where": where, "lowest": lowest, "n": n, "unknown": data["unknown"]}
        parameters["small"] = sum(data["small"])
        place = ", ".join(f"{key}={value}" for key, value in sorted(where.items()))
        yield Finding(f"fairness.local_law_144[{place}]", "local_law_144", parameters, severity="info")
