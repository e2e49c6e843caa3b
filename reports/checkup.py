"""What the doctor found of a model before it was explained: what ails it, which methods that rules out."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Record
from .figure import HELD, Figure, Row, Table, names, themed, values
from .palette import ACCENT, CONTRARY, INK
from .plain import plain
from .rowwords import method_name

SHAPES = {
    "smooth": "The output changes smoothly with the inputs.",
    "piecewise_linear": "The output is linear in pieces of the inputs.",
    "mixed": "The output is partly smooth in the inputs and partly linear in pieces.",
    "unknown": "How the output depends on the inputs could not be seen from outside.",
}
AILMENTS = {
    "functional_activation": "a function outside modules",
    "reused_module": "a module that runs several times",
    "dropout_active": "dropout that is on",
    "batch_norm_active": "batch norm in training mode",
    "batch_dependent": "rows that change each other's output",
    "inplace_activation": "an operation that overwrites its input",
    "inplace_input": "a model that writes into its input",
    "random_output": "random output",
    "not_differentiable": "an output without gradients",
    "unsupported_module": "a module without a rule",
    "integer_input": "inputs that are whole numbers",
}
STEP = 20  # pixels a method


def checkup(record: Record) -> Figure | None:
    """Which methods are right on this model and which are refused, with the reason; a table to open."""
    found = next((e for e in record.exhibits if e.kind == "checkup"), None)
    if found is None or not (found.data.get("right") or found.data.get("refused")):
        return None
    d = found.data
    refused: dict[str, str] = d.get("refused") or {}
    right: list[str] = list(d.get("right") or ())
    methods = [*refused, *right]
    reading = f"{SHAPES.get(str(d.get('shape')), SHAPES['unknown'])} {_counted(len(refused), len(methods))}"
    return Figure(
        "explanations-checkup",
        "explanations",
        "Checkup of the model: which methods are right on it",
        "Is there anything in this model that makes a method of explanation wrong?",
        lambda: _chart(refused, right),
        Table(("What was looked at", "Result", "Why, and what mends it"), tuple(_rows(d))[:HELD]),
        reading,
        folded=reading,
    )


def _counted(refused: int, total: int) -> str:
    if not refused:
        return f"All {total} methods can be used on this model."
    return f"{refused} of {total} methods would be wrong on this model and {'is' if refused == 1 else 'are'} refused."


def _rows(d: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Refused methods, then what ails the model, then the methods that are right."""
    refused = [(method_name(m), "refused", plain(why, 400)) for m, why in (d.get("refused") or {}).items()]
    return [
        *refused,
        *_ailments(d.get("ailments") or ()),
        *((method_name(m), "right", "–") for m in d.get("right") or ()),
    ]


def _ailments(found: Any) -> list[tuple[str, str, str]]:
    rows = []
    for ailment in found:
        where = f" at {plain(ailment['where'])}" if ailment.get("where") else ""
        key = str(ailment.get("key", ""))
        rows.append((f"The model{where}", AILMENTS.get(key, plain(key).replace("_", " ")), plain(ailment["why"], 400)))
    return rows


def _chart(refused: dict[str, str], right: list[str]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {"name": method_name(m), "kind": "refused", "shown": f"refused: {plain(why, 110)}", "at": 0}
        for m, why in refused.items()
    ]
    rows += [{"name": method_name(m), "kind": "right", "shown": "right", "at": 0} for m in right]
    base = alt.Chart(values(rows)).encode(
        y=names(sort=[row["name"] for row in rows]),
        x=alt.X("at:Q", axis=None, scale=alt.Scale(domain=[0, 10], nice=False)),
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        color=alt.Color("kind:N", scale=alt.Scale(domain=["right", "refused"], range=[ACCENT, CONTRARY]), legend=None),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=["right", "refused"], range=["circle", "cross"]), legend=None),
    )
    text = base.mark_text(align="left", dx=12, color=INK, fontSize=11, limit=500).encode(text=alt.Text("shown:N"))
    return themed(alt.layer(dots, text).properties(width=560, height=alt.Step(STEP)))
