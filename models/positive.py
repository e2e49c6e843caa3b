"""Which label is the positive one, or which several are that count alike. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import DataError
from .places import rank, text

_FOLDED = {"True": "1", "False": "0"}  # 1 and True are one label


@dataclass(frozen=True, slots=True)
class Positive:
    """The positive labels, by their text; every other label is negative.

    >>> both = Positive.of(["hired", "shortlisted"])
    >>> both.name, both.holds("shortlisted"), both.holds("rejected")
    ('hired or shortlisted', True, False)
    >>> Positive.of(1).holds("True")
    True
    """

    labels: tuple[str, ...]

    @classmethod
    def of(cls, said: object) -> Positive:
        """What someone names: a label, or several in a list, a tuple, a set or an array.

        Raises:
            DataError: none is named.
        """
        if isinstance(said, (set, frozenset)):
            labels = sorted(map(text, said), key=rank)
        elif isinstance(said, (list, tuple, np.ndarray)):
            labels = [text(label) for label in said]
        else:
            labels = [text(said)]
        if not labels:
            raise DataError("no positive label is named; name one or several of the labels")
        return cls(tuple(dict.fromkeys(labels)))

    @property
    def name(self) -> str:
        """What the positive class is called."""
        return " or ".join(self.labels)

    def holds(self, label: str) -> bool:
        """Whether a label is positive."""
        return _folded(label) in map(_folded, self.labels)

    def negative(self, others: set[str]) -> str:
        """What the class of all other labels is called: by their name where there is but one."""
        return next(iter(others)) if len(others) == 1 else f"not {self.name}"


def _folded(label: str) -> str:
    return _FOLDED.get(label, label)
