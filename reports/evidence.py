"""Which explanations are evidence, and how every page marks those that are not."""

from __future__ import annotations

from dataclasses import replace

from ..audit.measure import Where
from ..audit.record import Record
from . import words
from .facts import join
from .figure import Figure
from .plain import plain
from .rowwords import method_name, method_within

MARK = "not evidence"
OWN = (  # figures that name their methods themselves, or show none
    *("explanations-ranking", "explanations-gap-", "explanations-quality"),
    *("explanations-curves", "explanations-checkup"),
)
SHOWN = ("attribution_", "mean_attribution_image")  # kinds of exhibits that show one method's attributions


def not_evidence(record: Record) -> dict[str, str]:
    """Why a method's attributions are no evidence, by method; only those that are none."""
    told: dict[str, str] = {}
    for exhibit in record.exhibits:
        if exhibit.kind == "explanation_evidence":
            told |= {method: _why(why) for method, why in (exhibit.data.get("evidence") or {}).items() if why}
    for found in record.findings:
        if found.message == "not_evidence":
            for method in found.parameters.get("methods") or [found.parameters.get("method", "")]:
                told.setdefault(str(method), _why(found.parameters.get("why", "")))
    return told


def unchecked(record: Record) -> dict[str, str]:
    """Why nobody could test whether a method's attributions are evidence, by method."""
    found = [e.data.get("unchecked") or {} for e in record.exhibits if e.kind == "explanation_evidence"]
    return {method: plain(why, 300) for each in found for method, why in each.items()}


def marked_name(method: str, told: dict[str, str]) -> str:
    """A method as a chart names it, marked where it is no evidence: "Saliency (not evidence)"."""
    return method_name(method) + (f" ({MARK})" if method in told else "")


def marked_place(where: Where, told: dict[str, str]) -> str:
    """Where a measure is from, in words, marked where its method is no evidence."""
    methods = [*where.get("method", "").split(" × "), where.get("with", "")]
    return words.place(where) + (f" ({MARK})" if any(m in told for m in methods if m) else "")


def marked(record: Record, figure: Figure) -> Figure:
    """The figure, saying in its title and its reading where what it shows is no evidence."""
    if figure.section != "explanations" or figure.id.startswith(OWN):
        return figure
    told = not_evidence(record)
    bad = [m for m in dict.fromkeys(_methods(record)) if m in told]
    if not bad:
        return figure
    by = join([method_within(m) for m in bad])
    warning = f"Not evidence: attributions by {by} do not show what the model decides on."
    return replace(figure, title=f"{figure.title} ({MARK})", reading=f"{warning} {figure.reading}")


def _methods(record: Record) -> list[str]:
    return [str(e.data.get("method", "")) for e in record.exhibits if e.kind.startswith(SHOWN)]


def _why(text: object) -> str:
    return plain(str(text), 400).removeprefix(f"{MARK}: ")
