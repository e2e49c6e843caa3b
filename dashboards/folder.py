"""The audits of a folder, listed from their summaries alone. Knows no Streamlit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..audit.errors import RecordError
from ..audit.findings import Verdict
from ..audit.measure import Measure
from ..audit.record import FORMAT, Record

SUMMARY, RECORD, REPORT = "summary.json", "record.json", "report.html"
LARGEST = 64_000  # bytes of a summary; gnomon writes at most 4,000
FIRST = ("accuracy", "auc", "mean_absolute_error", "selection_rate", "energy_per_1000_predictions")  # shown in a list


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a cache knows a file by: it changes when the file does."""

    path: str
    modified: int
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit of the list.

    Attributes:
        id: the name of its folder; the only thing that a link may carry. Never used as a path.
        stamp: of its record.json.
        problem: why it cannot be read; empty where it can.
    """

    id: str
    folder: Path
    stamp: Stamp
    name: str = ""
    created: str = ""
    task: str = ""
    rows: int | None = None
    verdict: Verdict = Verdict.NOT_JUDGED
    headlines: tuple[Measure, ...] = ()
    problem: str = ""

    @property
    def report(self) -> Path | None:
        """The report beside the record; None where there is none, or only a link to one."""
        path = self.folder / REPORT
        return path if path.is_file() and not path.is_symlink() else None

    def record(self) -> Record:
        """Raises RecordError where it cannot be read."""
        return Record.load(self.stamp.path)


def entries(root: Path | str) -> list[Entry]:
    """The audits of a folder, newest first, then those that cannot be read. The folder may be one audit itself.

    Links are not followed: what is shown lies inside the folder.
    """
    root = Path(root)
    found = [_entry(name, folder) for name, folder in _folders(root)]
    newest = sorted(found, key=lambda e: (e.created, e.id), reverse=True)
    return sorted(newest, key=lambda e: bool(e.problem))


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    if (root / RECORD).is_file():
        yield root.resolve().name, root
    try:
        with os.scandir(root) as listed:
            inner = [entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise RecordError(f"cannot list the audits of {root}: {error.strerror}; give another folder") from error
    yield from ((name, root / name) for name in inner if (root / name / RECORD).is_file())


def _entry(name: str, folder: Path) -> Entry:
    stamp, summary = _stamp(folder / RECORD), _stamp(folder / SUMMARY)
    if (folder / RECORD).is_symlink():
        return Entry(name, folder, stamp, problem="record.json is a link; only files inside the folder are read")
    return _read(name, folder, stamp, summary)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return Stamp(str(path), 0, -1)
    return Stamp(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=20_000)
def _read(name: str, folder: Path, stamp: Stamp, summary: Stamp) -> Entry:
    """The entry of one folder, read once as long as neither file changes."""
    try:
        return Entry(name, folder, stamp, **_facts(_summary(stamp, summary)))
    except RecordError as error:
        return Entry(name, folder, stamp, problem=str(error))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return Entry(name, folder, stamp, problem=f"summary.json is damaged ({error}); make the audit anew")
    except OSError as error:
        return Entry(name, folder, stamp, problem=f"it cannot be read: {error.strerror}")


def _summary(stamp: Stamp, summary: Stamp) -> Any:
    if summary.size < 0:  # a record that was printed with --json has none beside it
        return json.loads(json.dumps(Record.load(stamp.path).summary()))
    if summary.size > LARGEST:
        raise RecordError(f"summary.json has {summary.size:,} bytes, which is no summary; make the audit anew")
    return json.loads(Path(summary.path).read_bytes())


def _facts(written: Any) -> dict[str, Any]:
    if written["format"] != FORMAT:
        raise RecordError(f"it has format {written['format']}; this version of gnomon reads format {FORMAT}")
    rows = written.get("rows")
    return {
        "name": str(written["name"]),
        "created": str(written["created"]),
        "task": str(written["task"]),
        "rows": int(rows) if rows is not None else None,
        "verdict": Verdict(written["verdict"]),
        "headlines": _headlines(written.get("headlines") or ()),
    }


def _headlines(written: Any) -> tuple[Measure, ...]:
    """The few numbers of a list, the best known first; each metric once."""
    known = {h["metric"]: h for h in reversed(list(written)) if h["value"] is not None and h["metric"] != "rows"}
    order = [m for m in FIRST if m in known] + [m for m in known if m not in FIRST]
    keys = ("metric", "value", "low", "high", "unit")
    return tuple(Measure(analysis="", n=0, **{key: known[metric][key] for key in keys}) for metric in order[:3])
