"""How often decisions are positive, right and wrong: words of rates, whether of all rows or of a group."""

from __future__ import annotations

from .kinds import Metric, share

METRICS: dict[str, Metric] = {
    "selection_rate": share("selection rate", "Of all rows, the share that is decided positively."),
    "true_positive_rate": share(
        "true positive rate", "Of the rows that truly are positive, the share found.", "higher"
    ),
    "false_positive_rate": share(
        "false positive rate", "Of the rows that truly are negative, the share wrongly decided positive.", "lower"
    ),
    "true_negative_rate": share(
        "true negative rate", "Of the rows that truly are negative, the share rightly decided negative.", "higher"
    ),
    "false_negative_rate": share(
        "false negative rate", "Of the rows that truly are positive, the share that is missed.", "lower"
    ),
    "positive_predictive_value": share(
        "positive predictive value", "Of the rows decided positive, the share that truly is (precision).", "higher"
    ),
    "negative_predictive_value": share(
        "negative predictive value", "Of the rows decided negative, the share that truly is.", "higher"
    ),
    "false_discovery_rate": share(
        "false discovery rate", "Of the rows decided positive, the share that truly is negative.", "lower"
    ),
    "false_omission_rate": share(
        "false omission rate", "Of the rows decided negative, the share that truly is positive.", "lower"
    ),
    "accuracy": share("accuracy", "The share of decisions that agree with the label.", "higher"),
    "error_rate": share("error rate", "The share of decisions that do not agree with the label.", "lower"),
    "f1_score": Metric(
        "F1 score",
        "How well the positive decisions and the positive labels cover each other; 1 is perfectly.",
        "higher",
        bounded=True,
    ),
    "balanced_accuracy": share("balanced accuracy", "The mean over classes of the share decided rightly.", "higher"),
    "base_rate": share(
        "base rate",
        "The share of rows whose label is positive (the prevalence): a property of the data, not of the model.",
    ),
    "treatment_equality": Metric(
        "missed positives for each false alarm",
        "Missed positives for each false alarm: above 1 errors mostly withhold, below 1 they mostly grant.",
    ),
}
