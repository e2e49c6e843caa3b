"""The weighted regression whose solution is the Shapley values: one float64 system for all rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...messages import Message
from ..errors import ExplanationError
from .levels import Design


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Shapley values and how far sampling may have put them off.

    Attributes:
        values: [n, players] float64.
        stderr: [n, players] float64.
    """

    values: Tensor
    stderr: Tensor

    def or_better(self, other: Estimate, insist: bool) -> tuple[Estimate, Tensor]:
        """In each row whichever has the smaller summed variance, or the other if insisted on; where that is, [n]."""
        chosen = ((other.stderr**2).sum(1) < (self.stderr**2).sum(1)) | insist
        use = chosen[:, None]
        values, stderr = torch.where(use, other.values, self.values), torch.where(use, other.stderr, self.stderr)
        return Estimate(values, stderr), chosen


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Least squares with the kernel's weights, among values that add up to v(everybody) − v(nobody).

    φ = A⁻¹ r − u (1ᵀA⁻¹ r − (v₁ − v₀)) / (1ᵀu), with A = Σ w z zᵀ, r = Σ w z (v(z) − v₀) and u = A⁻¹ 1
    [lundberg2017]. With a coalition and its complement together the same solution comes from z − ½ and half the
    difference of their values, and adding a multiple of 1 1ᵀ to A, which keeps it regular, changes nothing either.

    Attributes:
        design: the pairs of coalitions.
        signs: [m, players] float64, z − ½.
        inverse: [players, players], C = A⁻¹ − u uᵀ / (1ᵀu): values that add up to 0 are C r.
        even: [players], u / (1ᵀu): how the sum is shared before a coalition is seen.
    """

    design: Design
    signs: Tensor
    inverse: Tensor
    even: Tensor

    @classmethod
    def of(cls, design: Design) -> Regression:
        """Raises ExplanationError where the coalitions do not tell the players apart."""
        signs = design.present.double() - 0.5
        matrix = signs.T @ (design.weights[:, None] * signs)
        matrix = matrix + matrix.diagonal().mean()
        root, failed = torch.linalg.cholesky_ex(matrix)
        if bool(failed) or not bool(torch.isfinite(root).all()):
            raise ExplanationError(Message("singular_coalitions", {"k": signs.shape[1], "m": 2 * len(signs)}))
        inverse = torch.cholesky_inverse(root)
        u = inverse.sum(1)
        return cls(design, signs, inverse - torch.outer(u, u) / u.sum(), u / u.sum())

    def solve(self, odd: Tensor, change: Tensor) -> Tensor:
        """The values, [n, players], of halves of differences [n, m] and of v₁ − v₀, [n]."""
        found = (odd * self.design.weights) @ self.signs @ self.inverse + change[:, None] * self.even
        return found + ((change - found.sum(1)) / found.shape[1])[:, None]  # rounding errors, off by 1e-16

    def stderr(self, odd: Tensor, values: Tensor) -> Tensor:
        """Standard errors [n, players] from the spread of what each drawn pair moves the values by.

        A pair moves them by w C z̃ e, e being its residual had it been left out of the fit (HC3 [mackinnon1985], the
        jackknife's residual). Strata are independent of each other, and one that is there as a whole adds nothing.
        """
        pull = self.design.weights[:, None] * (self.signs @ self.inverse)
        leverage = (pull * self.signs).sum(1)
        residual = (odd - values @ self.signs.T) / (1 - leverage).clamp(min=1e-9)
        total = torch.zeros_like(values)
        for part in range(int(self.design.stratum.max()) + 1):
            at = (self.design.stratum == part).nonzero()[:, 0]
            total += _spread(residual[:, at], pull[at], self.design.unseen[at])
        return total.sqrt()


def _spread(residual: Tensor, pull: Tensor, unseen: Tensor) -> Tensor:
    """The variance [n, players] that the draws of one stratum bring."""
    m = len(pull)
    if m < 2:
        return residual.new_zeros(len(residual), pull.shape[1])
    squares = (residual**2) @ (pull**2 * unseen[:, None])
    mean = (residual @ (pull * unseen.sqrt()[:, None])) / m
    return ((squares - m * mean**2) * (m / (m - 1))).clamp(min=0)
