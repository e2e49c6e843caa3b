"""What the model decides on, how far that can be trusted and what carries gaps, in sentences.

Findings, and the measures that have a sentence of their own.
"""

from __future__ import annotations

from ...audit.findings import Finding
from ...audit.measure import Measure
from .. import numbers, words
from ..facts import as_measure, evidence, join
from ..plain import plain
from ..rowwords import method_within
from . import carried

TEMPLATES: dict[str, str] = {
    "drivers": "The model decides mostly on {features}: {shares} of all attribution by {method}.",
    "drivers.bare": "The model decides mostly on {features} (by {method}).",
    "drivers.spread": "What counts most for the model is {features}: {shares} of all attribution by {method}; the rest "
    "is spread over other features.",
    "drivers.not_evidence": "By {method}, the model would decide mostly on {features}; but these attributions are not "
    "evidence.",
    "word_drivers": "Where they occur, the words that move the model's output furthest are {words} (by {method}).",
    "word_drivers.not_evidence": "By {method}, the words that move the model's output furthest would be {words}; but "
    "these attributions are not evidence.",
    "methods_disagree": "The attribution methods disagree on what matters{agreement}: read no ranking of features as "
    "established.",
    "agreement": "{First} and {second} rank the features {alike}: {metric} {size} ({evidence}).",
    "not_evidence": "Attributions by {method} are not evidence of what this model has learned: {why}.",
    "explained_unevenly": "By {attribute}, the group {worse} is explained less well than {better}: the {metric} of "
    "attributions by {method} differs by {size} ({sure}){more}.",
    "above_chance": "{Place}, the {metric} is {size} {than} that of random rankings ({evidence}).",
}

SEPARATOR = " × "  # between the two methods whose rankings are compared
MOSTLY = 0.5  # share of all attribution from which a model decides mostly on some features
ALIKE = 0.8  # rank agreement from which two rankings are called alike


def sentence(m: Measure) -> str | None:
    """The measure in a sentence; None where it has none of its own."""
    if m.metric == "rank_agreement" and SEPARATOR in m.where.get("method", ""):
        return _agreement(m)
    if m.statistic == "above_chance":
        return _above_chance(m)
    return carried.sentence(m)


def headline(found: Finding) -> str:
    """The finding in a few words."""
    p = found.parameters
    attribute, method = plain(p.get("attribute", "")), join([method_within(str(name)) for name in _methods(found)])
    name = f"{found.message}.not_evidence" if p.get("not_evidence") else found.message
    return (HEADLINES.get(name) or HEADLINES[found.message]).format(attribute=attribute, method=method)


def _drivers(found: Finding) -> str:
    p = found.parameters
    names, method = listed(p["features"]), method_within(str(p["method"]))
    if p.get("not_evidence"):
        return _say("drivers.not_evidence", features=names, method=method)
    if not p.get("shares"):
        return _say("drivers.bare", features=names, method=method)
    shares = join([numbers.percent(s) for s in p["shares"]])
    key = "drivers" if sum(p["shares"]) >= MOSTLY else "drivers.spread"
    return _say(key, features=names, method=method, shares=shares)


def _words(found: Finding) -> str:
    """The words that move the output furthest, each with where it moves it on average."""
    p = found.parameters
    names = [
        f"“{plain(word)}” ({'+' if mean > 0 else ''}{numbers.significant(mean, 2)} {plain(p['unit'])})"
        for word, mean in zip(p["words"], p["means"], strict=True)
    ]
    key = "word_drivers.not_evidence" if p.get("not_evidence") else "word_drivers"
    return _say(key, words=join(names), method=method_within(str(p["method"])))


def listed(features: list[str]) -> str:
    """Features as English lists them; in quotes where a name holds a comma."""
    names = [plain(f) for f in features]
    return join([f"“{name}”" for name in names] if any("," in name for name in names) else names)


def _disagree(found: Finding) -> str:
    agreement = found.parameters.get("agreement", found.parameters.get("value"))
    told = (
        "" if agreement is None else f" (rank agreement {numbers.decimal(float(agreement))}, where 1 is the same order)"
    )
    return _say("methods_disagree", agreement=told)


def _not_evidence(found: Finding) -> str:
    p = found.parameters
    why = plain(str(p["why"]), 400).removeprefix("not evidence: ").rstrip(".")
    return _say("not_evidence", method=join([_named(name) for name in _methods(found)]), why=why)


def _methods(found: Finding) -> list[str]:
    """The methods that a finding is about."""
    return list(found.parameters.get("methods") or [found.parameters.get("method", "")])


def _unevenly(found: Finding) -> str:
    """For whom explanations are worse, by the measure of quality that shows it most surely."""
    p = found.parameters
    first, second = (plain(g).strip("()") for g in p["groups"])
    known = words.metric(str(p["metric"]))
    worse, better = (first, second) if (p["value"] < 0) == (known.better == "higher") else (second, first)
    m = as_measure({**p, "statistic": "difference", "n": 1})
    m = carried.turned(m) if p["value"] < 0 else m
    return _say(
        "explained_unevenly",
        attribute=plain(p["attribute"]),
        worse=worse,
        better=better,
        metric=known.title,
        method=_named(p["method"]),
        size=numbers.value(m),
        sure=f"95{numbers.GAP}% interval {numbers.interval(m)}, {numbers.p_value(p['p'])}",
        more=_more(len(p.get("others") or ())),
    )


def _more(others: int) -> str:
    """How many other measures of quality show it too."""
    if not others:
        return ""
    return f"; so does {others} other measure" if others == 1 else f"; so do {others} other measures"


def _agreement(m: Measure) -> str:
    """How far two methods rank the features alike; the words are those of the number."""
    first, second = (method_within(name) for name in m.where["method"].split(SEPARATOR, 1))
    metric, size = words.metric(m.metric).title, numbers.value(m)
    return _say(
        "agreement",
        First=words.capital(first),
        second=second,
        alike=alike(m),
        metric=metric,
        size=size,
        evidence=evidence(m),
    )


def alike(m: Measure) -> str:
    """A rank agreement in words: "alike", "only partly alike", "differently"."""
    return "alike" if (m.value or 0.0) >= ALIKE else "only partly alike" if (m.value or 0.0) > 0 else "differently"


def _above_chance(m: Measure) -> str:
    better = (m.value or 0.0) >= 0
    place = words.place(m.where)
    return _say(
        "above_chance",
        Place=words.capital(place) if m.where else "For everyone",
        metric=words.metric(m.metric).title,
        size=numbers.value(m if better else carried.turned(m)),
        than="better than" if better else "worse than",
        evidence=evidence(m),
    )


def _named(method: object) -> str:
    return method_within(str(method)) or "the network"


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {
    "drivers": _drivers,
    "word_drivers": _words,
    "methods_disagree": _disagree,
    "gap_drivers": carried.gap_drivers,
    "proxies": carried.proxies,
    "not_evidence": _not_evidence,
    "explained_unevenly": _unevenly,
}
HEADLINES: dict[str, str] = {
    "drivers": "What the model decides on",
    "drivers.not_evidence": "What the model decides on (not evidence)",
    "word_drivers": "Words that move the output",
    "word_drivers.not_evidence": "Words that move the output (not evidence)",
    "methods_disagree": "Attribution methods disagree",
    "gap_drivers": "What carries the gap by {attribute}",
    "proxies": "What may stand in for {attribute}",
    "not_evidence": "Attributions by {method} are not evidence",
    "explained_unevenly": "Some groups of {attribute} are explained less well",
}
