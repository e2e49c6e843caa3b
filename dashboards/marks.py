"""Verdicts and remarks as badges: a symbol and a word, never a colour alone."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from ..reports import words

Colour = Literal["red", "green", "orange", "gray", "blue"]
COLOURS: dict[str, Colour] = {
    "FAIL": "red",
    "ERROR": "red",
    "PASS": "green",
    "INCONCLUSIVE": "orange",
    "NOT_MEASURED": "orange",
    "NOT_JUDGED": "gray",
}


def verdict_badge(verdict: str) -> None:
    """The verdict of an audit or of a criterion."""
    shown = words.verdict(verdict)
    badge(verdict, shown.symbol, shown.word, shown.meaning)


def verdict_heading(verdict: str) -> None:
    """The verdict of an audit, large."""
    shown = words.verdict(verdict)
    st.header(f":{COLOURS[verdict]}[{_marked(shown.symbol, shown.word)}]", anchor=False, width="content")


def badge(verdict: str, symbol: str, word: str, meaning: str | None = None) -> None:
    """A symbol and a word in the colour of a verdict."""
    st.badge(_marked(symbol, word), color=COLOURS[verdict], help=meaning)


def _marked(symbol: str, word: str) -> str:
    return f"\\{symbol} {word}" if symbol.isascii() else f"{symbol} {word}"
