"""One measure as a sentence: who, metric, size, interval, rows."""

from __future__ import annotations

from typing import Any

from ...audit.measure import Measure
from .. import numbers, words
from ..facts import evidence
from ..plain import plain
from . import explanations, statistics

TEMPLATES: dict[str, str] = {
    "gap": "By {attribute}, the group {low_level} {verb} {size} {less} often than the group {high_level}{context} "
    "({evidence}).",
    "gap.other": "By {attribute}, the {metric} of the group {low_level} is {size} lower than that of the group "
    "{high_level} ({evidence}).",
    "gap.unpaired": "The {metric} differs by {size} {place} ({evidence}).",
    "ratio": "By {attribute}, the {metric} of the group {low_level} is {size} times that of the group {high_level} "
    "({evidence}).",
    "ratio.unpaired": "The ratio of the {metric} {place} is {size} ({evidence}).",
    "value": "{Place}, the {metric} is {size} ({evidence}).",
    "value.everyone": "The {metric} is {size} ({evidence}).",
    "statistic": "{Place}: {statistic} is {size} ({evidence}).",
    "unmeasured": "{Metric} {place} is not measured: {reason}.",
}

# what happens to a group, by metric: (verb, context after the group named); the harm leads where higher is worse
VERBS: dict[str, tuple[str, str]] = {
    "selection_rate": ("is selected", ""),
    "true_positive_rate": ("is found", " among rows that truly are positive"),
    "false_positive_rate": ("is wrongly selected", " among rows that truly are negative"),
    "true_negative_rate": ("is rightly turned down", " among rows that truly are negative"),
    "false_negative_rate": ("is missed", " among rows that truly are positive"),
    "positive_predictive_value": ("is rightly selected", " among rows that are selected"),
    "negative_predictive_value": ("is rightly turned down", " among rows that are turned down"),
    "false_discovery_rate": ("is wrongly selected", " among rows that are selected"),
    "false_omission_rate": ("is wrongly turned down", " among rows that are turned down"),
    "accuracy": ("is decided rightly", ""),
    "error_rate": ("is decided wrongly", ""),
    "scoring_rate": ("scores above the median", ""),
    "base_rate": ("is labelled positive", ""),
}


def measured(m: Measure) -> str:
    """One measure as a sentence: who, metric, size, interval, n."""
    return told(m, m.details.get("pair"))


def told(m: Measure, pair: Any) -> str:
    """The same, of a measure whose two groups are known to a finding alone."""
    if m.value is None:
        where = {k: v for k, v in m.where.items() if k != "attribute"}
        other = words.place(where)
        other = other if other.startswith("by ") else f"for {other}"
        place = f"by {plain(m.where['attribute'])}" if "attribute" in m.where else other
        name = words.title(m.metric, m.statistic)
        return _say("unmeasured", Metric=name, place=place, reason=plain(m.reason, 200))
    facts = {"metric": words.metric(m.metric).title, "evidence": evidence(m), "place": words.place(m.where)}
    if (own := statistics.sentence(m, facts["evidence"]) or explanations.sentence(m)) is not None:
        return own
    if m.statistic in ("difference", "ratio"):
        return _gap(pair, m, facts)
    if m.statistic != "value":
        place, name = words.capital(facts["place"]), words.title(m.metric, m.statistic)
        return _say("statistic", Place=place, statistic=name, size=numbers.value(m), evidence=facts["evidence"])
    if not m.where:
        return _say("value.everyone", size=numbers.value(m), **facts)
    place = facts["place"]
    place = words.capital(place) if place.startswith("by ") else f"For {place}"
    return _say("value", Place=place, size=numbers.value(m), **facts)


def _gap(pair: Any, m: Measure, facts: dict[str, str]) -> str:
    size = numbers.value(m)
    if not pair or m.value is None:
        return _say(f"{'ratio' if m.statistic == 'ratio' else 'gap'}.unpaired", size=size, **facts)
    other = {key: level for key, level in m.where.items() if key not in ("attribute", "class")}
    facts["attribute"] = plain(m.where.get("attribute", "group")) + (f" ({words.place(other)})" if other else "")
    if "class" in m.where:
        facts["metric"] += f" of class {plain(m.where['class'])}"
    low, high = plain(pair[0]), plain(pair[1])
    if m.statistic == "ratio":
        return _say("ratio", low_level=low, high_level=high, size=size, **facts)
    size = size.replace("points", "percentage points") if numbers.is_share(m) else size
    if m.metric not in VERBS or "class" in m.where:
        return _say("gap.other", low_level=low, high_level=high, size=size, **facts)
    verb, context = VERBS[m.metric]
    less = "less"
    if words.metric(m.metric).better == "lower":  # who is harmed comes first
        low, high, less = high, low, "more"
    return _say("gap", low_level=low, high_level=high, verb=verb, context=context, less=less, size=size, **facts)


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)
