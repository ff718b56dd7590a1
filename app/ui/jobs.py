"""Jobs on the page: progress, cancel, outcome. Called by chat.py, first.py and runs.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import links, rights
from app.ui.figures import percent
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

LIVE = ("queued", "running")


def live(api: PageClient, items: Sequence[Mapping[str, Any]]) -> None:
    """The running jobs, each with its own progress."""
    for job in items:
        if job.get("state") in LIVE:
            follow(api, str(job["id"]))


@st.fragment(run_every=1)
def follow(api: PageClient, ident: str) -> None:
    """One job until it ends; then redraw the page once."""
    try:
        job = api.get(f"/api/jobs/{ident}")
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    if job["state"] not in LIVE:
        show(job)
        if not st.session_state.get(f"ended_{ident}"):
            st.session_state[f"ended_{ident}"] = True
            st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        share = min(1.0, max(0.0, float(job.get("progress") or 0)))
        st.progress(share, text=words(f"{job.get('kind')} {job['state']} {percent(share, 0)}", 80))
        rights.button(api, "Cancel", key=f"cancel_job_{ident}", on_click=_cancel, args=(api, ident))
    if job.get("partly"):
        _so_far(job["partly"])


@st.fragment(run_every=1)
def awaited(api: PageClient, ident: str) -> None:
    """A pending answer that code posts when its jobs end; then redraw the page."""
    try:
        pending = api.get(f"/api/turns/{ident}")
    except Trouble as trouble:
        if trouble.down:
            st.caption(trouble.markdown())
        return  # else the thread has its answer already
    if pending["state"] != "owed":
        st.rerun()
    st.caption(":material/schedule: The answer is posted here when its job ends. You can keep asking, or leave the page.")


def show(job: Mapping[str, Any]) -> None:
    """An ended job in one line."""
    kind = words(job.get("kind"), 40)
    if job["state"] == "done":
        st.success(f"{kind} done. {words(outcome(job.get('result') or {}), 500)}")
        links.button(
            "Open the run", "run", str(job.get("run_id") or ""), key=f"job_run_{job['id']}", icon=":material/monitoring:"
        )
    else:
        st.error(f"{kind} {words(job['state'])}: {words(job.get('error') or 'no reason was recorded', 500)}")


def _so_far(found: Mapping[str, Any]) -> None:
    """What a search has found so far."""
    st.caption(words(found["text"], 200))
    with st.expander("Found so far"):
        columns = [words(name, 40) for name in found["columns"]]
        st.dataframe([dict(zip(columns, row, strict=True)) for row in found["rows"]], hide_index=True)


def outcome(result: Any) -> str:
    """What a pull fetched and which venues refused; empty for other jobs."""
    if not isinstance(result, Mapping) or "venue" not in result:
        return ""
    refused = "; ".join(
        f"{one_line(r.get('venue'), 20)} refused: {one_line(r.get('why'), 120)}" for r in result.get("refused") or []
    )
    return f"{len(result.get('files') or [])} files from {result['venue']}; backtests can use them now." + (
        f" {refused}." if refused else ""
    )


def _cancel(api: PageClient, ident: str) -> None:
    try:
        api.post(f"/api/jobs/{ident}/cancel")
    except Trouble as trouble:
        st.toast(trouble.markdown())
