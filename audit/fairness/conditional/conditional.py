"""The conditional view: groups compared within levels of a control, and what is left of a gap there. Loads no torch.

A gap may come about because groups apply to different departments [bickel1975]. Within each level of the control like
is compared with like; what all levels say together is pooled as in [mantel1959].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis import Section, joined
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, Where, undefined
from ...messages import Message
from ..comparison import rates
from ..comparison.gaps import of_metric
from ..table.context import Context
from ..table.groups import View, group
from ..table.metrics import BY_NAME, Metric, total
from ..table.shares import measured
from .mantel_haenszel import breslow_day, cochran_mantel_haenszel, differences, ratios, sums
from .strata import Strata, controls, levels, strata, view_of

HEADLINES = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "positive_predictive_value",
    "accuracy",
)
PAIRS = 20_000  # pairs of groups beyond which the adjusted comparison is left out
MOST = 20_000  # measures within levels of the controls; more would make a record that nobody reads


def section(context: Context) -> Section:
    """Every attribute within the levels of the controls, and adjusted for them; nothing where there are none."""
    if not context.axes.controls:
        return Section()
    return joined([_within(context), _adjusted(context)])


def metrics(view: View, context: Context) -> tuple[Metric, ...]:
    """The headline metrics that a view has and the labels allow."""
    have = {metric.name for metric in view.metrics}
    found = (BY_NAME[name] for name in HEADLINES if name in have)
    return tuple(metric for metric in found if context.labelled or any(truth == 2 for truth, _ in metric.bottom))


def _within(context: Context) -> Section:
    """Metrics and gaps of each attribute's groups within each level of each control."""
    places = [
        (view, axis, metrics(view, context)) for view in context.views for axis in range(len(context.axes.people))
    ]
    held = sum(len(attribute.levels) for attribute in context.axes.controls)
    sizes = [len(context.axes.people[axis].levels) + 2 for _, axis, _ in places]
    total = held * sum(size * len(asked) for size, (_, _, asked) in zip(sizes, places, strict=True))
    note: tuple[Message, ...] = ()
    if total > MOST:
        note = (Message("strata_left_out", {"controls": controls(context), "count": total, "most": MOST}),)
        places = []
    found: list[Measure] = []
    plan = replace(context.plan, replicates=0)  # strata are many and often small: closed forms hold there
    for view, axis, asked in places:
        for stratum in levels(context):
            groups = group(context.table, context.axes.people, (axis,), replace(view, metrics=asked), stratum)
            found += rates.measures(groups, plan)
            for metric in measured(groups):
                found += of_metric(groups, metric, plan)
    return Section(measures=tuple(found), limitations=note)


def _adjusted(context: Context) -> Section:
    """What is left of the gaps of each grouping once the controls are held fixed, and whether chance explains it."""
    found: list[Measure] = []
    findings: list[Finding] = []
    left: list[str] = []
    for whole in context.groupings:
        parted = strata(context, whole) if len(whole) * (len(whole) - 1) // 2 <= PAIRS else None
        if parted is None:
            left.append(whole.name)
            continue
        for metric in metrics(view_of(context, whole), context):
            start = len(found)
            found += measures(parted, metric, context)
            if metric.name == HEADLINES[0] and len(whole.attributes) == 1 and not whole.where:
                findings += _finding(parted, metric, found[start:], start, context)
    names = dict.fromkeys(left)
    told = (Message("adjustment_left_out", {"attribute": name, "controls": controls(context)}) for name in names)
    return Section(measures=tuple(found), findings=tuple(findings), limitations=tuple(told))


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of groups that share a stratum; the first of each has the higher rate over all rows.

    Attributes:
        x, n: [strata, groups], successes and rows.
        first, second: [pairs].
    """

    x: Floats
    n: Floats
    first: NDArray[np.intp]
    second: NDArray[np.intp]


def pairs(parted: Strata, metric: Metric) -> Pairs:
    """The pairs of groups that can be compared within some stratum."""
    x, n = parted.shares(metric)
    overall = metric.values(parted.whole.sums.astype(float))
    i, j = np.triu_indices(len(parted.whole), 1)
    swap = np.nan_to_num(overall[i]) < np.nan_to_num(overall[j])
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    present = (n > 0).astype(float)
    shared = (present.T @ present)[i, j] > 0
    return Pairs(x, n, i[shared], j[shared])


def measures(parted: Strata, metric: Metric, context: Context) -> Iterator[Measure]:
    """One metric's adjusted difference and ratio across the groups, the test of no gap, and that of one gap for all."""
    parted = parted.large(total(parted.whole.rows, metric.bottom), context.plan.minimum)
    found = pairs(parted, metric)
    yield _gap("conditional_difference", parted, metric, found, context)
    yield _gap("conditional_ratio", parted, metric, found, context)
    yield _test("conditional_p_value", parted, metric, found, context)
    if 2 in (len(parted.whole), len(parted.whole) + len(parted.few)):
        yield _test("heterogeneity_p_value", parted, metric, found, context)


def _common(statistic: str, parted: Strata, metric: Metric, context: Context) -> dict[str, Any]:
    where: Where = parted.whole.gap
    counted = sum(parted.cells.rows[:, truth, decision].sum() for truth, decision in metric.bottom)
    return {
        "analysis": "fairness",
        "metric": metric.name,
        "statistic": statistic,
        "where": where,
        "level": context.plan.level(metric.name, statistic, where),
        "n": int(counted),
    }


def _details(parted: Strata, found: Pairs, context: Context) -> dict[str, Any]:
    compared = set(found.first) | set(found.second)
    labels = parted.whole.labels
    return {
        "controls": controls(context),
        "strata": int(((found.n > 0).sum(1) > 1).sum()),
        "levels": len(compared),
        "undefined": [*(name for place, name in enumerate(labels) if place not in compared), *parted.few],
    }


def _gap(statistic: str, parted: Strata, metric: Metric, found: Pairs, context: Context) -> Measure:
    common = _common(statistic, parted, metric, context)
    details = _details(parted, found, context)
    if not len(found.first):
        why = _alone(parted, metric) or Message("no_shared_stratum", {"controls": controls(context)})
        return undefined(why, **common, details=details)
    pooled = sums(found.x, found.n, found.first, found.second)
    level = common["level"] ** (1 / len(found.first))
    ratio = statistic == "conditional_ratio"
    of = _smallest(*ratios(pooled, level)) if ratio else _largest(*differences(pooled, level))
    if of is None:
        return undefined(Message("zero_over_zero"), **common, details=details)
    place, value, low, high = of
    i, j = int(found.first[place]), int(found.second[place])
    details |= {"pair": [parted.whole.labels[j], parted.whole.labels[i]], "pairs": len(found.first)}
    method = "mantel-haenszel, " + ("greenland-robins" if ratio else "sato")
    method += "-sidak" if len(found.first) > 1 else ""
    return Measure(value=value, low=low, high=high, method=method, details=details, **common)


def _alone(parted: Strata, metric: Metric) -> Message | None:
    """Why nothing is compared where all groups but one have too few rows."""
    alone = parted.few and len(parted.whole) < 2
    return Message("one_level", {"attribute": parted.whole.name, "of": metric.of}) if alone else None


def _largest(value: Floats, low: Floats, high: Floats) -> tuple[int, float, float | None, float | None]:
    """The largest difference in size. Of one pair its own, with its sign: below 0 where the gap turns round."""
    if len(value) == 1:
        return 0, float(value[0]), min(float(low[0]), float(value[0])), max(float(high[0]), float(value[0]))
    place = int(np.abs(value).argmax())
    near, far = np.maximum(low, -high).max(), np.maximum(high, -low).max()
    size = float(abs(value[place]))
    return place, size, min(size, max(0.0, float(near))), max(size, float(far))


def _smallest(value: Floats, low: Floats, high: Floats) -> tuple[int, float, float | None, float | None] | None:
    """The smallest ratio of lower to higher. Of one pair its own: above 1 where the gap turns round."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = 1 / value, 1 / high, 1 / low  # second / first: the lower over all rows on top
        folded = np.minimum(value, 1 / value)
        if not np.isfinite(folded).any():
            return None
        if len(value) == 1:
            most = float(high[0]) if np.isfinite(high[0]) else None
            return (0, float(value[0]), float(low[0]), most) if np.isfinite(value[0]) else None
        place = int(np.nanargmin(folded))
        near, far = np.nanmin(np.minimum(high, 1 / low)), np.nanmin(np.minimum(low, 1 / high))
    size = float(folded[place])
    return place, size, min(size, float(far)), max(size, min(1.0, float(near)))


def _test(statistic: str, parted: Strata, metric: Metric, found: Pairs, context: Context) -> Measure:
    common = _common(statistic, parted, metric, context)
    alike = statistic == "conditional_p_value"
    details: dict[str, Any] = {"exact": True, "controls": controls(context)}
    why = _alone(parted, metric)
    if why is not None:
        return undefined(why, **common, details=details)
    result = (cochran_mantel_haenszel if alike else breslow_day)(found.x, found.n)
    if result is None:
        return undefined(Message("no_test_within_strata", {"controls": controls(context)}), **common, details=details)
    details |= {"chi_square": result[0], "degrees_of_freedom": result[1]}
    method = "cochran-mantel-haenszel" if alike else "breslow-day, tarone"
    return Measure(value=result[2], method=method, details=details, **common)


def _finding(parted: Strata, metric: Metric, told: list[Measure], place: int, context: Context) -> Iterator[Finding]:
    """Whether the controls explain a gap, confirm it, turn it round, or bring one to light."""
    adjusted = told[0]
    raw = next(of_metric(parted.whole, metric, context.plan))
    key = _told(raw, adjusted)
    if key is None:
        return
    parameters = {
        "metric": metric.name,
        "where": adjusted.where,
        "controls": controls(context),
        "pair": raw.details["pair"],
        "raw": [raw.value, raw.low, raw.high],
        "adjusted_pair": adjusted.details["pair"],
        "value": adjusted.value,
        "low": adjusted.low,
        "high": adjusted.high,
        "level": adjusted.level,
        "n": adjusted.n,
        "heterogeneity": next((m.value for m in told if m.statistic == "heterogeneity_p_value"), None),
    }
    where = ",".join(f"{key}={value}" for key, value in sorted(adjusted.where.items()))
    severity = "low" if key == "gap_explained" else "medium"
    evidence = tuple(range(place, place + len(told)))
    yield Finding(f"fairness.{key}[{where}]", key, parameters, severity=severity, evidence=evidence)


def _told(raw: Measure, adjusted: Measure) -> str | None:
    if raw.value is None or adjusted.value is None or raw.low is None or adjusted.low is None or adjusted.high is None:
        return None
    if raw.low <= 0:
        return "gap_uncovered" if adjusted.low > 0 or adjusted.high < 0 else None
    if adjusted.low > 0:
        return "gap_confirmed"
    return "gap_reversed" if adjusted.high < 0 else "gap_explained"
