"""What moves a basket on a desk: executions and settlements of its legs, what crosses inside, a bar, a halt; and what its legs
want at the venue.

Called by transitions.py, executions.py and order_events.py in the places where a sleeve of one instrument has its own. Every
move is the backtest's: core/basket*.py over lists. A bar's order is the core's, too; live/basket_bar.py keeps it.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from engine.book.basket_book import memory_of
from engine.book.basket_events import basket_of, parts_of
from engine.book.book import Book, flat
from engine.core.basket import NO_LEG_ORDER, BasketMemory, asked_on, hedged, lots_on, with_asked
from engine.core.basket_open import closed, opened, order_all, order_leg, paid, settle, traded_at
from engine.core.basket_run import decide, leaves, marked
from engine.core.exits import protective
from engine.core.ledger import open_lots
from engine.core.memory import emit
from engine.core.orders import ENDED, PARTIAL, REJECTED, WORKING, VenueOrder
from engine.core.plan import Want
from engine.core.rows import pair_row
from engine.core.state import (
    DELISTED,
    ENTRY,
    EXIT_SLOT,
    HALT,
    K_FUNDING,
    LIQUIDATION,
    NONE,
    PROTECTIVE,
    SLOTS,
    Bar,
    Fill,
    Row,
    Signal,
)
from engine.core.step import usable

NO_PRICE = (math.nan,) * 7


def memory(
    book: Book, bars: Sequence[Bar] = (), costs: Sequence[Signal] = (), ended: Sequence[int] = ()
) -> tuple[BasketMemory, int]:
    """The core's arrays, and which bar is the last; without `bars` those that the desk has of its last close."""
    if not bars:
        none = Bar(book.close_ms, *NO_PRICE)
        own = (book.bars[spec.rules.bars] for spec in book.specs)
        bars = [bar if bar.close_ms == book.close_ms else none for bar in own]
    return memory_of(basket_of(book), book.sleeves, [spec.rules for spec in book.specs], bars, costs, ended)


# ---- what the legs want ------------------------------------------------------------------------------------------------------


def leg_wants(book: Book, s: int) -> list[Want]:
    """What a leg wants at its venue: its net order, and one protective order for all that it has."""
    order, position = basket_of(book).orders[s], book.sleeves[s].position
    found = []
    if order.side != 0 and order.lots > 0:
        found.append(Want(ENTRY if order.adds else EXIT_SLOT, order.key, order.side, order.lots, 0.0))
    for layer in position.layers[: position.open_layers]:
        found.append(Want(PROTECTIVE, layer.key, -position.side, layer.lots, protective(position, layer)[1]))
    return found


def legs_orders(orders: Sequence[VenueOrder]) -> list[VenueOrder]:
    """A leg's orders as its plan sees them on paper: a stop that has filled in part rests on, and follows what the leg has left.
    What is due because of it leaves by the net order.
    """
    return [o._replace(state=WORKING) if o.slot == PROTECTIVE and o.state == PARTIAL else o for o in orders]


def leg_at_rest(book: Book, s: int) -> bool:
    """A leg without a position, without an order and with none in doubt."""
    return flat(book.sleeves[s]) and basket_of(book).orders[s].side == 0


def leg_enters(book: Book, s: int) -> bool:
    """Whether a pair that enters has a part of a leg's net order. Without one it ends pairs alone, also where that adds to what
    the leg has net.
    """
    return any(pair.entering != 0 and asked_on(pair, s) != 0 for pair in basket_of(book).pairs)


def leg_order_ended(book: Book, order: VenueOrder) -> None:
    """A leg's net order that its venue has ended is not wanted again: what is missing is due at the next close. Of one that was
    refused and lets pairs in, what ends pairs is ordered alone: it does not wait for the entries beside it.
    """
    orders, s = basket_of(book).orders, order.sleeve
    if order.state not in ENDED or order.slot == PROTECTIVE or order.flattens or orders[s].key != order.key:
        return
    if not book.simulated and order.reported > order.filled:
        return  # what it has filled is listed later
    nothing = order.state == REJECTED or (not book.simulated and order.filled == 0)
    if nothing and not leg_enters(book, s) and order.state == REJECTED and not book.simulated:
        return  # what ends pairs is asked for again
    orders[s] = NO_LEG_ORDER
    if nothing and leg_enters(book, s):
        pairs = basket_of(book).pairs
        pairs[:] = [with_asked(pair, s, 0) if pair.entering != 0 and asked_on(pair, s) != 0 else pair for pair in pairs]
        leg_order_made(book, s)


def leg_order_made(book: Book, s: int, key: int = 0) -> None:
    """A leg's net order for what its pairs ask now; `key`: of one that was not placed yet, in whose place it comes."""
    before = book.sleeves[s].entries
    order_leg(*_at_leg(book, s))
    orders = basket_of(book).orders
    if key:
        book.sleeves[s] = book.sleeves[s]._replace(entries=before)
        orders[s] = orders[s]._replace(key=key) if orders[s].side != 0 else NO_LEG_ORDER


def order_anew(book: Book) -> None:
    """All legs order what their pairs want now; an order that is the same stays the one that it was."""
    basket = basket_of(book)
    before = [(order, book.sleeves[s].entries, _asks(book, s)) for s, order in enumerate(basket.orders)]
    order_all(*memory(book))
    for s, (order, entries, asks) in enumerate(before):
        if order.side != 0 and asks == _asks(book, s) and basket.orders[s]._replace(key=order.key) == order:
            basket.orders[s], book.sleeves[s] = order, book.sleeves[s]._replace(entries=entries)


def _asks(book: Book, s: int) -> list[int]:
    return [asked_on(pair, s) for pair in basket_of(book).pairs]


def _at_leg(book: Book, s: int) -> tuple[BasketMemory, int, int]:
    """The core's arrays, a leg, and which bar is the last."""
    m, t = memory(book)
    return m, s, t


# ---- what a venue reports ----------------------------------------------------------------------------------------------------


def leg_fits(book: Book, order: VenueOrder, lots: int) -> bool:
    """Whether an execution of so many lots is one that the leg can book."""
    own, position = basket_of(book).orders[order.sleeve], book.sleeves[order.sleeve].position
    if order.slot == PROTECTIVE or order.flattens:
        return order.side * position.side < 0 and 0 < lots <= open_lots(position)
    return own.key == order.key and own.side == order.side and 0 < lots <= own.lots


def leg_filled(
    book: Book, order: VenueOrder, body: Mapping[str, Any], late: Callable[[Book, VenueOrder, Fill], list[Row]] | None = None
) -> dict[str, Any]:
    """Book an execution of a leg that fits; what its body says beside what the venue has said. `late`: books one of an order that
    is wanted no longer.
    """
    s, basket = order.sleeve, basket_of(book)
    position, (m, _) = book.sleeves[s].position, memory(book)
    money = float(body["price"]), float(body["fee"])
    figures = body["lots"], *money, int(body["liquidity"] == "maker")
    reference, t_ms = float(body["reference_price"]), body["t_ms"]
    if order.slot == PROTECTIVE or order.flattens:
        reason = HALT if order.flattens else protective(position, position.layers[0])[0]
        reason = LIQUIDATION if body.get("liquidation") else DELISTED if body.get("delisted") else reason
        fill = Fill(PROTECTIVE, s, 0, position.layers[0].key, 0, *figures, reason, reference, t_ms)
        basket.whole, n = closed(m, basket.whole, s, fill, 0)
        rows = m.rows[:n]
    else:
        fill = Fill(EXIT_SLOT, s, 0, order.key, 0, *figures, NONE, reference, t_ms)
        if late is not None:
            rows = late(book, order, fill)
        else:
            basket.whole, n = traded_at(m, basket.whole, s, fill, 0)
            rows = m.rows[:n]
    body = leg_body(book, fill, (order.key, order.slot, order.side), rows)
    if order.slot == ENTRY:
        return body | {"decided_ms": order.decided_ms}
    return body | {"reason": _reason(body["parts"]), "round_trip_pnl": None}


def leg_body(book: Book, fill: Fill, of: tuple[int, int, int], rows: Sequence[Row]) -> dict[str, Any]:
    """What the body of a leg's `fill` says beside what the venue has said. `of`: key, slot and side of what executed; `rows`: of
    the core, as it was booked.
    """
    basket, spec, (key, slot, side) = basket_of(book), book.specs[fill.leg], of
    quantity = fill.lots * spec.rules.lot_size
    return {
        "sleeve": book.names[fill.leg],
        "version": spec.version,
        "basket": basket.name,
        "instrument": spec.source["instrument"],
        "leg": fill.leg,
        "pair": 0,
        "key": key,
        "slot": SLOTS[slot],
        "side": "buy" if side > 0 else "sell",
        "layer": 0,
        "quantity": quantity,
        "slippage": side * quantity * (fill.price - fill.reference_price),
        "cash": basket.whole.ledger.cash,
        "parts": parts_of(book, rows),
    }


def _reason(parts: Sequence[Mapping[str, Any]]) -> str:
    """Why an execution that only reduces was ordered: as the first pair that leaves by it."""
    return next((str(part["reason"]) for part in parts if "reason" in part), "pair")


def leg_crossed(book: Book, body: Mapping[str, Any]) -> dict[str, Any]:
    """Book what crosses inside a leg without an execution: {sleeve, price, t_ms} and, of one whose bars end, {delisted: true}."""
    s, basket, (m, _) = book.names.index(body["sleeve"]), basket_of(book), memory(book)
    price, t_ms = float(body["price"]), body["t_ms"]
    if body.get("delisted"):
        fill = Fill(PROTECTIVE, s, 0, 0, 0, 0, price, 0.0, 0, DELISTED, price, t_ms)
        basket.whole, n = closed(m, basket.whole, s, fill, 0)
    else:
        basket.whole, n = traded_at(m, basket.whole, s, Fill(EXIT_SLOT, s, 0, 0, 0, 0, price, 0.0, 0, NONE, price, t_ms), 0)
    parts = parts_of(book, m.rows[:n])
    return {"version": book.specs[s].version, "basket": basket.name, "cash": basket.whole.ledger.cash, "parts": parts}


def leg_settled(book: Book, s: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Book a settlement of a leg."""
    basket, (m, _) = basket_of(book), memory(book)
    cash, mark, rate = (float(body[name]) for name in ("cash_flow", "mark", "rate"))
    lots = book.sleeves[s].position.side * open_lots(book.sleeves[s].position)
    basket.whole, n = paid(m, basket.whole, s, cash, mark, rate, body["t_ms"], 0)
    n = _rest_of(book, m, s, cash, body["t_ms"], n)
    told = {"sleeve": book.names[s], "version": book.specs[s].version, "basket": basket.name, "lots": lots}
    return told | {"cash": basket.whole.ledger.cash, "parts": parts_of(book, m.rows[:n])}


def _rest_of(book: Book, m: BasketMemory, s: int, cash: float, t_ms: int, n: int) -> int:
    """A bill that the lots of now do not come to, as one that is listed after its position has left: the pair that entered last
    on the leg bears the rest, so that pairs sum to legs. Returns rows so far.
    """
    basket = basket_of(book)
    rest = cash - sum(row.fee for row in m.rows[:n])
    if book.simulated or not abs(rest) > 1e-12 * max(1.0, abs(cash)):
        return n
    p = max((p for p, pair in enumerate(basket.pairs) if s in (pair.a, pair.b)), key=lambda p: basket.pairs[p].key)
    pair = basket.pairs[p]
    basket.pairs[p] = pair._replace(cash=pair.cash + rest, funding=pair.funding + rest)
    figures = lots_on(pair, s), 0.0, rest, basket.whole.ledger.cash, 0.0, 0.0
    row = pair_row(t_ms, (K_FUNDING, 0, 0, 1 if lots_on(pair, s) > 0 else -1), (s, p, pair.key), figures)
    return emit(m.rows, n, row)


# ---- a bar, and what people set ----------------------------------------------------------------------------------------------


def basket_phases(
    book: Book, bars: Sequence[Bar], costs: Sequence[Signal], body: Mapping[str, Any], *, settles: int = 0
) -> list[Row]:
    """The end of one bar, mark and decision; its rows. `body`: log closes, fits and legs that end, of a `bar` event. `settles` 1:
    fills are simulated inside the bar, as in a backtest (engine/parity); 0: a venue has reported before.
    """
    basket, own = basket_of(book), [bars[spec.rules.bars] for spec in book.specs]
    basket.logs.append([math.nan if log is None else float(log) for log in body["logs"]])
    del basket.logs[: -basket.looks_back()]
    basket.fits = [[math.nan if number is None else float(number) for number in fit] for fit in body["fits"]]
    ended = [book.names.index(name) for name in body.get("ended", ())]
    m, t = memory(book, own, costs, ended)
    if settles:
        whole, n = settle(m, basket.whole, t, 0)
    else:
        for s, bar in enumerate(own):
            if usable(bar):
                basket.marks[s] = bar.close
        whole, n = opened(m, basket.whole, own[0].close_ms, 0)
    whole, book.desk, n = marked(m, whole, book.desk, book.limits, t, n)
    basket.whole, book.desk, n = decide(m, basket.terms, whole, book.desk, book.limits, t, n)
    assert n <= len(m.rows), "more rows than a bar can have"  # noqa: S101 - a lost row must halt
    return list(m.rows[:n])


def basket_halted(book: Book) -> list[Row]:
    """A halted basket: entries that have not traded are forgotten, every pair leaves at the next open. Its rows."""
    withdraw_pairs(book)
    basket, n = basket_of(book), 0
    m, t = memory(book)
    for p, pair in enumerate(basket.pairs):
        if pair.side != 0:
            n = leaves(m, book.desk, pair, p, t, n)
    rows = list(m.rows[:n])
    order_anew(book)
    return rows


def withdraw_pairs(book: Book, legs: Collection[int] = ()) -> bool:
    """Pairs that have ordered an entry and traded nothing of it want none; at an account one that has traded a part is cut to
    what both legs have. True if there were any: orders are made anew. `legs`: pairs of these alone; none: all."""
    basket, found = basket_of(book), False
    for p, pair in enumerate(basket.pairs):
        if legs and pair.a not in legs and pair.b not in legs:
            continue
        if pair.entering != 0 and pair.opened == 0:
            basket.pairs[p] = pair._replace(side=0, want_a=0, want_b=0, ask_a=0, ask_b=0, entering=0, risk=0.0)
            found = True
        elif pair.entering != 0 and not book.simulated:  # on paper its bar is over with its fills
            basket.pairs[p] = hedged(pair)
            found = True
    if found:
        order_anew(book)
    return found
