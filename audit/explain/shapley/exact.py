"""Shapley values by going through all coalitions."""

from __future__ import annotations

from math import factorial

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Found, Problem, by_group
from ..errors import ExplanationError
from .game import HELD, Game

MOST = 2**16  # evaluations a row where no budget says otherwise


def shapley_values(problem: Problem) -> Found:
    """The mean over all orders of what a group adds when it comes [shapley1953], from all 2^k coalitions of k groups.

    φ_i = Σ_{S without i} |S|! (k − |S| − 1)! / k! · (v(S + i) − v(S)), in float64; all rows share the coalitions, and
    the sum is one product of matrices.

    Raises:
        ExplanationError: there are more coalitions than the budget (65,536 evaluations a row where there is none)
            allows, or the time has run out.
    """
    game = Game(problem)
    _affordable(game)
    coalitions = all_coalitions(game.players, game.device)
    weights = shapley_weights(coalitions)
    rows, size = game.rows(), max(1, HELD // len(coalitions))
    found, ends = [], []
    for start in range(0, len(rows), size):
        if not problem.spending.room(len(coalitions) * game.width):
            raise ExplanationError(Message("shapley_unfinished", {"done": start, "n": len(rows)}))
        with problem.spending.step():
            values = game.values(rows[start : start + size], coalitions)
        found.append(values @ weights)
        ends.append(values[:, [0, -1]])
    rule = f"all {len(coalitions):,} coalitions of {game.players} groups{told_background(game)}"
    nobody, everybody = torch.cat(ends).T
    return by_group(problem, torch.cat(found), rule, output=everybody, baseline_output=nobody)


def _affordable(game: Game) -> None:
    budget = game.problem.spending.budget.evaluations
    needed, most = 2**game.players * game.width, MOST if budget is None else budget
    if needed > most:
        given = {"k": game.players, "needed": f"{needed:,}" if needed < 1e15 else f"2^{game.players}", "most": most}
        raise ExplanationError(Message("too_many_coalitions", given))


def all_coalitions(players: int, device: torch.device) -> Tensor:
    """[2^players, players] bool; number b holds the players whose bits are set in b."""
    number = torch.arange(2**players, device=device)
    return (number[:, None] >> torch.arange(players, device=device)) % 2 == 1


def shapley_weights(coalitions: Tensor) -> Tensor:
    """[2^k, k] float64: φ = v(coalitions) @ this."""
    k = coalitions.shape[1]
    joins = [factorial(s) * factorial(k - s - 1) / factorial(k) for s in range(k)]
    table = torch.tensor([0.0, *joins, 0.0], dtype=torch.float64, device=coalitions.device)
    size = coalitions.sum(1)
    return torch.where(coalitions, table[size][:, None], -table[size + 1][:, None])


def one_group(problem: Problem, nobody: Tensor, everybody: Tensor) -> Found:
    """All of the change, [n], to the only group."""
    change = (everybody - nobody)[:, None]
    stderr, rule = torch.zeros_like(change), "one group, which gets it all"
    return by_group(problem, change, rule, output=everybody, baseline_output=nobody, grouped_stderr=stderr)


def told_background(game: Game) -> str:
    """How absent groups are filled in, where it is not by one baseline."""
    return "" if game.problem.background is None else f", absent groups from {game.width:,} background rows"
