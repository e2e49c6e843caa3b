"""The gap of a rate across the levels of an attribute, with an interval that allows for the choice. Loads no torch.

Of two levels the interval is the pair's own: Newcombe's for the difference, Koopman's for the ratio. Of more, the
extreme pair was chosen *because* it is extreme, so its own interval would be too hopeful: every pair gets an interval
at the level (1 − α)^(1/pairs) [sidak1967], all of which hold together, and the gap's interval is what they allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import Floats, koopman, newcombe


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference (highest − lowest rate) or a ratio (lowest / highest) and its interval.

    Attributes:
        lowest, highest: places of the two extreme levels among all levels.
        levels: how many levels had a defined rate.
        pairs: how many pairs the interval holds over.
    """

    value: float
    low: float
    high: float
    method: str
    lowest: int
    highest: int
    levels: int
    pairs: int


def difference(part: NDArray[np.int64], whole: NDArray[np.int64], level: float) -> Gap:
    """Highest − lowest rate of [levels] counts, at least two of which have a denominator."""
    x, n, place, lowest, highest = _extremes(part, whole)
    value = float(x[highest] / n[highest] - x[lowest] / n[lowest])
    if len(x) == 2:
        low, high = newcombe(x[highest], n[highest], x[lowest], n[lowest], level)
        return _gap(value, float(low), float(high), "newcombe", place, lowest, highest, len(x))
    i, j, together = _pairs(len(x), level)
    low, high = newcombe(x[i], n[i], x[j], n[j], together)
    # every true |difference| lies inside its own interval, so the largest is above each interval's near end …
    near = np.maximum(low, -high).max()
    far = np.maximum(high, -low).max()  # … and below the furthest far end
    return _gap(value, max(0.0, float(near)), float(far), "newcombe-sidak", place, lowest, highest, len(x))


def ratio(part: NDArray[np.int64], whole: NDArray[np.int64], level: float) -> Gap | None:
    """Lowest / highest rate; None where every rate is 0."""
    x, n, place, lowest, highest = _extremes(part, whole)
    if not x[highest]:
        return None
    value = float((x[lowest] / n[lowest]) / (x[highest] / n[highest]))
    if len(x) == 2:
        low, high = koopman(x[lowest], n[lowest], x[highest], n[highest], level)
        return _gap(value, float(low), float(high), "koopman", place, lowest, highest, len(x))
    i, j, together = _pairs(len(x), level)
    low, high = koopman(x[i], n[i], x[j], n[j], together)
    with np.errstate(divide="ignore"):
        # two groups that both have rate 0 say nothing about each other's ratio: NaN, left out
        near = np.nanmin(np.minimum(high, 1 / low))
        far = np.nanmin(np.minimum(low, 1 / high))
    return _gap(value, float(far), float(min(1.0, near)), "koopman-sidak", place, lowest, highest, len(x))


def _extremes(part: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[Floats, Floats, NDArray[np.int64], int, int]:
    place = np.flatnonzero(whole > 0)
    x, n = part[place].astype(float), whole[place].astype(float)
    rates = x / n
    return x, n, place, int(rates.argmin()), int(rates.argmax())


def _pairs(levels: int, level: float) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    i, j = np.triu_indices(levels, 1)
    return i, j, level ** (1 / len(i))


def _gap(
    value: float, low: float, high: float, method: str, place: NDArray[np.int64], lowest: int, highest: int, levels: int
) -> Gap:
    # rounding may put an end on the wrong side of the value by the last bit
    low, high = min(low, value), max(high, value)
    pairs = levels * (levels - 1) // 2
    return Gap(value, low, high, method, int(place[lowest]), int(place[highest]), levels, pairs)
