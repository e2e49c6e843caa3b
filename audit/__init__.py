"""How a model is audited. The names below load when first used, so that reading a record needs no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Data
    from .energy.analysis import Energy
    from .engine import run, standard
    from .explain.analysis import Explanations
    from .fairness.analysis import Fairness
    from .fairness.counterfactual.flips import Flips
    from .findings import Finding, Verdict
    from .measure import Measure
    from .performance import Performance
    from .record import Record

__all__ = [
    "Data",
    "Energy",
    "Explanations",
    "Fairness",
    "Finding",
    "Flips",
    "Measure",
    "Performance",
    "Record",
    "Verdict",
    "run",
    "standard",
]

_HOMES = {
    "Data": "data",
    "Energy": "energy.analysis",
    "Explanations": "explain.analysis",
    "Fairness": "fairness.analysis",
    "Finding": "findings",
    "Flips": "fairness.counterfactual.flips",
    "Measure": "measure",
    "Performance": "performance",
    "Record": "record",
    "Verdict": "findings",
    "run": "engine",
    "standard": "engine",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module 'gnomon.audit' has no attribute '{name}'")
