"""Moments of attributions and of features' values, and how the two go together. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...state import Moments

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Joint:
    """A monoid: means and squares of two sets of columns, and their products, by Chan's update [chan1983].

    Attributes:
        first: moments of the attributions, [columns].
        second: moments of the features' values, [columns]; n is 0 where a feature is not one number.
        products: [columns] Σ (first − mean) (second − mean).
    """

    first: Moments
    second: Moments
    products: Floats

    @classmethod
    def zero(cls, columns: int) -> Joint:
        return cls(Moments.zero(columns), Moments.zero(columns), np.zeros(columns))

    @classmethod
    def of(cls, first: Floats, second: Floats) -> Joint:
        """Of values [rows, columns] each. A column of `second` is known of all rows or, being NaN, of none."""
        one, two = Moments.of(first), Moments.of(second)
        products = ((first - one.mean) * np.where(np.isnan(second), 0, second - two.mean)).sum(0)
        return cls(one, two, products)

    def merge(self, other: Joint, /) -> Joint:
        """As if all rows had been seen at once."""
        n = self.second.n + other.second.n
        apart = (other.first.mean - self.first.mean) * (other.second.mean - self.second.mean)
        products = self.products + other.products + apart * self.second.n * (other.second.n / np.maximum(n, 1))
        return Joint(self.first.merge(other.first), self.second.merge(other.second), products)

    @property
    def correlation(self) -> Floats:
        """[columns] Pearson's; NaN where one of the two does not vary."""
        scale = np.sqrt(self.first.squares * self.second.squares)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(scale > 0, self.products / scale, np.nan)

    @property
    def slope(self) -> Floats:
        """[columns] by how much the attribution rises with one unit of the feature; NaN where it does not vary."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.second.squares > 0, self.products / self.second.squares, np.nan)
