"""Sensors of real hardware: counters of joules, and meters of watts. Loads no torch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..measure import Kind
from ..messages import Message
from .readings import Clock, Difference, Joules, Reading

STUCK_AFTER = 10  # a counter that did not move for so many of its resolutions is stuck, or its resolution is misstated

GAP_AFTER = 3  # a meter that failed for longer than so many of its polls left a gap that two readings do not bridge


@dataclass(slots=True)
class CounterSensor:
    """A counter of joules, as GPUs (NVML) and processors (RAPL) have.

    The counter moves in ticks of up to `resolution_seconds` τ. Over T seconds at a steady power that leaves the true
    energy between D / (1 + τ/T) and D / (1 − τ/T), D being what the counter moved: |error| ≤ τ · mean power, and
    σ = τ / (√6 · T) of it when the phase is random. That is the interval; `low_factor` and `high_factor` widen it by
    what is known of the sensor's calibration.

    Every reading goes into a running total, so a counter may wrap as often as it likes as long as it is read at least
    once in `wraps_at_joules / max_watts` seconds.

    >>> counter = iter([90.0, 15.0])
    >>> ticks = iter([0.0, 1.0])
    >>> sensor = CounterSensor("c", "cpu", lambda: next(counter), wraps_at_joules=100, max_watts=50)
    >>> sensor.energy(sensor.read(lambda: next(ticks)), sensor.read(lambda: next(ticks))).value
    25.0

    Attributes:
        read_joules: the counter now, J.
        wraps_at_joules: where it starts again from 0; None where it never does.
        resolution_seconds: the longest time between two of its ticks; 0 where it always moves.
        max_watts: no more than this can flow: tells one wrap from two, and bounds windows below the resolution.
        every: as in Sensor; for a counter that may wrap twice in a long window.
    """

    name: str
    component: str
    read_joules: Callable[[], float]
    wraps_at_joules: float | None = None
    resolution_seconds: float = 0.0
    max_watts: float | None = None
    low_factor: float = 1.0
    high_factor: float = 1.0
    every: float | None = None
    method: str = "energy counter"
    kind: Kind = "measured"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _last: Reading | None = field(default=None, repr=False)
    _raw: float = field(default=0.0, repr=False)

    def read(self, clock: Clock = time.perf_counter) -> Reading:
        """The running total, one tick of the counter further."""
        with self._lock:
            try:
                raw = _finite(self.read_joules())
            except Exception as error:
                return _failed(self.name, clock(), error)
            now = clock()
            if self._last is None:
                self._last = Reading(now)
            else:
                self._last = self._advance(self._last, raw - self._raw, now)
            self._raw = raw
            return self._last

    def energy(self, before: Reading, after: Reading) -> Joules:
        return self.joules(Difference.between(before, after))

    def joules(self, passed: Difference) -> Joules:
        """The counter's steps with the interval of its resolution; unknown where it is stuck or lost its thread."""
        seconds, tick = passed.seconds, self.resolution_seconds
        if passed.why:
            return Joules.unknown(passed.why)
        if passed.amount <= 0:
            return self._unmoved(passed)
        value = passed.amount
        low = value if not tick else value * seconds / (seconds + passed.edges * tick)
        high = value if not tick else value * max(1.0, seconds / (tick * max(1.0, seconds / tick - passed.edges)))
        most = self._most(seconds)
        if low > most * (1 + 1e-9):
            return Joules.unknown(self._jumped(value, seconds))
        low, high = low * self.low_factor, high * self.high_factor
        if high > most:
            value, low, high = min(value, most), min(low, most), most
        return Joules(value, low, high, value)

    def _unmoved(self, passed: Difference) -> Joules:
        """Nothing counted is no measurement of 0: the counter is stuck, or the window lies between two ticks.

        Then all that is known is what the device can draw at most; a window around it tells more (`Window`).
        """
        seconds, tick = passed.seconds, self.resolution_seconds
        if seconds > STUCK_AFTER * tick * max(1, passed.edges):
            return Joules.unknown(Message("counter_stuck", {"sensor": self.name, "seconds": round(seconds, 6)}))
        most = self._most(seconds)
        if seconds <= 0 or not math.isfinite(most):
            why = Message("below_resolution", {"sensor": self.name, "seconds": seconds, "tick": tick})
            return Joules.unknown(why).unresolved()
        return Joules(most / 2, 0.0, most).unresolved()

    def _jumped(self, joules: float, seconds: float) -> Message:
        return Message(
            "counter_jumped", {"sensor": self.name, "joules": joules, "seconds": seconds, "watts": self.max_watts}
        )

    def _most(self, seconds: float) -> float:
        return math.inf if self.max_watts is None else self.max_watts * seconds

    def _advance(self, last: Reading, step: float, now: float) -> Reading:
        gap = now - last.seconds
        step, why = self._unwrapped(step, gap)
        if why is not None:
            return Reading(now, stretch=last.stretch + 1, why=why)
        amount = last.amount + step
        return Reading(now, amount, amount, amount, last.stretch, last.why)

    def _unwrapped(self, step: float, gap: float) -> tuple[float, Message | None]:
        """The counter's step, a wrap undone; or why it cannot be known."""
        wraps, most = self.wraps_at_joules, self._most(gap + self.resolution_seconds)
        if gap < 0:
            return 0.0, Message("clock_backwards", {"seconds": -gap})
        if wraps is not None and self.max_watts is not None and gap * self.max_watts >= wraps:
            return 0.0, Message(
                "counter_wrapped",
                {"sensor": self.name, "seconds": gap, "watts": self.max_watts, "joules": wraps},
            )
        if step < 0 and wraps is not None and 0 <= step + wraps <= most * (1 + 1e-9):
            return step + wraps, None
        if step < 0:
            return 0.0, Message("counter_backwards", {"sensor": self.name, "joules": -step})
        return step, None


@dataclass(slots=True)
class PowerSensor:
    """A meter of watts, integrated by the trapezoid between its readings.

    Whoever reads it adds a point: a window's edges, the edges of windows inside it, the meter's own polling where
    `every` asks for it. Between two readings the power is taken to lie between them: the bounds are the rectangles
    below and above, times `low_factor` and `high_factor` for the meter's calibration.

    Across readings that failed, for longer than GAP_AFTER times `every`, nothing is known but that no more than
    `max_watts` flowed: the bounds are 0 and that, or the energy is unknown where `max_watts` is.

    >>> watts, ticks = iter([10.0, 30.0]), iter([0.0, 2.0])
    >>> sensor = PowerSensor("p", "gpu", lambda: next(watts))
    >>> sensor.energy(sensor.read(lambda: next(ticks)), sensor.read(lambda: next(ticks)))
    Joules(value=40.0, low=20.0, high=60.0, measured=40.0, why=None)
    """

    name: str
    component: str
    read_watts: Callable[[], float]
    low_factor: float = 1.0
    high_factor: float = 1.0
    every: float | None = None
    method: str = "power, integrated by the trapezoid"
    explained: str = ""
    kind: Kind = "measured"
    max_watts: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _failure: Exception | None = field(default=None, repr=False)
    _last: Reading | None = field(default=None, repr=False)
    _watts: float = field(default=0.0, repr=False)

    def read(self, clock: Clock = time.perf_counter) -> Reading:
        """The running integral up to now."""
        with self._lock:
            try:
                watts = _not_negative(_finite(self.read_watts()))
            except Exception as error:
                self._failure = error
                return _failed(self.name, clock(), error)
            now = clock()
            self._last = Reading(now) if self._last is None else self._advance(self._last, watts, now)
            self._watts, self._failure = watts, None
            return self._last

    def energy(self, before: Reading, after: Reading) -> Joules:
        return self.joules(Difference.between(before, after))

    def joules(self, passed: Difference) -> Joules:
        if passed.why:
            return Joules.unknown(passed.why)
        if passed.seconds <= 0:
            return Joules.unknown(
                Message("below_resolution", {"sensor": self.name, "seconds": passed.seconds, "tick": 0})
            )
        low = min(passed.low * self.low_factor, passed.amount)
        high = max(passed.high * self.high_factor, passed.amount)
        return Joules(passed.amount, low, high, passed.amount if self.kind == "measured" else 0.0)

    def _advance(self, last: Reading, watts: float, now: float) -> Reading:
        gap = now - last.seconds
        if gap < 0:
            return Reading(now, stretch=last.stretch + 1, why=Message("clock_backwards", {"seconds": -gap}))
        least, most = min(self._watts, watts), max(self._watts, watts)
        if self._failure is not None and gap > GAP_AFTER * (self.every or 0.0):
            if self.max_watts is None:
                parameters = {"sensor": self.name, "seconds": gap, "error": _said(self._failure)}
                return Reading(now, stretch=last.stretch + 1, why=Message("sensor_gap", parameters))
            least, most = 0.0, max(most, self.max_watts)
        return Reading(
            now,
            last.amount + gap * (self._watts + watts) / 2,
            last.low + gap * least,
            last.high + gap * most,
            last.stretch,
            last.why,
        )


def _failed(name: str, now: float, error: Exception) -> Reading:
    return Reading(now, why=Message("sensor_failed", {"sensor": name, "error": _said(error)}), ok=False)


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"it reads {value}")
    return float(value)


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError(f"it reads {value} W")
    return value
