"""The script that Streamlit runs: a folder's audits, and one of them. Reads records only, never code or weights.

Streamlit runs it by its path, so it imports `gnomon…` in full. Its one argument is the folder.
"""

import sys
from pathlib import Path

import streamlit as st
from gnomon.audit.errors import RecordError
from gnomon.dashboards import detail, folder, overview
from gnomon.dashboards.text import escaped

ICON = (  # drawn here: a named icon would be fetched from its maker's server
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#14608f"/>'
    '<path d="M6 23h20L11 7z" fill="#ffffff"/></svg>'
)
AUDIT = "audit"  # the query parameter that names an audit: a link to it can be sent


def main(root: Path) -> None:
    """The list of audits, or the audit that the link names."""
    st.set_page_config(page_title="gnomon", page_icon=ICON, layout="wide")
    try:
        found = folder.entries(root)
    except RecordError as error:
        st.error(escaped(error))
        return
    chosen = st.query_params.get(AUDIT)
    if chosen is None:
        overview.page(root.name or str(root), found, _open)
        return
    entry = next((e for e in found if e.id == chosen), None)  # a link names an audit of the list, never a path
    if entry is None:
        st.title("No such audit", anchor=False)
        st.write(f"This folder holds no audit “{escaped(chosen, 80)}”. It may have been moved or renamed.")
        st.button("Show all audits", on_click=_back, type="primary")
        return
    detail.page(entry, _back)


def _open(name: str) -> None:
    st.query_params[AUDIT] = name


def _back() -> None:
    del st.query_params[AUDIT]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "audits"))
