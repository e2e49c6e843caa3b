"""The page that lists the audits of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import streamlit as st

from ..audit.findings import Verdict
from ..reports import numbers, view, words
from . import link
from .folder import Entry
from .marks import verdict_badge
from .text import escaped

NAME, VERDICT, PAGE = "name", "verdict", "page"  # query parameters
SHOWN = 25  # audits on one page of the list
GRAVEST = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED, Verdict.PASS, Verdict.NOT_JUDGED)


def page(place: str, found: Sequence[Entry], opened: Callable[[str], None]) -> None:
    """Every audit with its verdict and its headline numbers, newest first.

    Args:
        place: what the folder is called.
        opened: called with the id of the audit that is chosen.
    """
    st.title("Audits", anchor=False)
    readable = [e for e in found if not e.problem]
    unreadable = [e for e in found if e.problem]
    if not found:
        _empty(place)
        return
    st.caption(_counted(place, readable, unreadable))
    chosen = _filtered(readable)
    for entry in _one_page(chosen):
        _row(entry, opened)
    if readable and not chosen:
        st.info("No audit answers to this search. Clear the name or choose another verdict.")
    if unreadable:
        _problems(unreadable)


def _empty(place: str) -> None:
    with st.container(border=True):
        st.subheader("No audit here yet", anchor=False)
        st.write(f"The folder {escaped(place, 120)} holds no record. Make one, then reload this page:")
        st.code(
            "gnomon demo --out audits/first\n"
            "gnomon fairness TABLE.csv --target LABEL --prediction DECISION --sensitive GROUP --out audits/table",
            language="bash",
        )


def _counted(place: str, readable: Sequence[Entry], unreadable: Sequence[Entry]) -> str:
    counts = Counter(e.verdict for e in readable)
    told = [f"{counts[v]} {words.verdict(v).word.lower()}" for v in GRAVEST if counts[v]]
    n = len(readable)
    parts = [f"{numbers.count(n)} audit{'' if n == 1 else 's'} in {escaped(place, 120)}", *told]
    return " · ".join([*parts, *([f"{len(unreadable)} unreadable"] if unreadable else [])])


def _filtered(readable: Sequence[Entry]) -> list[Entry]:
    """What the reader searches for; the filters live in the link."""
    present = [v.value for v in GRAVEST if any(e.verdict is v for e in readable)]
    if len(readable) < 2:
        return list(readable)
    left, right = st.columns([2, 3], vertical_alignment="top")
    name, verdicts = link.text(NAME), link.many(VERDICT, present)
    left.text_input("Search by name", key=NAME, on_change=link.keep, args=(NAME,), placeholder="all names")
    right.pills(
        "Verdict", present, selection_mode="multi", format_func=_said, key=VERDICT, on_change=link.keep, args=(VERDICT,)
    )
    named = [e for e in readable if name.casefold() in e.name.casefold()]
    return [e for e in named if not verdicts or e.verdict.value in verdicts]


def _said(verdict: str) -> str:
    shown = words.verdict(verdict)
    return f"{escaped(shown.symbol)} {shown.word}"


def _one_page(chosen: Sequence[Entry]) -> Sequence[Entry]:
    pages = -(-len(chosen) // SHOWN)
    if pages < 2:
        return chosen
    place = link.number(PAGE, pages)
    st.number_input(f"Page, of {pages}", 1, pages, key=PAGE, on_change=link.keep, args=(PAGE, 1), width=140)
    return chosen[(place - 1) * SHOWN : place * SHOWN]


def _row(entry: Entry, opened: Callable[[str], None]) -> None:
    with st.container(border=True):
        verdict, name, *headlines, button = st.columns([1.3, 3, 1.25, 1.25, 1.25, 0.8], vertical_alignment="center")
        with verdict:
            verdict_badge(entry.verdict)
        with name.container(gap="xxsmall"):
            st.markdown(f"**{escaped(entry.name or entry.id, 90)}**")
            st.caption(_facts(entry))
        for column, measure in zip(headlines, entry.headlines, strict=False):
            with column.container(gap="xxsmall"):
                st.caption(escaped(words.title(measure.metric), 40))
                st.markdown(f"**{escaped(numbers.value(measure), 40)}**")
        button.button("Open", key=f"open {entry.id}", on_click=opened, args=(entry.id,), width="stretch")


def _facts(entry: Entry) -> str:
    rows = [] if entry.rows is None else [f"{numbers.count(entry.rows)} rows"]
    return escaped(" · ".join([view.time(entry.created), *rows, entry.task, entry.id]), 200)


def _problems(unreadable: Sequence[Entry]) -> None:
    st.subheader("Could not be read", anchor=False)
    for entry in unreadable:
        st.warning(f"**{escaped(entry.id, 90)}**: {escaped(entry.problem, 300)}", icon=":material/draft:")
