"""Conductance: how much of the output's change flows through each neuron of a layer, from the baseline to the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...messages import Message
from ..core.problem import Found, Problem, Tensors
from ..errors import ExplanationError
from .inside import only, watched

PIECES = 4  # of the path at first
ROUNDS = 14  # of refinement; a kink that is found by its tangents needs two or three
SHARE = 0.03  # of the tolerance that one piece of the path may take up
LEAST = 0.05  # of the path: what shorter pieces may take up all the same
ROUNDING = 64  # roundings of the output that no refinement can take away


def layer_conductance(problem: Problem) -> Found:
    """The change f(x) − f(b) that flows through each neuron of a layer: ∫ ∂f/∂A_j dA_j, straight path [dhamdhere2019].

    `layer_values` [n, ...] holds it in the layer's shape; it adds up to the change of the output where all data goes
    through the layer. `values` tells from which inputs that flow comes, (x_i − b_i) ∫ Σ_j ∂f/∂A_j ∂A_j/∂x_i, with the
    same sum. The path is cut into pieces that are refined where the tangents at their ends disagree: on a network that
    is linear in pieces they meet at the kink, so that it is found to rounding.

    Option `neuron` (a number in the layer's flattened output, or a tuple of places) keeps the flow through this one
    neuron only; `values` are then its conductance by input.

    Raises:
        ExplanationError: the layer does not run once, or gives no entry for each row.
    """
    rows = [
        _Path(problem, at).flow()
        for at in problem.chunks.over(len(problem), lambda at: range(len(problem))[at], each=2 * PIECES)
    ]
    values = tuple(torch.cat(parts) for parts in zip(*(found.values for found in rows), strict=True))
    whole = all(found.whole for found in rows) and "neuron" not in problem.options
    about = "" if whole else "; data that goes around the layer or the neuron is not in the sum"
    return Found(
        values,
        f"pieces of the path, refined where tangents disagree{about}",
        output=torch.cat([found.output for found in rows]) if whole else None,
        baseline_output=torch.cat([found.baseline for found in rows]) if whole else None,
        details={
            "layer": torch.cat([found.neurons for found in rows]),
            "gradients": torch.cat([found.gradients for found in rows]),
        },
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Flow:
    """What flows on some rows' paths.

    Attributes:
        neurons: by neuron, [m, ...] float64.
        values: by input, each [m, ...] float64.
        output: f of the rows, [m] float64.
        baseline: f of their baselines.
        gradients: how many were taken for each row, [m].
        whole: all of the output's change is in it.
    """

    neurons: Tensor
    values: Tensors
    output: Tensor
    baseline: Tensor
    gradients: Tensor
    whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Pieces of paths: whose row, where they begin and end, f there [k] float64, the layer's output there [k, ...]."""

    row: Tensor
    begin: Tensor
    end: Tensor
    output_begin: Tensor
    output_end: Tensor
    active_begin: Tensor
    active_end: Tensor

    def __len__(self) -> int:
        return len(self.row)

    def split(self, at: Tensor, output: Tensor, active: Tensor, which: Tensor) -> _Pieces:
        """Some of them, each in two, at places [k] where f and the layer's output are known."""
        early = (self.row, self.begin, at, self.output_begin, output, self.active_begin, active)
        late = (self.row, at, self.end, output, self.output_end, active, self.active_end)
        return _Pieces(*(torch.cat([a[which], b[which]]) for a, b in zip(early, late, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The model at points of paths.

    Attributes:
        output: f [k] float64.
        active: the layer's output [k, ...].
        back: ∂f/∂active of the neurons that are asked for, [k, ...].
        slopes: for each input, its gradient by way of them, [k, ...].
        along: the slope of f along the path by way of them, [k] float64.
        full: the slope along the path by whatever way, [k] float64.
    """

    output: Tensor
    active: Tensor
    back: Tensor
    slopes: Tensors
    along: Tensor
    full: Tensor


class _Path:
    """The straight paths of some rows."""

    def __init__(self, problem: Problem, rows: Sequence[int]) -> None:
        self.problem = problem
        self.rows = torch.tensor(list(rows), device=problem.inputs[0].device)
        self.x, self.b = ([side[self.rows] for side in sides] for sides in (problem.inputs, problem.baselines))

    def flow(self) -> _Flow:
        """Add up the pieces of the path, and split those that are not settled."""
        pieces, first, last = self._first_pieces()
        shape = pieces.active_begin.shape[1:]
        found = _Flow(
            self._zeros(shape),
            tuple(self._zeros(x.shape[1:]) for x in self.x),
            last,
            first,
            self._zeros(()).long(),
            True,
        )
        scale = (last - first).abs()
        for turn in range(ROUNDS):
            quarter = (pieces.end - pieces.begin) / 4
            points = self._at(pieces.row, pieces.begin + quarter), self._at(pieces.row, pieces.end - quarter)
            found.gradients.index_add_(0, pieces.row, torch.full_like(pieces.row, 2))
            if not turn:
                found = replace(found, whole=all(_same(p.along, p.full, scale[pieces.row]) for p in points))
            at = _meeting(*points, pieces.begin, pieces.end)
            output, active = self._forward(pieces.row, at)
            halves = _halves(points, pieces, active)
            parts = [half.flatten(1).sum(1) for half in halves]
            scale = torch.maximum(scale, scale.new_zeros(len(scale)).index_add_(0, pieces.row, _sizes(parts)))
            done = self._settled(points, parts, pieces, at, output, scale[pieces.row], found.whole)
            done |= turn == ROUNDS - 1
            self._add(found, points, halves, pieces, at, done)
            pieces = pieces.split(at, output, active, ~done)
            if not len(pieces):
                break
        ways = (x - b for x, b in zip(self.x, self.b, strict=True))
        return replace(found, values=tuple(v * w.double() for v, w in zip(found.values, ways, strict=True)))

    def _first_pieces(self) -> tuple[_Pieces, Tensor, Tensor]:
        """Equal pieces of each row's path; f of the baselines and of the rows."""
        m, ends = len(self.rows), PIECES + 1
        row = torch.arange(m, device=self.rows.device).repeat_interleave(ends)
        spots = torch.linspace(0, 1, ends, dtype=torch.float64, device=self.rows.device).repeat(m)
        output, active = self._forward(row, spots)
        at = torch.arange(m * ends, device=row.device).reshape(m, ends)[:, :-1].reshape(-1)
        pieces = _Pieces(
            row[at], spots[at], spots[at + 1], output[at], output[at + 1], active[at], active[at + 1]
        )  # fmt: skip
        return pieces, output[::ends], output[PIECES::ends]

    @staticmethod
    def _add(
        found: _Flow, points: tuple[_Point, _Point], halves: list[Tensor], pieces: _Pieces, at: Tensor, done: Tensor
    ) -> None:
        """Put what flows on settled pieces to their rows."""
        row = pieces.row[done]
        found.neurons.index_add_(0, row, (halves[0] + halves[1])[done])
        for value, early, late in zip(found.values, points[0].slopes, points[1].slopes, strict=True):
            mean = early.double() * _wide(at - pieces.begin, early) + late.double() * _wide(pieces.end - at, late)
            value.index_add_(0, row, mean[done])

    def _settled(
        self,
        points: tuple[_Point, _Point],
        parts: list[Tensor],
        pieces: _Pieces,
        at: Tensor,
        output: Tensor,
        scale: Tensor,
        whole: bool,
    ) -> Tensor:
        """[k] pieces of whose halves neurons, inputs and (where all of it is there) the output say the same."""
        most = torch.maximum(pieces.output_begin.abs(), pieces.output_end.abs())
        share = (pieces.end - pieces.begin).clamp(min=LEAST)
        allowed = SHARE * self.problem.tolerance * scale * share
        allowed = allowed + ROUNDING * torch.finfo(points[0].active.dtype).eps * most
        changes = output - pieces.output_begin, pieces.output_end - output
        widths = at - pieces.begin, pieces.end - at
        off = torch.zeros_like(scale)
        for point, part, change, width in zip(points, parts, changes, widths, strict=True):
            off = torch.maximum(off, (point.along * width - part).abs())
            off = torch.maximum(off, (point.full * width - change).abs())
            off = torch.maximum(off, (part - change).abs()) if whole else off
        return off <= allowed

    def _zeros(self, shape: Sequence[int]) -> Tensor:
        """[m, *shape]"""
        return torch.zeros(len(self.rows), *shape, dtype=torch.float64, device=self.rows.device)

    def _inputs(self, row: Tensor, spots: Tensor) -> list[Tensor]:
        """Points of the paths, each [k, ...]; codes stay what they are."""
        found = []
        for x, b in zip(self.x, self.b, strict=True):
            start, way = b[row], x[row] - b[row]
            found.append((start + way * _wide(spots, way).to(x.dtype)) if x.is_floating_point() else x[row])
        return found

    def _forward(self, row: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
        """f and the layer's output at points of the paths."""

        def piece(at: slice) -> tuple[Tensor, Tensor]:
            with torch.no_grad(), watched(self._model, self._layer) as seen:
                out = self.problem.function(self._inputs(row[at], spots[at]), self.rows[row[at]])
            return out.double(), only(seen, len(out)).detach()

        output, active = zip(*self.problem.chunks.over(len(row), piece), strict=True)
        return torch.cat(output), torch.cat(active)

    def _at(self, row: Tensor, spots: Tensor) -> _Point:
        """The model and its gradients at points of the paths."""
        parts = self.problem.chunks.over(len(row), lambda at: self._piece(row[at], spots[at]))
        slopes = tuple(torch.cat(pieces) for pieces in zip(*(p.slopes for p in parts), strict=True))
        rest = {k: torch.cat([getattr(p, k) for p in parts]) for k in ("output", "active", "back", "along", "full")}
        return _Point(slopes=slopes, **rest)

    def _piece(self, row: Tensor, spots: Tensor) -> _Point:
        given = [x.detach().requires_grad_(x.is_floating_point()) for x in self._inputs(row, spots)]
        leaves = [x for x in given if x.requires_grad]
        with torch.enable_grad(), watched(self._model, self._layer) as seen:
            out = self.problem.function(given, self.rows[row])
        active = only(seen, len(out))
        self.problem.function.gradients += len(out)
        back, *full = _gradients(out.sum(), [active, *leaves], keep=True)
        back = self._kept_neurons(back)
        slopes = (
            _gradients(active, leaves, back) if active.grad_fn is not None else [torch.zeros_like(x) for x in leaves]
        )
        every = [iter(slopes), iter(full)]
        by_input = [[next(some) if x.requires_grad else torch.zeros_like(x) for x in given] for some in every]
        along, through = (self._along(gradients, row) for gradients in by_input)
        return _Point(out.detach().double(), active.detach(), back, tuple(by_input[0]), along, through)

    def _along(self, slopes: list[Tensor], row: Tensor) -> Tensor:
        """[k] the slope along the path."""
        ways = [(x[row] - b[row]).double() for x, b in zip(self.x, self.b, strict=True)]
        return torch.stack(
            [(g.double() * w).reshape(len(g), -1).sum(1) for g, w in zip(slopes, ways, strict=True)]
        ).sum(0)

    def _kept_neurons(self, back: Tensor) -> Tensor:
        """What comes back to the neurons that are asked for; 0 to the others."""
        asked = self.problem.options.get("neuron")
        if asked is None:
            return back
        kept = torch.zeros_like(back)
        place = (slice(None), *asked) if isinstance(asked, tuple) else (slice(None), asked)
        try:
            flat = (kept, back) if isinstance(asked, tuple) else (kept.flatten(1), back.flatten(1))
            flat[0][place] = flat[1][place]
        except (IndexError, TypeError) as error:
            shape = list(back.shape[1:])
            raise ExplanationError(Message("no_such_neuron", {"given": repr(asked), "shape": shape})) from error
        return flat[0].reshape(back.shape)

    @property
    def _model(self) -> nn.Module:
        assert self.problem.function.module is not None
        return self.problem.function.module

    @property
    def _layer(self) -> nn.Module:
        assert self.problem.layer is not None
        return self.problem.layer


def _meeting(one: _Point, two: _Point, a: Tensor, c: Tensor) -> Tensor:
    """[k] where the tangents of f at a quarter and at three quarters meet; the middle where they do not."""
    early, late = a + (c - a) / 4, c - (c - a) / 4
    bend = one.full - two.full
    met = (two.output - one.output + one.full * early - two.full * late) / torch.where(bend == 0, 1, bend)
    inside = (bend != 0) & (met > early) & (met < late)
    return torch.where(inside, met, (a + c) / 2)


def _gradients(out: Tensor, of: list[Tensor], back: Tensor | None = None, keep: bool = False) -> list[Tensor]:
    return list(torch.autograd.grad(out, of, back, retain_graph=keep, allow_unused=True, materialize_grads=True))


def _halves(points: tuple[_Point, _Point], pieces: _Pieces, active: Tensor) -> list[Tensor]:
    """What flows through each neuron before and after the place where a piece is cut, two [k, ...] float64."""
    changes = active - pieces.active_begin, pieces.active_end - active
    return [point.back.double() * change.double() for point, change in zip(points, changes, strict=True)]


def _sizes(parts: list[Tensor]) -> Tensor:
    """[k] absolute values added up."""
    return torch.stack(parts).abs().sum(0)


def _same(one: Tensor, other: Tensor, scale: Tensor) -> bool:
    return bool(((one - other).abs() <= 1e-4 * torch.maximum(scale, other.abs())).all())


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """[k] as [k, 1, …], to go with a tensor [k, ...]."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
