"""Standard errors of a mean over pairs of people, where people and not pairs are what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .pairing import Pairs

FLAT = 1e-2  # singular values below this share of the largest tell parts of the variance apart that barely differ


@dataclass(slots=True, eq=False)
class Tally:
    """Running sums over pairs of h(a, b), several numbers a pair.

    Attributes:
        pairs: the design.
        first: [n_first, columns] h̄, each person's mean over the people that it is paired with.
        second: [n_second, columns]
        mean: [columns]
        spread: [columns] Σ weight (h − mean)², over the pairs seen.
        seen: their weight.
    """

    pairs: Pairs
    first: Tensor
    second: Tensor
    mean: Tensor
    spread: Tensor
    seen: float = 0.0

    @classmethod
    def zero(cls, pairs: Pairs, columns: int, device: torch.device) -> Tally:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64, device=device)

        n_first, n_second = pairs.sizes
        return cls(pairs, zeros(n_first, columns), zeros(n_second, columns), zeros(columns), zeros(columns))

    def add(self, at: slice, values: Tensor) -> None:
        """The numbers [pairs, columns] of some pairs; squares by Chan's update [chan1983]."""
        weight = self.pairs.weight[at].to(values.device)
        weighted = weight[:, None] * values
        self.first.index_add_(0, self.pairs.first[at].to(values.device), weighted * self.pairs.sizes[0])
        self.second.index_add_(0, self.pairs.second[at].to(values.device), weighted * self.pairs.sizes[1])
        new = float(weight.sum())
        both = self.seen + new
        mean = weighted.sum(0) / new
        spread = (weight[:, None] * (values - mean) ** 2).sum(0)
        apart = mean - self.mean
        self.spread += spread + apart**2 * self.seen * new / both
        self.mean += apart * new / both
        self.seen = both

    def averaged(self, other: Tally) -> Tally:
        """The mean of two tallies of the same pairs."""
        return Tally(
            self.pairs,
            (self.first + other.first) / 2,
            (self.second + other.second) / 2,
            (self.mean + other.mean) / 2,
            (self.spread + other.spread) / 2,
            self.seen,
        )

    def stderr(self) -> tuple[Tensor, Tensor]:
        """[columns] standard errors and their degrees of freedom; NaN where a group is a single person.

        Of all pairs the two-sample U-statistic's var_a(h̄_a) / n_A + var_b(h̄_b) / n_B [hoeffding1948]; otherwise from
        the parts of the variance, see `_parts`. Degrees of freedom see `freedom`; never more than pairs − 1.
        """
        n_first, n_second = self.pairs.sizes
        if min(n_first, n_second) < 2:
            nothing = torch.full_like(self.mean, torch.nan)
            return nothing, nothing
        variance = self._variance()
        if self.pairs.complete:
            variance = self.first.var(0) / n_first + self.second.var(0) / n_second
        return variance.sqrt(), freedom(self.first, self.second).clamp(max=max(1, len(self.pairs) - 1))

    def _variance(self) -> Tensor:
        """σ_a² / n_A + σ_b² / n_B + σ_ab² Σ weight²: exact for any balanced design, whatever was drawn.

        Its parts may come out below 0 and still add up without bias; they are cut there only where their sum is too.
        """
        n_first, n_second = self.pairs.sizes
        weights = torch.tensor([1 / n_first, 1 / n_second, self.pairs.overlap], dtype=torch.float64)
        parts = weights.to(self.mean.device)[:, None] * self._parts()
        whole = parts.sum(0)
        return torch.where(whole > 0, whole, parts.clamp(min=0).sum(0))

    def _parts(self) -> Tensor:
        """[3, columns] of h(a, b) = θ + g(a) + k(b) + r(a, b): the variances of g, k and r, by the method of moments.

        The spreads of first, second and single means have expectations linear in the three. Where a design cannot tell
        some of them apart (one round of equal groups sees their sum alone) they are made equal: the variance of the
        mean needs no more than what the design can tell.
        """
        n_first, n_second = self.pairs.sizes
        overlap = self.pairs.overlap
        known = torch.tensor(
            [[1.0, 1, 1], [1, n_first * overlap, n_first * overlap], [n_second * overlap, 1, n_second * overlap]]
        )
        known = known.double() - torch.tensor([1 / n_first, 1 / n_second, overlap], dtype=torch.float64)
        first = ((self.first - self.mean) ** 2).mean(0)
        second = ((self.second - self.mean) ** 2).mean(0)
        seen = torch.stack([self.spread, first, second])
        return torch.linalg.pinv(known, rtol=FLAT).to(seen.device) @ seen


def freedom(first: Tensor, second: Tensor) -> Tensor:
    """[columns] degrees of freedom of the two samples' s_a² / n_a + s_b² / n_b, [n, columns] both.

    2 E² / Var, the scaled χ² of that mean and variance [satterthwaite1946], with the variance that a sample's variance
    has under its own kurtosis [oneill2014] and not a normal's, which is [welch1947]: the attributions of products and
    bends have heavy tails, and Welch's interval of their mean is too short. Never more than Welch's.
    """
    parts = [sample.var(0) / len(sample) for sample in (first, second)]
    share = parts[0] / sum(parts).clamp(min=torch.finfo(torch.float64).tiny)  # type: ignore[union-attr]
    return 2 / (share**2 * _scatter(first) + (1 - share) ** 2 * _scatter(second))


def _scatter(sample: Tensor) -> Tensor:
    """[columns] Var(s²) / σ⁴ = (κ − (n − 3) / (n − 1)) / n of [n, columns]; a normal's, 2 / (n − 1), at least."""
    n = len(sample)
    squares = (sample - sample.mean(0)) ** 2
    kurtosis = torch.nan_to_num((squares**2).mean(0) / squares.mean(0) ** 2, nan=0.0, posinf=0.0)
    return ((kurtosis - (n - 3) / (n - 1)) / n).clamp(min=2 / (n - 1))
