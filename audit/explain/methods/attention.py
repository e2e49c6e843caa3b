"""Where a transformer looks: attention weights of all layers, multiplied through."""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Found, Problem
from ..errors import ExplanationError
from .attending import attentions

RESIDUAL = 0.5  # of each layer that goes around its attention [abnar2020]
NAMES = ("input_ids", "inputs_embeds", "pixel_values")  # that hold a row's tokens, where inputs have names


def attention_rollout(problem: Problem) -> Found:
    """How much of each token reaches a position by way of attention: row `position` of Π (½ Ā + ½ I) [abnar2020].

    Ā is a layer's attention, averaged over heads; ½ I stands for what goes around it. A token's share is spread evenly
    over the D numbers of an input [n, T, D], and over the pixels of a patch. Shares of a row add up to 1, less what a
    class token or other additions of the model keep. It tells where the model looks and not what the output depends on:
    values, norms and the target play no part in it.

    Option `position`: whose view is taken, a number or one for each row ([n]); the first token, or the last one where
    no token looks ahead.

    Raises:
        ExplanationError: no self-attention shows its weights, or no input is [n, T, …] with one entry for each token.
    """
    number = _tokens(problem)
    parts = problem.chunks.over(len(problem), lambda at: _rolled(problem, at), each=_size(problem.inputs[number]))
    output, views, ahead, layers = zip(*parts, strict=True)
    looks = any(ahead)
    shares = torch.cat(views)[:, 0 if looks else 1]
    values = [torch.zeros(x.shape, dtype=torch.float64, device=x.device) for x in problem.inputs]
    values[number] = _spread(shares, problem.inputs[number])
    viewer = "the first token" if looks else "the last token (no token looks ahead)"
    viewer = "the position asked for" if "position" in problem.options else viewer
    through = "one layer" if layers[0] == 1 else f"{layers[0]} layers"
    rule = f"what {viewer} sees through the attention of {through}: where the model looks, no evidence of what its "
    return Found(tuple(values), rule + "output depends on", output=torch.cat(output).double())


def _rolled(problem: Problem, at: slice) -> tuple[Tensor, Tensor, bool, int]:
    """f [m]; what the first and the last token see, [m, 2, T] float64, or twice what the asked position sees; whether
    tokens look ahead; how many layers there are."""
    model = problem.function.module
    assert model is not None
    with torch.no_grad(), attentions(model) as seen:
        output = problem.function(tuple(x[at] for x in problem.inputs), at)
    weights = [w for w in seen if w.ndim == 3 and len(w) == len(output)]
    if not weights:
        raise ExplanationError(Message("no_attention", {}))
    tokens = weights[-1].shape[1]
    if any(w.shape[1] != tokens for w in weights):
        raise ExplanationError(Message("attention_lengths", {"lengths": sorted({w.shape[1] for w in weights})}))
    whole = torch.eye(tokens, dtype=torch.float64, device=output.device)
    around, through = RESIDUAL * whole, whole.expand(len(output), -1, -1)
    for weight in weights:
        through = ((1 - RESIDUAL) * weight.double() + around) @ through
    ahead = tokens == 1 or any(bool(w.triu(1).any()) for w in weights)
    return output, _views(problem, through, at), ahead, len(weights)


def _tokens(problem: Problem) -> int:
    """The number of the input that holds the tokens: by its name, else the first one that is not a mask of another."""
    names = problem.function.keywords or ()
    for name in NAMES:
        if name in names:
            return names.index(name)
    fits = [i for i, x in enumerate(problem.inputs) if x.ndim in (2, 3, 4) and x.dtype != torch.bool]
    if not fits:
        raise ExplanationError(Message("no_tokens", {"shapes": [list(x.shape) for x in problem.inputs]}))
    return fits[0]


def _size(x: Tensor) -> int:
    """Roughly how many times more numbers attention takes than the input has."""
    return max(1, x.shape[1] if x.ndim < 4 else x[0].numel() // 256)


def _views(problem: Problem, through: Tensor, at: slice) -> Tensor:
    """[m, 2, T] rows of [m, T, T]: the first and the last, or the position asked for in place of both."""
    if "position" not in problem.options:
        return through[:, [0, -1]]
    asked, tokens, n = problem.options["position"], through.shape[1], len(problem)
    found = torch.as_tensor(asked, device=through.device)
    wrong = found.is_floating_point() or tuple(found.shape) not in ((), (n,))
    if wrong or int(found.min()) < -tokens or int(found.max()) >= tokens:
        raise ExplanationError(Message("bad_position", {"given": repr(asked), "tokens": tokens}))
    each = (found.long() % tokens).expand(n)[at]
    return through[torch.arange(len(through), device=through.device), each][:, None].expand(-1, 2, -1)


def _spread(shares: Tensor, x: Tensor) -> Tensor:
    """Shares [n, T] in the input's shape."""
    n, tokens = shares.shape
    if x.ndim < 4 and x.shape[1] == tokens:
        return shares if x.ndim == 2 else (shares[..., None] / x.shape[2]).expand(x.shape).clone()
    if x.ndim == 4:
        patches = _patches(tokens, x.shape[2], x.shape[3])
        if patches is not None:
            high, wide = patches
            inner = shares[:, tokens - high * wide :].reshape(n, 1, high, wide)
            tall, long = x.shape[2] // high, x.shape[3] // wide
            large = inner.repeat_interleave(tall, 2).repeat_interleave(long, 3)
            return (large / (x.shape[1] * tall * long)).expand(x.shape).clone()
    raise ExplanationError(Message("tokens_unlike_input", {"tokens": tokens, "shape": list(x.shape)}))


def _patches(tokens: int, height: int, width: int) -> tuple[int, int] | None:
    """Rows and columns of square patches, behind at most two tokens that the model adds in front."""
    for added in (0, 1, 2):
        count = tokens - added
        high = isqrt(count * height // width) if count > 0 else 0
        wide = count // high if high else 0
        whole = high and high * wide == count and height % high == 0 and width % wide == 0
        if whole and height // high == width // wide:
            return high, wide
    return None
