"""Which sensors this machine lets be read, which not, why, and what to do about it. Needs no root, asks no network."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from . import tables
from .processor import WATTS_PER_THREAD, ProcessorModel, memory_model
from .readings import Sensor
from .sensors import CounterSensor, PowerSensor

POWERCAP = Path("/sys/class/powercap")
PROC = Path("/proc")
RAPL_TICK = 0.001  # RAPL counters are renewed about every millisecond [khan2018]
RAPL_WATTS = 1000.0  # more than any one package draws; used where the kernel names no limit
GPU_CALIBRATION = (0.95, 1.05)  # gain of NVML's sensors [yang2024]
GPU_TICK = 0.1  # NVML's counter moves about every 100 ms [yang2024]; taken where probing sees too few ticks
GPU_POLL = 0.1  # s between readings of a GPU without a counter
PROBE_SECONDS = 0.5

PERMISSION = "root alone may read it since PLATYPUS (CVE-2020-8694)"
PERMISSION_CURE = "sudo chmod o+r {file}, or the same in a udev rule so that it lasts"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sensor that could not be read.

    Attributes:
        sensor: which.
        why: what stands in the way.
        cure: what the user can do.
    """

    sensor: str
    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.sensor}: {self.why}; {self.cure}"


Found = tuple[list[Sensor], list[Unreadable]]


def detect(powercap: Path = POWERCAP, proc: Path = PROC, nvml: Any = None) -> Found:
    """The sensors of this machine, counters before models, and what could not be read.

    Args:
        powercap: where the kernel shows RAPL.
        proc: where it shows load and processor.
        nvml: NVIDIA's management library as pynvml has it; None looks for a driver first.
    """
    gpus, no_gpus = gpu_sensors(nvml)
    rapl, no_rapl = rapl_sensors(powercap)
    sensors, unreadable = gpus + rapl, no_gpus + no_rapl
    metered = {sensor.component for sensor in rapl}
    if "cpu" not in metered:
        sensors.append(processor_model(proc))
    if "memory" not in metered:
        sensors.append(memory_model(psutil.virtual_memory().total / 2**30))
    return sensors, unreadable


def rapl_sensors(root: Path = POWERCAP) -> Found:
    """Intel's and AMD's running average power limit counters: each package once, and memory where it has its own.

    Cores and uncore lie inside the package, psys around it: neither is added. A package that is shown twice
    (by MMIO, or by each of its dies) counts once [codecarbon]. Where one package cannot be read
    none is used, lest a part of the processors pass for the whole.
    """
    zones = _zones(root)
    if not zones:
        why = "the kernel shows no RAPL counters" if sys.platform == "linux" else "RAPL is read on Linux only"
        cure = "load intel_rapl_msr on bare metal; guests and most containers have none, so a model stands in"
        return [], [Unreadable("RAPL", why, cure)]
    sensors: list[Sensor] = []
    unreadable: list[Unreadable] = []
    partial: set[str] = set()
    for zone, component in _distinct(zones):
        why = _locked(zone)
        if why is None:
            sensors.append(_rapl_sensor(zone, component))
        else:
            unreadable.append(why)
            partial.add(component)
    return [sensor for sensor in sensors if sensor.component not in partial], unreadable


def gpu_sensors(nvml: Any = None) -> Found:
    """The energy counter of every NVIDIA GPU, or its power where it has no counter (before Volta)."""
    if nvml is None and not _driver():
        return [], [
            Unreadable("NVML", "no NVIDIA driver is loaded", "install the driver if the machine has such a GPU")
        ]
    try:
        nvml = nvml or _nvml()
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    except Exception as error:
        return [], [Unreadable("NVML", str(error), "check that nvidia-smi runs for this user")]
    sensors: list[Sensor] = []
    unreadable: list[Unreadable] = []
    ticks: dict[str, float] = {}
    for index, handle in enumerate(handles):
        try:
            sensors.append(_gpu_sensor(nvml, index, handle, ticks))
        except Exception as error:
            unreadable.append(Unreadable(f"GPU {index}", str(error), "this GPU tells neither energy nor power"))
    return sensors, unreadable


def processor_model(proc: Path = PROC) -> ProcessorModel:
    """The model of this machine's processor: its chip's design power, or the part of it that a guest has."""
    threads = psutil.cpu_count() or os.cpu_count() or 1
    text = _text(proc / "cpuinfo")
    watts, said = design_power(text or f"model name : {platform.processor()}", threads)
    read, tick = busy_reader(proc / "stat")
    return ProcessorModel("processor model", read, threads, watts, tick, explained=f"TDP: {said}")


def design_power(cpuinfo: str, threads: int) -> tuple[float, str]:
    """The watts that a full load of `threads` threads is rated at, and how that is known.

    A guest sees some of a chip's threads: it is given that share of the chip's TDP where the chip's name says how many
    cores it has (two threads each), else 4 W a thread, as for a chip that no table knows.
    """
    name = _first(r"model name\s*:\s*(.+)", cpuinfo) or "unknown processor"
    entry = tables.processor(name)
    guest = re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE) is not None
    if entry is None:
        return WATTS_PER_THREAD * threads, f"{name} is in no table, so {WATTS_PER_THREAD:g} W a thread"
    sockets = max(1, len(set(re.findall(r"physical id\s*:\s*(\d+)", cpuinfo))))
    if not guest:
        return entry.watts * sockets, f"{entry.watts:g} W × {sockets} of {entry.name}"
    cores = _first(r"(\d+)-Core", name)
    if cores is None:
        said = f"a guest's unknown share of {entry.name}, so {WATTS_PER_THREAD:g} W a thread"
        return WATTS_PER_THREAD * threads, said
    share = min(1.0, threads / (2 * int(cores) * sockets))
    return entry.watts * sockets * share, f"{share:.3g} of the threads of {entry.name}, {entry.watts:g} W × {sockets}"


def busy_reader(stat: Path) -> tuple[Callable[[], float], float]:
    """A function that reads the seconds that all threads were busy, and its granularity in seconds."""
    ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

    def of_linux() -> float:
        user, nice, system, _, _, irq, softirq = map(int, _head(stat).split()[1:8])
        return (user + nice + system + irq + softirq) / ticks

    def of_others() -> float:
        times = psutil.cpu_times()
        return sum(getattr(times, field, 0.0) for field in ("user", "nice", "system", "irq", "softirq"))

    try:
        of_linux()
    except (OSError, ValueError):
        return of_others, 1 / ticks
    return of_linux, 1 / ticks


def probe_tick(read: Callable[[], float], limit: float = PROBE_SECONDS) -> float | None:
    """The longest gap seen between a counter's ticks, s; None where fewer than three ticks came within the limit."""
    start = time.perf_counter()
    moved: list[float] = []
    last = read()
    while len(moved) < 4 and time.perf_counter() - start < limit:
        now = read()
        if now != last:
            moved.append(time.perf_counter())
            last = now
        time.sleep(0.001)
    gaps = [b - a for a, b in pairwise(moved)]
    return max(gaps) if len(gaps) >= 2 else None


def _zones(root: Path) -> list[Path]:
    """Every zone of the tree, each once: the kernel shows them flat, by links, and nested."""
    found = {path.resolve(): path for pattern in ("*-rapl*:*", "*-rapl*/*-rapl*:*") for path in root.glob(pattern)}
    return [found[real] for real in sorted(found) if (real / "energy_uj").exists()]


def _distinct(zones: list[Path]) -> Iterator[tuple[Path, str]]:
    """Packages and memories, each once: MSR before its mirror in MMIO, a die only where its counter is its own."""
    seen: set[str] = set()
    kept: list[tuple[str, Path]] = []
    for zone in sorted(zones, key=lambda z: ("mmio" in z.name, z.name)):
        name = _label(zone)
        component = "cpu" if "package" in name else "memory" if name.endswith("dram") else None
        if component is None or name in seen:
            continue
        package = name.split("-die-")[0]
        if any(package == other and _mirrors(zone, first) for other, first in kept):
            continue
        seen.add(name)
        kept.append((package, zone))
        yield zone, component


def _mirrors(zone: Path, other: Path) -> bool:
    """Whether two dies of a package show one counter: they never stand within a joule of each other by chance."""
    try:
        return abs(_microjoules(zone / "energy_uj") - _microjoules(other / "energy_uj")) < 1e6
    except OSError:
        return False


def _label(zone: Path) -> str:
    """The zone's name; a memory's with its package before it, so that each package's memory is its own."""
    name = _text(zone / "name").strip() or zone.name
    if name != "dram":
        return name
    parent = zone.with_name(zone.name.rsplit(":", 1)[0])
    package = _text(parent / "name").strip() or _text(zone.resolve().parent / "name").strip()
    return f"{package or parent.name} dram".replace("package", "socket")


def _locked(zone: Path) -> Unreadable | None:
    file = zone / "energy_uj"
    try:
        _microjoules(file)
    except PermissionError:
        return Unreadable(f"RAPL {_label(zone)}", PERMISSION, PERMISSION_CURE.format(file=file))
    except (OSError, ValueError) as error:
        return Unreadable(f"RAPL {_label(zone)}", " ".join(str(error).split()), "see dmesg | grep -i rapl")
    return None


def _rapl_sensor(zone: Path, component: str) -> CounterSensor:
    file = zone / "energy_uj"
    span = _text(zone / "max_energy_range_uj").strip()
    wraps = int(span) / 1e6 if span.isdigit() else None
    limits = [_text(path).strip() for path in zone.glob("constraint_*_max_power_uw")]
    most = max([RAPL_WATTS, *(2 * int(text) / 1e6 for text in limits if text.isdigit())])
    return CounterSensor(
        f"RAPL {_label(zone)}",
        component,
        lambda: _microjoules(file) / 1e6,
        wraps_at_joules=wraps,
        resolution_seconds=RAPL_TICK,
        max_watts=most,
        every=wraps / most / 2 if wraps else None,
        method="RAPL energy counter",
    )


def _gpu_sensor(nvml: Any, index: int, handle: Any, ticks: dict[str, float]) -> Sensor:
    low, high = GPU_CALIBRATION
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError:
        return _gpu_power(nvml, index, handle)

    def joules() -> float:
        return nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1_000  # it counts millijoules

    model = str(nvml.nvmlDeviceGetName(handle))
    if model not in ticks:
        ticks[model] = probe_tick(joules) or GPU_TICK
    return CounterSensor(
        f"NVML energy counter of GPU {index}",
        "gpu",
        joules,
        resolution_seconds=ticks[model],
        max_watts=_gpu_limit(nvml, handle),
        low_factor=low,
        high_factor=high,
        method="NVML energy counter",
    )


def _gpu_power(nvml: Any, index: int, handle: Any) -> PowerSensor:
    nvml.nvmlDeviceGetPowerUsage(handle)
    low, high = GPU_CALIBRATION
    return PowerSensor(
        f"NVML power of GPU {index}",
        "gpu",
        lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1_000,  # it tells milliwatts
        low_factor=low,
        high_factor=high,
        every=GPU_POLL,
        max_watts=_gpu_limit(nvml, handle),
        method="NVML power, polled",
    )


def _gpu_limit(nvml: Any, handle: Any) -> float | None:
    """Twice the enforced limit, W: short peaks go beyond it."""
    try:
        return 2 * nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1_000
    except nvml.NVMLError:
        return None


def _driver() -> bool:
    return sys.platform == "win32" or Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()


def _nvml() -> Any:
    import pynvml

    return pynvml


def _microjoules(file: Path) -> int:
    return int(_head(file))


def _head(file: Path) -> str:
    """The first 256 bytes: what a counter file holds, and the line of /proc/stat that sums all threads."""
    handle = os.open(file, os.O_RDONLY)
    try:
        return os.read(handle, 256).decode("ascii", "replace")
    finally:
        os.close(handle)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found.group(1).strip() if found else None
