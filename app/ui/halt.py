"""HALT and release, on every tab. Called by app.ui.head. HALT works with the API down too, by the latch file (app.client)."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import links, orders, parts, rights
from app.ui.figures import SIMULATED, bar_ms, counted, is_number, price, pure, short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

IN_A_TERMINAL = "In a terminal: `nightdesk halt --reason WHY`"
FLATTENS = dict.fromkeys(SIMULATED, "No new entries; positions are flattened at the next open.")
AT_VENUE = "Entry orders are cancelled and positions closed at the venue at once; what protects them is cancelled last."
STEPS_MAX = 30
KILLED = "KILLED"
NO_REASON = "halted from the page, no reason given"


def halt_button(api: PageClient, session: Mapping[str, Any], mode: str) -> None:
    """The HALT button, always visible: asks why, then latches; the form closes afterwards. `mode`: of the desk, as last known."""
    n = st.session_state.setdefault("halts", 0)
    with st.popover("HALT", type="primary", icon=":material/front_hand:", key=f"halt_open_{n}"):
        st.markdown(f"**Halt the desk.** {FLATTENS.get(mode, AT_VENUE)} It stays halted until a person releases it.")
        with st.form(f"halt_form_{n}", border=False):
            st.text_input("Why", max_chars=200, placeholder="what you saw", key=f"halt_reason_{n}")
            rights.submit(
                api, "Halt now", type="primary", width="stretch", key="halt_now", on_click=_halt, args=(api, n, session)
            )
    if failed := st.session_state.get("halt_failed"):
        st.error(failed, icon=":material/error:")


def _halt(api: PageClient, n: int, session: Mapping[str, Any]) -> None:
    """Latch before anything else of the page is drawn or requested; the outcome is shown when the page is drawn."""
    st.session_state.pop("halt_failed", None)
    reason = one_line(st.session_state.get(f"halt_reason_{n}")) or NO_REASON
    try:
        latch = api.halt(reason, str(session.get("name") or ""))
    except Trouble as trouble:
        st.session_state["halt_failed"] = f"The halt was **not** latched: {words(trouble.what)}. {IN_A_TERMINAL}"
        return
    if latch.get("by_file"):
        st.session_state["by_file"] = f"**HALTED by file**: the API did not answer. {words(reason)}"
    st.session_state["halts"] += 1


def halted_banner(api: PageClient, desk: Mapping[str, Any], session: Mapping[str, Any]) -> None:
    """Why the desk is halted, and the release form."""
    latch = desk.get("halt") or {}
    if not latch.get("halted"):
        return
    by = str(latch.get("by") or "unknown")
    now_ms = desk.get("now_ms")
    since = f"{short(latch.get('since_ms'), now_ms)} (wall clock)"
    with st.container(horizontal=True, vertical_alignment="center", key="halted"):
        parts.note(f"■ HALTED by {by} since {since}:", str(latch.get("reason") or "no reason recorded"), "bad")
        with st.popover("Release", key="release_open"):
            _release_form(api, session, str(desk.get("release_effect") or ""))
    found = api.last("/api/halt/progress")
    waits = ""
    if found.get("state") not in (None, KILLED):
        simulated = desk.get("mode") in SIMULATED
        waits = waits_for(desk, api.last("/api/sleeves")["items"]) if simulated else tries(found, now_ms)
    _progress(found, waits, now_ms)


def waits_for(desk: Mapping[str, Any], sleeves: Sequence[Mapping[str, Any]]) -> str:
    """Of a simulated venue: when the exits fill, and what keeps them from it."""
    worker, desk_ms = desk.get("worker") or {}, desk.get("desk_ms")
    steps = [step for sleeve in sleeves if (step := bar_ms(sleeve.get("timeframe")))]
    if not is_number(desk_ms) or not steps:
        return ""
    text = f"They leave at the open of the next bar, booked when it closes: {short(desk_ms + min(steps), desk_ms)} desk time."
    if not worker.get("running"):
        return f"{text} No worker runs: they stay open until one does."
    if worker.get("phase") == "waiting":
        return f"{text} The worker waits for that bar: they stay open until it is there."
    return text


def tries(found: Mapping[str, Any], now_ms: Any) -> str:
    """Of an account: until when the desk itself tries to close what is left, and what a person does then."""
    until = found.get("tries_until_ms")
    if not is_number(until):
        return ""
    at = f"{short(until, now_ms)} (wall clock)"
    if found.get("tried"):
        looks = "It looks every ten seconds and says when nothing is left."
        return f"The desk tried until {at} and tries no more: close the rest at the venue. {looks}"
    return f"The desk tries until about {at}, ten times after its own exits; then it says what is left for a person."


def _progress(found: Mapping[str, Any], waits: str, now_ms: Any) -> None:
    """How far the halt has come: the verdict, what is left, and folded what was cancelled and closed."""
    if found.get("state") is None:
        return
    steps = found["steps"]
    done = [counted(sum(step["what"] == "cancelled" for step in steps), "order cancelled", "orders cancelled")]
    closed = sum(step["what"] == "closed" for step in steps)
    done.append(counted(closed, "exit has filled", "exits have filled") if closed else "no exit has filled")
    if found["state"] == KILLED:
        parts.note("● KILLED:", f"{', '.join(done)}, nothing is left.", "calm")
    else:
        parts.note(
            f"▲ {found['state'].replace('_', ' ')}:", f"{', '.join(done)}. Left: {'; '.join(found['left'])}. {waits}", "warn"
        )
    for maker in found.get("makers", ()):
        state, is_over = _maker_state(maker)
        parts.note(f"{'●' if is_over else '▲'} maker {maker['name']}:", state, "calm" if is_over else "warn")
    if steps:
        with st.expander("What the halt did"):
            rows = [_step(step, now_ms) for step in steps[-STEPS_MAX:]]
            parts.table(("at, wall clock", "what", "order", "units", "price"), rows, left=(0, 1, 2), thin=(4,))


def _maker_state(maker: Mapping[str, Any]) -> tuple[str, bool]:
    """(what the halt has made of a market maker, whether that is all of it)."""
    ended = maker.get("ended")
    if not maker["stopped"]:
        return "has not stopped yet" if ended is None else "has not stopped yet, AT AN ACCOUNT", False
    if ended is None:
        return "stopped", True
    return f"stopped, at its account: {ended or 'still cancelling and leaving'}", ended == KILLED


def _step(step: Mapping[str, Any], now_ms: Any) -> Sequence[parts.Cell]:
    """One order that the halt has ended, in part or whole."""
    of = parts.Linked(f"{orders.named(step)}, {step['side']}", links.place("order", str(step["order"])) or {})
    return (short(step["at_ms"] // 1000 * 1000, now_ms), str(step["what"]), of, pure(step["quantity"]), price(step["price"]))


def _release_form(api: PageClient, session: Mapping[str, Any], effect: str) -> None:
    """What it changes, a reason, and a passphrase if people.toml has entries; refused while the desk is unhealthy."""
    who = f"{session.get('name') or 'unknown'} ({session.get('assurance') or 'claimed'})"
    st.markdown(f"**Release the halt** as {words(who, 80)}.")
    if effect:
        st.markdown(words(effect, 400))
    rights.line(api, "release")
    with st.form("release_form", border=False):
        reason = st.text_input("Why it is safe again", max_chars=200, key="release_reason")
        passphrase = st.text_input("Passphrase", type="password", key="release_word") if session.get("passphrase_needed") else ""
        if rights.submit(api, "Release", width="stretch", key="release_now"):
            _release(api, one_line(reason), passphrase)


def _release(api: PageClient, reason: str, passphrase: str) -> None:
    """Ask the API to release; show a refusal."""
    if not reason:
        st.warning("A release needs a reason.")
        return
    try:
        api.delete("/api/halt", {"reason": reason} | ({"passphrase": passphrase} if passphrase else {}))
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    st.rerun()
