"""The loop of a training: one epoch after the other, looked at for values that are not finite."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import resume
from .errors import TrainingError
from .penalty import RateGap, Running
from .rows import Rows
from .settings import SCHEDULES, Settings, derived
from .subject import unpack

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Loss = Callable[[Any, Tensor], Tensor]
Transform = Callable[[tuple[Tensor, ...], torch.Generator], tuple[Tensor, ...]]

CHECK_EVERY = 64  # steps between two looks at the losses: each look makes a GPU wait


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows.

    Attributes:
        number: 1, 2, …
        loss: the mean over rows of the loss as it was while training, in train mode.
        validation_loss: the mean over the rows held out, in eval mode; None without them.
        seconds: wall-clock time, validation included.
    """

    number: int
    loss: float
    validation_loss: float | None
    seconds: float


class _NotFiniteError(Exception):
    """The loss, or a weight, is NaN or infinite after this step (counted from 1)."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(what)
        self.step, self.what = step, what


@dataclass(slots=True)
class _Losses:
    """The mean over rows of a loss that is looked at only now and then, so that a GPU need not wait."""

    step: int  # steps taken before
    total: float = 0.0
    rows: int = 0
    pending: list[Tensor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, loss: Tensor, size: int) -> None:
        self.pending.append(loss.detach())
        self.sizes.append(size)
        if len(self.pending) == CHECK_EVERY:
            self.look()

    def look(self) -> None:
        values = torch.stack(self.pending).double().tolist() if self.pending else []
        for value, size in zip(values, self.sizes, strict=True):
            self.step += 1
            if not math.isfinite(value):
                raise _NotFiniteError(self.step, f"the loss is {value}")
            self.total += value * size
            self.rows += size
        self.pending, self.sizes = [], []

    def mean(self) -> float:
        self.look()
        return self.total / self.rows


@dataclass(slots=True)
class Run:
    """A training under way: what changes from epoch to epoch, and what it takes to do one more."""

    fabric: Fabric
    model: nn.Module
    module: nn.Module  # the model as Fabric wraps it
    optimizer: Any
    loss: Loss
    settings: Settings
    rows: Rows
    held: Rows | None
    transform: Transform | None
    penalty: RateGap | None  # with one, the last of the rows' inputs are their groups
    good: resume.Weights  # after the last whole epoch
    best: resume.Weights | None = None  # after the best epoch, where that is not the last
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        fabric: Fabric,
        model: nn.Module,
        loss: Loss,
        settings: Settings,
        rows: Rows,
        held: Rows | None,
        transform: Transform | None,
        penalty: RateGap | None = None,
    ) -> Run:
        device = fabric.device
        model.to(device)
        if isinstance(loss, nn.Module):
            loss.to(device)
        module, wrapped = fabric.setup(model, _adamw(model, settings))
        held = held.to(device) if held else None
        rows, weights = rows.to(device), _weights(model)
        return cls(fabric, model, module, wrapped, loss, settings, rows, held, transform, penalty, weights)

    @property
    def best_epoch(self) -> int:
        """The first epoch with the lowest validation loss; without validation the last epoch."""
        if self.held is None:
            return len(self.history)
        return min(self.history, key=lambda epoch: (epoch.validation_loss, epoch.number)).number

    @property
    def done(self) -> bool:
        ran, patience = len(self.history), self.settings.patience
        tired = patience is not None and ran > 0 and ran - self.best_epoch >= patience
        return ran >= self.settings.epochs or tired

    @property
    def steps(self) -> int:
        """In an epoch."""
        return self.rows.steps(self.settings.batch_size)

    def epoch(self, advance: Callable[[], None] | None) -> Epoch:
        """Train one epoch more, or put the last good weights back and raise."""
        began, number = time.perf_counter(), len(self.history) + 1
        try:
            loss = self._train(number, advance)
            validation = self._validate(number)
            weights = self._checked_weights(number)
        except _NotFiniteError as error:
            self.model.load_state_dict(self.good)
            raise TrainingError(_diverged(error, number, self.settings)) from None
        previous, self.good = self.good, weights
        self.history.append(Epoch(number, loss, validation, time.perf_counter() - began))
        if self.best_epoch == number:
            self.best = None
        elif self.best is None:
            self.best = previous
        return self.history[-1]

    def _train(self, number: int, advance: Callable[[], None] | None) -> float:
        self.module.train()
        order, noise = self._generators(number)
        losses = _Losses((number - 1) * self.steps)
        batches = self.rows.batches(self.settings.batch_size, order)
        running = None if self.penalty is None else Running(self.penalty)
        for step, (inputs, targets) in enumerate(batches, start=losses.step):
            inputs, groups = (inputs, None) if running is None else (inputs[:-1], inputs[-1])
            inputs = self.transform(inputs, noise) if self.transform else inputs
            gap = None if running is None or groups is None else partial(running, targets=targets, groups=groups)
            losses.add(self._step(step, inputs, targets, gap), len(targets))
            if advance is not None:
                advance()
        return losses.mean()

    def _step(
        self, step: int, inputs: tuple[Tensor, ...], targets: Tensor, gap: Callable[[Any], Tensor] | None
    ) -> Tensor:
        factor = SCHEDULES[self.settings.schedule]((step + 0.5) / (self.steps * self.settings.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * factor
        self.optimizer.zero_grad()
        output = unpack(self.module, inputs)
        loss = self.loss(output, targets) if gap is None else self.loss(output, targets) + gap(output)
        self.fabric.backward(loss)
        if self.settings.clip is not None:
            # with scaled gradients a norm may be infinite: the scaler then skips the step
            self.fabric.clip_gradients(
                self.module, self.optimizer, max_norm=self.settings.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        return loss

    def _validate(self, number: int) -> float | None:
        if self.held is None:
            return None
        self.module.eval()
        losses = _Losses(0)
        sums: list[Tensor] = []
        try:
            with torch.no_grad():
                for inputs, targets in self.held.batches(self.settings.batch_size):
                    inputs, groups = (inputs, None) if self.penalty is None else (inputs[:-1], inputs[-1])
                    output = unpack(self.module, inputs)
                    losses.add(self.loss(output, targets), len(targets))
                    if self.penalty is not None and groups is not None:
                        sums.append(self.penalty.sums(output, targets, groups))
            gap = 0.0 if self.penalty is None else float(self.penalty.value(torch.stack(sums).sum(0)))
            return losses.mean() + gap
        except _NotFiniteError as error:
            raise _NotFiniteError(number * self.steps, f"the validation loss: {error.what}") from None

    def _checked_weights(self, number: int) -> resume.Weights:
        weights = _weights(self.model)
        for name, value in weights.items():
            if isinstance(value, Tensor) and not value.isfinite().all():
                raise _NotFiniteError(number * self.steps, f"'{name}' holds values that are not finite")
        return weights

    def _generators(self, number: int) -> tuple[torch.Generator, torch.Generator]:
        """Of the order of rows (CPU) and of the transform (the device); dropout's global one is seeded as well."""
        device, seed = self.fabric.device, self.settings.seed
        _global_generator(device).manual_seed(derived(seed, "model", number))
        order = torch.Generator().manual_seed(derived(seed, "order", number))
        return order, torch.Generator(device).manual_seed(derived(seed, "transform", number))

    def keep_best(self) -> None:
        """Give the model the weights of the best epoch."""
        self.model.load_state_dict(self.best or self.good)
        self.optimizer.zero_grad()

    def identity(self) -> dict[str, str]:
        """What makes another run this run: settings, architecture, loss, transform, penalty and data.

        Before the first epoch, as a loss may change by being used. Reads all data.
        """
        known = {name: str(getattr(self.settings, name)) for name in Settings.__slots__}
        shapes = {name: tuple(x.shape) for name, x in self.model.state_dict().items() if isinstance(x, Tensor)}
        known |= {"model": resume.printed(self.model), "shapes": str(shapes), "loss": resume.described(self.loss)}
        known |= {"transform": resume.described(self.transform), "rows": self.rows.fingerprint()}
        known |= {} if self.penalty is None else {"penalty": self.penalty.described()}
        return known | {"validation": self.held.fingerprint() if self.held else "none"}

    def saved(self, identity: dict[str, str]) -> resume.SavedRun:
        """The run as it stands after its last epoch, with the identity that it had before the first."""
        history = [(e.number, e.loss, e.validation_loss, e.seconds) for e in self.history]
        scaler = self.fabric.strategy.precision.state_dict()
        return resume.SavedRun(identity, history, self.good, self.best, self.optimizer.state_dict(), scaler)

    def restore(self, saved: resume.SavedRun) -> None:
        self.model.load_state_dict(saved.weights)
        self.optimizer.load_state_dict(saved.optimizer)
        self.fabric.strategy.precision.load_state_dict(saved.scaler)
        self.good, self.best = _weights(self.model), saved.best
        self.history = [Epoch(*entry) for entry in saved.history]


def _adamw(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    parameters = [p for p in model.parameters() if p.requires_grad]
    # Fabric cannot clip the scaled gradients of a fused optimiser
    fused = settings.precision != "16-mixed" and all(p.is_floating_point() for p in parameters)
    return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=fused)


def _global_generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


def _weights(model: nn.Module) -> resume.Weights:
    state = model.state_dict()
    return {name: x.detach().clone() if isinstance(x, Tensor) else x for name, x in state.items()}


def _diverged(error: _NotFiniteError, epoch: int, settings: Settings) -> str:
    kept = f"the weights of epoch {epoch - 1}" if epoch > 1 else "its first weights"
    return (
        f"{error.what} at step {error.step} (epoch {epoch}); the model keeps {kept}; "
        f"look for values that are not finite in the inputs, lower lr={settings.lr:g}, or set clip=1.0"
    )
