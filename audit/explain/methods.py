"""Attribution by two methods that fail differently: gradients along a path, and taking features away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.inference import device_of, evaluating, out_of_memory, placed
from ...models.spec import InputSpec
from ...models.subject import Subject
from ..messages import Message
from . import embeddings, features
from .borrowed import FeatureAblation, IntegratedGradients
from .errors import ExplanationError
from .features import Player
from .target import Explained

NODES = (32, 64, 128, 256)  # of Gauss-Legendre quadrature; twice as many until a row is complete
EVALUATIONS = 65_536  # of the model in one piece, at most
ELEMENTS = 2**19  # numbers that go into the model in one piece, at most: 2 MB, and a few hundred times that inside it
FLOAT_NOISE = 1e-4  # of the output: attributions below it are sums of float32 rounding


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the model: why f(inputs) and not f(baselines), feature by feature.

    Attributes:
        inputs: each [n, ...], on the model's device.
        baselines: of the same shapes.
        classes: [n], the class that is explained for each row.
        players: what attributions are given to.
    """

    explained: Explained
    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    classes: Tensor
    players: tuple[Player, ...]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def model(self) -> Any:
        return self.explained.subject.model


@dataclass(frozen=True, slots=True)
class Attributions:
    """Each row's output, handed out to its features.

    Attributes:
        method: "integrated_gradients" or "feature_ablation".
        values: [n, players] float64, in the explained number's unit.
        output: [n], f(x).
        baseline_output: [n], f(baseline).
        inputs: attributions of each place of the model's float inputs, [n, places], where the method has them.
        residual: [n], |Σ values − (f(x) − f(baseline))| relative to the larger of Σ |values| and the output's change;
            None where the method promises no completeness.
        nodes: [n], gradients that each row took; None where none were.
    """

    method: str
    values: NDArray[np.float64]
    output: NDArray[np.float64]
    baseline_output: NDArray[np.float64]
    inputs: Mapping[int, NDArray[np.float64]]
    residual: NDArray[np.float64] | None = None
    nodes: NDArray[np.int64] | None = None


@contextmanager
def asking(
    subject: Subject,
    spec: InputSpec,
    inputs: Mapping[str, Tensor],
    *,
    by_keyword: bool,
    device: str | None = None,
) -> Iterator[Question]:
    """A question about some rows, as long as the context is open; afterwards the model is as it was found.

    Inside, the model is in eval mode on its device, and random numbers that it draws are not taken from the user's.

    Raises:
        ExplanationError: the declared features are not in the inputs.
    """
    place = device_of(subject, device)
    gpus = [place] if place.type == "cuda" else []
    with (
        torch.inference_mode(False),
        torch.random.fork_rng(devices=gpus),
        evaluating(subject.model),
        placed(subject.model, place),
    ):
        values = tuple(value.detach().clone().to(place) for value in inputs.values())
        explained = Explained(subject, tuple(inputs) if by_keyword else None)
        players = features.players(spec, values)
        with torch.no_grad():
            classes = torch.cat(_pieces(lambda at: explained.classes(_at(values, at)), len(values[0]), _most(values)))
        yield Question(explained, values, features.baselines(spec, values), classes.to(place), players)


def integrated_gradients(question: Question, tolerance: float) -> Attributions:
    """φᵢ = (xᵢ − bᵢ) ∫₀¹ ∂f/∂xᵢ (b + α(x − b)) dα [sundararajan2017] by captum [kokhlikyan2020].

    A feature's places are summed. Codes take the path of the vectors looked up for them. Gauss-Legendre nodes are
    doubled for the rows that are not yet complete within the tolerance, until the last of `NODES`.

    Raises:
        ExplanationError: there is no path, no gradient, or a gradient is not finite.
    """
    if not isinstance(question.model, nn.Module):
        raise ExplanationError(Message("no_gradient", {}))
    path = _path(question)
    output, baseline_output = _outputs(question, question.inputs), _outputs(question, question.baselines)
    values = np.zeros((len(question), len(question.players)))
    places = {leaf.input: np.zeros((len(question), leaf.owner.numel())) for leaf in path if leaf.input is not None}
    residual, nodes = np.full(len(question), np.inf), np.zeros(len(question), np.int64)
    pending = np.arange(len(question))
    for count in NODES:
        handed = np.zeros((len(pending), len(question.players)))
        for leaf, found in zip(path, _integrate(question, path, pending, count), strict=True):
            leaf.hand_out(found, handed)
            if leaf.input is not None:
                places[leaf.input][pending] = found
        _check_finite(handed)
        values[pending] = handed
        residual[pending] = completeness(values[pending], output[pending], baseline_output[pending])
        nodes[pending] = count
        pending = pending[~(residual[pending] <= tolerance)]
        if not len(pending):
            break
    return Attributions("integrated_gradients", values, output, baseline_output, places, residual, nodes)


def feature_ablation(question: Question) -> Attributions:
    """φᵢ = f(x) − f(x with feature i at its baseline), by captum; a feature goes with all its places at once.

    Raises:
        ExplanationError: an output is not finite.
    """
    masks = tuple(
        features.owners(question.players, place, value).view(1, *value.shape[1:]).to(value.device)
        for place, value in enumerate(question.inputs)
    )
    unowned = len(question.players)  # captum wants every place to be of a feature; these do not move
    masks = tuple(torch.where(mask < 0, unowned, mask) for mask in masks)
    most = _most(question.inputs)
    parts = _pieces(lambda at: _ablate(question, masks, at, most), len(question), most)
    values = torch.cat(parts).double().cpu().numpy()
    _check_finite(values)
    output, baseline_output = _outputs(question, question.inputs), _outputs(question, question.baselines)
    return Attributions("feature_ablation", values, output, baseline_output, {})


def completeness(
    values: NDArray[np.float64], output: NDArray[np.float64], baseline_output: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[n]: |Σ φ − (f(x) − f(b))| relative to the larger of Σ |φ| and |f(x) − f(b)|; 0 where nothing moves.

    >>> completeness(np.array([[1.0, 2.0]]), np.array([3.3]), np.array([0.0])).round(3)
    array([0.091])
    """
    change = output - baseline_output
    noise = FLOAT_NOISE * np.maximum(np.abs(output), np.abs(baseline_output))
    scale = np.maximum.reduce([np.abs(values).sum(1), np.abs(change), noise])
    missing = np.abs(values.sum(1) - change)
    return np.divide(missing, scale, out=np.zeros_like(missing), where=scale > 0)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """Numbers that the path moves: a float input, or the vectors of one embedding call.

    Attributes:
        input: the number of the model's input; None for an embedding call.
        call: the number of the embedding call; None for an input.
        start: [n, ...] at the baseline.
        end: [n, ...] at the row.
        owner: [places of a row], the player's number; -1 for nobody.
    """

    input: int | None
    call: int | None
    start: Tensor
    end: Tensor
    owner: Tensor

    def hand_out(self, found: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add attributions [rows, places] to their players' columns of values [rows, players]."""
        owned = np.flatnonzero(self.owner.numpy() >= 0)
        np.add.at(values.T, self.owner.numpy()[owned], found.T[owned])


def _path(question: Question) -> list[_Leaf]:
    leaves = [
        _Leaf(place, None, question.baselines[place], value, features.owners(question.players, place, value))
        for place, value in enumerate(question.inputs)
        if value.is_floating_point()
    ]
    embeds = any(isinstance(module, nn.Embedding) for module in question.model.modules())
    if embeds or not all(value.is_floating_point() for value in question.inputs):
        leaves += _looked_up(question)
    if not leaves:
        raise ExplanationError(Message("no_embedding", {"feature": question.players[0].name}))
    return leaves


def _looked_up(question: Question) -> list[_Leaf]:
    explained, classes = question.explained, question.classes
    calls = embeddings.owners(explained, question.players, question.inputs, question.baselines, classes)
    ends = embeddings.watch(explained, question.inputs, classes)[1].vectors
    starts = embeddings.watch(explained, question.baselines, classes)[1].vectors
    return [
        _Leaf(None, call, starts[call], ends[call], owner.flatten().repeat_interleave(ends[call].shape[-1]))
        for call, owner in calls.items()
    ]


def _integrate(
    question: Question, path: Sequence[_Leaf], rows: NDArray[np.int64], nodes: int
) -> list[NDArray[np.float64]]:
    """For each leaf, attributions [rows, places] with so many nodes."""
    method = IntegratedGradients(_along(question, path))
    method.gradient_func = _gradients  # captum's own takes one Python object a row, and stops at an unused input
    fixed = [value for value in question.inputs if not value.is_floating_point()]
    picked = torch.from_numpy(rows).to(question.classes.device)

    def piece(at: slice) -> list[Tensor]:
        rows = picked[at]
        found = method.attribute(
            inputs=tuple(leaf.end[rows] for leaf in path),
            baselines=tuple(leaf.start[rows] for leaf in path),
            additional_forward_args=(*(value[rows] for value in fixed), question.classes[rows]),
            n_steps=nodes,
            method="gausslegendre",
        )
        return [value.detach().flatten(1).double().cpu() for value in found]

    with _rnn_backward(question.model):
        pieces = _pieces(piece, len(rows), _most([leaf.end for leaf in path], nodes))
    return [torch.cat(parts).numpy() for parts in zip(*pieces, strict=True)]


def _along(question: Question, path: Sequence[_Leaf]) -> Callable[..., Tensor]:
    """f of the path's numbers, the inputs that stay, and the classes: the order in which captum hands them over."""

    def f(*given: Tensor) -> Tensor:
        moved, (*fixed, classes) = given[: len(path)], given[len(path) :]
        inputs = {leaf.input: value for leaf, value in zip(path, moved, strict=True) if leaf.input is not None}
        stays = iter(fixed)
        whole = [inputs[k] if k in inputs else next(stays) for k in range(len(question.inputs))]
        vectors = {leaf.call: value for leaf, value in zip(path, moved, strict=True) if leaf.call is not None}
        with embeddings.lookups(question.model, vectors):
            return question.explained(whole, classes)

    return f


def _gradients(
    forward_fn: Callable[..., Tensor],
    inputs: Tensor | tuple[Tensor, ...],
    target_ind: Any = None,
    additional_forward_args: object | None = None,
) -> tuple[Tensor, ...]:
    """∂f/∂x of every row by one backward pass of their sum, which is right because rows do not meet in the model."""
    assert target_ind is None  # the explained number has one a row
    assert isinstance(inputs, tuple)
    assert isinstance(additional_forward_args, tuple)
    with torch.enable_grad():
        out = forward_fn(*inputs, *additional_forward_args)
        if not out.requires_grad:
            raise ExplanationError(Message("detached", {}))
        return torch.autograd.grad(out.sum(), inputs, allow_unused=True, materialize_grads=True)


def _ablate(question: Question, masks: tuple[Tensor, ...], at: slice, most: int) -> Tensor:
    """[rows, players]"""
    inputs, classes = _at(question.inputs, at), question.classes[at]
    found = FeatureAblation(lambda *given: question.explained(given[:-1], given[-1])).attribute(
        inputs=inputs,
        baselines=_at(question.baselines, at),
        additional_forward_args=(classes,),
        feature_mask=masks,
        perturbations_per_eval=max(1, most // len(classes)),
    )
    columns = [found[p.input].reshape(len(classes), -1)[:, p.places[0]] for p in question.players]
    return torch.stack(columns, 1)


def _outputs(question: Question, inputs: tuple[Tensor, ...]) -> NDArray[np.float64]:
    """[n], f(inputs)"""
    with torch.no_grad():
        parts = _pieces(
            lambda at: question.explained(_at(inputs, at), question.classes[at]), len(question), _most(inputs)
        )
    found = torch.cat(parts).double().cpu().numpy()
    _check_finite(found[:, None])
    return found


def _check_finite(values: NDArray[np.float64]) -> None:
    bad = int((~np.isfinite(values)).any(1).sum())
    if bad:
        raise ExplanationError(Message("not_finite", {"count": bad, "n": len(values)}))


def _pieces(compute: Callable[[slice], Any], n: int, most: int) -> list[Any]:
    """What `compute` says of each piece of n rows, in order; pieces that do not fit in memory are halved."""
    found, start = [], 0
    while start < n:
        try:
            found.append(compute(slice(start, min(start + most, n))))
            start += most
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or most == 1:
                raise
            most = max(1, most // 2)
    return found


def _most(inputs: Sequence[Tensor], repeated: int = 1) -> int:
    """Rows of one piece, when each is repeated so often."""
    width = sum(value[0].numel() for value in inputs)
    return max(1, min(EVALUATIONS, ELEMENTS // max(width, 1)) // repeated)


def _at(inputs: Sequence[Tensor], at: slice) -> tuple[Tensor, ...]:
    return tuple(value[at] for value in inputs)


def _rnn_backward(model: nn.Module) -> Any:
    """cuDNN refuses the backward pass of a recurrent layer in eval mode; PyTorch's own kernels do not."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
