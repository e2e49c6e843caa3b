"""Word lists from a file, and the groups that they find in the texts of a table. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ....models.errors import DataError
from ....models.tables import column, read_table
from .terms import Terms, groups_from_terms

if TYPE_CHECKING:
    from pandas import DataFrame


def read_terms(path: Path) -> Terms:
    """Word lists by level, from a YAML file such as `female: [she, her]`.

    Raises:
        DataError: the file is missing, or holds anything but levels with lists of words.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:120]})") from error
    fine = isinstance(found, dict) and found and all(isinstance(words, list) and words for words in found.values())
    if not fine or not all(isinstance(word, str) for words in found.values() for word in words):
        raise DataError(f"{path}: give each level its list of words, as in 'female: [she, her]'; put quotes around yes")
    return {str(level): tuple(words) for level, words in found.items()}


def with_groups(table: Path, text: str, terms: Terms, columns: Iterable[str]) -> tuple[DataFrame, str]:
    """Some columns of a table and one more, the group that each text is about; and the name of that one.

    A text is of a level if it holds its words and no other level's; of the rest the group is not known.

    Raises:
        DataError: the table has no such column, or no text holds any of the words.
    """
    wanted = list(dict.fromkeys([*columns, text]))
    frame = read_table(table, wanted)
    texts = column(frame, text)
    groups = groups_from_terms(
        ["" if blank else str(said) for said, blank in zip(texts, texts.isna(), strict=True)], terms
    )
    if not any(groups):
        raise DataError(f"{table}: no text of column '{text}' holds the words of one level; look at the lists")
    name = f"terms in {text}"
    return frame.assign(**{name: groups}), name
