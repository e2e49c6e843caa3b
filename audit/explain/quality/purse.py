"""What an evaluation may cost, asked before each metric: what does not fit is left out by name, never by accident."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ...measure import Measure
from ...messages import Message
from ..core.budget import Spending
from ..errors import ExplanationError
from . import curves, learned, randomised, robustness, subsets
from .metrics import Takes
from .trial import Trial


@dataclass(slots=True)
class Purse:
    """The budget and the pace so far.

    Attributes:
        spending: budget, meter and clock.
        trial: whose evaluations are paid.
        pace: seconds that one row's evaluation took at first.
        paid: what was paid for once and serves further metrics.
        joules: read so far, where the budget is in joules.
    """

    spending: Spending
    trial: Trial
    pace: float
    paid: set[Takes] = field(default_factory=set)
    joules: Measure | None = None

    @contextmanager
    def paying(self, takes: Takes) -> Iterator[None]:
        """Around a metric; a budget in joules reads the energy of each."""
        if self.spending.budget.joules is None:
            yield
        else:
            with self.spending.meter.window("metric") as window:
                yield
            self.joules = _added(self.joules, window.energy)
        if takes in ("curves", "subsets", "networks"):
            self.paid.add(takes)

    def refuses(self, takes: Takes) -> Message | None:
        """Why a metric that takes this does not fit into what is left; None where it does."""
        budget = self.spending.budget
        cost = self.expected(takes)
        if cost == 0:
            return None
        if budget.evaluations is not None:
            spent = self.trial.evaluations / len(self.trial)
            told = {"needed": round(cost), "left": max(0, int(budget.evaluations - spent)), "unit": "evaluations a row"}
            return Message("quality_over_budget", told) if spent + cost > budget.evaluations else None
        needed = self.seconds(takes)
        gone = time.perf_counter() - self.spending.started
        if budget.seconds is not None:
            told = {"needed": _short(needed), "left": _short(max(0.0, budget.seconds - gone)), "unit": "s"}
            return Message("quality_over_budget", told) if gone + needed > budget.seconds else None
        if budget.joules is not None:
            return self._over_joules(budget.joules, needed, gone)
        return None

    def expected(self, takes: Takes) -> float:
        """Evaluations a row that it takes."""
        if takes in self.paid:
            return 0.0
        trial, methods = self.trial, len(self.trial.candidates)
        if takes == "curves":
            return (curves.ORDERS + 2 * methods) * (curves.steps(trial).shape[1] - 2)
        if takes == "subsets":
            return float(subsets.SUBSETS)
        if takes == "outputs":
            return (learned.NETWORKS + 1) * min(1.0, learned.ROWS / len(trial))
        return self._attributions(takes) * self._part(takes) * self._each()

    def seconds(self, takes: Takes) -> float:
        """How long it will take, by the pace so far."""
        count = self._attributions(takes)
        if count:
            return count * self._part(takes) * sum(candidate.found.cost.seconds for candidate in self.trial.candidates)
        return self.expected(takes) * self.pace * len(self.trial)

    def _attributions(self, takes: Takes) -> int:
        """How many times each method is asked again."""
        if takes in self.paid:
            return 0
        return {
            "networks": 1 + randomised.NETWORKS + randomised.STAGES - 1,
            "seeds": robustness.SEEDS,
            "baselines": 2,
            "moves": robustness.MOVES,
        }.get(takes, 0)

    def _part(self, takes: Takes) -> float:
        """The share of the rows that is looked at."""
        return min(1.0, randomised.ROWS / len(self.trial)) if takes == "networks" else 1.0

    def _each(self) -> float:
        """Evaluations a row of one attribution by every method."""
        costs = [candidate.found.cost.evaluations / len(candidate.found) for candidate in self.trial.candidates]
        return sum(costs)

    def _over_joules(self, joules: float, seconds: float, gone: float) -> Message | None:
        assert self.joules is not None
        used = self.joules.value
        if used is None:
            raise ExplanationError(Message("no_joules", {"why": self.joules.reason}))
        needed = used / max(gone, 1e-9) * seconds
        told = {"needed": _short(needed), "left": _short(max(0.0, joules - used)), "unit": "J"}
        return Message("quality_over_budget", told) if used + needed > joules else None


def _added(before: Measure | None, new: Measure) -> Measure:
    """The energy of both; where one could not be read, neither is known."""
    if before is None or before.value is None or new.value is None:
        return new if before is None or before.value is not None else before
    return replace(new, value=before.value + new.value, low=None, high=None, numerator=None, denominator=None)


def _short(number: float) -> float:
    return float(f"{number:.2g}")
