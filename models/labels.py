"""How the values of a column become levels and codes. Loads no torch.

A level is known by its text, never by when it first appeared: two halves of a table give the same levels the same
names, in the same order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN
from .errors import DataError
from .spec import Attribute
from .task import Regression, Task

if TYPE_CHECKING:
    from pandas import Series

MOST_LEVELS = 256  # a column with more values than this is a number or a name, not a group

Codes = NDArray[np.int64]

_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0+")  # a whole number as a CSV has it where its column also has blanks


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as codes into levels.

    Attributes:
        codes: [n] int64; `UNKNOWN` where the column has no value.
        levels: the names, in the order of the codes.
    """

    codes: Codes
    levels: tuple[str, ...]


def text(value: object) -> str:
    """A value as the name of a level: 1, 1.0, "1" and "1.0" are one level, "1"; "01" is another.

    >>> text(1.0), text(True), text(" Female "), text(0.5), text("01")
    ('1', 'True', 'Female', '0.5', '01')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    stripped = str(value).strip()
    return str(int(stripped.partition(".")[0])) if _WHOLE.fullmatch(stripped) else stripped


def code(column: str, values: Any, levels: Sequence[str] | None = None, most: int | None = MOST_LEVELS) -> Coded:
    """Code a column: into declared levels, or else into those that occur, sorted (numbers by size, then text).

    Args:
        column: its name, for messages.
        values: [n] labels of any kind; None, NaN and blank text are unknown.
        levels: the levels, where they are declared; then each value must be one of them.
        most: how many levels may be found where none are declared; None for any number.

    Raises:
        DataError: an undeclared value, mixed types, or far too many levels.
    """
    names, places, declared = _found(column, values)
    order = tuple(levels) if levels is not None else tuple(sorted({*names, *declared} - {""}, key=_rank))
    if levels is None and declared:
        order = declared
    if levels is None and most is not None and len(order) > most:
        raise DataError(
            f"column '{column}' has {len(order):,} different values, and groups may have {most}; group the values into "
            f"bands in the table first"
        )
    code_of = {text(level): k for k, level in enumerate(order)} | {"": UNKNOWN}
    if len(code_of) < len(order) + 1:
        raise DataError(
            f"column '{column}' has levels {listed(order)}, two of them alike or one blank; declare each once"
        )
    strange = [k for k, name in enumerate(names) if name not in code_of]
    if strange:
        row = int(np.argmax(places == strange[0]))
        raise DataError(
            f"column '{column}' has value '{names[strange[0]]}' at row {row}, but the levels "
            f"are {listed(order)}; declare it as a level, or leave unknown values blank"
        )
    table = np.array([*(code_of[name] for name in names), UNKNOWN], dtype=np.int64)
    return Coded(table[places], order)  # place -1, no value, takes the last: UNKNOWN


def attribute(column: str, coded: Coded) -> Attribute:
    """The sensitive attribute that a coded column is.

    Raises:
        DataError: no row has a value.
    """
    if not coded.levels:
        raise DataError(f"column '{column}' has no value in any row; leave it out of the sensitive columns")
    return Attribute(column, coded.levels)


def targets(task: Task, values: Any) -> Codes | NDArray[np.float64]:
    """Targets of an array or tensor, as a `Batch` holds them: class codes or numbers; text is read as class names.

    Raises:
        DataError: a code that is no class, or a target that is no number.
    """
    array = to_numpy(values)
    if isinstance(task, Regression):
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
    if isinstance(task, Regression):
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

    series = _series(values)
    if series.dtype.kind not in "biuf":
        _refuse_text(column, series)
        series = pandas.Series(pandas.to_numeric(series))
    array = series.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(array).any():
        raise DataError(f"column '{column}' is infinite at row {int(np.isinf(array).argmax())}; give finite numbers")
    return array


def written(column: str, values: Any) -> Series:
    """A column whose numbers may be written as text, as they are in a CSV; blank text is no value.

    Raises:
        DataError: a text that is no number.
    """
    import pandas

    series = _series(values)
    if not all(isinstance(value, str) for value in series.dropna()):
        return series
    return pandas.Series([_number(column, row, value) for row, value in enumerate(series)], dtype=np.float64)


def to_numpy(values: Any) -> NDArray[Any]:
    """An array of a tensor (on any device), an array or a sequence."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, the first few of them."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _found(column: str, values: Any) -> tuple[list[str], NDArray[np.intp], tuple[str, ...]]:
    """The text of each different value, the place of each row's value there (-1 = none), and a Categorical's levels."""
    import pandas

    series = _series(values)
    declared: tuple[str, ...] = ()
    if isinstance(series.dtype, pandas.CategoricalDtype):
        declared = tuple(dict.fromkeys(name for value in series.cat.categories if (name := text(value))))
        declared = declared if series.cat.ordered else tuple(sorted(declared, key=_rank))
    places, found = pandas.factorize(series)
    _refuse_mixture(column, list(found))
    return [text(value) for value in found], places, declared


def _series(values: Any) -> Series:
    import pandas

    kept = isinstance(
        values, (pandas.Series, pandas.Categorical, list, tuple)
    )  # an array would make one type of mixed ones
    return pandas.Series(values if kept else to_numpy(values)).reset_index(drop=True)


def _rank(label: str) -> tuple[int, float, str]:
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    return (1, 0.0, label) if math.isnan(number) else (0, number, label)


def _refuse_mixture(column: str, values: list[Any]) -> None:
    families: dict[str, Any] = {}
    for value in values:
        families.setdefault(
            "number" if _is_number(value) else "text" if isinstance(value, str) else type(value).__name__, value
        )
    if len(families) > 1:
        (one, first), (two, second), *_ = families.items()
        raise DataError(f"column '{column}' mixes types: {first!r} is {one}, {second!r} is {two}; make them one type")


def _refuse_text(column: str, series: Series) -> None:
    sound = series.map(lambda value: _is_number(value) or value is None or value != value or _is_na(value))
    if sound.all():
        return
    row = int((~sound).to_numpy(dtype=bool).argmax())
    numeric = next((value for value in series.dropna() if _is_number(value)), None)
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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number, np.bool_))


def _is_na(value: object) -> bool:
    import pandas

    return value is pandas.NA or value is pandas.NaT
