"""The small parts of sentences and tables: how sure a number is, what a criterion tolerates, a list in English."""

from __future__ import annotations

from typing import Any

from ..audit.measure import Measure
from . import numbers, words


def target(at_least: float | None, at_most: float | None, metric: str, statistic: str, unit: str = "1") -> str:
    """A criterion's bounds as a table shows them: "at most 10 points"."""
    least, most = (None if b is None else bound(b, metric, statistic, unit) for b in (at_least, at_most))
    if least is not None and most is not None:
        return f"between {least} and {most}"
    return f"at most {most}" if most is not None else f"at least {least}"


def bound(number: float, metric: str, statistic: str, unit: str = "1") -> str:
    """A tolerance in the unit of its metric, with the digits it was written with."""
    if unit in numbers.SCALES:
        return numbers.quantity(number, unit)
    if unit == "1" and words.metric(metric).share and statistic in words.LEVELS | words.POINTS:
        kind = "points" if statistic in words.POINTS else "%"
        return f"{100 * number:.6g}".replace("-", numbers.MINUS) + numbers.GAP + kind
    return f"{number:.6g}".replace("-", numbers.MINUS)


def evidence(measure: Measure) -> str:
    """How sure: "95 % interval 18.9 to 20.0; n = 48,842"."""
    span = numbers.interval(measure)
    sure = f"{numbers.spread(measure)} {span}; " if span else ""
    kind = "" if measure.kind == "measured" else f"; {measure.kind}"
    return f"{sure}n{numbers.GAP}={numbers.GAP}{numbers.count(measure.n)}{kind}"


def join(items: list[str]) -> str:
    """A list as English writes it: "a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def as_measure(p: dict[str, Any]) -> Measure:
    """The measure that a finding's parameters tell of."""
    value = p.get("value")
    return Measure(
        analysis=str(p.get("analysis", "")),
        metric=str(p["metric"]),
        statistic=str(p.get("statistic", "value")),
        where=p.get("where") or {},
        value=value,
        low=p.get("low"),
        high=p.get("high"),
        level=p.get("level") or 0.95,
        kind=p.get("kind", "measured"),
        unit=str(p.get("unit", "1")),
        n=p.get("n") or 0,
        reason="" if value is not None else str(p.get("reason") or "it has no value"),
        details={"interval": p["interval"]} if "interval" in p else {},
    )
