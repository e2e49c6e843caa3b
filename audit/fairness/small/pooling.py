"""Rates of small groups, drawn towards what all groups share as far as their own rows leave them open. No torch.

Empirical Bayes: the groups' true rates are thought of as drawn from a beta distribution with mean μ and strength k (as
many rows as it is worth), both found from the groups themselves; a group's rate is then (x + kμ) / (m + k).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, digamma, expit, gammaln, logit, zeta

from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.headlines import MANY, levels, shares_listed
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, known, large, shares

LEAST = 3  # groups from which on a spread between them can be told from chance
METHOD = "empirical-bayes"
STEPS = 40  # Newton steps at most
STRONGEST = 1e6  # times the largest group: a pool this strong is the same as one rate for all
OWN = (np.arange(12) + 0.5) / 12  # how much a middling group's own rows count: what the interval is averaged over

Grid = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True)
class Pool:
    """What the groups share, for each of several metrics.

    Attributes:
        mean: [metrics] μ.
        strength: [metrics] k; infinite where the rates spread no more than chance makes them.
    """

    mean: Floats
    strength: Floats

    def rates(self, x: Floats, m: Floats) -> Floats:
        """[metrics, groups] (x + kμ) / (m + k); μ where k is infinite."""
        mean, strength = self.mean[:, None], self.strength[:, None]
        one = np.isinf(strength)
        own = (x + np.where(one, 0, strength) * mean) / (m + np.where(one, 1, strength))
        return np.where(one, mean, own)


def section(context: Context) -> Section:
    """Pooled rates of the groups of each attribute with at least three, and of every combination of attributes."""
    found = (measure for groups in context.groupings for measure in measures(groups, context.plan))
    return Section(measures=tuple(found))


def measures(groups: Groups, plan: Plan) -> Iterator[Measure]:
    """The statistic `pooled` of every group, metric by metric; without rows, what the other groups lead to expect."""
    if len(groups) < LEAST:
        return
    told = shares_listed(groups, "pooled", plan)
    found = [(metric, large(shares(groups, metric.top, metric.bottom), plan.minimum)) for metric in told]
    found = [(metric, share) for metric, share in found if share.n.any()]
    nothing = np.full(len(groups), np.nan)
    for metric, share in found:
        if not share.effective.any():  # every group is too small to be shown
            spread = (nothing, nothing, nothing, levels(plan, metric, "pooled", groups))
            yield from _column(groups, metric, share, Pool(nothing[:1], nothing[:1]), 0, spread, plan)
    found = [(metric, share) for metric, share in found if share.effective.any()]
    if not found:
        return
    x = np.stack([share.successes for _, share in found])
    m = np.stack([share.effective for _, share in found])
    asked_at = np.stack([levels(plan, metric, "pooled", groups) for metric, _ in found])
    pool, rates, low, high = _told(x, m, asked_at)
    for row, (metric, share) in enumerate(found):
        spread = (rates[row], low[row], high[row], asked_at[row])
        yield from _column(groups, metric, share, pool, row, spread, plan)


def pooled(x: Floats, m: Floats, level: Floats, times: Floats | float = 1.0) -> tuple[Pool, Floats, Floats, Floats]:
    """The pool of several metrics, and [metrics, groups] rates and the ends of their intervals."""
    grid = _plausible(x, m, times)
    pool = fit(x, m, times, grid)
    return pool, pool.rates(x, m), *interval(x, m, pool, level, times, grid)


def pooled_by_kind(x: Floats, m: Floats, level: float) -> tuple[Pool, Floats, Floats, Floats]:
    """The same of very many groups: those with the same counts are told once, metric by metric."""
    means, strengths, out = [], [], np.zeros((3, *x.shape))
    for row, (part, whole) in enumerate(zip(x, m, strict=True)):
        _, first, place, times = np.unique(
            part + 1j * whole, return_index=True, return_inverse=True, return_counts=True
        )
        kinds = part[first][None], whole[first][None]
        pool, rates, low, high = pooled(*kinds, np.full((1, len(first)), level), times.astype(float))
        means.append(pool.mean)
        strengths.append(pool.strength)
        out[:, row] = np.concatenate([rates, low, high])[:, place]
    return Pool(np.concatenate(means), np.concatenate(strengths)), out[0], out[1], out[2]


def _told(x: Floats, m: Floats, level: Floats) -> tuple[Pool, Floats, Floats, Floats]:
    alike = x.shape[1] >= MANY and (level == level.flat[0]).all()
    return pooled_by_kind(x, m, float(level.flat[0])) if alike else pooled(x, m, level)


def fit(x: Floats, m: Floats, times: Floats | float = 1.0, grid: Grid | None = None) -> Pool:
    """The μ and k under which the groups' counts are likeliest, for each metric [griffiths1973].

    Found by Newton's method in (logit μ, log k) from the likeliest point of a grid. Where the rates spread less than
    chance alone would make them, the likeliest k is infinite: one rate for all.

    Args:
        x: [metrics, groups] rows on top; m: [metrics, groups] rows below, whole or effective.
        times: how many groups have these counts.
        grid: what is plausible of them, where that is known already.
    """
    whole = (times * m).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = np.where(whole > 0, (times * x).sum(1) / whole, np.nan)
    mixed = (overall > 0) & (overall < 1) & ((times * (m > 0)).sum(1) >= LEAST)
    mean, strength = overall.copy(), np.full(len(x), np.inf)
    if mixed.any():
        x, m, one = x[mixed], m[mixed], overall[mixed]
        some = _plausible(x, m, times) if grid is None else tuple(part[:, mixed] for part in grid)
        a, t = _climb(x, m, times, *_start(*some))
        same = np.sum(times * (x * np.log(one)[:, None] + (m - x) * np.log1p(-one)[:, None]), 1)
        varies = (_likelihood(x, m, times, a, t) > same + 1e-9) & (t < np.log(STRONGEST * m.max(1)))
        mean[mixed], strength[mixed] = np.where(varies, expit(a), one), np.where(varies, np.exp(t), np.inf)
    return Pool(mean, strength)


def interval(
    x: Floats, m: Floats, pool: Pool, level: Floats | float, times: Floats | float = 1.0, grid: Grid | None = None
) -> tuple[Floats, Floats]:
    """[metrics, groups] ends of the interval of every group's true rate.

    The beta posterior's own interval forgets that μ and k were estimated: of groups that are alike it held the true
    rate in 3 of 10 cases. So it is averaged over strengths k, spread evenly in how much a middling group's own rows
    count, s = k₀/(k₀+k) [christiansen1997], weighed by their likelihood and by s², each with its own μ and that μ's
    variance; the interval is that of the beta distribution with the same mean and mean square [carlin1990]. The s²
    leans to groups that differ. For a nominal 95 % `benchmarks/pooling.py` measures, over groups of truths that the
    method was not tuned on, 92 to 100 %, and 91 to 100 % over the smallest fifth of the groups; least where five groups
    of few rows differ, most where all are alike.
    """
    strengths, means, likely = _plausible(x, m, times) if grid is None else grid
    weight = likely * OWN[:, None] ** 2
    weight /= weight.sum(0)
    k, mean = strengths[:, :, None], means[:, :, None]
    centre = (x + k * mean) / (m + k)
    error = mean * (1 - mean) / ((k + 1) * np.sum(times * m / (m + k), 2, keepdims=True))  # of μ itself [kleinman1973]
    own = centre * (1 - centre) / (m + k + 1)
    value = np.nan_to_num(pool.rates(x, m))
    square = np.sum(weight[:, :, None] * (own + (k / (m + k)) ** 2 * error + (centre - value) ** 2), 0)
    inside = np.clip(value, *_bounds(times * m))
    room = inside * (1 - inside)
    rows = np.maximum(room / np.minimum(square, 0.999 * room) - 1, 1e-3)
    tail = (1 - np.asarray(level)) / 2
    low, high = (betaincinv(inside * rows, (1 - inside) * rows, end) for end in (tail, 1 - tail))
    return np.where(value == 0, 0, np.minimum(low, value)), np.where(value == 1, 1, np.maximum(high, value))


def _bounds(m: Floats) -> tuple[Floats, Floats]:
    """How near to 0 or 1 a rate is taken to be for its interval: half a row of all."""
    edge = 0.5 / (m.sum(1, keepdims=True) + 1)
    return edge, 1 - edge


def _plausible(x: Floats, m: Floats, times: Floats | float) -> Grid:
    """Strengths, means and likelihoods [grid, metrics]: each strength with the mean that fits it; they sum to 1."""
    middle = np.array([np.median(row[row > 0]) if (row > 0).any() else 1.0 for row in m])
    k = middle * ((1 - OWN) / OWN)[:, None]
    share = times * m / (m + k[:, :, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.where(m > 0, x / m, 0.0)
    mean = np.clip(np.sum(share * rates, 2) / np.sum(share, 2), *(edge[:, 0] for edge in _bounds(times * m)))
    found = np.stack([_likelihood(x, m, times, logit(a), np.log(s)) for a, s in zip(mean, k, strict=True)])
    likely = np.exp(found - found.max(0))
    return k, mean, likely / likely.sum(0)


def _start(k: Floats, mean: Floats, likely: Floats) -> tuple[Floats, Floats]:
    """The likeliest point of the grid: logit μ and log k [metrics]."""
    best, metric = likely.argmax(0), np.arange(k.shape[1])
    return logit(mean[best, metric]), np.log(k[best, metric])


def _climb(x: Floats, m: Floats, times: Floats | float, a: Floats, t: Floats) -> tuple[Floats, Floats]:
    """The top of the likelihood in (logit μ, log k), by Newton steps that are shortened until they climb.

    A metric is done once it steps no further, or climbs no higher than the sums of its likelihood are rounded.
    """
    damping, height, done = np.full(len(a), 1e-3), _likelihood(x, m, times, a, t), np.zeros(len(a), bool)
    rounding = 1e-16 * (times * gammaln(m + 1)).sum(1)
    highest = np.log(STRONGEST * m.max(1))
    for _ in range(STEPS):
        slope, bend = _derivatives(x, m, times, a, t)
        scale = np.abs(bend[:, [0, 1], [0, 1]]) + 1e-12
        curve = -bend + (damping[:, None] * scale)[:, :, None] * np.eye(2)
        curve += (np.maximum(0, -np.linalg.eigvalsh(curve)[:, 0]) * 1.5)[:, None, None] * np.eye(2)
        step = np.clip(np.linalg.solve(curve + 1e-12 * np.eye(2), slope[:, :, None])[:, :, 0], -3, 3)
        there = a + step[:, 0], np.minimum(t + step[:, 1], highest)
        new = _likelihood(x, m, times, *there)
        better = (new >= height) & ~done
        done |= (np.abs(step).max(1) < 1e-7) | (np.abs(new - height) <= rounding)
        a, t, height = np.where(better, there[0], a), np.where(better, there[1], t), np.where(better, new, height)
        damping = np.where(better, damping / 10, damping * 10)
        done |= (damping > 1e8) | (t >= highest)
        if done.all():
            break
    return a, t


def _likelihood(x: Floats, m: Floats, times: Floats | float, a: Floats, t: Floats) -> Floats:
    """[metrics] the log of the beta-binomial likelihood, but for a constant."""
    k = np.exp(t)[:, None]
    up, down = k * expit(a)[:, None], k * expit(-a)[:, None]
    own = gammaln(x + up) + gammaln(m - x + down) - gammaln(m + k)
    return (times * (own - gammaln(up) - gammaln(down) + gammaln(k))).sum(1)


def _derivatives(
    x: Floats, m: Floats, times: Floats | float, a: Floats, t: Floats
) -> tuple[Floats, NDArray[np.float64]]:
    """Slopes [metrics, 2] and curvatures [metrics, 2, 2] of the log likelihood in (logit μ, log k)."""
    mu, k = expit(a), np.exp(t)
    up, down = (k * mu)[:, None], (k * (1 - mu))[:, None]
    alpha, beta, both = (_sums(*of, times) for of in ((x, up), (m - x, down), (m, k[:, None])))
    tilt = k * mu * (1 - mu)  # d(kμ)/d logit μ
    slope = np.stack([tilt * (alpha[0] - beta[0]), k * (mu * alpha[0] + (1 - mu) * beta[0] - both[0])], 1)
    aa = tilt**2 * (alpha[1] + beta[1]) + tilt * (1 - 2 * mu) * (alpha[0] - beta[0])
    at = k * tilt * (mu * alpha[1] - (1 - mu) * beta[1]) + slope[:, 0]
    tt = k**2 * (mu**2 * alpha[1] + (1 - mu) ** 2 * beta[1] - both[1]) + slope[:, 1]
    return slope, np.stack([np.stack([aa, at], 1), np.stack([at, tt], 1)], 1)


def _sums(rows: Floats, base: Floats, times: Floats | float) -> tuple[Floats, Floats]:
    """[metrics] Σ over groups of ψ(rows + base) − ψ(base), and of its derivative."""
    first = digamma(rows + base) - digamma(base)
    second = zeta(2, rows + base) - zeta(2, base)  # the trigamma function
    return (times * first).sum(1), (times * second).sum(1)


def _column(
    groups: Groups, metric: Metric, share: Shares, pool: Pool, row: int, spread: tuple[Floats, ...], plan: Plan
) -> Iterator[Measure]:
    """One metric of every group, in order."""
    with_rows, mu = int((share.effective > 0).sum()), float(pool.mean[row])
    strength = float(pool.strength[row])
    k = strength if np.isfinite(strength) else None  # None: one rate for all
    raw, rate, low, high = (known(each) for each in (share.value, *spread[:3]))
    each = zip(groups.places, spread[3].tolist(), share.n.tolist(), raw, rate, low, high, strict=True)
    method = METHOD + share.suffix
    common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "pooled", "method": method}
    for place, level, n, own, value, least, most in each:
        if 0 < n < plan.minimum:
            few = {"count": n, "of": metric.of, "minimum": plan.minimum}
            yield undefined(Message("below_minimum", few), **common, where=place, level=level, n=n)
            continue
        if with_rows < LEAST or value is None:
            why = Message("too_few_groups", {"count": with_rows, "of": metric.of, "needed": LEAST})
            yield undefined(why, **common, where=place, level=level, n=n)
            continue
        yield Measure(
            analysis="fairness",
            metric=metric.name,
            statistic="pooled",
            where=place,
            value=value,
            low=least,
            high=most,
            level=level,
            method=method,
            n=n,
            details={"raw": own, "mu": mu, "k": k},
        )
