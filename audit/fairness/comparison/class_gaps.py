"""Gaps of numbers of which each group has its own interval, joined by MOVER [zou2008]. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats

PAIRED = 200  # groups up to which every pair has an interval of its own
Ends = Callable[[float], tuple[Floats, Floats]]
"""The groups' intervals at a level, [groups] each."""


class Between(NamedTuple):
    """The ends of a gap's interval, and how they were made."""

    low: float
    high: float
    method: str


def difference(value: Floats, ends: Ends, level: float) -> Between:
    """The interval of highest − lowest of two or more groups; of more than two it holds over all pairs [sidak1967].

    Of very many groups each has an interval at a level by which all hold together.
    """
    if len(value) > PAIRED:
        low, high = ends(level ** (1 / len(value)))
        return Between(max(0.0, float(low.max() - high.min())), float(high.max() - low.min()), "sidak over groups")
    i, j, each, method = _pairs(value, level)
    low, high = ends(each)
    down, up = np.hypot(value[i] - low[i], high[j] - value[j]), np.hypot(high[i] - value[i], value[j] - low[j])
    gap = value[i] - value[j]
    near, far = float((gap - down).max()), float(np.maximum(gap + up, down - gap).max())
    return Between(near if len(value) == 2 else max(0.0, near), far, method)


def ratio(value: Floats, ends: Ends, level: float) -> Between:
    """The interval of lowest / highest, which is never above 1, likewise on the scale of logarithms."""
    if len(value) > PAIRED or value.min() <= 0:
        low, high = ends(level ** (1 / len(value)))
        return Between(_over(low.min(), high.max()), min(1.0, _over(high.min(), low.max())), "sidak over groups")

    def logs(each: float) -> tuple[Floats, Floats]:
        low, high = ends(each)
        return np.log(np.maximum(low, 1e-300)), np.log(high)

    found = difference(np.log(value), logs, level)
    return Between(float(np.exp(-found.high)), min(1.0, float(np.exp(-found.low))), f"log {found.method}")


def _pairs(value: Floats, level: float) -> tuple[NDArray[np.intp], NDArray[np.intp], float, str]:
    """All pairs, the higher group first; the level of each, and what the method is called."""
    i, j = np.triu_indices(len(value), 1)
    swap = value[i] < value[j]
    name = "mover-sidak" if len(i) > 1 else "mover"
    return np.where(swap, j, i), np.where(swap, i, j), level ** (1 / len(i)), name


def _over(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom > 0 else 1.0
