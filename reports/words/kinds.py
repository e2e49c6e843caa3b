"""What words are kept of a metric, a verdict and a section of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "closer to 0", ""]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a reader needs to know of a metric.

    Attributes:
        title: its name in a sentence, lower case.
        meaning: one line of explanation.
        better: which direction is better; empty where neither is by itself.
        share: a share of rows, shown in percent.
        bounded: between 0 and 1.
    """

    title: str
    meaning: str = ""
    better: Better = ""
    share: bool = False
    bounded: bool = False


def share(title: str, meaning: str, better: Better = "") -> Metric:
    """A share of rows: between 0 and 1, shown in percent."""
    return Metric(title, meaning, better, share=True, bounded=True)


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """How a verdict is written: a symbol beside the word, never a colour alone."""

    word: str
    symbol: str
    meaning: str


@dataclass(frozen=True, slots=True)
class AnalysisWords:
    """A section of the report.

    Attributes:
        question: what it answers, as a person would ask.
        computed: how its numbers come about.
        skipped: what a page says where the audit left it out.
    """

    title: str
    question: str
    computed: str
    skipped: str
