"""The criteria of an audit: what was asked beforehand beside what was measured."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ..audit.record import Record
from ..reports import view, words
from ..reports.register import Judged, register
from .text import csv_text, escaped

COLUMNS = ("Verdict", "Criterion", "Asks for", "Target", "Measured", "Interval", "Why")


def page(record: Record) -> None:
    """The register of criteria, each with its target printed beside the number."""
    st.header("Criteria", anchor=False)
    found = register(record)
    if not found:
        st.info(escaped(words.verdict("NOT_JUDGED").meaning) + " Give some with `--criteria FILE`.")
        return
    st.markdown("*Is it good enough, by what was written down before the audit?*")
    rows = [(f"{c.symbol} {c.word}", c.id, c.asked, c.target, c.measured, c.interval, _why(c)) for c in found]
    st.table(pd.DataFrame([[escaped(cell) for cell in row] for row in rows], columns=list(COLUMNS)), hide_index=True)
    st.download_button(
        "Download as CSV", csv_text(COLUMNS, rows), "criteria.csv", "text/csv",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    digest = view.digest((record.settings.get("criteria") or {}).get("digest"))
    if digest:
        st.caption(f"Read before the audit ran; their file has the digest {escaped(digest)}…")


def _why(criterion: Judged) -> str:
    return " · ".join(filter(None, (criterion.why, criterion.clauses)))
