"""One audit: which of its views is shown, and what all views share."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ..audit.errors import RecordError
from ..audit.record import Record
from ..reports import view, words
from . import analysis, criteria, evidence, findings, link
from .drawing import Panel, panels
from .folder import Entry
from .marks import verdict_heading
from .narrow import attributes, narrowed
from .text import escaped

KEPT = 32  # records, and charts of records, held for readers to come
HOUR = 3600
VIEW, ATTRIBUTE = "view", "attribute"  # query parameters
FINDINGS, CRITERIA, EVIDENCE = "findings", "criteria", "evidence"
TITLES = {FINDINGS: "Findings", CRITERIA: "Criteria", EVIDENCE: "Evidence"}


def page(entry: Entry, back: Callable[[], None]) -> None:
    """One audit, whole: its verdict above, one of its views below. View and filters live in the link.

    Args:
        back: called when the reader wants the list again.
    """
    with st.sidebar:
        st.subheader("gnomon", anchor=False)
        st.button("All audits", on_click=_left, args=(back,), icon=":material/arrow_back:", type="tertiary")
    try:
        record = _record(entry.stamp.path, entry.stamp.modified, entry.stamp.size)
    except RecordError as error:
        st.title("This audit cannot be read", anchor=False)
        st.error(escaped(error))
        return
    chosen = _sidebar(record)
    _head(entry, record)
    _body(entry, record, *chosen)


def _head(entry: Entry, record: Record) -> None:
    st.title(escaped(record.subject.get("name") or entry.id, 120), anchor=False)
    rows = dict(view.facts(record)).get("Rows", "")
    st.caption(escaped(f"Audited {view.time(record.environment.get('created', ''))} · Rows: {rows}", 300))
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        verdict_heading(record.verdict)
        st.markdown(escaped(view.verdict_sentence(record)))


def _sidebar(record: Record) -> tuple[str, list[str]]:
    """The view and the attributes that the reader chose."""
    with st.sidebar:
        views = [FINDINGS, *view.sections(record), CRITERIA, EVIDENCE]
        shown = link.one(VIEW, views)
        st.radio(
            "View", views, format_func=_title, key=VIEW, on_change=link.keep, args=(VIEW, FINDINGS),
            label_visibility="collapsed",
        )  # fmt: skip
        names = attributes(record)
        chosen = link.many(ATTRIBUTE, names) if len(names) > 1 else []
        if len(names) > 1:
            st.pills(
                "Attributes", names, selection_mode="multi", format_func=_name, key=ATTRIBUTE,
                on_change=link.keep, args=(ATTRIBUTE,),
                help="Narrows every chart and table to these attributes; none chosen shows all.",
            )  # fmt: skip
        return shown, chosen


def _body(entry: Entry, record: Record, shown: str, chosen: list[str]) -> None:
    if shown == FINDINGS:
        findings.page(record)
    elif shown == CRITERIA:
        criteria.page(record)
    elif shown == EVIDENCE:
        evidence.page(entry, record, narrowed(record, chosen))
    else:
        stamp = entry.stamp
        theme = st.context.theme.type or "light"
        try:
            drawn = _panels(stamp.path, stamp.modified, stamp.size, tuple(chosen), theme)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):  # exhibits of another make
            drawn = []
            st.warning("The charts of this audit cannot be drawn from its exhibits; its numbers stand without them.")
        analysis.page(record, shown, [p for p in drawn if p.section == shown])


def _left(back: Callable[[], None]) -> None:
    link.forget(VIEW, ATTRIBUTE, evidence.NUMBERS)
    back()


def _title(name: str) -> str:
    return TITLES.get(name) or escaped(words.analysis(name).title)


def _name(attribute: str) -> str:
    return escaped(attribute, 40)


@st.cache_data(max_entries=KEPT, ttl=HOUR, show_spinner="Reading the record …")
def _record(path: str, modified: int, size: int) -> Record:  # noqa: ARG001 - the stamp is the cache's key
    return Record.load(path)


@st.cache_data(max_entries=KEPT, ttl=HOUR, show_spinner="Drawing …")
def _panels(path: str, modified: int, size: int, chosen: tuple[str, ...], theme: str) -> list[Panel]:
    return panels(narrowed(_record(path, modified, size), chosen), theme)
