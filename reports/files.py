"""A record's folder: the record, its report, and what rendering the report cost."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..audit.energy.meter import Meter
from ..audit.errors import RecordError
from ..audit.record import Record, write_folder


def save(record: Record, folder: Path | str) -> Path:
    """Write the record, report.html, and bill.json, which says what rendering took: all of them or none.

    A record that stood in the folder is replaced.

    Raises:
        RecordError: the folder cannot be written.
    """
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
    beside = {"report.html": page, "bill.json": json.dumps(bill, indent=1) + "\n"}
    return write_folder(Path(folder), {**beside, **record.files()})


def require_writable(folder: Path) -> None:
    """Say before the work that a folder cannot be written, where that can be seen.

    Raises:
        RecordError: it cannot.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "no permission" if there.is_dir() else f"{there} is a file"
        raise RecordError(f"cannot write to {folder}: {why}; choose another --out")
