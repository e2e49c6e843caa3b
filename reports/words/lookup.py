"""A word for each key of a record; what no table holds is called by its own name."""

from __future__ import annotations

from ..plain import plain
from . import data, energy, explanations, fairness, performance, rates
from .kinds import AnalysisWords, Metric, VerdictWords
from .statistics import STATISTICS
from .verdicts import VERDICTS

METRICS: dict[str, Metric] = {
    **rates.METRICS,
    **data.METRICS,
    **performance.METRICS,
    **fairness.METRICS,
    **explanations.METRICS,
    **energy.METRICS,
}
ANALYSES: dict[str, AnalysisWords] = {
    "data": data.SECTION,
    "performance": performance.SECTION,
    "fairness": fairness.SECTION,
    "explanations": explanations.SECTION,
    "energy": energy.SECTION,
}


def metric(name: str) -> Metric:
    """What is known of a metric; one that the catalogue does not hold is called by its own name."""
    return METRICS.get(name) or Metric(plain(name).replace("_", " "))


def title(name: str, statistic: str = "value") -> str:
    """A metric as a table calls it: "Selection rate", "Selection rate, difference"."""
    name = metric(name).title
    kind = STATISTICS.get(statistic, plain(statistic).replace("_", " "))
    return capital(name) + (f", {kind}" if kind else "")


def analysis(name: str) -> AnalysisWords:
    """A section's words; an analysis that the catalogue does not hold is called by its own name."""
    own = capital(plain(name).replace("_", " "))
    return ANALYSES.get(name) or AnalysisWords(own, f"What does {own} say?", "", f"{own} was not tested.")


def verdict(name: str) -> VerdictWords:
    """A verdict's word, symbol and meaning."""
    return VERDICTS[str(name)]


def capital(text: str) -> str:
    """With a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]
