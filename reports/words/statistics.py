"""What is told of a metric: its value, a difference between groups, what chance would show."""

from __future__ import annotations

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
    "contribution": "part of the gap that the feature carries",
    "above_chance": "how much better than at random",
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
        "contribution",
        "change",
    }
)
LEVELS = frozenset({"value", "pooled", "structured"})  # and those that are shares themselves
