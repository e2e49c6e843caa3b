"""The first view of an audit: what it found, in plain words, and what it did not test."""

from __future__ import annotations

import streamlit as st

from ..audit.record import Record
from ..reports import view
from ..reports.tiles import Tile, tiles
from ..reports.untested import not_tested
from .marks import badge
from .text import escaped


def page(record: Record) -> None:
    """The three questions, the findings, and what the audit says nothing about."""
    _tiles(tiles(record))
    st.subheader("Findings", anchor=False)
    said = view.findings(record)
    for found in said:
        _finding(found)
    if not said:
        st.write("This audit reports no finding of its own; its numbers are in the views beside.")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Not tested", anchor=False)
        st.markdown(_listed(not_tested(record)))
    with right:
        st.subheader("What was audited", anchor=False)
        st.markdown(_listed([f"{name}: {fact}" for name, fact in view.facts(record)]))


def _tiles(shown: list[Tile]) -> None:
    for column, tile in zip(st.columns(len(shown)), shown, strict=True):
        with column.container(border=True, height="stretch"):
            st.caption(escaped(tile.question))
            if tile.number:
                st.subheader(escaped(tile.number), anchor=False)
            st.markdown(escaped(tile.text))
            details = " · ".join(t for t in (tile.sure, tile.kind) if t)
            if details:
                st.caption(escaped(details))


def _finding(found: view.Said) -> None:
    with st.container(border=True):
        left, right = st.columns([1, 5])
        with left:
            badge(found.verdict, found.symbol, found.word)
        with right.container(gap="xxsmall"):
            st.markdown(f"**{escaped(found.headline)}**")
            st.markdown(escaped(found.text))


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
