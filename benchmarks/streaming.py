"""Counting a Parquet file of 20 million rows against Polars and DuckDB doing the same group-by, and memory at 10⁸ rows.

Every reader gets the same file and the same number of threads. Times are medians of five, taken in turns; memory is
the peak resident set of a process that does nothing but count.

    python benchmarks/streaming.py [--rows 20000000] [--memory-rows 100000000] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SENSITIVE = ("sex", "race", "age")
COLUMNS = (*SENSITIVE, "y", "yhat")
LEVELS = {
    "sex": ["female", "male"],
    "race": ["Asian", "Black", "Hispanic", "Native American", "White"],
    "age": [f"{low} to {low + 9}" for low in range(20, 80, 10)],
    "region": [f"region {k}" for k in range(30)],
}
CHUNK = 1_000_000


def write(path: Path, rows: int) -> None:
    """A table of string groups, labels, decisions, and columns that nobody asks for."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, writer = np.random.default_rng(0), None
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        table = {
            name: pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, len(names), n, dtype=np.int8)), names)
            for name, names in LEVELS.items()
        }
        table |= {"y": rng.integers(0, 2, n), "yhat": rng.integers(0, 2, n), "score": rng.random(n, dtype=np.float32)}
        piece = pa.table({name: table[name] for name in ("sex", "race", "age", "region", "y", "yhat", "score")})
        writer = writer or pq.ParquetWriter(path, piece.schema)
        writer.write_table(piece)
    if writer is not None:
        writer.close()


def gnomon(path: Path, threads: int) -> int:
    """Rows counted by ours."""
    from gnomon.audit.fairness import Counts

    counts = Counts.from_file(path, target="y", prediction="yhat", sensitive=SENSITIVE, threads=threads)
    return int(counts.table.counts.sum())


def with_polars(path: Path, threads: int) -> int:
    """Rows counted by Polars, which takes its threads from the environment."""
    import polars

    assert polars.thread_pool_size() == threads
    return int(polars.scan_parquet(path).group_by(COLUMNS).len().collect()["len"].sum())


def with_duckdb(path: Path, threads: int) -> int:
    """Rows counted by DuckDB."""
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        names = ", ".join(COLUMNS)
        query = f"SELECT {names}, count(*) AS n FROM read_parquet(?) GROUP BY {names}"
        return int(sum(row[-1] for row in connection.execute(query, [str(path)]).fetchall()))


READERS = {"gnomon": gnomon, "Polars": with_polars, "DuckDB": with_duckdb}


def measure(path: Path, rows: int, threads: int, repeats: int) -> dict[str, float]:
    """The median seconds of each reader, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in READERS}
    for turn in range(repeats + 1):
        for name, read in READERS.items():
            begun = time.perf_counter()
            counted = read(path, threads)
            if turn:  # the first turn fills the file cache and loads the libraries
                seconds[name].append(time.perf_counter() - begun)
            assert counted == rows, (name, counted)
    return {name: statistics.median(times) for name, times in seconds.items()}


def peak(path: Path, threads: int) -> tuple[float, float]:
    """MB resident at most, and seconds, of a process that counts the file."""
    command = [sys.executable, __file__, "--count", str(path), "--threads", str(threads)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(found[0]), float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--memory-rows", type=int, default=100_000_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.count is not None:
        begun = time.perf_counter()
        gnomon(asked.count, asked.threads)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - begun)
        return
    os.environ["POLARS_MAX_THREADS"] = str(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        if asked.rows:
            compare(path, asked)
            path.unlink()
        if asked.memory_rows:
            write(path, asked.memory_rows)
            megabytes, seconds = peak(path, asked.threads)
            print(f"{asked.memory_rows:,} rows: {megabytes:.0f} MB resident at most (bound: 1,000), {seconds:.1f} s")


def compare(path: Path, asked: argparse.Namespace) -> None:
    """Print each reader's time on the same file."""
    try:
        import duckdb  # noqa: F401
        import polars  # noqa: F401
    except ImportError as error:
        print(f"{error.name} is not installed, so nothing is compared; pip install 'gnomon[bench]'")
        return
    write(path, asked.rows)
    found = measure(path, asked.rows, asked.threads, asked.repeats)
    size = path.stat().st_size / 2**20
    print(f"{asked.rows:,} rows ({size:.0f} MB), {' × '.join(COLUMNS)}, {asked.threads} threads")
    for name, seconds in found.items():
        print(f"  {name:8} {seconds:.3f} s")
    print(f"  gnomon / Polars {found['gnomon'] / found['Polars']:.2f} (bound: 1.00)")
    print(f"  gnomon / DuckDB {found['gnomon'] / found['DuckDB']:.2f} (bound: 1.50)")


if __name__ == "__main__":
    main()
