"""A turn while it runs: what was understood, tools as they begin and end, progress, cancel. Called by app.ui.chat.

The turn is a row of the API; this only looks, twice a second, so it does not matter who else looks or whether nobody does.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import answer
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import markdown, words

EVERY_S = 0.5
ENDED = ("done", "failed", "cancelled")
TEXT_KINDS = ("understood", "sentence", "retrying", "notice")


@st.fragment(run_every=EVERY_S)
def follow(api: PageClient, ident: str) -> None:
    """Draw the running turn; once it has ended, draw the whole page anew."""
    try:
        held = api.get(f"/api/turns/{ident}")
        events = api.get(f"/api/turns/{ident}/events.json", after=0)["items"]
    except Trouble as trouble:
        st.warning(f"{trouble.markdown()} The turn is the API's; it is looked for again.", icon=":material/cloud_off:")
        return
    if held["state"] in ENDED:
        st.rerun()
    show(held, events)
    st.button("Cancel", key=f"cancel_{ident}", icon=":material/stop_circle:", on_click=_cancel, args=(api, ident))


def show(held: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
    """What happened so far, in its order; nothing is kept between two looks."""
    steps = {str(step["id"]): step for step in steps_of(events)}
    for kind, said in visible_events(events):
        if kind == "tool_started":
            st.markdown(answer.step(steps[said]))
        elif kind == "understood":
            st.markdown(f"*understood:* {words(said, 400)}")
        elif kind == "sentence":
            st.markdown(markdown(said))
        elif kind == "retrying":
            st.info(words(said, 400), icon=":material/hourglass_top:")
        else:
            st.warning(words(said, 600), icon=":material/swap_horiz:")
    _progress(held, list(steps.values()))


def visible_events(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(kind, text; for a tool its call's id) of what is still true: sentences of an attempt that failed are void, a retry is
    told until something comes of it."""
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
    """Tool calls in the order they began, each with how it ended."""
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


def _progress(held: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    """How far the running tool is; without a share, for how long it has been at it."""
    progress = held.get("progress") or {}
    seconds = max(0, time.time() - held["created_ms"] / 1000)
    if progress.get("share") is not None:
        st.progress(
            min(1.0, max(0.0, float(progress["share"]))),
            text=words(f"{progress.get('tool')} {float(progress['share']):.0%}, {seconds:.0f} s", 80),
        )
    else:
        st.caption(f":material/progress_activity: {'working' if steps else 'thinking'}, {seconds:.0f} s")


def _cancel(api: PageClient, ident: str) -> None:
    try:
        api.post(f"/api/turns/{ident}/cancel")
    except Trouble as trouble:
        st.toast(trouble.markdown())
