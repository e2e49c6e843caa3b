"""Findings that say why groups differ: what a control explains, and what a gap is made of, as sentences."""

from __future__ import annotations

from typing import Any

from ...audit.findings import Finding
from .. import numbers
from ..plain import plain
from ..words import COMPONENTS

TEMPLATES: dict[str, str] = {
    "raw": "By {attribute}, the group {high} is selected {gap} more often than the group {low} ({raw}). ",
    "raw.unclear": "By {attribute}, over all rows, no group is clearly selected more often than another ({raw}). ",
    "gap_explained": "Where {controls} is the same, the gap is {size} ({adjusted}): beyond what {controls} accounts "
    "for, these rows show none.{uneven} Whether {controls} is itself a fair ground is for people to judge.",
    "gap_confirmed": "Where {controls} is the same, the group {adjusted_high} is still selected {size} more often than "
    "the group {adjusted_low} ({adjusted}): {controls} does not account for the gap.{uneven}",
    "gap_reversed": "Where {controls} is the same, it turns round: the group {adjusted_high} is selected {size} more "
    "often than the group {adjusted_low} ({adjusted}).{uneven}",
    "gap_uncovered": "Where {controls} is the same, though, the group {adjusted_high} is selected {size} more often "
    "than the group {adjusted_low} ({adjusted}): the mix of {controls} hides the gap.{uneven}",
    "uneven": " The gap is not the same at every level of {controls} ({p}), so look at each.",
    "gap_due_to": "By {attribute}, the false positive rate of the group {high} is {gap} higher than that of the group "
    "{low}. Of this, {parts} (together they make the gap; a part below 0 narrows it).{chosen} This says what the gap "
    "is made of, and excuses nothing.",
    "chosen": " These two groups are the furthest apart here, and the intervals allow for that choice.",
    "part": "{size} ({span}) come from {component}",
}
UNEVEN = 0.05  # p-value from which downwards a gap is told to differ between levels


def adjusted(found: Finding) -> str:
    """What is left of a gap once a control is held fixed."""
    p = found.parameters
    value, low, high = p["raw"]
    names = [plain(name) for name in (*p["pair"], *p["adjusted_pair"])]
    left = p["value"], p["low"], p["high"]
    if p["value"] < 0 and found.message != "gap_explained":  # who is ahead comes first
        left, names[2:] = (-p["value"], -p["high"], -p["low"]), names[:1:-1]
    facts = {
        "attribute": plain(p["where"].get("attribute", "")),
        "controls": plain(p["controls"]),
        "low": names[0],
        "high": names[1],
        "adjusted_low": names[2],
        "adjusted_high": names[3],
        "gap": _points(value, low, high),
        "raw": _span(low, high, p["level"]),
        "size": _points(*left),
        "adjusted": _span(*left[1:], p["level"]),
    }
    facts["uneven"] = _uneven(p.get("heterogeneity"), facts["controls"])
    start = "raw" if low is not None and low > 0 else "raw.unclear"
    return (TEMPLATES[start] + TEMPLATES[found.message]).format(**facts)


def due_to(found: Finding) -> str:
    """What a gap in false positive rates is made of."""
    p = found.parameters
    parts = [
        TEMPLATES["part"].format(
            size=_points(*part), span=_span(part[1], part[2], p["level"]), component=COMPONENTS[name]
        )
        for name, part in sorted(p["parts"].items(), key=lambda item: -abs(item[1][0]))
    ]
    low, high = map(plain, p["pair"])
    return TEMPLATES["gap_due_to"].format(
        attribute=plain(p["where"].get("attribute", "")),
        low=low,
        high=high,
        gap=_points(p["gap"], None, None),
        parts=", ".join(parts[:-1]) + f" and {parts[-1]}",
        chosen=TEMPLATES["chosen"] if p.get("pairs", 1) > 1 else "",
    )


def _uneven(chance: float | None, controls: str) -> str:
    if chance is None or chance >= UNEVEN:
        return ""
    return TEMPLATES["uneven"].format(controls=controls, p=numbers.p_value(chance))


def _points(value: float, low: float | None, high: float | None) -> str:
    half = None if low is None or high is None else (high - low) / 2
    return numbers.points(value, half).replace("points", "percentage points")


def _span(low: float | None, high: float | None, level: float) -> str:
    if low is None or high is None:
        return "no interval"
    half = (high - low) / 2
    ends = [numbers.points(end, half).replace(f"{numbers.GAP}points", "") for end in (low, high)]
    return f"{numbers.level(level)} interval {ends[0]} to {ends[1]}"


SENTENCES: dict[str, Any] = {
    "gap_explained": adjusted,
    "gap_confirmed": adjusted,
    "gap_reversed": adjusted,
    "gap_uncovered": adjusted,
    "gap_due_to": due_to,
}
HEADLINES: dict[str, str] = {
    "gap_explained": "A gap by {attribute} that a control accounts for",
    "gap_confirmed": "A gap by {attribute} that remains where the control is the same",
    "gap_reversed": "A gap by {attribute} that turns round where the control is the same",
    "gap_uncovered": "A gap by {attribute} that shows only where the control is the same",
    "gap_due_to": "What the gap in false positive rates by {attribute} is made of",
}
