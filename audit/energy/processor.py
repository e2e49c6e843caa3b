"""What processor and memory draw where no sensor can be read: models, with their band. Loads no torch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..measure import Kind
from ..messages import Message
from .readings import Clock, Difference, Joules, Reading
from .sensors import PowerSensor

WATTS_PER_THREAD = 4.0  # of a processor that no table knows, as codecarbon has it (codecarbon/core/cpu.py)
WATTS_PER_GIGABYTE = 0.3725  # memory in use or not [lannelongue2021]
WATTS_PER_MODULE = 5.0  # one memory module on x86; less for each beyond the fourth (codecarbon/external/ram.py)


def band(utilisation: float) -> tuple[float, float, float]:
    """Power of a processor as (point, low, high) shares of its TDP, at a utilisation between 0 and 1.

    The point is 0.7 · (0.2 + 0.8 u), the band [0.05 + 0.35 u, min(1.1, 0.40 + 0.80 u)]. Against measured RAPL energy of
    four processors at stated loads [codecarbon] the band holds 92 % of the points and the point's mean error is 32 %;
    the cubic 0.1 + 0.9 u³ has 46 % and is 43 % too low. No model of TDP alone does better than about 30 %.

    >>> [round(share, 3) for share in band(0.5)]
    [0.42, 0.225, 0.8]
    """
    u = min(1.0, max(0.0, utilisation))
    return 0.7 * (0.2 + 0.8 * u), 0.05 + 0.35 * u, min(1.1, 0.40 + 0.80 * u)


@dataclass(slots=True)
class ProcessorModel:
    """The processor's energy from its thermal design power and how busy it was: an estimate with a wide band.

    Utilisation is the time that all of the machine's threads were busy over the time that they had. The kernel books it
    in ticks, so a window's utilisation is uncertain by a tick a thread, and its band widens by that.

    Attributes:
        read_busy: seconds that the machine's threads were busy, summed, since some fixed moment.
        threads: how many threads the machine has.
        watts: thermal design power of what the machine has of the chip, W.
        tick_seconds: granularity of `read_busy`.
    """

    name: str
    read_busy: Callable[[], float]
    threads: int
    watts: float
    tick_seconds: float = 0.01
    component: str = "cpu"
    method: str = "TDP and utilisation"
    explained: str = ""
    kind: Kind = "estimated"
    every: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def read(self, clock: Clock = time.perf_counter) -> Reading:
        """How long the machine's threads have been busy."""
        with self._lock:
            try:
                busy = float(self.read_busy())
            except Exception as error:
                return Reading(
                    clock(), why=Message("sensor_failed", {"sensor": self.name, "error": str(error)}), ok=False
                )
            return Reading(clock(), busy, busy, busy)

    def energy(self, before: Reading, after: Reading) -> Joules:
        return self.joules(Difference.between(before, after))

    def joules(self, passed: Difference) -> Joules:
        if passed.why:
            return Joules.unknown(passed.why)
        if passed.seconds <= 0:
            return Joules.unknown(
                Message("below_resolution", {"sensor": self.name, "seconds": passed.seconds, "tick": self.tick_seconds})
            )
        share = passed.amount / (self.threads * passed.seconds)
        slack = passed.edges * self.tick_seconds / passed.seconds
        scale = self.watts * passed.seconds
        return Joules(band(share)[0] * scale, band(share - slack)[1] * scale, band(share + slack)[2] * scale)


def memory_model(gibibytes: float) -> PowerSensor:
    """Memory by its size: between 0.3725 W/GB [lannelongue2021] and codecarbon's watts by module, the middle as point.

    Neither knows the load, and they differ by a factor of two and more; nothing better is known without a sensor.

    Args:
        gibibytes: 2^30 bytes each, as modules are made and both rules count; what is said of them is in GB of 10^9.
    """
    by_size, by_module = WATTS_PER_GIGABYTE * gibibytes, watts_of_modules(modules(gibibytes))
    explained = (
        f"{gibibytes * 2**30 / 1e9:.3g} GB, between {by_size:.3g} W by the gigabyte and {by_module:.3g} W by the module"
    )
    middle = (by_size + by_module) / 2
    return PowerSensor(
        "memory by its size",
        "memory",
        lambda: middle,
        low_factor=min(by_size, by_module) / middle,
        high_factor=max(by_size, by_module) / middle,
        method="memory by its size",
        explained=explained,
        kind="estimated",
    )


def modules(gigabytes: float) -> int:
    """How many memory modules a machine of that size is likely to have (codecarbon/external/ram.py).

    >>> [modules(size) for size in (2, 16, 23, 64, 128, 256, 1024)]
    [1, 2, 4, 4, 8, 8, 8]
    """
    for limit, count in ((2, 1), (16, 2), (64, 4), (128, 8)):
        if gigabytes <= limit:
            return count
    size = max(size for size in (4, 8, 16, 32, 64, 128) if size <= gigabytes / 8)
    return min(32, math.ceil(gigabytes / size))


def watts_of_modules(count: int) -> float:
    """5 W each for the first four, 90 % of that for the next four, 80 % up to sixteen, 70 % beyond.

    >>> [watts_of_modules(count) for count in (4, 8, 16, 32)]
    [20.0, 38.0, 70.0, 126.0]
    """
    steps = ((4, 1.0), (8, 0.9), (16, 0.8), (math.inf, 0.7))
    watts, counted = 0.0, 0
    for limit, factor in steps:
        here = int(max(0, min(count, limit) - counted))
        watts, counted = watts + here * WATTS_PER_MODULE * factor, counted + here
    return round(max(watts, 2 * WATTS_PER_MODULE), 6)
