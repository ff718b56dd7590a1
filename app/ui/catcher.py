"""Links that stay in the browser tab, the keyboard's place on them, and our own words when the page's server is gone.

Called by streamlit_app.py. A link to `?tab=...` would open a new session, without role and thread. A component without a face
catches the click and sends the address here; links.follow keeps what it knows of it. j and k are candles/mount.js.
"""

from pathlib import Path

import streamlit as st

from app.ui import links

KEY = "catcher"
CATCHER = st.components.v2.component("nightdesk_catcher", js=Path(__file__).with_name("catcher.js").read_text(encoding="utf-8"))


def mount() -> None:
    """Once on each drawing of the page."""
    with st.container(key="unseen"):
        CATCHER(key=KEY, on_went_change=_follow)


def _follow() -> None:
    """Go where the link leads, before the page is drawn."""
    found = st.session_state.get(KEY)
    links.follow(str(getattr(found, "went", None) or ""))
