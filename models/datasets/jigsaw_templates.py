"""Sentences of templates and identity terms, toxic and not, to test classifiers with [dixon2018]. Loads no torch.

Half of the rows of every template set are toxic whatever the term, so a classifier that scores terms differently is
wrong about them. The comments are Wikipedia's, some with their identity terms swapped: pairs of real counterfactuals.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import DataError
from .files import File, fetch

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = "toxic"
TEXT = "text"

_COMMIT = "9c7d91aaa53406a362354661a93e07956d95e59a"
_JIGSAW = f"https://raw.githubusercontent.com/conversationai/unintended-ml-bias-analysis/{_COMMIT}/"
_COMMENTS = _JIGSAW + "archive/unintended_ml_bias/eval_datasets/"
_MADLIBS = _JIGSAW + "archive/unintended_ml_bias/new_madlibber/output_data/English/"

FILES = {
    "sentences": File(
        "en_sentence_templates.csv",
        _JIGSAW + "sentence_templates/en_sentence_templates.csv",
        ("8ed7d07f61000a95a2e18747b8f1fbf43d75257cd342cddef1f3533254374633",),
    ),
    "intersections": File(
        "intersectional_madlibs.csv",
        _MADLIBS + "intersectional_madlibs.csv",
        ("f5e69059febf57c888224dfe0c7b70e246e60352ee842ed63ee8076320f664a0",),
    ),
    "comments": File(
        "toxicity_nonfuzzed_testset.csv",
        _COMMENTS + "toxicity_nonfuzzed_testset.csv",
        ("c11caefa0c487cb7a7fc0726cb53358d4e5463bd071d65979398af59fa80f881",),
    ),
    "swapped": File(
        "toxicity_fuzzed_testset.csv",
        _COMMENTS + "toxicity_fuzzed_testset.csv",
        ("382f8698edc67dc0ebd521406d9b4fb27b0192a0d09559503bd965609382685c",),
    ),
}


def load(
    folder: Path | str | None = None,
    *,
    download: bool = False,
    table: Literal["sentences", "intersections", "comments"] = "sentences",
) -> DataFrame:
    """One of the tables.

    Returns:
        Columns text, toxic (0 or 1) and template: of 76,564 sentences or 30,240 sentences with two terms. Of 1,492
        comments text, toxic and swapped: the comment with its identity terms swapped (the same text where it has none).

    Args:
        folder: with the publisher's .csv, plain or .gz; None: see `files.fetch`.
        download: ask the publisher if it is not at hand.
        table: which one.

    Raises:
        DataError: a file is not at hand, or is not the publisher's.
    """
    content = fetch("jigsaw_templates", FILES[table], folder, download=download)
    if table != "comments":
        return sentences(content)
    return comments(content, fetch("jigsaw_templates", FILES["swapped"], folder, download=download))


def sentences(content: bytes) -> DataFrame:
    """The rows of a template set."""
    import pandas

    frame = pandas.read_csv(io.BytesIO(content), keep_default_na=False)
    toxic = (frame["toxicity"] == "toxic").astype(int)
    return pandas.DataFrame({TEXT: frame["phrase"], TARGET: toxic, "template": frame["template"]})


def comments(content: bytes, swapped: bytes) -> DataFrame:
    """Comments beside themselves with identity terms swapped.

    Raises:
        DataError: the two files hold other comments.
    """
    import pandas

    first, second = (pandas.read_csv(io.BytesIO(part), keep_default_na=False) for part in (content, swapped))
    if not first["rev_id"].equals(second["rev_id"]):
        raise DataError("the two files of comments hold other comments; get both from one release")
    toxic = first["toxic"].astype(str).eq("True").astype(int)
    return pandas.DataFrame({TEXT: first["comment"], TARGET: toxic, "swapped": second["comment"]})
