"""The default audit of Adult, all 48,842 rows, trained model given: seconds and joules by phase, peak memory.

Claim: under 60 s on 2 cores and under 1.5 GB. Needs the Adult files, in GNOMON_DATA or ../shared/data.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("GNOMON_DATA", str(Path(__file__).resolve().parent.parent.parent / "shared" / "data"))


def main() -> int:
    from gnomon.models.errors import DataError
    from gnomon.models.reference import tabular

    try:
        subject = tabular.subject(rows="all")
    except DataError as error:
        print(f"skipped: {error}")
        return 0
    trained = peak_megabytes()
    start = time.perf_counter()
    from gnomon import audit

    record = audit.run(subject)
    audited = time.perf_counter() - start
    start = time.perf_counter()
    from gnomon.reports import html

    imported = time.perf_counter() - start
    start = time.perf_counter()
    page = html.render(record)
    rendered = time.perf_counter() - start
    again = time.perf_counter()
    assert html.render(record) == page
    again = time.perf_counter() - again
    print(f"rows                {record.subject['rows']:>10,}")
    print(f"measures            {len(record.measures):>10,}")
    for cost in record.costs:
        print(f"{cost.phase:<20}{cost.seconds:>10.3f} s {cost.joules or float('nan'):>10.2f} J")
    print(f"audit in all        {audited:>10.2f} s   claim: under 60 s")
    print(
        f"report              {rendered:>10.2f} s   (again {again:.2f} s, import {imported:.2f} s)   claim: under 2 s"
    )
    print(f"report              {len(page.encode()) / 1e6:>10.2f} MB  claim: under 1 MB")
    print(f"peak memory         {peak_megabytes():>10.0f} MB  ({trained:.0f} MB once trained)   claim: under 1500 MB")
    return 0


def peak_megabytes() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
