"""Versions of the desk, newest first, and rollback of the desk or of one sleeve to an older one, after its diff and direction
were shown. Called by app.ui.proposals."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import card, clocks, links, rights
from app.ui.figures import to_minute
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
    chosen = st.session_state.get("rolling_back")
    for row in items:
        _one(row)
        if chosen and chosen[0] == int(row["version"]):
            _shown(api, row, now, *chosen)


def _one(row: Mapping[str, Any]) -> None:
    """One version, with a button to look at the rollback to it."""
    version = int(row["version"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        made = row.get("made_by")
        who = made.get("name") if isinstance(made, Mapping) else made
        at = to_minute(row.get("created_ms"), clocks.wall_ms())
        text = f"{at} · {who or 'desk.toml'} · {row.get('reason') or 'no reason recorded'}"
        st.markdown(f"**v{version}**")
        st.caption(words(f"{text} · {', '.join(f'{name} v{n}' for name, n in row['sleeves'].items())}", 300))
        if links.at("version").removeprefix("v") == str(version):
            st.badge("cited by the answer", color="blue")
        if row.get("active"):
            st.badge("active", color="green")
            return
        st.button("Roll back …", key=f"back_{version}", on_click=_choose, args=(version, version, ""))


def _choose(place: int, target: int, sleeve: str) -> None:
    """Show a rollback under the version `place`: of the desk to `target`, or of one sleeve to a version of its own."""
    st.session_state["rolling_back"] = (place, target, sleeve)


def _put_away() -> None:
    st.session_state.pop("rolling_back", None)


def _shown(api: PageClient, row: Mapping[str, Any], now: Mapping[str, int], place: int, target: int, sleeve: str) -> None:
    """The rollback before it is one: what changes against what runs, its direction, and the button that carries it out.

    `now`: the version of its own that each sleeve has in the active one.
    """
    with st.container(border=True):
        st.markdown(f"**{words(sleeve or 'The desk', 40)} back to v{target}** · a new version equal to it; none is deleted")
        try:
            found = api.get("/api/proposals/rollback", target=str(target), **({"sleeve": sleeve} if sleeve else {}))
        except Trouble as trouble:
            st.error(trouble.markdown())
            st.button("Close", key=f"back_no_{place}", on_click=_put_away)
            return
        card.paint(found)
        with st.container(horizontal=True):
            yes: dict[str, Any] = {"type": "primary", "on_click": _roll_back, "args": (api, found)}
            rights.button(api, "Roll back", key=f"back_yes_{place}", act=card.act_of(found), **yes)
            st.button("Do nothing", key=f"back_no_{place}", on_click=_put_away)
            for name, number in row["sleeves"].items():
                if now.get(name) not in (None, number) and name != sleeve:
                    label = f"Only {words(name, 40)}, to its v{number}"
                    st.button(label, key=f"back_{place}_{name}", on_click=_choose, args=(place, number, name))


def _roll_back(api: PageClient, shown: Mapping[str, Any]) -> None:
    """Roll back to exactly what was shown; the outcome is shown at the next run."""
    target, sleeve = str(shown["target"]), str(shown.get("sleeve") or "")
    asked = {"target": target, "diff_sha256": shown["diff_sha256"], **({"sleeve": sleeve} if sleeve else {})}
    _put_away()
    try:
        done = api.post("/api/proposals/rollback", asked)
    except Trouble as trouble:
        st.session_state["rolled_back"] = (False, trouble.markdown())
        return
    equal = f"{sleeve or 'the desk'} equals version {target.removeprefix('v')}"
    text = f"{done.get('state')}: version {done.get('version')}; {equal} ({shown.get('verdict')}; card {done.get('proposal')})"
    st.session_state["rolled_back"] = (True, words(text, 300))
