"""The different values of a column, and the place of each row's value among them. Loads no torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN
from .errors import DataError

if TYPE_CHECKING:
    from pandas import Series

SPAN = 4096  # whole numbers that lie closer than this are told apart by counting, wider ones by hashing

_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0+")  # a whole number as a CSV has it where its column also has blanks


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as codes into levels.

    Attributes:
        codes: [n] whole numbers; `UNKNOWN` where the column has no value.
        levels: the names, in the order of the codes.
    """

    codes: NDArray[Any]
    levels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class Places:
    """A column as places among names.

    Attributes:
        names: the text of each different value; two values may have one text, and "" is no value.
        places: [n] integers of any width; −1 = no value.
        declared: the levels, where the column itself declares them, as a Categorical does.
    """

    names: list[str]
    places: NDArray[Any]
    declared: tuple[str, ...] = ()


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


def places(column: str, values: Any) -> Places:
    """Tell the values of a column apart; codes, Categoricals and small whole numbers without looking at text.

    Raises:
        DataError: the column mixes types, or has codes without a level.
    """
    import pandas

    if isinstance(values, Coded):
        return _declared(column, values)
    kept = series(values)
    if isinstance(kept.dtype, pandas.CategoricalDtype):
        return _categories(column, kept)
    if isinstance(kept.dtype, np.dtype) and kept.dtype.kind in "biu" and len(kept):
        array = kept.to_numpy()
        low, high = array.min(), array.max()
        if int(high) - int(low) < SPAN:
            return _counted(array, int(low), int(high))
    found, different = pandas.factorize(kept)
    refuse_mixture(column, list(different))
    return Places([text(value) for value in different], found)


def series(values: Any) -> Series:
    """A column as a Series, its own index forgotten; an array would make one type of mixed ones."""
    import pandas

    kept = isinstance(values, (pandas.Series, pandas.Categorical, list, tuple))
    return pandas.Series(values if kept else to_numpy(values)).reset_index(drop=True)


def to_numpy(values: Any) -> NDArray[Any]:
    """An array of a tensor (on any device), an array or a sequence."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def rank(label: str) -> tuple[int, float, str]:
    """The order of levels: numbers by size, then text."""
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    return (1, 0.0, label) if math.isnan(number) else (0, number, label)


def refuse_mixture(column: str, values: list[Any]) -> None:
    """See that different values are of one type.

    Raises:
        DataError: text beside numbers, say.
    """
    families: dict[str, Any] = {}
    for value in values:
        families.setdefault(
            "number" if is_number(value) else "text" if isinstance(value, str) else type(value).__name__, value
        )
    if len(families) > 1:
        (one, first), (two, second), *_ = families.items()
        raise DataError(f"column '{column}' mixes types: {first!r} is {one}, {second!r} is {two}; make them one type")


def is_number(value: object) -> bool:
    """Whether a value is a number; True and False are."""
    return isinstance(value, (int, float, np.number, np.bool_))


def _declared(column: str, coded: Coded) -> Places:
    codes = to_numpy(coded.codes)
    if codes.dtype.kind not in "iu" or codes.ndim != 1:
        raise DataError(
            f"column '{column}' has codes of type {codes.dtype}, shape {list(codes.shape)}; give whole numbers [n]"
        )
    if len(codes) and not (codes.min() >= UNKNOWN and codes.max() < len(coded.levels)):
        row = int(((codes < UNKNOWN) | (codes >= len(coded.levels))).argmax())
        shown = ", ".join(coded.levels[:8]) + (", …" if len(coded.levels) > 8 else "")
        raise DataError(
            f"attribute '{column}' has code {codes[row]} at row {row}, but {len(coded.levels)} levels are declared "
            f"({shown}); declare the level, or code unknown rows as -1"
        )
    signed = codes.astype(np.int64) if codes.dtype.kind == "u" else codes
    return Places([text(level) for level in coded.levels], signed, tuple(coded.levels))


def _categories(column: str, values: Series) -> Places:
    refuse_mixture(column, list(values.cat.categories))
    names = [text(value) for value in values.cat.categories]
    declared = tuple(dict.fromkeys(name for name in names if name))
    ordered = declared if values.cat.ordered else tuple(sorted(declared, key=rank))
    return Places(names, values.cat.codes.to_numpy(), ordered)


def _counted(array: NDArray[Any], low: int, high: int) -> Places:
    """Whole numbers in a narrow range: the place of a value is its distance from the lowest."""
    # without a copy where the lowest is 0; a bool is 0 or 1 as it lies in memory
    found = array.view(np.int8) if array.dtype.kind == "b" else array
    found = found if not low else found.astype(np.int64) - low
    there = np.bincount(found, minlength=high - low + 1) if array.dtype != np.uint64 else None
    if there is None:
        found = found.astype(np.int64)
        there = np.bincount(found, minlength=high - low + 1)
    whole = bool if array.dtype.kind == "b" else int
    names = [text(whole(low + k)) if count else "" for k, count in enumerate(there.tolist())]
    return Places(names, found.astype(np.int64) if found.dtype.kind == "u" else found)
