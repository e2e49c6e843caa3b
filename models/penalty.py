"""A penalty on the gap between groups, for training: differentiable, and defined however small a batch is.

A decision has no gradient, its probability has: a group's *soft* rate is the mean probability of a positive decision
over the rows that the rate is about. A batch may hold few rows of a group or none; so sums run on from batch to batch,
fading, and a group that is absent keeps the rate it had. They begin anew with each epoch: nothing need be saved for a
training to go on bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from .settings import finite, require
from .task import Output

Rate = Literal["selection_rate", "true_positive_rate", "false_positive_rate", "equalized_odds"]

LABELS: dict[str, tuple[int | None, ...]] = {
    "selection_rate": (None,),
    "true_positive_rate": (1,),
    "false_positive_rate": (0,),
    "equalized_odds": (1, 0),
}
"""For each rate the labels of the rows that it is about (None: all rows); of two, the mean of both penalties counts."""


@dataclass(frozen=True, slots=True)
class RateGap:
    """A penalty on how far groups' soft rates lie apart [beutel2019].

    weight · mean over pairs of groups (r_g − r_h)², with r_g = Σ p / n over the rows of group g that the rate is about.
    Squared, it is smooth where groups are equal, and with many groups all of them are moved, not the extreme two alone.
    For two groups it is weight · gap².

    Attributes:
        groups: [n] int64 codes of the training rows, 0 … groups − 1; −1 = not known: counts for no group.
        rate: what is to be equal.
        weight: λ, of the penalty beside the loss; with 0 training is what it would be without.
        output: what the model returns, as in `Subject`.
        memory: what share of the sums is kept from one batch to the next, 0 to below 1; the smaller the batches or the
            groups, the more.
        sharpness: logits are multiplied by it: above 1, probabilities come closer to decisions.

    Raises:
        TrainingError: a setting is out of range, or codes are no int64 vector.

    Example:
        >>> penalty = RateGap(torch.tensor([0, 0, 1, 1]), "selection_rate", weight=2.0, output="probability")
        >>> running = Running(penalty)
        >>> running(torch.tensor([0.9, 0.7, 0.4, 0.2]), torch.tensor([1, 0, 1, 0]), penalty.groups)
        tensor(0.5000)

        It is given to `training.fit`, and what comes out is audited like any other model:

        >>> from gnomon.models.training import fit
        >>> sex = torch.arange(400) % 2
        >>> x = torch.randn(400, 1, generator=torch.Generator().manual_seed(0)) + sex[:, None]
        >>> y, loss = (x[:, 0] > 0.5).float(), torch.nn.functional.binary_cross_entropy_with_logits
        >>> def gap(penalty):
        ...     model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Flatten(0))
        ...     torch.nn.init.zeros_(model[0].weight), torch.nn.init.zeros_(model[0].bias)
        ...     fit(model, (x,), y, loss=loss, epochs=20, batch_size=100, lr=0.1, penalty=penalty, device="cpu")
        ...     p = torch.sigmoid(model(x)).detach()
        ...     return float(p[sex == 1].mean() - p[sex == 0].mean())
        >>> gap(RateGap(sex, "selection_rate", weight=10.0)) < gap(None) / 2
        True
    """

    groups: Tensor
    rate: Rate = "selection_rate"
    weight: float = 1.0
    output: Output = "logits"
    memory: float = 0.5
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        require(self.rate in LABELS, f"penalty rate '{self.rate}' is not one of {', '.join(LABELS)}")
        require(finite(self.weight) and self.weight >= 0, f"penalty weight={self.weight!r} must be 0 or above")
        require(finite(self.memory) and 0 <= self.memory < 1, f"memory={self.memory!r} must be from 0 to below 1")
        require(finite(self.sharpness) and self.sharpness > 0, f"sharpness={self.sharpness!r} must be above 0")
        require(self.output != "value", "a penalty on rates needs probabilities or logits, not output='value'")
        whole = isinstance(self.groups, Tensor) and self.groups.dtype == torch.int64 and self.groups.ndim == 1
        require(whole, "penalty groups must be a vector of int64 codes, one a training row, -1 where not known")
        require(len(self.groups) > 0 and int(self.groups.max()) >= 1, "a gap needs two groups; give codes 0 and 1")
        require(
            int(self.groups.min()) >= -1, f"group code {int(self.groups.min())}: codes begin at 0, and -1 is unknown"
        )

    @property
    def levels(self) -> int:
        return int(self.groups.max()) + 1

    def described(self) -> str:
        """What tells it from another penalty on the same rows."""
        return f"{self.rate} {self.weight} {self.output} {self.memory} {self.sharpness}"

    def sums(self, output: Any, targets: Tensor, groups: Tensor) -> Tensor:
        """[labels, 2, groups] Σ p and n of each group in a batch."""
        p = self.probabilities(output)
        labels = targets.reshape(len(targets))
        parts: list[Tensor] = []
        for label in LABELS[self.rate]:
            counted = (groups >= 0) if label is None else (groups >= 0) & (labels == label)
            code = groups.clamp(min=0)
            empty = torch.zeros(self.levels, dtype=p.dtype, device=p.device)
            top = empty.index_add(0, code, torch.where(counted, p, torch.zeros_like(p)))
            parts.append(torch.stack([top, empty.index_add(0, code, counted.to(p.dtype))]))
        return torch.stack(parts)

    def probabilities(self, output: Tensor) -> Tensor:
        """[n] soft decisions, float32 or wider."""
        output = output if output.dtype == torch.float64 else output.float()
        shape = tuple(output.shape[1:])
        require(shape in ((), (1,), (2,)), f"a penalty on rates needs [n], [n, 1] or [n, 2] outputs, got [n, *{shape}]")
        two = output.ndim == 2 and output.shape[1] == 2
        if self.output in ("probability", "probabilities"):
            return output[:, 1] if two else output.reshape(len(output))
        logit = output[:, 1] - output[:, 0] if two else output.reshape(len(output))
        return torch.sigmoid(self.sharpness * logit)

    def value(self, sums: Tensor) -> Tensor:
        """The penalty of such sums; groups of which no row was seen stand aside, and with fewer than two it is 0."""
        top, n = sums.unbind(1)
        seen = n > 0
        rates = top / torch.where(seen, n, torch.ones_like(n))
        pairs = seen[:, :, None] & seen[:, None, :]
        squares = torch.where(pairs, (rates[:, :, None] - rates[:, None, :]) ** 2, torch.zeros_like(n[:, :, None]))
        count = pairs.sum((1, 2)) - seen.sum(1)  # ordered pairs of different groups
        return self.weight * (squares.sum((1, 2)) / count.clamp(min=1)).mean()


@dataclass(slots=True)
class Running:
    """A penalty over the batches of one epoch: sums that fade, so that no batch is too small."""

    penalty: RateGap
    kept: Tensor | None = field(default=None)

    def __call__(self, output: Any, targets: Tensor, groups: Tensor) -> Tensor:
        """The penalty of this batch and what is kept of those before; its gradient is that of this batch's rows."""
        sums = self.penalty.sums(output, targets, groups)
        if self.kept is not None:
            sums = sums + self.penalty.memory * self.kept
        self.kept = sums.detach()
        return self.penalty.value(sums)
