"""How far one set of answers lies from another for the same rows: what share changes, and how much. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ...intervals import Floats, quantile
from ...means import Interval
from ...state import Counts as Table
from ..table.groups import everyone, views
from ..table.metrics import BY_NAME
from ..table.shares import shares

Clusters = NDArray[np.uint64]


def mean_change(
    values: Floats, level: float, clusters: Clusters | None = None, weights: Floats | None = None
) -> tuple[Interval, int]:
    """A mean over rows with its interval, and how many units stand behind it; NaN ends where there is but one.

    x̄ = Σwx / Σw and v = G/(G−1) · Σ_g (Σ_{i in g} w (x − x̄))² / (Σw)², with Student's t of G − 1 degrees of freedom
    [cameron2015]; without clusters every row is its own unit, and that is Student's interval.

    >>> interval, units = mean_change(np.array([1.0, 2.0, 3.0]), 0.95)
    >>> [round(x, 3) for x in interval], units
    ([2.0, -0.484, 4.484], 3)
    """
    w = np.ones(len(values)) if weights is None else weights
    centre = float((w * values).sum() / w.sum())
    residual = w * (values - centre)
    if clusters is not None:
        _, unit = np.unique(clusters, return_inverse=True)
        residual = np.bincount(unit, residual)
    units = len(residual)
    if units < 2:
        return (centre, np.nan, np.nan), units
    error = np.sqrt(units / (units - 1) * (residual**2).sum()) / w.sum()
    half = float(stdtrit(units - 1, (1 + level) / 2) * error)
    return (centre, centre - half, centre + half), units


def paired_change(gained: int, lost: int, n: int, level: float) -> Interval:
    """The change of a share when the same rows are decided anew: (b − c)/n with Bonett and Price's interval.

    Of n rows b were wrong and are right now, c were right and are wrong now. With p = (b+1)/(n+2) and q = (c+1)/(n+2)
    the ends are p − q ± z √((p + q − (p − q)²) / (n + 2)) [bonett2012]: they keep their width where no row changed.

    >>> [round(x, 4) for x in paired_change(14, 4, 50, 0.95)]
    [0.2, 0.0321, 0.3526]
    """
    value = (gained - lost) / n
    p, q = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = float(quantile(level)) * np.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return value, float(max(-1.0, min(p - q - half, value))), float(min(1.0, max(p - q + half, value)))


def share_of(changed: NDArray[np.bool_], level: float, clusters: Clusters | None = None) -> tuple[Interval, float, str]:
    """A share of rows with Wilson's interval, at the effective number of rows where they hang together in clusters.

    Returns:
        Share and ends; the effective number of rows; the name of the interval.

    >>> (value, low, high), rows, name = share_of(np.array([True] + [False] * 9), 0.95)
    >>> round(value, 3), round(low, 3), round(high, 3), rows, name
    (0.1, 0.018, 0.404, 10.0, 'wilson')
    """
    unknown = np.full(len(changed), -1)
    table = Table.of([unknown, changed.astype(np.int64)], [2, 2], clusters=clusters)
    metric = BY_NAME["selection_rate"]
    found = shares(everyone(table, views(("same", "changed"))[0]), metric.top, metric.bottom)
    low, high = found.wilson(level)
    ends = (float(found.value[0]), float(low[0]), float(high[0]))
    return ends, float(found.effective[0]), f"wilson{found.suffix}"
