"""Sampling in rounds: as much as was asked for, or until each row's standard errors are small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Problem
from ..errors import ExplanationError
from .regression import Estimate

SHARE = 0.01  # of the summed absolute attributions of a row, that its largest standard error may be
CAP = 16_384  # evaluations a row, where nothing else ends the sampling


class Scheme(Protocol):
    """A way of sampling: units are pairs of coalitions, orders, …"""

    def least(self) -> int:
        """Units that an estimate takes at least."""
        ...

    def most(self) -> int:
        """Units that there are."""
        ...

    def evaluations(self, units: int) -> int:
        """Evaluations a row that so many units take in all."""
        ...

    def grow(self, units: int) -> Tensor:
        """Draw until there are so many units; the new coalitions, [m, players] bool."""
        ...

    def ask(self, rows: Tensor, coalitions: Tensor) -> Tensor:
        """What the model says, [rows, m]."""
        ...

    def estimate(self, rows: Tensor, answers: Sequence[Tensor]) -> Estimate:
        """From all answers so far, one tensor [rows, m] a round."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What sampling came to.

    Attributes:
        values: [n, players].
        stderr: [n, players].
        units: [n] int64, how many each row's estimate is made from.
        ended: why it ended, in words.
    """

    values: Tensor
    stderr: Tensor
    units: Tensor
    ended: str

    def told(self, each: int, what: str) -> str:
        """How many of these were asked about, `each` of them a unit: "1,000 coalitions", "168 to 400 coalitions"."""
        least, most = each * int(self.units.min()), each * int(self.units.max())
        return f"{most:,} {what}" if least == most else f"{least:,} to {most:,} {what}"


def sampled(problem: Problem, scheme: Scheme, method: str, asked: int | None) -> Sampled:
    """Run a scheme within the problem's budget.

    All rows share the draws, and a row's answer does not depend on which rows are beside it: each stops by itself.

    Args:
        problem: with the budget.
        scheme: how to draw and to estimate.
        method: its name, for errors.
        asked: units by the option `samples`; None = by the budget, or until the standard errors are small.

    Raises:
        ExplanationError: the budget does not pay for the least that an estimate takes.
    """
    budget = problem.spending.budget
    _affordable(scheme, budget.evaluations, method, asked)
    most = min(scheme.most(), scheme.most() if asked is None else asked)
    if budget.seconds is not None or budget.joules is not None:
        return _fixed(problem, scheme, _steady(scheme, most), "as many coalitions as the budget paid for")
    if asked is not None:
        return _fixed(problem, scheme, iter([most]), "as many coalitions as were asked for")
    if budget.evaluations is not None:
        units = _within(scheme, budget.evaluations)
        return _fixed(problem, scheme, iter([units]), "as many coalitions as the budget paid for")
    return _until_small(problem, scheme)


def _affordable(scheme: Scheme, budget: int | None, method: str, asked: int | None) -> None:
    least = min(scheme.least(), scheme.most())
    needed = scheme.evaluations(least if asked is None else min(max(asked, least), scheme.most()))
    given = budget if budget is not None else None if asked is None else scheme.evaluations(asked)
    if given is not None and given < needed:
        raise ExplanationError(Message("budget_too_small", {"given": given, "method": method, "needed": needed}))


def _within(scheme: Scheme, budget: int) -> int:
    """The most units that a number of evaluations pays for."""
    fixed, each = scheme.evaluations(0), scheme.evaluations(1) - scheme.evaluations(0)
    return min(scheme.most(), (budget - fixed) // each)


def _steady(scheme: Scheme, most: int) -> Iterator[int]:
    """Totals up to `most` that grow by the same amount, so that the time of one step tells that of the next."""
    step = total = min(most, 2 * scheme.least())
    while total < most:
        yield total
        total = min(most, total + step)
    yield most


def _fixed(problem: Problem, scheme: Scheme, totals: Iterator[int], ended: str) -> Sampled:
    rows = torch.arange(len(problem), device=problem.inputs[0].device)
    answers, units = [], 0
    for total in totals:
        if answers and not problem.spending.room(scheme.evaluations(total)):
            break
        with problem.spending.step():
            answers.append(scheme.ask(rows, scheme.grow(total)))
        units = total
    found = scheme.estimate(rows, answers)
    return Sampled(found.values, found.stderr, torch.full_like(rows, units), ended)


def _until_small(problem: Problem, scheme: Scheme) -> Sampled:
    """Rounds of twice as many draws each; a row is done when its errors are small."""
    n, device = len(problem), problem.inputs[0].device
    rows, answers = torch.arange(n, device=device), []
    total, cap = min(scheme.most(), 2 * scheme.least()), max(_within(scheme, CAP), min(scheme.least(), scheme.most()))
    values = stderr = torch.zeros(0)
    units, small = torch.zeros(n, dtype=torch.int64, device=device), 0
    while True:
        total = min(total, cap)
        with problem.spending.step():
            answers.append(scheme.ask(rows, scheme.grow(total)))
        found = scheme.estimate(rows, answers)
        if not len(values):
            values, stderr = torch.zeros_like(found.values), torch.zeros_like(found.values)
        values[rows], stderr[rows], units[rows] = found.values, found.stderr, total
        done = found.stderr.amax(1) <= SHARE * found.values.abs().sum(1)
        small += int(done.sum())
        if total == cap or bool(done.all()):
            break
        rows, answers = rows[~done], [part[~done] for part in answers]
        total *= 2
    ended = f"until each standard error was 1 % of its row's sum or less ({small} of {n} rows)"
    return Sampled(values, stderr, units, ended + (f", {CAP:,} evaluations a row at most" if small < n else ""))
