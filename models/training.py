"""The training core: `fit` trains a PyTorch model on tensors in memory, on the CPU or one GPU, and can be resumed.

The randomness of an epoch is drawn from the seed and the epoch's number alone: order of rows, dropout, augmentation.
So the same seed gives the same bits (on one CPU, with as many threads), and a run that was killed goes on after its
last whole epoch as if nothing had happened: no generator's state has to be kept. Rows are cut into batches of even size
by one shuffle an epoch; another `batch_size` is another cut, and so another run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from . import resume
from .checkpoint import check_writable
from .loop import Epoch, Loss, Run, Transform
from .penalty import RateGap
from .rehearsal import rehearse
from .rows import Rows, gather
from .settings import Precision, Schedule, Settings, derived, finite, require

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of a training.

    Attributes:
        model: the module that was given, with its trained weights.
        epochs: how many were run, those before a resume included.
        history: one entry an epoch.
        best_epoch: the epoch whose weights the model carries: with validation the one of the lowest validation loss,
            else the last.
        seconds: the sum over epochs.
    """

    model: nn.Module
    epochs: int
    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float


def fit(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    targets: Tensor,
    *,
    loss: Loss,
    epochs: int,
    batch_size: int = 1024,
    lr: float = 3e-3,
    weight_decay: float = 0.01,
    schedule: Schedule = "one_cycle",
    validation: tuple[tuple[Tensor, ...], Tensor] | float | None = None,
    patience: int | None = None,
    precision: Precision = "32-true",
    clip: float | None = None,
    seed: int = 0,
    device: str = "auto",
    checkpoint: Path | None = None,
    transform: Transform | None = None,
    penalty: RateGap | None = None,
    progress: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train a model by AdamW [loshchilov2019] on tensors that fit into memory.

    The model comes back with trained weights and otherwise as it was: its device, train or eval mode of each part, and
    the global random state are restored. Gradients are cleared.

    Args:
        model: its weights are changed in place; parameters with `requires_grad=False` stay.
        inputs: each [n, ...], one for each argument of the model.
        targets: [n, ...].
        loss: of the model's output and the targets, the mean over the batch.
        epochs: passes over the rows; a one-cycle schedule spans them all.
        batch_size: at most so many rows a step; batches are of even size.
        lr: the highest learning rate.
        weight_decay: AdamW's.
        schedule: of the learning rate.
        validation: inputs and targets held out, or the share of rows to hold out by a seeded permutation. The weights
            of the epoch with the lowest validation loss are kept.
        patience: stop after so many epochs without a lower validation loss.
        precision: "32-true" trains in the parameters' own types; the others are Fabric's mixed precisions.
        clip: the largest norm of the gradient.
        seed: of everything random here. The first weights are the model's own: seed them where they are made.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1".
        checkpoint: a file that is renewed after each epoch; if it exists the run goes on from there.
        transform: augments the inputs of a training batch; all its randomness from the generator, which lives where
            they do.
        penalty: a `RateGap` on the gap between groups, added to the loss: mitigation while training, to be audited like
            any other model. It needs the groups of all training rows, so rows held out must be a share of these.
        progress: show a bar on stderr.
        on_epoch: called after each epoch, once its checkpoint is written.

    Raises:
        TrainingError: settings, data, loss and model do not fit together, or the loss is no longer finite: then the
            model has the weights of the last good epoch.
        CheckpointError: `checkpoint` is damaged, is of another run, or cannot be written.
    """
    settings = Settings(epochs, batch_size, lr, weight_decay, schedule, patience, precision, clip, seed)
    penalty = None if penalty is None or penalty.weight == 0 else penalty
    rows, held = _held_out(_gathered(inputs, targets, penalty, validation), validation, settings)
    require(any(p.requires_grad for p in model.parameters()), "the model has no parameter with requires_grad=True")
    fabric = _fabric(device, precision)
    with ExitStack() as stack:
        stack.enter_context(as_found(model, loss))
        stack.enter_context(_own_randomness(fabric.device))
        stack.enter_context(torch.enable_grad())
        for part in (rows, held) if held else (rows,):
            rehearse(model, loss, part if penalty is None else replace(part, inputs=part.inputs[:-1]))
        run = Run.begin(fabric, model, loss, settings, rows, held, transform, penalty)
        identity = run.identity() if checkpoint is not None else {}
        if checkpoint is not None and checkpoint.exists():
            run.restore(resume.load(checkpoint, identity))
        if checkpoint is not None and not run.done:
            check_writable(checkpoint)
        advance = stack.enter_context(_bar(run)) if progress else None
        while not run.done:
            epoch = run.epoch(advance)
            if checkpoint is not None:
                resume.save(checkpoint, run.saved(identity))
            if on_epoch is not None:
                on_epoch(epoch)
        run.keep_best()
    return Fit(model, len(run.history), tuple(run.history), run.best_epoch, sum(e.seconds for e in run.history))


@contextmanager
def as_found(model: nn.Module, loss: object = None) -> Iterator[None]:
    """Put a model (and a loss with weights) back on its device, and each of its parts into its mode."""
    modules = [model, loss] if isinstance(loss, nn.Module) else [model]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    places = [(module, next((x.device for x in (*module.parameters(), *module.buffers())), None)) for module in modules]
    try:
        yield
    finally:
        for module, place in places:
            if place is not None:
                module.to(place)
        for part, mode in modes:
            part.training = mode


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Dropout draws from the global generators: what they held is put back."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def _bar(run: Run) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    epochs = run.settings.epochs
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=run.steps * epochs, completed=run.steps * len(run.history))

        def advance() -> None:
            last = f", loss {run.history[-1].loss:.4g}" if run.history else ""
            bar.update(task, advance=1, description=f"training, epoch {len(run.history) + 1} of {epochs}{last}")

        yield advance


def _fabric(device: str, precision: Precision) -> Fabric:
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    kind, _, number = place.partition(":")
    require(kind in ("cpu", "cuda"), f"device='{device}' is not 'auto', 'cpu', 'cuda' or 'cuda:N'")
    require(kind == "cpu" or torch.cuda.is_available(), f"device='{device}' but torch finds no GPU; use device='cpu'")
    require(kind != "cpu" or precision != "16-mixed", "precision='16-mixed' needs a GPU; use 'bf16-mixed' on a CPU")
    found = [str(n) for n in range(torch.cuda.device_count())]
    require(
        not number or number in found, f"device='{device}' is not here; torch finds GPUs {', '.join(found) or 'none'}"
    )
    from lightning_fabric import Fabric  # here: importing it takes seconds

    with _quiet("lightning_fabric"):
        return Fabric(accelerator=kind, devices=[int(number)] if number else 1, precision=precision)


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Let a library keep to itself what it is about to do; its warnings come through."""
    level = logging.getLogger(logger).level
    logging.getLogger(logger).setLevel(logging.WARNING)
    try:
        yield
    finally:
        logging.getLogger(logger).setLevel(level)


def _gathered(inputs: tuple[Tensor, ...], targets: Tensor, penalty: RateGap | None, validation: object) -> Rows:
    """All rows; with a penalty their groups go along as one more input, which no model sees."""
    rows = gather(inputs, targets)
    if penalty is None:
        return rows
    require(
        not isinstance(validation, tuple),
        "a penalty knows the groups of the training rows alone; give validation as a share of them, such as 0.1",
    )
    require(
        len(penalty.groups) == len(rows),
        f"the penalty has {len(penalty.groups)} groups for {len(rows)} training rows; give one a row",
    )
    require(targets.numel() == len(rows), "a penalty on rates needs one label 0 or 1 a row as targets")
    return replace(rows, inputs=(*rows.inputs, penalty.groups.to(targets.device)))


def _held_out(
    rows: Rows, validation: tuple[tuple[Tensor, ...], Tensor] | float | None, settings: Settings
) -> tuple[Rows, Rows | None]:
    require(settings.patience is None or validation is not None, "patience needs validation; give validation=0.1")
    if validation is None:
        return rows, None
    if isinstance(validation, tuple):
        require(len(validation) == 2, "validation must be (inputs, targets), with inputs a tuple: write ((x,), y)")
        return rows, gather(*validation)
    require(
        finite(validation),
        f"validation={_short(validation)} must be a share of rows between 0 and 1, or ((x,), y)",
    )
    return rows.split(validation, torch.Generator().manual_seed(derived(settings.seed, "validation")))


def _short(value: object) -> str:
    return repr(value) if isinstance(value, (bool, float, str)) else type(value).__name__
