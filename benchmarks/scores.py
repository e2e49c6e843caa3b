"""Scores of 40 groups of a million rows by one sort, against scikit-learn group by group; medians of 5.

Claim: AUC with its interval, average precision and the tables of 101 thresholds for all groups together take less
time than scikit-learn's AUC, average precision and ROC curve of one group after another, and give the same values.
Beside it: the whole part of the audit, resampling included, and what scores counted in bins give, as streamed ones are.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.scores import estimates, scores, sweep
from gnomon.audit.fairness.scores.steps import Scored, Steps

ROWS, GROUPS, REPEATS = 1_000_000, 40, 5
T = TypeVar("T")
THRESHOLDS = np.linspace(0, 1, 101)


def main() -> int:
    rng = np.random.default_rng(0)
    score, group = rng.random(ROWS), rng.integers(0, GROUPS, ROWS)
    truth = (rng.random(ROWS) < score).astype(np.int64)

    ours, found = timed(lambda: all_groups(score, truth, group))
    theirs, expected = timed(lambda: one_by_one(score, truth, group))
    bins, count = in_bins(score, truth, group)
    scored = Scored.of(*bins, count=count)
    told, binned = timed(lambda: scored.steps(scored.groups[:, 0], GROUPS))
    counts = Counts.from_arrays(truth, None, {"g": [f"g{k:02d}" for k in group]}, scores=score)
    context = counts.context()
    assert context.groupings
    whole, section = timed(lambda: scores.section(context), 3)

    off = np.abs(np.array(found) - np.array(expected)).max()
    print(f"{ROWS:,} rows, {GROUPS} groups, medians of {REPEATS}")
    print(f"AUC with interval, average precision, 101 thresholds, one sort  {ours:>8.3f} s")
    print(f"scikit-learn, group by group, without intervals               {theirs:>10.3f} s   {theirs / ours:.2f}×")
    print(f"largest difference of a value                                 {off:>10.1e}")
    print(f"steps of scores counted in 1,024 bins                         {told:>10.3f} s")
    print(f"how far bins can put an AUC off, worst group                  {binned.hidden().max():>10.1e}")
    print(f"the whole part, {len(section.measures)} measures, resampling included           {whole:>10.3f} s")
    return 0


def in_bins(score: np.ndarray, truth: np.ndarray, group: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Score, truth and group of each bin that occurs, as a streamed table has them, and how many rows it stands for."""
    code = ((score * 1024).astype(np.int64) * 2 + truth) * GROUPS + group
    found, count = np.unique(code, return_counts=True)
    middle = (found // (2 * GROUPS) + 0.5) / 1024
    return (middle, found // GROUPS % 2, (found % GROUPS)[:, None]), count


def all_groups(score: np.ndarray, truth: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """AUC and average precision of every group, with intervals and every group's table at 101 thresholds."""
    scored = Scored.of(score, truth, group[:, None])
    steps: Steps = scored.steps(scored.groups[:, 0], GROUPS)
    found = [estimates.auc(steps), estimates.average_precision(steps)]
    for estimate in found:
        estimate.ends(0.95)
    sweep.tables(steps, THRESHOLDS)
    return [estimate.value for estimate in found]


def one_by_one(score: np.ndarray, truth: np.ndarray, group: np.ndarray) -> list[list[float]]:
    """The same values as a user of scikit-learn gets them."""
    from sklearn import metrics

    areas, precisions = [], []
    for k in range(GROUPS):
        own = group == k
        areas.append(metrics.roc_auc_score(truth[own], score[own]))
        precisions.append(metrics.average_precision_score(truth[own], score[own]))
        metrics.roc_curve(truth[own], score[own])
    return [areas, precisions]


def timed(of: Callable[[], T], repeats: int = REPEATS) -> tuple[float, T]:
    """Median seconds, and what it gave."""
    found, seconds = of(), []  # the first is for warming up
    for _ in range(repeats):
        start = time.perf_counter()
        found = of()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), found


if __name__ == "__main__":
    sys.exit(main())
