"""KernelSHAP over each picture's own superpixels, against captum on the same superpixels in one process; medians of 5.

Claims: features that differ from row to row cost no loop over rows, so `attribute_by_row` with `kernel_shap` takes at
most a fifth of captum's time, which goes picture by picture with each one's `feature_mask`, and is off by less. Off is
the root mean square against a long run of permutation SHAP. Beside it: seconds to cut pictures into superpixels and to
read words off tokens.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from gnomon.audit.explain.modality.by_row import attribute_by_row
from gnomon.audit.explain.modality.superpixels import superpixels
from gnomon.audit.explain.modality.tokens import words_of
from gnomon.models import Text
from torch import Tensor, nn

PICTURES, SIDE, REGIONS, COALITIONS, REPEATS = 16, 32, 20, 500, 5
LONG = 20_000  # evaluations a picture of the long run
KNOWING = ("ours", "captum, all coalitions at once", "captum, as it comes")


def main() -> int:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    model, pictures = network(), scenes()
    owners = superpixels(pictures, REGIONS)
    print(f"{PICTURES} pictures {SIDE} x {SIDE}, {int(owners.max()) + 1} superpixels at most, {COALITIONS} coalitions")
    truth = attribute_by_row(model, pictures, owners[:, None], method="permutation_shap", budget=LONG).values
    sides: dict[str, Callable[[int], Tensor]] = {
        "the evaluations alone": lambda _: bare(model, pictures),
        "ours": lambda seed: ours(model, pictures, owners, seed),
        "captum, all coalitions at once": lambda seed: captums(model, pictures, owners, COALITIONS, seed),
        "captum, as it comes": lambda seed: captums(model, pictures, owners, 1, seed),
    }
    medians: dict[str, float] = {}
    for name, side in sides.items():
        medians[name], found = timed(side)
        error = "" if name not in KNOWING else f"   off by {off(found, truth):.2e}"
        print(f"{name:32} {medians[name]:8.3f} s{error}")
    print(", ".join(f"{name} / ours: {medians[name] / medians['ours']:.2f}" for name in medians if name != "ours"))
    beside()
    return 0


def ours(model: nn.Module, pictures: Tensor, owners: Tensor, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    found = attribute_by_row(model, pictures, owners[:, None], method="kernel_shap", generator=draw, samples=COALITIONS)
    return found.values


def bare(model: nn.Module, pictures: Tensor) -> Tensor:
    """So many pictures through the model, put together from nothing; there is no error to it."""
    many = pictures.repeat_interleave(COALITIONS, 0)
    with torch.no_grad():
        return torch.cat([model(piece) for piece in many.split(170)])


def captums(model: nn.Module, pictures: Tensor, owners: Tensor, together: int, seed: int) -> Tensor:
    from captum.attr import KernelShap

    torch.manual_seed(seed)
    shap = KernelShap(lambda x: model(x)[:, 0])
    values = torch.zeros(len(pictures), int(owners.max()) + 1)
    for k in range(len(pictures)):
        mask = owners[k : k + 1, None].expand(1, 3, SIDE, SIDE)
        found = shap.attribute(
            pictures[k : k + 1], feature_mask=mask, n_samples=COALITIONS, perturbations_per_eval=together
        )
        # captum shows a region's number at each of its pixels
        values[k].scatter_(0, owners[k].reshape(-1), found[0, 0].reshape(-1).float())
    return values


def off(found: list[Tensor], truth: Tensor) -> float:
    return statistics.mean(float(((x.double() - truth) ** 2).mean()) for x in found) ** 0.5


def timed(side: Callable[[int], Tensor]) -> tuple[float, list[Tensor]]:
    seconds, found = [], []
    side(0)
    for seed in range(1, REPEATS + 1):
        begun = time.perf_counter()
        found.append(side(seed))
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), found


def beside() -> None:
    pictures = torch.rand(4, 3, 224, 224)
    begun = time.perf_counter()
    superpixels(pictures, 49)
    print(f"\nsuperpixels of a picture 224 x 224: {(time.perf_counter() - begun) / 4:.3f} s")
    vocabulary = ("<pad>", *(f"w{k}" for k in range(3_000)), *(f"##p{k}" for k in range(1_000)))
    ids = np.random.default_rng(0).integers(1, len(vocabulary), (256, 512))
    begun = time.perf_counter()
    words_of(Text(vocabulary, padding=0), ids)
    print(f"words of 256 texts of 512 tokens: {time.perf_counter() - begun:.3f} s")


def network() -> nn.Module:
    layers = nn.Conv2d(3, 8, 3, stride=2), nn.GELU(), nn.Conv2d(8, 8, 3, stride=2), nn.GELU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(8 * 49, 1)).eval()


def scenes() -> Tensor:
    """Smooth noise, so that superpixels have something to follow."""
    coarse = torch.rand(PICTURES, 3, 6, 6)
    return nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")


if __name__ == "__main__":
    sys.exit(main())
