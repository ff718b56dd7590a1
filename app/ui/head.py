"""The head of every tab, one row: tabs, what is real, worker, desk time, what waits, HALT; below it what is wrong (strips.py).

Called by streamlit_app.py. Its words refresh every few seconds; with the API down they stay, of the last answer, and HALT works.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app.ui import account, data_pull, links, parts, strips
from app.ui.figures import local, percent, place_of, short, when
from app.ui.halt import halt_button, halted_banner
from app.ui.page_client import PageClient, Trouble
from app.ui.parts import Badge

EVERY_S = 3
LEAST = 0.0005  # a drawdown that would read 0.0 % is not worth a word
TITLES = {"desk": "Desk", "sleeves": "Sleeves", "runs": "Runs", "proposals": "Proposals", "chat": "Chat"}
MODES = {  # what the desk trades -> what that means, its colour
    "paper": ("No real order leaves this desk.", ""),
    "shadow": ("It watches an account and sends nothing to it: every fill is simulated.", ""),
    "testnet": ("Orders at a venue, play money.", "wrn"),
}
LAST, SILENT = "desk_seen", "silent_since"  # in the session: the API's last answer about the desk; since when none comes
LAST_ALERTS = "alerts_seen"


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """Draw the head and what is wrong."""
    with (
        st.container(key="head"),
        st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="bar"),
    ):
        _navigation(api)
        with st.container(key="status"):
            _status(api)
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="acts"):
            if session:
                account.show(api, session)
            halt_button(api, session, str((st.session_state.get(LAST) or {}).get("mode") or ""))
    _wrong(api, session)


def _navigation(api: PageClient) -> None:
    """The tabs; the URL says which."""
    pending = _pending(api)
    st.session_state["nav"] = links.tab()
    st.segmented_control(
        "Tab",
        links.TABS,
        format_func=lambda name: TITLES[name] + (f" {pending}" if name == "proposals" and pending else ""),
        key="nav",
        required=True,
        label_visibility="collapsed",
        on_change=_turn_to,
    )


def _turn_to() -> None:
    links.go({"tab": st.session_state["nav"]})


def _pending(api: PageClient) -> int:
    """The number of pending proposals; with the API down that of its last answer."""
    try:
        desk = api.desk()
    except Trouble:
        desk = st.session_state.get(LAST) or {}
    return int(desk.get("pending") or 0)


def read(api: PageClient) -> tuple[dict[str, Any], Sequence[Mapping[str, Any]]]:
    """The desk and its open alerts; the answer is kept for the time the API is silent."""
    desk, found = api.desk(), api.soon("/api/alerts", open="true", limit=100)["items"]
    st.session_state[LAST], st.session_state[LAST_ALERTS] = desk, found
    st.session_state.pop(SILENT, None)
    return desk, found


@st.fragment(run_every=EVERY_S)
def _status(api: PageClient) -> None:
    """The words of the head; of the last answer while the API is silent."""
    try:
        desk, found = read(api)
    except Trouble:
        desk, found = st.session_state.get(LAST) or {}, st.session_state.get(LAST_ALERTS) or []  # what waited waits on
    if desk:
        parts.badges(_mode(desk), badges(desk, found, str(st.context.timezone or "")))
    else:
        parts.badges(Badge("?", "Paper or live is not known."), [Badge("nothing is known of the desk", look="neg")])


@st.fragment(run_every=EVERY_S)
def _wrong(api: PageClient, session: Mapping[str, Any]) -> None:
    """What is wrong, the halt first; nothing on a healthy desk."""
    try:
        desk, found = read(api)
        sleeves = api.soon("/api/sleeves")["items"] if _idle(desk) else []
    except Trouble as trouble:
        since = st.session_state.setdefault(SILENT, time.time_ns() // 1_000_000)
        last = st.session_state.get(LAST) or {}
        if trouble.down:
            pages = strips.pages(st.session_state.get(LAST_ALERTS) or [], last)  # nobody has taken them since
            strips.draw([strips.silent(since, last.get("desk_ms")), *pages])
        else:
            st.error(trouble.markdown())
        if halted := st.session_state.get("by_file"):
            st.error(halted, icon=":material/front_hand:")
        return
    st.session_state.pop("by_file", None)
    halted_banner(api, desk, session)
    wrong = strips.found(desk, found, sleeves)
    if (links.tab(), links.view(), links.at("window")) == ("desk", "alerts", ""):  # the page's card is right below
        wrong = [strip for strip in wrong if strip.to is None or strip.to.where != strips.ALERTS]
    strips.draw(wrong, partial(data_pull.button, api, sleeves) if session else None)


def _idle(desk: Mapping[str, Any]) -> bool:
    """Whether no bar is being decided, so that open positions are worth a word."""
    worker = desk.get("worker") or {}
    return not worker.get("running") or worker.get("phase") == "waiting" or any(map(_is_silent, desk.get("checks") or []))


def _is_silent(check: Mapping[str, Any]) -> bool:
    """Whether it says that the worker's process is there and writes no heartbeat."""
    return check.get("name") == "worker" and check.get("state") == "bad"


def badges(desk: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]], zone: str) -> list[Badge]:
    """The words after PAPER, SHADOW, TESTNET or LIVE."""
    times = [*_time(desk), *_here(desk, zone)]
    return [_bars(desk), _worker(desk), *times, *_waits(desk, alerts), _model(desk.get("model") or {}), *_drawdown(desk)]


def _mode(desk: Mapping[str, Any]) -> Badge:
    mode = str(desk.get("mode") or "paper")
    return Badge(mode.upper(), *MODES.get(mode, ("Real money.", "neg")))


def _bars(desk: Mapping[str, Any]) -> Badge:
    source = str(desk.get("source") or "no")
    made_up, replayed = source == "synthetic", desk.get("stamp") == "REPLAYED"
    label = f"{'REPLAYED ' if replayed else ''}{source.upper() if made_up else source}"
    return Badge(
        label, f"The desk trades {desk.get('walks') or 'nothing yet'}.", "wrn" if made_up or replayed else "", more="bars"
    )


def _worker(desk: Mapping[str, Any]) -> Badge:
    """Grey when well; what is wrong has a sign of its own and a line below the head."""
    worker = desk.get("worker") or {}
    note = str(worker.get("note") or "")
    if not worker.get("running"):
        return Badge("■ worker", note or "Nothing trades, and protective orders are not moved.", "neg", more="not running")
    if found := next((check for check in desk.get("checks") or [] if _is_silent(check)), None):
        return Badge("■ worker", f"{found.get('text')}.", "neg", more="silent")
    phase = str(worker.get("phase") or "running")
    sign, look = ("◐", "wrn") if phase == "waiting" else ("●", "")
    return Badge(f"{sign} worker", note or "It runs.", look, more="" if phase == "running" else phase)


def _time(desk: Mapping[str, Any]) -> list[Badge]:
    """Desk time in UTC."""
    ms = desk.get("desk_ms")
    if not ms:
        return [Badge("no bar in the journal")]
    about = f"Desk time: close of the last bar it decided on, {when(ms)}. Answers and figures refer to it."
    return [Badge(short(ms, ms), about, "desk-time")]


def _here(desk: Mapping[str, Any], zone: str) -> list[Badge]:
    """The same instant on the clock of this browser."""
    here = local(desk.get("desk_ms"), zone)
    if not here:
        return []
    city, about = place_of(zone), "Desk time on your clock."
    time_here = here.removesuffix(f" {city}")
    return [Badge(f"{time_here} local", about) if parts.phone() else Badge(time_here, about, more=city)]


def _drawdown(desk: Mapping[str, Any]) -> list[Badge]:
    lost = desk.get("drawdown_frac")
    shown = f"drawdown {percent(lost, 1)}" if lost and lost >= LEAST else ""
    return [Badge(shown, "Below the highest equity ever.", "", "wider")] if shown else []


def _waits(desk: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> list[Badge]:
    """What waits for a person: proposals, watches, alerts that nobody took, latched breakers; a note asks for nothing."""
    asking = [alert for alert in alerts if not alert.get("acked_by") and alert.get("severity") != "note"]
    latched = len(desk.get("breakers") or ())
    n = int(desk.get("pending") or 0) + int(desk.get("watches_asked") or 0) + len(asking) + latched
    if not n:
        return []
    return [Badge(f"▲ {n} wait{'s' if n == 1 else ''}", "Proposals to decide and alerts to take.", "wrn", where={"tab": "desk"})]


def _model(model: Mapping[str, Any]) -> Badge:
    if model.get("offline", True):
        return Badge("OFFLINE", "A planner answers, no language model; nothing you type leaves this machine.", more="planner")
    host = f" at {model['host']}" if model.get("host") else ""
    return Badge(f"model {model.get('name')}", f"{model.get('name')}{host}. {model.get('privacy') or ''}")
