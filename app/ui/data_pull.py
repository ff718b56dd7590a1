"""The button that fetches newer bars of the sleeves, beside the line that says that bars have ended. Called by head.py.

A click starts one job of the API (POST /api/data/pull), from the venues of the sleeves, and shows how far it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import jobs, parts, rights
from app.ui.page_client import PageClient, Trouble
from app.ui.urgent import brief

DAYS = 730
VENUES = ("binance", "okx", "bybit")
REFUSED = "newer_bars_refused"


def button(api: PageClient, sleeves: Sequence[Mapping[str, Any]]) -> None:
    """The button, or the job that it has started."""
    try:
        pulls = [job for job in api.get("/api/jobs", limit=20)["items"] if job.get("kind") == "pull"]
    except Trouble:
        return  # what is wrong is said above
    if any(job["state"] in jobs.LIVE for job in pulls):
        parts.soft("Bars are being fetched; the job is under Runs and in the chat.")
        return
    rights.button(
        api,
        "Fetch newer bars now",
        icon=":material/download:",
        key="newer_bars",
        on_click=_pull,
        args=(api, wanted(sleeves)),
        help="From the venues' public API, no key needed. A job: the desk goes on by itself when the bars are there.",
    )
    if pulls and pulls[0]["state"] != "done":
        parts.soft(f"The last fetch: {pulls[0]['state']}. {brief(str(pulls[0].get('error') or ''), 200)}")
    if refused := st.session_state.pop(REFUSED, None):
        st.error(refused)


def wanted(sleeves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A request for each timeframe of the sleeves: their symbols, their venues first."""
    found: dict[str, dict[str, Any]] = {}
    for sleeve in sleeves:
        one = found.setdefault(str(sleeve.get("timeframe")), {"symbols": {}, "venues": {}})
        one["symbols"][str(sleeve.get("symbol"))] = None
        if sleeve.get("venue") in VENUES:
            one["venues"][sleeve["venue"]] = None
    return [
        {
            "timeframe": timeframe,
            "symbols": list(one["symbols"])[:10],
            "venues": list(dict.fromkeys([*one["venues"], *VENUES])),
            "days": DAYS,
        }
        for timeframe, one in found.items()
    ]


def _pull(api: PageClient, bodies: Sequence[Mapping[str, Any]]) -> None:
    try:
        for body in bodies:
            api.post("/api/data/pull", body)
    except Trouble as trouble:
        st.session_state[REFUSED] = trouble.markdown()
