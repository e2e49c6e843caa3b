"""What the model decides on, in sentences: findings, and the measures that have a sentence of their own."""

from __future__ import annotations

from ...audit.findings import Finding
from ...audit.measure import Measure
from .. import numbers, words
from ..facts import evidence, join
from ..plain import plain

TEMPLATES: dict[str, str] = {
    "drivers": "The model decides mostly on {features}: {shares} of all attribution by {method}.",
    "drivers.bare": "The model decides mostly on {features} (by {method}).",
    "methods_disagree": "The attribution methods disagree on what matters{agreement}: read no ranking of features as "
    "established.",
    "agreement": "{First} and {second} rank the features {alike}: {metric} {size} ({evidence}).",
}

SEPARATOR = " × "  # between the two methods whose rankings are compared
ALIKE = 0.8  # rank agreement from which two rankings are called alike


def sentence(m: Measure) -> str | None:
    """The measure in a sentence; None where it has none of its own."""
    if m.metric == "rank_agreement" and SEPARATOR in m.where.get("method", ""):
        return _agreement(m)
    return None


def _drivers(found: Finding) -> str:
    p = found.parameters
    names, method = join([plain(f) for f in p["features"]]), plain(str(p["method"]).replace("_", " "))
    if not p.get("shares"):
        return _say("drivers.bare", features=names, method=method)
    return _say("drivers", features=names, method=method, shares=join([numbers.percent(s) for s in p["shares"]]))


def _disagree(found: Finding) -> str:
    agreement = found.parameters.get("agreement", found.parameters.get("value"))
    told = (
        "" if agreement is None else f" (rank agreement {numbers.decimal(float(agreement))}, where 1 is the same order)"
    )
    return _say("methods_disagree", agreement=told)


def _agreement(m: Measure) -> str:
    """How far two methods rank the features alike; the words are those of the number."""
    first, second = (plain(name).replace("_", " ") for name in m.where["method"].split(SEPARATOR, 1))
    alike = "alike" if (m.value or 0.0) >= ALIKE else "only partly alike" if (m.value or 0.0) > 0 else "differently"
    metric, size = words.metric(m.metric).title, numbers.value(m)
    return _say(
        "agreement",
        First=words.capital(first),
        second=second,
        alike=alike,
        metric=metric,
        size=size,
        evidence=evidence(m),
    )


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {"drivers": _drivers, "methods_disagree": _disagree}
HEADLINES: dict[str, str] = {
    "drivers": "What the model decides on",
    "methods_disagree": "Attribution methods disagree",
}
