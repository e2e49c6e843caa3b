"""LIME: the weights of a linear model of the output near a row, in terms of which groups are present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.problem import Found, Problem, by_group
from .exact import all_coalitions
from .game import Game
from .options import number_asked, samples_asked
from .regression import Estimate
from .rounds import sampled

WIDTH = 0.25  # of the kernel, in cosine distance
RIDGE = 1e-3  # of weights that add up to 1: a penalty of 1 among a thousand coalitions of weight 1
LISTED = 2**16  # coalitions that are asked one by one where the budget allows


def lime(problem: Problem) -> Found:
    """The coefficients of a ridge regression of v(S) on the presence of groups, near the whole row [ribeiro2016].

    Groups are present or absent by a fair coin; a coalition of s of k groups weighs exp(−D² / width²), with the cosine
    distance D = 1 − √(s / k). All rows share the coalitions, and so one float64 system. Where all 2^k coalitions are
    paid for, each is asked once. Coefficients do not add up to f(x) − f(baseline).

    Options:
        samples: coalitions. Without it and without a budget, until each standard error is 1 % of the row's summed
            absolute coefficients or less.
        kernel_width: of the cosine distance, 0.25.
        ridge: the penalty on squared coefficients, 0.001, where the coalitions' weights add up to 1.

    Raises:
        ExplanationError: the budget pays for fewer coalitions than there are groups, and some more.
    """
    game = Game(problem)
    asked = samples_asked(problem)
    width, ridge = number_asked(problem, "kernel_width", WIDTH, 1e-3), number_asked(problem, "ridge", RIDGE, 1e-12)
    scheme = _Presence(game, width, ridge)
    found = sampled(problem, scheme, "lime", asked)
    rule = f"{found.told(1, 'coalitions')}, kernel width {width:g}, ridge {ridge:g}; {found.ended}"
    details = {"coalitions": found.units}
    return by_group(problem, found.values, rule, grouped_stderr=found.stderr, details=details)


@dataclass(slots=True, eq=False)
class _Presence:
    """Coalitions by a fair coin for each group, or all of them.

    Attributes:
        game: that is played.
        width: of the kernel.
        ridge: the penalty.
        drawn: what each round drew, [m, players] bool.
    """

    game: Game
    width: float
    ridge: float
    drawn: list[Tensor] = field(default_factory=list)

    def least(self) -> int:
        return 2 * self.game.players + 8

    def most(self) -> int:
        k = self.game.players
        return 2**k if 2**k <= LISTED else 2**30

    def evaluations(self, units: int) -> int:
        return units * self.game.width

    def grow(self, units: int) -> Tensor:
        k, generator = self.game.players, self.game.problem.generator
        if units == 2**k:
            self.drawn = [all_coalitions(k, self.game.device)]
            return self.drawn[0]
        new = units - sum(len(part) for part in self.drawn)
        self.drawn.append(torch.rand(new, k, generator=generator).lt(0.5).to(self.game.device))
        return self.drawn[-1]

    def ask(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        return self.game.values(rows, coalitions)

    def estimate(self, rows: Tensor, answers: Sequence[Tensor]) -> Estimate:
        coalitions = torch.cat(self.drawn)
        values = torch.cat(list(answers)[-len(self.drawn) :], 1)
        whole = len(coalitions) == 2**self.game.players and len(self.drawn) == 1
        return coefficients(coalitions, values, self.width, self.ridge, whole)


def coefficients(coalitions: Tensor, values: Tensor, width: float, ridge: float, whole: bool) -> Estimate:
    """The ridge's coefficients [n, k] of values [n, m] on coalitions [m, k], and their standard errors.

    The intercept is not penalised. Errors are by the spread of what each coalition moves the coefficients by, its
    residual being the one it has when it is left out (HC3 [mackinnon1985]); 0 where all coalitions are there.
    """
    present = coalitions.double()
    weights = torch.softmax(-(((1 - present.mean(1).sqrt()) / width) ** 2), 0)
    means = (weights @ present, values @ weights)
    centred = present - means[0]
    penalty = ridge * torch.eye(present.shape[1], dtype=torch.float64, device=present.device)
    pull = torch.linalg.solve(centred.T @ (weights[:, None] * centred) + penalty, centred.T * weights).T
    found = (values - means[1][:, None]) @ pull
    if whole:
        return Estimate(found, torch.zeros_like(found))
    leverage = (pull * centred).sum(1) + weights
    residual = (values - means[1][:, None] - found @ centred.T) / (1 - leverage).clamp(min=1e-9)
    return Estimate(found, ((residual**2) @ pull**2).sqrt())
