"""Permutation SHAP: what each group adds when it comes, averaged over sampled orders and their reverses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from ..core.problem import Found, Problem, by_group
from .cubic import fitted
from .exact import one_group, told_background
from .game import Game
from .levels import FOLDS
from .options import adjusted_asked, samples_asked
from .regression import Estimate
from .rounds import sampled

FITTED = 8_192  # pairs of coalitions, above which no adjustment is tried unless asked for


def permutation_shap(problem: Problem) -> Found:
    """The mean over sampled orders of what a group adds when it comes [castro2009], with standard errors.

    Every order is taken forwards and backwards [mitchell2022], which is exact where groups interact by two at most, and
    all rows share the orders. Each order adds up to f(x) − f(baseline), so their mean does.

    Options:
        samples: coalitions, of which an order and its reverse take 2 (k − 1) for k groups. Without it and without a
            budget, until each standard error is 1 % of its row's summed absolute attributions or less.
        adjusted: regression adjustment (`cubic`): True or False; None = in rows where their standard errors say that it
            helps. It takes five orders or more.

    Raises:
        ExplanationError: the budget does not pay for two orders and their reverses.
    """
    game = Game(problem)
    asked, adjusted = samples_asked(problem), adjusted_asked(problem)
    nobody, everybody = game.ends()
    if game.players == 1:
        return one_group(problem, nobody, everybody)
    scheme = _Orders(game, everybody - nobody, adjusted)
    orders = None if asked is None else asked // (2 * (game.players - 1))
    found = sampled(problem, scheme, "permutation_shap", orders)
    rule = f"{found.told(1, 'orders, each with its reverse')}{told_background(game)}; {found.ended}"
    return by_group(
        problem, found.values, rule, output=everybody, baseline_output=nobody, grouped_stderr=found.stderr,
        details={"orders": found.units, "adjusted": scheme.chosen},
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class _Orders:
    """Orders, each asked about by the groups that have come before each place.

    Attributes:
        game: that is played.
        change: [n] v(everybody) − v(nobody).
        adjusted: True, False, or None where each row is to decide.
        orders: what each round drew, [orders, players] int64.
        chosen: [n] bool, where the adjustment is in use.
    """

    game: Game
    change: Tensor
    adjusted: bool | None
    orders: list[Tensor] = field(default_factory=list)
    chosen: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.chosen = torch.zeros_like(self.change, dtype=torch.bool)

    def least(self) -> int:
        return 2

    def most(self) -> int:
        return 1 if self.game.players == 2 else 2**20

    def evaluations(self, units: int) -> int:
        return (2 * (self.game.players - 1) * units + 1) * self.game.width + 1

    def grow(self, units: int) -> Tensor:
        new = units - sum(len(part) for part in self.orders)
        drawn = torch.rand(new, self.game.players, generator=self.game.problem.generator, dtype=torch.float64)
        self.orders.append(drawn.argsort(1).to(self.game.device))
        return prefixes(self.orders[-1])

    def ask(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        return self.game.odd(rows, coalitions)

    def estimate(self, rows: Tensor, answers: Sequence[Tensor]) -> Estimate:
        orders, odd = torch.cat(self.orders), torch.cat(list(answers), 1)
        plain = _estimate(orders, odd, self.change[rows])
        few = odd.shape[1] <= FITTED
        if self.adjusted is False or len(orders) < FOLDS or not (few or self.adjusted):
            return plain
        other = _adjusted(orders, odd, self.change[rows])
        found, self.chosen[rows] = plain.or_better(other, bool(self.adjusted))
        return found


def prefixes(orders: Tensor) -> Tensor:
    """Who has come after 1, 2, … k − 1 steps of each order: [orders · (k − 1), k] bool."""
    m, k = orders.shape
    place = torch.empty_like(orders).scatter_(1, orders, torch.arange(k, device=orders.device).expand(m, k))
    steps = torch.arange(1, k, device=orders.device)
    return (place[:, None, :] < steps[None, :, None]).reshape(m * (k - 1), k)


def _estimate(orders: Tensor, odd: Tensor, change: Tensor) -> Estimate:
    """The mean over orders and their reverses, and its standard error by their spread.

    Orders are few, so it is widened by what Student's distribution asks: 1.96 of it either way hold 95 %.
    """
    m, k = orders.shape
    half = change[:, None, None].expand(-1, m, 1) / 2
    path = torch.cat([-half, odd.reshape(len(odd), m, k - 1), half], 2)
    added = torch.empty_like(path[:, :, 1:]).scatter_(2, orders.expand(len(odd), m, k), path.diff(dim=2))
    values = added.mean(1)
    if m == 1:  # of two groups: all orders there are
        return Estimate(values, torch.zeros_like(values))
    return Estimate(values, added.std(1) / m**0.5 * float(stdtrit(m - 1, 0.975) / ndtri(0.975)))


def _adjusted(orders: Tensor, odd: Tensor, change: Tensor) -> Estimate:
    """The fitted game's values, and the sampled ones of what it misses."""
    m, k = orders.shape
    fold = (torch.arange(m, device=odd.device) % FOLDS).repeat_interleave(k - 1)
    fit = fitted(prefixes(orders), odd, fold)
    rest = _estimate(orders, odd - fit.predicted, change - fit.values.sum(1))
    return Estimate(fit.values + rest.values, rest.stderr)
