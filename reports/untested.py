"""What an audit says nothing about, as every page tells it."""

from __future__ import annotations

from collections.abc import Iterable

from ..audit.measure import Measure, Where
from ..audit.record import Record
from . import sentences, view, words
from .facts import join
from .groups import COMBINED
from .plain import plain


def not_tested(record: Record) -> list[str]:
    """What this audit says nothing about."""
    present = {m.analysis for m in record.measures if m.value is not None} | {e.analysis for e in record.exhibits}
    found = [words.analysis(name).skipped for name in view.ORDER if name not in present]
    found += _unmeasured(record.measures)
    found += [sentences.limitation(message) for message in record.limitations if message.message in UNTESTED]
    return [*found, _never(record)]


UNTESTED = frozenset(
    {
        *("no_people", "no_reference", "no_training_data", "split_unknown", "intersections_left_out", "unprobed"),
        *("strata_left_out", "adjustment_left_out", "not_held_fixed", "weights_left_out"),  # what was asked for
        *("subgroups_left_out", "levels_not_swapped"),
    }
)


def _never(record: Record) -> str:
    """What no analysis of this version tests, and what this record did not ask for."""
    windowed = any("window" in m.where for m in record.measures)
    swapped = any(m.metric == "flip_rate" and m.value is not None for m in record.measures)
    time = "" if windowed else "Drift over time was not tested: no column of time was given. "
    inputs = "Changed inputs, but for swapped attributes, hostile ones" if swapped else "Changed or hostile inputs"
    return f"{time}{inputs}, and what the decisions do to people, were not tested: this version has no such analysis."


REASONS = 5  # that are told


def _unmeasured(measures: Iterable[Measure]) -> list[str]:
    """Reasons with the numbers that are missing for them: of everyone before groups, of groups before their tests."""
    by: dict[str, list[Measure]] = {}
    for m in measures:
        if m.value is None and m.metric not in FRINGE and not plain(m.reason, 160).endswith(BY_NATURE):
            by.setdefault(plain(m.reason, 160), []).append(m)
    ranked = sorted(by.items(), key=lambda pair: (*min(map(_rank, pair[1])), -len(pair[1]), pair[0]))
    told = [f"{_missing(found)}: {reason}." for reason, found in ranked[:REASONS]]
    left = sum(len(found) for _, found in ranked[REASONS:])
    more = f"{left} further number{' is' if left == 1 else 's are'} missing, each with its reason in record.json."
    return [*told, more] if left else told


def _rank(m: Measure) -> tuple[int, bool]:
    several = m.where.get("attribute", "").count(COMBINED)
    return len(m.where) + several, m.statistic not in FIRST


FIRST = ("value", "difference", "ratio")
FRINGE = ("mean_log_deviation",)  # missing wherever anyone is missed; its reason stands in record.json


BY_NATURE = (  # ends of reasons that name no lack: the number makes no sense of that method
    "draws no random numbers",
    "does not promise that its attributions add up to anything",
)


def _missing(found: list[Measure]) -> str:
    titles = [words.metric(name).title for name in dict.fromkeys(m.metric for m in found)]
    places = list({tuple(sorted(m.where.items())): m.where for m in found}.values())
    what = words.capital(join(titles)) if len(titles) <= 3 else f"{len(found)} numbers"
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return what if places == [{}] else f"{what} {'; '.join(map(_place, places[:3]))}{more}"


def _place(where: Where) -> str:
    """Where a number is missing: "by sex", "for sex = Female"."""
    by, at = where.get("attribute"), {key: level for key, level in where.items() if key != "attribute"}
    told = f"by {plain(by)}" if by else ""
    other = words.place(at) if at or not by else ""
    return " ".join(filter(None, (told, other if other.startswith("by ") or not other else f"for {other}")))
