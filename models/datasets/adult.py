"""UCI Adult: who of 48,842 people in a 1994 US census earned over 50,000 dollars [becker1996]. Loads no torch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .files import File, fetch

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = "income"
POSITIVE, NEGATIVE = ">50K", "<=50K"
SENSITIVE = ("sex", "race")
NUMERIC = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
CATEGORICAL = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
)
UNITS = {"age": "years", "capital-gain": "USD", "capital-loss": "USD", "hours-per-week": "hours"}
LEVELS = {  # as the publisher's adult.names declares them
    "sex": ("Female", "Male"),
    "race": ("Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White"),
}
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
FILES = {
    "train": File(
        "adult.data",
        _UCI + "adult.data",
        ("5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",),
    ),
    "test": File(
        "adult.test",
        _UCI + "adult.test",
        ("a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",),
    ),
}


def load(folder: Path | str | None = None, *, download: bool = False) -> DataFrame:
    """Both files as one table of 48,842 rows: the publisher's columns, and `split` ("train" or "test").

    Args:
        folder: with adult.data and adult.test, plain or .gz; None: see `files.fetch`.
        download: ask the publisher if they are not at hand.

    Raises:
        DataError: the files are not at hand, or are not the publisher's.
    """
    import pandas

    parts = [
        parse(fetch("adult", file, folder, download=download).decode(), split).assign(split=split)
        for split, file in FILES.items()
    ]
    return pandas.concat(parts, ignore_index=True)


def parse(content: str, split: str) -> DataFrame:
    """The rows of one file: "?" is a missing value; the test file begins with a comment and ends labels with a dot."""
    import pandas

    frame = pandas.read_csv(
        io.StringIO(content),
        names=list(COLUMNS),
        header=None,
        skiprows=1 if split == "test" else 0,
        skipinitialspace=True,
        na_values=["?"],
        keep_default_na=False,
    )
    return frame.assign(income=frame["income"].str.rstrip("."))
