"""A report's figure made interactive: the same chart with what a pointer asks for, in the colours of the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..audit.record import Record
from ..reports.charts import charts
from ..reports.figure import Figure, Table
from ..reports.palette import DARK, LIGHT

TITLES = {  # fields of the charts' rows, in the order in which a tooltip tells them; "shown" is the value with its unit
    "name": "Name",
    "row": "Row",
    "group": "Group",
    "window": "Window",
    "method": "Method",
    "metric": "Measure",
    "truth": "True class",
    "decision": "Decided",
    "shown": "Value",
    "value": "Value",
    "count": "Rows",
    "percent": "Share of the true class",
    "low": "From",
    "high": "To",
    "everyone": "Everyone",
    "chance": "By chance alone",
    "tolerance": "Tolerated",
    "reference": "Stated population",
    "rows": "Rows",
    "n": "Rows",
    "kind": "Origin",
}
FORMS = {"n": ",", "rows": ",", "count": ",", "stake": ".2~f"}  # of fields that are no share
NOT_TOLD = {"url"}  # rows of pictures speak for themselves
PAINTED = re.compile("|".join(map(re.escape, LIGHT.values())))


@dataclass(frozen=True, slots=True)
class Panel:
    """A figure as the dashboard shows it.

    Attributes:
        spec: Vega-Lite, with its numbers inside.
        further: whether it is detail, to be shown after all others.
    """

    id: str
    section: str
    title: str
    question: str
    reading: str
    wide: bool
    spec: dict[str, Any]
    table: Table
    further: bool = False


def panels(record: Record, theme: str = "light") -> list[Panel]:
    """Every figure of a record.

    Args:
        theme: "light" or "dark": whose colours the charts take.
    """
    return [_panel(figure, theme) for figure in charts(record)]


def _panel(figure: Figure, theme: str) -> Panel:
    spec = figure.chart.to_dict(validate=False)
    percent = '"format": "%"' in json.dumps(spec)
    for unit, rows in _units(spec, []):
        _tell(unit, rows, ".2%" if percent else ".4~g")
    spec["config"]["font"] = '"Source Sans", sans-serif'
    return Panel(
        figure.id,
        figure.section,
        figure.title,
        figure.question,
        figure.reading,
        figure.wide,
        _painted(spec) if theme == "dark" else spec,
        figure.table,
        bool(figure.folded),
    )


def _units(spec: dict[str, Any], rows: list[Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """The chart's single marks, each with the rows it draws."""
    rows = (spec.get("data") or {}).get("values") or rows
    parts = [*spec.get("layer", ()), *spec.get("hconcat", ()), *spec.get("vconcat", ()), *spec.get("concat", ())]
    parts += [spec["spec"]] if "spec" in spec else []
    for part in parts:
        yield from _units(part, rows)
    if "mark" in spec and rows:
        yield spec, rows


def _tell(unit: dict[str, Any], rows: list[Any], form: str) -> None:
    """Let a mark tell its row's fields to the pointer."""
    fields = {name: value for row in rows for name, value in row.items() if value is not None}
    if NOT_TOLD & fields.keys():
        return
    axes = _axis_titles(unit)
    told = [name for name in TITLES if name in fields and not (name == "value" and "shown" in fields)]
    told = [*(name for name in axes if name in fields and name not in told), *told]
    unit.setdefault("encoding", {})["tooltip"] = [
        {"field": name, "title": axes.get(name) or TITLES[name], **_typed(name, fields[name], form)} for name in told
    ]


def _typed(name: str, value: object, form: str) -> dict[str, str]:
    if isinstance(value, str):
        return {"type": "nominal"}
    return {"type": "quantitative", "format": FORMS.get(name, form)}


def _axis_titles(unit: dict[str, Any]) -> dict[str, str]:
    """What an axis calls a field that bears no name of its own."""
    channels = [c for c in unit.get("encoding", {}).values() if isinstance(c, dict) and isinstance(c.get("axis"), dict)]
    return {c["field"]: c["axis"]["title"] for c in channels if c.get("field") not in TITLES and c["axis"].get("title")}


def _painted(spec: dict[str, Any]) -> dict[str, Any]:
    """The chart in the colours of a dark page."""
    dark = {light: DARK[name] for name, light in LIGHT.items()}
    return json.loads(PAINTED.sub(lambda m: dark[m[0]], json.dumps(spec)))
