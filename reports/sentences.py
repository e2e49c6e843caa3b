"""Findings and limitations as English sentences: who, what, how much, how sure, and what follows.

`TEMPLATES` holds every sentence by its key; a second language is a second table with the same keys.
"""

from __future__ import annotations

from typing import Any

from ..audit.findings import Finding, Verdict
from ..audit.measure import Measure
from ..audit.messages import ENGLISH, Message
from . import causes, grouped, numbers, statistics, words
from .facts import as_measure, bound, evidence, join, target
from .plain import plain

TEMPLATES: dict[str, str] = {
    # what was measured
    "gap": "By {attribute}, the group {low_level} {verb} {size} {less} often than the group {high_level}{context} "
    "({evidence}).",
    "gap.other": "By {attribute}, the {metric} of the group {low_level} is {size} lower than that of the group "
    "{high_level} "
    "({evidence}).",
    "gap.unpaired": "The {metric} differs by {size} {place} ({evidence}).",
    "ratio": "By {attribute}, the {metric} of the group {low_level} is {size} times that of the group {high_level} "
    "({evidence}).",
    "ratio.unpaired": "The ratio of the {metric} {place} is {size} ({evidence}).",
    "value": "{Place}, the {metric} is {size} ({evidence}).",
    "value.everyone": "The {metric} is {size} ({evidence}).",
    "agreement": "{First} and {second} rank the features {alike}: {metric} {size} ({evidence}).",
    "statistic": "{Place}: {statistic} is {size} ({evidence}).",
    "unmeasured": "{Metric} {place} is not measured: {reason}.",
    # what follows from a criterion
    "PASS": "The whole {span} lies {inside}, so this criterion passes.",
    "PASS.exact": "The number lies {inside}, so this criterion passes.",
    "FAIL": "The whole {span} lies {outside}, so this criterion fails.",
    "FAIL.exact": "The number lies {outside}, so this criterion fails.",
    "INCONCLUSIVE": "The {span} reaches over {bound}, so this criterion is inconclusive.{rows}",
    "NOT_MEASURED": "So this criterion cannot pass: {reason}.",
    "rows_needed": " If the true value is near the one seen, about {needed} rows would settle it ({times} times as "
    "many).",
    "criterion_unanswered": "Criterion “{criterion}” asks for {asks}, which this record does not hold: an error, "
    "never a pass.",
    "criterion_ambiguous": "Criterion “{criterion}” asks for {asks}, and several measures answer ({candidates}): "
    "say which.",
    # what analyses find by themselves
    "audited_on_training_rows": "The model was audited on rows that it was trained on ({n} rows). It has seen the "
    "answers: every "
    "figure here is likely better than on new rows.",
    "train_test_overlap": "{count} of {n} audited rows ({share}) also stand in the training data. What they say of "
    "new rows is "
    "too favourable.",
    "drivers": "The model decides mostly on {features}: {shares} of all attribution by {method}.",
    "drivers.bare": "The model decides mostly on {features} (by {method}).",
    "methods_disagree": "The attribution methods disagree on what matters{agreement}: read no ranking of features "
    "as established.",
    "unknown_location": "No country was given, so carbon is computed with the world's average grid{grams}.",
    "energy_per_1000": "A thousand predictions take {energy}{interval}{carbon}; this is {kind}.",
    "analysis_crashed": "The analysis of {analysis} stopped: {error}. None of its numbers is in this record.",
    "other": "{name}{details}.",
}

SEPARATOR = " × "  # between the two methods whose rankings are compared
ALIKE = 0.8  # rank agreement from which two rankings are called alike

# what happens to a group, by metric: (context after the group named, verb); the harm leads where higher is worse
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
    if found.message in OF_ATTRIBUTES:
        return f"{HEADLINES[found.message]} by {plain((p.get('where') or {}).get('attribute', ''))}"
    if found.message in causes.HEADLINES:
        return f"{HEADLINES[found.message]}, {plain((p.get('where') or {}).get('attribute', ''))}"
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


HEADLINES: dict[str, str] = {
    "audited_on_training_rows": "Audited on training rows",
    "train_test_overlap": "Training rows among the audited",
    "drivers": "What the model decides on",
    "methods_disagree": "Attribution methods disagree",
    "unknown_location": "Carbon of an unknown place",
    "energy_per_1000": "Energy of a thousand predictions",
    "analysis_crashed": "An analysis stopped",
    **causes.HEADLINES,
    "mitigation": "Mitigation",
    "flips": "Counterfactual flips",
    "four_fifths": "Four-fifths rule",
    "local_law_144": "Local Law 144",
    "over_time": "Groups over time",
}
OF_ATTRIBUTES = frozenset(
    {"four_fifths", "local_law_144", "over_time", "mitigation", "flips"}
)  # findings that are told by attribute


def limitation(message: Message) -> str:
    """A limitation as a sentence; an unknown key is told with its parameters, never dropped."""
    grouped = {k: numbers.count(v) if type(v) is int else v for k, v in message.parameters.items()}
    try:
        text = str(Message(message.message, grouped))
    except (KeyError, IndexError, ValueError, TypeError):
        text = _details(message.message, message.parameters)
    return words.capital(plain(text, 600)).rstrip(".") + "."


def measured(measure: Measure) -> str:
    """One measure as a sentence: who, metric, size, interval, n."""
    return _measured(
        {
            "metric": measure.metric,
            "statistic": measure.statistic,
            "where": measure.where,
            "pair": measure.details.get("pair"),
            "reason": measure.reason,
        },
        measure,
    )


def _criterion(found: Finding) -> str:
    p = found.parameters
    measure = as_measure(p)
    return f"{_measured(p, measure)} {_consequence(found.verdict, p, measure)}".strip()


def _measured(p: dict[str, Any], m: Measure) -> str:
    if m.value is None:
        where = {k: v for k, v in m.where.items() if k != "attribute"}
        other = words.place(where)
        other = other if other.startswith("by ") else f"for {other}"
        place = f"by {plain(m.where['attribute'])}" if "attribute" in m.where else other
        name = words.title(m.metric, m.statistic)
        return _say("unmeasured", Metric=name, place=place, reason=plain(m.reason, 200))
    facts = {"metric": words.metric(m.metric).title, "evidence": evidence(m), "place": words.place(m.where)}
    if (told := statistics.sentence(m, facts["evidence"])) is not None:
        return told
    if m.statistic in ("difference", "ratio"):
        return _gap(p, m, facts)
    if m.statistic != "value":
        place, name = words.capital(facts["place"]), words.title(m.metric, m.statistic)
        return _say("statistic", Place=place, statistic=name, size=numbers.value(m), evidence=facts["evidence"])
    if not m.where:
        return _say("value.everyone", size=numbers.value(m), **facts)
    if m.metric == "rank_agreement" and SEPARATOR in m.where.get("method", ""):
        return _agreement(m)
    place = facts["place"]
    place = words.capital(place) if place.startswith("by ") else f"For {place}"
    return _say("value", Place=place, size=numbers.value(m), **facts)


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


def _gap(p: dict[str, Any], m: Measure, facts: dict[str, str]) -> str:
    size, pair = numbers.value(m), p.get("pair")
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


def _consequence(verdict: Verdict, p: dict[str, Any], m: Measure) -> str:
    least, most = p.get("at_least"), p.get("at_most")
    if verdict is Verdict.NOT_MEASURED:
        reason = plain(p.get("reason") or m.reason or "it has no value", 200)
        return _say("NOT_MEASURED", reason=reason) if m.value is not None else "So this criterion cannot pass."
    aim = target(least, most, m.metric, m.statistic, m.unit)
    exact = ".exact" if m.low is None and m.high is None else ""
    span = "range" if numbers.is_range(m) else "interval"
    if verdict is Verdict.PASS:
        return _say("PASS" + exact, span=span, inside=f"within the tolerance, {aim}")
    if verdict is Verdict.FAIL:
        side = "above" if most is not None and (m.low if m.low is not None else m.value or 0) > most else "below"
        beyond = bound(most if side == "above" else least, m.metric, m.statistic, m.unit)  # type: ignore[arg-type]
        return _say("FAIL" + exact, span=span, outside=f"{side} the tolerance of {beyond}")
    if verdict is Verdict.INCONCLUSIVE:
        return _say("INCONCLUSIVE", span=span, bound=f"the tolerance, {aim}", rows=_rows_needed(p))
    return ""


def _rows_needed(p: dict[str, Any]) -> str:
    needed, n = p.get("rows_needed"), p.get("n")
    if not needed or not n:
        return ""
    return _say("rows_needed", needed=numbers.count(needed), times=numbers.significant(needed / n, 2))


def _unanswered(found: Finding) -> str:
    p = found.parameters
    candidates = "; ".join(words.place(c.get("where") or {}) for c in p.get("candidates", ()))
    return _say(found.message, criterion=plain(p["criterion"]), asks=plain(p["asks"], 200), candidates=candidates)


def _largest_gap(found: Finding) -> str:
    p = {"statistic": "difference", **found.parameters}
    p.setdefault("where", {"attribute": p.get("attribute", "")})
    return _measured(p, as_measure(p)) + grouped.by_chance(p.get("by_chance"), p.get("low"))


def _drivers(found: Finding) -> str:
    p = found.parameters
    names, method = join([plain(f) for f in p["features"]]), plain(str(p["method"]).replace("_", " "))
    if not p.get("shares"):
        return _say("drivers.bare", features=names, method=method)
    return _say("drivers", features=names, method=method, shares=join([numbers.percent(s) for s in p["shares"]]))


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


def _overlap(found: Finding) -> str:
    p = found.parameters
    share = p.get("share", p["count"] / p["n"] if p["n"] else 0.0)
    return _say(
        "train_test_overlap", count=numbers.count(p["count"]), n=numbers.count(p["n"]), share=numbers.percent(share)
    )


def _training_rows(found: Finding) -> str:
    return _say("audited_on_training_rows", n=numbers.count(found.parameters["n"]))


def _disagree(found: Finding) -> str:
    agreement = found.parameters.get("agreement", found.parameters.get("value"))
    told = (
        "" if agreement is None else f" (rank agreement {numbers.decimal(float(agreement))}, where 1 is the same order)"
    )
    return _say("methods_disagree", agreement=told)


def _location(found: Finding) -> str:
    p = found.parameters
    if "grams_per_kwh" not in p:
        return _say("unknown_location", grams="")
    mean, low, high = (numbers.significant(p[key]) for key in ("grams_per_kwh", "low", "high"))
    return _say(
        "unknown_location",
        grams=f" of {mean} g CO₂e per kWh; nine tenths of the world's power is generated at {low} to {high} g",
    )


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


OWN = {
    "criterion": _criterion,
    "criterion_unanswered": _unanswered,
    "criterion_ambiguous": _unanswered,
    "audited_on_training_rows": _training_rows,
    "train_test_overlap": _overlap,
    "largest_gap": _largest_gap,
    "drivers": _drivers,
    "methods_disagree": _disagree,
    "unknown_location": _location,
    "energy_per_1000": _energy,
    "analysis_crashed": _crashed,
    **grouped.SENTENCES,
    **causes.SENTENCES,
}
