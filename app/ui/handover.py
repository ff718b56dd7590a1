"""The morning handover: what the desk's day did, what waits, what is held, what to watch; as sent, folded. Called by app.ui.desk.

Turns the newest stored handover (or an older one, by day) into a verdict, figures and tables. Beside the newest stand, as they
are now, what needs a person with the nearest limits (urgent.py) and the open positions (overview.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import alerts, checklist, clocks, noticed, overview, parts, urgent
from app.ui.figures import count, counted, figure, is_number, number, short, to_minute, tone
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, typeset, words

KEPT = 14  # days to choose from
SPLIT = (("price", "Price"), ("fees", "Fees"), ("funding", "Funding"), ("slippage", "Slippage"))


def show(api: PageClient) -> None:
    """One morning's handover, written by code, without a model."""
    try:
        answer = api.get("/api/handovers", limit=KEPT)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    items = {str(item["day"]): item for item in answer["items"]}
    if not items:
        about = f"One is written every day at {one_line(answer.get('at'), 10)} UTC, by code, while the desk runs."
        parts.title("No handover yet", [{"text": about}])
        _now(api)
        return
    title, right = st.columns([5, 1], vertical_alignment="bottom")
    day = right.selectbox("Morning of", list(items), key="handover_day")
    item, newest = items[day], next(iter(items))
    body = item.get("body") or {}
    with title:
        _title(item, body)
    _night(body)
    if day == newest:
        _now(api)
    else:
        _then(body)
    with st.expander("As it was sent, with the heads of the journals"):
        _sent(item, str(answer.get("at")))


def _title(item: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Which morning, which day of the desk, which bars."""
    stamp, source = body.get("stamp") or "PAPER", body.get("source") or "unknown"
    of = [{"text": f"written {to_minute(item.get('created_ms'), clocks.wall_ms())} (wall clock), by code"}]
    if body.get("day"):
        of = [{"text": f"the desk's day {body['day']}"}, {"text": f"{stamp}, {source} bars"}, *of]
    parts.title(f"Handover of {item.get('day')}", of)


def _night(body: Mapping[str, Any]) -> None:
    """The desk's last whole day before that morning."""
    strong, rest, kind = verdict(body)
    parts.note(strong, rest, kind)
    pnl = body.get("pnl")
    if not pnl:
        return
    parts.tiles(tiles(body, pnl))
    left, right = st.columns([1.4, 1], gap="small")
    with left.container(key="panel_handover_sleeves", height="stretch"):
        parts.head("By sleeve", "P&L of that day, USDT; held when it was written")
        held = body.get("positions") or {}
        rows: list[Sequence[parts.Cell]] = [
            (str(name), (number(made, sign=True), tone(made)), str(held.get(name) or "flat"))
            for name, made in (pnl.get("sleeves") or {}).items()
        ]
        rows.append(("desk", (number(pnl.get("change"), sign=True), tone(pnl.get("change"))), ""))
        parts.table(("sleeve", "P&L", "position"), rows, left=(0, 2), total=True)
    with right.container(key="panel_handover_events", height="stretch"):
        parts.head("What happened")
        parts.pairs(happened(body))


def verdict(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """(what the day came to, what else, how loud)."""
    latch, pnl = body.get("halt") or {}, body.get("pnl")
    if latch.get("halted"):
        return f"■ The desk was HALTED by {latch.get('by') or 'an unknown actor'}:", f"{latch.get('reason')}.", "bad"
    if not body.get("desk_ms"):
        return "No bar was decided yet.", "", "calm"
    waited = len(body.get("proposals") or []) + sum(not alert.get("acked") for alert in body.get("alerts") or [])
    things = counted(waited, "proposal or alert", "proposals and alerts")
    rest = f"{things} waited for a person." if waited else "Nothing waited for a person."
    if not pnl:
        return "No bar was decided on that day.", rest, "warn" if waited else "calm"
    breakers = body.get("breakers") or []
    tripped = f", {counted(len(breakers), 'breaker')} tripped" if breakers else ""
    return f"{_made(pnl.get('change'))}{tripped}.", rest, "warn" if waited or breakers else "calm"


def _made(change: Any) -> str:
    """`The desk lost 12.89 USDT`."""
    if not is_number(change):
        return "The P&L of the day is not known"
    way = "made" if change > 0 else "lost"
    return f"The desk {way} {number(abs(change))} USDT that day" if round(change, 2) else "The desk made nothing that day"


def tiles(body: Mapping[str, Any], pnl: Mapping[str, Any]) -> list[dict[str, str]]:
    """The day's P&L and its parts, fills and what was refused, equity then."""
    made = [
        {
            "name": "P&L of the day, USDT",
            "value": number(pnl.get("change"), sign=True),
            "note": "",
            "tone": tone(pnl.get("change")),
        }
    ]
    made += [{"name": name, "value": number(pnl.get(key), sign=True), "note": "", "tone": ""} for key, name in SPLIT]
    refused = sum(n for n in (body.get("refused") or {}).values() if is_number(n))
    made.append(
        {
            "name": "Fills",
            "value": count(body.get("fills")),
            "note": f"{counted(refused, 'entry', 'entries')} refused",
            "tone": "",
        }
    )
    return [
        *made,
        {
            "name": "Equity, USDT",
            "value": number(body.get("equity")),
            "note": f"at {short(body.get('desk_ms'), clocks.desk_ms())}",
            "tone": "",
        },
    ]


def happened(body: Mapping[str, Any]) -> list[tuple[str, parts.Cell]]:
    """Refusals by rule, rejections, breakers, the configuration."""
    refused = ", ".join(f"{count(n)} by {rule}" for rule, n in (body.get("refused") or {}).items())
    breakers = ", ".join(map(str, body.get("breakers") or []))
    rejected = body.get("rejected")
    return [
        ("entries refused by our guardrails", refused or "none"),
        ("orders rejected by the venue", (count(rejected), "neg") if rejected else "none"),
        ("breakers that tripped", (breakers, "wrn") if breakers else "none"),
        ("configuration", f"v{body.get('version')}"),
    ]


def _now(api: PageClient) -> None:
    """What the one who takes over has before them: as it is now, not as it was written."""
    desk, items = api.last("/api/desk"), api.last("/api/sleeves")["items"]
    at = desk.get("desk_ms")
    parts.head("Now", f"desk time {short(at, at)}" if is_number(at) else "no bar is decided yet")
    left, right = st.columns([1.4, 1], gap="small")
    with left.container(key="panel_handover_urgent", height="stretch"):
        urgent.show(api, desk)
    if worked := checklist.open_ones(api):
        with st.container(key="panel_handover_runbooks"):
            parts.head("Runbooks being worked through", str(len(worked)))
            parts.listed(map(checklist.line, worked))
    with right.container(key="panel_handover_watches", height="stretch"):
        parts.head("Watched levels", "an alert opens while one is passed")
        lines = [_watched(item) for item in api.last("/api/watches")["items"]]
        parts.listed(lines) if lines else parts.soft("None. Ask the operator: tell me when BTC falls below 80000.")
        noticed.briefly(api, desk.get("now_ms"))
    with st.container(key="panel_handover_positions"):
        overview.positions(api, desk, items)


def _watched(item: Mapping[str, Any]) -> parts.Line:
    """A watch with its value; one that waits or is passed is loud."""
    now = (
        figure(item["value"], "price" if item.get("metric") == "price" else "usd")
        if is_number(item.get("value"))
        else "not known"
    )
    to = parts.Linked("confirm" if item.get("state") == "asked" else "watch", urgent.ALERTS)
    if item.get("state") == "asked":
        return parts.Line("▲", f"{typeset(str(item.get('text')))}:", f"waits for a person, now {now}.", "wrn", to)
    if item.get("passed"):
        return parts.Line("▲", f"{typeset(str(item.get('text')))}:", f"passed, now {now}; {item.get('rearms')}.", "wrn", to)
    return parts.Line("○", f"{typeset(str(item.get('text')))}:", f"now {now}.", "mut", to)


def _then(body: Mapping[str, Any]) -> None:
    """What waited on an older morning."""
    lines = [
        parts.Line("▲", f"{p.get('id')} waited:", f"{str(p.get('direction')).upper()} {p.get('sleeve')}", "wrn", _card(p))
        for p in body.get("proposals") or []
    ]
    for alert in body.get("alerts") or []:
        sign, look = ("◐", "mut") if alert.get("acked") else urgent.SIGNS.get(str(alert.get("severity")), ("○", "mut"))
        lines.append(parts.Line(sign, str(alert.get("what")), "acknowledged" if alert.get("acked") else "", look))
    with st.container(key="panel_handover_waited"):
        parts.head("Waited that morning", str(len(lines)))
        parts.listed(lines) if lines else parts.soft("Nothing.")


def _card(held: Mapping[str, Any]) -> parts.Linked:
    return parts.Linked("its card", {"tab": "proposals", "proposal": str(held.get("id"))})


def _sent(item: Mapping[str, Any], at: str) -> None:
    """The message itself, and what became of it."""
    for line in str(item.get("text") or "").splitlines():
        if line.strip():
            st.markdown(words(line, 1000))
    for line in alerts.delivery_lines(item.get("deliveries") or []):
        st.caption(line)
    st.caption(f"Written every day at {words(at, 10)} UTC by code. Its journal heads anchor what the journals held then.")
