"""Shares of groups compared within strata: pooled differences and ratios, and tests over all strata. Loads no torch.

Every function takes successes x and rows n, both [strata, groups]; rows may be effective ones. What no stratum holds of
two groups at once is not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ...intervals import Floats, koopman, newcombe, quantile

CHUNK = 2_000_000  # strata × pairs that are held at once
FEW = 5.0  # successes or failures of a group below which the normal approximation gives way to score intervals


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over strata for pairs of groups i and j, each [pairs]; N = nᵢ + nⱼ in a stratum.

    Attributes:
        weight: Σ nᵢnⱼ/N. first: Σ xᵢnⱼ/N. second: Σ xⱼnᵢ/N.
        sato: Σ P and Σ Q of [sato1989] follow from p and q. robins: the numerator of [greenland1985].
        rows_first, rows_second: Σ w²/nᵢ and Σ w²/nⱼ with w = nᵢnⱼ/N.
    """

    weight: Floats
    first: Floats
    second: Floats
    sato_p: Floats
    sato_q: Floats
    robins: Floats
    rows_first: Floats
    rows_second: Floats

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """Each group's share, its strata weighed alike for both groups of the pair."""
        return self.first / self.weight, self.second / self.weight

    @property
    def rows(self) -> tuple[Floats, Floats]:
        """How many rows of one stratum each group's share is worth."""
        return self.weight**2 / self.rows_first, self.weight**2 / self.rows_second

    def few(self) -> NDArray[np.bool_]:
        """[pairs] whether a group of the pair has few successes or few failures."""
        return np.any(
            [np.minimum(p, 1 - p) * n < FEW for p, n in zip(self.shares, self.rows, strict=True)],
            axis=0,
        )


def sums(x: Floats, n: Floats, i: NDArray[np.intp], j: NDArray[np.intp]) -> Sums:
    """The sums over strata for pairs (i, j) of groups; of a pair that shares no stratum they are 0."""
    total = np.zeros((len(fields(Sums)), len(i)))
    step = max(1, CHUNK // max(len(i), 1))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        total += _sums(x[part][:, i], n[part][:, i], x[part][:, j], n[part][:, j])
    return Sums(*total)


def _sums(a: Floats, n: Floats, c: Floats, m: Floats) -> Floats:
    both = np.maximum(n + m, 1e-300)
    weight = n * m / both
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            weight,
            a * m / both,
            c * n / both,
            (n**2 * c - m**2 * a + n * m * (m - n) / 2) / both**2,
            (a * (m - c) + c * (n - a)) / (2 * both),
            (n * m * (a + c) - a * c * both) / both**2,
            np.where(n > 0, weight**2 / n, 0.0),
            np.where(m > 0, weight**2 / m, 0.0),
        ]
    return np.stack([np.where(weight > 0, column, 0.0).sum(0) for column in columns])


def differences(found: Sums, level: float) -> tuple[Floats, Floats, Floats]:
    """Pooled difference pᵢ − pⱼ of each pair, and its interval; NaN where a pair shares no stratum.

    Σ w (pᵢ − pⱼ) / Σ w with w = nᵢnⱼ/N [mantel1959], which holds for few rows in many strata and for many in few; its
    variance (d ΣP + ΣQ) / (Σ w)² is that of [sato1989]. Where successes are few Newcombe's interval takes its place,
    over strata as in [yan2010], made as wide as Sato's would be of all rows twice.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = found.shares
        value = p - q
        half = quantile(level) * np.sqrt(np.maximum(value * found.sato_p + found.sato_q, 0)) / found.weight
        low, high = np.maximum(value - half, -1), np.minimum(value + half, 1)
    few = found.few()
    near = value + np.array([[-1.0], [1.0]]) * half / np.sqrt(2)
    low[few], high[few] = _no_narrower(newcombe(*_scored(found, few), level), np.clip(near[:, few], -1, 1))
    return value, low, high


def ratios(found: Sums, level: float) -> tuple[Floats, Floats, Floats]:
    """Pooled ratio pᵢ / pⱼ of each pair and its interval; infinite above where the data do not rule that out.

    Σ xᵢnⱼ/N / Σ xⱼnᵢ/N [mantel1959], the variance of its logarithm that of [greenland1985]. Where successes are few
    Koopman's interval takes its place, at the rows that each pooled share is worth, made as wide as the other would be
    of all rows twice.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = found.first / found.second
        half = quantile(level) * np.sqrt(np.maximum(found.robins, 0) / (found.first * found.second))
        low, high = value * np.exp(-half), value * np.exp(half)
        near = value * np.exp(np.array([[-1.0], [1.0]]) * half / np.sqrt(2))
    few = found.few()
    low[few], high[few] = _no_narrower(koopman(*_scored(found, few), level), near[:, few])
    return value, low, high


def _no_narrower(ends: tuple[Floats, Floats], twice: Floats) -> tuple[Floats, Floats]:
    """Score intervals that also hold what the usual interval would be of all rows twice [2, pairs]; NaN counts not.

    Where strata contradict each other their pooled shares say more than the strata do. Twice the rows may be enough for
    the usual interval, and must not widen what is known.
    """
    return np.fmin(ends[0], twice[0]), np.fmax(ends[1], twice[1])


def _scored(found: Sums, few: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Successes and rows of both groups of some pairs, as many rows as each pooled share is worth."""
    (p, q), (n, m) = found.shares, found.rows
    return p[few] * n[few], n[few], q[few] * m[few], m[few]


def cochran_mantel_haenszel(x: Floats, n: Floats) -> tuple[float, int, float] | None:
    """Whether shares of groups are alike within strata: chi-square, degrees of freedom, p-value [landis1978].

    T = Σ (x − n x̄) over strata, with the covariance that fixed margins give; T′V⁻T is chi-square. None where no stratum
    can tell.

    >>> x, n = np.array([[8.0, 2.0], [5.0, 1.0]]), np.array([[10.0, 10.0], [10.0, 10.0]])
    >>> tuple(round(value, 6) for value in cochran_mantel_haenszel(x, n))
    (10.326087, 1, 0.001312)
    """
    rows, hits = n.sum(1), x.sum(1)
    kept = (rows > 1) & (hits > 0) & (hits < rows)
    x, n, rows, hits = x[kept], n[kept], rows[kept, None], hits[kept, None]
    excess = (x - n * hits / rows).sum(0)
    factor = hits * (rows - hits) / (rows - 1)
    share = n / rows
    covariance = np.diag((factor * share).sum(0)) - (share * factor).T @ share
    freedom = int(np.linalg.matrix_rank(covariance, hermitian=True)) if len(x) else 0
    if not freedom:
        return None
    statistic = max(0.0, float(excess @ np.linalg.pinv(covariance, hermitian=True) @ excess))
    return statistic, freedom, _chance(freedom, statistic)


def breslow_day(x: Floats, n: Floats) -> tuple[float, int, float] | None:
    """Whether two groups differ alike in every stratum: chi-square, degrees of freedom, p [breslow1980] [tarone1985].

    x, n: [strata, 2]. None where fewer than two strata can tell.
    """
    rows, hits = n.sum(1), x.sum(1)
    kept = (n > 0).all(1) & (hits > 0) & (hits < rows)
    a, n1, m, rows = x[kept, 0], n[kept, 0], hits[kept], rows[kept]
    b, c = n1 - a, m - a
    d = rows - n1 - c
    top, bottom = float((a * d / rows).sum()), float((b * c / rows).sum())
    if len(a) < 2 or top <= 0 or bottom <= 0:
        return None
    odds = top / bottom
    # the expected first cell e solves e (N − n − m + e) = odds (n − e)(m − e)
    square, linear, constant = 1 - odds, rows - n1 - m + odds * (n1 + m), -odds * n1 * m
    expected = -2 * constant / (linear + np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0)))
    variance = 1 / (1 / expected + 1 / (n1 - expected) + 1 / (m - expected) + 1 / (rows - n1 - m + expected))
    statistic = float(((a - expected) ** 2 / variance).sum() - (a - expected).sum() ** 2 / variance.sum())
    return max(statistic, 0.0), len(a) - 1, _chance(len(a) - 1, max(statistic, 0.0))


def _chance(freedom: int, statistic: float) -> float:
    """The upper tail of chi-square, never 0: what is too small to be told is the smallest number that is."""
    return max(float(chdtrc(freedom, statistic)), float(np.finfo(float).tiny))
