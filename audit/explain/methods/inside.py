"""A look at what a layer gives out: its activations, and gradients with respect to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ....models.subject import unpack
from ...messages import Message
from ..core.kept import untouched
from ..errors import ExplanationError


@contextmanager
def watched(model: nn.Module, layer: nn.Module, cut: bool = False) -> Iterator[list[Tensor]]:
    """The layer's output of each forward pass inside, in order, as it was before anything overwrote it.

    Args:
        model: that the layer belongs to.
        layer: whose output is a tensor, or begins with one.
        cut: gradients end at the layer: nothing before it is differentiated.
    """
    seen: list[Tensor] = []

    def leave(_: nn.Module, __: Any, out: Any) -> Any:
        first = out if isinstance(out, Tensor) else out[0]
        kept = first.detach().requires_grad_() if cut or not first.requires_grad else first
        seen.append(kept)
        passed = kept.clone()
        return passed if isinstance(out, Tensor) else (passed, *out[1:])

    with untouched(model):
        layer.register_forward_hook(leave)
        yield seen


def only(seen: list[Tensor], n: int) -> Tensor:
    """The layer's one output, [n, ...].

    Raises:
        ExplanationError: the layer did not run once, or its output is not of one entry for each row.
    """
    if len(seen) != 1:
        raise ExplanationError(Message("layer_calls", {"times": len(seen)}))
    if seen[0].ndim < 2 or len(seen[0]) != n:
        raise ExplanationError(Message("layer_rows", {"shape": list(seen[0].shape), "n": n}))
    return seen[0]


def layer_output(layer: nn.Module | str) -> Callable[[Any, Any], Tensor]:
    """A `forward` for `attribute` that explains a layer's neurons in place of the model's output, [n, neurons].

    The target is then a neuron's number in the flattened output, or a function of all of them.

    Args:
        layer: the module, or its name in the model.

    Example:
        >>> from ..asking import attribute
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> found = attribute(model, Tensor([[1.0, 2.0]]), method="saliency", forward=layer_output("0"), target=1)
        >>> bool((found.values == model[0].weight[1]).all())
        True
    """

    def forward(model: Any, inputs: Any) -> Tensor:
        looked = model.get_submodule(layer) if isinstance(layer, str) else layer
        seen: list[Tensor] = []
        hook = looked.register_forward_hook(lambda _, __, out: seen.append(out if isinstance(out, Tensor) else out[0]))
        try:
            unpack(model, inputs)
        finally:
            hook.remove()
        if len(seen) != 1:
            raise ExplanationError(Message("layer_calls", {"times": len(seen)}))
        return seen[0].flatten(1)

    return forward
