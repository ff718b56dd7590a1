"""One incident window: what, since when, what it made apart from the strategies, its orders, its lesson, how it is closed.

Called by alerts.py; the list of windows (incidents.py) leads here. A person opens and closes windows at the command line.
"""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import streamlit as st

from app.ui import checklist, clocks, incidents, links, orders, parts, rights
from app.ui.figures import NONE, count, number, short, to_minute, tone
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import typeset

ORDERS_MAX = 40  # the newest
LIVES_MAX = 500
EVERY_S = 5


def show(api: PageClient, session: Mapping[str, Any], ident: str) -> None:
    """The window with this id."""
    where = {"tab": "desk", "view": "alerts"}
    links.press("Alerts", where, key="incident_back", icon=":material/arrow_back:", look="tertiary")
    try:
        found = api.get(f"/api/incidents/{ident}")
    except Trouble as trouble:
        parts.note("▲ Not shown.", f"{trouble.what}. {trouble.hint}", "warn")
        return
    now_ms = api.last("/api/desk").get("desk_ms")
    parts.title(f"Incident {found['id']}", _about(found, now_ms))
    _state(found, str(session.get("name") or "NAME"))
    parts.tiles(tiles(found))
    left, right = st.columns([1.4, 1], gap="small")
    with left:
        with st.container(key="panel_incident"):
            parts.head("What is known of it")
            parts.pairs(list(_facts(found, now_ms)), said=True)
        if found["closed_ms"] is None:
            _runbooks(api, session, str(found["id"]), found.get("runbooks") or ())
    with right.container(key="panel_incident_orders", height="stretch"):
        ids = found["orders"][-ORDERS_MAX:]
        more = len(found["orders"]) - len(ids)
        parts.head("Orders in it", f"{count(len(found['orders']))}, the newest first")
        _orders(api, ids[::-1])
        parts.soft(f"and {more} before: nightdesk incidents show {found['id']}" if more > 0 else "")


def _orders(api: PageClient, ids: Sequence[str]) -> None:
    """What each of them was and what became of it; of one that ended more than seven days ago its id alone."""
    if not ids:
        parts.soft("None.")
        return
    lives = {str(life["cid"]): life for life in api.last("/api/orders", limit=LIVES_MAX)["items"]}
    rows: list[Sequence[parts.Cell]] = []
    for one in map(str, ids):
        life = lives.get(one)
        about = (f"{life['side']} {orders.size(life, life['lots'])}", str(life["state"])) if life else (NONE, "ended")
        rows.append((orders.linked(one, orders.named(life) if life else one), *about))
    parts.table(("order", "what", "now"), rows, left=(0, 1, 2), scroll=True)


@st.fragment(run_every=EVERY_S)
def _runbooks(api: PageClient, session: Mapping[str, Any], ident: str, runbooks: Sequence[str]) -> None:
    """Its runbooks, worked through about this window; refreshes itself."""
    with st.container(key="panel_incident_runbook"):
        parts.head("Its runbooks", "each step a check with evidence")
        rights.line(api, "checklist")
        checklist.show(api, session, checklist.open_ones(api), ident, runbooks)


def _about(found: Mapping[str, Any], now_ms: Any) -> list[dict[str, Any]]:
    """Whether it is open, since when, what it covers."""
    if found["closed_ms"] is None:
        state = {"text": f"open since {short(found['opened_ms'], now_ms)}, desk time", "loud": True}
    else:
        state = {"text": f"{short(found['opened_ms'], now_ms)} to {short(found['closed_ms'], now_ms)}, desk time"}
    return [state, {"text": typeset(", ".join(map(str, [*found["sleeves"], *found["instruments"]])))}]


def _state(found: Mapping[str, Any], name: str) -> None:
    """What is wrong and what to do about it; of a closed one the lesson."""
    if found["closed_ms"] is not None:
        parts.note(f"● Closed by {found['closed_by']}.", f"Lesson: {found.get('lesson') or 'none written'}.", "calm")
        return
    if found["lasting"]:
        parts.note(f"■ {typeset(incidents.cause(found['cause']))}.", f"It lasts: {'; '.join(map(str, found['lasting']))}.", "bad")
        return
    command = f"nightdesk incidents close {found['id']} --as {quote(name)} --cause WHY --lesson TEXT"
    rest = "Nothing keeps it open but a person's word. When it is over:"
    parts.note(f"▲ {typeset(incidents.cause(found['cause']))}.", rest, "warn", command=command)


def tiles(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the window made, and of what."""
    made = {"name": "P&L apart, USDT", "value": number(found["pnl"], sign=True), "note": "in no strategy's figures"}
    rest = (("Realised", "realised"), ("Fees paid", "fees"), ("Funding", "funding"), ("Orphans", "orphans"))
    parted = [{"name": name, "value": number(found[key], sign=key != "fees"), "note": "", "tone": ""} for name, key in rest]
    return [made | {"tone": tone(found["pnl"])}, *parted]


def _facts(found: Mapping[str, Any], now_ms: Any) -> Sequence[tuple[str, parts.Cell]]:
    """Who, when and why, in words."""
    event = links.place("event", str(found["opened_event"])) or {}
    rows: list[tuple[str, parts.Cell]] = [
        ("opened", f"{short(found['opened_ms'], now_ms)} by {found['opened_by']}"),
        ("by the wall clock", to_minute(found["opened_wall_ms"], clocks.wall_ms())),
        ("because of", typeset("; ".join(map(incidents.cause, found["causes"])) or incidents.cause(found["cause"]))),
        ("its event", parts.Linked(str(found["opened_event"]), event)),
    ]
    if found["closed_ms"] is not None:
        rows.append(("closed", f"{short(found['closed_ms'], now_ms)} by {found['closed_by']}"))
        rows.append(("lesson", str(found.get("lesson") or NONE)))
    rows.append(("its page", f"memory, incidents/{found['id']}: timeline, exposure, who did what"))
    return rows
