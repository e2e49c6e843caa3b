"""Gaps as a posterior sees them: groups' shares drawn from Jeffreys' posterior, and what their pairs say. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...intervals import Floats
from ..table.groups import Groups
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, intervals
from . import pairs
from .bands import max_t
from .pairs import Compared
from .pool import seeded

MOST_DRAWS = 10_000


@dataclass(frozen=True)
class Posterior(Compared):
    """Groups whose intervals are credible ones.

    The prior of a share is Beta(½, ½), that of a Dirichlet over cells of which each share is made of two [brown2001].
    Shares of different groups have independent posteriors. Of two groups a gap has the quantiles of its draws. Of more,
    or without draws, Jeffreys' intervals of the groups are joined by MOVER [zou2008], [donner2012] at a level by which
    all pairs hold together: Šidák's, or that of the largest |t| among the draws.

    Attributes:
        level: at which all pairs together hold.
        draws: [draws, all groups] of the metric, for two groups; None else.
    """

    level: float = 0.95
    draws: Floats | None = None

    def single(self) -> tuple[Floats, Floats, str]:
        """[k] the credible interval of each group by itself."""
        low, high, name = intervals(self.metric, self.found, self.joint.level, posterior=True)
        return low[self.place], high[self.place], name

    def differences(self) -> tuple[Floats, Floats, str]:
        """[pairs] credible intervals of first − second."""
        value, (i, j) = self.value, self.indices
        if self.draws is not None:
            first, second = self.draws[:, self.place].T
            return *self._quantiles(first - second), self._named
        low, high, name = self.single()
        down, up = np.hypot(value[i] - low[i], high[j] - value[j]), np.hypot(high[i] - value[i], value[j] - low[j])
        return value[i] - value[j] - down, value[i] - value[j] + up, f"{name}, mover{self.joint.name}"

    def ratios(self) -> tuple[Floats, Floats, str]:
        """[pairs] credible intervals of first / second."""
        if self.draws is not None:
            first, second = self.draws[:, self.place].T
            return *self._quantiles(first / np.maximum(second, 1e-300)), self._named
        low, high, name = self.single()
        return *pairs.mover_r(self.value, low, high, *self.indices), f"{name}, mover-r{self.joint.name}"

    @property
    def _named(self) -> str:
        return f"jeffreys{self.found[0].suffix} posterior"

    def _quantiles(self, drawn: Floats) -> tuple[Floats, Floats]:
        low, high = np.quantile(drawn, [(1 - self.level) / 2, (1 + self.level) / 2])
        return np.array([low]), np.array([high])


def compared(
    groups: Groups, metric: Metric, found: tuple[Shares, ...], level: float, plan: Plan, *, relative: bool = False
) -> Posterior:
    """The groups that have a metric, at least two, with credible intervals that hold together.

    Args:
        relative: whether ratios of shares are to hold together, and not differences.
    """
    plain = pairs.compared(metric, found, level)
    smooth = metric.is_share or metric.other is not None
    if not (plan.replicates and smooth) or plain.rectangular or len(plain.place) < 2:
        return Posterior(plain.metric, plain.found, plain.place, plain.joint, level)
    drawn = _draws(groups, metric, found, plan)
    if len(plain.place) == 2:
        return Posterior(plain.metric, plain.found, plain.place, plain.joint, level, drawn)
    own = drawn[:, plain.place]
    mean = own.mean(0)
    scale = mean if relative else np.ones_like(mean)
    return Posterior(
        plain.metric, plain.found, plain.place, max_t((own - mean) / scale, own.std(0) / scale, level), level
    )


def _draws(groups: Groups, metric: Metric, found: tuple[Shares, ...], plan: Plan) -> Floats:
    """[draws, groups] the metric at shares drawn from Beta(x + ½, m − x + ½)."""
    rng = seeded(plan.seed, "posterior", groups.name, *groups.where.values(), metric.name)
    size = (min(plan.replicates, MOST_DRAWS), len(groups))
    each = [
        rng.beta(share.successes + 0.5, np.maximum(share.effective - share.successes, 0.0) + 0.5, size)
        for share in found
    ]
    return np.mean(each, axis=0)
