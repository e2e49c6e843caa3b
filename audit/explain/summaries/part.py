"""One group of people's attributions, summed up. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ...state import Moments
from .joint import Joint
from .sketch import Sketch

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """A monoid: everything that is kept of some rows' attributions.

    Attributes:
        n: rows.
        joint: attributions beside the features' values.
        size: moments of |attribution|, [features].
        sketch: quantiles of the attributions; of no columns where none are kept.
    """

    n: int
    joint: Joint
    size: Moments
    sketch: Sketch

    @classmethod
    def zero(cls, features: int, accuracy: float | None) -> Part:
        return cls(0, Joint.zero(features), Moments.zero(features), _sketch(np.empty((0, features)), accuracy))

    @classmethod
    def of(cls, attributions: Floats, values: Floats, accuracy: float | None) -> Part:
        """Of attributions and feature values, [rows, features] each."""
        joint = Joint.of(attributions, values)
        return cls(len(attributions), joint, Moments.of(np.abs(attributions)), _sketch(attributions, accuracy))

    def merge(self, other: Part, /) -> Part:
        return Part(
            self.n + other.n,
            self.joint.merge(other.joint),
            self.size.merge(other.size),
            self.sketch.merge(other.sketch),
        )

    def interval(self, level: float, *, absolute: bool = False) -> tuple[Floats, Floats]:
        """[features] low and high ends of the mean attribution, or of its size: x̄ ± t √(s² / n); NaN of one row."""
        moments = self.size if absolute else self.joint.first
        half = stdtrit(max(self.n - 1, 1), (1 + level) / 2) * stderr(moments)
        low = moments.mean - half
        return (np.maximum(low, 0) if absolute else low), moments.mean + half


def stderr(moments: Moments) -> Floats:
    """Standard error of each mean; NaN where fewer than two values tell it."""
    n = moments.n.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 1, np.sqrt(moments.squares / (n - 1) / n), np.nan)


def _sketch(attributions: Floats, accuracy: float | None) -> Sketch:
    """Kept to an accuracy; without one a sketch of no columns."""
    return Sketch.of(attributions[:, :0]) if accuracy is None else Sketch.of(attributions, accuracy)
