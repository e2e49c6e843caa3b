"""What words do on the whole: over rows, how far each moves the model's output. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import means
from .tokens import Floats, Words


@dataclass(frozen=True, slots=True)
class Word:
    """What one word does.

    Attributes:
        word: in lower case.
        n: rows it occurs in.
        occurrences: in all of them.
        mean_absolute: how far it moves the output where it occurs, in either direction; a row counts once.
        low: end of Student's interval over rows.
        high: the other end.
        mean: with its sign.
    """

    word: str
    n: int
    occurrences: int
    mean_absolute: float
    low: float
    high: float
    mean: float


def word_table(words: Words, values: Floats, *, minimum: int = 5, level: float = 0.95) -> list[Word]:
    """Words that occur in `minimum` rows or more, the one that moves the output furthest first.

    A row's occurrences of a word are averaged first, because rows are independent of each other and words of a row are
    not. What is measured is a word's effect where it occurs, not how often it does.

    Args:
        words: of the rows.
        values: [n, words] attributions of words, as `words.summed` gives.
        minimum: rows, at least 2.
        level: of the intervals.
    """
    texts, which, inside, size, signed = _by_row(words, np.asarray(values, np.float64))
    found = []
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(texts))
    for number, at in enumerate(np.split(order, np.cumsum(counts)[:-1])):
        if len(at) >= max(minimum, 2):
            mean, low, high = means.within(means.mean(size[at], level), 0.0)
            occurrences = int(inside[at].sum())
            found.append(Word(texts[number], len(at), occurrences, mean, low, high, float(signed[at].mean())))
    return sorted(found, key=lambda word: (-word.mean_absolute, word.word))


def _by_row(words: Words, values: Floats) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """The different words; and for each pair of a row and a word its number, occurrences, mean size and mean value."""
    codes: dict[str, int] = {}
    flat = [(row, codes.setdefault(t.lower(), len(codes))) for row, texts in enumerate(words.texts) for t in texts]
    each = np.array([v for row, texts in enumerate(words.texts) for v in values[row, : len(texts)]], np.float64)
    if not flat:
        nothing = np.zeros(0, np.int64)
        return [], nothing, nothing, np.zeros(0), np.zeros(0)
    pairs, at, inside = np.unique(np.array(flat, np.int64), axis=0, return_inverse=True, return_counts=True)
    at = at.reshape(-1)
    size, signed = (np.bincount(at, x, minlength=len(pairs)) / inside for x in (np.abs(each), each))
    return list(codes), pairs[:, 1], inside, size, signed
