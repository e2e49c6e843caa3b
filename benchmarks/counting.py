"""All confusion metrics over 40 groups of a million rows, against fairlearn's MetricFrame with six of them.

Side by side in one process; ours are medians of five, fairlearn is timed once or twice, for one run takes long. The
values are compared wherever fairlearn's are right (see the tests for where they are not).

    python benchmarks/counting.py [--rows 1000000] [--fairlearn 1]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate, selection_rate, true_positive_rate
from gnomon.audit.fairness import Counts
from gnomon.models.labels import Coded
from sklearn.metrics import accuracy_score, precision_score

GROUPS = 40
SIX = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
    "false_negative_rate": false_negative_rate,
    "accuracy": accuracy_score,
    "positive_predictive_value": precision_score,
}


def median(run: Callable[[], Any], repeats: int = 5) -> float:
    """Seconds."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def compare(frame: MetricFrame, counts: Counts) -> float:
    """The largest difference of any of the six metrics in any group."""
    found = counts.rates()
    found = found[found["where"].map(len) == 1].assign(group=lambda f: f["where"].map(lambda place: place["group"]))
    ours = found.pivot_table(index="group", columns="metric", values="value")[list(SIX)]
    theirs = frame.by_group.rename(index=str).loc[ours.index, list(SIX)]
    return float(np.abs(ours.to_numpy(float) - theirs.to_numpy(float)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--fairlearn", type=int, default=1, help="how often fairlearn is timed")
    asked = parser.parse_args()
    rng, n = np.random.default_rng(0), asked.rows
    group, y, yhat = rng.integers(0, GROUPS, n), rng.integers(0, 2, n), rng.integers(0, 2, n)
    names, classes = tuple(f"group {k:02}" for k in range(GROUPS)), ("0", "1")
    text = np.array(names, dtype=object)[group]
    codes = [Coded(y, classes), Coded(yhat, classes), {"group": Coded(group, names)}]
    categories = [pd.Categorical.from_codes(column, classes) for column in (y, yhat)]
    categories.append({"group": pd.Categorical.from_codes(group, names)})

    frames: list[MetricFrame] = []
    seconds = median(
        lambda: frames.append(MetricFrame(metrics=SIX, y_true=y, y_pred=yhat, sensitive_features=group)),
        asked.fairlearn,
    )
    print(f"{n:,} rows, {GROUPS} groups; fairlearn MetricFrame, six metrics: {seconds:.2f} s")
    counts = Counts.from_arrays(y, yhat, {"group": group})
    lines = [
        ("counting, from codes", lambda: Counts.from_arrays(*codes), 1000),
        ("counting, from categoricals", lambda: Counts.from_arrays(*categories), 1000),
        ("integers, with the frame of rates", lambda: Counts.from_arrays(y, yhat, {"group": group}).rates(), 300),
        (
            "integers, with every closed form",
            lambda: Counts.from_arrays(y, yhat, {"group": group}).frame(replicates=0),
            300,
        ),
        ("strings, with the frame of rates", lambda: Counts.from_arrays(y, yhat, {"group": text}).rates(), 40),
        ("strings, counting", lambda: Counts.from_arrays(y, yhat, {"group": text}), 40),
        ("every closed form, from counts", lambda: counts.frame(replicates=0), None),
    ]
    for what, run, bound in lines:
        run()
        took = median(run)
        wanted = f" (bound: {bound:,})" if bound else ""
        print(f"  {what:34} {1000 * took:8.1f} ms, {seconds / took:8,.0f} times faster{wanted}")
    print(f"  largest difference from fairlearn: {compare(frames[0], counts):.1e}")


if __name__ == "__main__":
    main()
