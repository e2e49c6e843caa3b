"""Impact ratios of groups from whole numbers: each group's rate beside the highest. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats, koopman, wilson

CANDIDATES = 40  # groups that may truly have the highest rate: those whose own interval reaches highest


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of each group were selected.

    Attributes:
        names: [groups]; selected: [groups] int64; n: [groups] int64.
    """

    names: tuple[str, ...]
    selected: NDArray[np.int64]
    n: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def rate(self, place: int) -> Fraction | None:
        """The exact rate of one group; None where it has no rows."""
        return Fraction(int(self.selected[place]), int(self.n[place])) if self.n[place] else None

    def highest(self, among: Sequence[int] | None = None) -> int | None:
        """The group with the highest rate, of equals the largest; None where no group has rows."""
        places = [k for k in (range(len(self)) if among is None else among) if self.n[k]]
        return max(places, key=lambda k: (self.rate(k) or 0, self.n[k]), default=None)

    def largest(self) -> int | None:
        """The group with most rows; None where no group has any."""
        return int(self.n.argmax()) if self.n.any() else None

    def large(self, minimum: int) -> Tally:
        """The groups with at least so many rows; the others as if they had none."""
        few = self.n < minimum
        return Tally(self.names, np.where(few, 0, self.selected), np.where(few, 0, self.n))

    def ratio(self, place: int, reference: Fraction | None) -> float | None:
        """A group's rate as a share of a rate of reference; None where either is undefined or the latter is 0."""
        own = self.rate(place)
        return None if own is None or not reference else float(own / reference)


def tally(names: Sequence[str], selected: Sequence[int], n: Sequence[int]) -> Tally:
    """Counts of selections by group.

    >>> both = tally(["Male", "Female"], [667, 555], [1390, 1181])
    >>> [round(both.ratio(k, both.rate(0)), 3) for k in (0, 1)]
    [1.0, 0.979]
    """
    return Tally(tuple(names), np.asarray(selected, np.int64), np.asarray(n, np.int64))


def intervals(found: Tally, level: float) -> tuple[Floats, Floats]:
    """Intervals of each group's rate as a share of the truly highest rate; an end may be infinite.

    Of two groups it is Koopman's own. Of more, nobody knows which rate is truly the highest: the ratio to the highest
    is the smallest of the ratios to each other group, so its interval is what intervals of all of these allow together
    [hsu1984], each at the level level^(1/(groups − 1)) [sidak1967].
    """
    low, high = np.full(len(found), np.nan), np.full(len(found), np.nan)
    known = np.flatnonzero(found.n)
    if len(known) < 2 or not found.selected.any():
        return low, high
    each = level ** (1 / (len(known) - 1))
    x, n = found.selected, found.n
    reach = wilson(x[known], n[known], level)[1]
    rivals = known[np.argsort(-reach, kind="stable")[:CANDIDATES]]
    i, j = np.meshgrid(known, rivals, indexing="ij")
    ends = koopman(x[i], n[i], x[j], n[j], each)
    own = i == j
    low[known] = np.nanmin(np.where(own, np.inf, ends[0]), axis=1)
    high[known] = np.nanmin(np.where(own, np.inf, ends[1]), axis=1)
    if len(known) > 2:  # of three and more the highest is at least the group's own rate
        high[known] = np.minimum(high[known], 1.0)
    best = found.highest()
    low, high = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)
    if best is not None:
        low[best], high[best] = min(low[best], 1.0), 1.0
    low[found.n == 0], high[found.n == 0] = np.nan, np.nan
    value = np.array([np.nan if best is None else found.ratio(k, found.rate(best)) for k in range(len(found))], float)
    return np.minimum(low, value), np.maximum(high, value)  # rounding may cross the value by the last bit
