"""Scores: a metric's mean over rows with its interval, for everyone, a group, or against chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ... import intervals, means
from ...messages import Message
from .randomised import half_width
from .reading import Reading

Floats = NDArray[np.float64]
Statistic = Literal["value", "difference", "above_chance"]


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One number of an evaluation.

    Attributes:
        method: whose attributions; "" for what is of the network itself.
        metric: a name of `metrics.METRICS`.
        where: {} for all rows, {"race": "Black"} for a group, {"attribute": "race"} for the difference of two groups,
            {"with": other} for the agreement with another method.
        statistic: "value"; "above_chance", by how much better than a random ranking of the same places (positive is
            better, whichever way the metric goes); "difference", of the two groups that differ most surely.
        values: one for each row that has a value, never NaN; None where nothing was measured.
        rows: the numbers of those rows.
        value: the mean; None exactly when there is a reason.
        low, high: the interval's ends; None where one row, or none, has a value.
        level: of the interval.
        n: rows that have a value.
        interval: how the interval was made.
        reason: why there is no value.
        left_out: why rows have no value, and how many.
        details: what else is worth knowing.
    """

    method: str
    metric: str
    where: Mapping[str, str] = field(default_factory=dict)
    statistic: Statistic = "value"
    values: Floats | None = field(default=None, repr=False)
    rows: NDArray[np.int64] | None = field(default=None, repr=False)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    n: int = 0
    interval: str = ""
    reason: Message | None = None
    left_out: tuple[tuple[Message, int], ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def unmeasured(method: str, metric: str, why: Message, level: float, where: Mapping[str, str] | None = None) -> Score:
    """A metric that was not measured, and why."""
    return Score(method, metric, where or {}, level=level, reason=why)


def of_reading(method: str, metric: str, reading: Reading, level: float, sign: int) -> list[Score]:
    """The mean over rows, and by how much it is better than chance where there is a chance.

    Args:
        method: whose attributions.
        metric: by name.
        reading: the rows' values.
        level: of intervals.
        sign: 1 where more is better, −1 where less is.
    """
    known = reading.known
    rows = known.nonzero()[:, 0].cpu().numpy()
    values = reading.values[known].double().cpu().numpy()
    units = None if reading.units is None else reading.units.double().cpu().numpy()
    found = [_score(method, metric, reading, (values, rows), level, units)]
    if reading.chance is not None:
        found.append(_above_chance(found[0], values, reading.chance[known].double().cpu().numpy(), sign))
    return found


def of_rows(values: Floats, level: float) -> tuple[float | None, float | None, float | None]:
    """Mean and Student's interval; no ends of a single row's."""
    if not len(values):
        return None, None, None
    if len(values) == 1:
        return float(values[0]), None, None
    value, low, high = means.mean(values, level)
    return value, min(low, value), max(high, value)


def of_hits(values: Floats, level: float) -> tuple[float | None, float | None, float | None]:
    """The share of hits, with Wilson's interval [wilson1927]: hits throughout are no proof of certainty."""
    if not len(values):
        return None, None, None
    low, high = intervals.wilson(values.sum(), len(values), level)
    return float(values.mean()), float(low), float(high)


def _above_chance(score: Score, values: Floats, chance: Floats, sign: int) -> Score:
    """By how much the rows are better than by chance, which for hits is known exactly."""
    better = sign * (values - chance)
    value, low, high = of_rows(better, score.level)
    if score.interval == "wilson" and score.low is not None and score.high is not None:
        assert value is not None
        low, high = min(value, score.low - float(chance.mean())), max(value, score.high - float(chance.mean()))
    known = better if len(better) else None
    return replace(score, statistic="above_chance", values=known, value=value, low=low, high=high,
                   interval=score.interval if low is not None else "")  # fmt: skip


def _score(
    method: str,
    metric: str,
    reading: Reading,
    rows: tuple[Floats, NDArray[np.int64]],
    level: float,
    units: Floats | None,
) -> Score:
    values, numbers = rows
    value, low, high = of_hits(values, level) if reading.binary else of_rows(values, level)
    interval = "" if low is None else "wilson" if reading.binary else "t over rows"
    if units is not None and value is not None and low is not None and half_width(units, level) > value - low:
        half = half_width(units, level)
        low, high, interval = (None, None, "") if np.isinf(half) else (value - half, value + half, "t over networks")
    reason = None if value is not None else _why(reading)
    return Score(
        method, metric, dict(reading.where), "value", values if len(values) else None, numbers, value, low, high, level,
        len(values), interval, reason, reading.left_out, dict(reading.details),
    )  # fmt: skip


def _why(reading: Reading) -> Message:
    """Why no row at all has a value: what holds for the most of them."""
    return max(reading.left_out, key=lambda pair: pair[1])[0]
