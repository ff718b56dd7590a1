"""Watches under the alerts: where each level stands, a click to confirm or to end it. Called by app.ui.alerts."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import clocks, parts, rights
from app.ui.figures import figure, short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import typeset, words


def waits_for_a_person(api: PageClient) -> bool:
    """Whether a watch waits for a person."""
    try:
        return any(item.get("state") == "asked" for item in api.soon("/api/watches")["items"])
    except Trouble:  # said where they are drawn
        return False


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The watches, those that wait for a person first; nothing while the desk has none."""
    try:
        items = api.soon("/api/watches")["items"]
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    if not items:
        return
    with st.container(key="panel_watches"):
        parts.head("Watched levels", "those that wait for you first")
        for item in sorted(items, key=lambda one: one.get("state") != "asked"):
            _watch(api, session, item)
        if error := st.session_state.get("watch_error"):
            st.error(error)


def _watch(api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """One watch: its level and its value, then its buttons."""
    ident, asked, name = str(item.get("id")), item.get("state") == "asked", words(session.get("name") or "unknown", 40)
    unit = "price" if item.get("metric") == "price" else "usd"
    value = "not known" if item.get("value") is None else figure(item["value"], unit)
    rearms = f" · {item['rearms']}" if item.get("passed") and item.get("rearms") else ""
    place = f"watch_{words(ident, 20)}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small", key=place):
        with st.container(gap="xsmall", width="stretch"):
            st.markdown(f"**{words(typeset(str(item.get('text'))), 200)}**")
            st.caption(words(f"{ident} · now {value} at {short(item.get('desk_ms'), clocks.desk_ms())}{rearms}", 250))
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            st.badge("WAITS FOR YOU" if asked else "PASSED" if item.get("passed") else "IN FORCE", color=_color(item))
            if asked:
                _button(api, ident, f"Confirm as {name}", "confirm")
            _button(api, ident, "Dismiss" if asked else "Remove", "remove")


def _button(api: PageClient, ident: str, label: str, act: str) -> None:
    icon = ":material/done:" if act == "confirm" else ":material/close:"
    rights.button(api, label, key=f"{act}_{ident}", icon=icon, on_click=_act, args=(api, ident, act))


def _color(item: Mapping[str, Any]) -> Any:
    return "blue" if item.get("state") == "asked" else "orange" if item.get("passed") else "gray"


def _act(api: PageClient, ident: str, act: str) -> None:
    st.session_state.pop("watch_error", None)
    try:
        api.post(f"/api/watches/{ident}/{act}")
    except Trouble as trouble:
        st.session_state["watch_error"] = trouble.markdown()
