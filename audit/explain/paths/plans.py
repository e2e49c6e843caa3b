"""Which rules are tried on a path, in which order, and when one has said enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Problem, Tensors
from ..errors import ExplanationError
from .line import Line
from .nodes import Nodes, integrate
from .pieces import pieces
from .quadrature import Rule, gauss, kronrod, midpoint, thirds

RULES = ("gauss", "exact", "pieces", "midpoint")
ASKED = ("gauss", "exact", "midpoint")
GRADIENTS = 256  # a path, at most, where no budget says more or less
PAIRS = (7, 15, 31, 63)  # Gauss–Legendre nodes of the Kronrod pairs with 15, 31, 63 and 127 nodes
MIDDLES = (3, 9, 27, 81, 243)  # each has the nodes of the one before


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What one attempt says of some paths.

    Attributes:
        served: [m] bool: the paths it could serve.
        values: shaped like the inputs, each [served, ...] float64.
        off: fine minus coarse rule, likewise; None where there is no coarser rule.
        gradients: [m] int64, that it took.
    """

    served: Tensor
    values: Tensors
    off: Tensors | None
    gradients: Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: the paths that the steps before did not bring within the tolerance go through it.

    Attributes:
        rule: its name, of `RULES`.
        run: the attempt; its second argument is how many gradients each path may take, [m].
        least: gradients that a path must have left to go through it.
        continues: its nodes go between those of the step before, which were half as many.
        replaces: what it says counts even where the step before had a smaller error: others continue from it.
        unless: rules; paths that one of them could serve before do not go through this step.
    """

    rule: str
    run: Callable[[Line, Tensor], Tried]
    least: int
    continues: bool = False
    replaces: bool = False
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, and how many gradients a path may take in all of them."""

    steps: tuple[Step, ...]
    most: int


def plan(problem: Problem, rule: str | None, nodes: int | None) -> Plan:
    """The steps for a problem; see `integral.path_integral` for what may be asked.

    Raises:
        ExplanationError: what is asked makes no sense, or the budget allows fewer than 3 gradients.
    """
    _check(rule, nodes)
    most = problem.spending.budget.evaluations or GRADIENTS
    if most < 3:
        given = {"given": most, "method": "integrated_gradients", "needed": 3}
        raise ExplanationError(Message("budget_too_small", given))
    kind = shape_of(problem)
    rule = rule or {"piecewise_linear": "exact", "mixed": "midpoint" if nodes else None}.get(kind)
    if nodes is not None and rule != "exact":
        fixed = (
            _fixed("midpoint", midpoint(-3 * (-nodes // 3))) if rule == "midpoint" else _fixed("gauss", gauss(nodes))
        )
        return Plan((fixed,), fixed.least)
    steps = {"exact": (_exact(), *_threefold(nodes or most)), "midpoint": _threefold(most), "gauss": _pairs(most)}.get(
        rule or kind
    )
    others = {"smooth": _pairs(most), "mixed": _mixed(most)}
    return Plan(steps or others.get(kind) or _unknown(most), max(nodes or most, 3))


def shape_of(problem: Problem) -> str:
    """The explained number's shape: what is computed from a piecewise-linear output is in general linear no more."""
    function = problem.function
    computed = callable(function.target) and not isinstance(function.target, Tensor)
    straight = function.quantity in ("output", "logit") and not computed
    return "mixed" if problem.shape == "piecewise_linear" and not straight else problem.shape


def _check(rule: str | None, nodes: int | None) -> None:
    if rule is not None and rule not in ASKED:
        raise ExplanationError(Message("bad_rule", {"given": repr(rule), "known": ", ".join(ASKED)}))
    if nodes is not None and (not isinstance(nodes, int) or isinstance(nodes, bool) or nodes < 2):
        raise ExplanationError(Message("bad_nodes", {"given": repr(nodes)}))


def _unknown(most: int) -> tuple[Step, ...]:
    """Two pairs; where both disagree, pieces if they prove right, and a third pair and middles if they do not."""
    pairs = _pairs(most)
    return (*pairs[:2], _exact(), *pairs[2:3], *_middles())


def _mixed(most: int) -> tuple[Step, ...]:
    """A pair on the whole path; pieces with three nodes, then with fifteen; middles of what has too many pieces.

    A piece's middle is one of Gauss–Legendre's three nodes, and its own coarser rule. They serve where kinks come first
    and curves after them: a softmax over ReLUs.
    """
    pieced = (Step("pieces", lambda line, room, n=n: _by_piece(line, room, kronrod(n)), 2 * n + 1) for n in (1, 7))
    return (*_pairs(most)[:1], *pieced, *_middles("pieces"))


def _pairs(most: int) -> tuple[Step, ...]:
    """Kronrod pairs from 15 nodes on; a smaller one where there are not 15 gradients."""
    if most < 15:
        return (_fixed("gauss", kronrod((most - 1) // 2)),)
    return tuple(_fixed("gauss", kronrod(n)) for n in PAIRS)


def _threefold(most: int) -> tuple[Step, ...]:
    """Middles of equal panels, 27 where there is room; then three times as many in each step, none in vain."""
    first, *others = [n for n in MIDDLES if n >= min(27, most // 3)]
    more = (_fixed("midpoint", thirds(n), continues=True) for n in others)
    return (replace(_fixed("midpoint", midpoint(first)), replaces=True), *more)


def _middles(*unless: str) -> tuple[Step, ...]:
    """As many middles as there are gradients left for."""
    steps = (_fixed("midpoint", midpoint(n)) for n in reversed(MIDDLES))
    return tuple(replace(step, unless=("midpoint", *unless)) for step in steps)


def _fixed(name: str, rule: Rule, continues: bool = False) -> Step:
    """The same nodes for every path."""

    def run(line: Line, room: Tensor) -> Tried:
        values, off = integrate(line, Nodes.same(len(line), rule, room.device))
        served = torch.ones(len(line), dtype=torch.bool, device=room.device)
        return Tried(served, values, off, torch.full_like(room, len(rule)))

    return Step(name, run, len(rule), continues)


def _exact() -> Step:
    """One gradient in the middle of each piece; it serves paths that have no more pieces than gradients left."""
    rule = Rule(_HALF, 2 * _HALF)
    return Step("exact", lambda line, room: _by_piece(line, room, rule), 1)


_HALF = torch.full((1,), 0.5, dtype=torch.float64)


def _by_piece(line: Line, room: Tensor, rule: Rule) -> Tried:
    """The rule in each piece, for paths that have room for it."""
    found = pieces(line, room // len(rule))
    number = found.within.long().cumsum(0) - 1
    gradients = torch.bincount(found.pair, minlength=len(line)) * len(rule)
    line = line.only(found.within.nonzero()[:, 0])
    if not len(line):
        return Tried(found.within, line.ends, None, gradients)
    return Tried(
        found.within, *integrate(line, Nodes.pieces(number[found.pair], found.low, found.high, rule)), gradients
    )
