"""The sleeves tab: every sleeve with its state and what it made, or the one in the URL (sleeve.py).

Called by streamlit_app.py; its table also by overview.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import links, parts, sleeve
from app.ui.figures import NONE, count, is_number, number, of_strategy, short, tone
from app.ui.page_client import PageClient

STRETCHES = (("today", "today"), ("7 d", "d7"), ("30 d", "d30"), ("start", "start"))
Lately = Mapping[str | None, Mapping[str, Any]]
DAY_MS = 86_400_000
DRAWN_DAYS, DRAWN_POINTS, DRAWN_MAX = 90, 40, 12  # of the small lines; sleeves that have one


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The sleeve in the URL, or all of them."""
    desk = api.last("/api/desk")
    answer = api.last("/api/sleeves")
    items = answer["items"]
    if (found := next((item for item in items if item["name"] == links.at("sleeve")), None)) is not None:
        sleeve.show(api, session, found, state(found, desk.get("desk_ms")))
        return
    parts.title("Sleeves", [{"text": f"{len(items)} configured; a name opens its page; USDT, net of costs"}])
    if name := links.at("sleeve"):
        parts.note("▲ Not configured:", f"the desk has no sleeve {name}.", "warn")
    with st.container(key="panel_sleeves"):
        table(items, lately(api, desk), desk, {} if parts.phone() else curves(api, desk, items))
    sleeve.show_basket(answer.get("basket"))
    if not items:
        return
    with st.container(key="panel_runs_what"):
        parts.head("What they run", "costs since start: fees and slippage, USDT")
        rows = [(linked(s), _runs(s), _version(s), number(_costs(s))) for s in items]
        parts.table(("sleeve", "runs", "version", "costs"), rows, left=(0, 1, 2), thin=(2,))


def lately(api: PageClient, desk: Mapping[str, Any]) -> Lately:
    """Net P&L of the desk (None) and of each sleeve, by stretch."""
    return {one["sleeve"]: one for one in api.as_of(desk.get("event"), "/api/desk/lately/sleeves")["items"]}


def curves(api: PageClient, desk: Mapping[str, Any], sleeves: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """The equity of the first sleeves over the last DRAWN_DAYS, oldest first."""
    now: Any = desk.get("desk_ms")
    if not is_number(now):
        return {}
    query = {"points": DRAWN_POINTS, "since_ms": max(0, now - DRAWN_DAYS * DAY_MS)}
    names = [str(s["name"]) for s in sleeves[:DRAWN_MAX]]
    return {name: api.as_of(desk.get("event"), "/api/desk/equity", sleeve=name, **query)["equity"] for name in names}


def table(
    sleeves: Sequence[Mapping[str, Any]], made: Lately, desk: Mapping[str, Any], drawn: Mapping[str, Sequence[Any]] | None = None
) -> None:
    """One line a sleeve: its state, what it made lately, and where there is one its small line; the desk last."""
    if not sleeves:
        parts.soft("No sleeve is configured: add a table [[sleeves]] to desk.toml, then nightdesk up.")
        return
    now = desk.get("desk_ms")
    rows: list[Sequence[parts.Cell]] = [
        (linked(s), state(s, now), number(s.get("equity")), *_made(made.get(s["name"]) or {}), count(s.get("trips")))
        for s in sleeves
    ]
    lines = {name: parts.Spark(values, f"equity of {name}, {DRAWN_DAYS} days") for name, values in (drawn or {}).items()}
    trips = [s["trips"] for s in sleeves if is_number(s.get("trips"))]
    rows.append(("desk", "", number(desk.get("equity")), *_made(made.get(None) or {}), count(sum(trips) if trips else None)))
    heads = ["sleeve", "state", "equity", *(name for name, _ in STRETCHES), "trips"]
    if lines:
        heads.append(f"{DRAWN_DAYS} d")
        rows = [(*row, lines.get(str(s.get("name")), "")) for row, s in zip(rows, [*sleeves, {}], strict=True)]
    parts.table(heads, rows, left=(0, 1), total=True, thin=(2, 4, 5, 7, 8), wrap=(1,))


def _made(found: Mapping[str, Any]) -> list[parts.Cell]:
    """The four stretches, without what incidents made; a dash before the first bar."""
    values = [of_strategy(found.get(key) or {}) for _, key in STRETCHES]
    return [(number(value, sign=True), tone(value)) for value in values]


def linked(s: Mapping[str, Any]) -> parts.Linked:
    """A sleeve's name that leads to its page."""
    return parts.Linked(str(s.get("name")), {"tab": "sleeves", "sleeve": str(s.get("name"))})


def _runs(s: Mapping[str, Any]) -> str:
    return f"{s.get('strategy')} on {s.get('venue')} {s.get('symbol')} {s.get('timeframe')}"


def _version(s: Mapping[str, Any]) -> str:
    waiting = f" (v{s['waiting_version']} waits)" if s.get("waiting_version") else ""
    return f"{'v' + str(s['version']) if s.get('version') else NONE}{waiting}"


def _costs(s: Mapping[str, Any]) -> float | None:
    costs = [s.get(name) for name in ("fees", "slippage")]
    return sum(abs(c) for c in costs if is_number(c)) if any(is_number(c) for c in costs) else None


def pause_of(s: Mapping[str, Any], now_ms: Any) -> str:
    """People's pause, with its end when it has one."""
    until = f" until {short(s['resumes_ms'], now_ms)}" if s.get("resumes_ms") else ""
    return f"paused by a person{until}" if s.get("paused") else ""


def bare(s: Mapping[str, Any]) -> int:
    """How many of a sleeve's open layers no working order at the venue ends, or where that is not known."""
    return sum(not layer.get("covered") for layer in (s.get("position") or {}).get("layers") or ())


def state(s: Mapping[str, Any], now_ms: Any) -> str | tuple[str, str]:
    """A sleeve's state in a few words, with its sign; red without a working stop, amber when it takes no entries."""
    position, order = s.get("position") or {}, s.get("order") or {}
    stage = str(s.get("stage_reached") or s.get("stage") or "paper")
    shut = ["" if stage == "paper" else stage.replace("_", " "), pause_of(s, now_ms)]
    shut += [f"no entries until {short(s['blocked_until_ms'], now_ms)}" if s.get("blocked_until_ms") else ""]
    shut += [f"paused until {short(s['paused_until_ms'], now_ms)}" if s.get("paused_until_ms") else ""]
    if until := s.get("shut_until_ms"):
        shut.append(f"no_entry window until {short(until, now_ms)}" if until > 0 else "no_entry never opens")
    shut += ["canary" if s.get("canary") else ""]
    held = [str(position.get("side") or "flat"), f"{order.get('side')} order pending" if order else ""]
    found = [words for words in (*shut, *held) if words]
    off = any(words and words != "canary" for words in shut)
    if bare(s):
        return f"■ {', '.join([*held[:1], 'NO STOP WORKS', *(words for words in (*shut, *held[1:]) if words)])}", "neg"
    return f"{'◐' if off else '●' if position else '○'} {', '.join(found)}", "wrn" if off else ""
