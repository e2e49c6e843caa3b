"""The three large numbers of a first page: what it decides on, for whom it works worse, what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, words
from .evidence import MARK, not_evidence
from .facts import evidence, join
from .groups import GAPS, YES, chance_beside, chances, clear, combined, group_gaps
from .plain import plain
from .view import find


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the three large numbers.

    Attributes:
        number: empty where it was not tested; then `text` says so.
        sure: interval and rows.
        kind: how the number came about.
    """

    question: str
    number: str
    text: str
    sure: str = ""
    kind: str = ""


def tiles(record: Record) -> list[Tile]:
    """What it decides on, for whom it works worse, what it costs."""
    return [_decides_on(record), _for_whom(record), _costs(record)]


def _decides_on(record: Record) -> Tile:
    question = "What does it decide on?"
    found = [m for m in record.measures if m.metric == "mean_absolute_attribution" and m.value is not None]
    if not found:
        looks = any(e.kind in ("attribution_images", "mean_attribution_image") for e in record.exhibits)
        see = (
            "Where it looks is shown as pictures under “Explanations”."
            if looks
            else words.analysis("explanations").skipped
        )
        return Tile(question, "", see)
    method = found[0].where.get("method", "")
    own = sorted((m for m in found if m.where.get("method", "") == method), key=lambda m: -(m.value or 0))
    if any("occurrences" in m.details for m in own):  # words: how far each moves the output where it occurs
        own.sort(key=lambda m: -(m.low or 0))
    first, total = own[0], sum(m.value or 0 for m in own)
    share = numbers.percent((first.value or 0) / total) if total else numbers.value(first)
    carries = "moves the output furthest" if "occurrences" in first.details else f"carries {share} of all attribution"
    doubt = f" These attributions are {MARK}." if method in not_evidence(record) else ""
    next_ones = join([plain(m.where["feature"], 32) for m in own[1:3]])
    return Tile(
        question,
        plain(first.where["feature"], 28),
        carries + (f", then {next_ones}." if next_ones else ".") + doubt,
        f"{numbers.value(first)} on average; {evidence(first)}",
        f"{first.kind}, {plain(method).replace('_', ' ')}",
    )


def _for_whom(record: Record) -> Tile:
    question = "For whom does it work worse?"
    gaps = group_gaps(record)
    found = next(filter(None, (_surest(gaps, name) for name in GAPS)), None)
    if found is None:
        return Tile(question, "", words.analysis("fairness").skipped)
    pair = [plain(p, 32) for p in found.details.get("pair") or ()]
    between = f", between {pair[0]} (lower) and {pair[1]}" if len(pair) == 2 else ""
    text = f"{words.metric(found.metric).title} by {plain(found.where.get('attribute', ''))}{between}."
    chance = chance_beside(found, chances(record))
    text += "" if chance == "–" else f" Chance alone would show about {chance}."
    text += "" if clear(found) == YES else " These rows cannot tell it from none."
    return Tile(question, numbers.value(found), words.capital(text), evidence(found), found.kind)


def _surest(gaps: list[Measure], metric: str) -> Measure | None:
    """The gap in a metric that is largest for sure, whose interval stays furthest from 0: single rows make large ones.

    Gaps of single attributes go before those of combinations.
    """
    own = [m for m in gaps if m.metric == metric and "class" not in m.where]
    return min(own, key=lambda m: (combined(m), -(m.low or 0.0)), default=None)


def _costs(record: Record) -> Tile:
    question = "What does it cost?"
    found = find(record, "energy_per_1000_predictions", "energy")
    if found is None or found.value is None:
        reason = f"Not measured: {plain(found.reason, 160)}." if found else words.analysis("energy").skipped
        return Tile(question, "", reason)
    carbon = find(record, "carbon_per_1000_predictions", "energy")
    text = "per 1,000 predictions"
    if carbon and carbon.value is not None:
        span = numbers.interval(carbon)
        text += f", and {numbers.value(carbon)}" + (
            f" ({'range ' if numbers.is_range(carbon) else ''}{span})" if span else ""
        )
    origin = found.kind if found.kind == "measured" else ""
    return Tile(question, numbers.value(found), text + ".", evidence(found), origin)
