"""Windows on what the machine draws: named, nested, each with joules, bounds and origin. Loads no torch."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import fsum
from types import TracebackType
from typing import Any

from ..measure import Kind, Measure, Where, undefined
from ..messages import Message
from ..record import Cost
from .detect import Unreadable, detect
from .readings import Clock, Difference, Joules, Reading, Sensor, total

REST = "(rest)"  # what a window's children do not account for
LONGEST_METHOD = 60  # characters that a report's table has room for


@dataclass(slots=True, eq=False)
class Window:
    """What passed while it was open, however often it was opened.

    Attributes:
        name: as it was opened.
        path: the names of the windows around it and its own, joined by "/".
        seconds: how long it was open, on the meter's clock.
        opened: how often it was opened.
    """

    name: str
    path: str
    sensors: tuple[Sensor, ...]
    seconds: float = 0.0
    opened: int = 0
    _parent: Window | None = field(default=None, repr=False)
    _open: bool = False
    _passed: list[Difference] = field(default_factory=list)
    _children: dict[str, Window] = field(default_factory=dict)

    @property
    def children(self) -> tuple[Window, ...]:
        """The windows opened directly inside, in the order in which they were first opened."""
        return tuple(self._children.values())

    @property
    def energy(self) -> Measure:
        """Joules of all components that could be read; those that could not are named in `details["undefined"]`."""
        if self._open:
            return undefined(
                Message("window_open", {"window": self.path}), analysis="energy", metric="energy", n=0, unit="J"
            )
        return self._measure(self.sensors, self._joules(), {})

    @property
    def components(self) -> dict[str, Measure]:
        """The joules of each component: "cpu", "gpu", "memory"."""
        names = dict.fromkeys(sensor.component for sensor in self.sensors)
        return {name: self._component(name) for name in names}

    @property
    def rest(self) -> Cost:
        """What the children do not account for: children and rest add up to the whole."""
        seconds = self.seconds - fsum(child.seconds for child in self.children)
        joules = total(self._rest_of(index, whole) for index, whole in enumerate(self._joules()))
        return _line(f"{self.path}/{REST}", seconds, joules, self._lost(self._joules()))

    @property
    def cost(self) -> Cost:
        """The window as a line of the audit's bill."""
        joules = self._joules()
        return _line(self.path, self.seconds, total(joules), self._lost(joules))

    def _lost(self, joules: Sequence[Joules]) -> dict[str, str]:
        return _lost(self.sensors, joules)

    def _joules(self) -> list[Joules]:
        return [self._joules_of(index) for index in range(len(self.sensors))]

    def _joules_of(self, index: int) -> Joules:
        """One sensor's joules; where it saw no tick of them, an estimate from the window around."""
        own = self._own(index)
        if own.resolved or self._parent is None or self._parent._open:
            return own
        return self._parent._estimate(index, self._passed[index].seconds, own)

    def _own(self, index: int) -> Joules:
        return self.sensors[index].joules(self._passed[index] if self._passed else Difference())

    def _estimate(self, index: int, seconds: float, own: Joules) -> Joules:
        """The joules of a child that saw no tick: this window's mean watts, or less where its siblings left less.

        What the resolved children left is shared by time, so that children never add up to more than the whole.
        """
        whole = self._joules_of(index)
        if whole.value is None or whole.high is None:
            return whole
        inside = [(child._passed[index].seconds, child._own(index)) for child in self.children if child._passed]
        seen = [(s, joules.value) for s, joules in inside if joules.resolved and joules.value is not None]
        left = whole.value - fsum(joules for _, joules in seen)
        time_left = max(seconds, self._passed[index].seconds - fsum(s for s, _ in seen))
        value = seconds * min(whole.value / self._passed[index].seconds, left / time_left) if seconds > 0 else 0.0
        if value <= 0:
            sensor = self.sensors[index].name
            return Joules.unknown(
                Message("below_resolution", {"sensor": sensor, "seconds": seconds, "tick": _tick(self.sensors[index])})
            ).unresolved()
        most = whole.high if own.high is None else min(own.high, whole.high)
        return Joules(min(value, most), 0.0, most).unresolved()

    def _rest_of(self, index: int, whole: Joules) -> Joules:
        """One sensor's joules outside the children: the whole less the parts, so that they add up again."""
        if whole.value is None:
            return whole
        left = self._passed[index]
        parts = [(c._passed[index], c._joules_of(index)) for c in self.children if c._passed]
        known = [(passed, joules) for passed, joules in parts if joules.value is not None]
        for passed, _ in known:
            left = left - passed
        value = max(0.0, whole.value - fsum(joules.value or 0.0 for _, joules in known))  # below 0 by rounding only
        measured = min(value, max(0.0, whole.measured - fsum(joules.measured for _, joules in known)))
        bounds = self.sensors[index].joules(left)
        high = whole.high if bounds.high is None else bounds.high
        return Joules(value, min(value, bounds.low or 0.0), max(value, high or 0.0), measured)

    def _component(self, name: str) -> Measure:
        chosen = [(s, j) for s, j in zip(self.sensors, self._joules(), strict=True) if s.component == name]
        if any(joules.value is None for _, joules in chosen):
            chosen = [(s, j) for s, j in chosen if j.value is None]
        return self._measure([s for s, _ in chosen], [j for _, j in chosen], {"component": name})

    def _measure(self, sensors: Sequence[Sensor], joules: Sequence[Joules], where: Where) -> Measure:
        whole = total(joules)
        if whole.value is None or whole.low is None or whole.high is None:
            why = whole.why or Message("no_sensor")
            return undefined(why, analysis="energy", metric="energy", n=self.opened, where=where, unit="J")
        used = [s for s, j in zip(sensors, joules, strict=True) if j.value is not None]
        guessed = any(not j.resolved for j in joules if j.value is not None)
        kind: Kind = "estimated" if guessed or any(s.kind != "measured" for s in used) else "measured"
        return Measure(
            analysis="energy",
            metric="energy",
            where=where,
            value=whole.value,
            low=min(whole.low, whole.value),
            high=max(whole.high, whole.value),
            method=_method(used),
            kind=kind,
            unit="J",
            n=self.opened,
            details={
                "share_measured": _share(whole.measured, whole.value),
                "interval": "bounds",  # of resolution, calibration and models: no share of repetitions stands behind it
                **_parts(sensors, joules),
            },
        )


class Meter:
    """Sensors read at the edges of windows.

    Opening and closing a window takes microseconds: each sensor is read once, and CUDA is waited for where it is in
    use, so that work still queued on the device is charged to the window that queued it. No thread runs unless a sensor
    wants to be read in between (`every`), and then only while a window is open. Threads each have their own windows.

    >>> joules, seconds = iter([0.0, 30.0]), iter([0.0, 0.0, 3.0, 3.0])
    >>> from .sensors import CounterSensor
    >>> meter = Meter([CounterSensor("c", "cpu", lambda: next(joules))], clock=lambda: next(seconds))
    >>> with meter.window("work") as window:
    ...     pass
    >>> window.energy.value, window.seconds
    (30.0, 3.0)

    Attributes:
        sensors: what is read; none at all leaves every window's energy undefined, never 0.
        clock: monotonic seconds.
        unreadable: the sensors that could not be read, why, and what to do about it.
    """

    def __init__(
        self, sensors: Sequence[Sensor], clock: Clock = time.perf_counter, unreadable: Sequence[Unreadable] = ()
    ) -> None:
        self.sensors = tuple(sensors)
        self.clock = clock
        self.unreadable = tuple(unreadable)
        self._here = threading.local()
        self._poller = Poller(self.sensors, clock)

    @classmethod
    def detect(cls) -> Meter:
        """A meter of whatever this machine lets be read; a model of processor and memory where that is nothing."""
        sensors, unreadable = detect()
        return cls(sensors, unreadable=unreadable)

    @contextmanager
    def window(self, name: str) -> Iterator[Window]:
        """Open a window around what is to be metered. Windows of one name inside the same window add up."""
        stack = self._stack()
        window = self._window(name, stack[-1] if stack else None)
        with self._poller:
            synchronise()
            window._open = True
            stack.append(window)
            start = self.clock()
            before = self._read()
            try:
                yield window
            finally:
                try:
                    synchronise()
                finally:
                    stack.pop()
                    self._close(window, start, before)

    def _close(self, window: Window, start: float, before: Sequence[Reading]) -> None:
        after = self._read()
        window.seconds += max(0.0, self.clock() - start)
        passed = [Difference.between(a, b) for a, b in zip(before, after, strict=True)]
        earlier = window._passed or [Difference()] * len(passed)
        window._passed = [a + b for a, b in zip(earlier, passed, strict=True)]
        window.opened += 1
        window._open = False

    def _read(self) -> list[Reading]:
        return [sensor.read(self.clock) for sensor in self.sensors]

    def _stack(self) -> list[Window]:
        if not hasattr(self._here, "stack"):
            self._here.stack = []
        return self._here.stack

    def _window(self, name: str, parent: Window | None) -> Window:
        if parent is None:
            return Window(name, name, self.sensors)
        if name not in parent._children:
            parent._children[name] = Window(name, f"{parent.path}/{name}", self.sensors, _parent=parent)
        return parent._children[name]


class Poller:
    """Reads the sensors that want it while a window is open. It starts no thread where none wants it."""

    def __init__(self, sensors: Sequence[Sensor], clock: Clock) -> None:
        self._wanting = [(sensor, sensor.every) for sensor in sensors if sensor.every is not None]
        self._clock = clock
        self._lock = threading.Lock()
        self._windows = 0
        self._stop = threading.Event()

    def __enter__(self) -> None:
        if not self._wanting:
            return
        with self._lock:
            self._windows += 1
            if self._windows == 1:
                self._stop = threading.Event()
                threading.Thread(target=self._run, args=(self._stop,), name="gnomon-meter", daemon=True).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._wanting:
            return
        with self._lock:
            self._windows -= 1
            if not self._windows:
                self._stop.set()

    def _run(self, stop: threading.Event) -> None:
        due = dict.fromkeys(range(len(self._wanting)), 0.0)
        while not stop.wait(min(every for _, every in self._wanting)):
            now = time.monotonic()
            for index, (sensor, every) in enumerate(self._wanting):
                if now >= due[index]:
                    sensor.read(self._clock)
                    due[index] = now + every


def costs(window: Window) -> tuple[Cost, ...]:
    """A window, what is inside it, and the unattributed rest of each that has something inside, as lines of a bill.

    Phases are paths, "audit", "audit/score", "audit/(rest)": the lines under a path add up to it.
    """
    lines = [window.cost, *(line for child in window.children for line in costs(child))]
    return (*lines, window.rest) if window.children else tuple(lines)


def synchronise() -> None:
    """Wait for the CUDA devices in use; nothing where torch is not loaded or has not touched CUDA."""
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return
    current = cuda.current_device()
    for device in range(cuda.device_count()):
        if device == current or cuda.memory_reserved(device):
            cuda.synchronize(device)


def _line(phase: str, seconds: float, joules: Joules, lost: dict[str, str]) -> Cost:
    if joules.value is None:
        return Cost(phase, seconds, undefined=lost)
    share = _share(joules.measured, joules.value)
    return Cost(phase, seconds, joules.value, joules.low, joules.high, share, lost)


def _lost(sensors: Sequence[Sensor], joules: Sequence[Joules]) -> dict[str, str]:
    """The components that have a sensor without joules, and why."""
    reasons: dict[str, list[str]] = {}
    for sensor, part in zip(sensors, joules, strict=True):
        if part.value is None:
            reasons.setdefault(sensor.component, []).append(str(part.why))
    return {component: "; ".join(dict.fromkeys(said)) for component, said in reasons.items()}


def _method(sensors: Sequence[Sensor]) -> str:
    """How the sensors come to joules, short enough for a table's cell; details["sensors"] has it in full."""
    said = " + ".join(dict.fromkeys(sensor.method for sensor in sensors))
    return said if len(said) <= LONGEST_METHOD else f"{len(sensors)} sensors added up"


def _tick(sensor: Sensor) -> float:
    return getattr(sensor, "resolution_seconds", 0.0)


def _share(measured: float, value: float) -> float:
    return min(1.0, max(0.0, measured / value)) if value else 0.0


def _parts(sensors: Sequence[Sensor], joules: Sequence[Joules]) -> dict[str, Any]:
    rows = [
        {
            "sensor": s.name,
            "component": s.component,
            "kind": s.kind,
            "method": s.method,
            **({"explained": said} if (said := getattr(s, "explained", "")) else {}),
            "value": j.value,
            "low": j.low,
            "high": j.high,
        }
        for s, j in zip(sensors, joules, strict=True)
    ]
    lost = _lost(sensors, joules)
    return {"sensors": rows, **({"undefined": list(lost), "why": list(lost.values())} if lost else {})}
