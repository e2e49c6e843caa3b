"""How far an attribution of a single row may be off: two standard errors of sampling, and its numerical error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import altair as alt

from .palette import INK

ERRORS = 2.0  # standard errors either side of a value, about 95 % of the chance
UNCERTAIN = "A thin line is two standard errors of sampling and the numerical error, to either side. "


def uncertainty(row: dict[str, Any], key: str = "attributions") -> list[float]:
    """How far each attribution of a row may be off, in the order in which they stand; 0 where nobody knows."""
    values = list(flat(row[key]))
    stderr, error = (list(flat(row.get(name) or [])) or [0.0] * len(values) for name in ("stderr", "error"))
    return [ERRORS * s + abs(e) for s, e in zip(stderr, error, strict=True)]


def flat(values: Iterable[Any]) -> Iterator[float]:
    """The numbers of nested lists, in order."""
    for value in values:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield float(value)


def ends(value: float, uncertain: float) -> dict[str, float]:
    """The ends of a value's whisker, where there is one."""
    return {"low": value - uncertain, "high": value + uncertain} if uncertain else {}


def whisker(base: Any, along: str = "x") -> Any:
    """The layer of whiskers of a chart whose values lie along x or y."""
    drawn = base.transform_filter("isValid(datum.low)").mark_rule(color=INK, strokeWidth=1.2)
    if along == "x":
        return drawn.encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    return drawn.encode(y=alt.Y("low:Q"), y2=alt.Y2("high"))
