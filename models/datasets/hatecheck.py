"""HateCheck: short texts that test a detector of hate speech, one ability at a time [rottger2021]. Loads no torch.

Each case is made from a template that is the same for several target groups: by template, groups can be compared like
with like. The texts are offensive; read them only where you must.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .files import File, fetch

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = "hateful"
TEXT = "text"
SENSITIVE = ("target",)

FILE = File(
    "test_suite_cases.csv",
    "https://raw.githubusercontent.com/paul-rottger/hatecheck-data/d84302298ceeb34f4b0dde2d8a1f4932c2caa612/"
    "test_suite_cases.csv",
    ("ecf0dc1e93fccc90b6f880e632b19e635c0f0a68b3157915a9e20b6938f121cf",),
)


def load(folder: Path | str | None = None, *, download: bool = False) -> DataFrame:
    """The 3,728 cases of 29 tests.

    Returns:
        Columns text, hateful (0 or 1), target (the group; None where the text aims at none), test, template (its
        number).

    Args:
        folder: with the publisher's .csv, plain or .gz; None: see `files.fetch`.
        download: ask the publisher if it is not at hand.

    Raises:
        DataError: the file is not at hand, or is not the publisher's.
    """
    return parse(fetch("hatecheck", FILE, folder, download=download))


def parse(content: bytes) -> DataFrame:
    """The rows of the file."""
    import pandas

    frame = pandas.read_csv(io.BytesIO(content), keep_default_na=False)
    target = frame["target_ident"].astype(object)
    return pandas.DataFrame(
        {
            TEXT: frame["test_case"],
            TARGET: (frame["label_gold"] == "hateful").astype(int),
            "target": target.where(target != "", None),
            "test": frame["functionality"],
            "template": frame["templ_id"],
        }
    )
