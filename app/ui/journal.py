"""The journal as a timeline with filters, and one event with causes and consequences. Called by app.ui.desk."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import streamlit as st

from app.ui import clocks, links, orders, parts
from app.ui.figures import short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, typeset, words

KINDS = (
    "decision",
    "intent",
    "sent",
    "order",
    "amend",
    "fill",
    "funding",
    "breaker",
    "halt",
    "config",
    "health",
    "reconcile",
    "adopt",
    "reduced",
    "lapse",
    "leave",
    "orphan",
    "transfer",
    "window",
    "cursor",
    "attach",
    *("incident", "probe", "gate", "shadow", "snapshot", "mark", "bar"),
)
QUIET = ["order", "fill", "funding", "breaker", "halt", "config", "health", "reconcile", "adopt", "reduced", "leave", "orphan"]
QUIET += ["incident", "window", "transfer"]  # shown by default
PEOPLE = ("ask", "answer", "tool", "proposal", "approve", "reject", "halt", "release", "job")
PAGE = 60
JOURNALS = {"desk": "desk", "people": "people and roles"}


def show(api: PageClient) -> None:
    """The event in the URL, or the timeline."""
    ident = links.at("event")
    if ident:
        _story(api, ident)
        return
    with st.expander("Filters") if parts.phone() else st.container():
        query = _filters(api)
    try:
        page = api.get("/api/journal", **query, cursor=st.session_state.get("cursor"))
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    if not page["items"]:
        st.caption("No event matches these filters.")
    _lines([event for event in page["items"] if st.session_state.get("j_kinds") or not event.get("routine")])
    with st.container(horizontal=True):
        if st.session_state.get("cursor"):
            st.button("Newest", icon=":material/first_page:", on_click=_turn, args=(None,))
        if page.get("next"):
            st.button("Further back", icon=":material/chevron_right:", on_click=_turn, args=(page["next"],))


def _turn(cursor: Any) -> None:
    st.session_state["cursor"] = cursor


def _filters(api: PageClient) -> dict[str, Any]:
    """The filters as a query; changing one returns to the newest page."""
    sleeves = [one_line(s["name"], 60) for s in api.get("/api/sleeves")["items"]]
    one, two, three, four, five = st.columns([1.1, 2.4, 1.2, 1.5, 1.2], vertical_alignment="bottom")
    change: dict[str, Any] = {"on_change": _turn, "args": (None,)}
    which = one.selectbox("Journal", tuple(JOURNALS), format_func=lambda name: JOURNALS[name], key="j_which", **change)
    kinds: list[str] = []
    if which == "desk":
        chosen = two.multiselect("Kinds", KINDS, key="j_kinds", placeholder="changes only", **change)
        kinds = chosen or QUIET
    sleeve = three.selectbox("Sleeve", ["", *sleeves], format_func=lambda name: name or "all", key="j_sleeve", **change)
    text = four.text_input("Contains", key="j_text", max_chars=80, **change)
    day = five.date_input("Until day", value=None, key="j_day", help="desk time, UTC", **change)
    until = None if day is None else int(datetime.combine(day + timedelta(days=1), time(), UTC).timestamp() * 1000)
    return {"journal": which, "kinds": ",".join(kinds), "sleeve": sleeve, "text": text, "until_ms": until, "limit": PAGE}


def _lines(events: Sequence[Mapping[str, Any]]) -> None:
    """Events, one a row: time, kind, text, each leading to its story."""
    if events:
        with st.container(key=f"panel_journal_{words(events[0]['id'], 20)}"):
            clock = "wall clock, UTC" if str(events[0]["id"]).startswith("p-") else "desk time, UTC"
            heads = (clock, "kind", "what", "event")
            parts.table(heads, [_line(event) for event in events], left=(0, 1, 2), thin=(1,), wrap=(2,))


def _line(event: Mapping[str, Any]) -> Sequence[parts.Cell]:
    """One event."""
    sleeve, told = (event.get("body") or {}).get("sleeve"), str(event.get("told"))
    text = f"{sleeve}: {told}" if sleeve and str(sleeve) not in told else told
    to = links.place("event", str(event["id"]))
    ident: parts.Cell = parts.Linked(str(event["id"]), to) if to else str(event["id"])
    return (short(event.get("t_event_ms"), _now_ms(event)), str(event.get("kind")), typeset(text), ident)


def _now_ms(event: Mapping[str, Any]) -> Any:
    """Now, by the clock that an event's journal goes by."""
    return clocks.wall_ms() if str(event["id"]).startswith("p-") else clocks.desk_ms()


def _story(api: PageClient, ident: str) -> None:
    """An event with its causes and consequences."""
    st.button(
        "Timeline", icon=":material/arrow_back:", type="tertiary", on_click=links.go, args=({"tab": "desk", "view": "journal"},)
    )
    try:
        story = api.get(f"/api/journal/{ident}")
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    for name, title in (("before", "What led to it"), ("followed", "What followed")):
        if name == "followed":
            _event(story["event"])
        if story.get(name):
            parts.head(title)
        _lines(story.get(name) or [])
    if story.get("order"):
        with st.container(key="panel_order_life"):
            orders.life(story["order"])


def _event(event: Mapping[str, Any]) -> None:
    """The event with its full body."""
    with st.container(border=True):
        clock = "wall clock" if str(event["id"]).startswith("p-") else "desk time"
        st.markdown(
            f"**{words(event['id'], 20)}** · {words(event.get('kind'), 20)} · {clock} "
            f"{words(short(event.get('t_event_ms'), _now_ms(event)))}"
        )
        st.markdown(words(typeset(str(event.get("told"))), 600))
        written = f"written by {event.get('writer')}, received {short(event.get('t_recv_ms'), clocks.wall_ms())} (wall clock)"
        st.caption(words(f"{written}, configuration v{event.get('config_version')}", 200))
        with st.expander("As it is in the journal"):
            st.code(json.dumps(event.get("body"), indent=1, ensure_ascii=False)[:8000], language="json")
