"""One analysis of an audit: its answer, its headline numbers, its charts with the data under each."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from ..audit.measure import Measure
from ..audit.record import Record
from ..reports import groups, numbers, quality, view, words
from ..reports.figure import Table
from .drawing import Panel
from .text import csv_text, escaped

COSTS = "energy"
GROUPS = "fairness"
TESTED = "explanations"


def page(record: Record, name: str, panels: Sequence[Panel]) -> None:
    """What the analysis asks, what it found, how sure that is.

    Args:
        panels: its figures, narrowed to what the reader chose.
    """
    known = words.analysis(name)
    st.header(escaped(known.title), anchor=False)
    st.markdown(f"*{escaped(known.question)}*")
    for sentence in view.answer(record, name):
        st.markdown(escaped(sentence))
    if name == GROUPS:
        _glance(record)
    if name == COSTS:
        st.markdown(escaped(view.own_cost(record)))
    headlines = view.headlines(record, name)
    if headlines:
        _headlines(headlines)
    _figures([p for p in panels if not p.further])
    if further := [p for p in panels if p.further]:
        st.subheader("In more detail", anchor=False)
        _figures(further)
    if known.computed:
        with st.expander("How these numbers are made"):
            st.markdown(escaped(known.computed))
            if name == TESTED and (tests := quality.meanings(record)):
                rows = [[escaped(cell) for cell in row] for row in tests]
                st.table(pd.DataFrame(rows, columns=["Test", "What it says"]), hide_index=True)


def _glance(record: Record) -> None:
    rows = [[escaped(cell) for cell in row] for row in groups.glance(record)]
    if rows:
        st.table(pd.DataFrame(rows, columns=list(groups.GLANCE)), hide_index=True)


def _headlines(found: Sequence[Measure]) -> None:
    st.subheader("All rows together", anchor=False)
    columns = ["Measure", "Value", "Interval", "Rows", "Meaning"]
    st.table(pd.DataFrame([_headline(m) for m in found], columns=columns), hide_index=True)


def _headline(m: Measure) -> list[str]:
    span, rows, meaning = numbers.interval(m) or "–", numbers.count(m.n), words.metric(m.metric).meaning
    return [escaped(cell) for cell in (words.title(m.metric), numbers.value(m), span, rows, meaning)]


def _figures(panels: Sequence[Panel]) -> None:
    """Wide figures alone, narrow ones two by two."""
    narrow = [p for p in panels if not p.wide]
    for pair in (narrow[i : i + 2] for i in range(0, len(narrow), 2)):
        for column, panel in zip(st.columns(2), pair, strict=False):
            with column:
                _figure(panel)
    for panel in panels:
        if panel.wide:
            _figure(panel)


@st.fragment
def _figure(panel: Panel) -> None:
    with st.container(border=True):
        st.subheader(escaped(panel.title), anchor=False)
        st.markdown(f"*{escaped(panel.question)}*")
        st.vega_lite_chart(spec=panel.spec, theme=None, width="content", key=f"chart {panel.id}")
        st.caption(escaped(panel.reading, 1200))
        with st.expander("The data of this chart"):
            _table(panel.id, panel.table)


def _table(name: str, table: Table) -> None:
    frame = pd.DataFrame(list(table.rows))
    frame.columns = pd.Index([f"{i} {c}" if table.columns.index(c) != i else c for i, c in enumerate(table.columns)])
    shown = {key: st.column_config.TextColumn(c) for key, c in zip(frame.columns, table.columns, strict=True)}
    st.dataframe(frame, hide_index=True, column_config=shown, key=f"table {name}")
    if table.note:
        st.caption(escaped(table.note))
    st.download_button(
        "Download as CSV", csv_text(table.columns, table.rows), f"{name}.csv", "text/csv",
        key=f"csv {name}", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
