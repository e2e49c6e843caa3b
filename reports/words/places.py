"""Where a measure is from, in words."""

from __future__ import annotations

from ..plain import plain

PLACES: dict[str, str] = {
    "attribute": "across {}",
    "window": "in {}",
    "threshold": "at threshold {}",
    "component": "due to {}",
}

SWAPPED = " → "  # in a component: from one level of an attribute to another


def place(where: dict[str, str]) -> str:
    """Where a measure is from: "everyone", "sex = Female", "across sex", "by integrated gradients"."""
    return ", ".join(_one_place(k, v) for k, v in sorted(where.items())) or "everyone"


def _one_place(key: str, name: str) -> str:
    if key == "component" and SWAPPED in name:
        return f"from {plain(name).replace(SWAPPED, ' to ')}"
    if key in PLACES:
        return PLACES[key].format(plain(name).replace("_", " ") if key == "component" else plain(name))
    return f"by {plain(name).replace('_', ' ')}" if key == "method" else f"{plain(key)} = {plain(name)}"
