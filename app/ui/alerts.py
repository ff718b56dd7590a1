"""Alerts, incidents and the health checks. Called by app.ui.desk."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import links
from app.ui.door import Door, Trouble
from app.ui.figures import when
from app.ui.safe import words

SIGNS = {
    "ok": ":material/check_circle:",
    "warning": ":material/warning:",
    "bad": ":material/error:",
    "unknown": ":material/question_mark:",
}
COLORS = {"page": "red", "warn": "orange", "note": "gray"}
LABELS = {"page": "PAGE", "warn": "WARNING", "note": "NOTE"}


def show(door: Door) -> None:
    """What is open, what was looked at, what is over."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        _alerts(door)
    with right:
        st.markdown("**Checks, as of now**")
        for check in door.desk(fresh=True).get("checks") or []:
            _check(check)


def _alerts(door: Door) -> None:
    st.markdown("**Alerts**")
    only_open = st.toggle("Open ones only", value=True, key="alerts_open")
    try:
        held = door.get("/api/alerts", open="true" if only_open else "false", limit=100)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    if held.get("reason"):
        st.caption(words(held["reason"], 300))
    if not held["items"]:
        st.caption("No alert is open. That nothing is alarmed is no proof of health: see the checks.")
    for item in held["items"]:
        _alert(item)


def _alert(item: Mapping[str, Any]) -> None:
    """What, where, since when, with which numbers, what to do."""
    severity, over = str(item.get("severity") or "warn"), item.get("state") == "resolved"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(LABELS.get(severity, words(severity, 20)), color="gray" if over else COLORS.get(severity, "orange"))
            st.markdown(f"**{words(item.get('what'), 300)}**")
        place = f" · {item['place']}" if item.get("place") else ""
        ended = f", over {when(item.get('resolved_ms'))}" if over else ", still so"
        answered = f" · answered by {_name(item['acked_by'])}" if item.get("acked_by") else ""
        st.caption(words(f"{item.get('kind')}{place} · since {when(item.get('since_ms'))}{ended}{answered}", 300))
        numbers = ", ".join(f"{k} {v}" for k, v in (item.get("numbers") or {}).items())
        if numbers:
            st.markdown(words(numbers, 400))
        if item.get("action"):
            book = f" (runbook {words(item['runbook'], 60)})" if item.get("runbook") else ""
            st.markdown(f"To do: {words(item['action'], 400)}{book}")
        links.button(words(item.get("event")), "event", str(item.get("event") or ""), key=f"alert_{item.get('id')}")


def _name(by: Any) -> str:
    return str(by.get("name")) if isinstance(by, Mapping) else str(by)


def _check(check: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        sign = SIGNS.get(str(check.get("state")), SIGNS["unknown"])
        st.markdown(f"{sign} **{words(check.get('name'), 60)}** {words(check.get('text'), 400)}")
        links.button(words(check.get("event")), "event", str(check.get("event") or ""), key=f"check_{check.get('name')}")
