"""What carries a gap between two groups, and what may stand in for an attribute, in sentences."""

from __future__ import annotations

import math
from dataclasses import replace

from ...audit.findings import Finding
from ...audit.measure import Measure
from .. import numbers, words
from ..facts import evidence, join
from ..plain import plain

TEMPLATES: dict[str, str] = {
    "gap_drivers": "By {attribute}, the model's mean output{of} is {size} higher for the group {high} than for "
    "{low}{odds} ({sure}). {parts}",
    "gap_drivers.through": "It comes through {features}",
    "gap_drivers.beyond": "; other features work against it",
    "gap_drivers.against": "{features} {work} against it",
    "gap_drivers.spread": "It is spread over many features; the largest part is that of {feature} ({share}).",
    "proxies.one": "{features} tells the two groups of {attribute} apart (AUC {strength}, where 0.5 is guessing) and "
    "carries {share} of the gap in the model's mean output: it may stand in for {attribute}.",
    "proxies.more": "Several features tell the two groups of {attribute} apart better than guessing, which has an AUC "
    "of 0.5, and carry the gap in the model's mean output: {features}. They may stand in for {attribute}.",
    "gap": "By {attribute}, the {metric} is {size} higher for the group {high} than for {low} ({evidence}).",
    "contribution": "By {attribute}, {feature} {does} the gap in {metric} between {low} and {high} by {size} "
    "({evidence}).",
    "proxy": "{Feature} tells the two groups of {attribute} apart {times} times in 100, where guessing gives 50 "
    "({evidence}).",
}
TOLD = 0.05  # share of a gap from which a feature's part is told
MOST = 10.0  # logits: beyond it nobody counts the odds
TINY = 20  # times as small as half its interval
GAPS = ("score_gap", "decision_gap", "true_positive_score_gap", "false_positive_score_gap")


def sentence(m: Measure) -> str | None:
    """A gap's size, a feature's part of it, or how well a feature tells groups apart; None of other measures."""
    if m.metric == "proxy_auc" and {"attribute", "feature"} <= m.where.keys():
        return _proxy(m)
    if m.metric in GAPS and {"from", "to"} <= m.details.keys():
        return _contribution(m) if m.statistic == "contribution" else _gap(m) if m.statistic == "difference" else None
    return None


def amount(value: float, low: float | None, high: float | None, unit: str) -> tuple[str, str]:
    """A difference of mean outputs and its interval, as a sentence tells them: "0.55 logits", "0.39 to 0.71"."""
    if unit == "probability":
        half = None if low is None or high is None else (high - low) / 2
        ends = [numbers.points(end, half).split(numbers.GAP)[0] for end in (low, high) if end is not None]
        return numbers.points(value, half).replace("points", "percentage points"), " to ".join(ends)
    m = Measure(
        analysis="explanations",
        metric="score_gap",
        statistic="difference",
        value=value,
        low=low,
        high=high,
        unit=unit,
        n=1,
    )
    half = numbers.half_width(m)
    size = numbers.value(m)
    if half and abs(value) < half / TINY:  # so small beside its interval that more digits say nothing
        size = size.replace(numbers.significant(value), numbers.significant(value, 1))
    return size + ("s" if unit == "logit" else ""), numbers.interval(m)


def gap_drivers(found: Finding) -> str:
    """Who scores higher, by how much, and through which features."""
    p = found.parameters
    value, low, high = float(p["total"]), p.get("low"), p.get("high")
    below, above = plain(p["from"]), plain(p["to"])
    if value < 0:  # who is ahead comes first
        value, low, high = -value, None if high is None else -high, None if low is None else -low
        below, above = above, below
    unit = str(p.get("unit", "1"))
    size, span = amount(value, low, high, unit)
    return _say(
        "gap_drivers",
        attribute=plain(p["attribute"]),
        of=f" for class {plain(p['class'])}" if p.get("class") else "",
        size=size,
        high=above,
        low=below,
        odds="" if p.get("class") or unit != "logit" else _odds(value),
        sure=f"{numbers.level(p.get('level') or 0.95)} interval {span}" if span else "no interval",
        parts=_parts(p["features"], p["shares"]),
    )


def _odds(logits: float) -> str:
    """How many times the odds a difference of so many logits is."""
    times = math.exp(min(logits, MOST))
    return f", about {numbers.significant(times, 3 if times < 1.1 else 2)} times the odds"


def _parts(features: list[str], shares: list[float]) -> str:
    """What carries a gap and what narrows it. Parts may be more than the whole, or below nothing."""
    known = [(plain(name), float(share)) for name, share in zip(features, shares, strict=True) if math.isfinite(share)]
    through = [(name, share) for name, share in known if share >= TOLD]
    against = [(name, share) for name, share in known if share <= -TOLD]
    if not through and not against:
        if not known:
            return "What it comes through is too small to tell."
        return _say("gap_drivers.spread", feature=known[0][0], share=rough(known[0][1]))
    told = []
    if through:
        first, *rest = through
        named = [f"{first[0]} ({rough(first[1])} of it)", *(f"{name} ({rough(share)})" for name, share in rest)]
        told.append(_say("gap_drivers.through", features=join(named)))
    if against:
        named = join([f"{name} ({rough(-share)})" for name, share in against])
        told.append(_say("gap_drivers.against", features=named, work="works" if len(against) == 1 else "work"))
    beyond = not against and sum(share for _, share in through) > 1 + TOLD
    return words.capital("; ".join(told)) + (TEMPLATES["gap_drivers.beyond"] if beyond else "") + "."


def rough(share: float) -> str:
    """A share of a gap, which may be more than all of it or below nothing.

    >>> [rough(share).replace(numbers.GAP, " ") for share in (1.158, -0.07, 0.0012)]
    ['116 %', '−7 %', '0.1 %']
    """
    if 0 < abs(share) < 0.0005:
        return f"about 0{numbers.GAP}%"
    return numbers.percent(share, 0.1 if abs(share) >= 0.005 else 0.01)


def proxies(found: Finding) -> str:
    """Which features may stand in for an attribute: they tell its groups apart, and carry the gap."""
    p = found.parameters
    features, attribute = [plain(f) for f in p["features"]], plain(p["attribute"])
    strengths, shares = [f"{s:.2f}" for s in p["strengths"]], [rough(s) for s in p["shares"]]
    if len(features) == 1:
        one = words.capital(features[0])
        return _say("proxies.one", features=one, attribute=attribute, strength=strengths[0], share=shares[0])
    listed = [
        f"{name} (AUC {strength}, {share} of the gap)"
        for name, strength, share in zip(features, strengths, shares, strict=True)
    ]
    return _say("proxies.more", features=join(listed), attribute=attribute)


def _gap(m: Measure) -> str:
    low, high = plain(m.details["from"]), plain(m.details["to"])
    shown = m
    if (m.value or 0.0) < 0:
        low, high, shown = high, low, turned(m)
    return _say(
        "gap",
        attribute=plain(m.where.get("attribute", "")),
        metric=words.metric(m.metric).title,
        size=_size(shown),
        high=high,
        low=low,
        evidence=evidence(shown),
    )


def _contribution(m: Measure) -> str:
    share = m.details.get("share")
    widens = share is None or share >= 0
    shown = turned(m) if (m.value or 0.0) < 0 else m
    return _say(
        "contribution",
        attribute=plain(m.where.get("attribute", "")),
        feature=plain(m.where.get("feature", "")),
        does="widens" if widens else "narrows",
        metric=words.metric(m.metric).title,
        low=plain(m.details["from"]),
        high=plain(m.details["to"]),
        size=_size(shown),
        evidence=evidence(shown),
    )


def _proxy(m: Measure) -> str:
    return _say(
        "proxy",
        Feature=words.capital(plain(m.where["feature"])),
        attribute=plain(m.where["attribute"]),
        times=f"{100 * (m.value or 0.0):.0f}",
        evidence=evidence(m),
    )


def turned(m: Measure) -> Measure:
    """The same difference, the other way round."""
    low, high = (None if end is None else -end for end in (m.high, m.low))
    return replace(m, value=-(m.value or 0.0), low=low, high=high)


def _size(m: Measure) -> str:
    return numbers.value(m).replace("points", "percentage points") + ("s" if m.unit == "logit" else "")


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)
