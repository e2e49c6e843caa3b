"""The budget of the whole analysis: what may still be done, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from ...analysis import Section
from ...energy.meter import Meter
from ...errors import CriteriaError
from ...findings import Finding, Verdict
from ...measure import undefined
from ...messages import Message
from ...record import Exhibit
from ..core.budget import Budget, Cost, Spending, meter_here
from ..errors import ExplanationError


@dataclass(slots=True)
class Allowance:
    """Seconds or joules for several parts, one after another; a part that begins is finished.

    Attributes:
        spending: the running bill; None = no limit.
        asked: as the user wrote it.
        bill: the evaluations and gradients of each part.
    """

    spending: Spending | None
    asked: int | str | None
    bill: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, asked: int | str | None, meter: Meter | None) -> Allowance:
        """From "120s" or "50J"; a number of evaluations a row limits each method by itself, and not the whole.

        Raises:
            ExplanationError: it is no budget.
        """
        budget = Budget.of(asked)
        whole = budget.seconds is not None or budget.joules is not None
        return cls(Spending(budget, meter or meter_here()) if whole else None, asked)

    @property
    def each(self) -> int | None:
        """Evaluations a row, for a method that samples."""
        return self.asked if isinstance(self.asked, int) else None

    @property
    def left(self) -> str | None:
        """What is left for a part that keeps to a budget itself; None = no limit.

        Raises:
            ExplanationError: the budget is in joules, and none can be read here.
        """
        if self.spending is None:
            return None
        return self.spending.left

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Around a part that is done whatever is left; what it takes is spent all the same."""
        with nullcontext() if self.spending is None else self.spending.step():
            yield

    def spend(self, name: str, metric: str, do: Callable[[], Section]) -> Section:
        """What the part says; that it is not measured, where it fails or the budget is spent.

        A part that stops by an error of ours is an ERROR in the record, and the others go on.
        """
        try:
            if self.spending is None:
                return do()
            if self.spending.over:
                return _without(name, metric, Message("budget_spent", {"budget": str(self.asked)}))
            with self.spending.step():
                return do()
        except ExplanationError as refusal:
            return _without(name, metric, refusal.why)
        except CriteriaError:
            raise
        except Exception as error:
            return _stopped(name, metric, error)

    def book(self, part: str, cost: Cost) -> None:
        """Put on the bill what a part took."""
        self.bill.append({"part": part, "evaluations": cost.evaluations, "gradients": cost.gradients})

    def exhibit(self, name: str) -> Exhibit:
        """The budget, and each part's evaluations and gradients; seconds and joules are on the audit's own bill."""
        return Exhibit(name, "explanation_cost", {"budget": self.asked, "parts": list(self.bill)})


def _without(name: str, metric: str, why: Message) -> Section:
    return Section((undefined(why, analysis=name, metric=metric, n=0),), limitations=(why,))


def _stopped(name: str, metric: str, error: Exception) -> Section:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    why = Message("part_stopped", {"error": said})
    parameters = {"analysis": f"{name}, {metric}", "error": said}
    finding = Finding(f"{name}.crashed.{metric}", "analysis_crashed", parameters, Verdict.ERROR, "high")
    return replace(_without(name, metric, why), findings=(finding,))
