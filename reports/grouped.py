"""Findings of groups as sentences: gaps beside chance, rules, time, mitigation, flips, the worst subgroup."""

from __future__ import annotations

from typing import Any

from ..audit.findings import Finding
from ..audit.measure import Measure
from . import numbers, words
from .facts import as_measure, evidence, join
from .plain import plain

TEMPLATES: dict[str, str] = {
    "chance.clear": " Were all groups alike, chance alone would show a gap of about {chance}: this one is clear of it.",
    "chance.unclear": " Were all groups alike, chance alone would show a gap of about {chance}: these rows cannot tell "
    "this one from none.",
    "too_small": "By {attribute}, some groups are too small to tell: {groups}. Smaller differences in the {metric} may "
    "well go unseen there.",
    "too_small.group": "{group} ({n}) would have to differ by {size} or more",
    "too_small.never": "{group} ({n}) could not show any difference",
    "four_fifths": "Four-fifths rule by {attribute}: the selection rate of the group {group} is {ratio} of that of the "
    "group {highest}, {side} four fifths{interval}.{others}{tests}{flip}{screen}",
    "four_fifths.screen": " The rule is a screen that says where to look, and no legal finding.",
    "four_fifths.others": " In all {count} of {groups} groups stay below.",
    "four_fifths.tests": " Its rate lies {deviations} standard deviations lower (two or more are taken for more than "
    "chance; Fisher's exact test: {p}).",
    "four_fifths.flip": " {count} {more} selection{s} in that group would turn this verdict.",
    "local_law_144": "Local Law 144 by {attribute}: {ratios}. {n} rows are of known category, {unknown} of unknown "
    "category.{small}",
    "local_law_144.ratio": "the lowest impact ratio of the {rate} rate is {ratio}, of {category} against {highest}",
    "local_law_144.small": " {count} {are} below 2 % of the data, and shown and compared all the same.",
    "over_time": "Over {windows} time windows, the {metric} {verdict}: a stake set "
    "against equal rates {grew} (e-value {size}; from {threshold} on, groups are not alike, however often one looks; "
    "n = {n}).",
    "worst_subgroup": "Where it is worst: the {metric} of the group {group} is {rate}, that of all others {rest}: "
    "{size} {more} ({evidence}). Half of the rows pointed at it among {tried} comparisons, and these numbers are of "
    "the other half; of the groups confirmed so, at most {false} are expected to be chance.",
    "worst_subgroup.again": "Where it is worst, further: the {metric} of the group {group} is {rate}, that of all "
    "others {rest}: {size} {more} ({evidence}).",
    "mitigation": "Tried, not applied: with {method}, the gap in the {rate} by {attribute} would go from {gap} to "
    "{new_gap}, and the accuracy from {right} to {new_right} (on {n} rows that it was not fitted on).",
    "mitigation.again": "Likewise with {method}: the gap in the {rate} by {attribute} from {gap} to {new_gap}, the "
    "accuracy from {right} to {new_right}.",
    "flips": "Swapping {attribute} alone changes {share} of decisions ({evidence}): the model decides by it directly.",
}

AGAIN = "again"  # parameter of a finding whose rule an earlier one has explained


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


def _four_fifths(found: Finding) -> str:
    p = found.parameters
    span = f" ({numbers.percent(p['low'])} to {_percent(p['high'])})" if p.get("low") is not None else ""
    count = p.get("failing_count", 0)
    others = _say("four_fifths.others", count=str(count), groups=str(p["groups"])) if count > 1 else ""
    return _say(
        "four_fifths",
        attribute=_by(p),
        group=plain(p["group"]),
        highest=plain(p["highest"]),
        ratio=numbers.percent(p["ratio"]),
        side="at or above" if p.get("passes") else "below",
        interval=f"{span}; {STATUS[p['status']]}" if p.get("status") in STATUS else span,
        others=others,
        tests=_tests(p),
        flip=_flip(p.get("own_flip")),
        screen="" if p.get(AGAIN) else _say("four_fifths.screen"),
    )


STATUS = {
    "within": "the whole interval says so",
    "exceeds": "the whole interval says so",
    "inconclusive": "the interval reaches over four fifths, so chance may decide it",
}


def _by(p: dict[str, Any]) -> str:
    """The attribute, and the class where there are several."""
    where = p.get("where") or {}
    klass = f" (class {plain(where['class'], 40)})" if "class" in where else ""
    return plain(p.get("attribute") or where.get("attribute", "")) + klass


def _percent(share: float | None) -> str:
    return "any share above" if share is None else numbers.percent(share)


def _tests(p: dict[str, Any]) -> str:
    if p.get("fisher") is None or p.get("deviations") is None:
        return ""
    chance = numbers.chance(p["fisher"])
    return _say(
        "four_fifths.tests",
        deviations=numbers.significant(p["deviations"], 2),
        p=f"p {chance}" if chance.startswith("<") else f"p = {chance}",
    )


def _flip(number: int | None) -> str:
    if not number:
        return ""
    more = "more" if number > 0 else "fewer"
    return _say("four_fifths.flip", count=numbers.count(abs(number)), s="" if abs(number) == 1 else "s", more=more)


def _local_law(found: Finding) -> str:
    p = found.parameters
    few = int(p.get("small") or 0)
    are = "category is" if few == 1 else "categories are"
    lowest = [
        _say(
            "local_law_144.ratio",
            rate=plain(each["rate"]),
            ratio=f"{each['ratio']:.3f}",
            category=plain(each["category"]),
            highest=plain(each["highest"]),
        )
        for each in p["lowest"]
    ]
    return _say(
        "local_law_144",
        attribute=_by(p),
        ratios=join(lowest),
        n=numbers.count(p["n"]),
        unknown=numbers.count(p["unknown"]),
        small=_say("local_law_144.small", count=str(few), are=are) if few else "",
    )


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
        "over_time",
        windows=numbers.count(p["windows"]),
        metric=words.metric(p["metric"]).title,
        verdict=verdict,
        grew=grew,
        size=numbers.value(m),
        threshold=numbers.significant(p["threshold"]),
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
    return _say("flips", attribute=plain(m.where["attribute"]), share=numbers.value(m), evidence=evidence(m))


def _worst_subgroup(found: Finding) -> str:
    p = {**found.parameters, "statistic": "subgroup_difference"}
    m = as_measure({**p, "value": abs(p["value"]), **_turned(p)})
    return _say(
        "worst_subgroup.again" if p.get(AGAIN) else "worst_subgroup",
        metric=words.metric(m.metric).title,
        group=words.place(m.where),
        rate=numbers.percent(p["rate"]),
        rest=numbers.percent(p["rest"]),
        size=numbers.value(m).replace("points", "percentage points"),
        more="higher" if p["value"] > 0 else "lower",
        evidence=evidence(m),
        tried=numbers.count(p["tried"]),
        false=numbers.level(p["false_discovery_rate"]),
    )


def _turned(p: dict[str, Any]) -> dict[str, Any]:
    """The ends of an interval, turned round where the value is below 0 and told as how much lower it is."""
    return {"low": p["low"], "high": p["high"]} if p["value"] > 0 else {"low": -p["high"], "high": -p["low"]}


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


EXPLAINED = frozenset({"four_fifths", "mitigation", "worst_subgroup"})  # findings whose rule is explained once
SENTENCES = {
    "four_fifths": _four_fifths,
    "local_law_144": _local_law,
    "over_time": _over_time,
    "mitigation": _mitigation,
    "flips": _flips,
    "worst_subgroup": _worst_subgroup,
}
