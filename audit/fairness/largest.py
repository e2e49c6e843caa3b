"""The gap of each attribute that a reader wants to know first, as an unjudged finding. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..findings import Finding, Severity
from ..measure import Measure


def largest_gaps(measures: Sequence[Measure], metric: str) -> Iterator[Finding]:
    """A finding for each attribute whose groups differ in a metric; evidence counts within these measures."""
    for place, m in enumerate(measures):
        if (m.metric, m.statistic) != (metric, "difference") or m.value is None or set(m.where) != {"attribute"}:
            continue
        parameters = {
            "attribute": m.where["attribute"],
            "metric": m.metric,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "level": m.level,
            "pair": m.details["pair"],
            "n": m.n,
            "pair_n": m.details["pair_n"],
            **({} if m.unit == "1" else {"unit": m.unit}),
        }
        name = f"fairness.largest_gap[attribute={m.where['attribute']}]"
        yield Finding(name, "largest_gap", parameters, severity=_severity(m), evidence=(place,))


def _severity(gap: Measure) -> Severity:
    """A gap that these rows cannot tell from none is a note."""
    return "medium" if gap.low is None or gap.low > 0 else "low"
