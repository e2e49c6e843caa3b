"""Which training rows made a prediction: TracIn's sum of gradient products over checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ....models.inference import evaluating, out_of_memory
from ....models.subject import unpack
from ...messages import Message
from ..core.chunks import Chunks
from ..core.kept import kept
from ..core.problem import finite
from ..core.result import Shaped, like, tensors
from ..errors import ExplanationError

GRADIENTS = 2**24  # numbers of rows' gradients that are held at once: 64 MB in float32

Checkpoint = Mapping[str, Tensor]
Loss = Callable[[Tensor, Any], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What training on each row did to the loss of each explained row.

    Attributes:
        scores: [m, n] float64: by how much a step on training row n lowered (+) or raised (−) the loss of row m, to
            first order and added up over the checkpoints.
        helped: [m, top] the training rows that lowered it most, the most first; those that did not lower it are left
            out of a row by −1.
        hurt: [m, top] the ones that raised it most, likewise.
        self_influence: [n] each training row's on itself; large for rows that stand alone, wrong labels among them.
        checkpoints: how many were used.
    """

    scores: Tensor
    helped: Tensor
    hurt: Tensor
    self_influence: Tensor
    checkpoints: int


def influence(
    model: nn.Module,
    checkpoints: Iterable[Checkpoint],
    train_inputs: Shaped,
    train_targets: Tensor,
    inputs: Shaped,
    targets: Tensor,
    *,
    loss: Loss,
    top: int = 10,
    rates: Sequence[float] | None = None,
    parameters: Sequence[str] | None = None,
    forward: Callable[[Any, Any], Any] = unpack,
) -> Influence:
    """Training rows that helped or hurt each prediction: Σ_t η_t ∇ℓ(row, w_t) · ∇ℓ(training row, w_t) [pruthi2020].

    The model itself is not changed: each checkpoint's weights stand in for its own during the call, in eval mode.
    The gradients of many rows come from one vectorised pass; memory that runs out halves the pieces.

    Args:
        model: that was trained.
        checkpoints: state dicts, from training; a generator loads one at a time.
        train_inputs: [n, ...], or several as a tuple or by keyword.
        train_targets: [n, ...].
        inputs: [m, ...], as `train_inputs`.
        targets: [m, ...]. The labels tell which rows helped to get them right; predictions, which rows led to them.
        loss: loss(outputs [1, ...], targets [1, ...]), as in training, such as `nn.functional.cross_entropy`.
        top: how many training rows are named for each explained one.
        rates: the learning rate at each checkpoint; 1 each if None.
        parameters: beginnings of the names of those that count, such as ["head."]; all of them if None.
        forward: called as forward(model, inputs), returns the output.

    Raises:
        ExplanationError: rows and targets differ in number, the model is in train mode, names or rates do not fit.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> rows, labels = torch.tensor([[1.0], [-1.0]]), torch.tensor([[5.0], [5.0]])
        >>> weights = {"weight": torch.zeros(1, 1)}
        >>> found = influence(model, [weights], rows, labels, rows[:1], labels[:1], loss=nn.functional.mse_loss)
        >>> found.scores.tolist(), found.helped.tolist(), found.hurt.tolist()
        ([[100.0, -100.0]], [[0, -1]], [[1, -1]])
    """
    train, own = _Rows.of(train_inputs, train_targets), _Rows.of(inputs, targets)
    if not isinstance(top, int) or top < 1:
        raise ExplanationError(Message("bad_option", {"option": "top", "given": repr(top), "wanted": "1 or more"}))
    scores = torch.zeros(len(own), len(train), dtype=torch.float64, device=own.targets.device)
    itself = torch.zeros(len(train), dtype=torch.float64, device=own.targets.device)
    count = 0
    with kept(model, own.targets.device), evaluating(model):
        for weights, rate in _rated(checkpoints, rates):
            _add(_Gradients.of(model, weights, parameters, loss, forward), rate, train, own, scores, itself)
            count += 1
    if not count:
        raise ExplanationError(Message("influence_checkpoints", {}))
    finite(scores, "influence")
    most = min(top, len(train))
    return Influence(scores, _named(scores, most), _named(-scores, most), itself, count)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Inputs with their targets."""

    form: Shaped
    inputs: tuple[Tensor, ...]
    targets: Tensor

    @classmethod
    def of(cls, inputs: Shaped, targets: Tensor) -> _Rows:
        given = tensors(inputs)
        lengths = [len(x) for x in given]
        if len({*lengths, len(targets)}) > 1:
            raise ExplanationError(Message("influence_targets", {"rows": lengths[0], "targets": len(targets)}))
        if not len(targets):
            raise ExplanationError(Message("too_few_rows", {"n": 0, "needed": 1}))
        for x in given:
            if x.is_floating_point():
                finite(x, "input")
        return cls(inputs, given, targets)

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True, eq=False)
class _Gradients:
    """Of each row's loss by the parameters, at one checkpoint."""

    model: nn.Module
    moving: dict[str, Tensor]
    fixed: dict[str, Tensor]
    loss: Loss
    forward: Callable[[Any, Any], Any]

    @classmethod
    def of(
        cls, model: nn.Module, weights: Checkpoint, names: Sequence[str] | None, loss: Loss, forward: Callable
    ) -> _Gradients:
        own = dict(model.named_parameters())
        lacking = [name for name in own if name not in weights]
        if lacking:
            raise ExplanationError(Message("influence_weights", {"name": lacking[0], "count": len(lacking)}))
        chosen = [name for name in own if names is None or name.startswith(tuple(names))]
        if not chosen:
            raise ExplanationError(
                Message("influence_parameters", {"given": list(names or ()), "known": ", ".join(own)})
            )
        here = {name: value.detach().to(own[name]) for name, value in weights.items() if name in own}
        buffers = {name: weights.get(name, value).to(value) for name, value in model.named_buffers()}
        moving = {name: here.pop(name) for name in chosen}
        return cls(model, moving, {**here, **buffers}, loss, forward)

    def __call__(self, rows: _Rows, at: slice) -> Tensor:
        """[k, parameters]"""
        given = [x[at] for x in rows.inputs]

        def one(moving: dict[str, Tensor], target: Tensor, *row: Tensor) -> Tensor:
            inputs = like(rows.form, [x[None] for x in row])
            inputs = (inputs,) if isinstance(inputs, Tensor) else inputs
            called = _Called(self.model, {**moving, **self.fixed})
            return self.loss(self.forward(called, inputs), target[None]).sum()

        each = grad(one)
        target = rows.targets[at]
        try:
            found = vmap(each, in_dims=(None, 0, *[0] * len(given)))(self.moving, target, *given)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            by_row = [each(self.moving, target[i], *(x[i] for x in given)) for i in range(len(target))]
            found = {name: torch.stack([row[name] for row in by_row]) for name in self.moving}
        return torch.cat([value.flatten(1) for value in found.values()], 1)

    @property
    def size(self) -> int:
        return sum(value.numel() for value in self.moving.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Called:
    """The model with other weights."""

    model: nn.Module
    weights: dict[str, Tensor]

    def __call__(self, *args: Any, **named: Any) -> Any:
        return functional_call(self.model, self.weights, args, named)


def _add(gradients: _Gradients, rate: float, train: _Rows, own: _Rows, scores: Tensor, itself: Tensor) -> None:
    """One checkpoint's share of both."""
    chunks = Chunks(max(1, GRADIENTS // (2 * gradients.size)))
    parts = chunks.over(len(own), lambda at: _products(gradients, train, gradients(own, at), chunks))
    scores += rate * torch.cat([products for products, _ in parts])
    itself += rate * parts[0][1]


def _products(gradients: _Gradients, train: _Rows, mine: Tensor, chunks: Chunks) -> tuple[Tensor, Tensor]:
    """[k, n] products of these gradients with each training row's, and [n] their own with themselves."""

    def piece(at: slice) -> tuple[Tensor, Tensor]:
        theirs = gradients(train, at)
        return (mine @ theirs.T).double(), theirs.double().square().sum(1)

    products, lengths = zip(*chunks.over(len(train), piece), strict=True)
    return torch.cat(products, 1), torch.cat(lengths)


def _named(scores: Tensor, top: int) -> Tensor:
    """[m, top] the places of the largest scores above 0, the first of equal ones first."""
    order = scores.sort(dim=1, descending=True, stable=True)
    return torch.where(order.values > 0, order.indices, -1)[:, :top]


def _rated(checkpoints: Iterable[Checkpoint], rates: Sequence[float] | None) -> Iterator[tuple[Checkpoint, float]]:
    """Each checkpoint with its learning rate."""
    if rates is None:
        yield from ((weights, 1.0) for weights in checkpoints)
        return
    try:
        yield from ((weights, float(rate)) for weights, rate in zip(checkpoints, rates, strict=True))
    except ValueError as error:
        raise ExplanationError(Message("influence_rates", {"given": len(rates)})) from error
