"""How much of a gap chance alone would show, beside how far groups truly differ. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr

from ...intervals import Floats, wilson
from ...measure import Measure, undefined
from ...messages import Message
from ..table.groups import Groups
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares
from . import spread
from .bands import Resampled

EXACT = 4_000  # values that the groups' rates can take together, up to which the expected gap is exact
POINTS = 300  # at which it is summed up otherwise
RARE = 10.0  # n p (1 − p) below which a group's count is taken as binomial, else as normal with its skewness


def measures(
    groups: Groups, metric: Metric, share: Shares, place: NDArray[np.intp], drawn: Resampled | None, plan: Plan
) -> Iterator[Measure]:
    """The gap to expect by chance, and the debiased spread, of a share across the groups at `place`."""
    common: dict[str, Any] = {
        "analysis": "fairness",
        "metric": metric.name,
        "where": groups.gap,
        "n": share.behind,
    }
    for statistic, of in (("expected_by_chance", _by_chance), ("debiased_spread", spread.of_shares)):
        own = common | {"statistic": statistic, "level": plan.level(metric.name, statistic, groups.gap)}
        if len(place) < 2:
            why = Message("one_level", {"attribute": groups.name, "of": metric.of})
            yield undefined(why, **own)
        else:
            yield of(share, place, drawn, own)


def _by_chance(share: Shares, place: NDArray[np.intp], _: Resampled | None, common: dict[str, Any]) -> Measure:
    n = share.effective[place]
    # a sum of weights may pass the whole by the last bit
    pooled = min(float(share.part[place].sum() / share.whole[place].sum()), 1.0)
    ends = [float(end) for end in wilson(pooled * n.sum(), n.sum(), common["level"])]
    value = expected_gap(n, pooled)
    found = [value, *(expected_gap(n, end) for end in ends)]
    if ends[0] < 0.5 < ends[1]:
        found.append(expected_gap(n, 0.5))  # where shares vary most
    method = "equal rates, wilson of the pooled rate"
    return Measure(value=value, low=min(found), high=max(found), method=method, details={"pooled": pooled}, **common)


def expected_gap(n: Floats, rate: float) -> float:
    """The mean of the highest minus the lowest share of groups of n rows that all have one true rate.

    E[max − min] = ∫ 1 − ∏ F(t) − ∏ (1 − F(t)) dt over the distribution functions F of the groups' shares
    [tippett1925]. Binomial, and exact, where the shares can take few values together; else counts that are not rare are
    taken as normal, with their skewness [fisher1938].

    Args:
        n: [groups] rows, or effective rows, above 0.

    >>> round(expected_gap(np.array([1.0, 1.0]), 0.5), 6)  # one row each: they differ half the time
    0.5
    """
    # equal for a share and its complement, whose rate may differ in the last bit
    folded = round(min(rate, 1 - rate), 12)
    return _expected(np.asarray(n, float).tobytes(), folded) if folded > 0 else 0.0


@lru_cache(maxsize=256)
def _expected(groups: bytes, rate: float) -> float:
    sizes, times = np.unique(np.frombuffer(groups), return_counts=True)
    exact = bool((sizes == np.round(sizes)).all()) and sizes.sum() + len(sizes) <= EXACT
    if exact:
        points = np.unique(np.concatenate([np.arange(m + 1) / m for m in sizes]))
    else:
        far = 8 * np.sqrt(rate * (1 - rate) / sizes.min()) + 8 / sizes.min()
        # dense in the middle, where the functions of large groups rise
        points = np.clip(rate + far * np.sinh(np.linspace(-6, 6, POINTS + 1)) / np.sinh(6), 0, 1)
    middle, width = (points[1:] + points[:-1]) / 2, np.diff(points)
    function = _functions(middle, sizes, rate, exact=exact)
    below, above = np.prod(function**times, axis=1), np.prod((1 - function) ** times, axis=1)
    return float(((1 - below - above) * width).sum())


def _binomial(points: Floats, sizes: Floats, rate: float) -> Floats:
    """[points, sizes] the chance of a share of at most each point."""
    return bdtr(np.floor(points[:, None] * sizes + 1e-9), np.round(sizes).astype(np.int64), rate)


def _functions(points: Floats, sizes: Floats, rate: float, *, exact: bool) -> Floats:
    """[points, sizes] the distribution functions: binomial where exact or rare, else normal with the skewness."""
    variance = sizes * rate * (1 - rate)
    rare = (variance < RARE) | exact
    function = np.empty((len(points), len(sizes)))
    function[:, rare] = _binomial(points, np.maximum(np.round(sizes[rare]), 1), rate)
    usual = variance[~rare]
    # far out the correction would bend the function back
    z = np.clip((points[:, None] - rate) * (sizes[~rare] / np.sqrt(usual)), -8, 8)
    function[:, ~rare] = ndtr(z - (1 - 2 * rate) / np.sqrt(usual) * (z * z - 1) / 6)
    return np.clip(function, 0, 1)
