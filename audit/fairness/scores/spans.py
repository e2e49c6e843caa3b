"""The gap of a number of scores across groups, with an interval that allows for the choice of the pair. No torch."""

from __future__ import annotations

import numpy as np

from ...intervals import Floats
from ..comparison.gaps import Gap
from .estimates import Estimate


def span(found: Estimate, level: float, kept: np.ndarray) -> Gap:
    """The gap over at least two groups [kept], joined by MOVER [zou2008] from each group's interval.

    Of two groups it is the pair's own; for AUCs that is DeLong's. Of more, every pair's holds at once [sidak1967].
    Groups that share clusters are held together by their covariance.
    """
    place = np.flatnonzero(kept)
    i, j = (place[side] for side in np.triu_indices(len(place), 1))
    value = found.value
    low, high = found.ends(level ** (1 / len(i)))
    down, up = value - low, high - value
    both = _correlation(found, i, j)
    least = value[i] - value[j] - _joined(down[i], up[j], both)
    most = value[i] - value[j] + _joined(up[i], down[j], both)
    lowest, highest = int(place[value[place].argmin()]), int(place[value[place].argmax()])
    size = float(value[highest] - value[lowest])
    near, far = float(np.maximum(least, -most).max()), float(np.maximum(most, -least).max())
    first = value[i[0]] >= value[j[0]]  # the interval of a pair runs through 0 to where the other one is higher
    near = max(0.0, near) if len(place) > 2 else float(least[0] if first else -most[0])
    name = found.methods[highest]
    alone = found.methods[lowest] == name and name.startswith("delong")
    method = name if alone else f"mover, {name}"
    width = found.most - found.least
    return Gap(
        size,
        max(min(near, size), -width),
        min(max(far, size), width),
        method if len(place) == 2 else f"{method}, sidak",
        lowest,
        highest,
        len(place),
    )


def _joined(one: Floats, other: Floats, both: Floats) -> Floats:
    return np.sqrt(np.maximum(one**2 + other**2 - 2 * both * one * other, 0.0))


def _correlation(found: Estimate, i: np.ndarray, j: np.ndarray) -> Floats:
    if found.covariance is None:
        return np.zeros(len(i))
    variance = np.diag(found.covariance)
    scale = np.sqrt(variance[i] * variance[j])
    return np.where(scale > 0, found.covariance[i, j] / np.maximum(scale, 1e-300), 0.0)
