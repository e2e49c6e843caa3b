"""39,800 intersections of 200 × 199 levels: what listing less of each saves, in time, measures and size of the record.

Run as `python benchmarks/many_groups.py [rows]`. Nothing is lost by it: the counts of every group are in the record,
every gap is told of all metrics, and a criterion is judged as if everything were listed, which is checked here.

Claim: the record of very many groups lists at most a third of the measures, and takes at most a third of the bytes.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from gnomon.audit import run
from gnomon.audit.criteria import Criteria, parse
from gnomon.audit.fairness import Fairness
from gnomon.audit.record import Record
from gnomon.models import Subject

ROWS, LEVELS = 1_000_000, (200, 199)
ASKED = {"id": "c", "metric": "positive_predictive_value", "where": {"a": "a7", "b": "b9"}, "at_least": 0.3}


def main(rows: int) -> int:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    frame = pd.DataFrame({"y": truth, "d": (rng.random(rows) < 0.3 + 0.3 * truth).astype(int)})
    for name, levels in zip("ab", LEVELS, strict=True):
        frame[name] = pd.Categorical.from_codes(rng.integers(0, levels, rows), [f"{name}{k}" for k in range(levels)])
    subject = Subject.from_predictions(frame, target="y", prediction="d", sensitive=["a", "b"], name="many")
    print(f"{rows:,} rows, {LEVELS[0]} × {LEVELS[1]} levels")
    criteria = Criteria(parse([ASKED]))
    found = [measured(subject, complete, criteria) for complete in (True, False)]
    (whole, many, size), (short, few, small) = found
    same = verdict(whole) == verdict(short)
    print(f"measures {many / few:.1f}× fewer, record {size / small:.1f}× smaller; same verdict on a group: {same}")
    return int(not (same and many >= 3 * few and size >= 3 * small))


def measured(subject: Subject, complete: bool, criteria: Criteria) -> tuple[Record, int, int]:
    """The record, and how many measures and bytes it has; the criterion's metric is listed of all groups in both."""
    start = time.perf_counter()
    record = run(subject, [Fairness(replicates=0, complete=complete)], criteria=criteria)
    seconds, size = time.perf_counter() - start, len(record.to_json().encode())
    name = "everything listed" if complete else "headlines listed"
    print(f"{name:<18} {seconds:>6.1f} s   {len(record.measures):>9,} measures   {size / 1e6:>6.0f} MB of record.json")
    return record, len(record.measures), size


def verdict(record: Record) -> tuple[object, ...]:
    (finding,) = [f for f in record.findings if f.id == "c"]
    return finding.verdict, finding.parameters["value"], finding.parameters["low"], finding.parameters["high"]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
