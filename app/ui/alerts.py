"""Alerts with their runbooks, and the health checks. Called by desk.py and handover.py; the line on every tab: strips.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import checklist, clocks, links, noticed, parts, rights, urgent, watches
from app.ui.figures import counted, figure, is_number, length, percent, pure, short, since, to_minute
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import markdown, one_line, typeset, words

EVERY_S = 5
SIGNS = {"ok": ("✓", "mut"), "warning": ("▲", "wrn"), "bad": ("■", "neg"), "unknown": ("?", "wrn")}
LABELS = {"page": "PAGE", "warn": "WARNING", "note": "NOTE"}
DELIVERIES = {
    "sent": "sent",
    "waiting": "not sent yet",
    "sending": "being sent",
    "failed": "NOT DELIVERED",
    "dropped": "not sent",
}
NAMES = {"desk_ms": "desk time", "until_desk_ms": "until desk time"}
SUBJECTS_MAX = 3  # of messages that did not arrive, named
HIDDEN = ("level",)  # numbers that only the watch needs
UNITS = {"equity": "usd", "peak": "usd", "high_water": "usd", "entry": "price", "protective": "price"}


@st.fragment(run_every=EVERY_S)
def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """Alerts and health checks, and what looks at the desk by itself; refreshes itself."""
    left, right = st.columns([3, 2], gap="small")
    with left:
        rights.line(api, "acknowledge", "note", "checklist")
        paged = any(
            one.get("severity") == "page" and not one.get("acked_by") for one in st.session_state.get("alerts_seen") or []
        )
        asked = not paged and watches.waits_for_a_person(api)
        if asked:  # a level that waits for a person is above what only is so, and below a page
            watches.show(api, session)
        _alerts(api, session)
        if not asked:
            watches.show(api, session)
    with right:
        _checks(api)
        noticed.show(api, clocks.wall_ms())


def _checks(api: PageClient) -> None:
    with st.container(key="panel_checks"):
        parts.head("Health checks", "of now; an event leads to what it was read from")
        try:
            checks = api.desk(fresh=True).get("checks") or []
        except Trouble as trouble:
            st.caption(trouble.markdown())
            return
        parts.listed(map(_check, sorted(checks, key=lambda check: check.get("state") == "ok")))


def _alerts(api: PageClient, session: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        parts.head("Alerts", "what asks most first; since when by the wall clock")
        only_open = st.toggle("Open only", value=True, key="alerts_open")
    try:
        answer = api.soon("/api/alerts", open="true" if only_open else "false", limit=100)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    if answer.get("reason"):
        st.warning(markdown(str(answer["reason"])))
    _ways(api, answer)
    if not answer["items"]:
        st.caption("No open alerts. This alone does not prove that the desk is healthy: see the checks.")
    lost = bool(answer.get("undelivered"))
    unsent = not lost and len(answer["items"]) > 1 and not any(item.get("deliveries") for item in answer["items"])
    if unsent:
        st.caption(
            ":material/desktop_windows: No message was sent: they are shown here, pages in the terminal of nightdesk up, too."
        )
    books: dict[str, str] = {}
    worked = checklist.open_ones(api)
    now_ms = clocks.wall_ms()
    ordered = sorted(answer["items"], key=urgent.rank)
    loud = [item for item in ordered if item.get("severity") != "note" or item.get("state") == "resolved"]
    for item in loud:
        _alert(api, session, item, (books, worked), now_ms, unsent=unsent)
    if notes := [item for item in ordered if item not in loud]:
        with st.expander(f"{counted(len(notes), 'note')}: so, and nobody has to act", expanded=not loud, key="alert_notes"):
            for item in notes:
                _alert(api, session, item, (books, worked), now_ms, unsent=unsent)
    checklist.others(api, session, worked, [str(item.get("id")) for item in answer["items"] if item.get("state") != "resolved"])


def _ways(api: PageClient, answer: Mapping[str, Any]) -> None:
    """Where messages go, what did not arrive, and a test."""
    names = [words(name, 40) for name in answer.get("ways") or []]
    for strong, rest in undelivered(answer.get("undelivered") or [], clocks.wall_ms()):
        parts.note(strong, rest, "bad")
    if not names:
        return
    if answer.get("rota"):
        st.caption(f"On call, in this order: {'; '.join(map(on_call, answer['rota']))}.")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Messages go to {', '.join(names)}.")
        if rights.button(api, "Send a test", key="notify_test"):
            try:
                made = api.post("/api/notify/test", {})
            except Trouble as trouble:
                st.error(trouble.markdown())
                return
            for row in made["items"]:
                why = f": {row['error']}" if row.get("error") else ""
                line = words(f"{row['sink']}: {DELIVERIES.get(str(row['state']), row['state'])}{why}", 300)
                (st.success if row["state"] == "sent" else st.warning)(line)


def on_call(row: Mapping[str, Any]) -> str:
    """A person of the rota: way, hours that keep them from being asked first, what did not reach them."""
    hours = f", shift {row['shift']} {row.get('timezone')}" if row.get("shift") else ""
    away = ", not on shift" if not row.get("on_shift") else ", quiet hours: pages only" if row.get("quiet_now") else ""
    lost = f", {row['undelivered']} not delivered in a day" if row.get("undelivered") else ""
    lost += "" if row.get("named", True) else ", not reached: desk.toml names no such way"
    return words(f"{row.get('name')} by {row.get('reach')}{hours}{away}{lost}", 200)


def undelivered(rows: Sequence[Mapping[str, Any]], now_ms: Any) -> list[tuple[str, str]]:
    """(what, which and since when) of the messages that one way did not take for one reason, a line each."""
    same: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        state = DELIVERIES.get(str(row.get("state")), str(row.get("state")))
        same.setdefault((state, str(row.get("sink")), str(row.get("error"))), []).append(row)
    lines = []
    for (state, sink, why), lost in same.items():
        names = list(dict.fromkeys(f"{row.get('subject')}, {row.get('step')}" for row in lost))
        more = f" and {len(names) - SUBJECTS_MAX} more" if len(names) > SUBJECTS_MAX else ""
        began = min((row["created_ms"] for row in lost if is_number(row.get("created_ms"))), default=None)
        at = f" since {short(began // 60_000 * 60_000, now_ms)} (wall clock)" if began is not None else ""
        strong = f"■ {state} to {sink}: {counted(len(lost), 'message')}{at}."
        lines.append((strong, f"{why.rstrip('.')}. It was about: {'; '.join(names[:SUBJECTS_MAX])}{more}."))
    return lines


def _alert(
    api: PageClient,
    session: Mapping[str, Any],
    item: Mapping[str, Any],
    beside: tuple[dict[str, str], Sequence[Mapping[str, Any]]],
    now_ms: Any,
    *,
    unsent: bool,
) -> None:
    """One alert: what, where, since when, numbers, what to do, deliveries, acknowledgement. `beside`: pages read, checklists;
    `unsent`: said above, of all."""
    books, worked = beside
    severity, resolved, ident = str(item.get("severity") or "warn"), item.get("state") == "resolved", str(item.get("id"))
    with st.container(border=True, key=f"card_{words(ident, 20)}", gap="small"):
        began, ended = item.get("since_ms"), item.get("resolved_ms")
        lasts = f"{short(began, now_ms)}, resolved {short(ended, now_ms)}" if resolved else f"{since(began, now_ms)}, ongoing"
        place = f" · {item['place']}" if item.get("place") else ""
        sign, look = ("✓", "mut") if resolved else urgent.SIGNS.get(severity, ("○", "mut"))
        about = f"{ident} · {item.get('kind')}{place} · since {lasts}{_escalated(item)}"
        parts.tagged(f"{sign} {LABELS.get(severity, severity)}{', RESOLVED' if resolved else ''}", look, typeset(about))
        st.markdown(f"**{words(urgent.named(item), 400)}**")
        if item.get("kind") != "audit" and (text := numbers(item.get("numbers") or {})):  # of an audit its words have them
            st.caption(words(text, 400))
        if item.get("action") and not resolved:
            st.markdown(f"**To do:** {markdown(typeset(one_line(item['action'], 500)))}")
            checklist.show(api, session, worked, ident, [bare_name(str(item.get("runbook") or ""))])
        _who(api, session, item, ident, books, resolved=resolved)
        for line in [] if unsent else delivery_lines(item.get("deliveries") or [], severity):
            st.caption(line)


def _escalated(item: Mapping[str, Any]) -> str:
    """How often it was escalated."""
    times = int(item.get("escalations") or 0)
    return f" · escalated {times} time{'s' if times != 1 else ''}" if times else ""


def numbers(figures: Mapping[str, Any]) -> str:
    """The numbers of an alert: times in UTC, fractions as percent, the rest short."""
    parts = []
    for name, value in figures.items():
        if name in HIDDEN or value is None:
            continue
        label, text = NAMES.get(name) or name.removesuffix("_ms").removesuffix("_frac").removesuffix("_s"), str(value)
        if is_number(value):
            kinds: dict[str, Callable[[Any], str]] = {
                "_ms": lambda ms: short(ms, clocks.desk_ms()),
                "_frac": percent,
                "_s": length,
            }
            form = next((form for end, form in kinds.items() if name.endswith(end)), pure)
            text = figure(value, UNITS[name]) if name in UNITS else form(value)
        parts.append(f"{label.replace('_', ' ')} {text}")
    return ", ".join(parts)


def _book(api: PageClient, name: str, books: dict[str, str], ident: str) -> None:
    """The runbook of an alert, a click away."""
    bare = bare_name(name)
    if not links.ID.fullmatch(bare):
        return
    if bare not in books:
        try:
            books[bare] = checklist.DOC.sub(r"\1", str(api.get(f"/api/runbooks/{bare}")["text"]))
        except Trouble as trouble:
            st.caption(f"Runbook {words(name, 80)}: {trouble.markdown()}")
            return
    with st.popover("Runbook", icon=":material/menu_book:", key=f"book_{ident}", help=words(bare.replace("-", " "), 60)):
        st.markdown(markdown(books[bare]))


def bare_name(page: str) -> str:
    """A runbook's name, of the path that an alert has."""
    return page.rpartition("/")[2].removesuffix(".md")


def delivery_lines(deliveries: Sequence[Mapping[str, Any]], severity: str = "") -> list[str]:
    """One line per message: sink, state, error. Without one: where else it is seen; the terminal has pages alone."""
    lines = []
    for d in deliveries:
        state = str(d.get("state"))
        at = f" {to_minute(d['sent_ms'], clocks.wall_ms())}" if d.get("sent_ms") else ""
        tries = f" after {d['attempts']} tries" if state != "sent" and (d.get("attempts") or 0) > 1 else ""
        why = f": {words(d['error'], 300)}" if d.get("error") else ""
        loud = f"**{DELIVERIES[state]}**" if state == "failed" else DELIVERIES.get(state, words(state, 20))
        step = f" ({words(d['step'], 30)})" if d.get("step") else ""
        lines.append(f":material/send: {words(d.get('sink'), 20)}{step}: {loud}{words(at)}{tries}{why}")
    where = "here and in the terminal of nightdesk up" if severity == "page" else "here alone"
    return lines or [f":material/desktop_windows: No message was sent: it is shown {where}."]


def _who(
    api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any], ident: str, books: dict[str, str], *, resolved: bool
) -> None:
    """Who acknowledged it, or the button to do so; what to do, and the event behind it."""
    by = item.get("acked_by")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if by:
            name = by.get("name") if isinstance(by, Mapping) else by
            how = f" ({by.get('assurance')}, {by.get('channel')})" if isinstance(by, Mapping) else ""
            at = to_minute(item.get("acked_ms"), clocks.wall_ms())
            st.markdown(f":material/person: {words(f'acknowledged by {name}{how} at {at}', 200)}")
        elif not resolved:
            label = f"Acknowledge as {words(session.get('name') or 'unknown', 40)}"
            rights.button(api, label, key=f"ack_{ident}", icon=":material/done:", on_click=_ack, args=(api, ident))
        if item.get("kind") == "audit":
            links.press("Which points", {"tab": "runs"}, key=f"points_{ident}")
        if item.get("action") and not resolved:
            _book(api, str(item.get("runbook") or ""), books, ident)
        links.button(words(f"journal {item.get('event')}"), "event", str(item.get("event") or ""), key=f"alert_{ident}")
    if error := st.session_state.get(f"ack_error_{ident}"):
        st.error(error)


def _ack(api: PageClient, ident: str) -> None:
    st.session_state.pop(f"ack_error_{ident}", None)
    try:
        api.post(f"/api/alerts/{ident}/ack")
    except Trouble as trouble:
        st.session_state[f"ack_error_{ident}"] = trouble.markdown()


def _check(check: Mapping[str, Any]) -> parts.Line:
    """A health check: what is fine is grey."""
    sign, look = SIGNS.get(str(check.get("state")), SIGNS["unknown"])
    to = links.place("event", str(check.get("event") or ""))
    event = parts.Linked(str(check["event"]), to) if to else None
    return parts.Line(sign, f"{check.get('name')}:", str(check.get("text")), look, event)
