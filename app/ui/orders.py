"""Orders as they lived: each one's states as a line with times, one order whole, its executions. Called by venue_account.py and
journal.py.

Turns orders of /api/orders into tables. At an account the times are the machine's, to the millisecond; on paper they are the
desk's, since a replay receives a day in a second.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import asking, clocks, links, parts, rights
from app.ui.figures import NONE, length, number, price, short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import typeset

SLOTS = {"entry": "entry", "protective": "stop", "target": "target", "exit": "exit"}
SIGNS = {
    "intended": "○",
    "sent": "○",
    "UNKNOWN": "▲",
    "working": "●",
    "partial": "◐",
    "cancelling": "◌",
    "done": "■",
    "rejected": "✕",
}
LOUD = {"UNKNOWN": "wrn", "rejected": "neg"}
CANCELLED = ("canceled", "cancelled", "deactivated")  # what a venue's words begin with
STEPS_MAX = 6  # of a line; the middle of a longer one is counted
MOVES = ("amending", "working")  # a stop that follows the price goes round these two
FILLS_MAX = 20
LONG = re.compile(r"(?<![\w.])\d{1,15}\.\d{3,20}(?![\w.])")  # a price as the machine holds it


def listed(orders: Sequence[Mapping[str, Any]], *, wall: bool, now_ms: Any) -> None:
    """One line an order: what it is, how much of it is filled, its life."""
    rows: list[Sequence[parts.Cell]] = [
        (
            linked(order["cid"], named(order)),
            f"{order['side']} {size(order, order['lots'])}",
            filled(order),
            price(order["price"]) if order["price"] else "market",
            (str(order["state"]), LOUD.get(str(order["state"]), "" if order["open"] else "mut")),
            parts.Track(track(order["states"], wall=wall, now_ms=now_ms)),
        )
        for order in orders
    ]
    heads = ("order", "what", "filled", "price", "now", f"its life, {'wall clock' if wall else 'desk time'}, UTC")
    parts.table(heads, rows, left=(0, 1, 4, 5), thin=(2, 3, 4), wrap=(5,))


def named(order: Mapping[str, Any]) -> str:
    """Whose it is and what for: `btc-trend stop`."""
    return f"{order['sleeve']} {SLOTS.get(order['slot'], order['slot'])}"


def filled(order: Mapping[str, Any]) -> str:
    """How much of it is: `0.0054`, `0.002 of 0.0054`, a dash for nothing."""
    part, whole = order["filled_lots"], order["lots"]
    return NONE if not part else size(order, part) if part >= whole else f"{size(order, part)} of {size(order, whole)}"


def part_of(order: Mapping[str, Any]) -> str:
    """The same for a sentence."""
    return filled(order) if order["filled_lots"] else "nothing"


def size(order: Mapping[str, Any], lots: Any) -> str:
    """Lots in base units; as lots where their size is not known."""
    unit = order.get("lot_size")
    return f"{lots * unit:.10g}" if unit else f"{lots:,} lots"


def linked(cid: Any, name: str = "") -> parts.Linked:
    """A text that leads to an order's page."""
    return parts.Linked(name or str(cid), links.place("order", str(cid)) or {})


def event_link(ident: Any) -> parts.Linked:
    """An event's id that leads to its story."""
    return parts.Linked(str(ident), links.place("event", str(ident)) or {})


def track(states: Sequence[Mapping[str, Any]], *, wall: bool, now_ms: Any) -> list[parts.Step]:
    """A life as steps: the first with its time, each other with how long after the one before; a row of moves is one step."""
    steps, before = list[parts.Step](), None
    for name, state, moves in joined(states):
        at = int(state["received_ms" if wall else "t_ms"])
        since = stamp(at, wall, now_ms) if before is None else "" if at == before else f"+{after(at - before)}"
        word = f"moved {moves} times" if moves > 1 else "moved" if moves else name
        steps.append(parts.Step(SIGNS.get(name, "●"), word, since, str(state["why"]), LOUD.get(name, "")))
        before = at
    if (over := len(steps) - STEPS_MAX) > 0:
        steps[2 : 2 + over] = [parts.Step("", f"{over} more", "", "the order's page has all of them")]
    return steps


def joined(states: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any], int]]:
    """(state, its row, how many moves it stands for): amendments that the venue took one after another are one."""
    found = list[tuple[str, Mapping[str, Any], int]]()
    for n, state in enumerate(states):
        name = str(state["state"])
        if name == "amending" and n + 1 < len(states) and states[n + 1]["state"] == "working":
            continue
        moved = int(name == "working" and n > 0 and states[n - 1]["state"] == "amending")
        if moved and found and found[-1][2]:
            found[-1] = (name, state, found[-1][2] + 1)
        else:
            found.append((name, state, moved))
    return found


def stamp(ms: int, wall: bool, now_ms: Any) -> str:
    """A time: of the wall clock with milliseconds, of the desk as it is."""
    return f"{short(ms - ms % 1000, now_ms).rstrip('Z')}.{ms % 1000:03d}Z" if wall else short(ms, now_ms)


def after(ms: int) -> str:
    """How long, from a millisecond to days: `104 ms`, `1.2 s`, `15 min`."""
    return f"{ms} ms" if ms < 1_000 else f"{ms / 1000:.1f} s" if ms < 60_000 else length(ms / 1000)


def fills(orders: Sequence[Mapping[str, Any]], *, wall: bool, now_ms: Any, named: bool = True, most: int = 0) -> None:
    """The newest executions of these orders; `named`: each says of which, else they are all of one. Of `most` orders and more
    the older ones were not asked for.
    """
    found = [(fill, order) for order in orders for fill in order["fills"]]
    found.sort(key=lambda one: -one[0]["received_ms"])
    if not found:
        of = f"of the newest {most} orders" if 0 < most <= len(orders) else "in the last seven days of desk time"
        parts.soft(f"No execution {of}.")
        return
    rows = [_fill(fill, order, wall, now_ms) for fill, order in found[:FILLS_MAX]]
    heads = ("executed, UTC", "order", "what", "price", "fee", "paid as", "heard after" if wall else "event")
    kept = [n for n in range(len(heads)) if named or n != 1]
    thin = {4, 5, 6} if named else {5, 6}
    parts.table(
        [heads[n] for n in kept],
        [[row[n] for n in kept] for row in rows],
        left=[k for k, n in enumerate(kept) if n < 3],
        thin=[k for k, n in enumerate(kept) if n in thin],
    )
    if (more := len(found) - FILLS_MAX) > 0:
        parts.soft(f"and {more} older ones, in the journal.")


def _fill(fill: Mapping[str, Any], order: Mapping[str, Any], wall: bool, now_ms: Any) -> Sequence[parts.Cell]:
    """One execution: when, of which order, how much, at what."""
    at = fill["t_ms"] if fill["t_ms"] is not None else fill["received_ms"]
    late = after(max(0, fill["received_ms"] - at)) if fill["t_ms"] is not None else NONE
    what = f"{order['side']} {size(order, fill['lots'])}"
    of = linked(order["cid"], f"{order['sleeve']} {SLOTS.get(order['slot'], order['slot'])}")
    about = (price(fill["price"]), number(fill["fee"]), str(fill["liquidity"] or NONE))
    return (stamp(at, wall, now_ms), of, what, *about, late if wall else event_link(fill["event"]))


# ---- one order -----------------------------------------------------------------------------------------------------------------


def show(api: PageClient, cid: str, *, wall: bool, back: Mapping[str, str]) -> None:
    """One order whole: what it is, its life, its executions, and a question to the operator."""
    links.press("All orders", back, key="orders_back", icon=":material/arrow_back:", look="tertiary")
    try:
        order = api.get(f"/api/orders/{cid}")
    except Trouble as trouble:
        parts.note("▲ Not known:", f"{trouble.what}.", "warn")
        return
    kind = f"{SLOTS.get(order['slot'], order['slot'])} order"
    told: list[dict[str, Any]] = [{"text": f"{order['side']} {size(order, order['lots'])} {typeset(str(order['instrument']))}"}]
    told.append({"text": f"at {price(order['price'])}" if order["price"] else "at the market"})
    told.append({"text": f"{order['state']}, {part_of(order)} filled", "loud": order["state"] in LOUD})
    told += [{"text": f"the venue calls it {order['venue_id']}"}] if order["venue_id"] else []
    parts.title(f"{order['sleeve']}, {kind}", told, str(order["cid"]))
    with st.container(key="panel_order_life"):
        life(order, named=False)
    with st.container(key="panel_order_fills"):
        parts.head("Executions", f"{len(order['fills'])}; fee in USDT")
        fills([order], wall=wall, now_ms=clocks.wall_ms() if wall else clocks.desk_ms(), named=False) if order[
            "fills"
        ] else parts.soft("Nothing of it has filled.")
    question = f"explain {order['states'][-1]['event']}"
    if rights.button(
        api, "Ask the operator about it", key="order_ask", icon=":material/chat:"
    ):  # a callback would stay in this fragment
        asking.send(api, "operator", question, "new")
        st.rerun()


def life(order: Mapping[str, Any], *, named: bool = True) -> None:
    """An order's states, one a row: desk time, when the machine took it down, why. `named`: its head says of which."""
    what = f"{order['side']} {size(order, order['lots'])}, {part_of(order)} filled, {order['state']}"
    parts.head("Its life", f"{order['sleeve']}, {SLOTS.get(order['slot'], order['slot'])}: {what}" if named else "")
    rows = []
    asked = any(state["state"] == "cancelling" for state in order["states"])
    for state in order["states"]:
        ident = event_link(state["event"])
        name = str(state["state"])
        cell = (f"{SIGNS.get(name, '●')} {name}", LOUD.get(name, ""))
        rows.append(
            (
                stamp(state["received_ms"], True, clocks.wall_ms()),
                short(state["t_ms"], clocks.desk_ms()),
                cell,
                typeset(_why(state, asked=asked)),
                ident,
            )
        )
    heads = ("received, wall clock, UTC", "desk time, UTC", "state", "why", "event")
    parts.table(heads, rows, left=(0, 1, 2, 3), thin=(1,), wrap=(3,))


def _why(state: Mapping[str, Any], *, asked: bool = True) -> str:
    """Why a state came; a time in it is written as times are. `asked`: the desk has cancelled it."""
    why = str(state["why"])
    if not asked and state["state"] == "done" and why.lower().partition(" ")[0] in CANCELLED:
        return f"{why}: ended at the venue, this desk did not ask for it"
    first, _, rest = why.partition(" ")
    if first == "decided" and rest.isdigit() and len(rest) < 15:
        return f"decided at the close of {short(int(rest), clocks.desk_ms())}"
    return LONG.sub(lambda found: price(float(found[0])), why)
