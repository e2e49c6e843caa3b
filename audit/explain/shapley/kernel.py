"""KernelSHAP: Shapley values by regression over coalitions that all rows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.problem import Found, Problem, by_group
from .cubic import fitted
from .exact import one_group, told_background
from .game import Game
from .levels import Levels
from .options import adjusted_asked, samples_asked
from .regression import Estimate, Regression
from .rounds import Sampled, sampled

DRAWS = 12  # pairs beyond the smallest coalitions, at least: what standard errors are estimated from
FITTED = 8_192  # pairs, above which no adjustment is tried unless asked for: plain sampling is precise enough by then


def kernel_shap(problem: Problem) -> Found:
    """Shapley values by weighted regression on sampled coalitions [lundberg2017], with standard errors.

    Coalitions come in pairs of complements [covert2021]; those of few or of nearly all groups are all there, the
    others a stratified sample, the same for every row. With all 2^k − 2 of them the values are exact. What remains of
    sampling is lowered by regression adjustment (`cubic`) where a row's own standard errors say that it helps.

    Options:
        samples: coalitions. Without it and without a budget, until each standard error is 1 % of its row's summed
            absolute attributions or less.
        adjusted: True or False; None = where it helps.

    Raises:
        ExplanationError: the budget does not pay for every group once in and once out, and a dozen pairs beside.
    """
    game = Game(problem)
    asked, adjusted = samples_asked(problem), adjusted_asked(problem)
    nobody, everybody = game.ends()
    if game.players == 1:
        return one_group(problem, nobody, everybody)
    scheme = _Kernel(game, everybody - nobody, adjusted)
    found = sampled(problem, scheme, "kernel_shap", None if asked is None else -(-asked // 2))
    rule = f"{_told(scheme, found)}{told_background(game)}; {found.ended}"
    return by_group(
        problem, found.values, rule, output=everybody, baseline_output=nobody, grouped_stderr=found.stderr,
        details={"coalitions": 2 * found.units, "adjusted": scheme.chosen},
    )  # fmt: skip


def _told(scheme: _Kernel, found: Sampled) -> str:
    told = found.told(2, "coalitions in pairs")
    if int(found.units.min()) == scheme.most():
        return f"all {told}"
    return f"{told}, adjusted by interactions of three in {int(scheme.chosen.sum())} of {len(scheme.chosen)} rows"


@dataclass(slots=True, eq=False)
class _Kernel:
    """Pairs of coalitions, level by level.

    Attributes:
        game: that is played.
        change: [n] v(everybody) − v(nobody).
        adjusted: True, False, or None where each row is to decide.
        chosen: [n] bool, where the adjustment is in use.
    """

    game: Game
    change: Tensor
    adjusted: bool | None
    levels: Levels = field(init=False)
    chosen: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.levels = Levels(self.game.players, self.game.problem.generator)
        self.chosen = torch.zeros_like(self.change, dtype=torch.bool)

    def least(self) -> int:
        return self.game.players + DRAWS

    def most(self) -> int:
        return 2 ** (self.game.players - 1) - 1

    def evaluations(self, units: int) -> int:
        return (2 * units + 1) * self.game.width + 1

    def grow(self, units: int) -> Tensor:
        return self.levels.grow(units).to(self.game.device)

    def ask(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        return self.game.odd(rows, coalitions)

    def estimate(self, rows: Tensor, answers: Sequence[Tensor]) -> Estimate:
        regression = Regression.of(self.levels.design(self.game.device))
        odd = torch.cat(list(answers), 1)
        plain = _estimate(regression, odd, self.change[rows])
        few = len(regression.design.present) <= FITTED
        if self.adjusted is False or regression.design.whole or not (few or self.adjusted):
            return plain
        other = _adjusted(regression, odd, self.change[rows])
        found, self.chosen[rows] = plain.or_better(other, bool(self.adjusted))
        return found


def _estimate(regression: Regression, odd: Tensor, change: Tensor) -> Estimate:
    values = regression.solve(odd, change)
    return Estimate(values, regression.stderr(odd, values))


def _adjusted(regression: Regression, odd: Tensor, change: Tensor) -> Estimate:
    """The fitted game's values, and the sampled ones of what it misses."""
    design = regression.design
    fit = fitted(design.present, odd, design.fold)
    rest = _estimate(regression, odd - fit.predicted, change - fit.values.sum(1))
    return Estimate(fit.values + rest.values, rest.stderr)
