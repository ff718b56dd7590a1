"""A running turn: what was understood, tool calls, progress, cancel. Called by app.ui.chat.

The turn runs in the API; this only polls its events twice a second.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import answer, rights
from app.ui.figures import percent
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import markdown, words

EVERY_S = 0.5
ENDED = ("done", "failed", "cancelled")
TEXT_KINDS = ("understood", "sentence", "retrying", "notice")


@st.fragment(run_every=EVERY_S)
def follow(api: PageClient, ident: str) -> None:
    """Draw the running turn; once it has ended, redraw the page."""
    try:
        turn = api.get(f"/api/turns/{ident}")
        events = api.get(f"/api/turns/{ident}/events.json", after=0)["items"]
    except Trouble as trouble:
        st.warning(f"{trouble.markdown()}. The turn runs in the API; retrying.", icon=":material/cloud_off:")
        return
    if turn["state"] in ENDED:
        st.rerun()
    show(turn, events)
    rights.button(api, "Cancel", key=f"cancel_{ident}", icon=":material/stop_circle:", on_click=_cancel, args=(api, ident))


def show(turn: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
    """The events so far, in order; nothing is kept between two polls."""
    steps = {str(step["id"]): step for step in steps_of(events)}
    for kind, text in visible_events(events):
        if kind == "tool_started":
            st.markdown(answer.step(steps[text]))
        elif kind == "understood":
            st.markdown(f"*understood:* {words(text, 400)}")
        elif kind == "sentence":
            st.markdown(markdown(text))
        elif kind == "retrying":
            st.info(words(text, 400), icon=":material/hourglass_top:")
        else:
            st.warning(words(text, 600), icon=":material/swap_horiz:")
    _progress(turn, list(steps.values()))


def visible_events(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(kind, text; for a tool its call's id) of what still holds: sentences of a failed attempt are dropped, and a retry is shown
    until something follows it."""
    found: list[tuple[str, str]] = []
    for event in events:
        kind, text = str(event["kind"]), str(event.get("text") or "")
        if kind not in (*TEXT_KINDS, "tool_started"):
            continue
        if found and found[-1][0] == "retrying":
            found.pop()
        if kind in ("notice", "understood") or (kind == "retrying" and event.get("attempt")):
            while found and found[-1][0] == "sentence":
                found.pop()
        found.append((kind, str(event["id"]) if kind == "tool_started" else text))
    return found


def steps_of(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tool calls in the order they started, each with its status."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["kind"] == "tool_started":
            found[str(event["id"])] = {
                "id": event["id"],
                "name": event.get("tool"),
                "args": event.get("args"),
                "status": "running",
            }
        elif event["kind"] == "tool_finished" and str(event["id"]) in found:
            found[str(event["id"])]["status"] = event.get("status")
    return list(found.values())


def _progress(turn: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    """The running tool's progress; without a share, the elapsed time."""
    progress = turn.get("progress") or {}
    seconds = max(0, time.time() - turn["created_ms"] / 1000)
    if progress.get("share") is not None:
        st.progress(
            min(1.0, max(0.0, float(progress["share"]))),
            text=words(f"{progress.get('tool')} {percent(float(progress['share']), 0)}, {seconds:.0f} s", 80),
        )
    else:
        st.caption(f":material/progress_activity: {'working' if steps else 'thinking'}, {seconds:.0f} s")


def _cancel(api: PageClient, ident: str) -> None:
    try:
        api.post(f"/api/turns/{ident}/cancel")
    except Trouble as trouble:
        st.toast(trouble.markdown())
