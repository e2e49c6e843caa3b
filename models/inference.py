"""Scores of a subject's rows: on the right device, in batches that fit, with the user's model left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .batch import BATCH_ROWS
from .errors import SubjectError
from .subject import Subject
from .task import Precision

Inputs = tuple[Tensor, ...] | dict[str, Tensor]
Score = Callable[[Inputs], Tensor]


def device_of(subject: Subject, asked: str | torch.device | None = None) -> torch.device:
    """Where the subject runs: where asked, else on a GPU where there is one and it can, else on the processor.

    A model without floating-point weights (a callable, an integer-quantised network) stays on the processor.

    Raises:
        SubjectError: the asked device is not on this machine.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() and _runs_on_gpus(subject.model) else "cpu")
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SubjectError(
            f"device '{asked}' cannot be used here ({_line(error)}); `gnomon doctor` lists what can"
        ) from error
    return device


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Eval mode inside; each module's own mode as before outside, also after an exception."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        if modules:
            model.eval()
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


@contextmanager
def placed(model: Any, device: torch.device) -> Iterator[None]:
    """The model on the device inside; back where it was outside. A model spread over devices stays where it is."""
    homes = {tensor.device for tensor in _tensors(model)}
    move = len(homes) == 1 and homes != {device}
    try:
        if move:
            model.to(device)
        yield
    finally:
        if move:
            model.to(homes.pop())


@contextmanager
def session(
    subject: Subject, *, device: str | torch.device | None = None, precision: Precision = "float32"
) -> Iterator[Score]:
    """A scoring function for batches of inputs, as long as the context is open.

    It takes inputs [n, ...] and returns the raw outputs [n] or [n, classes], float32, on the host, without gradients.
    Batches that do not fit in memory are halved until they do.

    Raises:
        SubjectError: there is no model, or it fails on the inputs.
    """
    if subject.model is None:
        raise SubjectError(f"subject '{subject.name}' has predictions but no model, so nothing can be scored")
    place = device_of(subject, device)
    automatic = torch.autocast(place.type, getattr(torch, precision)) if precision != "float32" else nullcontext()
    with evaluating(subject.model), placed(subject.model, place), torch.no_grad(), automatic:
        yield _Scorer(subject, place)


def scores(
    subject: Subject,
    *,
    batch_size: int = BATCH_ROWS,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
) -> Tensor:
    """The model's raw outputs for every row, in the order of the rows' numbers: [n] or [n, classes] float32.

    Example:
        >>> from gnomon.models import Regression, Subject
        >>> subject = Subject.from_tensors("double", lambda x: 2 * x[:, 0], torch.tensor([[1.0], [2.0]]), [2.0, 4.0],
        ...                                task=Regression(), output="value")
        >>> scores(subject)
        tensor([2., 4.])
    """
    rows, parts = [], []
    with session(subject, device=device, precision=precision) as score:
        for batch in subject.data.batches(batch_size):
            rows.append(torch.from_numpy(batch.rows))
            parts.append(score(batch.inputs))
    if not parts:
        raise SubjectError(f"the data of '{subject.name}' has no rows")
    order = torch.cat(rows).argsort()
    return torch.cat(parts)[order]


def take(inputs: Inputs, where: slice | Tensor | Sequence[int]) -> Inputs:
    """Some rows of inputs."""
    if isinstance(inputs, dict):
        return {name: value[where] for name, value in inputs.items()}
    return tuple(value[where] for value in inputs)


def length(inputs: Inputs) -> int:
    """How many rows inputs hold."""
    values = list(inputs.values()) if isinstance(inputs, dict) else inputs
    return len(values[0]) if values else 0


def on(device: torch.device, inputs: Inputs) -> Inputs:
    """Inputs on a device."""
    if isinstance(inputs, dict):
        return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}
    return tuple(value.to(device, non_blocking=True) for value in inputs)


def _tensors(model: Any) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []


def _runs_on_gpus(model: Any) -> bool:
    if not isinstance(model, nn.Module) or not any(tensor.is_floating_point() for tensor in _tensors(model)):
        return False
    return not any(type(module).__module__.startswith("torch.ao.nn.quantized") for module in model.modules())


class _Scorer:
    """Scores batches; remembers the largest piece that fitted."""

    def __init__(self, subject: Subject, device: torch.device) -> None:
        self._subject = subject
        self._device = device
        self._most: int | None = None

    def __call__(self, inputs: Inputs) -> Tensor:
        n = length(inputs)
        step = min(n, self._most or n)
        parts, start = [], 0
        while start < n:
            try:
                parts.append(self._piece(take(inputs, slice(start, start + step)), min(step, n - start)))
                start += step
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or step == 1:
                    raise SubjectError(f"the model fails on its inputs: {_line(error)}") from error
                step = self._most = step // 2
                if self._device.type == "cuda":
                    torch.cuda.empty_cache()
        return torch.cat(parts)

    def _piece(self, inputs: Inputs, n: int) -> Tensor:
        try:
            out = self._subject.forward(self._subject.model, on(self._device, inputs))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError):
            raise
        except (Exception, SystemExit) as error:
            raise SubjectError(f"the model fails on its inputs: {type(error).__name__}: {_line(error)}") from error
        if isinstance(out, Mapping):
            raise SubjectError(
                f"the model returns a mapping with {', '.join(map(str, out))}; "
                f"give Subject(forward=...) that picks the scores from it"
            )
        if not isinstance(out, Tensor):
            out = torch.as_tensor(out)
        if out.ndim == 0 or len(out) != n:
            raise SubjectError(f"the model returns {list(out.shape)} for {n} rows; it must return one result a row")
        return out.detach().float().cpu()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the host."""
    said = str(error).lower()
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "out of memory" in said or "can't allocate" in said
    )


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
