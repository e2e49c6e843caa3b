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
    "selection_rate": _rate("selection rate", "Of all rows, the share that is decided positively."),
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
    "error_rate": _rate("error rate", "The share of decisions that do not agree with the label.", "lower"),
    "f1_score": Metric(
        "F1 score",
        "How well the positive decisions and the positive labels cover each other; 1 is perfectly.",
        "higher",
        bounded=True,
    ),
    "treatment_equality": Metric(
        "missed positives for each false alarm",
        "Missed positives for each false alarm: above 1 errors mostly withhold, below 1 they mostly grant.",
    ),
    "scoring_rate": _rate("scoring rate", "The share that scores above the median of all rows (Local Law 144)."),
    "four_fifths_rule": Metric(
        "four-fifths rule",
        "1 where the selection rate is at least four fifths of the highest group's, 0 where not: a screen, no legal "
        "finding.",
    ),
    "balanced_accuracy": _rate("balanced accuracy", "The mean over classes of the share decided rightly.", "higher"),
    "flip_rate": _rate(
        "share of decisions that flip",
        "The share of decisions that change when the attribute alone is swapped and all else stays as it was.",
        "lower",
    ),
    "mean_score_change": Metric(
        "mean change of the score", "How far the score moves on average when the attribute is swapped.", "closer to 0"
    ),
    "mean_absolute_score_change": Metric(
        "mean size of the score's change",
        "How far the score moves, up or down, when the attribute is swapped.",
        "lower",
    ),
    "base_rate": _rate(
        "base rate",
        "The share of rows whose label is positive (the prevalence): a property of the data, not of the model.",
    ),
    "demographic_parity": _rate("demographic parity", "Whether every group is decided positively equally often."),
    "equal_opportunity": _rate(
        "equal opportunity", "Whether of those who truly are positive an equal share of every group is found."
    ),
    "predictive_parity": _rate(
        "predictive parity", "Whether a positive decision is right equally often in every group."
    ),
    "overall_accuracy_equality": _rate(
        "overall accuracy equality", "Whether decisions are right equally often in every group."
    ),
    "equalized_odds": _rate(
        "equalized odds",
        "The worse of two gaps: in how many positives are found, and in how many negatives are not left.",
    ),
    "average_odds": _rate(
        "average odds", "The same two gaps averaged, without their signs, so that they cannot cancel."
    ),
    "generalized_entropy_index": Metric(
        "generalised entropy", "How unevenly decisions favour rows beyond their labels; 0 is not at all.", "lower"
    ),
    "theil_index": Metric(
        "Theil index",
        "How unevenly decisions favour rows beyond their labels, by another scale; 0 is not at all.",
        "lower",
    ),
    "mean_log_deviation": Metric(
        "mean log deviation", "The same on a scale on which a single missed positive is infinitely uneven.", "lower"
    ),
    "coefficient_of_variation": Metric(
        "coefficient of variation", "How far rows are favoured unevenly, as a multiple of the mean.", "lower"
    ),
    "between_group_generalized_entropy": Metric(
        "generalised entropy between groups", "The part of the unevenness that lies between groups.", "lower"
    ),
    "between_group_theil": Metric(
        "Theil index between groups", "The part of the unevenness that lies between groups.", "lower"
    ),
    "differential_fairness": Metric(
        "differential fairness",
        "The largest log ratio of any decision's chance between two groups; 0 is none.",
        "lower",
    ),
    "label_differential_fairness": Metric(
        "differential fairness of the labels", "The same of the labels: what the data say before any decision.", "lower"
    ),
    "demographic_disparity": Metric(
        "demographic disparity",
        "The group's share of those turned down, less its share of those selected; above 0 it is turned down more.",
        "closer to 0",
        share=True,
    ),
    "conditional_demographic_disparity": Metric(
        "conditional demographic disparity",
        "The same within levels of the control; of several groups their mean, weighed by rows.",
        "closer to 0",
        share=True,
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
    "average_precision": Metric(
        "average precision",
        "How pure the rows scored highest are in positives, over all thresholds; a coin reaches the base rate.",
        "higher",
        bounded=True,
    ),
    "abroca": Metric(
        "area between ROC curves",
        "How differently scores rank two groups over all thresholds; 0 is alike. Chance alone makes it positive.",
        "lower",
        bounded=True,
    ),
    "mean_score": Metric("mean score", "The average score, whatever is decided with it.", bounded=True),
    "log_loss": Metric("log loss", "How surprised the scores are by the labels; 0 is never surprised.", "lower"),
    "brier_score": Metric(
        "Brier score", "Mean squared distance between score and outcome; 0 is best.", "lower", bounded=True
    ),
    "calibration_in_the_large": Metric(
        "mean prediction less mean outcome",
        "Above 0 predictions are too high on the whole, below 0 too low.",
        "closer to 0",
    ),
    "expected_calibration_error": Metric(
        "calibration error", "How far a score is, on average, from the share that comes true.", "lower", bounded=True
    ),
    "mean_absolute_error": Metric("mean absolute error", "How far a prediction is off on average.", "lower"),
    "root_mean_squared_error": Metric(
        "root mean squared error", "How far predictions are off, large errors weighing more.", "lower"
    ),
    "r_squared": Metric("R²", "The share of the labels' variance that the predictions account for.", "higher"),
    "mean_error": Metric(
        "mean error", "Prediction less outcome on average: above 0 too high, below 0 too low.", "closer to 0"
    ),
    "mean_prediction": Metric("mean prediction", "What is predicted on average."),
    "mean_target": Metric("mean outcome", "What came true on average: a property of the data, not of the model."),
    "observed_to_expected": Metric(
        "outcome for each unit predicted", "Above 1 more came true than was predicted, below 1 less."
    ),
    "median_prediction": Metric("median prediction", "Half of the predictions are lower."),
    "quantile_10_prediction": Metric("low prediction", "A tenth of the predictions are lower."),
    "quantile_90_prediction": Metric("high prediction", "A tenth of the predictions are higher."),
    "median_error": Metric("median error", "Half of the errors are lower.", "closer to 0"),
    "quantile_10_error": Metric("low error", "A tenth of the errors are lower: how far it predicts too little."),
    "quantile_90_error": Metric("high error", "A tenth of the errors are higher: how far it predicts too much."),
    "exposure": Metric(
        "exposure", "The attention that a row's place in the ranking gets, as a multiple of the list's mean."
    ),
    "top_k_selection_rate": _rate("share at the top", "The share of rows that stand among the first of their list."),
    "ndcg": Metric(
        "NDCG",
        "How near the order is to the best one, relevant rows first; 1 is the best order. Of a group: of its own rows "
        "among themselves.",
        "higher",
        bounded=True,
    ),
    "exposure_per_relevance": Metric(
        "exposure for its relevance", "Attention for each unit of relevance: above 1 more than its share, below 1 less."
    ),
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

STATISTICS: dict[str, str] = {
    "value": "",
    "difference": "difference",
    "ratio": "ratio",
    "impact_ratio": "ratio to the highest group",
    "expected_by_chance": "gap that chance alone would show",
    "debiased_spread": "spread between groups without chance",
    "pooled": "pooled with the other groups",
    "structured": "pooled by attribute",
    "minimum_detectable": "smallest difference these rows could reveal",
    "p_value": "p-value for groups being alike",
    "interaction_p_value": "p-value for attributes merely adding up",
    "difference_bounds": "difference, whatever the unknown groups are",
    "ratio_bounds": "ratio, whatever the unknown groups are",
    "conditional_difference": "difference with controls held fixed",
    "conditional_ratio": "ratio with controls held fixed",
    "conditional_p_value": "p-value for groups being alike with controls held fixed",
    "heterogeneity_p_value": "p-value for a gap that is the same at each level of the controls",
    "subgroup_difference": "difference from all others",
    "due_to": "part of the gap",
    "change": "change by mitigation",
    "e_value": "evidence over time (e-value)",
}

POINTS = frozenset(  # statistics of a share that are told in percentage points
    {
        "difference",
        "expected_by_chance",
        "debiased_spread",
        "minimum_detectable",
        "difference_bounds",
        "subgroup_difference",
        "conditional_difference",
        "due_to",
        "change",
    }
)
LEVELS = frozenset({"value", "pooled", "structured"})  # and those that are shares themselves
YES_OR_NO: dict[str, tuple[str, str]] = {  # metrics that are 0 or 1, in words
    "four_fifths_rule": ("does not pass", "passes"),
}
MIRRORS = frozenset(  # metrics whose gaps are those of another one: of a share and of the rest of it
    {
        "false_negative_rate",
        "true_negative_rate",
        "false_discovery_rate",
        "false_omission_rate",
        "error_rate",
        "demographic_parity",
        "equal_opportunity",
        "predictive_parity",
        "overall_accuracy_equality",
    }
)


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
        "Rates come from one table of counts by group, label and decision; what is said of scores, of predicted "
        "numbers and of rankings comes from the rows themselves. A group's rate carries a Wilson "
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


PLACES: dict[str, str] = {
    "attribute": "across {}",
    "window": "in {}",
    "threshold": "at threshold {}",
    "component": "due to {}",
}


SWAPPED = " → "  # in a component: from one level of an attribute to another


def _one_place(key: str, name: str) -> str:
    if key == "component" and SWAPPED in name:
        return f"from {plain(name).replace(SWAPPED, ' to ')}"
    if key in PLACES:
        return PLACES[key].format(plain(name).replace("_", " ") if key == "component" else plain(name))
    return f"by {plain(name).replace('_', ' ')}" if key == "method" else f"{plain(key)} = {plain(name)}"
