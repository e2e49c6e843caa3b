"""The report's vocabulary: what each metric, verdict, analysis and statistic is called and means, in plain English.

Keys are those of the record; another language is another set of the same tables. One module a section of the report.
"""

from __future__ import annotations

from .fairness import COMPONENTS, MIRRORS, YES_OR_NO
from .kinds import AnalysisWords, Metric, VerdictWords
from .lookup import METRICS, analysis, capital, metric, title, verdict
from .places import place
from .statistics import LEVELS, POINTS, STATISTICS
from .verdicts import KINDS, NOTES, VERDICTS

__all__ = [
    "COMPONENTS",
    "KINDS",
    "LEVELS",
    "METRICS",
    "MIRRORS",
    "NOTES",
    "POINTS",
    "STATISTICS",
    "VERDICTS",
    "YES_OR_NO",
    "AnalysisWords",
    "Metric",
    "VerdictWords",
    "analysis",
    "capital",
    "metric",
    "place",
    "title",
    "verdict",
]
