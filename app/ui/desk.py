"""The desk tab and its views: overview.py, venue_account.py, journal.py, alerts.py, handover.py. Called by streamlit_app.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import alerts, handover, incident, journal, links, overview, people, venue_account
from app.ui.page_client import PageClient

TITLES = {"overview": "Overview", "account": "Account", "journal": "Journal", "alerts": "Alerts", "handover": "Handover"}


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The view in the URL."""
    if links.view() == "people":
        people.show(api, session)
        return
    st.session_state["view"] = links.view()
    st.segmented_control(
        "View",
        links.VIEWS,
        key="view",
        format_func=TITLES.__getitem__,
        required=True,
        label_visibility="collapsed",
        on_change=_turn_to,
    )
    if links.view() == "alerts" and links.at("window"):
        incident.show(api, session, links.at("window"))
        return
    if links.view() == "alerts":
        alerts.show(api, session)
        return
    views = {"overview": overview.show, "account": venue_account.show, "journal": journal.show, "handover": handover.show}
    views[links.view()](api)


def _turn_to() -> None:
    links.go({"tab": "desk", "view": st.session_state["view"]})
