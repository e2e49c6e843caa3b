"""A record's folder: the record, its report, and what rendering the report cost."""

from __future__ import annotations

import json
from pathlib import Path

from ..audit.energy.meter import Meter
from ..audit.errors import RecordError
from ..audit.record import Record, write_whole


def save(record: Record, folder: Path | str) -> Path:
    """Write the record, report.html, and bill.json, which says what rendering took.

    Raises:
        RecordError: the folder cannot be written.
    """
    folder = Path(folder)
    from . import html

    with Meter.detect().window("report") as window:
        page = html.render(record)
    bill = {
        "phase": "report",
        "seconds": window.seconds,
        "joules": window.energy.value,
        "joules_low": window.energy.low,
        "joules_high": window.energy.high,
        "kind": window.energy.kind,
        "method": window.energy.method,
        "reason": window.energy.reason,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "report.html", page)
        write_whole(folder / "bill.json", json.dumps(bill, indent=1) + "\n")
    except OSError as error:
        raise RecordError(f"cannot write the report to {folder}: {error.strerror}; choose another --out") from error
    return record.save(folder)  # record.json comes last: a folder that has one is complete
