"""A straight cut between two clouds of activations: the concept activation vector is its normal."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

RIDGE = 0.1  # of the clouds' mean squared distance from their middle: more features than examples are the rule here


def normal(features: Tensor, positive: Tensor) -> tuple[Tensor, float]:
    """The normal of the cut, from the others to the positive ones; and how well it tells left-out examples apart.

    A ridge regression of ±1, solved through the examples' products, so that its cost does not hang on the number of
    features. What it says of an example when that is left out follows from its own residual: r / (1 − h).

    Args:
        features: [k, F].
        positive: [k] bool.

    Returns:
        [F] of length 1 (0 where the clouds are the same), and the share of examples on the right side.
    """
    x = features.double()
    y = torch.where(positive, 1.0, -1.0).to(x)
    centred, aim = x - x.mean(0), y - y.mean()
    products = centred @ centred.T
    penalty = RIDGE * products.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
    solved = torch.linalg.solve(products + penalty * torch.eye(len(x)).to(x), torch.stack([aim, *products]).T)
    weights = centred.T @ solved[:, 0]
    hat = solved[:, 1:].diagonal() + 1 / len(x)
    said = y - (aim - products @ solved[:, 0]) / (1 - hat)
    length = weights.norm()
    return weights / torch.where(length > 0, length, 1), float((said.sign() == y).double().mean())


def classifier() -> Any:
    """captum's kind of classifier around `normal`."""
    from ..borrowed import Classifier

    class Cut(Classifier):
        """Tells the examples of two concepts apart; the same examples give the same cut."""

        def __init__(self) -> None:
            self.known: list[int] = []
            self.cut = torch.zeros(0)

        def train_and_eval(self, dataloader: Any, **_: Any) -> dict[str, Tensor]:
            features, labels = zip(*dataloader, strict=True)
            which = torch.cat([label.reshape(-1) for label in labels])
            self.known = sorted(set(which.tolist()))
            self.cut, right = normal(torch.cat(features).flatten(1), which == self.known[0])
            return {"accs": torch.tensor(right)}

        def weights(self) -> Tensor:
            return torch.stack([self.cut, -self.cut])

        def classes(self) -> list[int]:
            return self.known

    return Cut()
