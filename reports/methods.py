"""What the methods behind intervals and tests are, in plain English: a record names them in short."""

from __future__ import annotations

import re

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
    return re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", method) is not None
