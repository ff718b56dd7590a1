"""The first panel: what is real on this desk, what a question sends where, and the button that pulls data. Called by chat.py.

Nothing is fetched without a click; the pull is a job of the API.
"""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import jobs, rights
from app.ui.figures import count, short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import typeset, words

OFFLINE = (
    "**OFFLINE model**: a planner answers, no language model; nothing you type leaves this machine. Set `OPENAI_API_KEY` in the "
    "desk's environment to use a language model."
)


def panel(api: PageClient) -> None:
    """Shown before the first question."""
    desk, data, model = api.desk(), api.get("/api/data"), api.get("/api/model")
    with st.container(border=True, key="first_panel"):
        st.markdown(_what_is_real(desk))
        st.markdown(_what_is_sent(model))
        pulling = [j for j in api.get("/api/jobs", limit=20)["items"] if j.get("kind") == "pull"]
        if data.get("empty") and not any(j["state"] in jobs.LIVE for j in pulling):
            _offer(api)
        for job in pulling[:1]:
            jobs.follow(api, str(job["id"])) if job["state"] in jobs.LIVE else jobs.show(job)


def _what_is_real(desk: Mapping[str, Any]) -> str:
    """Paper or live, bars, desk time, worker."""
    mode = {
        "paper": "**Paper**: no real order leaves this desk.",
        "shadow": "**SHADOW**: the desk watches an account and sends nothing to it; every fill is simulated.",
        "testnet": "**TESTNET**: orders leave this desk for an account of play money.",
    }.get(str(desk.get("mode")), "**LIVE**: real orders.")
    worker = desk.get("worker") or {}
    health = f"The worker is {worker.get('phase') or 'running'}." if worker.get("running") else "**The worker is not running.**"
    bad = [c for c in desk.get("checks") or [] if c.get("state") not in ("ok", None)]
    checks = "All checks passed." if not bad else " ".join(_sentence(str(c.get("text"))) for c in bad)
    replayed = ", REPLAYED" if desk.get("stamp") == "REPLAYED" else ""
    time = f"desk time {short(desk['desk_ms'], desk['desk_ms'])}" if desk.get("desk_ms") else "no bar has been processed yet"
    market = f"It trades {desk.get('walks') or 'no bars yet'}{replayed}; {time}; {count(desk.get('bars'))} bars so far."
    return f"{mode} {words(market, 400)} {health} {words(typeset(checks), 500)}"


def _sentence(text: str) -> str:
    first, _, rest = text.partition(" ")  # the name of a sleeve or a file stays as it is
    start = first if re.search(r"[-_.:/\d]", first) else f"{first[:1].upper()}{first[1:]}"
    return f"{start} {rest}".strip().rstrip(".") + "."


def _what_is_sent(model: Mapping[str, Any]) -> str:
    """Host, model and what leaves the machine, before the first question."""
    if model.get("offline", True):
        return OFFLINE
    name, host = str(model.get("name") or ""), str(model.get("host") or "an unnamed host")
    named = f"**A model at {words(host, 80)}**" if name == host else f"**Model {words(name, 60)} at {words(host, 80)}**"
    sends = ", ".join(str(x) for x in model.get("sends") or [])
    privacy = str(model.get("privacy") or f"Sent with each question: {sends}.")
    return f"{named}, API format {words(model.get('api_format'), 20)}. {words(privacy, 600)}"


def _offer(api: PageClient) -> None:
    """The button that pulls data."""
    st.markdown("**No real bars** yet: the market is SYNTHETIC. Pull recorded bars for meaningful backtests.")
    rights.button(
        api,
        "Pull two years of BTC, ETH and SOL 15m bars",
        type="primary",
        icon=":material/download:",
        key="pull",
        on_click=_pull,
        args=(api,),
        help="From a venue's public API, no key needed: Binance, then OKX, then Bybit, until one answers.",
    )
    refusal = st.session_state.pop("pull_refused", None)
    if refusal:
        st.error(refusal)


def _pull(api: PageClient) -> None:
    try:
        api.post("/api/data/pull", {})
    except Trouble as trouble:
        st.session_state["pull_refused"] = trouble.markdown()
