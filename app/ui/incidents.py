"""What is not the strategies': differences from the venue with their choices, and incident windows. Called by overview.py.

Nothing is drawn while there is neither; a person decides at the command line, whose words are shown.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import links, parts
from app.ui.figures import number, short, tone
from app.ui.page_client import PageClient
from app.ui.safe import typeset

WINDOWS_MAX, CENT = 6, 0.01
_TRADE = re.compile(r"(?<![\w:])([a-z][a-z0-9]{1,20}:[A-Z0-9]{1,16}-[A-Z0-9]{1,12}:perp):([\w-]{1,40})")


def concerns(desk: Mapping[str, Any]) -> bool:
    """Whether there may be anything to show."""
    at_account = desk.get("mode") not in (None, "paper")
    return bool(at_account or desk.get("incident") is not None or desk.get("windows") or desk.get("entries_blocked"))


def show(api: PageClient, desk: Mapping[str, Any], *, beside: bool = False) -> None:
    """The card of each difference, then the windows. `beside`: of the account's page, which says itself what is not well."""
    if not concerns(desk):
        return
    # an account's differences come between two marks
    found, listed = api.last("/api/reconcile"), api.as_of(desk.get("event"), "/api/incidents", limit=WINDOWS_MAX)
    differs = bool(found["differences"] or found["orphans"])
    if not (differs or listed["items"] or (found["entries_blocked"] and not beside)):
        return
    with st.container(key="panel_incidents"):
        if differs or (found["entries_blocked"] and not beside):
            _card(found, beside=beside)
        if listed["items"]:
            _windows(listed, desk.get("desk_ms"))


def _card(found: Mapping[str, Any], *, beside: bool) -> None:
    """Why nothing may enter, and what a person can do about each difference."""
    who = "no sleeve enters" if found["entries_blocked"] else "the sleeves concerned enter nothing"
    parts.head("Desk and venue", f"{who}; open positions keep their stops")
    for difference in found["differences"]:
        to = links.place("event", str(difference["event"])) if difference.get("event") else None
        where = parts.Linked(str(difference["event"]), to) if to else None
        parts.note(f"■ {difference['what']}", str(difference["text"]), "bad", to=where)
        parts.pairs([(choice["choice"], str(choice["does"])) for choice in difference["choices"]], said=True)
    for orphan in found["orphans"]:
        tried = f"{orphan['lots']} lots that no order explains; {orphan['tries']} tries to close them"
        parts.note(f"■ {orphan['instrument']}", tried, "bad", command="nightdesk reconcile")
    to_account = parts.Linked("the account's page", {"tab": "desk", "view": "account"})
    for what, why in {} if beside else found["blocked"].items():
        parts.note(f"▲ {what}:", f"{why}.", "warn", to=to_account)


def _windows(listed: Mapping[str, Any], now_ms: Any) -> None:
    """The windows with their P&L, and the two parts of the desk's, in cents that sum."""
    pnl = listed.get("pnl") or {}
    whole, incident = (round(pnl[name], 2) if pnl else None for name in ("whole", "incident"))
    strategy = number(None if whole is None or incident is None else whole - incident, sign=True)
    text = (
        f"P&L since the start, USDT: {number(whole, sign=True)}: strategies {strategy}, incidents {number(incident, sign=True)}"
    )
    of_sleeves = [of["whole"] for of in (pnl.get("sleeves") or {}).values()]
    alone = pnl["whole"] - sum(of_sleeves) if of_sleeves else 0.0
    text += f", {number(alone, sign=True)} of it of no sleeve and in no equity here" if abs(alone) >= CENT / 2 else ""
    parts.head("Incidents", text if pnl else "apart from the strategies")
    rows = [_row(window, now_ms) for window in listed["items"]]
    parts.table(("window", "from, to", "covers", "cause", "P&L, USDT"), rows, left=(0, 1, 2, 3), thin=(2,), wrap=(1, 3))
    if any(window["closed_ms"] is None for window in listed["items"]):
        parts.soft("A window ends when a person closes it; its page has the command.")
    if (more := listed["total"] - len(listed["items"])) > 0:
        parts.soft(f"and {more} older: nightdesk incidents list")


def cause(text: object) -> str:
    """What opened a window, for a reader: of a trade nobody knows `okx:BTC-USDT:perp:126` is its name in the journal."""
    return _TRADE.sub(r"trade \2 of \1", str(text))


def _row(window: Mapping[str, Any], now_ms: Any) -> Sequence[parts.Cell]:
    to = links.place("window", str(window["id"]))
    name: parts.Cell = parts.Linked(str(window["id"]), to) if to else str(window["id"])
    ended = "open" if window["closed_ms"] is None else f"to {short(window['closed_ms'], now_ms)} by {window['closed_by']}"
    spans = (f"{short(window['opened_ms'], now_ms)}, {ended}", "wrn" if window["closed_ms"] is None else "")
    covers, pnl = ", ".join(map(str, window["sleeves"] or window["instruments"])), window["pnl"]
    why = cause(window["cause"])
    why = f"{why}. Lesson: {window['lesson']}" if window.get("lesson") else why
    return (name, spans, covers, typeset(why), (number(pnl, sign=True), tone(pnl)))
