"""What a gap among many groups is worth: expected from chance, freed from it, pooled, and tested. Loads no torch."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, log_ndtr, ndtri, polygamma
from scipy.stats import f as fisher

from ...intervals import Floats, quantile
from ..comparison.spread import ends, less_common
from .estimates import Estimates
from .sample import DENSE

POWER = 0.8  # the chance to notice a disparity that is there
STEPS = 2_000  # of an integral; more change its sixth digit
TAUS, TAUS_REACH = 80, 4.0  # the grid of how far groups may vary, up to so many times what is seen
KINDS = 256  # of more standard errors than twice this quantiles stand for all but the largest


def expected_range(errors: Floats, means: Floats | None = None) -> float:
    """The mean of highest − lowest of independent normal numbers with these standard errors; without means all alike.

    Of equal errors and means this is d₂σ [tippett1925]. The mean of the highest is h − ∫ ∏Φ((x − μ)/σ) dx up to h,
    beyond which none lies; that of the lowest likewise.

    >>> round(expected_range(np.ones(4)), 3)
    2.059
    """
    if means is not None:
        return _range(errors, means, np.ones(len(errors)))
    errors = errors[errors > 0]
    if not len(errors):
        return 0.0
    kinds, many = np.unique(errors, return_counts=True)
    if len(kinds) > 2 * KINDS:
        ordered = np.sort(errors)  # the largest decide on the range and stay as they are
        rest, top = ordered[:-KINDS], ordered[-KINDS:]
        kinds = np.append(np.quantile(rest, (np.arange(KINDS) + 0.5) / KINDS), top)
        many = np.append(np.full(KINDS, len(rest) / KINDS), np.ones(KINDS))
    return _range(kinds, np.zeros(len(kinds)), many.astype(float))


def _range(errors: Floats, means: Floats, many: Floats) -> float:
    reach = 9 * float(errors.max())
    x = np.linspace(means.min() - reach, means.max() + reach, STEPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nan_to_num((x - means[:, None]) / errors[:, None])
    below = np.exp((many[:, None] * log_ndtr(off)).sum(0))  # the chance that all lie below x
    above = np.exp((many[:, None] * log_ndtr(-off)).sum(0))
    return float(x[-1] - x[0] - np.trapezoid(below + above, x)) if reach else float(np.ptp(means))


def moderated(e: Estimates) -> Floats:
    """[groups] variances of the estimates, those of small groups drawn towards what is common [smyth2004].

    The variance of a group of two rows may be anything; what one row varies by, in all groups, tells more. How much
    more is itself estimated, from how far the groups' variances differ beyond chance.
    """
    place = e.place
    rows = e.rows[place]
    unit, freedom = e.spread.variance[place] * rows, e.spread.freedom[place]
    known = np.isfinite(unit) & (unit > 0) & np.isfinite(freedom)
    out = np.full(len(e.value), np.nan)
    if known.sum() < 2:
        out[place] = unit / rows
        return out
    half, log = freedom[known] / 2, np.log(unit[known])
    centred = log - digamma(half) + np.log(half)
    extra = float(centred.var(ddof=1) - polygamma(1, half).mean())
    prior = _trigamma_inverse(extra) * 2 if extra > 0 else np.inf
    common = np.exp(centred.mean() + (digamma(prior / 2) - np.log(prior / 2) if np.isfinite(prior) else 0.0))
    own = np.where(np.isfinite(freedom), freedom, 0.0)
    part = own / (own + prior) if np.isfinite(prior) else np.zeros(len(own))
    out[place] = (part * np.where(own > 0, unit, 0.0) + (1 - part) * common) / rows
    return out


def debiased(e: Estimates) -> float:
    """The standard deviation between the groups' true numbers, what chance adds taken out [lum2022].

    √(S² − mean of the variances + mean of the covariances), 0 where chance alone would spread them more.
    """
    return float(np.sqrt(max(0.0, e.value[e.place].var(ddof=1) - _by_chance(e))))


def debiased_ends(e: Estimates, level: float) -> tuple[float, float]:
    """The interval of that; NaN where chance moves no group."""
    own = moderated(e)[e.place]
    known = np.isfinite(own) & (own > 0)
    if not known.any() or not _by_chance(e) > 0:
        return np.nan, np.nan
    return ends(e.value[e.place], less_common(np.where(known, own, own[known].mean()), _common(e)), level)


def _by_chance(e: Estimates) -> float:
    """The variance between groups that sampling alone makes."""
    return float(np.nanmean(e.spread.variance[e.place])) - _common(e)


def errors(e: Estimates) -> Floats:
    """The standard errors of independent numbers that would differ as these do; of what has no variance left out."""
    variance = moderated(e)[e.place] - _common(e)
    return np.sqrt(np.maximum(variance[np.isfinite(variance)], 0.0))


def _common(e: Estimates) -> float:
    """The mean covariance of two groups: what moves all alike sets none apart."""
    shared, place = e.spread.covariance, e.place
    if shared is None:
        return 0.0
    inside = shared[np.ix_(place, place)]
    return float((inside.sum() - np.trace(inside)) / (len(place) * (len(place) - 1)))


def pooled(e: Estimates, level: float) -> tuple[Floats, Floats, Floats]:
    """Each group's number drawn towards that of all, as far as its own rows are few: value, low, high.

    Groups vary by τ around a common mean and estimates by √V around them; the weight of the common mean is V/(V + τ²).
    Neither is known: the mean has a flat prior and so has τ, whose posterior is summed on a grid [gelman2006]. Taking
    one best τ instead would make the intervals too narrow.
    """
    value, variance = e.value, moderated(e)
    place = np.flatnonzero(np.isfinite(value) & np.isfinite(variance) & (variance > 0))
    out = np.full((3, len(value)), np.nan)
    if len(place) < 2:
        return out[0], out[1], out[2]
    y, v = value[place], variance[place]
    grid = np.linspace(0, TAUS_REACH * y.std(ddof=1), TAUS)
    weight = 1 / (v + grid[:, None] ** 2)  # [τ, groups]
    centre, spread = (weight * y).sum(1) / weight.sum(1), 1 / weight.sum(1)
    likely = 0.5 * (np.log(weight).sum(1) + np.log(spread) - (weight * (y - centre[:, None]) ** 2).sum(1))
    chance = np.exp(likely - likely.max())
    chance /= chance.sum()
    shrink = v * weight
    mean = y + shrink * (centre[:, None] - y)
    inside = v * (1 - shrink) + shrink**2 * spread[:, None]
    drawn = chance @ mean
    half = quantile(level) * np.sqrt(chance @ (inside + (mean - drawn) ** 2))
    out[:, place] = drawn, drawn - half, drawn + half
    return out[0], out[1], out[2]


def detectable(e: Estimates, level: float) -> Floats:
    """[groups] the difference from all other groups together that a two-sided test notices four times in five.

    (z₁₋α⸝₂ + z_power) · √(V + V_rest) [cohen1988].
    """
    rows = np.where(np.isfinite(e.value), e.rows, 0.0)
    variance = np.nan_to_num(moderated(e))
    others, squares = rows.sum() - rows, (rows**2 * variance).sum() - rows**2 * variance
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = squares / others**2
    return (quantile(level) + ndtri(POWER)) * np.sqrt(variance + rest)


def equal_means(e: Estimates) -> float | None:
    """The chance of groups at least so different if all were alike: Welch's analysis of variance [welch1951].

    Where groups share clusters, Wald's test of their differences instead. None where a group has no variance.
    """
    place = e.place
    value, variance, freedom = e.value[place], e.spread.variance[place], e.spread.freedom[place]
    k = len(place)
    if not (np.isfinite(variance) & (variance > 0)).all() or k > DENSE:
        return None
    if e.spread.covariance is not None:
        return _wald(value, e.spread.covariance[np.ix_(place, place)], float(freedom.min()))
    weight = 1 / variance
    centre = (weight * value).sum() / weight.sum()
    spare = ((1 - weight / weight.sum()) ** 2 / freedom).sum()
    among = (weight * (value - centre) ** 2).sum() / (k - 1)
    statistic = among / (1 + 2 * (k - 2) / (k**2 - 1) * spare)
    return float(fisher.sf(statistic, k - 1, (k**2 - 1) / (3 * spare)))


def _wald(value: Floats, covariance: Floats, freedom: float) -> float | None:
    against = np.eye(len(value))[1:] - np.eye(len(value))[0]  # each group against the first
    shared = against @ covariance @ against.T
    rank = int(np.linalg.matrix_rank(shared, hermitian=True))
    gap = against @ value
    left = freedom - rank + 1  # Hotelling's
    if not rank or left < 1:
        return None
    statistic = float(gap @ np.linalg.pinv(shared, hermitian=True) @ gap) * left / (rank * freedom)
    return float(fisher.sf(statistic, rank, left))


def _trigamma_inverse(value: float) -> float:
    """The x whose trigamma is that, by Newton's steps on 1/trigamma [smyth2004]."""
    x = 0.5 + 1 / value
    for _ in range(50):
        step = polygamma(1, x) * (1 - polygamma(1, x) / value) / polygamma(2, x)
        x += step
        if abs(step) < 1e-10 * x:
            break
    return float(x)
