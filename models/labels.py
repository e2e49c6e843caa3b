"""How the values of a column become levels and codes. Loads no torch.

A level is known by its text, never by when it first appeared: two halves of a table give the same levels the same
names, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN
from .errors import DataError
from .places import Coded, Places, is_number, places, rank, series, text, to_numpy
from .spec import Attribute
from .task import Number, Task

if TYPE_CHECKING:
    from pandas import Series

MOST_LEVELS = 1000  # a column with more values than this is a number or a name, not a group

Codes = NDArray[np.int64]


def code(column: str, values: Any, levels: Sequence[str] | None = None, most: int | None = MOST_LEVELS) -> Coded:
    """Code a column: into declared levels, or else into those that occur, sorted (numbers by size, then text).

    Args:
        column: its name, for messages.
        values: [n] labels of any kind, or `Coded`; None, NaN and blank text are unknown.
        levels: the levels, where they are declared; then each value must be one of them.
        most: how many levels may be found where none are declared; None for any number.

    Raises:
        DataError: an undeclared value, mixed types, or far too many levels.
    """
    found = narrow(column, values, levels, most)
    return Coded(found.codes.astype(np.int64), found.levels)


def narrow(column: str, values: Any, levels: Sequence[str] | None = None, most: int | None = MOST_LEVELS) -> Coded:
    """As `code`, the codes in whatever type of whole numbers takes least time."""
    found = places(column, values)
    order, table = order_of(column, found, levels, most)
    if np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return Coded(found.places, order)
    return Coded(table[found.places], order)  # place -1, no value, takes the last: UNKNOWN


def order_of(
    column: str, found: Places, levels: Sequence[str] | None, most: int | None = MOST_LEVELS
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """The levels of a column, and for each of its different values, and for none after them, its code.

    Raises:
        DataError: an undeclared value, levels that are alike, or far too many.
    """
    order = tuple(levels) if levels is not None else found.declared
    if not order and levels is None:
        order = tuple(sorted({*found.names} - {""}, key=rank))
    if levels is None and most is not None and len(order) > most:
        raise DataError(
            f"column '{column}' has {len(order):,} different values, and groups may have {most:,}; group the values "
            f"into bands in the table first"
        )
    code_of = {text(level): k for k, level in enumerate(order)} | {"": UNKNOWN}
    if len(code_of) < len(order) + 1:
        raise DataError(
            f"column '{column}' has levels {listed(order)}, two of them alike or one blank; declare each once"
        )
    for k, name in enumerate(found.names):
        if name not in code_of and (found.places == k).any():
            row = int((found.places == k).argmax())
            raise DataError(
                f"column '{column}' has value '{name}' at row {row}, but the levels are {listed(order)}; declare it as "
                f"a level, or leave unknown values blank"
            )
    small = np.int8 if len(order) < 128 else np.int16 if len(order) < 2**15 else np.int64
    return order, np.array([*(code_of.get(name, UNKNOWN) for name in found.names), UNKNOWN], dtype=small)


def attribute(column: str, coded: Coded) -> Attribute:
    """The sensitive attribute that a coded column is.

    Raises:
        DataError: no row has a value.
    """
    if not coded.levels:
        raise DataError(f"column '{column}' has no value in any row; leave it out of the sensitive columns")
    return Attribute(column, coded.levels)


def group_codes(
    groups: Mapping[str, Any], n: int, levels: Mapping[str, Sequence[str]] | None = None
) -> tuple[tuple[Attribute, ...], NDArray[np.int64]]:
    """Sensitive columns as attributes and [n, attributes] codes."""
    people: list[Attribute] = []
    codes = np.full((n, len(groups)), UNKNOWN, dtype=np.int64)
    for k, (name, values) in enumerate(groups.items()):
        coded = code(name, values, (levels or {}).get(name))
        if len(coded.codes) != n:
            raise DataError(f"attribute '{name}' has {len(coded.codes)} values for {n} rows; give one a row")
        people.append(attribute(name, coded))
        codes[:, k] = coded.codes
    return tuple(people), codes


def targets(task: Task, values: Any) -> Codes | NDArray[np.float64]:
    """Targets of an array or tensor, as a `Batch` holds them: class codes or numbers; text is read as class names.

    Raises:
        DataError: a code that is no class, or a target that is no number.
    """
    array = to_numpy(values)
    if isinstance(task, Number):
        return numbers("targets", array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"targets have shape {list(array.shape)}; give one class code a row, [n]")
    if array.dtype.kind not in "biuf":
        return code("targets", array, task.classes).codes
    known = ~np.isnan(array) if array.dtype.kind == "f" else np.ones(len(array), dtype=bool)
    codes = np.where(known, array, UNKNOWN).astype(np.int64)
    wrong = (known & (codes != array)) | (codes < UNKNOWN) | (codes >= len(task.classes))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"target {array[row]} at row {row} is not a class code; the classes {listed(task.classes)} have codes "
            f"0 to {len(task.classes) - 1}, and -1 is unknown"
        )
    return codes


def column_targets(task: Task, column: str, values: Any) -> Codes | NDArray[np.float64]:
    """Targets of a table's column: read by the names of the classes, or else as class codes."""
    if isinstance(task, Number):
        return numbers(column, values)
    coded = code(column, values)
    if set(coded.levels) <= {text(name) for name in task.classes}:
        return code(column, values, task.classes).codes
    if set(coded.levels) <= {str(k) for k in range(len(task.classes))}:
        return code(column, values, [str(k) for k in range(len(task.classes))]).codes
    raise DataError(
        f"column '{column}' has values {listed(coded.levels)}, but the classes are {listed(task.classes)}; "
        f"declare the task with the classes of the data"
    )


def numbers(column: str, values: Any) -> NDArray[np.float64]:
    """A column of numbers as float64; what has no value is NaN.

    Raises:
        DataError: a value that is not a number, or is infinite.
    """
    import pandas

    found = series(values)
    if found.dtype.kind not in "biuf":
        _refuse_text(column, found)
        found = pandas.Series(pandas.to_numeric(found))
    array = found.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(array).any():
        raise DataError(f"column '{column}' is infinite at row {int(np.isinf(array).argmax())}; give finite numbers")
    return array


def written(column: str, values: Any) -> Series:
    """A column whose numbers may be written as text, as they are in a CSV; blank text is no value.

    Raises:
        DataError: a text that is no number.
    """
    import pandas

    found = series(values)
    if not all(isinstance(value, str) for value in found.dropna()):
        return found
    return pandas.Series([_number(column, row, value) for row, value in enumerate(found)], dtype=np.float64)


def row_weights(column: str, values: Any) -> NDArray[np.float64]:
    """A column of weights: how many rows of the population each row stands for.

    Raises:
        DataError: a weight is blank, negative or no number, or all are 0.
    """
    found = numbers(column, written(column, values))
    bad = ~(found >= 0)
    if bad.any():
        row = int(bad.argmax())
        what = "is blank" if math.isnan(found[row]) else f"is {found[row]:g}, below 0"
        raise DataError(f"column '{column}' {what} at row {row}; give every row a weight of 0 or more")
    if not found.any():
        raise DataError(f"column '{column}' weighs every row 0, so nothing is left to measure; give positive weights")
    return found


def cluster_names(column: str, values: Any) -> NDArray[np.uint64]:
    """[n] a 64-bit name of what each row belongs to: the same label has the same name in every part of a table.

    Raises:
        DataError: a row without a value.
    """
    coded = code(column, values, most=None)
    if (coded.codes == UNKNOWN).any():
        row = int((coded.codes == UNKNOWN).argmax())
        raise DataError(
            f"column '{column}' is blank at row {row}; name the cluster of every row (a row that stands alone: its own)"
        )
    names = [int.from_bytes(blake2b(level.encode(), digest_size=8).digest(), "little") for level in coded.levels]
    return np.array(names, np.uint64)[coded.codes]


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, the first few of them."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _refuse_text(column: str, series: Series) -> None:
    sound = series.map(lambda value: is_number(value) or value is None or value != value or _is_na(value))
    if sound.all():
        return
    row = int((~sound).to_numpy(dtype=bool).argmax())
    numeric = next((value for value in series.dropna() if is_number(value)), None)
    mixed = f"mixes types: {series.iloc[row]!r} is {type(series.iloc[row]).__name__}, {numeric!r} is number"
    what = mixed if numeric is not None else f"holds {series.iloc[row]!r}, which is {type(series.iloc[row]).__name__}"
    raise DataError(f"column '{column}' {what} (row {row}); make it numbers, or declare it categorical")


def _number(column: str, row: int, value: object) -> float:
    if not isinstance(value, str) or not value.strip():
        return math.nan
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise DataError(f"column '{column}' holds '{value}' (row {row}), which is no number; write numbers as 0.5")
    return number


def _is_na(value: object) -> bool:
    import pandas

    return value is pandas.NA or value is pandas.NaT
