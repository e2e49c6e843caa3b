"""ProPublica's COMPAS tables: risk scores of a deployed tool, and who was charged again [larson2016]. Loads no torch.

Persons' names, birthdays and case numbers are removed from a download before it is kept. The two-year table keeps over
40 % too many recidivists, 45.1 % instead of 36.2 % [barenstein2019]: say so beside any figure made of it.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .files import File, fetch

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = "two_year_recid"
PREDICTION = "predicted"
SENSITIVE = ("race", "sex")
PERSONAL = ("name", "first", "last", "dob", "c_case_number", "r_case_number", "vr_case_number")

_PROPUBLICA = "https://raw.githubusercontent.com/propublica/compas-analysis/bafff5da3f2e45eca6c2d5055faad269defd135a/"


def without_persons(content: bytes) -> bytes:
    """The table without the columns that lead to a person; all other cells as they were."""
    rows = list(csv.reader(io.StringIO(content.decode(errors="surrogateescape"), newline="")))
    kept = [k for k, name in enumerate(rows[0] if rows else []) if name not in PERSONAL]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([row[k] for k in kept if k < len(row)] for row in rows)
    return out.getvalue().encode(errors="surrogateescape")


FILES = {
    "general": File(
        "compas-scores-two-years.deid.csv",
        _PROPUBLICA + "compas-scores-two-years.csv",
        ("a5e5c34bfd2d1f065bb12a44c0323421baf74b98b97d585915a0c2e1513ecaba",),
        aliases=("compas-scores-two-years.csv",),
        prepare=without_persons,
    ),
    "violent": File(
        "compas-scores-two-years-violent.deid.csv",
        _PROPUBLICA + "compas-scores-two-years-violent.csv",
        ("b8abcc0124548c8d16ae8dd48fc03a6153a1a18c895c378ac0517e367ecd84fe",),
        aliases=("compas-scores-two-years-violent.csv",),
        prepare=without_persons,
    ),
}


def load(
    folder: Path | str | None = None, *, download: bool = False, table: Literal["general", "violent"] = "general"
) -> DataFrame:
    """One of the two-year tables, 7,214 (general) or 4,743 (violent) rows, without personal columns.

    `predicted` is added: 1 where the tool said Medium or High, as ProPublica counts it. A name's second column ends in
    .1.

    Args:
        folder: with the publisher's .csv, or the .deid.csv without personal columns, plain or .gz; None: see
            `files.fetch`.
        download: ask the publisher if it is not at hand.
        table: the general scores, or those of violence.

    Raises:
        DataError: the file is not at hand, or is not the publisher's.
    """
    return parse(fetch("compas", FILES[table], folder, download=download), table)


def parse(content: bytes, table: Literal["general", "violent"] = "general") -> DataFrame:
    """The rows of one file."""
    import pandas

    frame = pandas.read_csv(io.BytesIO(content), low_memory=False)
    said = frame["v_score_text" if table == "violent" else "score_text"]
    return frame.assign(**{PREDICTION: (said != "Low").astype(int)})
