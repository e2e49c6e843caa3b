"""Where it is worst: groups of up to three attributes found on one half of the rows, confirmed on the other. No torch.

Whoever looks at hundreds of groups finds a bad one by chance. So one half of the rows only names the suspects; the
other, which had no part in that, gives their numbers and p-values, and Benjamini and Hochberg's procedure limits the
share of false ones among those called confirmed [benjamini1995]: at 5 %, `benchmarks/pooling.py` measures 1 to 5 %,
most where there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import hypergeom

from ...analysis import Section
from ...findings import Finding
from ...intervals import Floats, newcombe
from ...measure import Measure, Where
from ...messages import Message
from ...record import Exhibit
from ...state import Counts as Table
from ..comparison.multiplicity import benjamini_hochberg
from ..table.context import Context
from ..table.groups import Groups, View, group
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, shares
from .detectable import rest
from .honest import halves

METRICS = ("error_rate", "false_positive_rate", "false_negative_rate", "selection_rate")
DEPTH = 3  # attributes that a group may combine
CANDIDATES = 20_000  # groups looked at, at most
LEAST = 10  # rows below, in each half
SUSPECT = 2.0  # score statistic from which a group is worth confirming
SUSPECTS = 50  # at most
UNCONFIRMED = 5  # of the suspects that were not confirmed, how many are shown
EXACT = 100_000  # rows up to which the exact test is used


@dataclass(frozen=True, slots=True)
class Suspect:
    """A group whose rate stood out on the first half.

    Attributes:
        score: the score statistic there; above 0 where the rate is higher than that of all others.
        rates: of the group on the first half, on the second, of all others on the second.
        low, high: the interval of the difference on the second half.
        p: one-sided, of the second half, to the side seen on the first.
    """

    metric: str
    where: Where
    n: int
    score: float
    rates: tuple[float, float, float]
    low: float
    high: float
    level: float
    method: str
    p: float

    @property
    def difference(self) -> float:
        """The group's rate less that of all others, on the second half."""
        return self.rates[1] - self.rates[2]

    @property
    def near(self) -> float:
        """How far from 0 the interval's near end is."""
        return max(self.low, -self.high, 0.0)


def section(context: Context) -> Section:
    """The exhibit `subgroups`, a measure for each confirmed one, and a finding for the worst of each metric."""
    plan, people = context.plan, context.axes.people
    if not plan.replicates or not people or not len(context.table.keys):
        return Section()
    suspects, tried, left_out = search(context.table, people, context.views[0], plan)
    q = benjamini_hochberg([suspect.p for suspect in suspects])
    alpha = 1 - plan.levels.default
    sure = [bool(value <= alpha + 1e-12) for value in q]
    confirmed = [(suspect, float(value)) for suspect, value, yes in zip(suspects, q, sure, strict=True) if yes]
    said = () if not left_out else (Message("subgroups_left_out", {"count": left_out, "most": CANDIDATES}),)
    return Section(
        measures=tuple(_measure(suspect, value, tried) for suspect, value in confirmed),
        exhibits=(_exhibit(suspects, q, sure, tried, alpha),),
        findings=tuple(_findings(confirmed, tried, alpha)),
        limitations=said,
    )


def search(table: Table, people: Sequence[Any], view: View, plan: Plan) -> tuple[list[Suspect], int, int]:
    """The suspects, the worst on the first half first; how many were looked at; how many combinations left out."""
    first, second = halves(table, plan.seed)
    found: list[tuple[float, Groups, Groups, Metric, int]] = []
    tried = listed = left_out = 0
    for axes in _combinations(len(people)):
        size = prod(len(people[axis].levels) for axis in axes)
        if size < 2 or any(len(people[axis].levels) < 2 for axis in axes):
            continue  # an attribute with one level tells no groups apart
        if listed + size > CANDIDATES:
            left_out += 1
            continue
        listed += size
        looked, held = (group(half, people, axes, view) for half in (first, second))
        for metric in (metric for metric in view.metrics if metric.name in METRICS):
            scores = _scores(looked, held, metric, plan.minimum)
            tried += int(np.isfinite(scores).sum())
            found += [(float(scores[k]), looked, held, metric, int(k)) for k in _worth(scores, metric)]
    found.sort(key=lambda one: (-abs(one[0]), one[3].name, sorted(one[1].places[one[4]].items())))
    return [_confirm(*one, plan) for one in found[:SUSPECTS]], tried, left_out


def score(x1: Floats, m1: Floats, x2: Floats, m2: Floats) -> Floats:
    """(p1 − p2) / √(p(1−p)(1/m1 + 1/m2)), p being the share of both together; NaN where all rows are alike."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (x1 + x2) / (m1 + m2)
        found = (x1 / m1 - x2 / m2) / np.sqrt(p * (1 - p) * (1 / m1 + 1 / m2))
    return np.where(np.isfinite(found), found, np.nan)


def _combinations(people: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, min(DEPTH, people) + 1):
        yield from combinations(range(people), size)


def _scores(looked: Groups, held: Groups, metric: Metric, minimum: int) -> Floats:
    """[groups] score statistics of the first half; NaN of groups too small in either half, or for the least number."""
    found, other = (shares(groups, metric.top, metric.bottom) for groups in (looked, held))
    x1, m1, x2, m2 = _against(found)
    enough = (m1 >= LEAST) & (m2 >= LEAST) & (other.effective >= LEAST) & (rest(other) >= LEAST)
    enough &= found.n + other.n >= minimum
    return np.where(enough, score(x1, m1, x2, m2), np.nan)


def _worth(scores: Floats, metric: Metric) -> NDArray[np.intp]:
    """The groups that stand out to the worse side; a selection rate to either, as selection may help or harm."""
    known = np.nan_to_num(scores)
    if metric.better == "lower":
        return np.flatnonzero(known >= SUSPECT)
    # two groups are each other's rest: the one that is selected less stands for both
    return np.flatnonzero(known <= -SUSPECT if len(scores) == 2 else np.abs(known) >= SUSPECT)


def _against(found: Shares) -> tuple[Floats, Floats, Floats, Floats]:
    """Effective rows on top and below, of each group and of all others."""
    others = rest(found)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (found.part.sum() - found.part) / (found.whole.sum() - found.whole)
    return found.successes, found.effective, np.nan_to_num(rate) * others, others


def _confirm(seen: float, looked: Groups, held: Groups, metric: Metric, k: int, plan: Plan) -> Suspect:
    """What the second half says of a group that the first pointed at."""
    before, found = (shares(groups, metric.top, metric.bottom) for groups in (looked, held))
    x1, m1, x2, m2 = (float(column[k]) for column in _against(found))
    place = held.places[k]
    level = plan.level(metric.name, "subgroup_difference", place)
    low, high = (float(end) for end in newcombe(x1, m1, x2, m2, level))
    size = x1 / m1 - x2 / m2
    return Suspect(
        metric.name,
        place,
        int(found.n[k]),
        seen,
        (float(before.value[k]), x1 / m1, x2 / m2),
        min(low, size),
        max(high, size),
        level,
        f"newcombe{found.suffix}",
        _p_value(x1, m1, x2, m2, seen, exact=not found.suffix),
    )


def _p_value(x1: float, m1: float, x2: float, m2: float, seen: float, exact: bool) -> float:
    """The chance of a rate as far to the side seen before, were it that of all others."""
    if exact and m1 + m2 <= EXACT:
        tail, rows = hypergeom(round(m1 + m2), round(x1 + x2), round(m1)), round(x1)
        return float(min(1.0, tail.sf(rows - 1) if seen > 0 else tail.cdf(rows)))
    found = float(score(*(np.array(value) for value in (x1, m1, x2, m2))))
    return 1.0 if np.isnan(found) else float(ndtr(-found if seen > 0 else found))


def _measure(suspect: Suspect, q: float, tried: int) -> Measure:
    """A confirmed group's difference from all others, from the second half alone."""
    first, own, others = suspect.rates
    return Measure(
        analysis="fairness",
        metric=suspect.metric,
        statistic="subgroup_difference",
        where=suspect.where,
        value=suspect.difference,
        low=suspect.low,
        high=suspect.high,
        level=suspect.level,
        method=suspect.method,
        n=suspect.n,
        details={"rate": own, "rest": others, "found_rate": first, "p": suspect.p, "q": q, "tried": tried},
    )


def _exhibit(suspects: Sequence[Suspect], q: Floats, sure: Sequence[bool], tried: int, alpha: float) -> Exhibit:
    """Every confirmed group and the nearest few that were not, the smallest p first."""
    order = sorted(range(len(suspects)), key=lambda i: (not sure[i], suspects[i].p))
    shown = order[: sum(sure) + UNCONFIRMED]
    rows = [suspects[i] for i in shown]
    data = {
        "where": [suspect.where for suspect in rows],
        "metric": [suspect.metric for suspect in rows],
        "n": [suspect.n for suspect in rows],
        "found_rate": [suspect.rates[0] for suspect in rows],
        "rate": [suspect.rates[1] for suspect in rows],
        "rest": [suspect.rates[2] for suspect in rows],
        "difference": [suspect.difference for suspect in rows],
        "low": [suspect.low for suspect in rows],
        "high": [suspect.high for suspect in rows],
        "level": [suspect.level for suspect in rows],
        "p": [suspect.p for suspect in rows],
        "q": [float(q[i]) for i in shown],
        "confirmed": [sure[i] for i in shown],
        "tried": tried,
        "suspects": len(suspects),
        "false_discovery_rate": alpha,
    }
    return Exhibit("fairness", "subgroups", data)


def _findings(confirmed: Sequence[tuple[Suspect, float]], tried: int, alpha: float) -> Iterator[Finding]:
    """For each metric the confirmed group that is worst for sure: whose interval stays furthest from 0."""
    for name in METRICS:
        own = [place for place, (suspect, _) in enumerate(confirmed) if suspect.metric == name]
        if not own:
            continue
        worst = max(own, key=lambda place: confirmed[place][0].near)
        suspect, q = confirmed[worst]
        parameters = {
            "metric": name,
            "where": suspect.where,
            "value": suspect.difference,
            "low": suspect.low,
            "high": suspect.high,
            "level": suspect.level,
            "n": suspect.n,
            "rate": suspect.rates[1],
            "rest": suspect.rates[2],
            "q": q,
            "tried": tried,
            "false_discovery_rate": alpha,
        }
        yield Finding(
            f"fairness.worst_subgroup[{name}]", "worst_subgroup", parameters, severity="medium", evidence=(worst,)
        )
