"""Incident windows and orders' lives for the operator (READ). Called by the catalog.

Figures and times come with the journal event that has them: the one that closed a window, the last mark for an open one, each
state and execution of an order.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field

from engine.core.orders import CANCELLING, DONE, INTENDED, REJECTED, SENT, STANDING, UNKNOWN
from engine.watch.incidents import MONEY, IncidentWindow, incident_of, orders_in, windows_of
from engine.watch.order_lives import OrderLife, life_of, recent_lives
from engine.watch.window import journal_of, mark_at, mode_of
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, instant

SHOWN = 12
STATES_SHOWN = 40
LIVES_MAX = 5_000  # orders of seven days that are looked through, those that are open and the newest first


class IncidentsArgs(Args):
    """window: its id (w1), or null: the newest."""

    window: str | None = Field(None, max_length=12)


OrderState = Literal["doubt", "partly", "filled", "cancelled", "rejected"]
OrderKind = Literal["entry", "protective", "target", "exit"]


class OrdersArgs(Args):
    """cid: one order's client id; or null: the newest of a window (`since` null: seven days) by when they were decided, of one
    sleeve, open ones alone, of a state or kind. doubt: the venue owes an answer; cancelled: ended before it filled in full."""

    cid: str | None = Field(None, max_length=64)
    sleeve: str | None = Field(None, max_length=60)
    only_open: bool = False
    state: OrderState | None = None
    kind: OrderKind | None = None
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)


_OF_STATE: Mapping[OrderState, Callable[[OrderLife], bool]] = {
    "doubt": lambda life: life.state in (INTENDED, SENT, UNKNOWN, CANCELLING),
    "partly": lambda life: 0 < life.filled_lots < life.lots,
    "filled": lambda life: life.filled_lots >= life.lots > 0,
    "cancelled": lambda life: life.state == DONE and life.filled_lots < life.lots,
    "rejected": lambda life: life.state == REJECTED,
}


@tool(
    "incidents",
    Effect.READ,
    asked_as(
        "",
        "show the incident windows; is an incident open?; since when is the incident open?; what did the incidents cost?; who "
        "closed the last incident?; P&L of the incidents; which orders belong to window w1?; how much did orphans make?",
    ),
)
def incidents(ctx: ToolContext, args: IncidentsArgs) -> ToolResult:
    """Incident windows: when, what opened them, what they cover, who closed them and why, their P&L (no strategy's); of one
    window its orders, too."""
    path = journal_of(ctx.home)
    mark, found = mark_at(path), windows_of(path)
    if mark is None:
        return no_data(NEVER_RAN)
    chosen = [window for window in found if args.window in (None, window.id)][::-1][:SHOWN]
    if not chosen:
        return no_data(
            "no incident window was ever open" if not found else f"there is only {', '.join(w.id for w in found[-SHOWN:])}"
        )
    facts: list[Fact] = []
    rows, lines = [], []
    for window in chosen:
        h = ctx.handle("i", f"window {window.id}")
        facts += _window_facts(h, window)
        rows.append(_row(h, window))
        end = "still open" if window.closed_ms is None else f"closed at {{{h}.closed}} by {clean(window.closed_by, 60)}"
        money = f", P&L {{{h}.pnl}}" if window.money else ", its P&L is counted when it is closed"
        began = f"opened at {{{h}.opened}} by {clean(window.opened_by, 60)} ({clean(window.causes[0], 160)})"
        lines.append(f"{window.id} {began}, {end}{money}.")
    h = ctx.handle("i", f"all {mark.id}")
    total: dict[str, tuple[Value, str]] = {"windows": (len(found), "count"), "in_incidents": (incident_of(mark.body), "usd")}
    total["orphans"] = (mark.body.get("orphan_pnl") or 0.0, "usd")
    facts += make_facts(h, "incidents of the desk", Evidence("event", mark.id), total)
    lines.append(
        f"Of the desk's P&L so far {{{h}.in_incidents}} is of incidents; executions that no order explains made {{{h}.orphans}}."
    )
    data: dict[str, Any] = {"windows": [window.id for window in chosen]}
    if args.window is not None:
        data["orders"] = orders_in(path, chosen[0])
        lines.append(f"Its orders: {', '.join(data['orders'][-SHOWN:]) or 'none'}.")
    evidence = tuple(Evidence("event", id_) for w in chosen for id_ in (w.opened_event, w.closed_event) if id_)
    heads = ("window", "opened", "closed", "covers", "cause", "P&L")
    return ToolResult("ok", "\n\n".join(lines), tuple(facts), evidence, Table(heads, tuple(rows)), data)


def _window_facts(h: str, window: IncidentWindow) -> tuple[Fact, ...]:
    """Its times, and its money once it is closed."""
    values: dict[str, tuple[Value, str]] = {"opened": (window.opened_ms, "ms"), "closed": (window.closed_ms, "ms")}
    values |= {name: (window.money[name], "usd") for name in MONEY} if window.money else {}
    return make_facts(h, f"incident window {window.id}", Evidence("event", window.closed_event or window.opened_event), values)


def _row(h: str, window: IncidentWindow) -> tuple[Value, ...]:
    closed = "open" if window.closed_ms is None else f"{{{h}.closed}}"
    covers = ", ".join(window.sleeves or window.instruments)
    return (
        window.id,
        f"{{{h}.opened}}",
        closed,
        clean(covers, 120),
        clean(window.cause, 160),
        f"{{{h}.pnl}}" if window.money else "-",
    )


@tool(
    "orders",
    Effect.READ,
    asked_as(
        "",
        "which orders did the desk make today?; show the orders of btc-trend; which orders are still open?; is any order in "
        "doubt?; partly filled orders of eth; which orders were cancelled since monday?; show the stop orders of sol; did the "
        "exchange reject any order?; list the take profit orders; status of our orders",
    ),
)
def orders(ctx: ToolContext, args: OrdersArgs) -> ToolResult:
    """Orders as they lived: one by its client id with every state, time, why and execution; else the newest of a window."""
    path = journal_of(ctx.home)
    if args.cid is not None:
        life = life_of(path, args.cid)
        return no_data(f"the journal knows no order {clean(args.cid, 64)!r}") if life is None else order_story(ctx, life)
    since_ms, until_ms = (instant(text, ctx.desk_ms) if text else None for text in (args.since, args.until))
    every = recent_lives(path, sleeve=args.sleeve or "", limit=LIVES_MAX, since_ms=since_ms)
    every = [life for life in every if until_ms is None or life.states[0]["t_ms"] < until_ms]
    matching = [life for life in every if _matches(life, args)]
    days = "in the last seven days of desk time" if since_ms is None and until_ms is None else "in that window of desk time"
    where = " The desk trades on paper: these are its own orders, no venue holds them." if mode_of(path) == "paper" else ""
    if not matching:
        sleeve = f" of {clean(args.sleeve, 40)}" if args.sleeve else ""
        return no_data(f"no such order{sleeve} {days}, which had {len(every)} orders.{where}")
    found = matching[:SHOWN]
    facts: list[Fact] = []
    rows: list[tuple[Value, ...]] = []
    for life in found:
        h = ctx.handle("z", life.cid)
        facts += _order_facts(h, life)
        about = (life.cid, clean(life.sleeve, 40), life.slot, life.side, f"{{{h}.lots}}", f"{{{h}.filled_lots}}", life.state)
        rows.append((*about, f"{{{h}.decided}}"))
    heads = ("order", "sleeve", "kind", "side", "lots", "filled", "state", "decided")
    still = sum(life.open for life in matching)
    h = ctx.handle("z", f"listed {found[0].cid} {len(found)}")
    counts: dict[str, tuple[Value, str]] = {"found": (len(matching), "count"), "listed": (len(found), "count")}
    counts |= {"open": (still, "count")}
    facts += make_facts(h, "orders listed", Evidence("event", found[0].states[-1]["event"]), counts)
    text = f"{{{h}.found}} orders {days}, of which {{{h}.open}} have not ended; open ones first, then the newest."
    text += f" The table shows {{{h}.listed}} of them." if len(found) < len(matching) else ""
    evidence = tuple(Evidence("event", life.states[-1]["event"]) for life in found)
    newest = sorted(matching, key=lambda life: life.states[0]["t_ms"], reverse=True)[:SHOWN]
    data = {"orders": [life.cid for life in found], "newest": [life.cid for life in newest]}
    return ToolResult("ok", text + where, tuple(facts), evidence, Table(heads, tuple(rows)), data)


def _matches(life: OrderLife, args: OrdersArgs) -> bool:
    """Whether an order is of the state and kind that are asked for."""
    kind = args.kind is None or life.slot == args.kind
    return kind and (life.open or not args.only_open) and (args.state is None or _OF_STATE[args.state](life))


def _order_facts(h: str, life: OrderLife) -> tuple[Fact, ...]:
    """Its size, what has filled, when it was decided; the price where it has one."""
    values: dict[str, tuple[Value, str]] = {"lots": (life.lots, "count"), "filled_lots": (life.filled_lots, "count")}
    values |= {"decided": (life.states[0]["t_ms"], "ms"), "last": (life.states[-1]["t_ms"], "ms")}
    values |= {"price": (life.price, "price")} if life.price else {}
    if filled := sum(fill["lots"] for fill in life.fills):
        values |= {"fees": (sum(fill["fee"] for fill in life.fills), "usd")}
        values |= {"fill_price": (sum(fill["lots"] * fill["price"] for fill in life.fills) / filled, "price")}
    return make_facts(h, f"order {life.cid}", Evidence("event", life.states[-1]["event"]), values)


def next_check(life: OrderLife) -> str:
    """What to look at next for an order as it is, and the runbook where something is wrong with it."""
    if life.state == REJECTED:
        return "Runbook: orders-rejected. Next check: the venue's word above; is the sleeve's next order refused too?"
    if life.slot == "protective" and life.open and life.state not in (*STANDING, CANCELLING):
        return "Runbook: protective-missing. Next check: does it read working within seconds? Until then nothing limits the loss."
    if life.open and life.state not in STANDING:
        return (
            "Next check: the venue owes an answer and the desk asks for it, sending nothing twice; this order again in a moment."
        )
    if life.open:
        return "Nothing is wrong with it. Next check: this order again after the next close."
    return "It has ended. Next check: the position that it left, in the sleeves."


def order_story(ctx: ToolContext, life: OrderLife) -> ToolResult:
    """One order's whole life, and what to look at next."""
    h = ctx.handle("z", life.cid)
    facts = list(_order_facts(h, life))
    rows: list[tuple[Value, ...]] = []
    for state in life.states[-STATES_SHOWN:]:
        own = ctx.handle("e", state["event"])
        facts += make_facts(
            own, f"order {life.cid}, {state['state']}", Evidence("event", state["event"]), {"at": (state["t_ms"], "ms")}
        )
        rows.append((state["state"], f"{{{own}.at}}", clean(state["why"], 160), state["event"]))
    at = f" at {{{h}.price}}" if life.price else " at the market"
    filled = f" at {{{h}.fill_price}}" if life.fills else ""
    text = (
        f"Order {life.cid} of {clean(life.sleeve, 40)}: {life.slot}, {life.side} {{{h}.lots}} lots{at}, "
        f"{{{h}.filled_lots}} filled{filled}, {life.state}; decided at {{{h}.decided}}, last heard of at {{{h}.last}}."
    )
    text += f" The venue calls it {clean(life.venue_id, 60)}." if life.venue_id else ""
    text += f" {next_check(life)}"
    evidence = tuple(dict.fromkeys(Evidence("event", state["event"]) for state in life.states[-STATES_SHOWN:]))
    table = Table(("state", "at", "why", "event"), tuple(rows))
    return ToolResult(
        "ok", text, tuple(_once(facts)), evidence, table, {"order": life.cid, "state": life.state, "open": life.open}
    )


def _once(facts: list[Fact]) -> list[Fact]:
    """Two states of one event are one fact."""
    return list({fact.ref: fact for fact in facts}.values())
