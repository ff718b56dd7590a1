"""The sleeves tab: every sleeve with its state. Called by streamlit_app.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import desk, parts
from app.ui.page_client import PageClient


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """All sleeves."""
    del session  # who looks matters once a sleeve can be changed here
    items = api.get("/api/sleeves")["items"]
    parts.title("Sleeves", [{"text": f"{len(items)} configured"}])
    with st.container(key="panel_sleeves"):
        st.markdown(desk.sleeve_table(items))
