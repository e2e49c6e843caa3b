"""Means of random draws with their standard errors, and how many draws there may be."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...messages import Message
from ..core.budget import Budget
from ..core.problem import Problem, Tensors
from ..errors import ExplanationError


def samples(problem: Problem) -> int | None:
    """How many are asked for by the option `samples`; None where it was not given.

    Raises:
        ExplanationError: it is no such number.
    """
    given = problem.options.get("samples")
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 2):
        return given
    wanted = "a whole number of 2 or more"
    raise ExplanationError(Message("bad_option", {"option": "samples", "given": repr(given), "wanted": wanted}))


def number(problem: Problem, name: str, usual: float) -> float:
    """An option that is a number from 0 on.

    Raises:
        ExplanationError: it is none.
    """
    given = problem.options.get(name, usual)
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given < float("inf"):
        return float(given)
    wanted = "a number from 0 on"
    raise ExplanationError(Message("bad_option", {"option": name, "given": repr(given), "wanted": wanted}))


def limit(problem: Problem, asked: int | None, usual: int) -> int | None:
    """How many draws at most: as asked; else None where a budget decides, and as usual where there is none."""
    if asked is not None:
        return asked
    return usual if problem.spending.budget == Budget() else None


@dataclass(slots=True)
class Means:
    """Running means of draws of shape [n, ...], and their standard errors [welford1962].

    Attributes:
        n: how many draws.
        mean: for each input, float64.
        squares: for each input, the sum of squared deviations.
    """

    n: int
    mean: Tensors
    squares: Tensors

    @classmethod
    def like(cls, inputs: Tensors) -> Means:
        zeros = [torch.zeros_like(x, dtype=torch.float64) for x in inputs]
        return cls(0, tuple(zeros), tuple(z.clone() for z in zeros))

    def add(self, draw: Tensors) -> None:
        self.n += 1
        for mean, squares, value in zip(self.mean, self.squares, draw, strict=True):
            delta = value.double() - mean
            mean += delta / self.n
            squares += delta * (value.double() - mean)

    def check(self, problem: Problem, method: str, needed: int) -> None:
        """Raise where there are not two draws, because the budget has no room for them."""
        if self.n < 2:
            given = problem.spending.budget.evaluations
            raise ExplanationError(Message("budget_too_small", {"given": given, "method": method, "needed": needed}))

    @property
    def stderr(self) -> Tensors:
        """Of the means; needs two draws or more."""
        return tuple((s / (self.n - 1) / self.n).sqrt() for s in self.squares)
