"""The morning handovers, as sent to Slack: the newest, older ones by day. Called by app.ui.desk."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import alerts
from app.ui.figures import when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

KEPT = 14  # days to choose from


def show(api: PageClient) -> None:
    """One morning's handover, written by code, without a model."""
    try:
        answer = api.get("/api/handovers", limit=KEPT)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    at = words(answer.get("at"), 10)
    items = {str(item["day"]): item for item in answer["items"]}
    if not items:
        st.caption(f"No handover yet. One is written every day at {at} UTC, by code, while the desk runs.")
        return
    day = st.selectbox("Morning of", list(items), key="handover_day", width=220)
    _handover(items[day])
    st.caption(f"Written every day at {at} UTC by code, without a model. Its journal heads anchor what the journals held then.")


def _handover(item: Mapping[str, Any]) -> None:
    with st.container(border=True, gap="small"):
        st.markdown(f"**Handover {words(item.get('day'), 20)}** · made {words(when(item.get('created_ms')))}")
        for line in str(item.get("text") or "").splitlines():
            if line.strip():
                st.markdown(words(line, 1000))
        for line in alerts.delivery_lines(item.get("deliveries") or []):
            st.caption(line)
