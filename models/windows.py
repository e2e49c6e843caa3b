"""Time windows: periods as they stand in a column, or times cut into days, weeks, months, quarters or years."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import UNKNOWN
from .errors import DataError
from .labels import MOST_LEVELS, code
from .places import Coded, series


def windows(column: str, values: Any, every: str | None = None) -> Coded:
    """The window of each row; windows in order of time, or of their names (numbers by size, then text).

    Args:
        column: its name, for messages.
        values: [n] periods; with `every` times, as dates or as ISO 8601 text. Blank = unknown.
        every: "day", "week" (ISO 8601), "month", "quarter" or "year"; None where the values are periods.

    Raises:
        DataError: a time cannot be read, or there are too many windows.

    Example:
        >>> windows("when", ["2024-02-29", "2023-12-31", None], "quarter")
        Coded(codes=array([ 1,  0, -1]), levels=('2023-Q4', '2024-Q1'))
    """
    found = code(column, values if every is None else _periods(column, values, every), most=None)
    if len(found.levels) > MOST_LEVELS:
        more = "cut times into longer windows with --every month" if every is None else "make windows longer"
        raise DataError(f"column '{column}' has {len(found.levels):,} time windows, more than {MOST_LEVELS:,}; {more}")
    return found


def _periods(column: str, values: Any, every: str) -> Coded:
    import pandas

    given = series(values)
    if given.dtype.kind in "biuf":
        raise DataError(
            f"column '{column}' holds numbers and no times; give times such as 2024-01-31, or leave --every out"
        )
    blank = given.isna() | (given.astype(str).str.strip() == "")
    form = None if given.dtype.kind == "M" else "ISO8601"
    times = pandas.to_datetime(given, errors="coerce", utc=True, format=form)
    bad = (times.isna() & ~blank).to_numpy(bool)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"column '{column}' holds '{given.iloc[row]}' (row {row}), which is no time; write times as 2024-01-31 or "
            f"2024-01-31T12:00"
        )
    known = ~blank.to_numpy(bool)
    codes = np.full(len(given), UNKNOWN, np.int64)
    moments = pandas.DatetimeIndex(times[known]).tz_localize(None)
    periods = moments.to_period({"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}[every])
    starts, places = np.unique(periods.to_timestamp().to_numpy(), return_inverse=True)
    codes[known] = places
    return Coded(codes, tuple(_name(pandas.Timestamp(start), every) for start in starts))


def _name(start: Any, every: str) -> str:
    """The name of a window, such that names sort as times do."""
    year, week, _ = start.isocalendar()
    names = {
        "day": f"{start:%Y-%m-%d}",
        "week": f"{year:04}-W{week:02}",
        "month": f"{start:%Y-%m}",
        "quarter": f"{start:%Y}-Q{(start.month + 2) // 3}",
        "year": f"{start:%Y}",
    }
    return names[every]
