"""The gap of a metric across groups, with an interval that allows for the choice of the pair. Loads no torch.

Of two groups the interval is the pair's own: Newcombe's for the difference, Koopman's for the ratio. Of more, the
extreme pair was chosen *because* it is extreme, so its own interval would be too hopeful: every pair gets an interval,
all of which hold together, and the gap's is what they allow. They hold together at Šidák's level [sidak1967], or, where
rows may be resampled and every group has enough of them, at that of the largest |t| in joint draws. Where a posterior
is asked for, its intervals take the place of all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.groups import Groups
from ..table.headlines import levels, listed
from ..table.metrics import Metric, Table
from ..table.plan import Plan
from ..table.shares import Shares, known, measured, parts, values
from . import chance, permutation, posterior, rates
from .bands import Resampled, by_draws, enough, resample
from .pairs import Compared, compared
from .resampling import of_cells

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference (highest − lowest) or a ratio (lowest / highest) and its interval.

    Attributes:
        lowest, highest: places of the two extreme groups among all groups.
        groups: how many groups had a defined metric.
        pairs: how many pairs the interval holds over.
    """

    value: float
    low: float
    high: float
    method: str
    lowest: int
    highest: int
    groups: int

    @property
    def pairs(self) -> int:
        return self.groups * (self.groups - 1) // 2


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """Of every metric across the groups: difference, ratio, impact ratios, chance, spread, and p-values at the end."""
    metrics = measured(groups)
    for metric in metrics:
        yield from _Across(groups, metric, plan).measures()
    if len(groups) > 1:
        yield from permutation.measures(groups, metrics, plan)


def of_metric(groups: Groups, metric: Metric, plan: Plan) -> Iterator[Measure]:
    """The difference and the ratio of one metric across some groups, and none of what else is told of a gap."""
    if measured(replace(groups, metrics=(metric,))):
        across = _Across(groups, metric, plan)
        yield across.gap("difference")
        yield across.gap("ratio")


def impacts(groups: Groups, metric: Metric, plan: Plan) -> list[Measure]:
    """The impact ratio of every group: its share as a share of the highest group's."""
    return _Across(groups, metric, plan).impacts()


def difference(pairs: Compared) -> Gap:
    """Highest − lowest of at least two groups."""
    lowest, highest = _extremes(pairs)
    low, high, name = pairs.largest_difference()
    if len(pairs.place) == 2:
        (near,), (far,), _ = pairs.differences()
        low = near if highest == 0 else -far  # the pair's own, which may reach below 0
    return _gap(pairs, float(pairs.value[highest] - pairs.value[lowest]), low, high, name)


def ratio(pairs: Compared) -> Gap | None:
    """Lowest / highest, the least impact ratio; None where every group has 0."""
    lowest, highest = _extremes(pairs)
    if not pairs.value[highest]:
        return None
    size = float(pairs.value[lowest] / pairs.value[highest])
    if len(pairs.place) == 2:
        # the pair's own, which may reach above 1
        low, high, name = replace(pairs, place=pairs.place[[lowest, highest]]).ratios()
    else:
        low, high, name = pairs.impacts
    return _gap(pairs, size, float(low.min()), float(high.min()), name)


@dataclass(frozen=True)
class _Across:
    """One metric across some groups, and what its intervals rest on."""

    groups: Groups
    metric: Metric
    plan: Plan
    asked: dict[tuple[bool, float], Compared] = field(default_factory=dict)

    @cached_property
    def found(self) -> tuple[Shares, ...]:
        return parts(self.groups, self.metric, self.plan.minimum)

    @cached_property
    def value(self) -> Floats:
        """[groups], NaN where there is none."""
        return values(self.metric, self.found)

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """The groups that have the metric."""
        return np.flatnonzero(np.isfinite(self.value))

    @cached_property
    def drawn(self) -> Resampled | None:
        return resample(self.groups, self.metric, self.found, self.place, self.plan)

    @property
    def simple(self) -> bool:
        """Whether each row counts by itself and as one."""
        return not (self.groups.weighted or self.groups.clustered)

    def measures(self) -> Iterator[Measure]:
        yield self.gap("difference")
        yield self.gap("ratio")
        if self.metric.is_share:
            if listed(self.groups, [self.metric], "impact_ratio", self.plan):
                yield from self.impacts()
            yield from chance.measures(self.groups, self.metric, self.found[0], self.place, self.drawn, self.plan)

    def _compared(self, statistic: str, level: float) -> Compared:
        """The groups that have the metric, with intervals that hold together at the level."""
        relative = statistic != "difference" and self.metric.is_share
        if (relative, level) not in self.asked:
            found, joint = self.found, None  # Šidák's
            if self.plan.posterior:
                own = posterior.compared(self.groups, self.metric, found, level, self.plan, relative=relative)
                self.asked[relative, level] = own
                return own
            if self.drawn is not None and len(self.place) > 2:
                joint = self.drawn.joint(level, relative=relative)
                found = found if self.simple else by_draws(found, self.place, self.drawn)
            self.asked[relative, level] = compared(self.metric, found, level, joint)
        return self.asked[relative, level]

    def gap(self, statistic: Literal["difference", "ratio"]) -> Measure:
        """The gap with its interval."""
        level = self.plan.level(self.metric.name, statistic, self.groups.gap)
        return self._once((statistic, level), lambda: self._gap(statistic, level))

    def impacts(self) -> list[Measure]:
        """Each group's metric as a share of the highest group's, at the group's own place."""
        level = levels(self.plan, self.metric, "impact_ratio", self.groups)
        return self._once(("impact_ratio", level.tobytes()), lambda: list(self._impacts(level)))

    def _once(self, asked: Hashable, make: Callable[[], T]) -> T:
        """What was made for another part of the analysis, or is made now."""
        key = self.metric, asked, self.plan.replicates, self.plan.seed, self.plan.minimum, self.plan.posterior
        if key not in self.groups.told:
            self.groups.told[key] = make()
        return self.groups.told[key]

    def _gap(self, statistic: str, level: float) -> Measure:
        of = difference if statistic == "difference" else ratio
        n = sum(share.behind for share in self.found)
        undefined_of = [self.groups.labels[k] for k in np.flatnonzero(~np.isfinite(self.value)).tolist()]
        common = self._common(statistic, self.groups.gap, level)
        common["n"] = n
        if len(self.place) < 2:
            return undefined(self._alone, details={"undefined": undefined_of}, **common)
        gap = of(self._compared(statistic, level))
        if gap is None:
            return undefined(Message("zero_over_zero"), details={"undefined": undefined_of}, **common)
        gap = self._of_two(statistic, gap, level)
        details = {
            "pair": [self.groups.labels[gap.lowest], self.groups.labels[gap.highest]],
            "pair_n": [int(sum(share.n[k] for share in self.found)) for k in (gap.lowest, gap.highest)],
            "levels": gap.groups,
            "pairs": gap.pairs,
            "undefined": undefined_of,
        }
        low, high = (end if np.isfinite(end) else None for end in (gap.low, gap.high))
        return Measure(value=gap.value, low=low, high=high, method=gap.method, details=details, **common)

    def _of_two(self, statistic: str, gap: Gap, level: float) -> Gap:
        """Of two weighted or clustered groups with enough rows: BCa in place of the closed form."""
        if (
            self.simple
            or self.plan.posterior
            or not self.plan.replicates
            or gap.groups > 2
            or not enough(self.found, self.place)
        ):
            return gap

        def of(tables: Table) -> Floats:
            value = self.metric.values(tables)
            low, high = value[..., gap.lowest], value[..., gap.highest]
            return high - low if statistic == "difference" else low / high

        _, low, high, method = of_cells(of, self.groups, level, self.plan)
        return gap if low is None or high is None else replace(gap, low=low, high=high, method=method)

    def _impacts(self, at: Floats) -> Iterator[Measure]:
        if len(self.place) < 2 or not np.nanmax(self.value):
            yield from self._without_impact()
            return
        low, high = np.full((2, len(self.groups)), np.nan)
        method = ""
        for level in np.unique(at):
            own = self.place[at[self.place] == level]
            least, most, method = self._compared("impact_ratio", float(level)).impacts
            rank = np.searchsorted(self.place, own)
            low[own], high[own] = least[rank], most[rank]
        highest = int(self.place[self.value[self.place].argmax()])
        value = self.value / self.value[highest]
        # rounding may put an end on the wrong side of the value by the last bit
        ends = (known(end) for end in (value, np.minimum(low, value), np.maximum(high, value)))
        each = zip(self.groups.places, at.tolist(), self.found[0].n.tolist(), *ends, strict=True)
        name = self.groups.labels[highest]
        for k, (place, level, n, size, least, most) in enumerate(each):
            if size is None:
                why = rates.missing(self.metric, self.found, k, self.plan.minimum) or self._alone
                yield undefined(why, **self._common("impact_ratio", place, level), n=n)
                continue
            yield Measure(
                analysis="fairness",
                metric=self.metric.name,
                statistic="impact_ratio",
                where=place,
                value=size,
                low=least,
                high=most,
                level=level,
                method=method,
                n=n,
                details={"highest": name},
            )

    def _without_impact(self) -> Iterator[Measure]:
        share = self.found[0]
        for k, place in enumerate(self.groups.places):
            common = self._common("impact_ratio", place, self.plan.level(self.metric.name, "impact_ratio", place))
            own = rates.missing(self.metric, self.found, k, self.plan.minimum)
            why = own or (self._alone if len(self.place) < 2 else Message("zero_over_zero"))
            yield undefined(why, n=int(share.n[k]), **common)

    @property
    def _alone(self) -> Message:
        return Message("one_level", {"attribute": self.groups.name, "of": self.metric.of})

    def _common(self, statistic: str, where: dict[str, str], level: float) -> dict[str, Any]:
        name = {"analysis": "fairness", "metric": self.metric.name, "statistic": statistic}
        return name | {"where": where, "level": level}


def _extremes(pairs: Compared) -> tuple[int, int]:
    lowest, highest = int(pairs.value.argmin()), int(pairs.value.argmax())
    return (lowest, highest) if lowest != highest else (0, len(pairs.value) - 1)  # all alike: any two


def _gap(pairs: Compared, value: float, low: float, high: float, method: str) -> Gap:
    lowest, highest = (int(pairs.place[k]) for k in _extremes(pairs))
    # rounding may put an end on the wrong side of the value by the last bit
    return Gap(value, min(float(low), value), max(float(high), value), method, lowest, highest, len(pairs.place))
