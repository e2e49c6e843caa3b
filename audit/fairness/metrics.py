"""Every rate of a confusion table as one row: which cells are on top, which below. Loads no torch.

A table is [..., truth, decision] with truth 0 = negative, 1 = positive, 2 = no label, and decision 0, 1. Every rate is
a ratio of two sums of its cells, so rates of merged tables follow from merged counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TN, FP, FN, TP = (0, 0), (0, 1), (1, 0), (1, 1)
LABELLED = (TN, FP, FN, TP)
SELECTED, REJECTED = (FP, TP, (2, 1)), (TN, FN, (2, 0))


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of two sums of cells.

    Attributes:
        top: cells of the numerator; bottom: cells of the denominator.
        of: what the denominator counts, in the plural; shown where there are none of them.
    """

    name: str
    top: tuple[tuple[int, int], ...]
    bottom: tuple[tuple[int, int], ...]
    of: str

    def counts(self, table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numerators and denominators [...] of tables [..., 3, 2]."""
        return _sum(table, self.top), _sum(table, self.bottom)


RATES: tuple[Rate, ...] = (
    Rate("selection_rate", SELECTED, SELECTED + REJECTED, "rows"),
    Rate("base_rate", (FN, TP), LABELLED, "labelled rows"),
    Rate("accuracy", (TN, TP), LABELLED, "labelled rows"),
    Rate("true_positive_rate", (TP,), (FN, TP), "positives"),
    Rate("false_negative_rate", (FN,), (FN, TP), "positives"),
    Rate("false_positive_rate", (FP,), (TN, FP), "negatives"),
    Rate("true_negative_rate", (TN,), (TN, FP), "negatives"),
    Rate("positive_predictive_value", (TP,), (FP, TP), "rows decided positive"),
    Rate("false_discovery_rate", (FP,), (FP, TP), "rows decided positive"),
    Rate("negative_predictive_value", (TN,), (TN, FN), "rows decided negative"),
    Rate("false_omission_rate", (FN,), (TN, FN), "rows decided negative"),
)
"""Names and definitions as in [hardt2016] and [chouldechova2017]."""


def one_against_rest(table: NDArray[np.int64], positive: int) -> NDArray[np.int64]:
    """A table [..., classes + 1, classes] (last truth = no label) as [..., 3, 2] for one class against the others."""
    classes = table.shape[-1]
    others = [c for c in range(classes) if c != positive]
    truth = [table[..., others, :].sum(-2), table[..., positive, :], table[..., classes, :]]
    folded = np.stack(truth, -2)
    return np.stack([folded[..., others].sum(-1), folded[..., positive]], -1)


def right_or_wrong(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table [..., classes + 1, classes] as [..., 3, 2] whose "positive decision" is the right one.

    Its accuracy is the accuracy over all classes.
    """
    classes = table.shape[-1]
    labelled = table[..., :classes, :]
    right = np.trace(labelled, axis1=-2, axis2=-1)
    wrong = labelled.sum((-2, -1)) - right
    unlabelled = table[..., classes, :].sum(-1)
    none = np.zeros_like(right)
    return np.stack([np.stack(pair, -1) for pair in ((none, none), (wrong, right), (unlabelled, none))], -2)


def _sum(table: NDArray[np.int64], cells: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    return sum((table[..., truth, decision] for truth, decision in cells), np.zeros(table.shape[:-2], np.int64))
