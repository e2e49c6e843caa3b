"""What an audit rests on: its limits, where and how it ran, every number it measured, and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from ..audit.measure import Measure
from ..audit.record import Record
from ..reports import numbers, provenance, sentences, view, words
from ..reports.evidence import marked_place, not_evidence
from ..reports.plain import plain
from . import link
from .folder import Entry
from .narrow import picked
from .text import csv_text, escaped

NUMBERS = "numbers"  # the query parameter that names analyses
COLUMNS = (
    "analysis", "metric", "statistic", "where", "value", "low", "high", "level", "n", "unit", "kind", "method",
    "reason",
)  # fmt: skip
SHOWN = ("Measure", "Where", "Value", "Interval", "Rows", "Method", "Origin")


def page(entry: Entry, record: Record, narrow: Record) -> None:
    """Limits, files, environment, settings and all measures.

    Args:
        narrow: the record with the attributes that the reader chose.
    """
    st.header("Evidence", anchor=False)
    _files(entry)
    st.subheader("Limits of this audit", anchor=False)
    limits = [sentences.limitation(m) for m in record.limitations]
    st.markdown("\n".join(f"- {escaped(line)}" for line in limits) or "The audit states none.")
    _measures(narrow)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Where it ran", anchor=False)
        _facts(_environment(record.environment))
    with right:
        st.subheader("How it was set", anchor=False)
        _facts(_settings(record.settings))
    st.caption(escaped(view.own_cost(record)))


def _files(entry: Entry) -> None:
    with st.container(horizontal=True):
        report = entry.report
        if report is not None:
            st.download_button(
                "Report (HTML)", report.read_bytes, f"{entry.id}.html", "text/html", icon=":material/description:",
                on_click="ignore",
            )  # fmt: skip
        st.download_button(
            "Record (JSON)", Path(entry.stamp.path).read_bytes, f"{entry.id}.json", "application/json",
            icon=":material/data_object:", on_click="ignore",
        )  # fmt: skip


def _measures(record: Record) -> None:
    st.subheader("Every number", anchor=False)
    names = view.sections(record)
    chosen = link.many(NUMBERS, names)
    st.pills(
        "Analyses", names, selection_mode="multi", format_func=_title, key=NUMBERS,
        on_change=link.keep, args=(NUMBERS,), label_visibility="collapsed",
    )  # fmt: skip
    found, told = picked(record, chosen), not_evidence(record)
    rows = {"Rows": st.column_config.NumberColumn(format="localized")}
    st.dataframe(
        pd.DataFrame([_shown(m, told) for m in found], columns=list(SHOWN)),
        hide_index=True,
        height=360,
        column_config=rows,
    )
    st.download_button(
        f"Download {numbers.count(len(found))} numbers as CSV", csv_text(COLUMNS, map(_cells, found)), "measures.csv",
        "text/csv", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _title(name: str) -> str:
    return escaped(words.analysis(name).title)


def _shown(m: Measure, told: dict[str, str]) -> tuple[object, ...]:
    name, place, span = words.title(m.metric, m.statistic), marked_place(m.where, told), numbers.interval(m) or "–"
    return (name, place, numbers.value(m), span, m.n, plain(m.method), m.kind)


def _cells(m: Measure) -> tuple[object, ...]:
    where = json.dumps(m.where, sort_keys=True, ensure_ascii=False)
    return tuple(where if name == "where" else getattr(m, name) for name in COLUMNS)


def _facts(facts: dict[str, Any]) -> None:
    lines = [(name.replace("_", " "), _told(value)) for name, value in facts.items() if value not in (None, "", {}, [])]
    if lines:
        st.table(pd.DataFrame([[escaped(c, 300) for c in line] for line in lines]), hide_index=True, hide_header=True)


def _environment(environment: dict[str, Any]) -> dict[str, Any]:
    found = {**environment, "created": view.time(environment.get("created", ""))}
    memory = found.pop("memory_bytes", None)
    return {**found, "memory": numbers.quantity(memory, "B") if isinstance(memory, int | float) else None}


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings in force: those of the audit, then of each analysis."""
    criteria = settings.get("criteria") or {}
    own = {k: v for k, v in settings.items() if k not in ("analyses", "criteria")}
    by = {a.get("name", "analysis"): provenance.options(a) for a in settings.get("analyses") or ()}
    return {**own, "criteria": view.digest(criteria.get("digest")), **by}


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_told(v)}" for k, v in value.items())
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)
