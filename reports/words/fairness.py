"""Words of the section on groups."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric, share

SECTION = AnalysisWords(
    "Groups",
    "For whom does the model work worse?",
    "Rates come from one table of counts by group, label and decision; what is said of scores, of predicted numbers "
    "and of rankings comes from the rows themselves. A group's rate carries a Wilson interval. A gap is between the "
    "groups with the highest and the lowest rate; with more than two groups its interval holds over all pairs "
    "together. Rows whose group is unknown count under “everyone” and in no group.",
    "Whether the model works worse for some groups was not tested.",
)

METRICS: dict[str, Metric] = {
    "scoring_rate": share("scoring rate", "The share that scores above the median of all rows (Local Law 144)."),
    "four_fifths_rule": Metric(
        "four-fifths rule",
        "1 where the selection rate is at least four fifths of the highest group's, 0 where not: a screen, no legal "
        "finding.",
    ),
    "flip_rate": share(
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
    "demographic_parity": share("demographic parity", "Whether every group is decided positively equally often."),
    "equal_opportunity": share(
        "equal opportunity", "Whether of those who truly are positive an equal share of every group is found."
    ),
    "predictive_parity": share(
        "predictive parity", "Whether a positive decision is right equally often in every group."
    ),
    "overall_accuracy_equality": share(
        "overall accuracy equality", "Whether decisions are right equally often in every group."
    ),
    "equalized_odds": share(
        "equalized odds",
        "The worse of two gaps: in how many positives are found, and in how many negatives are not left.",
    ),
    "average_odds": share(
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
    "abroca": Metric(
        "area between ROC curves",
        "How differently scores rank two groups over all thresholds; 0 is alike. Chance alone makes it positive.",
        "lower",
        bounded=True,
    ),
    "mean_score": Metric("mean score", "The average score, whatever is decided with it.", bounded=True),
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
    "top_k_selection_rate": share("share at the top", "The share of rows that stand among the first of their list."),
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
}

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
COMPONENTS: dict[str, str] = {  # what a gap in false positive rates is made of
    "base_rate": "how often each group is truly positive",
    "positive_predictive_value": "how often positive decisions are right",
    "false_negative_rate": "how often positives are missed",
}
