"""Energy and carbon of what runs, each figure with its origin. The names below load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import Energy
    from .carbon import Grid, grid
    from .meter import Meter, Window, costs
    from .sensors import CounterSensor, PowerSensor

__all__ = ["CounterSensor", "Energy", "Grid", "Meter", "PowerSensor", "Window", "costs", "grid"]

_HOMES = {
    "CounterSensor": "sensors",
    "Energy": "analysis",
    "Grid": "carbon",
    "Meter": "meter",
    "PowerSensor": "sensors",
    "Window": "meter",
    "costs": "meter",
    "grid": "carbon",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module 'gnomon.audit.energy' has no attribute '{name}'")
