"""The four-fifths rule and Local Law 144 as sentences."""

from __future__ import annotations

from typing import Any

from ...audit.findings import Finding
from .. import numbers
from ..facts import join
from ..plain import plain
from .rules import AGAIN

TEMPLATES: dict[str, str] = {
    "four_fifths": "Four-fifths rule by {attribute}: the selection rate of the group {group} is {ratio} of that of "
    "the group {highest}, {side} four fifths{interval}.{others}{tests}{flip}{screen}",
    "four_fifths.screen": " The rule is a screen that says where to look, and no legal finding.",
    "four_fifths.others": " In all, {count} of {groups} groups stay below.",
    "four_fifths.tests": " Its rate lies {deviations} standard deviations lower (two or more are taken for more than "
    "chance; Fisher's exact test: {p}).",
    "four_fifths.flip": " {count} {more} selection{s} in that group would turn this verdict.",
    "local_law_144": "Local Law 144 by {attribute}: {ratios}. {n} rows are of known category, {unknown} of unknown "
    "category.{small}",
    "local_law_144.ratio": "the lowest impact ratio of the {rate} rate is {ratio}, of {category} against {highest}",
    "local_law_144.small": " {count} {are} below 2 % of the data, and shown and compared all the same.",
}

STATUS = {
    "within": "the whole interval says so",
    "exceeds": "the whole interval says so",
    "inconclusive": "the interval reaches over four fifths, so chance may decide it",
}


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
    return _say(
        "four_fifths.tests",
        deviations=numbers.significant(p["deviations"], 2),
        p=numbers.p_value(p["fisher"]),
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


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {"four_fifths": _four_fifths, "local_law_144": _local_law}
HEADLINES: dict[str, str] = {
    "four_fifths": "Four-fifths rule",
    "local_law_144": "Local Law 144",
}
