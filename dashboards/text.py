"""Text from records, made safe for Streamlit's Markdown and for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from ..reports.plain import plain

PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")  # all that CommonMark lets a backslash take the meaning from
JOINER = "\u2060"  # no width: parts what would else become a link, an emoji or a colour after Markdown was read
WOVEN = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)", re.IGNORECASE)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?\Z")


def escaped(text: object, most: int = 900) -> str:
    """One line that Markdown shows as it is: no links, pictures, colours, formulas or emoji.

    >>> escaped("a *b* <i>").count("\\\\")
    4
    """
    return PUNCTUATION.sub(r"\\\1", WOVEN.sub(JOINER, plain(text, most)))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV that no spreadsheet takes for formulas (CWE-1236): text that begins like one gets an apostrophe.

    >>> csv_text(("group",), [("=1+1",), ("-0.5",)])
    "group\\n'=1+1\\n-0.5\\n"
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([guarded(column) for column in columns])
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return file.getvalue()


def guarded(cell: object) -> object:
    """The cell, with an apostrophe before text that a spreadsheet would run."""
    runs = isinstance(cell, str) and cell.startswith(FORMULA) and not NUMBER.match(cell)
    return f"'{cell}" if runs else cell
