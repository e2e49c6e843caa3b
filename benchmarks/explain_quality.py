"""What the quality of explanations costs, metric by metric; all at once against one by one; and the sanity check.

Claim: explanations that are compared share random orders, masks and shuffled networks, and metrics share evaluations,
so comparing four methods on all removal metrics at once takes far fewer evaluations than each method and metric by
itself. Medians of 5, both sides in one process. Sanity: of honestly trained networks at most 5 % are marked "not
evidence", and of the same networks with shuffled weights about 5 % pass; those with fewer than 100 weights, and without
labels those of two layers, are left unchecked.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import torch
from gnomon.audit.explain import Attributions, attribute, evaluate
from gnomon.audit.explain.quality.metrics import METRICS
from gnomon.audit.explain.quality.shuffling import shuffled
from gnomon.models.datasets import simulated
from torch import nn

ROWS, WIDTH, REPEATS, SEEDS = 200, 20, 5, 20
METHODS = ("integrated_gradients", "input_x_gradient", "feature_ablation", "saliency")
REMOVAL = ("deletion", "insertion", "comprehensiveness", "sufficiency", "faithfulness_correlation", "infidelity")


def main() -> int:
    model, x = trained()
    found = {name: attribute(model, x, target=1, method=name) for name in METHODS}
    masks = torch.zeros(x.shape, dtype=torch.bool)
    masks[:, :4] = True
    whole = evaluate(model, found, masks=masks)
    print(f"{ROWS} rows, {WIDTH} features, {len(METHODS)} methods: evaluations of the model a row")
    for name in METRICS:
        print(f"{name:<28}{whole.spent.get(name, 0):>10.1f}")
    print(f"{'all':<28}{whole.cost.evaluations / ROWS:>10.1f}   {whole.cost.seconds:.2f} s")

    together, shared = timed(model, found, [tuple(METHODS)], [REMOVAL])
    apart, single = timed(model, found, [(name,) for name in METHODS], [(metric,) for metric in REMOVAL])
    print(f"\n{len(METHODS)} methods, {len(REMOVAL)} metrics of removal, medians of {REPEATS}")
    print(f"at once        {shared:>8.0f} evaluations a row {together:>8.3f} s")
    print(f"one by one     {single:>8.0f} evaluations a row {apart:>8.3f} s   "
          f"{single / shared:.1f}× the evaluations, {apart / together:.1f}× the time")  # fmt: skip
    sanity()
    return 0


def sanity() -> None:
    """How often trained networks are marked, and shuffled ones are not, over seeds, sizes and numbers of features."""
    print(f"\nsanity check, simulated credit and pictures, {SEEDS} seeds each: share of networks")
    print(f"{'network':<32}{'weights':>8}{'marked':>9}{'unchecked':>11}{'shuffled, marked':>18}{'unchecked':>11}")
    for features in (3, 6, 15, 30):
        for widths in ((8,), (16,), (16, 16), (64, 64)):
            cases = [lending(features, widths, seed) for seed in range(SEEDS)]
            told(f"{features} features, {'-'.join(map(str, widths))}", cases)
    told("pictures 8 × 8, CNN", [pictured(seed) for seed in range(SEEDS)])


def told(name: str, cases: list[tuple[nn.Module, torch.Tensor, torch.Tensor]]) -> None:
    """Two lines, with labels and without: trained networks, then the same with their weights shuffled."""
    weights = sum(p.numel() for p in cases[0][0].parameters() if p.ndim > 1)
    for labelled in (True, False):
        found = []
        for seed, (model, x, y) in enumerate(cases):
            labels = y if labelled else None
            own = judged(model, x, labels)
            with shuffled(list(model.parameters()), torch.Generator().manual_seed(seed)):
                found.append((*own, *judged(model, x, labels)))
        s = [100 * sum(column) / len(found) for column in zip(*found, strict=True)]
        line = f"{name}, {'labels' if labelled else 'none'}"
        print(f"{line:<32}{weights:>8}{s[0]:>7.0f} %{s[1]:>9.0f} %{s[2]:>16.0f} %{s[3]:>9.0f} %", flush=True)


def judged(model: nn.Module, x: torch.Tensor, y: torch.Tensor | None) -> tuple[bool, bool]:
    """Whether attributions are marked as no evidence, and whether that is left open."""
    found = attribute(model, x, target=1, method="input_x_gradient")
    loss = None if y is None else lambda raw, rows: nn.functional.cross_entropy(raw, y[rows], reduction="none")
    result = evaluate(model, found, metrics=["learned_structure", "parameter_randomisation"], loss=loss)
    return any(result.evidence.values()), bool(result.unchecked)


def lending(features: int, widths: tuple[int, ...], seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A network that learned who repays; beyond the columns of the table features are noise."""
    people = simulated.credit(1_200, seed=seed)
    numbers = [people[name].to_numpy(float) for name in simulated.NUMERIC]
    numbers += [(people["postcode"] == level).to_numpy(float) for level in simulated.POSTCODES]
    numbers += [(people["employment"] == level).to_numpy(float) for level in simulated.JOBS]
    x = torch.tensor(np.stack(numbers, 1), dtype=torch.float32)
    noise = torch.randn(len(x), max(0, features - x.shape[1]), generator=torch.Generator().manual_seed(seed))
    x = torch.cat([(x - x.mean(0)) / x.std(0), noise], 1)[:, :features]
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, width in zip((features, *widths), widths, strict=False):
        layers += [nn.Linear(before, width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
    y = torch.tensor(people[simulated.TARGET].to_numpy())
    return fitted(model, x, y), x[:100], y[:100]


def pictured(seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A convolutional network that learned to tell lying bars from standing ones."""
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.rand(600, 1, 8, 8, generator=draw), torch.randint(0, 2, (600,), generator=draw)
    for row, (label, at) in enumerate(zip(y.tolist(), torch.randint(0, 8, (600,), generator=draw), strict=True)):
        x[row, 0].select(label, int(at)).add_(1)
    torch.manual_seed(seed)
    pooled = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1))
    return fitted(nn.Sequential(pooled, nn.Flatten(), nn.Linear(8, 2)), x, y), x[:60], y[:60]


def fitted(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    """The model trained on all rows."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model.eval()


def timed(
    model: nn.Module, found: dict[str, Attributions], methods: list[tuple[str, ...]], metrics: list[tuple[str, ...]]
) -> tuple[float, float]:
    """Median seconds, and evaluations a row, of every combination of these."""
    seconds, evaluations = [], 0
    for _ in range(REPEATS):
        begun = time.perf_counter()
        results = [
            evaluate(model, {name: found[name] for name in names}, metrics=some)
            for names in methods
            for some in metrics
        ]
        seconds.append(time.perf_counter() - begun)
        evaluations = sum(result.cost.evaluations for result in results)
    return statistics.median(seconds), evaluations / ROWS


def trained() -> tuple[nn.Module, torch.Tensor]:
    """A small network that has learned something, and rows to explain."""
    torch.manual_seed(0)
    x = torch.randn(1_000, WIDTH)
    y = (2 * x[:, 0] + x[:, 1] * x[:, 2] - x[:, 3] > 0).long()
    model = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    return fitted(model, x, y), x[:ROWS]


if __name__ == "__main__":
    sys.exit(main())
