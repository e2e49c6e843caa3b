"""The attention weights of a forward pass, of PyTorch's modules and of Hugging Face's; the model stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..core.kept import untouched

ARGUMENTS = (
    "query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights", "is_causal",
)  # fmt: skip
SUM = 0.05  # by which shares may miss 1: in half precision they are rounded


@contextmanager
def attentions(model: nn.Module) -> Iterator[list[Tensor]]:
    """The self-attention of each layer inside, averaged over heads, [m, T, T], in the order in which layers run.

    PyTorch's modules are asked for their weights, which they mostly skip, and its fast path, which runs none of them,
    is off. Hugging Face's models compute attention by a kernel that shows no weights; they use the plain one ("eager").
    """
    seen: list[Tensor] = []
    raw: list[Tensor] = []
    fast = torch.backends.mha.get_fastpath_enabled()

    def leave(module: nn.Module, args: Any, named: dict[str, Any], out: Any) -> None:
        weights = out[1] if isinstance(out, tuple) and len(out) > 1 else None
        if not isinstance(weights, Tensor) or any(weights is one for one in raw):  # a layer hands on its attention's
            return
        known = isinstance(module, nn.MultiheadAttention)
        if _is_self(args, named) if known else _shares(weights):
            raw.append(weights)
            seen.append(weights.detach().mean(1) if weights.ndim == 4 else weights.detach())

    with untouched(model), _plain_attention(model):
        for module in model.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.register_forward_pre_hook(_with_weights, with_kwargs=True)
                module.register_forward_hook(leave, with_kwargs=True)
            else:
                module.register_forward_hook(leave, with_kwargs=True)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield seen
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


def _with_weights(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call, which returns weights, averaged over heads."""
    every = {**dict(zip(ARGUMENTS, args, strict=False)), **named, "need_weights": True, "average_attn_weights": True}
    return tuple(every.pop(name) for name in ARGUMENTS[:3]), every


def _is_self(args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Whether tokens look at each other, and not at another sequence."""
    query, key = (args[i] if len(args) > i else named[name] for i, name in enumerate(("query", "key")))
    return query is key or (query.shape == key.shape and torch.equal(query, key))


def _shares(weights: Tensor) -> bool:
    """Whether these are shares that tokens [m, heads, T] give to tokens."""
    square = weights.ndim == 4 and weights.shape[-1] == weights.shape[-2] and weights.is_floating_point()
    return square and bool((weights >= 0).all()) and bool(((weights.sum(-1) - 1).abs() < SUM).all())


@contextmanager
def _plain_attention(model: nn.Module) -> Iterator[None]:
    """Hugging Face's settings as "eager" inside, and as they were afterwards."""
    configs: dict[int, tuple[Any, Any]] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            configs.setdefault(id(config), (config, config._attn_implementation))
    try:
        for config, _ in configs.values():
            config._attn_implementation = "eager"
        yield
    finally:
        for config, was in configs.values():  # the outermost first, for it sets those within it as well
            config._attn_implementation = was
