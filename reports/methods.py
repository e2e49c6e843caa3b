"""What the methods behind intervals and tests are, in plain English: a record names them in short."""

from __future__ import annotations

import re

ATTRIBUTION: dict[str, str] = {
    "baseline": "What a row is compared with: attributions share out how far the output moves from there to the row.",
    "saliency": "How steeply the output changes with each feature at the row itself.",
    "input_x_gradient": "How steeply the output changes with each feature, times the feature's value.",
    "smooth_grad": "The steepness of the output, averaged over many slightly changed copies of the row.",
    "integrated_gradients": "The steepness of the output, added up along the straight way from the baseline to the "
    "row; the parts add up to the output's change.",
    "expected_gradients": "As integrated gradients, from many other rows in place of one baseline.",
    "deep_lift": "The output's change handed back through the network layer by layer, by fixed rules.",
    "layer_conductance": "What passes through each unit of one layer on the way from the baseline to the row.",
    "feature_ablation": "What the output loses where one feature alone is put back to the baseline's.",
    "occlusion": "What the output loses where a window of the input is covered.",
    "feature_permutation": "What the output loses where a feature's values are swapped between rows.",
    "shapley_values": "A feature's effect, averaged over every order in which features can be put in; exact.",
    "kernel_shap": "Shapley values from a sample of sets of features.",
    "permutation_shap": "Shapley values from a sample of orders of the features.",
    "lime": "A straight line fitted to the model near the row.",
    "grad_cam": "Which places of a layer's pictures speak for the output.",
    "guided_grad_cam": "Grad-CAM, made finer by the steepness at each pixel.",
    "lrp": "The output handed back through the network layer by layer, in proportion to what each unit gave.",
    "attention_rollout": "How far attention of all layers together reaches back to each token.",
    "t interval over rows": "An interval of a mean, from how far the rows differ (Student).",
    "t over rows": "An interval of a mean, from how far the rows differ (Student).",
    "t interval over people": "An interval of a mean, from how far people differ (Student): each person counts as one "
    "draw.",
    "t over networks": "An interval from how far networks with shuffled weights differ (Student).",
    "AUC of telling the groups apart": "Of one person of each group, how often the feature tells who is of which; "
    "where it takes several numbers, by a rule learnt on other rows.",
    "Gauss–Kronrod": "Two rules of integration at once; where they disagree, the way is cut finer.",
    "linear piece": "The network is linear in pieces; each piece that the way crosses is added up exactly.",
    "between each two kinks": "The network has kinks; between two of them the way is added up at three points.",
    "equal panels": "The way is cut into equal steps and looked at in the middle of each.",
    "coalitions": "Sets of features that are put in together.",
    "orders, each with its reverse": "Orders in which features are put in, forwards and backwards.",
    "order statistics": "An interval of a median from the ranks of the values; no shape is assumed.",
    "Spearman": "Spearman's correlation: how alike two rankings are.",
}

GLOSSES: dict[str, str] = {
    "wilson": "Wilson's interval of a share; holds well for few rows and for shares near 0 or 1.",
    "newcombe": "Newcombe's interval of the difference of two shares, made from their Wilson intervals.",
    "koopman": "Koopman's interval of the ratio of two shares.",
    "max-t": "Many pairs of groups are compared at once; the interval is widened so that it holds for all pairs "
    "together, by resampling the rows. Where groups truly differ it is wider than need be: meant to hold 95 "
    "times in 100, it then holds the true gap 97 to 99 times.",
    "sidak": "Many pairs are compared at once; the interval is widened so that it holds for all together (Šidák). "
    "Where groups truly differ it is wider than need be.",
    "bonferroni": "Several numbers are read at once; the interval is widened so that it holds for all together.",
    "bootstrap": "The rows are drawn anew many times, with replacement; the interval is how far the number then moves.",
    "kish": "Rows weigh differently: the interval is that of as many equal rows as would say as much.",
    "weighted": "Rows weigh differently: each counts by its weight, in the number and in its interval.",
    "cluster": "Rows that hang together count as one draw: the interval is widened for it.",
    "mover": "An interval of a sum, difference or ratio, put together from the intervals of its parts.",
    "bent": "The parts share rows; the interval is bent so that it never leaves what the number can be.",
    "bca": "Rows are drawn anew many times; the interval corrects for bias and skew.",
    "shapley": "A gap is shared out among its causes by averaging over every order in which they can act.",
    "permutation": "Group labels are shuffled many times: how often chance alone gives such a gap.",
    "fisher exact": "Fisher's exact test of two groups: how often chance alone gives such a table.",
    "whole numbers": "Counted outright; no sampling is involved.",
    "equal rates": "The gap expected if every group had the same rate and only its number of rows differed.",
    "variance less its expectation": "How far groups vary, less what chance adds to it.",
    "noncentral chi-square": "The interval of what groups truly vary by: every amount that would make what is seen no "
    "surprise.",
    "unbiased between-group variance": "How far groups vary, less what chance adds to it.",
    "empirical-bayes": "A small group's rate is drawn towards the mean of all groups, the more the fewer its rows.",
    "hierarchical normal": "A small group's mean is drawn towards the mean of all groups, the more the fewer its rows.",
    "structured-regression": "A group's rate is built from its attributes one by one; what is special to their "
    "combination counts only where the rows demand it.",
    "normal-approximation": "The smallest difference that a test would find four times out of five.",
    "manski": "The lowest and the highest the number could be, whatever the unknown rows are: no chance is involved.",
    "mantel-haenszel": "The gap within each level of the control, averaged with weights (Mantel and Haenszel).",
    "breslow-day": "Whether the gap is the same at every level of the control (Breslow and Day).",
    "delong": "DeLong's interval of the AUC.",
    "triangle": "Calibration error lies between what is seen and a bound; the interval covers both.",
    "betting": "A stake set against equal rates, period by period: it grows only where groups differ, and may be "
    "looked at as often as one likes.",
    "welch": "Compares means of groups that vary differently (Welch).",
    "student-t": "Student's interval of a mean.",
    "influence function": "How far a number moves where one row changes, over all rows (linear approximation).",
    "order-statistics": "An interval of a quantile from the ranks of the values; no shape is assumed.",
    "pearson": "Pearson's test of what is seen against what is expected.",
    "bonett-price": "Bonett and Price's interval of a change in the same rows.",
    "linearised": "How far a number moves where one row changes, over all rows (linear approximation).",
    **ATTRIBUTION,
}


def glossary(methods: list[str]) -> list[tuple[str, str]]:
    """The parts that these methods are made of, each with what it means, in the order of the catalogue.

    >>> [name for name, _ in glossary(["newcombe-max-t, bonferroni", "wilson", "my own"])]
    ['wilson', 'newcombe', 'max-t', 'bonferroni']
    """
    return [(name, text) for name, text in GLOSSES.items() if any(_is_part(name, method) for method in methods)]


def known(method: str) -> bool:
    """Whether the glossary explains a part of a method.

    >>> known("wilson"), known("a method of one's own")
    (True, False)
    """
    return any(_is_part(name, method) for name in GLOSSES)


def _is_part(name: str, method: str) -> bool:
    return re.search(rf"(?<![a-z_]){re.escape(name)}(?![a-z_])", method) is not None
