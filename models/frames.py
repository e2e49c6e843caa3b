"""Tables of named columns as a network's inputs: what is learned of the columns is kept, and so are their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN
from .data import TensorData
from .design import Design
from .errors import DataError
from .labels import code, column_targets, group_codes, numbers
from .roles import KINDS, Roles
from .spec import Feature, Split, Tabular
from .tables import column
from .task import Task

if TYPE_CHECKING:
    from pandas import DataFrame

OTHER = "(other)"  # the last level of a category: what was never seen in training
MISSING = "(missing)"  # a level of its own, where training data had blanks


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric column: (x − centre) / scale.

    Attributes:
        fill: what stands in for a missing value, in the column's own unit; None: a missing value is an error.
    """

    name: str
    centre: float
    scale: float
    unit: str = ""
    fill: float | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A categorical column; its code is the place of its value among the levels.

    Attributes:
        levels: sorted by name; then `MISSING` if training data had blanks, then `OTHER` unless `strict`.
        strict: a value that is no level is an error.
    """

    name: str
    levels: tuple[str, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a table becomes inputs, learned once, on training rows.

    The inputs are float32 [n, numbers] and int64 [n, categories], or one of them if there is only one sort of column;
    with `one_hot`, one float32 [n, numbers + levels].
    """

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    one_hot: bool = False

    @property
    def spec(self) -> Tabular:
        """What the columns of the inputs mean."""
        features = [
            Feature(number.name, 0, (k,), unit=number.unit, centre=number.centre, scale=number.scale)
            for k, number in enumerate(self.numbers)
        ]
        place, place_input = (len(self.numbers), 0) if self.one_hot else (0, int(bool(self.numbers)))
        for category in self.categories:
            width = len(category.levels) if self.one_hot else 1
            features.append(Feature(category.name, place_input, tuple(range(place, place + width)), category.levels))
            place += width
        return Tabular(tuple(features))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of levels of each category: the rows of its embedding."""
        return tuple(len(category.levels) for category in self.categories)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A table as arrays.

    Attributes:
        inputs: as `Encoding` says.
        unseen: column -> values that training data never had, coded as `OTHER`.
        filled: column -> missing numbers that were filled in.
    """

    inputs: tuple[NDArray[Any], ...]
    unseen: dict[str, int]
    filled: dict[str, int]


def fit_encoding(
    frame: DataFrame,
    *,
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
    fill: Literal["mean", "median"] | float | None = None,
    unknown: Literal["other", "refuse"] = "other",
    one_hot: bool = False,
) -> Encoding:
    """Learn how to encode a table, from training rows.

    Args:
        frame: the training rows.
        numeric: the numeric columns, standardised by their mean and standard deviation (a constant one by 1).
        categorical: the categorical columns.
        units: column -> the unit of its numbers.
        fill: stands in for missing numbers: a number, or the column's mean or median here; None: they are an error.
        unknown: what to do with values that only turn up later: code them as `OTHER`, or refuse them.
        one_hot: one column a level, instead of codes for an embedding.

    Raises:
        DataError: a column is missing or mixed, or there is no column or no row.
    """
    if not (numeric or categorical):
        raise DataError("no columns are named; pass numeric=[…] and categorical=[…]")
    if len(frame) == 0:
        raise DataError("the training table has no rows; give at least one")
    return Encoding(
        tuple(_fit_number(frame, name, (units or {}).get(name, ""), fill) for name in numeric),
        tuple(_fit_category(frame, name, unknown == "refuse") for name in categorical),
        one_hot,
    )


def encode(encoding: Encoding, frame: DataFrame) -> Encoded:
    """Encode rows as the encoding says.

    Raises:
        DataError: a column is missing or mixed, a number is missing that may not be, or a value is refused.
    """
    unseen: dict[str, int] = {}
    filled: dict[str, int] = {}
    dense = np.empty((len(frame), len(encoding.numbers)), dtype=np.float32)
    codes = np.empty((len(frame), len(encoding.categories)), dtype=np.int64)
    for k, number in enumerate(encoding.numbers):
        dense[:, k], count = _standardised(number, frame)
        filled |= {number.name: count} if count else {}
    for k, category in enumerate(encoding.categories):
        codes[:, k], count = _coded(category, frame)
        unseen |= {category.name: count} if count else {}
    return Encoded(_inputs(encoding, dense, codes), unseen, filled)


def from_frame(
    frame: DataFrame,
    encoding: Encoding,
    *,
    target: str | None,
    sensitive: Sequence[str] = (),
    task: Task,
    levels: Mapping[str, Sequence[str]] | None = None,
    split: Split = "unknown",
    origin: str = "a data frame",
    weight: str | None = None,
    cluster: str | None = None,
    control: Sequence[str] = (),
    window: str | None = None,
    every: str | None = None,
    query: str | None = None,
) -> TensorData:
    """Rows of a table, encoded.

    Args:
        frame: the rows.
        encoding: learned on training rows by `fit_encoding`.
        target: the column of labels; None without labels.
        sensitive: the columns of sensitive attributes.
        task: tells how the labels are read.
        levels: attribute or control -> its levels, where they are declared beforehand.
        split: whether these rows were held out from training.
        origin: where they come from, in words; what was filled in or never seen in training is added.
        weight: the column that says how many rows of the population each row stands for.
        cluster: the column that names what rows hang together in: a person with many rows.
        control: the columns that comparisons are held fixed in; blank = unknown.
        window: the column of periods, or of times that `every` cuts into periods.
        every: "day", "week", "month", "quarter" or "year".
        query: the column that names the list of a ranking; None where all rows are one list.

    Raises:
        DataError: the table cannot be read so.
    """
    import torch

    if len(frame) == 0:
        raise DataError("the table has no rows; give at least one")
    roles = Roles(
        target,
        sensitive=tuple(sensitive),
        weight=weight,
        cluster=cluster,
        control=tuple(control),
        window=window,
        every=every,
        query=query,
        kind=_kind(task),
        modelled=True,
    )
    encoded = encode(encoding, frame)
    truth = None if target is None else column_targets(task, target, column(frame, target))
    people, groups = group_codes({name: column(frame, name) for name in sensitive}, len(frame), levels)
    inputs = tuple(torch.from_numpy(array) for array in encoded.inputs)
    design = Design.of_columns(frame, roles, levels)
    return TensorData(inputs, truth, groups, people, split, origin + _notes(encoded), design)


def _kind(task: Task) -> str:
    """What the task is called where a table's columns are named."""
    name = type(task).__name__.lower()
    return name if name in KINDS else "binary"


def _fit_number(frame: DataFrame, name: str, unit: str, fill: Literal["mean", "median"] | float | None) -> Number:
    values = numbers(name, column(frame, name))
    known = values[~np.isnan(values)]
    if len(known) == 0:
        raise DataError(f"column '{name}' has no number in any row; leave it out")
    if len(known) < len(values) and fill is None:
        raise _missing(name, values)
    stand_in = float(np.mean(known)) if fill == "mean" else float(np.median(known)) if fill == "median" else fill
    return Number(name, float(known.mean()), float(known.std()) or 1.0, unit, stand_in)


def _fit_category(frame: DataFrame, name: str, strict: bool) -> Category:
    coded = code(name, column(frame, name), most=None)
    blank = (MISSING,) if (coded.codes == UNKNOWN).any() else ()
    return Category(name, (*coded.levels, *blank, *(() if strict else (OTHER,))), strict)


def _standardised(number: Number, frame: DataFrame) -> tuple[NDArray[np.float64], int]:
    values = numbers(number.name, column(frame, number.name))
    missing = np.isnan(values)
    if missing.any() and number.fill is None:
        raise _missing(number.name, values)
    values = np.where(missing, 0.0 if number.fill is None else number.fill, values)
    return (values - number.centre) / number.scale, int(missing.sum())


def _coded(category: Category, frame: DataFrame) -> tuple[NDArray[np.int64], int]:
    coded = code(category.name, column(frame, category.name), most=None)
    code_of = {level: k for k, level in enumerate(category.levels)}
    other = code_of.get(OTHER, UNKNOWN)
    table = np.array([*(code_of.get(level, other) for level in coded.levels), code_of.get(MISSING, other)])
    codes = table[coded.codes].astype(np.int64)
    strange = codes == other
    if category.strict and strange.any():
        row = int(strange.argmax())
        value = coded.levels[coded.codes[row]] if coded.codes[row] != UNKNOWN else "blank"
        raise DataError(
            f"column '{category.name}' has value '{value}' at row {row} ({int(strange.sum()):,} such rows), never "
            f"seen in training; fit the encoding with unknown='other', or mend the value"
        )
    return codes, int(strange.sum())


def _inputs(encoding: Encoding, dense: NDArray[np.float32], codes: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    if not encoding.one_hot:
        return tuple(array for array in (dense, codes) if array.shape[1])
    hot = [np.eye(size, dtype=np.float32)[codes[:, k]] for k, size in enumerate(encoding.sizes)]
    return (np.concatenate([dense, *hot], axis=1),)


def _missing(name: str, values: NDArray[np.float64]) -> DataError:
    missing = np.isnan(values)
    return DataError(
        f"column '{name}' has no number in {int(missing.sum()):,} of {len(values):,} rows "
        f"(first: row {int(missing.argmax())}); fit the encoding with fill='median', or leave those rows out"
    )


def _notes(encoded: Encoded) -> str:
    filled = [f"{count:,} missing numbers of '{name}' were filled in" for name, count in encoded.filled.items()]
    unseen = [f"{count:,} values of '{name}' were never seen in training" for name, count in encoded.unseen.items()]
    return "".join(f"; {note}" for note in (*filled, *unseen))
