"""Tables from files, and columns from tables, with a word on what is wrong with them. Loads no torch."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataError
from .labels import listed

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_KINDS = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV", ".tsv": "TSV"}
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib"}
_SIGNATURES = {  # how files of these kinds begin
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive (or a spreadsheet, or a torch file)",
    b"\x80": "a pickle",
}


def read_table(path: Path, columns: Sequence[str] | None = None) -> DataFrame:
    """Read a CSV, TSV (plain or .gz) or Parquet file; names that occur twice get .1, .2 as in pandas.

    The values of a CSV stay text as they are written ("01", "NA"), so that they say the same as in Parquet; only blank
    ones are missing.

    Args:
        path: the file.
        columns: read these alone.

    Raises:
        DataError: the file is missing, empty, a pickle, not what its name says, or lacks a column.
    """
    kind = kind_of(path)
    try:
        frame = _parquet(path, columns) if kind == "Parquet" else _csv(path, columns)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as {kind} ({_line(error)}); {_cure(kind, error)}") from error
    if frame.empty:
        raise DataError(f"{path}: the table has no rows; give at least one")
    return frame


def column(frame: DataFrame, name: str) -> Series:
    """One column of a table.

    Raises:
        DataError: the table has no such column, or two.
    """
    require(frame.columns, [name])
    found = frame.loc[:, [str(label) == name for label in frame.columns]]
    if found.shape[1] > 1:
        raise DataError(f"column '{name}' occurs {found.shape[1]} times; give the columns different names")
    return found.iloc[:, 0].reset_index(drop=True)


def require(present: Iterable[object], wanted: Sequence[str]) -> None:
    """See that the wanted columns are there.

    Raises:
        DataError: one is not; the nearest name is suggested.
    """
    names = [str(name) for name in present]
    for name in wanted:
        if name not in names:
            raise DataError(f"there is no column '{name}'; {_nearest(name, names)}")


def _nearest(name: str, names: list[str]) -> str:
    folded = {other.casefold(): other for other in names}
    near = get_close_matches(name.casefold(), folded, n=1)
    return f"did you mean '{folded[near[0]]}'?" if near else f"the columns are {listed(names)}"


def kind_of(path: Path) -> str:
    """Whether a file is a Parquet, CSV or TSV table, by its name and by how it begins.

    Raises:
        DataError: the file is missing, empty, a pickle, or not what its name says.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    suffix = (suffixes[:-1] if zipped else suffixes)[-1:] or [""]
    if suffix[0] in _PICKLES:
        raise DataError(f"{path}: pickles are refused, because loading one can run code; save it as Parquet or CSV")
    if suffix[0] not in _KINDS:
        raise DataError(f"{path}: not a kind of table that is known; give a .csv, .tsv (also .gz) or .parquet file")
    kind, found = _KINDS[suffix[0]], _begins(path)
    expected = "a gzip file" if zipped else "a Parquet file" if kind == "Parquet" else "text"
    if found != expected:
        raise DataError(
            f"{path}: the name says {kind}{' in gzip' if zipped else ''}, but this is {found}; {_mend(found)}"
        )
    return kind


def separator_of(path: Path) -> str:
    """What parts the values of a CSV or TSV file."""
    return _SEPARATORS[next(suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() != ".gz")]


def _begins(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give the path of a table") from error
    if not head:
        raise DataError(f"{path}: the file is empty; give a table with a header and at least one row")
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    return "a binary file" if b"\0" in head else "text"


def _mend(found: str) -> str:
    return "rename it to .parquet" if found == "a Parquet file" else "give a CSV or Parquet file"


def _parquet(path: Path, columns: Sequence[str] | None) -> DataFrame:
    import pyarrow.parquet

    if columns is not None:
        require(pyarrow.parquet.read_schema(path).names, columns)
    table = pyarrow.parquet.read_table(path, columns=None if columns is None else list(dict.fromkeys(columns)))
    return table.to_pandas(ignore_metadata=columns is not None)


def _csv(path: Path, columns: Sequence[str] | None) -> DataFrame:
    import pandas

    separator = separator_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        try:  # all columns are read: pandas counts the values of a row only then
            frame = pandas.read_csv(
                path,
                sep=separator,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                encoding="utf-8-sig",
            )
        except pandas.errors.ParserWarning as warning:
            raise DataError(
                f"{path}: rows have more values than the header has names; quote values that hold '{separator}', "
                f"or name every column"
            ) from warning
    if columns is None:
        return frame
    require(frame.columns, columns)
    return frame.filter(items=list(dict.fromkeys(columns)))


def _cure(kind: str, error: Exception) -> str:
    from pandas.errors import ParserError

    if isinstance(error, UnicodeDecodeError):
        return "save it as UTF-8"
    if isinstance(error, ParserError):
        return "give every row as many values as the header has names, and quote values that hold a separator"
    return f"the file is cut short or damaged; write the {kind} file again"


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
