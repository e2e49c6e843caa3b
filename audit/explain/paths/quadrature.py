"""Rules of integration over 0 … 1, each with a second, coarser rule on the same nodes that tells its error.

Nodes and weights are computed in float64: in float32 they alone would cost seven digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Σ weights · g(nodes) ≈ ∫₀¹ g, and Σ coarse · g(nodes) the same by fewer nodes.

    Attributes:
        nodes: [k] float64, within 0 … 1, ascending.
        weights: [k] float64, their sum is 1.
        coarse: [k] float64, likewise; 0 at nodes that the coarser rule leaves out; None where there is no such rule.
    """

    nodes: Tensor
    weights: Tensor
    coarse: Tensor | None = None

    def __len__(self) -> int:
        return len(self.nodes)


@cache
def kronrod(n: int) -> Rule:
    """Gauss–Legendre's n nodes and Kronrod's n + 1 between them: 2n + 1 nodes, exact to degree 3n + 1 [laurie1997].

    The coarser rule is Gauss–Legendre's own, so the pair costs no evaluation more than its better half.

    >>> len(kronrod(7)), float(kronrod(7).weights.sum().round(decimals=12))
    (15, 1.0)
    """
    inner, inner_weights = legendre.leggauss(n)
    series = _stieltjes(n)
    between = np.sort(legendre.legroots(series).real)
    between -= legendre.legval(between, series) / legendre.legval(between, legendre.legder(series))
    nodes = np.concatenate([inner, between])
    coarse = np.concatenate([inner_weights, np.zeros(n + 1)])
    order = np.argsort(nodes)
    return _on_unit(nodes[order], _interpolating(nodes[order]), coarse[order])


@cache
def gauss(n: int) -> Rule:
    """Gauss–Legendre with n nodes, 2 or more; the coarser rule interpolates at every second of them."""
    nodes, weights = legendre.leggauss(n)
    coarse = np.zeros(n)
    coarse[1::2] = _interpolating(nodes[1::2])
    return _on_unit(nodes, weights, coarse)


@cache
def midpoint(n: int) -> Rule:
    """n middles of equal panels, n a multiple of 3; every third of them from the second is the rule with n/3."""
    nodes = (2 * np.arange(n) + 1) / n - 1
    coarse = np.where(np.arange(n) % 3 == 1, 6 / n, 0.0)
    return _on_unit(nodes, np.full(n, 2 / n), coarse)


@cache
def thirds(n: int) -> Rule:
    """The middles of n equal panels that are not among those of n/3 panels, weighed alike; n a multiple of 3."""
    nodes = midpoint(n).nodes[torch.arange(n) % 3 != 1]
    return Rule(nodes, torch.full_like(nodes, 1 / len(nodes)))


def _on_unit(nodes: np.ndarray, weights: np.ndarray, coarse: np.ndarray) -> Rule:
    """From −1 … 1 to 0 … 1."""
    parts = ((nodes + 1) / 2, weights / 2, coarse / 2)
    return Rule(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


def _stieltjes(n: int) -> np.ndarray:
    """Legendre coefficients of the polynomial of degree n + 1 whose product with Pₙ is orthogonal to degrees 0 … n.

    Its roots are Kronrod's nodes. It is even or odd as n + 1 is, so half of the coefficients are 0, and half of the
    conditions hold by themselves.
    """
    points, weights = legendre.leggauss(2 * n + 2)
    basis = legendre.legvander(points, n + 1)
    odd = range(1, n + 1, 2)
    free = range(n - 1, -1, -2)
    product = (basis[:, list(odd)] * (weights * basis[:, n])[:, None]).T
    system, wanted = product @ basis[:, list(free)], -product @ basis[:, n + 1]
    found = np.zeros(n + 2)
    found[n + 1] = 1
    found[list(free)] = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return found


def _interpolating(nodes: np.ndarray) -> np.ndarray:
    """Weights on −1 … 1 that are exact for every polynomial of a degree below the number of nodes."""
    integrals = np.zeros(len(nodes))
    integrals[0] = 2
    return np.linalg.solve(legendre.legvander(nodes, len(nodes) - 1).T, integrals)
