"""The scores of groups as steps, found by one sort: what stands at each distinct score. Loads no torch.

ROC and precision-recall curves, their areas, calibration and every threshold's table follow from the steps alone, for
all groups at once. Scores that were counted in bins are the same thing, with bins for scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats

NEGATIVE, POSITIVE, UNLABELLED = 0, 1, 2


def summed(place: NDArray[np.int64], amount: NDArray[Any], size: int) -> Floats:
    """[size] the sum of the amounts at each place."""
    return np.bincount(place, amount, minlength=size).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Members:
    """Rows that hang together in clusters, in order of (group, cluster), each with its step.

    Attributes:
        step: [n]; truth: [n] 0, 1 or 2 (no label); weight: [n]; cluster: [n] numbers from 0.
        unit: [n] numbers from 0 for the rows that a cluster has in a group, rising; group: [units] its group.
    """

    step: NDArray[np.int64]
    truth: NDArray[np.int64]
    weight: Floats
    cluster: NDArray[np.int64]
    unit: NDArray[np.int64]
    group: NDArray[np.int64]

    def sums(self, amount: Floats) -> Floats:
        """[units] the sum of amounts [n]."""
        return summed(self.unit, amount, len(self.group))

    def clusters(self, truths: tuple[int, ...], groups: int) -> Floats:
        """[groups] how many clusters have rows of some truths."""
        seen = self.sums(np.isin(self.truth, truths).astype(float)) > 0
        return np.bincount(self.group[seen], minlength=groups).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Steps:
    """Distinct scores of each group, in order of (group, score), and the rows there by truth: −, +, no label.

    Attributes:
        group: [steps] the group's place; score: [steps], rising within a group.
        rows: [steps, 3] int64; sums: [steps, 3] their weights; squares: [steps, 3] their squared weights.
        groups: how many groups there are; one without rows has no step.
        weighted: whether rows differ in weight.
        members: the single rows, where they hang together in clusters.
    """

    group: NDArray[np.int64]
    score: Floats
    rows: NDArray[np.int64]
    sums: Floats
    squares: Floats
    groups: int
    weighted: bool = False
    members: Members | None = None

    @property
    def starts(self) -> NDArray[np.int64]:
        """[groups + 1] where each group's steps begin, and where the last one's end."""
        return np.searchsorted(self.group, np.arange(self.groups + 1)).astype(np.int64)

    def total(self, amount: NDArray[Any]) -> Floats:
        """[groups, …] what some amounts [steps, …] are together in each group."""
        out = np.zeros((self.groups, *amount.shape[1:]))
        starts = self.starts
        filled = np.flatnonzero(np.diff(starts))
        if len(filled):
            out[filled] = np.add.reduceat(amount, starts[filled], 0, dtype=np.float64)
        return out

    def below(self, amount: NDArray[Any]) -> Floats:
        """[steps, …] the amounts at lower scores of the same group."""
        running = np.cumsum(amount, 0, dtype=np.float64) - amount
        return running - running[self.starts[self.group]]

    def hidden(self) -> Floats:
        """[groups] how far an AUC can be from that of the scores behind bins: ½ Σ_b p_b n_b / (P N).

        Pairs that share a bin count one half, and truly count between 0 and 1. NaN where a class is missing.
        """
        totals = self.total(self.sums)
        pairs = totals[:, NEGATIVE] * totals[:, POSITIVE]
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = self.total(self.sums[:, NEGATIVE] * self.sums[:, POSITIVE])
            return np.where(pairs > 0, shared / (2 * pairs), np.nan)

    def spread(self, of: Floats) -> Floats:
        """[steps, …] what each group has, at each of its steps."""
        return of[self.group]

    def worth(self, truths: tuple[int, ...]) -> Floats:
        """[groups] how many unweighted rows, each by itself, the rows of some truths are worth.

        (Σw)² / Σw² [kish1965], over clusters where rows hang together.
        """
        if self.members is not None:
            return self._clusters(truths)
        sums, squares = (self.total(column[:, list(truths)]).sum(1) for column in (self.sums, self.squares))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(squares > 0, sums**2 / squares, 0.0)

    def _clusters(self, truths: tuple[int, ...]) -> Floats:
        assert self.members is not None
        each = self.members.sums(self.members.weight * np.isin(self.members.truth, truths))
        sums, squares = (np.bincount(self.members.group, part, minlength=self.groups) for part in (each, each**2))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(squares > 0, sums**2 / squares, 0.0)


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows with scores, in the order of their scores: sorted once for however many ways to group them.

    Attributes:
        score: [n] rising; truth: [n] 0, 1 or 2 (no label); groups: [n, attributes] codes, −1 = unknown.
        weight: [n] or None; cluster: [n] numbers from 0, or None.
        count: [n] how many rows each stands for, where scores were counted in bins; None for one.
    """

    score: Floats
    truth: NDArray[np.int64]
    groups: NDArray[np.int64]
    weight: Floats | None = None
    cluster: NDArray[np.int64] | None = None
    count: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        score: Floats,
        truth: NDArray[np.int64],
        groups: NDArray[np.int64],
        weight: Floats | None = None,
        cluster: NDArray[np.generic] | None = None,
        count: NDArray[np.int64] | None = None,
    ) -> Scored:
        """Sort rows by score; `truth` is −1 where there is no label."""
        order = np.argsort(score, kind="stable")
        return cls(
            score[order],
            np.where(truth[order] < 0, UNLABELLED, truth[order]).astype(np.int64),
            groups[order],
            None if weight is None else weight[order],
            None if cluster is None else np.unique(cluster, return_inverse=True)[1][order].astype(np.int64),
            None if count is None else count[order],
        )

    def steps(self, code: NDArray[np.int64], groups: int) -> Steps:
        """The steps of groups whose codes [n] lie in 0 … groups − 1; −1 is in no group."""
        # scores are in order already, so a stable sort by the small group code, O(n), orders by both
        small = code.astype(np.int16 if groups < 2**15 else np.int64)
        order = np.argsort(small, kind="stable")[int((code < 0).sum()) :]
        group, score, truth = code[order], self.score[order], self.truth[order]
        new = np.ones(len(order), bool)
        new[1:] = (group[1:] != group[:-1]) | (score[1:] != score[:-1])
        step = np.cumsum(new) - 1
        cell, size = step * 3 + truth, int(new.sum()) * 3
        each = None if self.count is None else self.count[order]
        rows = np.bincount(cell, each, minlength=size).reshape(-1, 3).astype(np.int64)
        sums = squares = rows.astype(np.float64)
        if self.weight is not None:
            weight = self.weight[order]
            sums, squares = (summed(cell, w, size).reshape(-1, 3) for w in (weight, weight**2))
        members = self._members(order, step, group)
        return Steps(group[new], score[new], rows, sums, squares, groups, self.weight is not None, members)

    def _members(self, order: NDArray[np.intp], step: NDArray[np.intp], group: NDArray[np.int64]) -> Members | None:
        if self.cluster is None:
            return None
        weight = np.ones(len(order)) if self.weight is None else self.weight[order]
        truth, cluster = self.truth[order], self.cluster[order]
        apart = np.argsort(cluster, kind="stable")
        apart = apart[np.argsort(group[apart], kind="stable")]
        group, cluster = group[apart], cluster[apart]
        new = np.ones(len(order), bool)
        new[1:] = (group[1:] != group[:-1]) | (cluster[1:] != cluster[:-1])
        return Members(step[apart], truth[apart], weight[apart], cluster, np.cumsum(new) - 1, group[new])
