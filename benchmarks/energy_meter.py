"""What a window costs, and what codecarbon's first one costs beside it.

A window is opened and closed 2,000 times with the sensors that this machine has. codecarbon's offline tracker is
started and stopped in a process of its own, with the arguments that keep it quiet and off the network; cold is its
first start, warm its second.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time

from gnomon.audit.energy.meter import Meter

LIMIT_MICROSECONDS = 200
REPEATS = 2_000

CODECARBON = """
import json, time
start = time.perf_counter()
from codecarbon import OfflineEmissionsTracker
took = {"import": time.perf_counter() - start}
safe = dict(
    country_iso_code="FRA", force_carbon_intensity_g_co2e_kwh=56.039, pue=1.0, wue=0, output_methods=[],
    output_handlers=[], emissions_endpoint=None, electricitymaps_api_token=None, tracking_mode="machine",
    measure_power_secs=1, allow_multiple_runs=True, log_level="error", force_mode_cpu_load=False,
    force_cpu_power=None, force_ram_power=None, gpu_ids=None, region=None, cloud_provider=None, cloud_region=None,
    rapl_include_dram=False, rapl_prefer_psys=False,
)
for name in ("cold", "warm"):
    tracker = OfflineEmissionsTracker(**safe)
    start = time.perf_counter()
    tracker.start()
    took[name + " start"] = time.perf_counter() - start
    start = time.perf_counter()
    tracker.stop()
    took[name + " stop"] = time.perf_counter() - start
print(json.dumps(took))
"""


def ours() -> dict[str, float]:
    """Seconds to find the sensors, and the median and 99th percentile of opening and closing."""
    start = time.perf_counter()
    meter = Meter.detect()
    found = time.perf_counter() - start
    took: list[float] = []
    with meter.window("outer"):
        for _ in range(REPEATS):
            start = time.perf_counter()
            with meter.window("inner"):
                pass
            took.append(time.perf_counter() - start)
    print("sensors:", "; ".join(f"{s.name} ({s.kind}: {s.method})" for s in meter.sensors))
    for missing in meter.unreadable:
        print("not read:", missing)
    return {"detect": found, "median": statistics.median(took), "99th": statistics.quantiles(took, n=100)[98]}


def theirs() -> dict[str, float]:
    """Seconds of codecarbon's import, and of its first and second start and stop."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", CODECARBON], cwd=folder, capture_output=True, text=True, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    mine, other = ours(), theirs()
    print(f"gnomon: sensors found in {1e3 * mine['detect']:.1f} ms")
    print(f"gnomon: a window opens and closes in {1e6 * mine['median']:.0f} µs (99th: {1e6 * mine['99th']:.0f} µs)")
    for name, seconds in other.items():
        print(f"codecarbon: {name} {1e3 * seconds:.1f} ms")
    held = 1e6 * mine["median"] < LIMIT_MICROSECONDS
    print(f"under {LIMIT_MICROSECONDS} µs: {'yes' if held else 'NO'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
