"""Texts: the features of a row are its words, so over rows it is words that are told of, not places. Loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...criteria import Levels
from ...findings import Finding
from ...measure import Measure, Where
from ..modality.tokens import Words
from ..modality.words import word_table
from .table import Table

Floats = NDArray[np.float64]

LEAST = 5  # rows that a word occurs in, before it is told of: fewer would show single rows
MOST = 30  # words that are told of
RANKED = 64  # words by which two methods are compared: the most frequent ones
TOP = 5


@dataclass(frozen=True, slots=True)
class Worded:
    """One input of words.

    Attributes:
        columns: the features of the tables that are its places.
        words: of the explained rows.
    """

    columns: slice
    words: Words


def without_places(table: Table, texts: Sequence[Worded]) -> Table:
    """The table without the places of texts, which mean something else in every row."""
    if table.values is None or not texts:
        return table
    kept = _others(table, texts)
    cut = {k: None if (x := getattr(table, k)) is None else x[:, kept] for k in ("values", "stderr", "error")}
    return replace(table, features=tuple(table.features[k] for k in kept), **cut)


def with_words(table: Table, texts: Sequence[Worded]) -> Table:
    """The table with frequent words in place of places: what each of them brings to a row, 0 where it is not in it."""
    if table.values is None or not texts:
        return table
    rest = without_places(table, texts)
    assert rest.values is not None
    names, columns = list(rest.features), [rest.values]
    for text in texts:
        found, values = _frequent(text.words, text.words.summed(table.values[:, text.columns]))
        names += found
        columns.append(values)
    return replace(rest, features=tuple(names), values=np.concatenate(columns, 1), stderr=None, error=None)


def word_measures(name: str, table: Table, text: Worded, levels: Levels) -> list[Measure]:
    """How far each word moves the output where it occurs; t intervals over rows.

    The first is the one that surely moves it furthest, by the low end of its interval: the largest of many means is
    that of a rare word.
    """
    if table.values is None:
        return []
    amounts = text.words.summed(table.values[:, text.columns])
    found = []
    known = word_table(text.words, amounts, minimum=LEAST, level=levels.default)
    for word in sorted(known, key=lambda w: (-w.low, w.word))[:MOST]:
        where: Where = {"feature": word.word, "method": table.method}
        level = levels.of(name, "mean_absolute_attribution", "value", where)
        at = word
        if level != levels.default:
            again = word_table(text.words, amounts, minimum=LEAST, level=level)
            at = next(w for w in again if w.word == word.word)
        found.append(
            Measure(
                analysis=name,
                metric="mean_absolute_attribution",
                where=where,
                value=at.mean_absolute,
                low=at.low,
                high=at.high,
                level=level,
                method=f"{table.text}, where the word occurs; t interval over rows",
                unit=table.unit,
                n=at.n,
                details={"occurrences": at.occurrences, "mean": at.mean},
            )
        )
    return found


def word_findings(name: str, measures: Sequence[Measure], start: int) -> list[Finding]:
    """The words that move the output furthest, by the primary method."""
    if not measures:
        return []
    first = measures[0].where["method"]
    top = [(k, m) for k, m in enumerate(measures) if m.where["method"] == first][:TOP]
    parameters = {
        "words": [m.where["feature"] for _, m in top],
        "values": [m.value for _, m in top],
        "means": [m.details["mean"] for _, m in top],
        "unit": top[0][1].unit,
        "method": first,
    }
    evidence = tuple(start + k for k, _ in top)
    return [Finding(f"{name}.word_drivers", "word_drivers", parameters, evidence=evidence)]


def _others(table: Table, texts: Sequence[Worded]) -> list[int]:
    """The numbers of the features that are no places of a text."""
    places = {k for text in texts for k in range(*text.columns.indices(len(table.features)))}
    return [k for k in range(len(table.features)) if k not in places]


def _frequent(words: Words, values: Floats) -> tuple[list[str], Floats]:
    """The most frequent words, and [n, words] what they bring to each row."""
    rows = Counter(word for row in words.texts for word in {w.lower() for w in row})
    names = [w for w, count in sorted(rows.items(), key=lambda pair: (-pair[1], pair[0]))[:RANKED] if count >= LEAST]
    number = {word: k for k, word in enumerate(names)}
    found = np.zeros((len(values), len(names)))
    for row, texts in enumerate(words.texts):
        for place, word in enumerate(texts):
            if word.lower() in number:
                found[row, number[word.lower()]] += values[row, place]
    return names, found
