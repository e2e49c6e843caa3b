"""What a record says of groups: the gaps between them, what chance alone would show, who is too small to tell.

Every page tells it from here, so that they never disagree.
"""

from __future__ import annotations

from ..audit.measure import RESERVED, Measure, column
from ..audit.record import Record
from . import numbers, sentences, words
from .plain import plain

# what the tile on groups shows, the first that is there
GAPS = ("selection_rate", "accuracy", "mean_absolute_error", "exposure")
NUMBERS = ("mean_absolute_error", "mean_error", "exposure", "exposure_per_relevance", "ndcg")  # gaps of no share
FIRST = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "positive_predictive_value",
    "accuracy",
    *NUMBERS,
)  # what a glance shows
GLANCES = 12  # rows of a glance


def group_gaps(record: Record) -> list[Measure]:
    """The differences across attributes, then across their combinations, the largest first of each.

    Left out are gaps within a time window or a stratum, those of pure numbers, which compare with none in percentage
    points, and those that mirror another: of a share and of the rest of it.
    """
    found = [m for m in record.measures if m.analysis == "fairness" and m.statistic == "difference" and _is_gap(m)]
    leading = [m for m in found if m.metric in NUMBERS or numbers.is_share(m)]
    return sorted(leading, key=lambda m: (combined(m), -(m.value or 0), m.metric, words.place(m.where)))


def _is_gap(m: Measure) -> bool:
    return m.value is not None and m.where.keys() <= {"attribute", "class"} and m.metric not in words.MIRRORS


def combined(gap: Measure) -> int:
    """How many attributes the groups of a gap combine, less one."""
    return gap.where.get("attribute", "").count(COMBINED)


COMBINED = " × "  # stands between the attributes that groups combine


def group_rates(record: Record) -> list[Measure]:
    """The metrics of everyone and of groups of people; not those of a class, a time window or a level of a control."""
    counts = next((e.data for e in record.exhibits if (e.analysis, e.kind) == ("fairness", "counts")), {})
    other = RESERVED | {column(str(control["name"])) for control in counts.get("controls") or ()}
    own = (m for m in record.measures if m.analysis == "fairness" and m.statistic == "value")
    return [m for m in own if not other & m.where.keys()]


Chances = dict[tuple[str, tuple[tuple[str, str], ...]], Measure]


def chances(record: Record) -> Chances:
    """The gap that chance alone would show, by metric and place."""
    found = (m for m in record.measures if m.statistic == "expected_by_chance" and m.value is not None)
    return {(m.metric, tuple(sorted(m.where.items()))): m for m in found}


def chance_beside(gap: Measure, found: Chances) -> str:
    """What chance alone would show beside a gap, as a table does: "0.4 points"; a dash where that is not known."""
    alone = found.get((gap.metric, tuple(sorted(gap.where.items()))))
    if alone is None or alone.value is None:
        return "–"
    return numbers.points(alone.value) if numbers.is_share(alone) else numbers.value(alone)


def glance(record: Record) -> list[tuple[str, ...]]:
    """For whom it works worse, by how much, and whether chance could be all of it: the leading gaps, row by row.

    Columns as in `GLANCE`: metric and attribute, the gap, whether it is clear of 0, its interval, what chance alone
    would show, the group with the lowest number and that with the highest, each with its rows.
    """
    beside, found = chances(record), [m for m in group_gaps(record) if m.metric in FIRST and "class" not in m.where]
    single = [m for m in found if not combined(m)]
    several = sorted((m for m in found if combined(m)), key=lambda m: FIRST.index(m.metric))
    order = {str(a["name"]): k for k, a in enumerate(record.subject.get("attributes", ()))}
    single.sort(key=lambda m: (order.get(m.where["attribute"], len(order)), FIRST.index(m.metric)))
    return [_glanced(m, beside) for m in [*single[: GLANCES - 1], *several[:1]]]


def glanced(record: Record) -> list[str]:
    """The glance in a sentence: how many of the leading gaps are more than chance; nothing where there is no gap."""
    answers = [row[GLANCE.index("More than chance?")] for row in glance(record)]
    if not answers:
        return []
    sure, total = answers.count(YES), len(answers)
    if sure == total:
        told = "The leading gap is" if total == 1 else f"All {total} leading gaps are"
        return [f"{told} more than chance."]
    if not sure:
        return ["No leading gap is clearly more than chance: these rows cannot tell it from none."]
    rest = "the other one" if total - sure == 1 else f"the other {total - sure}"
    verb = "is" if sure == 1 else "are"
    return [f"Of {total} leading gaps {sure} {verb} more than chance; {rest} these rows cannot tell from none."]


YES = "yes"
GLANCE = ("Gap", "Difference", "More than chance?", "Interval", "By chance alone", "Lowest", "Highest")


def _glanced(m: Measure, beside: Chances) -> tuple[str, ...]:
    low, high = m.details.get("pair") or ("–", "–")
    few = m.details.get("pair_n") or (None, None)
    name = f"{words.capital(words.metric(m.metric).title)} by {plain(m.where.get('attribute', ''), 40)}"
    ends = (
        f"{plain(who, 40)}" + (f" ({numbers.count(n)})" if n else "") for who, n in zip((low, high), few, strict=True)
    )
    return (name, numbers.value(m), clear(m), numbers.interval(m) or "–", chance_beside(m, beside), *ends)


def clear(gap: Measure) -> str:
    """Whether a gap is more than chance, in two words.

    >>> clear(Measure(analysis="fairness", metric="accuracy", value=0.1, low=0.02, high=0.2, n=9))
    'yes'
    """
    if gap.low is None and gap.high is None:
        return "not known"
    apart = (gap.low is not None and gap.low > 0) or (gap.high is not None and gap.high < 0)
    return YES if apart else "cannot tell"


def too_small(record: Record) -> list[str]:
    """For each attribute, the groups with too few rows to show the difference seen, or one of ten points."""
    gaps = {m.where["attribute"]: m for m in group_gaps(record) if m.metric == GAPS[0] and "class" not in m.where}
    told: list[str] = []
    for attribute in record.subject.get("attributes", ()):
        name, key = str(attribute["name"]), column(str(attribute["name"]))
        found = [m for m in record.measures if m.statistic == "minimum_detectable" and m.metric == GAPS[0]]
        own = [(m.where[key], m) for m in found if set(m.where) == {key} and _unseen(m, gaps.get(name))]
        own.sort(key=lambda pair: (pair[1].value is not None, -(pair[1].value or 0), pair[0]))
        if own:
            told.append(sentences.too_small(name, GAPS[0], own[:SMALL], max(0, len(own) - SMALL)))
    return told[:SMALL]


PLAIN = 0.1  # a difference in shares that nobody would want to miss
SMALL = 3  # groups, and attributes, that are told of as too small


def _unseen(m: Measure, gap: Measure | None) -> bool:
    """Whether a difference as large as the gap would not be noticed in that group."""
    if m.value is None:
        return m.n > 0 and m.details.get("reason") == "none_detectable"
    return gap is not None and gap.value is not None and m.value > min(gap.value, PLAIN)
