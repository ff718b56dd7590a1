"""Alerts with what to do about them, and the health checks; the line of them on every tab. Called by app.ui.desk and head."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from app.ui import links
from app.ui.figures import figure, is_number, length, number, percent, when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import markdown, words

EVERY_S = 5
SIGNS = {
    "ok": ":material/check_circle:",
    "warning": ":material/warning:",
    "bad": ":material/error:",
    "unknown": ":material/question_mark:",
}
Color = Literal["red", "orange", "gray", "green"]
COLORS: Mapping[str, Color] = {"page": "red", "warn": "orange", "note": "gray"}
LABELS = {"page": "PAGE", "warn": "WARNING", "note": "NOTE"}
BROUGHT = {"sent": "sent", "waiting": "not sent yet", "sending": "being sent", "failed": "NOT DELIVERED", "dropped": "not sent"}
HIDDEN = ("level",)  # of the numbers: how bad, for the watch alone
UNITS = {"equity": "usd", "peak": "usd", "entry": "price", "protective": "price"}


@st.fragment(run_every=EVERY_S)
def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """What is open, what was looked at, what is over; drawn anew by itself."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        _alerts(api, session)
    with right:
        st.markdown("**Checks, as of now**")
        try:
            checks = api.desk(fresh=True).get("checks") or []
        except Trouble as trouble:
            st.caption(trouble.markdown())
            return
        for check in checks:
            _check(check)


def found(api: PageClient) -> list[dict[str, Any]]:
    """What is open."""
    items: list[dict[str, Any]] = api.get("/api/alerts", open="true", limit=100)["items"]
    return items


def strip(items: Sequence[Mapping[str, Any]]) -> None:
    """On every tab: the pages nobody has answered, and how much else is open."""
    waiting = [item for item in items if item.get("severity") == "page" and not item.get("acked_by")]
    if not items:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="alerted"):
        if waiting:
            more = f" · and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            st.error(f"**PAGE** {words(waiting[0].get('what'), 200)}{more}", icon=":material/notifications_active:")
        label = "1 open alert" if len(items) == 1 else f"{len(items)} open alerts"
        links.press(label, {"tab": "desk", "view": "alerts"}, key="to_alerts", icon=":material/notifications:")


def _alerts(api: PageClient, session: Mapping[str, Any]) -> None:
    st.markdown("**Alerts**")
    only_open = st.toggle("Open ones only", value=True, key="alerts_open")
    try:
        held = api.get("/api/alerts", open="true" if only_open else "false", limit=100)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    if held.get("reason"):
        st.warning(markdown(str(held["reason"])))
    if not held["items"]:
        st.caption("No alert is open. That nothing is alarmed is no proof of health: see the checks.")
    books: dict[str, str] = {}
    for item in held["items"]:
        _alert(api, session, item, books)


def _alert(api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any], books: dict[str, str]) -> None:
    """What, where, since when, with which numbers, what to do, who was told, who is on it."""
    severity, over, ident = str(item.get("severity") or "warn"), item.get("state") == "resolved", str(item.get("id"))
    with st.container(border=True, key=f"card_{words(ident, 20)}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(LABELS.get(severity, words(severity, 20)), color="gray" if over else COLORS.get(severity, "orange"))
            if over:
                st.badge("OVER", color="green")
            st.caption(words(f"{ident} · {item.get('kind')}" + (f" · {item['place']}" if item.get("place") else ""), 200))
        st.markdown(f"**{words(item.get('what'), 400)}**")
        since, ended = item.get("since_ms"), item.get("resolved_ms")
        st.caption(words(f"since {when(since)}, " + (f"over {when(ended)}" if over else "still so") + _insisted(item), 300))
        if said := numbers(item.get("numbers") or {}):
            st.markdown(words(said, 400))
        if item.get("action") and not over:
            st.markdown(f"**To do:** {words(item['action'], 500)}")
            _book(api, str(item.get("runbook") or ""), books, ident)
        for line in brought(item.get("deliveries") or []):
            st.caption(line)
        _who(api, session, item, ident, over=over)


def _insisted(item: Mapping[str, Any]) -> str:
    """How often it was found and sent again."""
    times = int(item.get("escalations") or 0)
    return f" · escalated {times} time{'s' if times != 1 else ''}" if times else ""


def numbers(held: Mapping[str, Any]) -> str:
    """The numbers of an alert as people read them: times as times, fractions as per cent, the rest short."""
    parts = []
    for name, value in held.items():
        if name in HIDDEN or value is None:
            continue
        bare, said = name.removesuffix("_ms").removesuffix("_frac").removesuffix("_s"), str(value)
        if is_number(value):
            kinds = {"_ms": when, "_frac": percent, "_s": length}
            form = next((form for end, form in kinds.items() if name.endswith(end)), number)
            said = figure(value, UNITS[name]) if name in UNITS else form(value)
        parts.append(f"{bare.replace('_', ' ')} {said}")
    return ", ".join(parts)


def _book(api: PageClient, name: str, books: dict[str, str], ident: str) -> None:
    """The runbook of an alert, folded."""
    bare = name.rpartition("/")[2].removesuffix(".md")
    if not links.ID.fullmatch(bare):
        return
    if bare not in books:
        try:
            books[bare] = str(api.get(f"/api/runbooks/{bare}")["text"])
        except Trouble as trouble:
            st.caption(f"Runbook {words(name, 80)}: {trouble.markdown()}")
            return
    with st.expander(f"Runbook: {words(bare.replace('-', ' '), 60)}", icon=":material/menu_book:", key=f"book_{ident}"):
        st.markdown(markdown(books[bare]))


def brought(deliveries: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each message: where to, what became of it, why not."""
    lines = []
    for d in deliveries:
        state = str(d.get("state"))
        at = f" {when(d['sent_ms'])}" if d.get("sent_ms") else ""
        tries = f" after {d['attempts']} tries" if state != "sent" and (d.get("attempts") or 0) > 1 else ""
        why = f": {words(d['error'], 300)}" if d.get("error") else ""
        loud = f"**{BROUGHT[state]}**" if state == "failed" else BROUGHT.get(state, words(state, 20))
        step = f" ({words(d['step'], 30)})" if d.get("step") else ""
        lines.append(f":material/send: {words(d.get('sink'), 20)}{step}: {loud}{words(at)}{tries}{why}")
    return lines or [":material/desktop_windows: No message was sent anywhere: it stands here and in the desk's terminal."]


def _who(api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any], ident: str, *, over: bool) -> None:
    """Who is on it, or the button for that; the event that shows it."""
    by = item.get("acked_by")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if by:
            name = by.get("name") if isinstance(by, Mapping) else by
            how = f" ({by.get('assurance')}, {by.get('channel')})" if isinstance(by, Mapping) else ""
            st.markdown(f":material/person: {words(f'on it: {name}{how} since ' + when(item.get('acked_ms')), 200)}")
        elif not over:
            label = f"Acknowledge as {words(session.get('name') or 'nobody', 40)}"
            st.button(label, key=f"ack_{ident}", icon=":material/done:", on_click=_ack, args=(api, ident))
        links.button(words(item.get("event")), "event", str(item.get("event") or ""), key=f"alert_{ident}")
    if said := st.session_state.get(f"ack_error_{ident}"):
        st.error(said)


def _ack(api: PageClient, ident: str) -> None:
    st.session_state.pop(f"ack_error_{ident}", None)
    try:
        api.post(f"/api/alerts/{ident}/ack")
    except Trouble as trouble:
        st.session_state[f"ack_error_{ident}"] = trouble.markdown()


def _check(check: Mapping[str, Any]) -> None:
    name = words(check.get("name"), 60)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"line_check_{name}"):
        sign = SIGNS.get(str(check.get("state")), SIGNS["unknown"])
        target = links.href("event", str(check.get("event") or ""))
        event = f" [{words(check['event'], 20)}]({target})" if target else ""
        st.markdown(f"{sign} **{name}** {words(check.get('text'), 400)}{event}")
