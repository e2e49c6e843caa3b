"""Whether scores mean what they say: of rows scored 0.7, do seven of ten turn out so? Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .intervals import quantile
from .means import Floats, Interval, within
from .sampling import Sampling

BINS = 15
DRAWS = 10_000
FEWEST = 20  # draws beyond a quantile, below which draws do not tell it


@dataclass(frozen=True, slots=True)
class Bins:
    """Rows binned by score into bins of equal size; ties stay together.

    Attributes:
        n: [bins] rows; score: [bins] mean score; hits: [bins] how many turned out true.
        weight: [bins] what the rows weigh together, where they differ; then `hits` is a sum of weights too.
        worth: [bins] how many unweighted rows, each by itself, would say as much; None where that is `n`.
        joint: whether the noise of bins may hang together, because rows of one cluster stand in several.
    """

    n: NDArray[np.int64]
    score: Floats
    hits: NDArray[np.int64] | Floats
    weight: Floats | None = None
    worth: Floats | None = None
    joint: bool = False

    @property
    def mass(self) -> Floats:
        """[bins] what the rows weigh."""
        return self.n.astype(np.float64) if self.weight is None else self.weight

    @property
    def observed(self) -> Floats:
        return self.hits / self.mass

    @property
    def share(self) -> Floats:
        return self.mass / self.mass.sum()

    @property
    def effective(self) -> Floats:
        return self.n.astype(np.float64) if self.worth is None else self.worth

    @property
    def successes(self) -> NDArray[np.int64] | Floats:
        """[bins] how many of the effective rows turned out true."""
        return self.hits if self.worth is None else self.observed * self.worth


def bins(scores: Floats, truth: NDArray[np.bool_], most: int = BINS, sampling: Sampling | None = None) -> Bins:
    """At most `most` bins of about equal size, in rows; weighted rows count in each by their weight."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, most + 1)[1:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, scores, side="left")
    n = np.bincount(place, minlength=len(edges) + 1)
    used = n > 0
    if sampling is not None and not sampling.plain:
        return _drawn_bins(scores, truth, place, sampling)
    score = np.bincount(place, scores, minlength=len(n))[used] / n[used]
    hits = np.bincount(place, truth, minlength=len(n))[used].astype(np.int64)
    return Bins(n[used], score, hits)


def _drawn_bins(scores: Floats, truth: NDArray[np.bool_], place: NDArray[np.intp], sampling: Sampling) -> Bins:
    columns = []
    for one in np.unique(place):
        own = place == one
        rows = sampling.only(own)
        share, worth = rows.share(truth[own])
        columns.append((rows.n, rows.mean(scores[own]), share * rows.whole, rows.whole, worth))
    n, score, hits, weight, worth = (np.array(column, float) for column in zip(*columns, strict=True))
    return Bins(n.astype(np.int64), score, hits, weight, worth, sampling.clusters is not None)


def expected_calibration_error(found: Bins, level: float, seed: int = 0) -> Interval:
    """Σ (n_b / n) |observed_b − score_b| [naeini2015], with an interval that holds also where the true error is 0.

    By the triangle inequality |Ê − E| ≤ D = Σ (n_b / n) |noise_b|; the interval is Ê ± the `level` quantile of D, whose
    noise is normal with the binomial variance of each bin (shares smoothed by one row of each kind). The plain estimate
    is above 0 even for a perfectly calibrated model; so its interval may reach 0.
    """
    value = float((found.share * np.abs(found.observed - found.score)).sum())
    smooth = (found.observed * found.effective + 1) / (found.effective + 2)
    scale = found.share * np.sqrt(smooth * (1 - smooth) / found.effective)
    # noise that hangs together is widest where all bins move as one
    reach = float(quantile(level) * scale.sum()) if found.joint else _reach(scale, level, seed)
    return within((value, value - reach, value + reach), 0, 1)


def corrected_calibration_error(found: Bins) -> float:
    """The calibration error less what noise adds to it; 0 on average for a calibrated model, so it may be below 0.

    A bin with true deviation δ and noise σ shows E|δ + σZ| on average, not |δ|. That excess, taken at the deviation
    seen, is subtracted [kumar2019]; there it averages √2 − 1 of the excess at δ = 0, hence the factor 1 / (√2 − 1),
    which leaves nothing where δ = 0 and changes nothing where |δ| is far above σ. σ² is the binomial variance of the
    bin, its share smoothed by two rows at the mean score.
    """
    deviation = np.abs(found.observed - found.score)
    smooth = (found.observed * found.effective + 2 * found.score) / (found.effective + 2)
    noise = np.sqrt(np.maximum(smooth * (1 - smooth), 0) / found.effective)
    ratio = deviation / np.maximum(noise, 1e-300)
    excess = noise * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) - 2 * deviation * ndtr(-ratio)
    return float((found.share * (deviation - excess / (np.sqrt(2) - 1))).sum())


def calibration_error(found: Bins, level: float) -> Interval:
    """The corrected error, 0 where noise alone would show as much, in the interval around the plain one."""
    _, low, high = expected_calibration_error(found, level)
    value = max(0.0, corrected_calibration_error(found))
    return value, min(low, value), max(high, value)


def uncorrected(found: Bins) -> dict[str, float]:
    """What the corrected error was made from: the plain estimate, and the corrected one before it is cut at 0."""
    return {"plain": expected_calibration_error(found, 0.5)[0], "uncut": corrected_calibration_error(found)}


def _reach(scale: Floats, level: float, seed: int) -> float:
    """The `level` quantile of Σ scale_b |Z_b|; for a level too near 1 to be drawn, the bound of [tsirelson1976]."""
    if (1 - level) * DRAWS < FEWEST:
        spread = float(np.sqrt((scale**2).sum() * 2 * np.log(1 / (1 - level))))
        return float(np.sqrt(2 / np.pi) * scale.sum()) + spread
    return float(np.quantile(_draws(len(scale), seed) @ scale, level))


@lru_cache(maxsize=32)
def _draws(size: int, seed: int) -> Floats:
    return np.abs(np.random.default_rng(seed).standard_normal((DRAWS, size)))
