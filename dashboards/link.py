"""What a reader chose, kept in the page's address and nowhere else, so that every view can be sent as a link."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


def one(name: str, options: Sequence[str]) -> str:
    """The option that the address names, and that the widget `name` shows; the first where it names none."""
    found = st.query_params.get(name, "")
    found = found if found in options else options[0]
    st.session_state[name] = found
    return found


def many(name: str, options: Sequence[str]) -> list[str]:
    """The options that the address names, those that there are."""
    asked = set(st.query_params.get_all(name))
    found = [option for option in options if option in asked]
    st.session_state[name] = found
    return found


def text(name: str) -> str:
    """The words that the address holds."""
    found = st.query_params.get(name, "")
    st.session_state[name] = found
    return found


def number(name: str, most: int) -> int:
    """The whole number that the address holds, between 1 and `most`."""
    asked = st.query_params.get(name, "")
    found = min(max(int(asked), 1), most) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    st.session_state[name] = found
    return found


def keep(name: str, default: object = None) -> None:
    """Write what the widget `name` now shows into the address; nothing where it shows what it would by itself."""
    chosen = st.session_state[name]
    if chosen in (None, "", [], default):
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen if isinstance(chosen, list) else str(chosen)


def forget(*names: str) -> None:
    """Take choices out of the address."""
    for name in names:
        st.query_params.pop(name, None)
