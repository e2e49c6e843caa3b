"""How much an explanation may cost, and what it has cost so far: evaluations of the model a row, seconds, joules."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from ...energy.meter import Meter, Window
from ...measure import Measure
from ...messages import Message
from ..errors import ExplanationError

LEAST = 0.1  # seconds or joules: a budget of nothing is none
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(s|J)\s*")


@cache
def meter_here() -> Meter:
    """The meter of this machine's sensors, looked for once a process."""
    return Meter.detect()


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent. All None: the method's own measure.

    Attributes:
        evaluations: of the model, for each row.
        seconds: for the whole call.
        joules: for the whole call.
    """

    evaluations: int | None = None
    seconds: float | None = None
    joules: float | None = None

    @classmethod
    def of(cls, asked: int | str | None) -> Budget:
        """From 1000 (evaluations a row), "2s" or "50J".

        Raises:
            ExplanationError: it is none of these.

        Example:
            >>> Budget.of("2s").seconds
            2.0
        """
        if asked is None:
            return cls()
        if isinstance(asked, int) and not isinstance(asked, bool) and asked > 0:
            return cls(evaluations=asked)
        found = _TEXT.fullmatch(asked) if isinstance(asked, str) else None
        if found is None or float(found[1]) <= 0:
            raise ExplanationError(Message("bad_budget", {"given": repr(asked)}))
        amount, unit = float(found[1]), found[2]
        return cls(seconds=amount) if unit == "s" else cls(joules=amount)


@dataclass(slots=True)
class Spending:
    """A call's running bill. Methods that sample do so in steps, and ask before each whether there is room for it.

    >>> spending = Spending(Budget.of(100), Meter([]))
    >>> spending.room(evaluations=60), spending.room(evaluations=120)
    (True, False)

    Attributes:
        window: the meter's window around the whole call, open while it runs.
        steps: how many steps were taken.
    """

    budget: Budget
    meter: Meter
    window: Window | None = None
    started: float = field(default_factory=time.perf_counter)
    steps: int = 0
    _longest: float = 0.0
    _step: Window | None = None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Around the whole call."""
        with self.meter.window("attribute") as self.window:
            yield

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around one step of sampling."""
        before = time.perf_counter()
        with self.meter.window("step") as self._step:
            yield
        self.steps += 1
        self._longest = max(self._longest, time.perf_counter() - before)

    def room(self, evaluations: int) -> bool:
        """Whether another step may be taken, which brings the evaluations of a row to so many.

        A step is begun only where the longest one so far would still fit; the first always is.

        Raises:
            ExplanationError: the budget is in joules, and none can be read here.
        """
        if self.budget.evaluations is not None:
            return evaluations <= self.budget.evaluations
        if not self.steps:
            return True
        if self.budget.seconds is not None:
            return self.elapsed + self._longest <= self.budget.seconds
        if self.budget.joules is not None:
            return self._joules() * (1 + 1 / self.steps) <= self.budget.joules
        return True

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.perf_counter() - self.started

    @property
    def over(self) -> bool:
        """Whether the seconds or joules are spent.

        Raises:
            ExplanationError: the budget is in joules, and none can be read here.
        """
        if self.budget.seconds is not None:
            return self.elapsed >= self.budget.seconds
        return self.budget.joules is not None and self.steps > 0 and self._joules() >= self.budget.joules

    @property
    def left(self) -> str | None:
        """What is left, as a budget of its own; None where there is no limit of seconds or joules.

        Raises:
            ExplanationError: the budget is in joules, and none can be read here.
        """
        if self.budget.seconds is not None:
            return f"{max(self.budget.seconds - self.elapsed, LEAST):.3f}s"
        if self.budget.joules is not None:
            return f"{max(self.budget.joules - (self._joules() if self.steps else 0.0), LEAST):.3f}J"
        return None

    def _joules(self) -> float:
        """Spent in steps so far."""
        assert self._step is not None
        used = self._step.energy  # of all steps: a window adds up however often it is opened
        if used.value is None:
            raise ExplanationError(Message("no_joules", {"why": used.reason}))
        return used.value


@dataclass(frozen=True, slots=True)
class Cost:
    """What an explanation took.

    Attributes:
        evaluations: rows that went through the model.
        gradients: rows whose gradient was taken, each by one of these evaluations.
        seconds: on the clock.
        metered: the window that was open meanwhile, from which the joules are computed when they are asked for.
    """

    evaluations: int
    gradients: int
    seconds: float
    metered: Window | Measure = field(repr=False)

    @property
    def energy(self) -> Measure:
        """Joules with bounds and origin; the value is None where nothing could be read, and the reason says why."""
        return self.metered.energy if isinstance(self.metered, Window) else self.metered

    def __reduce__(self) -> tuple[type[Cost], tuple[int, int, float, Measure]]:
        """Stored and sent with its joules: a window holds sensors, which stay on their machine."""
        return Cost, (self.evaluations, self.gradients, self.seconds, self.energy)

    @property
    def joules(self) -> float | None:
        """The energy's value."""
        return self.energy.value
