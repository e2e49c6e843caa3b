"""What can be measured on this machine, what cannot, why, and the cure. Imports torch only to ask for devices."""

from __future__ import annotations

import json as codec
from typing import Any

from ..audit import environment
from ..audit.energy.detect import detect

EXTRAS = {"streamlit": "gnomon dashboard", "transformers": "text models"}


def examine() -> dict[str, Any]:
    """Versions, devices, energy sensors, and what is missing."""
    sensors, absent = detect()
    return {
        "environment": environment.describe("none"),
        "devices": _devices(),
        "sensors": [{"name": s.name, "component": s.component, "kind": s.kind} for s in sensors],
        "unreadable": [{"what": item.sensor, "why": item.why, "cure": item.cure} for item in absent],
        "extras": {name: environment.installed(name) for name in EXTRAS},
    }


def render(found: dict[str, Any], *, json: bool) -> str:
    """The examination as text, or as JSON."""
    if json:
        return codec.dumps(found, indent=1)
    about = found["environment"]
    lines = [
        f"gnomon {about['gnomon']} on Python {about['python']}, {about['platform']}",
        f"processor: {about['processor']}, {about['cores']} cores",
        "",
        "Models run on",
        *(f"  {line}" for line in found["devices"]),
        "",
        "Energy is read from",
        *(f"  {s['name']} ({s['component']}, {s['kind']})" for s in found["sensors"]),
        "",
        "Energy cannot be read from",
        *(f"  {item['what']}: {item['why']}. {item['cure']}" for item in found["unreadable"]),
        "",
        "Packages",
        *(f"  {name} {version}" for name, version in about["packages"].items()),
        *(f"  {name} {version} (for {EXTRAS[name]})" for name, version in found["extras"].items()),
    ]
    return "\n".join(lines)


def _devices() -> list[str]:
    import torch

    found = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        found += [f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(torch.cuda.device_count())]
    elif torch.backends.mps.is_available():
        found.append("mps")
    else:
        built = "this PyTorch was built without CUDA" if not torch.backends.cuda.is_built() else "no driver answers"
        found.append(f"no GPU: {built}")
    return found
