"""Why false positive rates differ: base rate, predictive value and missed positives, each its part. Loads no torch.

The rate is bound to the others by an identity, FPR = p/(1−p) · (1−PPV)/PPV · (1−FNR) [chouldechova2017], so where base
rates differ, equal predictive values and equal misses force false positive rates apart. A gap is split over the three
factors by Shapley's rule: each counts with its mean effect over all orders of changing them [shapley1953].

Of more than two groups the two furthest apart are split, and the rows themselves chose these two. So the interval of a
part is made at the level at which it would hold for every pair at once [sidak1967], whichever was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...analysis import Section
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..comparison.gaps import of_metric
from ..comparison.resampling import Estimate, of_cells
from ..table.context import Context
from ..table.groups import Groups
from ..table.metrics import BY_NAME, FN, FP, TN, TP, total
from ..table.plan import Plan
from ..table.shares import parts, values
from .strata import only

METRIC = "false_positive_rate"
TAIL = 5  # resamples that must lie beyond each end of an interval
COMPONENTS = ("base_rate", "positive_predictive_value", "false_negative_rate")


def factors(cells: Floats) -> tuple[Floats, Floats, Floats]:
    """p/(1−p), (1−PPV)/PPV and 1−FNR [...] of tables [..., 3, 2]; NaN or infinite where undefined."""
    tn, fp, fn, tp = (total(cells, (cell,)) for cell in (TN, FP, FN, TP))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (fn + tp) / (tn + fp), fp / tp, tp / (fn + tp)


def due_to(cells: Floats) -> Floats:
    """What each factor adds to FPR of the second of two groups less that of the first.

    Args:
        cells: [..., 2, 3, 2].

    Returns:
        [..., 3] in the order of `COMPONENTS`; their sum is the gap. Δa (b₁c₁ + b₂c₂)/3 + Δa (b₁c₂ + b₂c₁)/6 for the
        first factor a beside b and c, and so on.

    >>> cells = np.zeros((2, 3, 2))
    >>> cells[0, :2], cells[1, :2] = [[1139, 349], [461, 505]], [[990, 805], [532, 1369]]
    >>> [round(float(part), 4) for part in due_to(cells)]
    [0.1622, -0.0554, 0.1071]
    """
    first, second = (factors(cells[..., k, :, :]) for k in (0, 1))
    parts = []
    for k in range(3):
        (b1, b2), (c1, c2) = ((first[other], second[other]) for other in range(3) if other != k)
        with np.errstate(invalid="ignore"):
            mean = (b1 * c1 + b2 * c2) / 3 + (b1 * c2 + b2 * c1) / 6
            parts.append((second[k] - first[k]) * mean)
    return np.stack(parts, -1)


def section(context: Context) -> Section:
    """The gap of every grouping, between the two groups furthest apart, in three parts; a finding where it is clear."""
    if not context.labelled:
        return Section()
    measures: list[Measure] = []
    findings: list[Finding] = []
    for groups in context.groupings:
        if any(metric.name == METRIC for metric in groups.metrics):
            parts = list(_measures(groups, context))
            if set(groups.gap) == {"attribute"} and len(groups.attributes) == 1:
                findings += _finding(parts, len(measures), groups, context)
            measures += parts
    return Section(measures=tuple(measures), findings=tuple(findings))


def _measures(groups: Groups, context: Context) -> Iterator[Measure]:
    rates = values(BY_NAME[METRIC], parts(groups, BY_NAME[METRIC], context.plan.minimum))
    known = np.flatnonzero(np.isfinite(rates))
    if len(known) < 2:
        why = Message("one_level", {"attribute": groups.name, "of": "negatives"})
        for component in COMPONENTS:
            yield undefined(why, **_common(component, groups, groups, context))
        return
    lowest, highest = int(known[rates[known].argmin()]), int(known[rates[known].argmax()])
    if lowest == highest:  # all alike: any two
        lowest, highest = int(known[0]), int(known[1])
    pair = only(groups, (lowest, highest))
    why = _missing(pair)
    pairs = len(known) * (len(known) - 1) // 2
    details: dict[str, Any] = {"pair": list(pair.labels), "gap": float(rates[highest] - rates[lowest]), "pairs": pairs}
    for k, component in enumerate(COMPONENTS):
        common = _common(component, groups, pair, context)
        if why is not None:
            yield undefined(why, **common, details=details)
            continue
        value, low, high, method = _interval(k, pair, pairs, common["level"], context.plan)
        if low is None or high is None:  # no resample tells how it varies: no number without its doubt
            yield undefined(Message("too_few_to_split"), **common, details=details)
        else:
            yield Measure(value=value, low=low, high=high, method=f"shapley, {method}", details=details, **common)


def _interval(k: int, pair: Groups, pairs: int, level: float, plan: Plan) -> Estimate:
    """One part with an interval that holds for every pair at once; from few resamples, by the jackknife."""
    joint = level ** (1 / pairs)
    if (1 - joint) / 2 * plan.replicates < TAIL:  # too few resamples lie so far out
        plan = replace(plan, replicates=0)
    found = of_cells(partial(_component, k), pair, joint, plan)
    return found if pairs == 1 else found._replace(method=f"{found.method}-sidak")


def _component(k: int, cells: Floats) -> Floats:
    return due_to(cells)[..., k]


def _common(component: str, groups: Groups, pair: Groups, context: Context) -> dict[str, Any]:
    where = {**groups.gap, "component": component}
    return {
        "analysis": "fairness",
        "metric": METRIC,
        "statistic": "due_to",
        "where": where,
        "level": context.plan.level(METRIC, "due_to", where),
        "n": int(pair.rows[:, :2].sum()),
    }


def _missing(pair: Groups) -> Message | None:
    for label, cells in zip(pair.labels, pair.sums, strict=True):
        if not total(cells, (TP,)) > 0:
            return Message("no_split", {"group": label})
    return None


def _finding(parts: list[Measure], start: int, groups: Groups, context: Context) -> Iterator[Finding]:
    """What the gap is made of, where both the gap and its largest part are told from 0."""
    told = [part for part in parts if part.value is not None]
    if len(told) < len(COMPONENTS):
        return
    largest = max(told, key=lambda part: abs(part.value or 0.0))
    if largest.low is None or largest.high is None or largest.low <= 0 <= largest.high:
        return
    gap = next(of_metric(groups, BY_NAME[METRIC], context.plan))
    if gap.low is None or gap.low <= 0:
        return
    where = groups.gap
    parameters = {
        "metric": METRIC,
        "where": where,
        "pair": largest.details["pair"],
        "gap": largest.details["gap"],
        "pairs": largest.details["pairs"],
        "parts": {part.where["component"]: [part.value, part.low, part.high] for part in told},
        "level": largest.level,
        "n": largest.n,
    }
    name = ",".join(f"{key}={value}" for key, value in sorted(where.items()))
    evidence = tuple(range(start, start + len(parts)))
    yield Finding(f"fairness.gap_due_to[{name}]", "gap_due_to", parameters, severity="low", evidence=evidence)
