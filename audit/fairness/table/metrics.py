"""Every metric of a confusion table as one row: which cells are on top, which below, what it means. Loads no torch.

A table is [..., truth, decision] with truth 0 = negative, 1 = positive, 2 = no label, and decision 0, 1. Every metric
is a share of cells, bent by an increasing function where it is no share itself, or the mean of two such shares. So
metrics of merged tables follow from merged counts, and the interval of a share gives that of the metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Cells = tuple[tuple[int, int], ...]
Table = NDArray[Any]  # [..., 3, 2] rows or sums of weights
Better = Literal["higher", "lower", ""]

TN, FP, FN, TP = (0, 0), (0, 1), (1, 0), (1, 1)
LABELLED: Cells = (TN, FP, FN, TP)
SELECTED: Cells = (FP, TP, (2, 1))
REJECTED: Cells = (TN, FN, (2, 0))


def share(top: Any, bottom: Any) -> tuple[Any, Any]:
    """The share itself."""
    return top, bottom


def dice(top: Any, bottom: Any) -> tuple[Any, Any]:
    """2J / (1 + J) of a Jaccard share J: with J = TP/(TP+FP+FN) this is F1 = 2TP/(2TP+FP+FN)."""
    return 2 * top, top + bottom


def odds(top: Any, bottom: Any) -> tuple[Any, Any]:
    """p / (1 − p) of a share p."""
    return top, bottom - top


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that follows from the four (or six) cells of a group.

    Attributes:
        top: cells of the numerator of its share; bottom: cells of the denominator.
        of: what the denominator counts, in the plural; shown where there are none of them.
        better: which direction is better for those it concerns; empty where neither is by itself.
        meaning: what it says, in one plain sentence.
        bend: from the share's two sums to the metric's own numerator and denominator; increasing in the share.
        other: the cells of a second share; the metric is then the mean of both.
        without: what is missing where the bent denominator is 0.
    """

    name: str
    top: Cells
    bottom: Cells
    of: str
    better: Better
    meaning: str
    bend: Callable[[Any, Any], tuple[Any, Any]] = share
    other: tuple[Cells, Cells, str] | None = None
    without: str = ""

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share of rows, so that intervals of shares are its own."""
        return self.bend is share and self.other is None

    @property
    def parts(self) -> tuple[tuple[Cells, Cells, str], ...]:
        """Its shares: (top, bottom, what the bottom counts)."""
        own = ((self.top, self.bottom, self.of),)
        return own if self.other is None else (*own, self.other)

    def counts(self, table: Table) -> tuple[Table, Table]:
        """Numerators and denominators [...] of the (first) share of tables [..., 3, 2]."""
        return total(table, self.top), total(table, self.bottom)

    def bent(self, shares: Any) -> Any:
        """The metric of shares; infinite or NaN where it has none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            top, bottom = self.bend(np.asarray(shares, float), 1.0)
            return np.true_divide(top, bottom)

    def values(self, table: Table) -> NDArray[np.float64]:
        """The metric [...] of tables [..., 3, 2]; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [np.true_divide(total(table, top), total(table, bottom)) for top, bottom, _ in self.parts]
            value = parts[0] if len(parts) == 1 else (parts[0] + parts[1]) / 2
            found = value if self.bend is share else self.bent(value)
        return np.where(np.isfinite(found), found, np.nan) if self.bend is not share else found


def total(table: Table, cells: Cells) -> Table:
    """[...] the sum of some cells of tables [..., 3, 2]."""
    first, *rest = cells
    out = table[..., first[0], first[1]]
    for truth, decision in rest:
        out = out + table[..., truth, decision]
    return out


METRICS: tuple[Metric, ...] = (
    Metric(
        "selection_rate",
        SELECTED,
        SELECTED + REJECTED,
        "rows",
        "",
        "Of all rows, the share that is decided positively.",
    ),
    Metric(
        "base_rate",
        (FN, TP),
        LABELLED,
        "labelled rows",
        "",
        "The share of rows whose label is positive (the prevalence): a property of the data, not of the model.",
    ),
    Metric(
        "accuracy",
        (TN, TP),
        LABELLED,
        "labelled rows",
        "higher",
        "The share of decisions that agree with the label.",
    ),
    Metric(
        "error_rate",
        (FP, FN),
        LABELLED,
        "labelled rows",
        "lower",
        "The share of decisions that do not agree with the label.",
    ),
    Metric(
        "true_positive_rate",
        (TP,),
        (FN, TP),
        "positives",
        "higher",
        "Of the rows that truly are positive, the share found.",
    ),
    Metric(
        "false_negative_rate",
        (FN,),
        (FN, TP),
        "positives",
        "lower",
        "Of the rows that truly are positive, the share that is missed.",
    ),
    Metric(
        "false_positive_rate",
        (FP,),
        (TN, FP),
        "negatives",
        "lower",
        "Of the rows that truly are negative, the share wrongly decided positive.",
    ),
    Metric(
        "true_negative_rate",
        (TN,),
        (TN, FP),
        "negatives",
        "higher",
        "Of the rows that truly are negative, the share rightly decided negative.",
    ),
    Metric(
        "positive_predictive_value",
        (TP,),
        (FP, TP),
        "rows decided positive",
        "higher",
        "Of the rows decided positive, the share that truly is (precision).",
    ),
    Metric(
        "false_discovery_rate",
        (FP,),
        (FP, TP),
        "rows decided positive",
        "lower",
        "Of the rows decided positive, the share that truly is negative.",
    ),
    Metric(
        "negative_predictive_value",
        (TN,),
        (TN, FN),
        "rows decided negative",
        "higher",
        "Of the rows decided negative, the share that truly is.",
    ),
    Metric(
        "false_omission_rate",
        (FN,),
        (TN, FN),
        "rows decided negative",
        "lower",
        "Of the rows decided negative, the share that truly is positive.",
    ),
    Metric(
        "f1_score",
        (TP,),
        (TP, FP, FN),
        "rows that are positive or decided so",
        "higher",
        "How well the positive decisions and the positive labels cover each other; 1 is perfectly.",
        bend=dice,
    ),
    Metric(
        "balanced_accuracy",
        (TP,),
        (FN, TP),
        "positives",
        "higher",
        "The mean of the shares of positives and of negatives that are decided rightly.",
        other=((TN,), (TN, FP), "negatives"),
    ),
    Metric(
        "treatment_equality",
        (FN,),
        (FN, FP),
        "errors",
        "",
        "Missed positives for each false alarm: above 1 errors mostly withhold, below 1 they mostly grant.",
        bend=odds,
        without="false positives",
    ),
)
"""Names and definitions as in [hardt2016], [chouldechova2017] and, for treatment equality, [berk2021]."""

RATES: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.is_share)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
