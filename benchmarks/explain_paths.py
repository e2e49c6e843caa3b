"""Integrated gradients to a tolerance, against captum's rules at the same error; medians of 5.

Claim: on smooth networks a pair of rules reaches 1e-3 of a row's summed absolute attribution at 15 gradients, on ReLU
networks breakpoints are exact with one gradient for each piece, and captum takes longer for the same error. The
network is 20-64-64-1 with weights of standard deviation 2/√fan_in, in float64, with 64 inputs from a normal
distribution, against zeros. The truth is exact breakpoints for ReLU, themselves held against 20,000 middles, and 400
nodes of Gauss–Legendre in float64 for the others.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from gnomon.audit.explain.asking import attribute
from torch import Tensor, nn

REPEATS, ROWS, WIDTHS = 5, 64, (20, 64, 64, 1)
T = TypeVar("T")
ACTIVATIONS = {"ReLU": nn.ReLU, "GELU": nn.GELU, "Tanh": nn.Tanh}
CAPTUM = [
    ("riemann_trapezoid", 50), ("riemann_middle", 50), ("riemann_middle", 200), ("riemann_middle", 1000),
    ("gausslegendre", 8), ("gausslegendre", 12), ("gausslegendre", 16), ("gausslegendre", 24), ("gausslegendre", 50),
    ("gausslegendre", 200),
]  # fmt: skip


def main() -> int:
    warnings.filterwarnings("ignore")
    x = torch.randn(ROWS, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    print(f"{ROWS} rows, medians of {REPEATS}; L1: median over rows of Σ|error|/Σ|attribution|; worst: of any feature")
    for name, activation in ACTIVATIONS.items():
        compare(name, network(activation), x)
    return 0


def compare(name: str, model: nn.Module, x: Tensor) -> None:
    """One network's table, and how much longer captum takes for an error as small as ours, or as the tolerance asks."""
    from captum.attr import IntegratedGradients

    seconds, found = timed(lambda: attribute(model, x, method="integrated_gradients"))
    truth = found.values if name == "ReLU" else by_many_nodes(model, x)
    assert isinstance(truth, Tensor)
    assert isinstance(found.values, Tensor)
    assert isinstance(found.error, Tensor)
    gradients = found.details["gradients"].double()
    print(f"\n{name}: {found.rule}")
    row("gnomon", gradients.mean().item(), *errors(found.values, truth), seconds)
    summed = truth.abs().sum(1, keepdim=True)
    at_15 = attribute(model, x, method="integrated_gradients", tolerance=1.0, budget=15)
    assert isinstance(at_15.values, Tensor)
    if name == "ReLU":
        many = by_many_nodes(model, x, 20_000)
        print(f"  breakpoints against 20,000 nodes, worst feature {float(((many - truth).abs() / summed).max()):.0e}")
    else:
        share = float((gradients == 15).double().mean())
        print(f"  15 gradients in {share:.0%} of rows; with 15 in all, worst {errors(at_15.values, truth)[1]:.1e}")
        print(f"  largest estimate of an error {float((found.error / summed).max()):.1e}")
    ratios = []
    method = IntegratedGradients(model)
    for rule, n in CAPTUM:
        took, theirs = timed(lambda rule=rule, n=n: method.attribute(x, target=0, n_steps=n, method=rule))
        off = errors(theirs, truth)
        row(f"captum {rule}", n, *off, took)
        ratios.append((off[1], took / seconds))
    for limit, words in ((1e-3, "within 1e-3"), (errors(found.values, truth)[1], "as small as ours")):
        fits = [ratio for off, ratio in ratios if off <= limit]
        print(f"  fastest captum {words}: " + (f"{min(fits):.2f}× our time" if fits else "none of these"))


def network(activation: type[nn.Module]) -> nn.Module:
    """The reference's network."""
    draw = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(WIDTHS):
        layer = nn.Linear(before, after, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(after, before, generator=draw, dtype=torch.float64) * 2 / before**0.5)
            layer.bias.copy_(torch.randn(after, generator=draw, dtype=torch.float64) * 0.5)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1]).eval()


def by_many_nodes(model: nn.Module, x: Tensor, n: int = 400) -> Tensor:
    """The integral by n nodes: of Gauss–Legendre up to 400, middles of equal panels beyond."""
    nodes, weights = np.polynomial.legendre.leggauss(n) if n <= 400 else ((2 * np.arange(n) + 1) / n - 1, [2 / n] * n)
    total = torch.zeros_like(x)
    for node, weight in zip(nodes, weights, strict=True):
        point = (x * (node + 1) / 2).requires_grad_()
        total += weight / 2 * torch.autograd.grad(model(point).sum(), point)[0]
    return total * x


def errors(values: Tensor, truth: Tensor) -> tuple[float, float]:
    """Median relative L1 error, and the worst feature's, over the row's summed absolute attribution."""
    off, summed = (values - truth).abs(), truth.abs().sum(1, keepdim=True)
    return float((off.sum(1, keepdim=True) / summed).median()), float((off / summed).max())


def row(what: str, gradients: float, middle: float, worst: float, seconds: float) -> None:
    print(f"  {what:<26}{gradients:>7.1f} gradients   L1 {middle:>8.1e}   worst {worst:>8.1e}{seconds * 1e3:>9.1f} ms")


def timed(of: Callable[[], T], repeats: int = REPEATS) -> tuple[float, T]:
    """Median seconds, and what it gave."""
    found, seconds = of(), []  # the first is for warming up
    for _ in range(repeats):
        start = time.perf_counter()
        found = of()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), found


if __name__ == "__main__":
    sys.exit(main())
