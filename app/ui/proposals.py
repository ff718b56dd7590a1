"""The proposals tab: pending proposals, decided ones, versions and rollback. Called by streamlit_app.py."""

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import card, clocks, links, parts, rights, versions
from app.ui.figures import both, clock, setting, to_minute
from app.ui.page_client import PageClient, Trouble
from app.ui.parts import Linked
from app.ui.safe import one_line, words

# kinds of rows beside the evidence
LEFT = ("text", "direction", "diff", "applies", "worst", "warning", "expiry", "decision", "now")
SEEN = "cards_seen"  # in the session: proposals that were shown while they were pending
MINUTE_MS = 60_000
AGAIN = ("stale", "expired")  # states from which the same change can be proposed again


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The card in the URL, or the lists with the versions."""
    ident = links.at("proposal")
    if ident:
        st.button("All proposals", icon=":material/arrow_back:", type="tertiary", on_click=links.go, args=({"tab": "proposals"},))
        _open(api, session, ident)
        return
    _pending(api, session)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _decided(api)
    with right:
        versions.show(api)


def _pending(api: PageClient, session: Mapping[str, Any]) -> None:
    """Pending proposals as full cards: nobody decides on a summary. One that is decided while it is shown stays, with its
    outcome, until it is put away."""
    st.subheader("Waiting for a person", anchor=False)
    items = api.get("/api/proposals", state="pending", limit=50)["items"]
    waiting = [str(held["id"]) for held in items]
    seen = [ident for ident in st.session_state.get(SEEN, []) if ident not in waiting]
    st.session_state[SEEN] = [*seen, *waiting]
    for ident in seen:
        st.button("Put away", icon=":material/close:", type="tertiary", key=f"away_{ident}", on_click=_put_away, args=(ident,))
        _open(api, session, ident)
    under_way = api.last("/api/proposing")["items"] if session else []
    for one in under_way:
        to = Linked("Look at it", {"tab": "sleeves", "sleeve": one["sleeve"]})
        changes = ", ".join(f"{change['key']} = {setting(change['value'])}" for change in one["changes"])
        parts.note(f"◐ The evidence of a proposal for {one['sleeve']} runs:", f"{changes}.", "calm", to=to)
    if not items and not seen and not under_way:
        st.caption(
            "No pending proposals. Ask the developer for a change, or the operator for a tightening: they propose, you decide."
        )
    for held in items:
        with st.container(border=True):
            _card(api, session, held)


def _put_away(ident: str) -> None:
    """Show a decided card no longer among those that wait."""
    st.session_state[SEEN] = [seen for seen in st.session_state.get(SEEN, []) if seen != ident]


def _decided(api: PageClient) -> None:
    """The latest proposals that are no longer pending, one line each."""
    st.subheader("Decided or expired", anchor=False)
    items = [p for p in api.get("/api/proposals", limit=50)["items"] if p.get("state") != "pending"]
    if not items:
        st.caption("None yet.")
    for held in items[:20]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.button(words(held["id"], 40), "proposal", str(held["id"]), key=f"decided_{held['id']}")
            at = to_minute(held.get("decided_ms") or held.get("created_ms"), clocks.wall_ms())
            now = (held.get("runs_now") or {}).get("outcome")
            state = f"{held.get('state')}, {now}" if held.get("state") == "applied" and now else held.get("state")
            st.caption(words(f"{state} · {held.get('sleeve') or 'desk'} · {held.get('verdict')} · {at}", 200))


def _open(api: PageClient, session: Mapping[str, Any], ident: str) -> None:
    """The card of one proposal."""
    try:
        held = api.get(f"/api/proposals/{ident}")
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    with st.container(border=True):
        _card(api, session, held)


def _card(api: PageClient, session: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """The whole card and what can be done with it."""
    ident = str(held["id"])
    card.title(held)
    runs = bool(held.get("evidence_runs"))
    left, right = st.columns([1, 1], gap="large") if runs else (st.container(), st.container())
    phone = parts.phone()
    with left:
        if phone:  # the columns stand below each other: nobody decides before the verdict
            card.paint(held, "finding")
        card.paint(held, *LEFT)
        if held.get("state") == "pending":
            _countdown(api, ident, int(held["created_ms"]), int(held["expires_ms"]))
        _buttons(api, session, held)
        card.show_outcome(ident)
        if held.get("state") == "applied" and (held.get("runs_now") or {}).get("outcome") in (None, "runs"):
            _adoption(api, ident)
    with right:
        if not phone:
            card.paint(held, "finding")
        card.paint(held, "evidence")
        card.evidence(api, held)


@st.fragment(run_every=2)
def _countdown(api: PageClient, ident: str, created_ms: int, expires_ms: int) -> None:
    """Time left, counted down; redraws when the proposal is decided elsewhere or expires."""
    left, whole = expires_ms - _now_ms(), max(1, expires_ms - created_ms)
    st.progress(min(1.0, max(0.0, left / whole)), text=_until(left, expires_ms))
    try:
        state = api.get(f"/api/proposals/{ident}").get("state")
    except Trouble:  # shown in the strip
        return
    if state != "pending":
        st.rerun()


def _until(left: int, expires_ms: int) -> str:
    """How long is left, and until when in UTC and here: of the wall clock, whatever time the desk has."""
    minute = expires_ms // MINUTE_MS * MINUTE_MS
    return (
        f"{clock(left / 1000)} left to decide, until {both(minute, _now_ms(), str(st.context.timezone or ''))}, wall clock"
        if left > 0
        else "expired"
    )


def _buttons(api: PageClient, session: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """Approve, reject, propose again: under the person's own name."""
    ident, state = str(held["id"]), held.get("state")
    name = words(session.get("name") or "unknown", 40)
    if state in AGAIN:
        rights.button(
            api,
            "Propose again on the current version",
            key=f"refresh_{ident}",
            icon=":material/refresh:",
            on_click=card.refresh,
            args=(api, ident),
        )
    if state != "pending":
        return
    if (held.get("decided_by") or {}).get("one_of_two"):
        parts.note(f"▲ {held['decided_by'].get('name')} has approved it:", "it waits for a second person.", "warn")
    if promotes := card.act_of(held) == "promote":
        command = f"nightdesk proposals approve {ident} --as {name}"
        parts.note("▲ A step nearer to money", "takes your passphrase, typed in a terminal:", "warn", command=command)
    with st.container(horizontal=True):
        if promotes:
            pass  # the API would refuse it: no page sends a passphrase with an approval
        elif held.get("direction") in ("tightens", "neutral"):
            rights.button(
                api,
                f"Approve as {name}",
                key=f"yes_{ident}",
                act=card.act_of(held),
                type="primary",
                icon=":material/check:",
                on_click=card.approve,
                args=(api, held),
            )
        else:
            off = rights.off(api, card.act_of(held))
            with st.popover(f"Approve as {name} …", key=f"ask_{ident}", icon=":material/warning:", **off):
                st.markdown("This change **loosens** the desk's limits, or code cannot rule that out.")
                yes: dict[str, Any] = {"type": "primary", "on_click": card.approve, "args": (api, held)}
                rights.button(api, "I understand; approve", key=f"yes_{ident}", act=card.act_of(held), **yes)
        off = rights.off(api, "reject")
        with st.popover("Reject …", key=f"no_{ident}", **off), st.form(f"reject_form_{ident}", border=False):
            st.text_input("Why not", max_chars=200, key=f"why_{ident}")
            rights.submit(api, "Reject", key=f"reject_{ident}", on_click=_rejected, args=(api, ident))
    rights.line(api, card.act_of(held), "reject")


def _rejected(api: PageClient, ident: str) -> None:
    """Reject with the form's text, read on submit."""
    card.reject(api, ident, one_line(st.session_state.get(f"why_{ident}")) or "no reason given")


@st.fragment(run_every=2)
def _adoption(api: PageClient, ident: str) -> None:
    """Follow the adoption until every sleeve trades the new version."""
    try:
        adoption = api.get(f"/api/proposals/{ident}").get("adoption") or {}
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    if adoption.get("adopted") and not adoption.get("waiting"):
        st.success(f"Adopted: the desk runs version {words(adoption.get('desk_version'))}.", icon=":material/check_circle:")
    elif adoption.get("adopted"):
        waiting = ", ".join(map(str, adoption["waiting"]))
        st.info(
            f"Adopted; these keep the old version until their open position closes: {words(waiting)}", icon=":material/check:"
        )
    else:
        st.info(f"Approved. {words(adoption.get('follows') or 'Not adopted yet.')}", icon=":material/progress_activity:")
    if adoption.get("event"):
        links.button(
            words(f"journal {adoption['event']}"),
            "event",
            str(adoption["event"]),
            key=f"adopted_{ident}",
            icon=":material/menu_book:",
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
