"""What the section on explanations says first: what drives the model, how far to trust that, what carries the gaps."""

from __future__ import annotations

from dataclasses import replace

from ..audit.findings import Finding
from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, sentences
from .evidence import not_evidence, unchecked
from .facts import join
from .rowwords import method_within
from .sentences.explanations import SEPARATOR, alike

TEMPLATES: dict[str, str] = {
    "distrust": "Do not rely on this: {reasons}.",
    "trust": "This can be relied on as far as these tests go: {reasons}.",
    "caution": "Rely on this with caution: {reasons}.",
    "insensitive": "attributions by {methods} are not evidence, because {why}",
    "learned": "it rests on what the model has learned (with shuffled weights it changes)",
    "unchecked": "whether it rests on what the model has learned was not tested ({why})",
    "agree": "two methods that work differently rank the features {alike} (rank agreement {size})",
    "all_better": "the ranking beats a random one in all {total} tests made against chance",
    "some_better": "the ranking beats a random one in {better} of the {total} tests made against chance",
    "no_gap": "No gap between groups in the model's mean output is beyond chance, so none is shared out among the "
    "features.",
}
DRIVERS = ("drivers", "word_drivers")
GAPS = 3  # that are told first, the largest


def concluded(record: Record) -> list[str]:
    """Drivers, trust and gaps, a sentence or a few each; of what the record holds nothing of, nothing."""
    return [*_drivers(record), *_trust(record), *_gaps(record)]


def _drivers(record: Record) -> list[str]:
    told = not_evidence(record)
    found = [f for f in record.findings if f.message in DRIVERS]
    return [sentences.finding(doubted(f, told)) for f in found]


def doubted(f: Finding, told: dict[str, str]) -> Finding:
    """The finding, which says so where its method is no evidence."""
    bad = f.parameters.get("method") in told
    return replace(f, parameters={**f.parameters, "not_evidence": True}) if bad else f


def _trust(record: Record) -> list[str]:
    """Every test of the drivers in one sentence; its first words are those of the worst."""
    method, told = _primary(record), not_evidence(record)
    agreement = _agreement(record)
    if method in told:
        return [_say("distrust", reasons=_bad(told))]
    if not any(e.kind == "explanation_evidence" for e in record.exhibits):
        return [] if agreement is None else [sentences.measured(agreement)]
    untested = unchecked(record).get(method)
    better, total = _against_chance(record, method)
    reasons = [_bad(told)] if told else []
    reasons.append(_say("learned") if untested is None else _say("unchecked", why=untested))
    if agreement is not None:
        reasons.append(_say("agree", alike=alike(agreement), size=numbers.value(agreement)))
    if total:
        reasons.append(_say("all_better" if better == total else "some_better", better=f"{better}", total=f"{total}"))
    apart = agreement is not None and alike(agreement) != "alike"
    return [_say("caution" if told or untested or apart or better < total else "trust", reasons=join(reasons))]


def _bad(told: dict[str, str]) -> str:
    """Which methods are no evidence, and why the first is not; findings tell of each."""
    return _say("insensitive", methods=join([method_within(m) for m in told]), why=next(iter(told.values())))


def _agreement(record: Record) -> Measure | None:
    """How far the two methods of the analysis rank features alike."""
    found = (m for m in record.measures if m.metric == "rank_agreement" and SEPARATOR in m.where.get("method", ""))
    return next((m for m in found if m.value is not None), None)


def _primary(record: Record) -> str:
    """The method that the drivers rest on."""
    found = next((f for f in record.findings if f.message in DRIVERS), None)
    if found is not None:
        return str(found.parameters.get("method", ""))
    return next((str(e.data.get("method", "")) for e in record.exhibits if e.kind.startswith("attribution_")), "")


def _against_chance(record: Record, method: str) -> tuple[int, int]:
    """In how many tests of the method its ranking is beyond doubt better than a random one, and of how many."""
    found = [m for m in record.measures if m.statistic == "above_chance" and m.where == {"method": method}]
    known = [m for m in found if m.value is not None]
    return sum(map(_better, known)), len(known)


def _better(m: Measure) -> bool:
    return m.low is not None and m.low > 0


def _gaps(record: Record) -> list[str]:
    found = [f for f in record.findings if f.message == "gap_drivers"]
    if found:
        largest = sorted(found, key=lambda f: -abs(f.parameters.get("total") or 0.0))[:GAPS]
        return [sentences.finding(f) for f in largest]
    known = [
        m for m in record.measures if m.metric == "score_gap" and m.statistic == "difference" and m.low is not None
    ]
    none = all(m.high is not None and (m.low or 0.0) <= 0 <= m.high for m in known)
    return [TEMPLATES["no_gap"]] if known and none else []


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)
