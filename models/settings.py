"""How a model is trained: settings that are checked when made, schedules of the learning rate, derived seeds."""

from __future__ import annotations

import hashlib
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import TrainingError

Schedule = Literal["one_cycle", "constant"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
LARGEST_SEED = 2**63


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is trained; checked when made."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    schedule: Schedule
    patience: int | None
    precision: Precision
    clip: float | None
    seed: int

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "seed"):
            value = getattr(self, name)
            none = value is None and name == "patience"
            require(none or whole(value), f"{name}={value!r} must be a whole number")
        for name in ("lr", "weight_decay", "clip"):
            value = getattr(self, name)
            none = value is None and name == "clip"
            require(none or finite(value), f"{name}={value!r} must be a finite number")
        for name in ("epochs", "batch_size"):
            require(getattr(self, name) >= 1, f"{name}={getattr(self, name)} must be at least 1")
        require(self.lr > 0, f"lr={self.lr} must be above 0")
        require(self.weight_decay >= 0, f"weight_decay={self.weight_decay} must be 0 or above")
        require(self.schedule in tuple(SCHEDULES), f"schedule='{self.schedule}' is not one of {', '.join(SCHEDULES)}")
        require(self.precision in PRECISIONS, f"precision='{self.precision}' is not one of {', '.join(PRECISIONS)}")
        require(self.patience is None or self.patience >= 1, f"patience={self.patience} must be at least 1 epoch")
        require(self.clip is None or self.clip > 0, f"clip={self.clip} must be a gradient norm above 0")


def one_cycle(progress: float) -> float:
    """The factor on the learning rate at a share of the training: up to 1 by cosine in 30 %, then down [smith2018].

    It starts at 1/25 and ends at 1/250 000, as torch's OneCycleLR does by default.
    """
    start, peak, end = 1 / 25, 0.3, 1 / 250_000
    if progress < peak:
        return start + (1 - start) * (1 - math.cos(math.pi * progress / peak)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (progress - peak) / (1 - peak))) / 2


def constant(progress: float) -> float:  # noqa: ARG001 — a schedule takes the progress
    """The same learning rate throughout."""
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {"one_cycle": one_cycle, "constant": constant}


def derived(seed: int, purpose: str, number: int = 0) -> int:
    """A seed for one purpose in one epoch: its streams have nothing in common with another's."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % LARGEST_SEED


def whole(value: object) -> bool:
    """Is it an integer, Python's or numpy's? True and False are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def finite(value: object) -> bool:
    """Is it a real number, neither NaN nor infinite? True and False are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def require(true: bool, otherwise: str) -> None:
    """Raise a TrainingError that says this unless it is true."""
    if not true:
        raise TrainingError(otherwise)
