"""The four-fifths rule: a group's selection rate below 80 % of the highest counts as adverse impact. Loads no torch.

The rule of the Uniform Guidelines on Employee Selection Procedures [ugesp1978] is one of thumb: a screen that says
where to look, and no legal finding. So beside its verdict, which is decided in whole numbers, stands what a
statistician would ask: the interval of the ratio, Fisher's exact test, the difference in standard deviations, and how
many selections decide the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis import Section
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit
from ..comparison import gaps
from ..comparison.permutation import fisher
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
    second = found.highest([k for k in range(len(found)) if k != best])
    low, high = intervals(found, level) if ends is None else ends
    tested = set(np.argsort(-found.n, kind="stable")[:TESTED].tolist()) if independent else set()
    return [
        _screened(found, k, (best, second), (float(low[k]), float(high[k])), k in tested) for k in range(len(found))
    ]


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
        kept = own.large(context.plan.minimum)
        told = screen(kept, ends=_intervals(groups, context.plan), independent=not groups.clustered)
        if (kept.n > 0).sum() < 2:
            why = Message("one_level", {"attribute": groups.name, "of": "rows"})
            measures.append(undefined(why, **_common(groups.gap, context.plan), n=int(own.n.sum())))
            continue
        findings += _finding(groups, kept, told, len(measures))
        measures += _measures(groups, own, told, context.plan)
        exhibits.append(_exhibit(groups, own, kept, told, context.plan))
    return Section(tuple(measures), tuple(exhibits), tuple(findings))


def _intervals(groups: Groups, plan: Plan) -> tuple[Floats, Floats]:
    """The intervals of the impact ratios, as they are told with the gaps."""
    each = gaps.impacts(groups, BY_NAME["selection_rate"], plan)
    low = [0.0 if m.low is None else m.low for m in each]
    high = [np.inf if m.high is None else m.high for m in each]
    return np.array(low), np.array(high)


def _screened(
    found: Tally, k: int, ahead: tuple[int | None, int | None], ends: tuple[float, float], tested: bool
) -> Screened:
    """What is told of group k, given the groups with the highest rate and the highest but one."""
    best, second = ahead
    if best is None or not found.n[k] or not found.selected[best]:
        return Screened(None, None, None, None, "inconclusive", None, None, None, None)
    x, n, top, whole = (int(v) for v in (found.selected[k], found.n[k], found.selected[best], found.n[best]))
    ratio, (low, high) = found.ratio(k, found.rate(best)), ends
    status = "within" if low >= 0.8 else "exceeds" if high < 0.8 else "inconclusive"
    common = passes(x, n, top, whole), ratio, _finite(low), _finite(high), status
    if k == best:
        return Screened(*common, None, None, None, None)
    p = fisher(np.array([x, top]), np.array([n, whole])) if tested else None
    apart = _deviations(x, n, top, whole) if tested else None
    others = second is None or passes(x, n, int(found.selected[second]), int(found.n[second]))
    return Screened(*common, p, apart, own_flip(x, n, top, whole), other_flip(x, n, top, whole, others=others))


def _deviations(x: int, n: int, top: int, whole: int) -> float | None:
    """(p₂ − p₁) / √(p(1−p)(1/n₁ + 1/n₂)), p that of both together; None where it does not vary."""
    p = (x + top) / (n + whole)
    spread = np.sqrt(p * (1 - p) * (1 / n + 1 / whole))
    return float((top / whole - x / n) / spread) if spread else None


def own_flip(x: int, n: int, top: int, whole: int) -> int:
    """The fewest selections of a group, more (+) or fewer (−), that turn its verdict against the highest rate.

    The group passes from ⌈4·top·n / (5·whole)⌉ selections on. There always are such: the highest rate is above 0.

    >>> own_flip(48, 100, 60, 100), own_flip(47, 100, 60, 100)
    (-1, 1)
    """
    needed = -(-4 * top * n // (5 * whole))
    return needed - 1 - x if x >= needed else needed - x


def other_flip(x: int, n: int, top: int, whole: int, *, others: bool) -> int | None:
    """The fewest selections of the group with the highest rate, more or fewer, that turn a group's verdict.

    The group passes while the other has at most ⌊5·x·whole / (4·n)⌋ selections.

    Args:
        others: whether the group passes against all other groups; where it does not, the verdict stays.

    Returns:
        None where no number of selections turns it.

    >>> other_flip(48, 100, 60, 100, others=True), other_flip(90, 100, 95, 100, others=True)
    (1, None)
    """
    room = 5 * x * whole // (4 * n)
    if top <= room:
        return room + 1 - top if room < whole else None
    return room - top if others else None


def _common(where: Where, plan: Plan) -> dict[str, Any]:
    return {"analysis": "fairness", "metric": METRIC, "where": where, "level": plan.level(METRIC, "value", where)}


def _measures(groups: Groups, own: Tally, told: list[Screened], plan: Plan) -> Iterator[Measure]:
    """Whether all groups pass, at the place of the gap; and each group's own verdict: 1 passes, 0 does not."""
    failing = [name for name, one in zip(own.names, told, strict=True) if one.passes is False]
    exact: dict[str, Any] = {"exact": True, "failing": failing[:TESTED]}
    few = [name for name, n in zip(own.names, own.n.tolist(), strict=True) if 0 < n < plan.minimum]
    exact |= {"undefined": few} if few else {}
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


def _exhibit(groups: Groups, own: Tally, kept: Tally, told: list[Screened], plan: Plan) -> Exhibit:
    best, largest = kept.highest(), kept.largest()
    assert best is not None
    assert largest is not None
    whole = tally(["everyone"], [int(own.selected.sum())], [int(own.n.sum())]).rate(0)
    places = range(len(own))
    rates = [kept.rate(k) for k in places]
    data = {
        "group": list(own.names),
        "n": own.n.tolist(),
        "selected": own.selected.tolist(),
        "rate": [None if rate is None else float(rate) for rate in rates],
        **{
            name: [getattr(one, name) for one in told]
            for name in ("ratio", "low", "high", "passes", "status", "fisher", "deviations", "own_flip", "other_flip")
        },
        "ratio_to_largest": [kept.ratio(k, kept.rate(largest)) for k in places],
        "ratio_to_everyone": [kept.ratio(k, whole) for k in places],
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
