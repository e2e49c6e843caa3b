"""Many p-values at once: how small each must be for the family to be trusted. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...intervals import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values [n]; rejecting those at most α errs at all with chance at most α, however they hang together.

    The k-th smallest is multiplied by n − k + 1, and none is below a smaller one's [holm1979].

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _back(np.minimum(raised, 1.0), order)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values [n]; of those at most q, a share of at most q is expected to be false [benjamini1995].

    The k-th smallest is multiplied by n / k, and none is above a larger one's. Holds for independent tests and for
    those that are positively dependent.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _back(np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0), order)


def _back(values: Floats, order: np.ndarray) -> Floats:
    out = np.empty_like(values)
    out[order] = values
    return out
