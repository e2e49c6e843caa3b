"""One look before training: do model, data and loss fit together? Two rows tell, before an epoch is spent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import GnomonError, TrainingError
from .rows import Rows
from .subject import unpack


def rehearse(model: nn.Module, loss: Callable[[Any, Tensor], Tensor], rows: Rows) -> None:
    """Pass the rows with the smallest and the largest target through model and loss, where these lie now.

    On a GPU a label out of range would stop the whole process; here, on the CPU as a rule, it is one line.

    Raises:
        TrainingError: the model does not take the inputs, or the loss not the targets: a label out of range, or
            shapes that would broadcast.
    """
    inputs, targets = rows.extremes()
    place, judge = _device(model), _device(loss)
    model.eval()
    with torch.no_grad():
        try:
            output = unpack(model, tuple(x.to(place) for x in inputs))
        except Exception as error:
            raise _misfit(
                f"the model does not take inputs of shape {[tuple(x.shape[1:]) for x in inputs]}", error
            ) from None
        output = output.to(judge) if isinstance(output, Tensor) else output
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="Using a target size")  # it would broadcast: [n, 1] with [n]
                value = loss(output, targets.to(judge))
        except Exception as error:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            what = f"the loss does not take outputs {shape} with targets {tuple(targets.shape)}"
            raise _misfit(f"{what} from {targets.min():g} to {targets.max():g}", error) from None
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise TrainingError(f"the loss returns {_kind(value)}, not one number; let it take the mean over the batch")


def _device(part: object) -> torch.device:
    if isinstance(part, nn.Module):
        return next((x.device for x in (*part.parameters(), *part.buffers())), torch.device("cpu"))
    return torch.device("cpu")


def _misfit(what: str, error: Exception) -> GnomonError:
    if isinstance(error, GnomonError):
        return error
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TrainingError(f"{what}: {reason}")


def _kind(value: object) -> str:
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
