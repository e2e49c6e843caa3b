"""What a prediction costs: real inputs scored again and again inside metered windows. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

import numpy as np

from ..criteria import Levels
from ..measure import Measure, undefined
from ..messages import Message
from .carbon import Grid, carbon
from .meter import Meter, Window

REPEATS = 6  # the fewest whose order statistics hold the median at 95 %
BLOCKS = 10  # windows that a trial of the asked length is cut into
WARM_UPS = 2

METRICS = {
    "energy_per_1000_predictions": "J",
    "carbon_per_1000_predictions": "gCO2e",
    "latency": "s",
    "predictions_per_second": "1/s",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Repeated scoring of the same rows.

    Attributes:
        rows: how many rows one scoring takes.
        whole: the window around all of it.
        blocks: [k] windows inside it, one after another.
        times: [k] for each block the seconds of each of its scorings.
    """

    rows: int
    whole: Window
    blocks: tuple[Window, ...]
    times: tuple[tuple[float, ...], ...]

    @property
    def predictions(self) -> int:
        return self.rows * sum(map(len, self.times))


def trial(score: Callable[[], Any], rows: int, meter: Meter, seconds: float) -> Trial:
    """Score until `seconds` have passed, in at least REPEATS blocks; two scorings beforehand warm up caches and clocks.

    Args:
        score: scores the sample once, and returns when the scores are there.
        rows: how many predictions that makes.
    """
    for _ in range(WARM_UPS):
        score()
    blocks: list[Window] = []
    times: list[tuple[float, ...]] = []
    with meter.window("inference") as whole:
        start = meter.clock()
        while len(blocks) < REPEATS or meter.clock() - start < seconds:
            with meter.window(f"block {len(blocks) + 1}") as block:
                times.append(_block(score, meter, seconds / BLOCKS))
            blocks.append(block)
    return Trial(rows, whole, tuple(blocks), tuple(times))


def measures(trial: Trial, grid: Grid, pue: float, levels: Levels) -> tuple[Measure, ...]:
    """Joules and grams for 1,000 predictions, overall and by component, latency of a batch and predictions a second."""
    whole = _per_thousand(trial, trial.whole.energy, [b.energy for b in trial.blocks], levels)
    parts = [b.components for b in trial.blocks]
    by_component = [
        _per_thousand(trial, energy, [part[name] for part in parts], levels)
        for name, energy in trial.whole.components.items()
    ]
    return (whole, carbon(whole, grid, pue), _latency(trial, levels), _rate(trial, levels), *by_component)


def nothing(why: Message, levels: Levels) -> tuple[Measure, ...]:
    """The same measures where there is nothing to run."""
    return tuple(
        undefined(why, analysis="energy", metric=metric, n=0, unit=unit, level=levels.of("energy", metric))
        for metric, unit in METRICS.items()
    )


def _block(score: Callable[[], Any], meter: Meter, seconds: float) -> tuple[float, ...]:
    start, times = meter.clock(), list[float]()
    while not times or meter.clock() - start < seconds:
        before = meter.clock()
        score()
        times.append(meter.clock() - before)
    return tuple(times)


def _per_thousand(trial: Trial, whole: Measure, blocks: Sequence[Measure], levels: Levels) -> Measure:
    """1000 · J / predictions. The interval is the sensors' own, widened by the t interval over the blocks."""
    metric = "energy_per_1000_predictions"
    level = levels.of("energy", metric, where=whole.where)
    made = replace(whole, metric=metric, level=level, n=trial.rows)
    if whole.value is None or whole.low is None or whole.high is None:
        return made
    each = [
        1000 * block.value / (trial.rows * len(times))
        for block, times in zip(blocks, trial.times, strict=True)
        if block.value is not None
    ]
    spread, scale = _half_width(each, level), 1000 / trial.predictions
    return replace(
        made,
        value=whole.value * scale,
        low=max(0.0, whole.low * scale - spread),
        high=whole.high * scale + spread,
        method=f"sensors' bounds, widened by the t interval of {len(each)} blocks",
        details={
            **whole.details,
            "meter": whole.method,
            "batch": trial.rows,
            "predictions": trial.predictions,
            "idle": "included",
        },
    )


def _latency(trial: Trial, levels: Levels) -> Measure:
    """The time to score the sample as one batch: the median of the blocks' medians.

    Timings one after another share the machine's mood, so they are no independent draws; the blocks come nearer to it.
    The interval is distribution-free, by order statistics of the k blocks' medians, and n is k.
    """
    from scipy.stats import binom

    level = levels.of("energy", "latency")
    medians = sorted(float(np.median(block)) for block in trial.times)
    k, repeats = len(medians), sum(map(len, trial.times))
    below = int(binom.ppf((1 - level) / 2, k, 0.5))
    known = below >= 1
    return Measure(
        analysis="energy",
        metric="latency",
        value=float(np.median(medians)),
        low=medians[below - 1] if known else None,
        high=medians[k - below] if known else None,
        level=level,
        method="median of blocks' medians; order statistics",
        unit="s",
        n=k,
        details={"batch": trial.rows, "blocks": k, "repeats": repeats},
    )


def _rate(trial: Trial, levels: Levels) -> Measure:
    level = levels.of("energy", "predictions_per_second")
    value = trial.predictions / fsum(fsum(times) for times in trial.times)
    half = _half_width([trial.rows * len(times) / fsum(times) for times in trial.times], level)
    return Measure(
        analysis="energy",
        metric="predictions_per_second",
        value=value,
        low=max(0.0, value - half),
        high=value + half,
        level=level,
        method="t interval over blocks",
        unit="1/s",
        n=trial.rows,
        details={"batch": trial.rows, "predictions": trial.predictions},
    )


def _half_width(values: Sequence[float], level: float) -> float:
    """Half of the t interval of a mean; 0 where a single value tells no spread."""
    from scipy.stats import t

    k = len(values)
    return float(t.ppf((1 + level) / 2, k - 1) * np.std(values, ddof=1) / k**0.5) if k > 1 else 0.0
