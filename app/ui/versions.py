"""Versions of the desk, newest first, and rollback of the desk or of one sleeve to an older one. Called by app.ui.proposals."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import links
from app.ui.figures import when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words


def show(api: PageClient) -> None:
    """The list; each older version has a rollback button."""
    st.subheader("Versions", anchor=False)
    try:
        items = api.get("/api/versions", limit=20)["items"]
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    outcome = st.session_state.pop("rolled_back", None)
    if outcome:
        (st.success if outcome[0] else st.error)(outcome[1])
    now: Mapping[str, int] = next((row["sleeves"] for row in items if row.get("active")), {})
    if not items:
        st.caption("Version 1 is written when the worker starts for the first time, or by the first approval.")
    for row in items:
        _one(api, row, now)


def _one(api: PageClient, row: Mapping[str, Any], now: Mapping[str, int]) -> None:
    """One version; `now`: the version of its own that each sleeve has in the active one."""
    version = int(row["version"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        made = row.get("made_by")
        who = made.get("name") if isinstance(made, Mapping) else made
        text = f"{when(row.get('created_ms'))} · {who or 'desk.toml'} · {row.get('reason') or 'no reason recorded'}"
        st.markdown(f"**v{version}**")
        st.caption(words(f"{text} · {', '.join(f'{name} v{n}' for name, n in row['sleeves'].items())}", 300))
        if links.at("version").removeprefix("v") == str(version):
            st.badge("cited by the answer", color="blue")
        if row.get("active"):
            st.badge("active", color="green")
            return
        with st.popover("Roll back …", key=f"back_{version}"):
            st.markdown(f"A new version equal to v{version} becomes active; no version is deleted.")
            st.button("Roll back", key=f"back_yes_{version}", type="primary", on_click=_roll_back, args=(api, version))
            for name, number in row["sleeves"].items():
                if now.get(name) not in (None, number):
                    label = f"Only {words(name, 40)}, to its v{number}"
                    st.button(label, key=f"back_{version}_{name}", on_click=_roll_back, args=(api, number, name))


def _roll_back(api: PageClient, version: int, sleeve: str = "") -> None:
    """Ask for it; the outcome is shown at the next run."""
    try:
        done = api.post("/api/proposals/rollback", {"target": str(version), **({"sleeve": sleeve} if sleeve else {})})
    except Trouble as trouble:
        st.session_state["rolled_back"] = (False, trouble.markdown())
        return
    st.session_state["rolled_back"] = (
        True,
        words(f"{done.get('state')}: version {done.get('version')}; {sleeve or 'the desk'} equals version {version}"),
    )
