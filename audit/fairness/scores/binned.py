"""Whether the scores of each group come true: bins of equal size, and the calibration error with its noise taken out.

Loads no torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...calibration import BINS, Bins, corrected_calibration_error, expected_calibration_error
from ...intervals import Floats
from .estimates import LABELLED, Estimate
from .steps import NEGATIVE, POSITIVE, Steps, summed


def bins(steps: Steps, most: int = BINS) -> tuple[Bins | None, ...]:
    """At most `most` bins of about equal size for each group; None where no row has a label and a weight."""
    rows = steps.rows[:, NEGATIVE] + steps.rows[:, POSITIVE]
    before, whole = steps.below(rows).astype(np.int64), steps.total(rows).astype(np.int64)
    place = steps.group * most + np.minimum(most * before // np.maximum(whole[steps.group], 1), most - 1)
    size = steps.groups * most
    mass = steps.sums[:, NEGATIVE] + steps.sums[:, POSITIVE]
    parts = (rows, mass, mass * steps.score, steps.sums[:, POSITIVE])
    n, weight, score, hits = (summed(place, part, size) for part in parts)
    used = weight > 0
    worth = _worth(steps, place, weight, hits, n)
    found: list[Bins | None] = []
    for k in range(steps.groups):
        own = np.flatnonzero(used[k * most : (k + 1) * most]) + k * most
        if not len(own):
            found.append(None)
            continue
        parts = n[own].astype(np.int64), score[own] / weight[own], hits[own], weight[own]
        found.append(Bins(*parts, None if worth is None else worth[own], steps.members is not None))
    return tuple(found)


def calibration_error(steps: Steps) -> Estimate:
    """Expected calibration error of each group, bias-corrected, with the interval of the plain one around it."""
    found = bins(steps)
    plain = [np.nan if b is None else expected_calibration_error(b, 0.5)[0] for b in found]
    uncut = [np.nan if b is None else corrected_calibration_error(b) for b in found]
    value = np.maximum(uncut, 0.0)

    def ends(level: float) -> tuple[Floats, Floats]:
        each = [(np.nan,) * 3 if b is None else expected_calibration_error(b, level) for b in found]
        _, low, high = (np.array(column, float) for column in zip(*each, strict=True))
        return np.fmin(low, value), np.fmax(high, value)

    name = "triangle, bias-corrected, {} bins of equal size"
    return Estimate(
        "expected_calibration_error",
        value,
        ends,
        tuple(name.format(0 if b is None else len(b.n)) for b in found),
        (("labelled rows", LABELLED),),
        details=tuple(_details(*each) for each in zip(plain, uncut, strict=True)),
    )


def _details(plain: float, uncut: float) -> dict[str, Any]:
    return {"plain": float(plain), "uncut": float(uncut)} if np.isfinite(plain) else {}


def _worth(steps: Steps, place: NDArray[np.int64], weight: Floats, hits: Floats, n: Floats) -> Floats | None:
    """Effective rows of each bin: Kish's of weighted rows, those of the variance between clusters of clustered ones."""
    if steps.members is None:
        if not steps.weighted:
            return None
        squares = np.bincount(place, steps.squares[:, list(LABELLED)].sum(1), minlength=len(weight))
        return weight**2 / np.maximum(squares, 1e-300)
    rows = steps.members
    kept = rows.truth < 2
    mine = place[rows.step[kept]]
    share = np.divide(hits, weight, out=np.zeros_like(hits), where=weight > 0)
    pairs, each = np.unique(rows.cluster[kept] * len(weight) + mine, return_inverse=True)
    residual = np.bincount(each, rows.weight[kept] * (rows.truth[kept] - share[mine]), minlength=len(pairs))
    clusters, squares = (
        np.bincount(pairs % len(weight), part, minlength=len(weight)) for part in (np.ones(len(pairs)), residual**2)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = share * (1 - share) * weight**2 * (clusters - 1) / (squares * clusters)
    seen = np.isfinite(effective) & (share > 0) & (share < 1) & (effective > 0)
    return np.minimum(np.where(seen, effective, clusters), np.maximum(n, 1))
