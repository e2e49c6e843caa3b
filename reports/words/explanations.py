"""Words of the section on explanations: what the model decides on, how far that can be trusted, what carries gaps."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric, share

SECTION = AnalysisWords(
    "Explanations",
    "What does the model decide on?",
    "An attribution says how much of the change in the model's output, from a neutral input to the row, is due to "
    "each feature. The rows explained are chosen by the hash of their number, so the choice is the same however the "
    "data is ordered. Attribution describes the model, not the world: it shows no cause. Tests of explanations repeat "
    "them on copies of the model with shuffled weights, set them against random rankings of the features, and look at "
    "each group. A gap between two groups is shared out among the features by explaining people of one group against "
    "people of the other; the parts add up to the gap.",
    "What the model decides on was not tested.",
)

QUALITY: dict[str, Metric] = {  # tests of explanations, in the order of a report
    "completeness_residual": share(
        "completeness residual", "The part of the output's change that attributions leave unexplained.", "lower"
    ),
    "rank_agreement": Metric(
        "rank agreement", "How far two methods rank features alike; 1 is the same order.", "higher"
    ),
    "learned_structure": Metric(
        "structure that the network has learned",
        "How many times as much the outputs vary as those of networks with the same weights shuffled.",
        "higher",
    ),
    "parameter_randomisation": Metric(
        "likeness after the weights are shuffled",
        "How alike the ranking of features stays when the network's weights are shuffled. At 1 the attributions do not "
        "depend on what the network has learned.",
        "lower",
    ),
    "randomised_complexity": Metric(
        "spread gained where the weights are shuffled",
        "By which share attributions spread out more over the features once the weights are shuffled.",
        "higher",
    ),
    "deletion": Metric(
        "deletion",
        "How high the output stays, on average, while features are taken away, the most important first.",
        "lower",
    ),
    "insertion": Metric(
        "insertion",
        "How high the output gets, on average, while features are put in, the most important first.",
        "higher",
    ),
    "comprehensiveness": Metric(
        "loss without the top features",
        "What the output loses without the 1, 5, 10, 20 and 50 % most important features, on average.",
        "higher",
    ),
    "sufficiency": Metric(
        "loss with the top features alone",
        "What the output loses where only the 1, 5, 10, 20 and 50 % most important features are left, on average.",
        "lower",
    ),
    "faithfulness_correlation": Metric(
        "faithfulness (correlation)",
        "Whether sets of features with more attribution cost more when they are taken away: 1 is always, 0 is by "
        "chance.",
        "higher",
    ),
    "infidelity": Metric(
        "infidelity",
        "How far attributions misjudge what taking random sets of features away costs, squared.",
        "lower",
    ),
    "stability_over_seeds": Metric(
        "stability over random seeds", "How alike features are ranked with other random numbers.", "higher"
    ),
    "stability_over_baselines": Metric(
        "stability over baselines",
        "How alike features are ranked where rows are compared with something else.",
        "higher",
    ),
    "sensitivity_max": Metric(
        "sensitivity to small changes",
        "By which share attributions change, at most, where the inputs change by up to 2 %.",
        "lower",
    ),
    "pointing_game": share(
        "largest attribution on the evidence",
        "How often the largest attribution lies where people see the evidence.",
        "higher",
    ),
    "top_k_intersection": share(
        "top attributions on the evidence",
        "Which share of the largest attributions (ten, at most a fifth of all) lies where people see the evidence.",
        "higher",
    ),
    "relevance_rank_accuracy": share(
        "top attributions on the evidence, as many as it has places",
        "Of as many largest attributions as the evidence has places, the share that lies in it.",
        "higher",
    ),
    "relevance_mass_accuracy": share(
        "attribution on the evidence",
        "Which share of the attribution above 0 lies where people see the evidence.",
        "higher",
    ),
    "localisation_auc": Metric(
        "evidence ranked above the rest (AUC)",
        "How often a place of the evidence is ranked above a place outside it: 0.5 is guessing.",
        "higher",
        bounded=True,
    ),
    "gini": Metric(
        "concentration (Gini)",
        "How few features the attribution rests on: 0 where all count the same, near 1 where one counts alone.",
        bounded=True,
    ),
    "entropy": Metric(
        "spread (entropy)", "How spread out the attribution is over the features: 0 where one counts alone."
    ),
}

METRICS: dict[str, Metric] = {
    "mean_absolute_attribution": Metric(
        "mean absolute attribution", "How much the feature moves the model's output, on average, in either direction."
    ),
    "mean_attribution": Metric(
        "mean attribution", "Which way the feature moves the model's output on average; opposite effects cancel."
    ),
    **QUALITY,
    "score_gap": Metric("mean output", "How far the model's mean output for one group is from that for another."),
    "decision_gap": share(
        "smoothed decision rate",
        "How far apart two groups are in how often they are selected, with a soft threshold in place of the sharp one.",
    ),
    "true_positive_score_gap": Metric(
        "mean output of rows that truly are positive",
        "How far apart the mean outputs of two groups are among rows that truly are positive.",
    ),
    "false_positive_score_gap": Metric(
        "mean output of rows that truly are negative",
        "How far apart the mean outputs of two groups are among rows that truly are negative.",
    ),
    "proxy_auc": Metric(
        "telling the groups apart (AUC)",
        "Of one person of each group, how often the feature tells who is of which: 0.5 is guessing, 1 is always.",
        bounded=True,
    ),
}
