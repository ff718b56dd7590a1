"""A question on its way to the API. Called by chat.py and answer.py."""

import streamlit as st

from app.ui import links
from app.ui.page_client import PageClient, Trouble


def send(api: PageClient, role: str, text: str, thread: str) -> None:
    """Ask. A question that was refused stays visible and can be copied."""
    st.session_state.pop("unsent", None)
    try:
        made = api.post("/api/turns", {"role": role, "text": text, "thread": thread})
    except Trouble as trouble:
        st.session_state["unsent"] = (trouble.markdown(), text)
        return
    st.session_state.pop("carried", None)
    links.go({"tab": "chat", "role": role, "thread": made["thread"]})
