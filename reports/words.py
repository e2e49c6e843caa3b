"""The report's vocabulary: what each metric, verdict, analysis and statistic is called and means, in plain English.

Keys are those of the record; another language is another set of the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .plain import plain

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


def _rate(title: str, meaning: str, better: Better = "") -> Metric:
    return Metric(title, meaning, better, share=True, bounded=True)


METRICS: dict[str, Metric] = {
    "selection_rate": _rate("selection rate", "Of all rows, the share that the model decides positively."),
    "true_positive_rate": _rate(
        "true positive rate", "Of the rows that truly are positive, the share found.", "higher"
    ),
    "false_positive_rate": _rate(
        "false positive rate", "Of the rows that truly are negative, the share wrongly decided positive.", "lower"
    ),
    "true_negative_rate": _rate(
        "true negative rate", "Of the rows that truly are negative, the share rightly decided negative.", "higher"
    ),
    "false_negative_rate": _rate(
        "false negative rate", "Of the rows that truly are positive, the share that is missed.", "lower"
    ),
    "positive_predictive_value": _rate(
        "positive predictive value", "Of the rows decided positive, the share that truly is (precision).", "higher"
    ),
    "negative_predictive_value": _rate(
        "negative predictive value", "Of the rows decided negative, the share that truly is.", "higher"
    ),
    "false_discovery_rate": _rate(
        "false discovery rate", "Of the rows decided positive, the share that truly is negative.", "lower"
    ),
    "false_omission_rate": _rate(
        "false omission rate", "Of the rows decided negative, the share that truly is positive.", "lower"
    ),
    "accuracy": _rate("accuracy", "The share of decisions that agree with the label.", "higher"),
    "balanced_accuracy": _rate("balanced accuracy", "The mean over classes of the share decided rightly.", "higher"),
    "base_rate": _rate(
        "base rate", "The share of rows whose label is positive: a property of the data, not of the model."
    ),
    "group_share": _rate("group share", "The share of rows that belong to the group."),
    "missing_group_share": _rate("rows of unknown group", "The share of rows whose group nobody knows.", "lower"),
    "train_test_overlap": _rate(
        "overlap with training", "The share of audited rows that also stand in training.", "lower"
    ),
    "duplicate_share": _rate("duplicate rows", "The share of rows that repeat an earlier row.", "lower"),
    "missing_share": _rate("missing values", "The share of values that are missing.", "lower"),
    "label_share": _rate("label share", "The share of rows with this label."),
    "total_variation": _rate(
        "distance from the stated population", "The share of rows that would have to change group to match it.", "lower"
    ),
    "rows": Metric("rows", "How many rows were audited."),
    "duplicate_rows": Metric("duplicate rows", "Rows that repeat an earlier row exactly.", "lower"),
    "auc": Metric(
        "AUC", "The chance that a positive row scores above a negative one; 0.5 is a coin.", "higher", bounded=True
    ),
    "log_loss": Metric("log loss", "How surprised the scores are by the labels; 0 is never surprised.", "lower"),
    "brier_score": Metric(
        "Brier score", "Mean squared distance between score and outcome; 0 is best.", "lower", bounded=True
    ),
    "calibration_in_the_large": Metric(
        "mean score less base rate", "Above 0 the scores are too high on the whole, below 0 too low.", "closer to 0"
    ),
    "expected_calibration_error": Metric(
        "calibration error", "How far a score is, on average, from the share that comes true.", "lower", bounded=True
    ),
    "mean_absolute_error": Metric("mean absolute error", "How far a prediction is off on average.", "lower"),
    "root_mean_squared_error": Metric(
        "root mean squared error", "How far predictions are off, large errors weighing more.", "lower"
    ),
    "r_squared": Metric("R²", "The share of the labels' variance that the predictions account for.", "higher"),
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
    "energy": Metric("energy of the audit", "What this audit consumed.", "lower"),
    "latency": Metric("latency", "How long one batch of the sampled rows takes.", "lower"),
    "predictions_per_second": Metric(
        "predictions per second", "Predictions that this machine makes in a second.", "higher"
    ),
    "power": Metric("power during the audit", "Its energy per second.", "lower"),
    "carbon": Metric("carbon of the audit", "Emissions of the electricity that this audit used.", "lower"),
    "duration": Metric("duration of the audit", "Wall-clock time.", "lower"),
    "energy_per_1000_predictions": Metric(
        "energy per 1,000 predictions", "What a thousand predictions on these rows consume.", "lower"
    ),
    "carbon_per_1000_predictions": Metric(
        "carbon per 1,000 predictions", "Emissions of a thousand predictions on these rows.", "lower"
    ),
}

STATISTICS: dict[str, str] = {"value": "", "difference": "difference", "ratio": "ratio"}


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """How a verdict is written: a symbol beside the word, never a colour alone."""

    word: str
    symbol: str
    meaning: str


VERDICTS: dict[str, VerdictWords] = {
    "PASS": VerdictWords("Pass", "✓", "Every criterion's whole interval lies inside its tolerance."),
    "FAIL": VerdictWords("Fail", "✕", "At least one criterion's whole interval lies outside its tolerance."),
    "INCONCLUSIVE": VerdictWords(
        "Inconclusive", "?", "An interval reaches over its tolerance: these rows cannot decide it either way."
    ),
    "NOT_MEASURED": VerdictWords(
        "Not measured", "–", "A criterion asks for a number that could not be measured here, so it cannot pass."
    ),
    "ERROR": VerdictWords("Error", "!", "A criterion could not be answered, or an analysis stopped; nothing passes."),
    "NOT_JUDGED": VerdictWords(
        "Not judged",
        "○",
        "No criterion was given beforehand, so the audit measures and does not judge. This is not a pass.",
    ),
}

NOTES: dict[str, VerdictWords] = {  # what an analysis says unasked, by severity
    "high": VerdictWords("Warning", "▲", "It changes how every number here must be read."),
    "medium": VerdictWords("Caution", "▲", "It changes how some numbers here must be read."),
    "low": VerdictWords("Note", "•", "Good to know."),
    "info": VerdictWords("Note", "•", "Good to know."),
}


@dataclass(frozen=True, slots=True)
class AnalysisWords:
    """A section of the report.

    Attributes:
        question: what it answers, as a person would ask.
        computed: how its numbers come about.
    """

    title: str
    question: str
    computed: str
    skipped: str


ANALYSES: dict[str, AnalysisWords] = {
    "data": AnalysisWords(
        "Data",
        "On which rows was the model judged, and can they carry the judgement?",
        "Rows are counted, not sampled. Two rows are the same when all their inputs are. Shares carry Wilson "
        "intervals.",
        "Whether rows repeat, leak from training or leave groups out was not tested.",
    ),
    "performance": AnalysisWords(
        "Performance",
        "How often is the model right, and can its scores be believed?",
        "Every row is scored once in evaluation mode. Shares carry Wilson intervals; the method of each other "
        "interval is "
        "named beside its number.",
        "How often the model is right was not tested.",
    ),
    "fairness": AnalysisWords(
        "Groups",
        "For whom does the model work worse?",
        "All rates come from one table of counts by group, label and decision. A group's rate carries a Wilson "
        "interval. "
        "A gap is between the groups with the highest and the lowest rate; with more than two groups its interval "
        "holds "
        "over all pairs together. Rows whose group is unknown count under “everyone” and in no group.",
        "Whether the model works worse for some groups was not tested.",
    ),
    "explanations": AnalysisWords(
        "Explanations",
        "What does the model decide on?",
        "An attribution says how much of the change in the model's output, from a neutral input to the row, is due "
        "to each "
        "feature. The rows explained are chosen by the hash of their number, so the choice is the same however the "
        "data is "
        "ordered. Attribution describes the model, not the world: it shows no cause.",
        "What the model decides on was not tested.",
    ),
    "energy": AnalysisWords(
        "Energy and carbon",
        "What does the model cost to run, and what did this audit cost?",
        "Energy is read from hardware counters where there are any, else estimated by a stated model of processor and "
        "memory. Carbon multiplies energy by the grid's emissions for the country given.",
        "What the model costs to run was not tested.",
    ),
}

KINDS: dict[str, str] = {
    "measured": "measured on these rows or by a sensor",
    "estimated": "estimated by a stated model",
    "declared": "declared by the owner, not checked",
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


def place(where: dict[str, str]) -> str:
    """Where a measure is from: "everyone", "sex = Female", "across sex", "by integrated gradients"."""
    return ", ".join(_one_place(k, v) for k, v in sorted(where.items())) or "everyone"


def _one_place(key: str, name: str) -> str:
    if key == "attribute":
        return f"across {plain(name)}"
    return f"by {plain(name).replace('_', ' ')}" if key == "method" else f"{plain(key)} = {plain(name)}"
