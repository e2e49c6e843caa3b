"""What `attribute` takes beside the model's own passes, against captum's Saliency and the bare passes; medians of 5.

Claims: gradients of 50,000 × 20 rows take a fifteenth of captum.attr.Saliency's time or less; over the bare forward and
backward pass it adds less than 10 % where these take 20 ms or more, and at most 0.5 ms a call below; the doctor
recognises a model of 50 modules that it has seen in well under 0.2 ms.
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
from gnomon.audit.explain.checks.examination import examine
from gnomon.audit.explain.core.function import Function
from torch import Tensor, nn

REPEATS, SMALL = 5, 200


def main() -> int:
    torch.manual_seed(0)
    print(f"medians of {REPEATS}, of {SMALL} where a call is short; {torch.get_num_threads()} thread(s)")
    many_rows()
    for name, model, x in (
        ("MLP of 5 modules, 8 rows", deep(2), torch.randn(8, 20)),
        ("MLP of 51 modules, 8 rows", deep(25), torch.randn(8, 20)),
        ("MLP of 51 modules, 512 rows", deep(25), torch.randn(512, 20)),
        ("convolutional, 4 images 3 × 64 × 64", convolutional(), torch.randn(4, 3, 64, 64)),
        ("convolutional, 64 images 3 × 64 × 64", convolutional(), torch.randn(64, 3, 64, 64)),
    ):
        over_the_bare_passes(name, model, x)
    model, x = deep(25), torch.randn(8, 20)
    function = Function(model, 0)
    kept = seconds({"kept": lambda: examine(function, (x,))}, SMALL)["kept"]
    print(f"the doctor, 51 modules, a state that it knows                 {1e3 * kept:>9.3f} ms")
    return 0


def many_rows() -> None:
    """Gradients of many short rows."""
    from captum.attr import Saliency

    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
    x = torch.randn(50_000, 20)
    theirs = Saliency(model)
    with warnings.catch_warnings(action="ignore"):
        found = seconds(
            {
                "ours": lambda: attribute(model, x, method="saliency"),
                "captum": lambda: theirs.attribute(x.clone().requires_grad_(), abs=False),
                "bare": lambda: bare(model, x),
            },
            REPEATS,
        )
        values: Any = attribute(model, x, method="saliency").values
        off = (values - theirs.attribute(x.clone().requires_grad_(), abs=False)).abs()
    print(f"gradients of 50,000 × 20 rows: attribute                      {1e3 * found['ours']:>9.1f} ms")
    print(f"captum.attr.Saliency                                          {1e3 * found['captum']:>9.1f} ms", end="")
    print(f"   {found['captum'] / found['ours']:.1f}× (15 claimed)")
    print(f"the bare passes                                               {1e3 * found['bare']:>9.1f} ms")
    print(f"largest difference of a gradient                              {float(off.max()):>9.1e}")


def over_the_bare_passes(name: str, model: nn.Module, x: Tensor) -> None:
    """`attribute` in turn with the forward and backward pass alone."""
    repeats = SMALL if x.numel() < 10_000 else 4 * REPEATS
    found = seconds(
        {"ours": lambda: attribute(model, x, method="saliency", target=0), "bare": lambda: bare(model, x)}, repeats
    )
    more, part = found["ours"] - found["bare"], found["ours"] / found["bare"] - 1
    print(f"{name:<40}bare {1e3 * found['bare']:>8.2f} ms, attribute adds {1e3 * more:>7.3f} ms ({part:+.1%})")


def bare(model: nn.Module, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(model(x)[:, 0].sum(), x)[0]


def deep(layers: int) -> nn.Module:
    return nn.Sequential(*[part for _ in range(layers) for part in (nn.Linear(20, 20), nn.ReLU())], nn.Linear(20, 2))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    ).eval()  # fmt: skip


def seconds(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taken in turns so that a busy machine slows all alike."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()  # the first is for warming up
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


if __name__ == "__main__":
    sys.exit(main())
