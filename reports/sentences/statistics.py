"""What each statistic of group fairness says, as a sentence for those who are no statisticians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...audit.measure import Measure
from .. import numbers, words
from ..plain import plain

TEMPLATES: dict[str, str] = {
    "impact_ratio": "{Who}, the {metric} is {size} times that of {reference} ({evidence}).",
    "expected_by_chance": "{Across}, chance alone would show a gap of about {size} in the {metric}, were all groups "
    "truly alike (n\u00a0=\u00a0{n}).",
    "debiased_spread": "{Across}, the {metric} truly varies by about {size} around its mean, once chance is taken out "
    "({evidence}).",
    "debiased_spread.none": "{Across}, the {metric} varies no more than chance alone would have it ({evidence}).",
    "pooled": "{Who}, the {metric} is about {size} when what is known of the other groups is drawn on, as is wise for "
    "a small group{raw} ({evidence}).",
    "structured": "{Who}, the {metric} is about {size} when it is told by its attributes one by one, and together "
    "only where the rows demand it{raw} ({evidence}).",
    "minimum_detectable": "{Who}, these rows would reveal a difference of {size} or more in the {metric} from the "
    "other groups four times out of five; a smaller one may well go unseen (n\u00a0=\u00a0{n}).",
    "p_value": "{Across}, were all groups truly alike, a gap in the {metric} as large as the one seen would come about "
    "by chance {often} ({evidence}).",
    "interaction_p_value": "{Across}, were the effects of the attributes on the {metric} merely to add up, what is "
    "seen would come about by chance {often} ({evidence}).",
    "conditional_p_value": "{Across}, were groups alike wherever {controls} is the same, what is seen of the {metric} "
    "would come about by chance {often} ({evidence}).",
    "heterogeneity_p_value": "{Across}, were the gap in the {metric} the same at every level of {controls}, "
    "differences as large as those seen would come about by chance {often} ({evidence}).",
    "difference_bounds": "{Across}, the gap in the {metric} lies between {low} and {high}, whatever the groups are of "
    "those whose group is unknown (n\u00a0=\u00a0{n}).",
    "ratio_bounds": "{Across}, the ratio of the {metric} lies between {low} and {high}, whatever the groups are of "
    "those whose group is unknown (n\u00a0=\u00a0{n}).",
    "conditional_difference": "{Across}, where {controls} is the same, the {metric} still differs by {size} "
    "({evidence}).",
    "conditional_ratio": "{Across}, where {controls} is the same, the {metric} of one group is {size} times that of "
    "another ({evidence}).",
    "due_to": "{Across}, {size} of the gap in the {metric} is due to {component} ({evidence}).",
    "change": "{Across}, {method} changes the {metric} by {size} ({evidence}).",
    "e_value": "{Across}, a stake set, window by window, on differences in the {metric} has been multiplied by {size}; "
    "from {threshold} on, groups are not alike, however often one looks (n\u00a0=\u00a0{n}).",
}
FOUR_FIFTHS = (
    "{Who}, the selection rate {verdict} the four-fifths rule: it must be at least 80 % of the highest group's "
    "(n\u00a0=\u00a0{n}). The rule is a screen that says where to look, and no legal finding."
)


def sentence(m: Measure, evidence: str) -> str | None:
    """The measure in a sentence; None where its statistic has none of its own."""
    if m.metric == "four_fifths_rule" and m.statistic == "value":
        return FOUR_FIFTHS.format(**_facts(m, evidence), verdict=numbers.value(m))
    template = TEMPLATES.get(_key(m))
    return None if template is None else template.format(**_facts(m, evidence), **_more(m))


def often(p: float) -> str:
    """How often something with that chance comes about.

    >>> often(0.03), often(0.6), often(0.00001)
    ('3 times in 100', '60 times in 100', 'less than once in 1,000 times')
    """
    if p < 0.001:
        return "less than once in 1,000 times"
    if p < 0.0095:
        return _times(round(1000 * p), "1,000")
    return _times(round(100 * p), "100") if p < 0.995 else "nearly always"


def _times(number: int, of: str) -> str:
    return f"once in {of}" if number == 1 else f"{number} times in {of}"


def _key(m: Measure) -> str:
    return "debiased_spread.none" if m.statistic == "debiased_spread" and not m.value else m.statistic


def _facts(m: Measure, evidence: str) -> dict[str, str]:
    who = {key: level for key, level in m.where.items() if key not in ("component", "method")}
    of = f" of class {plain(who.pop('class'))}" if "class" in who else ""
    across, at = who.get("attribute", ""), {k: v for k, v in who.items() if k != "attribute"}
    return {
        "metric": words.metric(m.metric).title + of,
        "size": numbers.value(m).replace("points", "percentage points"),
        "evidence": evidence,
        "n": numbers.count(m.n),
        "Who": f"For {words.place(at)}" if at else f"By {plain(across)}" if across else "For everyone",
        "Across": (f"By {plain(across)}" if across else "For everyone") + (f" ({words.place(at)})" if at else ""),
    }


def _more(m: Measure) -> dict[str, str]:
    return {name: make(m) for name, make in PARTS.items() if "{" + name + "}" in TEMPLATES[_key(m)]}


def _end(m: Measure, end: float | None, open_end: str) -> str:
    if end is None:
        return open_end
    return numbers.points(end) if numbers.is_share(m) else numbers.decimal(end)


def _raw(m: Measure) -> str:
    raw = m.details.get("raw")
    if not isinstance(raw, int | float):
        return ""
    return f"; its own rows alone say {numbers.percent(raw) if numbers.is_share(m) else numbers.decimal(raw)}"


def _controls(m: Measure) -> str:
    named: Any = m.details.get("controls") or "the control"
    return plain(" and ".join(map(str, named)) if isinstance(named, list | tuple) else named)


def _component(m: Measure) -> str:
    name = m.where.get("component", "")
    return words.COMPONENTS.get(name) or words.metric(name).title


PARTS: dict[str, Callable[[Measure], str]] = {
    "reference": lambda m: plain(m.details.get("highest") or m.details.get("reference") or "the highest group"),
    "often": lambda m: often(m.value or 0.0),
    "raw": _raw,
    "controls": _controls,
    "component": _component,
    "method": lambda m: plain(m.where.get("method", "mitigation")).replace("_", " "),
    "low": lambda m: _end(m, m.low, "any number below"),
    "high": lambda m: _end(m, m.high, "any number above"),
    "threshold": lambda m: f"{float(m.details.get('threshold') or 20.0):,.4g}",
}
