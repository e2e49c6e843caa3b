"""The backward pass of single modules replaced by a rule: DeepLift, relevance propagation, guided backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..core.kept import untouched

Rule = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
"""From a module, its input, its output and what came back to its output, to what goes back to its input."""

MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
SAME = 16  # roundings that two equal inputs of an activation may differ by


@contextmanager
def rules(model: nn.Module, chosen: Mapping[type, Rule]) -> Iterator[None]:
    """Inside, modules of exactly these types send back what their rule says.

    Each module works on a copy of its input, so that one that overwrites it does no harm.
    """
    with untouched(model):
        for module in model.modules():
            rule = chosen.get(type(module))
            if rule is not None:
                _replace(module, rule)
        yield


def _replace(module: nn.Module, rule: Rule) -> None:
    came: list[Tensor] = []

    def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        came.append(args[0] if args else kwargs["input"])
        return (came[-1].detach().clone(), *args[1:]), {k: v for k, v in kwargs.items() if k != "input"}

    def leave(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        x = came.pop()
        return _Replaced.apply(x, out, partial(rule, module, x.detach(), out.detach()))

    module.register_forward_pre_hook(enter, with_kwargs=True)
    module.register_forward_hook(leave)


class _Replaced(torch.autograd.Function):
    """A value that was computed elsewhere, with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, out: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.back = back
        return out.clone()

    @staticmethod
    def backward(ctx: Any, *came: Tensor) -> Any:
        return ctx.back(came[0]), None, None


def rescaled(module: nn.Module, x: Tensor, y: Tensor, back: Tensor) -> Tensor:
    """DeepLift's rescale rule [shrikumar2017]: Δy/Δx in place of dy/dx, between each row and its baseline.

    Args:
        module: an activation, place by place.
        x: [2m, ...], the rows and then their baselines.
        y: as `x`.
        back: as `y`; that of the rows counts.
    """
    (x, x0), (y, y0), back = x.chunk(2), y.chunk(2), back.chunk(2)[0]
    change = x - x0
    same = change.abs() <= SAME * torch.finfo(x.dtype).eps * torch.maximum(x.abs(), x0.abs())
    slope = back * (y - y0) / torch.where(same, 1, change)
    sent = torch.where(same, pulled_back(module, x, back), slope)
    return torch.cat([sent, torch.zeros_like(sent)])


def rescaled_maximum(module: nn.Module, x: Tensor, y: Tensor, back: Tensor) -> Tensor:
    """The rescale rule of max-pooling: the rise goes to the row's winner, the fall to the baseline's.

    With M the larger of the two maxima, M − y₀ goes to the row's winning place and y − M to the baseline's. Shapes as
    in `rescaled`.
    """
    (x, x0), (y, y0), back = x.chunk(2), y.chunk(2), back.chunk(2)[0]
    most = torch.maximum(y, y0)
    share = pulled_back(module, x, back * (most - y0)) + pulled_back(module, x0, back * (y - most))
    change = x - x0
    sent = torch.where(change == 0, 0, share / torch.where(change == 0, 1, change))
    return torch.cat([sent, torch.zeros_like(sent)])


def epsilon(module: nn.Module, x: Tensor, y: Tensor, back: Tensor, size: float) -> Tensor:
    """The ε-rule [bach2015]: R_i = x_i Σ_j w_ij R_j / (y_j + ε sign y_j), for modules that are linear there."""
    shared = back / (y + torch.where(y >= 0, size, -size))
    return x * pulled_back(module, x, shared)


def passed(_: nn.Module, __: Tensor, ___: Tensor, back: Tensor) -> Tensor:
    """An activation hands relevance on as it is."""
    return back


def guided(_: nn.Module, x: Tensor, __: Tensor, back: Tensor) -> Tensor:
    """Guided backpropagation [springenberg2015]: only what is positive passes a ReLU that is open."""
    return back.clamp(min=0) * (x > 0)


def pulled_back(module: nn.Module, x: Tensor, back: Tensor) -> Tensor:
    """Jᵀ back, with J the module's Jacobian at x."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(module.forward(leaf.clone()), leaf, back)[0]


RESCALE: dict[type, Rule] = {
    **dict.fromkeys((nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus), rescaled),
    **dict.fromkeys(MAX_POOLS, rescaled_maximum),
}
GUIDED: dict[type, Rule] = {nn.ReLU: guided}


def relevance(size: float) -> dict[type, Rule]:
    """The ε-rule at every linear module and max-pool, by type."""
    mixes = (
        nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
        nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, *MAX_POOLS,
    )  # fmt: skip
    return {**dict.fromkeys(mixes, partial(epsilon, size=size)), nn.ReLU: passed, nn.Tanh: passed}
