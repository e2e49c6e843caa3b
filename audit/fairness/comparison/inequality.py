"""Inequality of what decisions grant: entropy indices over rows, and their part between groups. Loads no torch.

A row's benefit is b = decision − label + 1: 2 for a false positive, 0 for a missed positive, 1 for a right decision
[speicher2018]. The indices measure how unevenly benefits are spread; their between-group part is what would be left if
every row had its group's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chndtr, chndtrinc, xlogy

from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import CELLS, Groups
from ..table.metrics import FN, FP, LABELLED, total
from ..table.plan import Plan
from ..table.shares import shares
from .resampling import of_cells

BENEFIT = np.array([[1.0, 2.0], [0.0, 1.0]])  # truth × decision
FEW = 10  # errors of each kind below which resampling is not trusted


@dataclass(frozen=True, slots=True)
class Index:
    """An index of inequality over rows, and what its part between groups is called.

    Attributes:
        of: from the benefits and their weights, each [..., kinds], to the index [...].
        between: the metric of its part between groups; empty where it is not reported.
    """

    name: str
    of: Callable[[Floats, Floats], Floats]
    between: str = ""


def generalized_entropy(benefit: Floats, weight: Floats, alpha: float = 2.0) -> Floats:
    """Generalised entropy [...] of benefits [..., kinds] that occur with some weight [..., kinds].

    With u = b / mean(b): mean(u^α − 1) / (α(α − 1)); α = 1 is Theil's mean(u ln u), α = 0 the mean log deviation
    −mean(ln u) [shorrocks1980]. NaN where the mean is 0; infinite at α = 0 where any benefit is 0.

    >>> b, w = np.array([0.0, 1.0, 2.0]), np.array([2.0, 6.0, 2.0])
    >>> round(float(generalized_entropy(b, w)), 6), round(float(generalized_entropy(b, w, 1.0)), 6)
    (0.2, 0.277259)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight / weight.sum(-1, keepdims=True)
        u = benefit / (share * benefit).sum(-1, keepdims=True)
        if alpha == 1:
            return (share * xlogy(u, u)).sum(-1)
        if alpha == 0:
            return -np.where(share > 0, share * np.log(u), 0.0).sum(-1)
        return (share * (u**alpha - 1)).sum(-1) / (alpha * (alpha - 1))


def variation(benefit: Floats, weight: Floats) -> Floats:
    """Coefficient of variation: standard deviation / mean = √(2 GE(2))."""
    return np.sqrt(2 * np.maximum(generalized_entropy(benefit, weight), 0))


INDICES: tuple[Index, ...] = (
    Index("generalized_entropy_index", generalized_entropy, "between_group_generalized_entropy"),
    Index("theil_index", partial(generalized_entropy, alpha=1.0), "between_group_theil"),
    Index("mean_log_deviation", partial(generalized_entropy, alpha=0.0)),
    Index("coefficient_of_variation", variation),
)


def over_rows(index: Index, cells: Floats) -> Floats:
    """The index [...] of all rows of tables [..., groups, 3, 2]."""
    rows = cells[..., :2, :].sum(-3)
    weight = np.stack([rows[..., 1, 0], rows[..., 0, 0] + rows[..., 1, 1], rows[..., 0, 1]], -1)
    return index.of(np.array([0.0, 1.0, 2.0]), weight)


def between_groups(index: Index, cells: Floats) -> Floats:
    """The index [...] where every row of tables [..., groups, 3, 2] has the mean benefit of its group."""
    weight = cells[..., :2, :].sum((-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight > 0, (cells[..., :2, :] * BENEFIT).sum((-1, -2)) / weight, 0.0)
    return index.of(mean, weight)


def section(context: Context) -> Section:
    """The indices over everyone, and between the groups of each attribute and combination."""
    return Section(measures=tuple(_measures(context))) if context.labelled else Section()


def _measures(context: Context) -> Iterator[Measure]:
    for everyone in context.everyone:
        if _whole(everyone):
            for index in INDICES:
                yield _over_rows(index, everyone, context.plan)
    for groups in context.groupings:
        if _whole(groups):
            for index in INDICES:
                if index.between:
                    yield _between(index, groups, context.plan)


def _whole(groups: Groups) -> bool:
    """Whether truth and decision mean what they say; the view of right and wrong over classes has no benefits."""
    return any(metric.name == "false_positive_rate" for metric in groups.metrics)


def _over_rows(index: Index, everyone: Groups, plan: Plan) -> Measure:
    where = everyone.places[0]
    level = plan.level(index.name, "value", where)
    common: dict[str, Any] = {"analysis": "fairness", "metric": index.name, "where": where, "level": level}
    common["n"] = int(total(everyone.rows, LABELLED).sum())
    value = float(over_rows(index, everyone.sums))
    why = _missing(value, total(everyone.sums, (FN,)).sum(), common["n"])
    if why is not None:
        return undefined(why, **common)
    low = high = None
    method = "bca"
    if min(total(everyone.rows, (cell,)).sum() for cell in (FN, FP)) >= FEW:
        _, low, high, method = of_cells(partial(over_rows, index), everyone, level, plan)
    if low is None or high is None:
        low, high = _few(index, everyone, level)
        method = "wilson over both error rates, bonferroni"
    return Measure(value=value, low=min(low, value), high=max(high, value), method=method, **common)


def _missing(value: float, missed: float, n: int) -> Message | None:
    if not n:
        return Message("empty_denominator", {"of": "labelled rows"})
    if np.isnan(value):
        return Message("no_benefit")
    return Message("zero_benefit", {"count": missed}) if np.isinf(value) else None


def _few(index: Index, everyone: Groups, level: float) -> tuple[float, float]:
    """The smallest and largest index that two error rates allow, each in its Wilson interval at (1 + level) / 2."""
    rates = [shares(everyone, (cell,), LABELLED).wilson((1 + level) / 2) for cell in (FN, FP)]
    missed, false = np.meshgrid(*(np.linspace(low[0], high[0], 65) for low, high in rates))
    weight = np.stack([missed, np.maximum(1 - missed - false, 0), false], -1)
    found = index.of(np.array([0.0, 1.0, 2.0]), weight)
    found = found[np.isfinite(found)]
    return float(found.min()), float(found.max())


def _between(index: Index, groups: Groups, plan: Plan) -> Measure:
    level = plan.level(index.between, "value", groups.gap)
    weight = groups.sums[:, :2].sum((1, 2))
    common: dict[str, Any] = {"analysis": "fairness", "metric": index.between, "where": groups.gap, "level": level}
    common["n"] = int(groups.rows[:, :2].sum())
    absent = [name for name, rows in zip(groups.labels, weight, strict=True) if not rows > 0]
    if len(groups) - len(absent) < 2:
        why = Message("one_level", {"attribute": groups.name, "of": "labelled rows"})
        return undefined(why, **common, details={"undefined": absent})
    value = float(between_groups(index, groups.sums))
    if np.isnan(value):
        return undefined(Message("no_benefit"), **common)
    value = max(value, 0.0)
    low, high = _noncentral(groups, value, level)
    details = {"levels": len(groups) - len(absent), "undefined": absent}
    return Measure(value=value, low=low, high=high, method="noncentral chi-square", details=details, **common)


def _noncentral(groups: Groups, value: float, level: float) -> tuple[float, float]:
    """Interval of a between-group index, which is never negative and above 0 by chance alone.

    Σ n (mean of group − mean)² is about c · χ²(ν, λ), with c and ν such that mean and variance agree where the groups
    are alike; λ is inverted as in [steiger2004]. All indices agree to second order, so each has its ends in the ratio
    in which GE(2) has them.
    """
    weight = groups.sums[:, :2].sum((1, 2))
    kept = weight > 0
    mean, variance = (x[kept] for x in _means(groups))
    share = weight[kept] / weight.sum()
    spread = float((share * (mean - share @ mean) ** 2).sum())
    # covariance of √share · (mean of group − mean): (I − P) V (I − P) with P on √share
    root = np.sqrt(share)
    scaled = share * variance
    first = float(scaled.sum() - (root**2 * scaled).sum())
    second = float((scaled**2 * (1 - 2 * root**2)).sum() + (root**2 * scaled).sum() ** 2)
    scale, freedom = second / first, first**2 / second
    statistic = spread / scale
    # groups that agree better than chance would have them are no proof of a small λ: hence at least ν above
    ends = (
        _noncentrality(statistic, freedom, (1 + level) / 2),
        _noncentrality(max(statistic, freedom), freedom, (1 - level) / 2),
    )
    # the true spread is c · λ on average, and the index goes with it
    unit = value / spread if spread > 0 else 0.5 / float(share @ mean) ** 2
    low, high = (end * scale * unit for end in ends)
    return min(low, value), max(high, value)


def _noncentrality(statistic: float, freedom: float, share: float) -> float:
    """The λ at which χ²(ν, λ) lies below the statistic with that chance; 0 where it does so less often at λ = 0."""
    if statistic <= 0 or chndtr(statistic, freedom, 0.0) <= share:
        return 0.0
    return float(chndtrinc(statistic, freedom, share))


def _means(groups: Groups) -> tuple[Floats, Floats]:
    """Mean benefit [groups] and the variance of each mean over rows, weighted or clustered."""
    weight = groups.sums[:, :2].sum((1, 2))
    units = groups.units
    score: NDArray[np.float64] = np.zeros(CELLS)
    score[:4] = BENEFIT.ravel()
    labelled = np.arange(CELLS) < 4
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight > 0, (groups.sums[:, :2] * BENEFIT).sum((1, 2)) / weight, 0.0)
    group, cell = units.cell // CELLS, units.cell % CELLS
    residual = units.amount * (score[cell] - mean[group]) * labelled[cell]
    pairs, place = np.unique(units.unit * len(groups) + group, return_inverse=True)
    sums = np.bincount(place, residual, minlength=len(pairs))
    squares = np.bincount(pairs % len(groups), sums**2 * units.multiplicity[pairs // len(groups)], len(groups))
    # one more error in each group than were seen, for where none was the variance would be 0
    rows = groups.rows[:, :2].sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        one = groups.squares[:, :2].sum((1, 2)) / rows
        return mean, np.where(weight > 0, (squares + one) / weight**2, 0.0)
