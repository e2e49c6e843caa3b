"""Words of the section on explanations: what the model decides on."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric

SECTION = AnalysisWords(
    "Explanations",
    "What does the model decide on?",
    "An attribution says how much of the change in the model's output, from a neutral input to the row, is due to "
    "each feature. The rows explained are chosen by the hash of their number, so the choice is the same however the "
    "data is ordered. Attribution describes the model, not the world: it shows no cause.",
    "What the model decides on was not tested.",
)

METRICS: dict[str, Metric] = {
    "mean_absolute_attribution": Metric(
        "mean absolute attribution", "How much the feature moves the model's output, on average, in either direction."
    ),
    "mean_attribution": Metric(
        "mean attribution", "Which way the feature moves the model's output on average; opposite effects cancel."
    ),
    "completeness_residual": Metric(
        "completeness residual", "The part of the output's change that attributions leave unexplained.", "lower"
    ),
    "rank_agreement": Metric(
        "rank agreement", "How far two methods rank features alike; 1 is the same order.", "higher"
    ),
}
