"""Findings of groups as sentences: gaps beside chance, time, mitigation, flips, the worst subgroup."""

from __future__ import annotations

from typing import Any

from ...audit.findings import Finding
from ...audit.measure import Measure
from .. import numbers, words
from ..facts import as_measure, evidence
from ..plain import plain
from .measures import told
from .rules import AGAIN

TEMPLATES: dict[str, str] = {
    "chance.clear": " Were all groups alike, chance alone would show a gap of about {chance}: this one is clear of it.",
    "chance.unclear": " Were all groups alike, chance alone would show a gap of about {chance}: these rows cannot tell "
    "this one from none.",
    "too_small": "By {attribute}, some groups are too small to tell: {groups}. Smaller differences in the {metric} "
    "may well go unseen there.",
    "too_small.group": "{group} ({n}) would have to differ by {size} or more",
    "too_small.never": "{group} ({n}) could not show any difference",
    "over_time": "Over {windows} time windows, the {metric} {verdict}: a stake set against equal rates {grew} "
    "(e-value {size}; from {threshold} on, groups are not alike, however often one looks; n\u00a0=\u00a0{n}).",
    "over_time.again": "Likewise, the {metric} {verdict} (e-value {size}; n\u00a0=\u00a0{n}).",
    "worst_subgroup": "Where it is worst: the {metric} of the group {group} is {rate}, that of all others {rest}: "
    "{size} {more} ({evidence}). Half of the rows pointed at it among {tried} comparisons; these numbers are of the "
    "other half, where a test in that one direction confirmed it{p}. Of the groups confirmed so, at most {false} are "
    "expected to be chance.{reaches}",
    "worst_subgroup.again": "Where it is worst, further: the {metric} of the group {group} is {rate}, that of all "
    "others {rest}: {size} {more} ({evidence}).{reaches}",
    "worst_subgroup.p": " ({p}, adjusted for all groups pointed at)",
    "worst_subgroup.reaches": " The interval looks both ways and reaches 0; the test asks only whether it is {more}, "
    "as the first half of the rows said.",
    "mitigation": "Tried, not applied: with {method}, the gap in the {rate} by {attribute} would go from {gap} to "
    "{new_gap}, and the accuracy from {right} to {new_right} (on {n} rows that it was not fitted on).",
    "mitigation.again": "Likewise with {method}: the gap in the {rate} by {attribute} from {gap} to {new_gap}, the "
    "accuracy from {right} to {new_right}.",
    "flips": "Swapping {attribute} alone changes {share} of decisions ({evidence}): the model decides by it directly.",
    "flips.moved": "Swapping {attribute} alone moves the prediction by {size} on average, up or down ({evidence}): the "
    "model predicts by it directly.",
}


def by_chance(chance: str | None, low: float | None) -> str:
    """What chance alone would show beside a gap, and whether the gap is clear of it; empty where that is not known."""
    if not chance:
        return ""
    return _say("chance.clear" if low is not None and low > 0 else "chance.unclear", chance=chance)


def too_small(attribute: str, metric: str, found: list[tuple[str, Measure]], more: int) -> str:
    """Which groups of an attribute are too small to show a difference such as the one seen."""
    told = []
    for group, m in found:
        size, n = numbers.value(m).replace("points", "percentage points"), f"{numbers.count(m.n)} rows"
        kind = "too_small.never" if m.value is None else "too_small.group"
        told.append(_say(kind, group=plain(group), n=n, size=size))
    told += [f"{more} more groups likewise"] if more else []
    return _say("too_small", attribute=plain(attribute), metric=words.metric(metric).title, groups="; ".join(told))


def _largest_gap(found: Finding) -> str:
    p = {"statistic": "difference", **found.parameters}
    p.setdefault("where", {"attribute": p.get("attribute", "")})
    return told(as_measure(p), p.get("pair")) + by_chance(p.get("by_chance"), p.get("low"))


def _over_time(found: Finding) -> str:
    p = found.parameters
    m = as_measure({**p, "statistic": "e_value", "value": p["e_value"]})
    first = p.get("rejected_in")
    between = f"between the groups of {plain(p['where'].get('attribute', ''))}"
    verdict = f"differs {between}, as was clear from {plain(first)} on"
    if first is None:
        verdict = f"does not differ {between} as far as these rows can tell"
    grew = "has not grown far enough" if first is None else "grew beyond what chance allows"
    return _say(
        "over_time.again" if p.get(AGAIN) else "over_time",
        windows=numbers.count(p["windows"]),
        metric=words.metric(p["metric"]).title,
        verdict=verdict,
        grew=grew,
        size=numbers.value(m),
        threshold=f"{p['threshold']:,.4g}",
        n=numbers.count(p["n"]),
    )


def _mitigation(found: Finding) -> str:
    p = found.parameters
    method, _, aim = str(p["mitigation"]).replace("_", " ").partition(".")
    return _say(
        "mitigation.again" if p.get(AGAIN) else "mitigation",
        method=plain(f"{method} ({aim})"),
        rate=words.metric(p["rate"]).title,
        attribute=plain(p["where"]["attribute"]),
        gap=numbers.points(p["gap"]),
        new_gap=numbers.points(p["new_gap"]),
        right=numbers.percent(p["right"]),
        new_right=numbers.percent(p["new_right"]),
        n=numbers.count(p["n"]),
    )


def _flips(found: Finding) -> str:
    p = {"metric": "flip_rate", "statistic": "value", **found.parameters}
    m = as_measure(p)
    attribute = plain(m.where["attribute"])
    if m.metric != "flip_rate":
        return _say("flips.moved", attribute=attribute, size=numbers.value(m), evidence=evidence(m))
    return _say("flips", attribute=attribute, share=numbers.value(m), evidence=evidence(m))


def _worst_subgroup(found: Finding) -> str:
    p = {**found.parameters, "statistic": "subgroup_difference"}
    m = as_measure({**p, "value": abs(p["value"]), **_turned(p)})
    more = "higher" if p["value"] > 0 else "lower"
    reaches = m.low is not None and m.low <= 0
    return _say(
        "worst_subgroup.again" if p.get(AGAIN) else "worst_subgroup",
        metric=words.metric(m.metric).title,
        group=words.place(m.where),
        rate=numbers.percent(p["rate"]),
        rest=numbers.percent(p["rest"]),
        size=numbers.value(m).replace("points", "percentage points"),
        more=more,
        evidence=evidence(m),
        tried=numbers.count(p["tried"]),
        p=_adjusted(p.get("q")),
        false=numbers.level(p["false_discovery_rate"]),
        reaches=_say("worst_subgroup.reaches", more=more) if reaches else "",
    )


def _adjusted(q: float | None) -> str:
    """The p-value by which a group was confirmed; a record of an earlier version has none."""
    if q is None:
        return ""
    return _say("worst_subgroup.p", p=numbers.p_value(q))


def _turned(p: dict[str, Any]) -> dict[str, Any]:
    """The ends of an interval, turned round where the value is below 0 and told as how much lower it is."""
    return {"low": p["low"], "high": p["high"]} if p["value"] > 0 else {"low": -p["high"], "high": -p["low"]}


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {
    "largest_gap": _largest_gap,
    "over_time": _over_time,
    "mitigation": _mitigation,
    "flips": _flips,
    "worst_subgroup": _worst_subgroup,
}
HEADLINES: dict[str, str] = {
    "over_time": "Groups over time",
    "mitigation": "Mitigation",
    "flips": "Counterfactual flips",
    "worst_subgroup": "Where it is worst",
}
