"""A network with its weights shuffled, as long as a block of code runs; the user's own tensors are never written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...messages import Message
from ..checks.states import modules_of
from ..errors import ExplanationError


def layers(model: object) -> list[list[nn.Parameter]]:
    """The weights of each module that has some whose order matters, from the output back to the input.

    Modules are taken in the order in which they were built in, which for most networks is the one they run in.

    Raises:
        ExplanationError: there are none.
    """
    found, seen = [], set()
    for whole in modules_of(model):
        for module in whole.modules():
            own = [p for p in module.parameters(recurse=False) if id(p) not in seen and _matters(p)]
            seen.update(map(id, own))
            if own:
                found.append(own)
    if not found:
        raise ExplanationError(Message("quality_no_weights", {}))
    return found[::-1]


@contextmanager
def shuffled(parameters: Sequence[nn.Parameter], generator: torch.Generator) -> Iterator[None]:
    """Inside, each tensor's numbers are in random order; afterwards the tensors are the same ones as before."""
    before = [(parameter, parameter.data) for parameter in parameters]
    try:
        for parameter, data in before:
            order = torch.randperm(data.numel(), generator=generator).to(data.device)
            parameter.data = data.reshape(-1)[order].reshape(data.shape)
        yield
    finally:
        for parameter, data in before:
            parameter.data = data


def mixing(parameters: Sequence[Sequence[nn.Parameter]]) -> int:
    """How many of the layers hold a matrix of weights."""
    return sum(any(p.ndim > 1 for p in layer) for layer in parameters)


def _matters(parameter: Tensor) -> bool:
    if parameter.layout != torch.strided or not parameter.is_floating_point() or parameter.numel() < 2:
        return False
    flat = parameter.detach().reshape(-1)
    return bool((flat != flat[0]).any())
