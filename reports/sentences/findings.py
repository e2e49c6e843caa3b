"""A finding, a limitation and their headings as English: who, what, how much, how sure, and what follows.

Every module of sentences holds its TEMPLATES by key; a second language is a second set of these tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...audit.findings import Finding
from ...audit.messages import ENGLISH, Message
from .. import numbers, words
from ..plain import plain
from . import causes, criteria, data, energy, explanations, fairness, standards

TEMPLATES: dict[str, str] = {
    "analysis_crashed": "The analysis of {analysis} stopped: {error}. None of its numbers is in this record.",
    "other": "{name}{details}.",
}


def finding(found: Finding) -> str:
    """A finding as one or two sentences; what no sentence is known for is told by its key and its parameters."""
    told = OWN.get(found.message)
    try:
        if told is not None:
            return told(found)
        if found.message in ENGLISH:
            return words.capital(plain(Message(found.message, found.parameters), 600)) + "."
    except (KeyError, TypeError, ValueError, IndexError):  # a record of another version may hold other parameters
        pass
    return _other(found)


def headline(found: Finding) -> str:
    """A finding in a few words, as a heading: "Selection rate by sex"."""
    p = found.parameters
    if found.message in explanations.HEADLINES:
        return explanations.headline(found)
    if found.message in OF_ATTRIBUTES:
        return f"{HEADLINES[found.message]} by {plain((p.get('where') or {}).get('attribute', ''))}"
    if found.message in causes.HEADLINES:
        return HEADLINES[found.message].format(attribute=plain((p.get("where") or {}).get("attribute", "")))
    if found.message == "worst_subgroup":
        return f"{HEADLINES[found.message]}: {words.metric(p['metric']).title}, {words.place(p['where'])}"
    if "metric" in p:
        where = p.get("where") or ({"attribute": p["attribute"]} if "attribute" in p else {})
        by = where.get("attribute")
        kind = p.get("statistic", "difference" if by else "value")
        name = words.capital(words.metric(p["metric"]).title)
        extra = {k: v for k, v in where.items() if k != "attribute"}
        suffix = f" by {plain(by)}" if by else ""
        more = "" if kind == "difference" else words.STATISTICS.get(kind, plain(kind).replace("_", " "))
        return name + suffix + (f" ({words.place(extra)})" if extra else "") + (f", {more}" if more else "")
    if "criterion" in p:
        return f"Criterion “{plain(p['criterion'])}”"
    return HEADLINES.get(found.message) or words.capital(plain(found.message).replace("_", " "))


def limitation(message: Message) -> str:
    """A limitation as a sentence; an unknown key is told with its parameters, never dropped."""
    grouped = {k: numbers.count(v) if type(v) is int else v for k, v in message.parameters.items()}
    try:
        text = str(Message(message.message, grouped))
    except (KeyError, IndexError, ValueError, TypeError):
        text = _details(message.message, message.parameters)
    return words.capital(plain(text, 600)).rstrip(".") + "."


def _crashed(found: Finding) -> str:
    p = found.parameters
    return _say("analysis_crashed", analysis=plain(p["analysis"]), error=plain(p["error"], 300).rstrip("."))


def _other(found: Finding) -> str:
    return _details(found.message, found.parameters)


def _details(key: str, parameters: dict[str, Any]) -> str:
    told = ", ".join(f"{plain(k)} {plain(v, 120)}" for k, v in parameters.items())
    name = words.capital(plain(key).replace("_", " "))
    return _say("other", name=name, details=f": {told}" if told else "")


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


OWN: dict[str, Callable[[Finding], str]] = {
    **criteria.SENTENCES,
    **data.SENTENCES,
    **fairness.SENTENCES,
    **causes.SENTENCES,
    **standards.SENTENCES,
    **explanations.SENTENCES,
    **energy.SENTENCES,
    "analysis_crashed": _crashed,
}
HEADLINES: dict[str, str] = {
    **data.HEADLINES,
    **fairness.HEADLINES,
    **causes.HEADLINES,
    **standards.HEADLINES,
    **energy.HEADLINES,
    "analysis_crashed": "An analysis stopped",
}
OF_ATTRIBUTES = frozenset(
    {"four_fifths", "local_law_144", "over_time", "mitigation", "flips"}
)  # findings that are told by attribute
