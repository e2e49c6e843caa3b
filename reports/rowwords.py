"""Words that every chart of single explained rows uses: what a row is called, and what was decided on it."""

from __future__ import annotations

from typing import Any

from ..audit.record import Exhibit
from . import numbers
from .plain import plain

NAMES = {  # of methods that are written otherwise than their keys
    "smooth_grad": "SmoothGrad",
    "deep_lift": "DeepLIFT",
    "kernel_shap": "Kernel SHAP",
    "permutation_shap": "permutation SHAP",
    "lime": "LIME",
    "grad_cam": "Grad-CAM",
    "guided_grad_cam": "guided Grad-CAM",
    "lrp": "LRP",
}


def row_title(place: int, row: dict[str, Any]) -> str:
    """A single row in one line: its number here, why it was chosen, its score."""
    told = (
        f", {'score' if row.get('decision') is not None else 'predicted'} {score_of(row)}"
        if row.get("score") is not None
        else ""
    )
    return f"{place + 1}: {plain(row.get('reason', ''), 30)}{told}"


def score_of(row: dict[str, Any]) -> str:
    """A score as a percentage where it decided for a class, else as the number that was predicted."""
    score = row.get("score")
    if score is None:
        return "–"
    return numbers.significant(score) if row.get("decision") is None else numbers.percent(score)


def named(value: object, most: int = 40) -> str:
    """A class or a value as text; a dash where there is none."""
    if value is None:
        return "–"
    return numbers.significant(value, 4) if isinstance(value, float) else plain(value, most)


def method_name(name: str) -> str:
    """A method as text: "Integrated gradients"."""
    text = method_within(name)
    return text[:1].upper() + text[1:]


def method_within(name: str) -> str:
    """A method within a sentence: "integrated gradients", "Kernel SHAP"."""
    return NAMES.get(name) or plain(name).replace("_", " ")


def explained(found: Exhibit) -> str:
    """What the attributions of an exhibit add up to, in words."""
    return plain(found.data.get("explained") or "the output")
