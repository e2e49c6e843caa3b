"""The forms that a record can be shown in, by name."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path

from ..audit.errors import RecordError
from ..audit.record import Record, write_folder

FORMATS = {"html": ("html", "report.html"), "markdown": ("markdown", "report.md"), "text": ("console", "report.txt")}


def render(record: Record, name: str) -> str:
    """The record in that form.

    Raises:
        RecordError: there is no such form.
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(FORMATS)}"
        raise RecordError(f"--to {name}: no such format; {hint}")
    return import_module(f".{FORMATS[name][0]}", __package__).render(record)


def write(text: str, name: str, folder: Path) -> Path:
    """One file in the folder.

    Raises:
        RecordError: it cannot be written.
    """
    file = FORMATS[name][1]
    return write_folder(folder, {file: text}) / file
