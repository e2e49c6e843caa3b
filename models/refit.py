"""A PyTorch model as something that can be fitted again and again: what reductions to weighted learning ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .errors import TrainingError
from .task import sigmoid
from .training import fit


@dataclass(slots=True)
class Refit:
    """An estimator with fit(X, y, sample_weight) and predict(X), as scikit-learn has them, of a network.

    Each fit begins with a new network from `make`, seeded, so that the same rows and weights give the same bits.

    Attributes:
        make: returns a network that takes float32 [n, columns] and returns one logit a row, [n] or [n, 1].
        epochs, batch_size, lr, seed: as in `training.fit`.
        model: the network fitted last; None before.
    """

    make: Callable[[], nn.Module]
    epochs: int = 10
    batch_size: int = 1024
    lr: float = 3e-3
    seed: int = 0
    model: nn.Module | None = field(default=None)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Refit:  # noqa: N803 — scikit-learn's names
        """Train a new network on weighted rows: the mean of w · log loss, with mean weight 1."""
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        label = np.asarray(y, float).reshape(-1)
        both = torch.from_numpy(np.stack([label, weight / max(weight.mean(), 1e-300)], 1)).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self.make()
        size, rate, seed = self.batch_size, self.lr, self.seed
        fit(model, (_rows(X),), both, loss=_weighted, epochs=self.epochs, batch_size=size, lr=rate, seed=seed)
        self.model = model
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """[n] 1 where the logit is at least 0."""
        return (self.logits(X) >= 0).astype(np.int64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """[n, 2] probabilities of both labels."""
        p = sigmoid(self.logits(X))
        return np.stack([1 - p, p], 1)

    def logits(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """[n] of the network fitted last.

        Raises:
            TrainingError: none was fitted yet.
        """
        if self.model is None:
            raise TrainingError("the network was not fitted yet; call fit first")
        with torch.no_grad():
            return self.model.eval()(_rows(X)).double().reshape(-1).numpy()


def _rows(features: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.asarray(features), dtype=np.float32))


def _weighted(output: Tensor, both: Tensor) -> Tensor:
    label, weight = both.unbind(1)
    losses = nn.functional.binary_cross_entropy_with_logits(output.reshape(-1), label, reduction="none")
    return (weight * losses).mean()
