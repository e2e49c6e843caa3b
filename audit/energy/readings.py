"""What a sensor says at an instant, and what two such instants make of a window. Loads no torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Protocol

from ..measure import Kind
from ..messages import Message

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A sensor at one instant.

    Attributes:
        seconds: when, on the clock of whoever asked.
        amount: the sensor's running total since it was first read: joules, or what the sensor's model counts.
        low: lower bound of that total.
        high: upper bound of it.
        stretch: goes up by one each time the running total lost its thread; readings of two stretches do not compare.
        why: what made it lose the thread last, or what keeps this reading from being one.
        ok: whether there is a reading at all.
    """

    seconds: float
    amount: float = 0.0
    low: float = 0.0
    high: float = 0.0
    stretch: int = 0
    why: Message | None = None
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """What passed between two readings. Differences add, so windows that are opened again and again add up exactly.

    Attributes:
        seconds: how long.
        amount: how much of what the sensor counts.
        low: lower bound of it.
        high: upper bound of it.
        edges: how many pairs of readings stand behind it; each brings its own error of resolution.
        why: why there is no amount.
    """

    seconds: float = 0.0
    amount: float = 0.0
    low: float = 0.0
    high: float = 0.0
    edges: int = 0
    why: Message | None = None

    @classmethod
    def between(cls, before: Reading, after: Reading) -> Difference:
        """The later running total less the earlier one; undefined where they do not compare."""
        seconds = after.seconds - before.seconds
        if not before.ok or not after.ok:
            return cls(seconds, edges=1, why=before.why if not before.ok else after.why)
        if seconds < 0:
            return cls(0.0, edges=1, why=Message("clock_backwards", {"seconds": -seconds}))
        if before.stretch != after.stretch:
            return cls(seconds, edges=1, why=after.why)
        return cls(seconds, after.amount - before.amount, after.low - before.low, after.high - before.high, 1)

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.seconds + other.seconds,
            self.amount + other.amount,
            self.low + other.low,
            self.high + other.high,
            self.edges + other.edges,
            self.why or other.why,
        )

    def __sub__(self, part: Difference) -> Difference:
        """What is left of a window without a part of it: errors of resolution do not cancel, so edges add."""
        return Difference(
            self.seconds - part.seconds,
            self.amount - part.amount,
            self.low - part.low,
            self.high - part.high,
            self.edges + part.edges,
            self.why or part.why,
        )


@dataclass(frozen=True, slots=True)
class Joules:
    """Energy with its bounds, or the reason why it is not known. Bounds add: one sensor errs the same way each time.

    Attributes:
        value: joules; None exactly when `why` says why.
        low: lower bound, J.
        high: upper bound, J.
        measured: how many of the joules a sensor measured; the rest comes from a model.
        resolved: False where the window lies between two ticks, so that the sensor saw nothing of it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    measured: float = 0.0
    why: Message | None = None
    resolved: bool = field(default=True, repr=False)

    @classmethod
    def unknown(cls, why: Message | None) -> Joules:
        return cls(None, why=why or Message("sensor_failed", {"sensor": "a sensor", "error": "no reason given"}))

    def unresolved(self) -> Joules:
        """The same as a guess: the window saw no tick."""
        return replace(self, measured=0.0, resolved=False)


def total(parts: Iterable[Joules]) -> Joules:
    """The sum of what is known; unknown only where no part is known.

    >>> total([Joules(1.0, 0.5, 2.0, 1.0), Joules(3.0, 3.0, 3.0)])
    Joules(value=4.0, low=3.5, high=5.0, measured=1.0, why=None)
    """
    parts = list(parts)
    known = [part for part in parts if part.value is not None]
    if not known:
        return Joules.unknown(parts[0].why if parts else Message("no_sensor"))
    return reduce(_add, known)


def _add(a: Joules, b: Joules) -> Joules:
    return Joules(
        (a.value or 0.0) + (b.value or 0.0),
        (a.low or 0.0) + (b.low or 0.0),
        (a.high or 0.0) + (b.high or 0.0),
        a.measured + b.measured,
    )


class Sensor(Protocol):
    """Something that can be read at the edges of a window.

    Attributes:
        name: which sensor, for a person: "NVML energy counter of GPU 0".
        component: what it meters: "cpu", "gpu", "memory".
        kind: whether it measures or models.
        method: how it comes to joules, in a few words.
        every: seconds after which it wants to be read again even inside a window; None where edges are enough.
    """

    @property
    def name(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def method(self) -> str: ...
    @property
    def every(self) -> float | None: ...

    def read(self, clock: Clock = time.perf_counter, /) -> Reading:
        """Now. Never raises for what the hardware does: a failure is a reading that is not ok."""
        ...

    def joules(self, passed: Difference, /) -> Joules:
        """What passed, as joules with bounds."""
        ...

    def energy(self, before: Reading, after: Reading, /) -> Joules:
        """What passed between two readings, as joules with bounds."""
        ...
