"""Tables of any length, read a piece at a time. Loads no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import DataError
from .tables import kind_of, require, separator_of

if TYPE_CHECKING:
    from pyarrow import RecordBatch

PIECE = 2**18  # rows decoded at a time: some MB a column
CSV_BYTES = 2**24  # bytes of a CSV parsed at a time

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Pieces:
    """A table that is read in pieces.

    Attributes:
        path: a Parquet file, or a CSV or TSV one, plain or .gz.
        columns: what is read of it.
        numeric: those of them that are numbers, where a CSV has only text.
        threads: how many pieces are decoded at once; 0 for one a processor.
    """

    path: Path
    columns: tuple[str, ...]
    numeric: tuple[str, ...] = ()
    threads: int = 0

    def fold(self, zero: Callable[[], P], add: Callable[[P, RecordBatch], None]) -> list[P]:
        """Add every piece to a state of the thread that decodes it; the states of all threads.

        Raises:
            DataError: the file cannot be read so.
        """
        import pyarrow

        kind = kind_of(self.path)
        try:
            return self._parquet(zero, add) if kind == "Parquet" else [self._csv(zero, add)]
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"{self.path}: cannot be read as {kind} ({said}); give every row as many values as the header has "
                f"names, in UTF-8, or write the file again"
            ) from error

    def _parquet(self, zero: Callable[[], P], add: Callable[[P, RecordBatch], None]) -> list[P]:
        import pyarrow.parquet

        about = pyarrow.parquet.read_metadata(self.path)
        schema = about.schema.to_arrow_schema()
        require(schema.names, self.columns)
        text = [name for name in self.columns if _is_text(schema.field(name).type)]
        places = count()  # of row groups; taking the next number is atomic

        def work(_: int) -> P:
            state = zero()
            with pyarrow.parquet.ParquetFile(self.path, metadata=about, read_dictionary=text) as file:
                for place in iter(lambda: next(places), None):
                    if place >= about.num_row_groups:
                        return state
                    for piece in file.iter_batches(PIECE, [place], list(self.columns), use_threads=False):
                        add(state, piece)
            return state

        threads = max(1, min(self.threads or os.cpu_count() or 1, about.num_row_groups))
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, range(threads)))

    def _csv(self, zero: Callable[[], P], add: Callable[[P, RecordBatch], None]) -> P:
        state = zero()
        for piece in self._csv_pieces():
            add(state, piece)
        return state

    def _csv_pieces(self) -> Iterator[RecordBatch]:
        import pyarrow
        from pyarrow import csv

        shape = csv.ParseOptions(delimiter=separator_of(self.path), newlines_in_values=True)
        size = csv.ReadOptions(block_size=CSV_BYTES)
        with csv.open_csv(self.path, size, shape) as head:
            require(head.schema.names, self.columns)
        coded: Any = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        types = {name: pyarrow.float64() if name in self.numeric else coded for name in self.columns}
        read = csv.ConvertOptions(
            column_types=types, include_columns=list(self.columns), null_values=[""], strings_can_be_null=True
        )
        with csv.open_csv(self.path, size, shape, read) as pieces:
            yield from pieces


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)
