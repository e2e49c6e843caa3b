"""A number that the audit stands behind, or the reason why there is none. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from .messages import STRICT, Message

Kind = Literal["measured", "estimated", "declared"]
Where = dict[str, str]

RESERVED = frozenset({"attribute", "class", "feature", "method", "phase", "component", "threshold", "window"})


UNKNOWN_LEVEL = "(unknown)"  # where rows stand whose level of an attribute is not known


def column(name: str) -> str:
    """A user's column as a key of `where`: one that bears a reserved name becomes `column:<name>`."""
    return f"column:{name}" if name in RESERVED else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the tidy table that a record is; the only way a number leaves an analysis.

    A measure is known by (analysis, metric, statistic, where), unique in a record.

    Attributes:
        analysis: who measured it: "fairness".
        metric: what was measured: "false_positive_rate".
        statistic: "value" of a group, "difference" or "ratio" across groups, …
        where: {} for everyone, {"race": "Hispanic"}, {"race": …, "sex": …}; {"attribute": "race"} for a gap.
        value: None exactly when `reason` says why.
        low: lower end of the interval at `level`; None where there is no interval (counts are exact).
        high: upper end.
        level: the interval's confidence level.
        method: how value and interval were made: "wilson", "newcombe", "nvml counter", …
        kind: measured, estimated by a model, or declared by someone.
        unit: "1" for shares and pure numbers.
        n: rows that stand behind the number.
        numerator: of a share.
        denominator: of a share.
        reason: why there is no value, in English; its key is in `details["reason"]`.
        details: what else a reader needs: the pair of a gap, the levels left undefined, …

    Raises:
        ValueError: a value with a reason or neither; a number that is not finite; a value outside its own interval.
    """

    __pydantic_config__ = STRICT

    analysis: str
    metric: str
    statistic: str = "value"
    where: Where = field(default_factory=dict)
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    kind: Kind = "measured"
    unit: str = "1"
    n: int
    numerator: float | None = None
    denominator: float | None = None
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        value, low, high = self.value, self.low, self.high
        if (value is None) != bool(self.reason):
            raise ValueError(f"{self.metric} {self.where}: a value or a reason, got {value!r} and {self.reason!r}")
        if not (
            (value is None or isfinite(value))
            and (low is None or isfinite(low))
            and (high is None or isfinite(high))
            and (self.numerator is None or isfinite(self.numerator))
            and (self.denominator is None or isfinite(self.denominator))
        ):
            numbers = [value, low, high, self.numerator, self.denominator]
            raise ValueError(f"{self.metric} {self.where}: not finite: {[x for x in numbers if x is not None]}")
        if value is not None and ((low is not None and low > value) or (high is not None and high < value)):
            raise ValueError(f"{self.metric} {self.where}: {value} is outside [{low}, {high}]")

    @property
    def key(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """What the measure is known by."""
        return (self.analysis, self.metric, self.statistic, tuple(sorted(self.where.items())))


def undefined(
    why: Message,
    *,
    analysis: str,
    metric: str,
    n: int,
    statistic: str = "value",
    where: Where | None = None,
    unit: str = "1",
    level: float = 0.95,
    method: str = "",
    numerator: float | None = None,
    denominator: float | None = None,
    details: dict[str, Any] | None = None,
) -> Measure:
    """A measure without a value, and why."""
    return Measure(
        analysis=analysis,
        metric=metric,
        statistic=statistic,
        where=where or {},
        value=None,
        level=level,
        method=method,
        unit=unit,
        n=n,
        numerator=numerator,
        denominator=denominator,
        reason=str(why),
        details={"reason": why.message, **why.parameters, **(details or {})},
    )
