"""What makes the intervals of all pairs of groups hold together: a critical value from joint draws. Loads no torch.

Every pair gets a score interval (Newcombe's, Koopman's) at one common critical value. Šidák's is safe whatever the
counts. Where every group has enough successes and failures, it is the quantile of the largest standardised deviation
|t| over all pairs in the joint draws [hothorn2008]: smaller, for pairs that share a group move together. The bands are
no normal ones around the estimates: those cover 90 to 94 % at ten successes a group, and these 93 to 98 %.

They hold at their level where all groups are alike, where every pair could be the one that errs. Of a gap that is truly
there only the few pairs at its ends can, so more is covered than was asked for: 97 to 99 % for 95 %. The far end could
be taken from the pairs' own intervals and would still hold for the gap alone; but then the band would not hold for the
other pairs, and would be the extreme pair's own, which this is meant not to be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ...intervals import Floats
from ..table.groups import Groups
from ..table.metrics import Metric, Table, total
from ..table.plan import Plan
from ..table.shares import Shares
from .resampling import draws, resampled

ENOUGH = 10  # successes, and failures, that each group needs before draws are trusted
MOST_GROUPS = 200  # beyond which pairs are too many, and rectangles of groups take their place
BLOCK = 2_000_000  # numbers in memory at once


@dataclass(frozen=True, slots=True)
class Joint:
    """The common level of intervals that hold together.

    Attributes:
        level: of each single interval; name: what is added to the name of its method.
    """

    level: float
    name: str


def sidak(level: float, intervals: int) -> Joint:
    """The level of each of many intervals that all hold together at `level`: level^(1 / intervals)."""
    return Joint(level ** (1 / intervals), "-sidak")


def max_t(deviation: Table, spread: Floats, level: float) -> Joint:
    """The level of each pair's interval at which all pairs hold together.

    Args:
        deviation: [replicates, groups] of the draws from the estimates.
        spread: [groups] their standard deviation.
    """
    value = float(np.quantile(largest(deviation, spread, level), level, method="higher"))
    return Joint(float(2 * ndtr(value) - 1), "-max-t")


def largest(deviation: Table, spread: Floats, level: float = 0.0) -> NDArray[np.float32]:
    """[replicates] the largest |d_i − d_j| / √(s_i² + s_j²) over all pairs.

    Exact where it is above the quantile at `level` of a lower bound; elsewhere only a lower bound: enough for that
    quantile. By Cauchy and Schwarz no pair exceeds √(z_i² + z_j²) with z = d / s, so a pair above c has a member with
    |z| > c / √2; only those few are held against all others.
    """
    d, s = np.ascontiguousarray(deviation, np.float32), np.asarray(spread, np.float32)
    z = d / s
    row = np.arange(len(d))
    top, bottom = z.argmax(1), z.argmin(1)
    found = np.asarray((d[row, top] - d[row, bottom]) / np.hypot(s[top], s[bottom]), np.float32)
    floor = np.quantile(found, level, method="lower") / np.sqrt(2)
    place, group = np.nonzero((z > floor * 0.9999) | (z < -floor * 0.9999))
    step = max(1, BLOCK // len(s))
    for start in range(0, len(place), step):
        r, g = place[start : start + step], group[start : start + step]
        apart = np.abs(d[r] - d[r, g][:, None]) / np.sqrt(s[g][:, None] ** 2 + s**2)
        np.maximum.at(found, r, apart.max(1))
    return found


@dataclass(frozen=True, slots=True)
class Resampled:
    """A metric's shares, resampled: [replicates, groups] each (the mean of both, where a metric has two).

    Attributes:
        share: [groups] of the rows themselves; draws: [replicates, groups] float32; spread: [groups] of the draws.
    """

    share: Floats
    draws: NDArray[np.float32]
    spread: Floats

    def joint(self, level: float, *, relative: bool = False) -> Joint:
        """The pairs' common level, for differences of the shares or, relative, for their ratios."""
        scale = self.share if relative else np.ones_like(self.share)
        deviation = (self.draws - self.share.astype(np.float32)) / scale.astype(np.float32)
        return max_t(deviation, self.spread / scale, level)


def resample(
    groups: Groups, metric: Metric, found: tuple[Shares, ...], place: NDArray[np.intp], plan: Plan
) -> Resampled | None:
    """The resampled shares of the groups at `place`; None where none are asked for, or one has too few rows."""
    if not plan.replicates or len(place) > MOST_GROUPS or not resampled(groups) or not enough(found, place):
        return None
    tables = draws(groups, plan)
    drawn = [_shares(tables, top, bottom) for top, bottom, _ in metric.parts]
    share = sum((each.value for each in found), np.zeros(len(groups))) / len(found)
    both = drawn[0] if len(drawn) == 1 else (drawn[0] + drawn[1]) / 2
    if len(place) < len(groups):
        both = both[:, place]
    spread = both.std(0, dtype=np.float64)
    # a group that has vanished from a draw has no share there
    return (
        Resampled(share[place], np.asarray(both, np.float32), spread)
        if np.isfinite(spread).all() and (spread > 0).all()
        else None
    )


def enough(found: tuple[Shares, ...], place: NDArray[np.intp]) -> bool:
    """Whether each group has at least `ENOUGH` successes and failures, by the effective number of rows."""
    return all(
        ((share.successes >= ENOUGH) & (share.effective - share.successes >= ENOUGH))[place].all() for share in found
    )


def by_draws(found: tuple[Shares, ...], place: NDArray[np.intp], drawn: Resampled) -> tuple[Shares, ...]:
    """A weighted or clustered share with the effective number of rows that its draws show, p (1 − p) / Var."""
    if len(found) > 1:
        return found  # the draws are of the mean of both
    only = next(iter(found))
    effective = only.effective.copy()
    effective[place] = np.minimum(drawn.share * (1 - drawn.share) / drawn.spread**2, only.n[place])
    return (replace(only, effective=effective, suffix="-bootstrap"),)


def _shares(tables: Table, top: tuple[tuple[int, int], ...], bottom: tuple[tuple[int, int], ...]) -> Table:
    with np.errstate(divide="ignore", invalid="ignore"):
        return total(tables, top).astype(np.float32) / total(tables, bottom).astype(np.float32)
