"""Methods that look inside the model: rules by module, and maps of a convolutional layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...messages import Message
from ..core.problem import Found, Problem, Tensors, finite
from ..errors import ExplanationError
from .drawing import number
from .inside import only, watched
from .rules import GUIDED, RESCALE, relevance, rules

SPATIAL = {1: "linear", 2: "bilinear", 3: "trilinear"}


def deep_lift(problem: Problem) -> Found:
    """DeepLift by the rescale rule [shrikumar2017]: (x − b) times slopes between row and baseline, module by module.

    Adds up to f(x) − f(b) where every activation is a module of its own.
    """
    parts: list[tuple[Tensor, Tensor, Tensors]] = []

    def piece(at: slice) -> tuple[Tensor, Tensor, Tensors]:
        rows = torch.arange(len(problem), device=problem.inputs[0].device)[at]
        own, base = (tuple(x[at] for x in side) for side in (problem.inputs, problem.baselines))
        both = [torch.cat(pair).requires_grad_(pair[0].is_floating_point()) for pair in zip(own, base, strict=True)]
        out = problem.function(both, torch.cat([rows, rows]))
        slopes = _sent_back(problem, out[: len(rows)].sum(), both, len(rows))
        values = tuple((x - b) * s[: len(rows)] for x, b, s in zip(own, base, slopes, strict=True))
        return out[: len(rows)].detach(), out[len(rows) :].detach(), values

    with rules(_module(problem), RESCALE):
        parts = problem.chunks.over(len(problem), piece, each=2)
    output, baseline, values = (list(part) for part in zip(*parts, strict=True))
    return Found(
        _joined(values),
        "the rescale rule at each activation",
        output=torch.cat(output).double(),
        baseline_output=torch.cat(baseline).double(),
    )


def lrp(problem: Problem) -> Found:
    """Relevance of each input by the ε-rule of layer-wise relevance propagation [bach2015]; biases keep their share.

    Linear, convolutional, pooling and batch-norm modules share a relevance R out by R_i = x_i Σ_j w_ij R_j / (y_j + ε
    sign y_j); ReLU and tanh hand it on.

    Patents are claimed on layer-wise relevance propagation: personal and scientific use is said to be free, and whoever
    uses it for money should ask for a licence first.

    Option `epsilon` (1e-9) takes relevance away from outputs near 0.
    """
    size = number(problem, "epsilon", 1e-9)

    def piece(at: slice) -> tuple[Tensor, Tensors]:
        given = [x[at].detach().requires_grad_(x.is_floating_point()) for x in problem.inputs]
        out = problem.function(given, at)
        return out.detach(), _sent_back(problem, (out * out.detach()).sum(), given, len(out))

    with rules(_module(problem), relevance(size)):
        parts = problem.chunks.over(len(problem), piece)
    output, values = zip(*parts, strict=True)
    return Found(_joined(values), f"the ε-rule, ε = {size:g}", output=torch.cat(output).double())


def grad_cam(problem: Problem) -> Found:
    """Where a convolutional layer speaks for the output: relu(Σ_k mean(∂f/∂A_k) A_k) [selvaraju2017].

    The map is enlarged to the input's height and width (to its length, for series and sound) and is the same for all of
    its channels. `layer_values` holds it in the layer's own size, [n, ...].
    """
    output, maps = _maps(problem)
    values = _spread(problem, maps)
    return Found(values, "gradients averaged over the layer's places", output=output, details={"layer": maps})


def guided_grad_cam(problem: Problem) -> Found:
    """`grad_cam`'s map times guided backpropagation's gradients [selvaraju2017], [springenberg2015]."""
    output, maps = _maps(problem)

    def piece(at: slice) -> Tensors:
        return problem.function.gradient(tuple(x[at] for x in problem.inputs), at)[1]

    with rules(_module(problem), GUIDED):
        parts = problem.chunks.over(len(problem), piece)
    values = tuple(large * g for large, g in zip(_spread(problem, maps), _joined(parts), strict=True))
    return Found(values, "grad_cam times gradients guided through ReLU", output=output, details={"layer": maps})


def _maps(problem: Problem) -> tuple[Tensor, Tensor]:
    """f [n], and the layer's map [n, ...] without channels."""

    def piece(at: slice) -> tuple[Tensor, Tensor]:
        with torch.enable_grad(), watched(_module(problem), _layer(problem), cut=True) as seen:
            out = problem.function(tuple(x[at] for x in problem.inputs), at)
            active = only(seen, len(out))
            if active.ndim - 2 not in SPATIAL:
                raise ExplanationError(Message("layer_not_spatial", {"shape": list(active.shape)}))
            (slopes,) = torch.autograd.grad(out.sum(), active, allow_unused=True, materialize_grads=True)
        problem.function.gradients += len(out)
        finite(slopes, "gradient")
        weights = slopes.flatten(2).mean(2).reshape(*slopes.shape[:2], *[1] * (slopes.ndim - 2))
        return out.detach(), (weights * active.detach()).sum(1).relu()

    output, maps = zip(*problem.chunks.over(len(problem), piece), strict=True)
    return torch.cat(output).double(), torch.cat(maps)


def _spread(problem: Problem, maps: Tensor) -> Tensors:
    """The map in each input's shape; 0 for inputs that it does not fit.

    Raises:
        ExplanationError: it fits none.
    """
    found = [_enlarged(maps, x) for x in problem.inputs]
    if all(values is None for values in found):
        raise ExplanationError(Message("layer_not_spatial", {"shape": list(maps.shape)}))
    spread = zip(found, problem.inputs, strict=True)
    return tuple(maps.new_zeros(x.shape) if values is None else values for values, x in spread)


def _enlarged(maps: Tensor, x: Tensor) -> Tensor | None:
    """A map [n, ...] in an input's shape: [n, channels, ...], or [n, ...] where it has none."""
    places = maps.ndim - 1
    shape = x.shape[2:] if x.ndim == places + 2 else x.shape[1:]
    if len(shape) != places or not x.is_floating_point():
        return None
    large = nn.functional.interpolate(maps[:, None], size=shape, mode=SPATIAL[places], align_corners=False)
    return large.expand(x.shape) if x.ndim == places + 2 else large[:, 0]


def _sent_back(problem: Problem, out: Tensor, given: list[Tensor], n: int) -> Tensors:
    """What comes back to each input; zeros for codes."""
    floats = [x for x in given if x.requires_grad]
    found = iter(torch.autograd.grad(out, floats, allow_unused=True, materialize_grads=True))
    problem.function.gradients += n
    return tuple(next(found) if x.requires_grad else torch.zeros_like(x) for x in given)


def _joined(parts: object) -> Tensors:
    """The pieces of each input put together again."""
    whole = tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))  # type: ignore[arg-type]
    for values in whole:
        finite(values, "attribution")
    return whole


def _module(problem: Problem) -> nn.Module:
    assert problem.function.module is not None
    return problem.function.module


def _layer(problem: Problem) -> nn.Module:
    assert problem.layer is not None
    return problem.layer
