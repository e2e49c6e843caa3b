"""The user's model as it was found: modes, hooks, random numbers, gradients' switches; also after an exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs", "_forward_hooks_always_called",
)  # fmt: skip


@contextmanager
def kept(model: Any, device: torch.device) -> Iterator[None]:
    """Around a call: no inference mode inside, random numbers that the model draws are not taken from the user's.

    cuDNN refuses the backward pass of a recurrent layer in eval mode, so it is off where there is one.
    """
    cuda = device.type == "cuda"
    recurrent = cuda and isinstance(model, nn.Module) and any(isinstance(part, nn.RNNBase) for part in model.modules())
    library = torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
    random = torch.random.fork_rng(devices=[device] if cuda else [])
    with torch.inference_mode(False), torch.enable_grad(), random, library:
        yield


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Around borrowed code that leaves things in modules: hooks, attributes, modes, gradients and their switches.

    Whatever it put there is gone afterwards, and what it took away is back.
    """
    modules = list(model.modules())
    hooks = [{name: dict(getattr(module, name)) for name in HOOKS if hasattr(module, name)} for module in modules]
    names = [dict(module.__dict__) for module in modules]
    parameters = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    try:
        yield
    finally:
        for module, was, before in zip(modules, hooks, names, strict=True):
            for name in [name for name in module.__dict__ if name not in before]:
                del module.__dict__[name]
            module.__dict__.update(before)
            for name, content in was.items():
                now = getattr(module, name)
                now.clear()
                now.update(content)
        for parameter, switch, gradient in parameters:
            parameter.requires_grad_(switch)
            parameter.grad = gradient


def plain(value: Tensor) -> Tensor:
    """A tensor that autograd may use: one that was made in inference mode is copied."""
    return value.clone() if value.is_inference() else value.detach()
