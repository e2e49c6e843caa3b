"""Features taken away one at a time: `feature_ablation` and `occlusion` against captum in one process; medians of 5.

Claims: ours takes no longer than captum, whichever number of perturbations at once captum is told to try, and gives
the same numbers.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from gnomon.audit.explain import attribute
from torch import Tensor, nn

REPEATS = 5
AT_ONCE = (1, 8, 64)  # captum's perturbations_per_eval; its default is 1


def main() -> int:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    print(f"one thread: {torch.get_num_threads() == 1}; medians of {REPEATS}\n")
    table = mlp(20)
    for n in (1, 200, 20_000):
        compare(f"ablation, {n:,} × 20, MLP 20-64-64-1", table, torch.randn(n, 20))
    compare("ablation, 200 × 200, MLP 200-64-64-1", mlp(200), torch.randn(200, 200))
    pictures, mask = torch.randn(8, 3, 32, 32), grid()
    compare("ablation, 8 × 3×32×32, 64 regions, CNN", cnn(), pictures, mask)
    slide("occlusion, 8 × 3×32×32, 3×8×8 by 4, CNN", cnn(), pictures)
    return 0


def compare(name: str, model: nn.Module, rows: Tensor, mask: Tensor | None = None) -> None:
    from captum.attr import FeatureAblation

    seconds, mine = timed(
        lambda: attribute(model, rows, method="feature_ablation", target=0, feature_groups=mask).values
    )
    explain = FeatureAblation(model).attribute

    def theirs(at_once: int) -> Tensor:
        return explain(
            rows, target=0, feature_mask=None if mask is None else mask[None], perturbations_per_eval=at_once
        )

    report(name, seconds, mine, theirs)


def slide(name: str, model: nn.Module, rows: Tensor) -> None:
    from captum.attr import Occlusion

    seconds, mine = timed(
        lambda: attribute(model, rows, method="occlusion", target=0, window=(3, 8, 8), stride=(3, 4, 4)).values
    )
    explain = Occlusion(model).attribute

    def theirs(at_once: int) -> Tensor:
        return explain(rows, (3, 8, 8), (3, 4, 4), target=0, perturbations_per_eval=at_once)

    report(name, seconds, mine, theirs)


def report(name: str, seconds: float, mine: Any, theirs: Callable[[int], Tensor]) -> None:
    print(f"{name:<46}ours {1e3 * seconds:>9.2f} ms")
    for at_once in AT_ONCE:
        taken, found = timed(lambda at_once=at_once: theirs(at_once))
        off = float((mine - found).abs().max() / found.abs().max())
        name = f"          captum, {at_once} at once"
        print(f"{name:<51}{1e3 * taken:>9.2f} ms{taken / seconds:>7.2f}×   off {off:.0e}")


def mlp(features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)).eval()


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
    ).eval()  # fmt: skip


def grid() -> Tensor:
    """[3, 32, 32] the number of the 4 × 4 region that each pixel is in."""
    line = torch.arange(32) // 4
    return (line[:, None] * 8 + line).expand(3, 32, 32)


def timed(of: Callable[[], Any]) -> tuple[float, Any]:
    """Median seconds, and what it gave last."""
    found, seconds = of(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = of()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), found


if __name__ == "__main__":
    sys.exit(main())
