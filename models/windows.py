"""Time windows: periods as they stand in a column, or times cut into days, weeks, months, quarters or years."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from .batch import UNKNOWN
from .errors import DataError
from .labels import MOST_LEVELS, code
from .places import Coded, series

SHOWN = 60  # so many windows fit a table: up to as many, those without rows between others are windows too

_NAMED = {
    "day": re.compile(r"(\d{4})-(\d\d)-(\d\d)"),
    "week": re.compile(r"(\d{4})-W(\d\d)"),
    "month": re.compile(r"(\d{4})-(0[1-9]|1[0-2])"),
    "quarter": re.compile(r"(\d{4})-Q([1-4])"),
    "year": re.compile(r"(\d{4})"),
}


def windows(column: str, values: Any, every: str | None = None) -> Coded:
    """The window of each row; windows in order of time, or of their names (numbers by size, then text).

    Periods between the first and the last that hold no row are windows too, as `filled` has it.

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
    found = code(column, values, most=None) if every is None else periods(column, values, every)
    if len(found.levels) > MOST_LEVELS:
        more = "cut times into longer windows with --every month" if every is None else "make windows longer"
        raise DataError(f"column '{column}' has {len(found.levels):,} time windows, more than {MOST_LEVELS:,}; {more}")
    levels = found.levels if every is None else filled(found.levels, every)
    if levels == found.levels:
        return found
    place = np.array([*(levels.index(level) for level in found.levels), UNKNOWN], np.int64)
    return Coded(place[found.codes], levels)


def filled(levels: Sequence[str], every: str) -> tuple[str, ...]:
    """Windows in order of time, and between them the periods that hold no row, where these are not far too many.

    They are where all fit a table, or where no more are empty than not; `left_out` counts them otherwise.

    >>> filled(("2023-11", "2024-02"), "month")
    ('2023-11', '2023-12', '2024-01', '2024-02')
    """
    if not levels:
        return ()
    first, last = _number(levels[0], every), _number(levels[-1], every)
    total = last - first + 1
    if total > max(SHOWN, min(2 * len(levels), MOST_LEVELS)):
        return tuple(levels)
    return tuple(_named(number, every) for number in range(first, last + 1))


def left_out(levels: Sequence[str]) -> int:
    """How many periods between the first and the last of some windows are none of them; 0 of windows of other names.

    >>> left_out(("2023-11", "2024-02")), left_out(("before", "after"))
    (2, 0)
    """
    for every, pattern in _NAMED.items():
        if every != "year" and levels and all(pattern.fullmatch(level) for level in levels):  # a year may be any number
            try:
                return _number(levels[-1], every) - _number(levels[0], every) + 1 - len(levels)
            except ValueError:  # the 31st of February
                return 0
    return 0


def _number(name: str, every: str) -> int:
    """Which period a name stands for, counted on from a period long ago."""
    found = _NAMED[every].fullmatch(name)
    year, *rest = map(int, found.groups()) if found else (0,)
    if every == "day":
        return date(year, *rest).toordinal()
    if every == "week":
        return date.fromisocalendar(year, rest[0], 1).toordinal() // 7
    return year if every == "year" else year * {"month": 12, "quarter": 4}[every] + rest[0] - 1


def _named(number: int, every: str) -> str:
    """The name of a period by its number: the other way about."""
    if every == "day":
        return date.fromordinal(number).isoformat()
    if every == "week":
        year, week, _ = date.fromordinal(7 * number + 1).isocalendar()
        return f"{year:04}-W{week:02}"
    if every == "month":
        return f"{number // 12:04}-{number % 12 + 1:02}"
    return f"{number:04}" if every == "year" else f"{number // 4:04}-Q{number % 4 + 1}"


def periods(column: str, values: Any, every: str) -> Coded:
    """The period of each row, of those that occur, in order of time; as `windows` reads them.

    Raises:
        DataError: a time cannot be read.
    """
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
