"""Ranks and correlations row by row, over the places of a row that count."""

from __future__ import annotations

import torch
from torch import Tensor

NOISE = 1e-12  # of the sum of squares: what rounding leaves of a variance of 0


def ranks(values: Tensor, counts: Tensor) -> Tensor:
    """[n, m] ranks from 0 among the places that count; ties share the mean of their ranks [spearman1904].

    Args:
        values: [n, m] finite.
        counts: [n, m] bool; ranks of the others mean nothing.
    """
    ordered, order = torch.where(counts, values, -torch.inf).sort(dim=1, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = new.cumsum(1) - 1
    places = torch.arange(values.shape[1], device=values.device, dtype=torch.float64).expand(values.shape)
    total = torch.zeros_like(places).scatter_add(1, run, places)
    size = torch.zeros_like(places).scatter_add(1, run, torch.ones_like(places))
    mean = (total / size.clamp(min=1)).gather(1, run)
    found = torch.empty_like(mean).scatter_(1, order, mean)
    return found - (~counts).sum(1, keepdim=True)


def correlation(a: Tensor, b: Tensor, counts: Tensor) -> Tensor:
    """[n] Pearson's correlation over the places that count; NaN where one of the two does not vary there."""
    weight = counts.double()
    n = weight.sum(1, keepdim=True).clamp(min=1)
    parts = [x.double() * weight for x in (a, b)]
    left, right = [(x - x.sum(1, keepdim=True) / n) * weight for x in parts]
    squares = [(x**2).sum(1) for x in (left, right)]
    sizes = [(x**2).sum(1) for x in parts]
    varies = (squares[0] > NOISE * sizes[0]) & (squares[1] > NOISE * sizes[1])
    found = (left * right).sum(1) / (squares[0] * squares[1]).sqrt()
    return torch.where(varies, found, torch.nan).clamp(-1, 1)


def rank_correlation(a: Tensor, b: Tensor, counts: Tensor) -> Tensor:
    """[n] Spearman's correlation over the places that count [spearman1904]; NaN where it is undefined."""
    return correlation(ranks(a, counts), ranks(b, counts), counts)


def positions(importance: Tensor, counts: Tensor) -> Tensor:
    """[n, m] int64: 0 for the most important place that counts, and on; equals in the order of places."""
    order = torch.where(counts, importance, -torch.inf).argsort(dim=1, descending=True, stable=True)
    steps = torch.arange(order.shape[1], device=order.device).expand(order.shape)
    return torch.empty_like(order).scatter_(1, order, steps)
