"""Who decides in this browser: the name, another name, logging out. Called by head.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import links
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The person's name in the head; behind it a form to change it."""
    name = session.get("name") or "unknown"
    with st.popover(words(name, 16), icon=":material/person:", type="tertiary", key="who_open"):
        proven = "verified by token" if session.get("assurance") == "session" else "claimed name"
        st.markdown(f"You decide as **{words(name, 60)}** ({proven}{_role(session)}).")
        if session.get("proof_needed"):
            st.warning("This desk verifies names: enter your name and token before deciding.")
        with st.form("who_form", border=False):
            chosen = st.text_input("Name", value=one_line(session.get("name"), 60), max_chars=60)
            token = st.text_input("Token", type="password", help="Needed once people.toml has entries.")
            if st.form_submit_button("Use this name"):
                _rename(api, chosen, token)
        links.press("Who may do what", {"tab": "desk", "view": "people"}, key="who_may", look="tertiary")
        st.button("Log out", type="tertiary", on_click=_leave, args=(api,))
        st.caption("Dark or light follows your system; the menu at the right edge has a choice of your own.")


def _role(session: Mapping[str, Any]) -> str:
    """Their role; where nobody is registered everybody is admin, which says nothing."""
    return f", {words(session.get('role'), 20)}" if session.get("refused") or session.get("passphrase_needed") else ""


def _rename(api: PageClient, name: str, token: str) -> None:
    try:
        api.post("/api/session", {"name": name} | ({"token": token} if token else {}))
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    st.rerun()


def _leave(api: PageClient) -> None:
    try:
        api.delete("/api/session")
    except Trouble as trouble:
        st.toast(trouble.markdown())
