"""Findings about energy and carbon as sentences."""

from __future__ import annotations

from ...audit.findings import Finding
from .. import numbers, words
from ..facts import as_measure

TEMPLATES: dict[str, str] = {
    "unknown_location": "No country was given, so carbon is computed with the world's average grid{grams}.",
    "energy_per_1000": "A thousand predictions take {energy}{interval}{carbon}; this is {kind}.",
}


def _energy(found: Finding) -> str:
    p = found.parameters
    m = as_measure({"metric": "energy", "unit": "J", "n": 0, **p, "value": p["joules"]})
    span, grams = numbers.interval(m), p.get("grams")
    return _say(
        "energy_per_1000",
        energy=numbers.value(m),
        interval=f" (range {span})" if span else "",
        carbon=f" and emit {numbers.quantity(grams, 'gCO2e')}" if grams is not None else "",
        kind=words.KINDS.get(str(p.get("kind", "estimated")), "estimated"),
    )


def _location(found: Finding) -> str:
    p = found.parameters
    if "grams_per_kwh" not in p:
        return _say("unknown_location", grams="")
    mean, low, high = (numbers.significant(p[key]) for key in ("grams_per_kwh", "low", "high"))
    return _say(
        "unknown_location",
        grams=f" of {mean} g CO₂e per kWh; nine tenths of the world's power is generated at {low} to {high} g",
    )


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {"unknown_location": _location, "energy_per_1000": _energy}
HEADLINES: dict[str, str] = {
    "unknown_location": "Carbon of an unknown place",
    "energy_per_1000": "Energy of a thousand predictions",
}
