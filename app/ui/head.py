"""The strip on every tab: navigation, the desk's state, HALT. Called by streamlit_app.py.

Paper or live, bars, model, desk time and the worker's health refresh every few seconds; with the API down the strip says so and
HALT stays.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import alerts, links
from app.ui.figures import NONE, money, percent, when
from app.ui.halt import halt_button, halted_banner
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

EVERY_S = 3
TITLES = {"chat": "Chat", "proposals": "Proposals", "desk": "Desk", "runs": "Runs"}
STYLE = """<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-strip) { position: sticky; top: 0; z-index: 90; }
.st-key-strip { background: var(--st-background-color, #10151c); padding: .35rem 0 .3rem; gap: .45rem;
  border-bottom: 1px solid rgba(128, 140, 155, .25); }
[data-testid="stMainBlockContainer"] { padding-top: 2.4rem; max-width: 1320px; }
[class*="st-key-halt_open"] button, .st-key-halt_now button { background: #c8453b; border-color: #c8453b; color: #fff; }
[class*="st-key-halt_open"] button:is(:hover, :focus, :active, [aria-expanded="true"]),
.st-key-halt_now button:is(:hover, :focus, :active) {
  background: #e0564b; border-color: #e0564b; color: #fff; }
section[data-testid="stSidebar"] [class*="st-key-thread_"] button > div { justify-content: flex-start; text-align: left; }
[class*="st-key-thread_"] button p { text-align: left; }
td a { white-space: nowrap; }
[data-testid="stMarkdownContainer"]:has(table) { overflow-x: auto; }
.st-key-strip [data-testid="stHorizontalBlock"], .st-key-standing { row-gap: .15rem; }
.st-key-figures > div { flex: 1 1 9rem; }
.st-key-alerted [data-testid="stAlert"] { flex: 1 1 20rem; }
.st-key-alerted button { min-height: 1.7rem; padding: 0 .6rem; }
[class*="st-key-line_"] { gap: .5rem; margin-bottom: -.9rem; }
[class*="st-key-line_"] button { min-height: 1.6rem; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; font-size: 1.6rem; }
[data-testid="stMarkdownContainer"] table { font-variant-numeric: tabular-nums; font-size: .92rem; }
[data-testid="stMarkdownContainer"] th, [data-testid="stMarkdownContainer"] td { padding: .25rem .6rem; }
@media (max-width: 768px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-strip) { top: 3.3rem; }
  [data-testid="stMainBlockContainer"] { padding-top: 3.6rem; }
}
</style>"""


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """Draw the strip."""
    st.html(STYLE)  # our own constant: no outside text ever reaches st.html
    with st.container(key="strip"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            _navigation(api)
            halt_button(api, session)
        _standing(api, session)


def _navigation(api: PageClient) -> None:
    """The tabs; the URL says which."""
    pending = _pending(api)
    st.session_state["nav"] = links.tab()
    st.segmented_control(
        "Tab",
        links.TABS,
        format_func=lambda name: TITLES[name] + (f" ({pending})" if name == "proposals" and pending else ""),
        key="nav",
        required=True,
        label_visibility="collapsed",
        on_change=_turn_to,
    )


def _turn_to() -> None:
    links.go({"tab": st.session_state["nav"]})


def _pending(api: PageClient) -> int:
    """The number of pending proposals; 0 when the API is down."""
    try:
        return int(api.desk().get("pending") or 0)
    except Trouble:
        return 0


@st.fragment(run_every=EVERY_S)
def _standing(api: PageClient, session: Mapping[str, Any]) -> None:
    """The part of the strip that refreshes itself."""
    try:
        desk = api.desk(fresh=True)
        found = alerts.found(api)
    except Trouble as trouble:
        st.error(
            f"{trouble.markdown()}. The desk keeps trading without this page; HALT works by file.", icon=":material/cloud_off:"
        )
        if halted := st.session_state.get("by_file"):
            st.error(halted, icon=":material/front_hand:")
        return
    st.session_state.pop("by_file", None)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="standing"):
        for label, color, about in badges(desk):
            st.badge(label, color=color, help=about)
    halted_banner(api, desk, session)
    alerts.strip(found)


def badges(desk: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """The badges on every screen: (label, color, explanation)."""
    return [_mode(desk), _bars(desk), _time(desk), _worker(desk), _money(desk), _model(desk.get("model") or {})]


def _mode(desk: Mapping[str, Any]) -> tuple[str, str, str]:
    mode = str(desk.get("mode") or "paper")
    return (
        words(mode.upper(), 20),
        "blue" if mode == "paper" else "red",
        "No real order leaves this desk." if mode == "paper" else "Real money.",
    )


def _bars(desk: Mapping[str, Any]) -> tuple[str, str, str]:
    source = str(desk.get("source") or "no bars yet")
    replayed = "REPLAYED " if desk.get("stamp") == "REPLAYED" else ""
    shown = source.upper() if source == "synthetic" else source
    return (
        words(f"{replayed}{shown} bars", 40),
        "violet" if source == "synthetic" or replayed else "gray",
        f"The desk trades {words(desk.get('walks') or NONE)}.",
    )


def _time(desk: Mapping[str, Any]) -> tuple[str, str, str]:
    label = f"desk time {when(desk['desk_ms'])}" if desk.get("desk_ms") else "the desk has not run yet"
    return label.replace(":", "\\:"), "gray", "Close of the last bar the desk decided on, UTC. Answers refer to this time."


def _worker(desk: Mapping[str, Any]) -> tuple[str, str, str]:
    worker = desk.get("worker") or {}
    note = words(worker.get("note") or "")
    if not worker.get("running"):
        return "worker not running", "red", note or "Nothing trades, and protective orders are not amended."
    phase = f"worker {words(worker.get('phase') or 'running', 30)}"
    for state, color in (("bad", "red"), ("warning", "orange")):
        found = [c for c in desk.get("checks") or [] if c.get("state") == state]
        if found:
            names = words(", ".join(str(c.get("name")) for c in found), 60)
            return f"{phase} · {state}\\: {names}", color, words("; ".join(str(c.get("text")) for c in found))
    return phase, "green", note or "It runs, and its checks pass."


def _money(desk: Mapping[str, Any]) -> tuple[str, str, str]:
    drawdown = f" · drawdown {percent(desk.get('drawdown_frac'))}" if desk.get("drawdown_frac") else ""
    return f"equity {money(desk.get('equity'), 0)}{drawdown}", "gray", "All sleeves, at the last close, in USDT."


def _model(model: Mapping[str, Any]) -> tuple[str, str, str]:
    if model.get("offline", True):
        return "OFFLINE model", "orange", "A planner, no language model; nothing leaves this machine."
    host = f" at {model['host']}" if model.get("host") else ""
    return words(f"model {model.get('name')}", 60), "blue", words(f"{model.get('name')}{host}. {model.get('privacy') or ''}", 600)
