"""The four-fifths rule: a group's selection rate below 80 % of the highest counts as adverse impact. Loads no torch.

The rule of the Uniform Guidelines on Employee Selection Procedures [ugesp1978] is one of thumb: a screen that says
where to look, and no legal finding. So beside its verdict, which is decided in whole numbers, stands what a
statistician would ask: the interval of the ratio, Fisher's exact test, the difference in standard deviations, and how
many selections decide the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from ...analysis import Section
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit
from ..comparison import gaps
from ..table.context import Context
from ..table.groups import Groups
from ..table.metrics import BY_NAME, SELECTED, total
from ..table.plan import Plan
from .impact import Tally, intervals, tally

METRIC = "four_fifths_rule"
TESTED = 100  # groups that Fisher's test and the search for the turning point are made for, the largest first


@dataclass(frozen=True, slots=True)
class Screened:
    """What the rule says of one group, held against the group with the highest rate.

    Attributes:
        passes: 5·x₁·n₂ ≥ 4·x₂·n₁, in whole numbers; None where the group has no rows or nobody is selected.
        ratio, low, high: its impact ratio and interval.
        status: "within" where the whole interval is at or above four fifths, "exceeds" where it is below, else
            "inconclusive".
        fisher: the two-sided p-value of Fisher's exact test against the highest group.
        deviations: by how many standard deviations the group's selections fall short of the highest group's.
        own_flip: how many selections of this group more (+) or fewer (−) turn the verdict; None where none do.
        other_flip: likewise of the group with the highest rate.
    """

    passes: bool | None
    ratio: float | None
    low: float | None
    high: float | None
    status: str
    fisher: float | None
    deviations: float | None
    own_flip: int | None
    other_flip: int | None


def passes(selected: int, n: int, selected_there: int, n_there: int) -> bool:
    """Whether a rate is at least four fifths of another; exactly .80 passes.

    >>> passes(48, 100, 60, 100), passes(479, 1000, 600, 1000)
    (True, False)
    """
    return 5 * selected * n_there >= 4 * selected_there * n


def screen(
    found: Tally, level: float = 0.95, ends: tuple[Floats, Floats] | None = None, independent: bool = True
) -> list[Screened]:
    """The rule for every group.

    Args:
        ends: [groups] intervals of the impact ratios, where they are known; else they are made from the counts.
        independent: whether rows stand for themselves; where they do not, there are no tests, which count rows.
    """
    best = found.highest()
    low, high = intervals(found, level) if ends is None else ends
    tested = set(np.argsort(-found.n, kind="stable")[:TESTED].tolist()) if independent else set()
    return [_screened(found, k, best, float(low[k]), float(high[k]), k in tested) for k in range(len(found))]


def section(context: Context) -> Section:
    """The four-fifths rule for the selection rate of each attribute; of weighted rows, why it does not apply."""
    measures: list[Measure] = []
    exhibits: list[Exhibit] = []
    findings: list[Finding] = []
    for groups in context.groupings:
        if len(groups.attributes) != 1 or not any(metric.name == "selection_rate" for metric in groups.metrics):
            continue
        if groups.weighted:
            measures.append(
                undefined(Message("weights_not_counted"), **_common(groups.gap, context.plan), n=int(groups.rows.sum()))
            )
            continue
        own = tally(groups.labels, total(groups.rows, SELECTED).tolist(), groups.rows.sum((1, 2)).tolist())
        told = screen(own, ends=_intervals(groups, context.plan), independent=not groups.clustered)
        if (np.array(own.n) > 0).sum() < 2:
            why = Message("one_level", {"attribute": groups.name, "of": "rows"})
            measures.append(undefined(why, **_common(groups.gap, context.plan), n=int(own.n.sum())))
            continue
        findings += _finding(groups, own, told, len(measures))
        measures += _measures(groups, own, told, context.plan)
        exhibits.append(_exhibit(groups, own, told, context.plan))
    return Section(tuple(measures), tuple(exhibits), tuple(findings))


def _intervals(groups: Groups, plan: Plan) -> tuple[Floats, Floats]:
    """The intervals of the impact ratios, as they are told with the gaps."""
    alone = replace(groups, metrics=(BY_NAME["selection_rate"],))
    told = (m for m in gaps.measures(alone, plan) if m.statistic == "impact_ratio")
    # no more is asked of the gaps than is needed: what comes after is tests
    found = {tuple(sorted(m.where.items())): m for m in islice(told, len(groups))}
    each = [found.get(tuple(sorted(place.items()))) for place in groups.places]
    low = [0.0 if m is None or m.low is None else m.low for m in each]
    high = [np.inf if m is None or m.high is None else m.high for m in each]
    return np.array(low), np.array(high)


def _screened(found: Tally, k: int, best: int | None, low: float, high: float, tested: bool) -> Screened:
    if best is None or not found.n[k] or not found.selected[best]:
        return Screened(None, None, None, None, "inconclusive", None, None, None, None)
    x, n, top, whole = (int(v) for v in (found.selected[k], found.n[k], found.selected[best], found.n[best]))
    ratio = found.ratio(k, found.rate(best))
    status = "within" if low >= 0.8 else "exceeds" if high < 0.8 else "inconclusive"
    ends = (_finite(low), _finite(high))
    verdict = passes(x, n, top, whole)
    if k == best:
        return Screened(verdict, ratio, *ends, status, None, None, None, None)
    p = _fisher(x, n, top, whole) if tested else None
    apart = _deviations(x, n, top, whole) if tested else None
    return Screened(verdict, ratio, *ends, status, p, apart, _flip(found, k, k), _flip(found, k, best))


def _fisher(x: int, n: int, top: int, whole: int) -> float:
    tested: Any = fisher_exact([[x, n - x], [top, whole - top]])
    return float(tested.pvalue)


def _deviations(x: int, n: int, top: int, whole: int) -> float | None:
    """(p₂ − p₁) / √(p(1−p)(1/n₁ + 1/n₂)), p that of both together; None where it does not vary."""
    p = (x + top) / (n + whole)
    spread = np.sqrt(p * (1 - p) * (1 / n + 1 / whole))
    return float((top / whole - x / n) / spread) if spread else None


def _flip(found: Tally, group: int, moved: int) -> int | None:
    """The fewest selections of one group, more or fewer, that turn the verdict on `group`; None where none do.

    Whichever group then has the highest rate is the reference. The verdict is monotone in the selections moved, so
    the turning point is found by halving.
    """
    before = _verdict(found, group, moved, 0)
    x, n = int(found.selected[moved]), int(found.n[moved])
    upward = before != (
        moved == group
    )  # more of its own help a group that fails; more of another's harm one that passes
    sign, most = (1, n - x) if upward else (-1, x)
    if not most or _verdict(found, group, moved, sign * most) == before:
        return None
    return sign * _first(lambda k: _verdict(found, group, moved, sign * k) != before, most)


def _verdict(found: Tally, group: int, moved: int, by: int) -> bool:
    x = found.selected.copy()
    x[moved] += by
    n = found.n
    # the reference is the highest rate, so the group passes exactly where it does against every other
    return bool(np.all(5 * x[group] * n >= 4 * x * n[group]))


def _first(turned: Callable[[int], bool], most: int) -> int:
    """The smallest k in 1 … most that has turned; `turned(most)` holds."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if turned(middle) else (middle, high)
    return high


def _common(where: Where, plan: Plan) -> dict[str, Any]:
    return {"analysis": "fairness", "metric": METRIC, "where": where, "level": plan.level(METRIC, "value", where)}


def _measures(groups: Groups, own: Tally, told: list[Screened], plan: Plan) -> Iterator[Measure]:
    """Whether all groups pass, at the place of the gap; and each group's own verdict: 1 passes, 0 does not."""
    failing = [name for name, one in zip(own.names, told, strict=True) if one.passes is False]
    exact = {"exact": True, "failing": failing[:TESTED]}
    n = int(own.n.sum())
    if all(one.passes is None for one in told):
        yield undefined(Message("zero_over_zero"), **_common(groups.gap, plan), n=n)
        return
    yield Measure(value=float(not failing), n=n, method="whole numbers", details=exact, **_common(groups.gap, plan))
    for place, one, rows in zip(groups.places, told, own.n.tolist(), strict=True):
        if rows < max(plan.minimum, 1):
            why = Message("empty_denominator", {"of": "rows"})
            if rows:
                why = Message("below_minimum", {"count": rows, "of": "rows", "minimum": plan.minimum})
            yield undefined(why, **_common(place, plan), n=rows)
            continue
        details = {"exact": True, "status": one.status}
        yield Measure(
            value=float(bool(one.passes)), n=rows, method="whole numbers", details=details, **_common(place, plan)
        )


def _exhibit(groups: Groups, own: Tally, told: list[Screened], plan: Plan) -> Exhibit:
    best, largest = own.highest(), own.largest()
    assert best is not None
    assert largest is not None
    whole = tally(["everyone"], [int(own.selected.sum())], [int(own.n.sum())]).rate(0)
    places = range(len(own))
    rates = [own.rate(k) for k in places]
    data = {
        "group": list(own.names),
        "n": own.n.tolist(),
        "selected": own.selected.tolist(),
        "rate": [None if rate is None else float(rate) for rate in rates],
        **{
            name: [getattr(one, name) for one in told]
            for name in ("ratio", "low", "high", "passes", "status", "fisher", "deviations", "own_flip", "other_flip")
        },
        "ratio_to_largest": [own.ratio(k, own.rate(largest)) for k in places],
        "ratio_to_everyone": [own.ratio(k, whole) for k in places],
        "highest": own.names[best],
        "largest": own.names[largest],
        "level": plan.level("selection_rate", "impact_ratio", groups.gap),
    }
    return Exhibit("fairness", "four_fifths", data, groups.gap)


def _finding(groups: Groups, own: Tally, told: list[Screened], place: int) -> Iterator[Finding]:
    """What the rule says of an attribute: the group furthest below the highest, and how sure that is."""
    ranked = [(one.ratio, k) for k, one in enumerate(told) if one.ratio is not None]
    best = own.highest()
    if not ranked or best is None:
        return
    ratio, lowest = min(ranked)
    one = told[lowest]
    failing = [name for name, each in zip(own.names, told, strict=True) if each.passes is False]
    parameters: dict[str, Any] = {
        "where": groups.gap,
        "attribute": groups.name,
        "group": own.names[lowest],
        "highest": own.names[best],
    }
    parameters |= {"ratio": ratio, "low": one.low, "high": one.high, "status": one.status, "passes": one.passes}
    parameters |= {"failing": failing[:8], "failing_count": len(failing), "groups": len(ranked)}
    parameters |= {"n": int(own.n[lowest]), "fisher": one.fisher, "deviations": one.deviations}
    parameters |= {"own_flip": one.own_flip, "other_flip": one.other_flip}
    name = ", ".join(f"{key}={value}" for key, value in sorted(groups.gap.items()))
    severity = "medium" if one.status == "exceeds" else "low"
    yield Finding(f"fairness.four_fifths[{name}]", "four_fifths", parameters, severity=severity, evidence=(place,))


def _finite(end: float) -> float | None:
    return end if np.isfinite(end) else None
