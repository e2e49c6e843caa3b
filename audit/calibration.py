"""Whether scores mean what they say: of rows scored 0.7, do seven of ten turn out so? Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .means import Floats, Interval, within

BINS = 15
DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Bins:
    """Rows binned by score into bins of equal size; ties stay together.

    Attributes:
        n: [bins] rows; score: [bins] mean score; hits: [bins] how many turned out true.
    """

    n: NDArray[np.int64]
    score: Floats
    hits: NDArray[np.int64]

    @property
    def observed(self) -> Floats:
        return self.hits / self.n


def bins(scores: Floats, truth: NDArray[np.bool_], most: int = BINS) -> Bins:
    """At most `most` bins of about equal size."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, most + 1)[1:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, scores, side="left")
    n = np.bincount(place, minlength=len(edges) + 1)
    used = n > 0
    score = np.bincount(place, scores, minlength=len(n))[used] / n[used]
    hits = np.bincount(place, truth, minlength=len(n))[used].astype(np.int64)
    return Bins(n[used], score, hits)


def expected_calibration_error(found: Bins, level: float, seed: int = 0) -> Interval:
    """Σ (n_b / n) |observed_b − score_b| [naeini2015], with an interval that holds also where the true error is 0.

    By the triangle inequality |Ê − E| ≤ D = Σ (n_b / n) |noise_b|; the interval is Ê ± the `level` quantile of D, whose
    noise is normal with the binomial variance of each bin (shares smoothed by one row of each kind). The plain estimate
    is above 0 even for a perfectly calibrated model; so its interval may reach 0.
    """
    share = found.n / found.n.sum()
    value = float((share * np.abs(found.observed - found.score)).sum())
    smooth = (found.hits + 1) / (found.n + 2)
    noise = np.sqrt(smooth * (1 - smooth) / found.n)
    draws = np.abs(np.random.default_rng(seed).standard_normal((DRAWS, len(share)))) @ (share * noise)
    reach = float(np.quantile(draws, level))
    return within((value, value - reach, value + reach), 0, 1)
