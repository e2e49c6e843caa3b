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
from scipy.special import betaincinv, digamma, expit, gammaln, logit, polygamma

from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.context import Context
from ..table.groups import Groups
from ..table.headlines import MANY, asked, levels
from ..table.metrics import Metric
from ..table.plan import Plan
from ..table.shares import Shares, shares

LEAST = 3  # groups from which on a spread between them can be told from chance
METHOD = "empirical-bayes"
STEPS = 40  # Newton steps at most
STRONGEST = 1e6  # times the largest group: a pool this strong is the same as one rate for all
OWN = (np.arange(12) + 0.5) / 12  # how much a middling group's own rows count: what the interval is averaged over


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
    found = [(metric, shares(groups, metric.top, metric.bottom)) for metric in asked(groups)]
    found = [(metric, share) for metric, share in found if share.n.any()]
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
    pool = fit(x, m, times)
    return pool, pool.rates(x, m), *interval(x, m, pool, level, times)


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


def fit(x: Floats, m: Floats, times: Floats | float = 1.0) -> Pool:
    """The μ and k under which the groups' counts are likeliest, for each metric [griffiths1973].

    Found by Newton's method in (logit μ, log k) from the likeliest point of a grid. Where the rates spread less than
    chance alone would make them, the likeliest k is infinite: one rate for all.

    Args:
        x: [metrics, groups] rows on top; m: [metrics, groups] rows below, whole or effective.
        times: how many groups have these counts.
    """
    whole = (times * m).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = np.where(whole > 0, (times * x).sum(1) / whole, np.nan)
    mixed = (overall > 0) & (overall < 1) & ((times * (m > 0)).sum(1) >= LEAST)
    mean, strength = overall.copy(), np.full(len(x), np.inf)
    if mixed.any():
        x, m, one = x[mixed], m[mixed], overall[mixed]
        a, t = _climb(x, m, times, *_start(x, m, times))
        same = np.sum(times * (x * np.log(one)[:, None] + (m - x) * np.log1p(-one)[:, None]), 1)
        varies = (_likelihood(x, m, times, a, t) > same + 1e-9) & (t < np.log(STRONGEST * m.max(1)))
        mean[mixed], strength[mixed] = np.where(varies, expit(a), one), np.where(varies, np.exp(t), np.inf)
    return Pool(mean, strength)


def interval(
    x: Floats, m: Floats, pool: Pool, level: Floats | float, times: Floats | float = 1.0
) -> tuple[Floats, Floats]:
    """[metrics, groups] ends of the interval of every group's true rate.

    The beta posterior's own interval forgets that μ and k were estimated: of groups that are alike it held the true
    rate in 3 of 10 cases. So it is averaged over strengths k, spread evenly in how much a middling group's own rows
    count, s = k₀/(k₀+k) [christiansen1997], weighed by their likelihood and by s², each with its own μ and that μ's
    variance; the interval is that of the beta distribution with the same mean and mean square [carlin1990]. The s²
    leans to groups that differ: `benchmarks/pooling.py` measures 93 to 99 % for a nominal 95 %.
    """
    strengths, means, likely = _plausible(x, m, times)
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


def _plausible(x: Floats, m: Floats, times: Floats | float) -> tuple[Floats, Floats, Floats]:
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


def _start(x: Floats, m: Floats, times: Floats | float) -> tuple[Floats, Floats]:
    """The likeliest point of the grid: logit μ and log k [metrics]."""
    k, mean, likely = _plausible(x, m, times)
    best, metric = likely.argmax(0), np.arange(len(x))
    return logit(mean[best, metric]), np.log(k[best, metric])


def _climb(x: Floats, m: Floats, times: Floats | float, a: Floats, t: Floats) -> tuple[Floats, Floats]:
    """The top of the likelihood in (logit μ, log k), by Newton steps that are shortened until they climb."""
    damping, height = np.full(len(a), 1e-3), _likelihood(x, m, times, a, t)
    highest = np.log(STRONGEST * m.max(1))
    for _ in range(STEPS):
        slope, bend = _derivatives(x, m, times, a, t)
        scale = np.abs(bend[:, [0, 1], [0, 1]]) + 1e-12
        curve = -bend + (damping[:, None] * scale)[:, :, None] * np.eye(2)
        curve += (np.maximum(0, -np.linalg.eigvalsh(curve)[:, 0]) * 1.5)[:, None, None] * np.eye(2)
        step = np.clip(np.linalg.solve(curve + 1e-12 * np.eye(2), slope[:, :, None])[:, :, 0], -3, 3)
        there = a + step[:, 0], np.minimum(t + step[:, 1], highest)
        new = _likelihood(x, m, times, *there)
        better = new >= height
        a, t, height = np.where(better, there[0], a), np.where(better, there[1], t), np.where(better, new, height)
        damping = np.where(better, damping / 10, damping * 10)
        if np.all((np.abs(step).max(1) < 1e-7) | (damping > 1e8) | (t >= highest)):
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
    second = polygamma(1, rows + base) - polygamma(1, base)
    return (times * first).sum(1), (times * second).sum(1)


def _column(
    groups: Groups, metric: Metric, share: Shares, pool: Pool, row: int, spread: tuple[Floats, ...], plan: Plan
) -> Iterator[Measure]:
    """One metric of every group, in order."""
    with_rows, value = int((share.n > 0).sum()), share.value
    strength = float(pool.strength[row])
    for k, place in enumerate(groups.places):
        level = float(spread[3][k])
        common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "pooled"}
        common |= {"where": place, "level": level, "method": METHOD + share.suffix, "n": int(share.n[k])}
        if with_rows < LEAST or not np.isfinite(spread[0][k]):
            why = Message("too_few_groups", {"count": with_rows, "of": metric.of, "needed": LEAST})
            yield undefined(why, **common)
            continue
        shown = share.n[k] and share.n[k] >= plan.minimum and np.isfinite(value[k])
        details = {
            "raw": float(value[k]) if shown else None,
            "mu": float(pool.mean[row]),
            "k": strength if np.isfinite(strength) else None,  # None: one rate for all
        }
        low, high = float(spread[1][k]), float(spread[2][k])
        yield Measure(value=float(spread[0][k]), low=low, high=high, details=details, **common)
