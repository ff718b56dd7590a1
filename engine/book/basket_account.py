"""A basket at an account: what a venue says later than the bar that it is of, and what is done about a leg between two closes.

Called by executions.py, order_events.py, account_events.py and adoption.py where an account differs from paper. There a fill may
be listed after its pair has left, an order may be in doubt while the next one is wanted, and a venue closes lots that nobody has
ordered. Each order keeps what every pair has of it (`BasketBook.parts`), so that whatever it executes is of those pairs; what a
pair then has and does not want is due, and leaves by the leg's next order. Every move is still the core's.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from engine.book.basket_events import basket_of
from engine.book.basket_moves import leg_body, leg_order_ended, leg_order_made, memory, order_anew
from engine.book.book import Book
from engine.core.basket import NO_LEG_ORDER, PairBook, asked_on, due_on, lots_on, summed, with_asked, with_leaving
from engine.core.basket_open import closed, traded_at
from engine.core.ledger import on_mark, open_lots
from engine.core.orders import VenueOrder, find
from engine.core.plan import Want
from engine.core.sizing import least_lots
from engine.core.state import EXIT_REASONS, HALT, NONE, PAIR, PROTECTIVE, Fill, Row

# ---- orders -------------------------------------------------------------------------------------------------------------------


def waiting(book: Book, s: int, orders: Sequence[VenueOrder], wanted: list[Want]) -> list[Want]:
    """What a leg wants now: its net order waits while the venue may still fill, or has not listed, another one of the leg. Both
    would trade the same lots.
    """
    if book.simulated:
        return wanted
    key = basket_of(book).orders[s].key
    before = any(order.slot != PROTECTIVE and order.key != key for order in orders)
    return [want for want in wanted if want.slot == PROTECTIVE] if before else wanted


def remember(book: Book, order: VenueOrder) -> None:
    """A leg's net order has what each pair asks of it, for as long as it may execute anything."""
    basket = basket_of(book)
    if not book.simulated and order.slot != PROTECTIVE and not order.flattens:
        basket.parts[order.id] = [asked_on(pair, order.sleeve) for pair in basket.pairs]


def forget(book: Book) -> None:
    """Parts of orders that are no longer known."""
    basket = book.basket
    if basket is not None and basket.parts:
        known = {*book.orders.open, *(order.id for order in book.orders.ended)}
        basket.parts = {id_: parts for id_, parts in basket.parts.items() if id_ in known}


# ---- executions ---------------------------------------------------------------------------------------------------------------


def is_late(book: Book, order: VenueOrder, lots: int) -> bool:
    """Whether an execution is of a leg's order that is wanted no longer, and fits it."""
    basket = basket_of(book)
    return order.id in basket.parts and basket.orders[order.sleeve].key != order.key and 0 < lots <= order.lots - order.filled


def late_fill(book: Book, order: VenueOrder, fill: Fill) -> list[Row]:
    """Book it to the pairs that had ordered it, and let what is ordered since follow; its rows."""
    basket, s = basket_of(book), order.sleeve
    now, asks = basket.orders[s], [asked_on(pair, s) for pair in basket.pairs]
    before = [pair.cash for pair in basket.pairs]
    _ask(book, s, basket.parts[order.id])
    basket.orders[s] = NO_LEG_ORDER._replace(key=order.key, side=order.side, lots=order.lots - order.filled)
    m, _ = memory(book)
    basket.whole, n = traded_at(m, basket.whole, s, fill, 0)
    rows = list(m.rows[:n])
    basket.parts[order.id] = [asked_on(pair, s) for pair in basket.pairs]
    basket.orders[s] = now
    _ask(book, s, asks)
    for p, pair in enumerate(basket.pairs):
        if pair.side == 0 and (pair.lots_a or pair.lots_b):
            basket.pairs[p] = _again(pair, before[p])
    follow(book, s)
    return rows


def follow(book: Book, s: int) -> None:
    """What a leg has ordered and not placed yet is no more than its pairs still have to trade; a halted desk leaves at once."""
    basket = basket_of(book)
    if book.desk.halted:
        order_anew(book)
        return
    own = basket.orders[s]
    if own.side == 0 or any((o.sleeve, o.key) == (s, own.key) and o.slot != PROTECTIVE for o in book.orders.open.values()):
        return
    _ask(book, s, [_within(asked_on(pair, s), due_on(pair, s)) for pair in basket.pairs])
    leg_order_made(book, s, own.key)


def _within(asked: int, due: int) -> int:
    """No more than is due, on its side."""
    return 0 if asked * due <= 0 else min(abs(asked), abs(due)) * (1 if due > 0 else -1)


def _ask(book: Book, s: int, lots: Iterable[int]) -> None:
    """Each pair asks for so many lots of a leg."""
    pairs = basket_of(book).pairs
    pairs[:] = [with_asked(pair, s, asked) if s in (pair.a, pair.b) else pair for pair, asked in zip(pairs, lots, strict=True)]


def _again(pair: PairBook, cash: float) -> PairBook:
    """A pair that was out, and of which something has filled after all: it leaves again."""
    side = (1 if pair.lots_a > 0 else -1) if pair.lots_a else -1 if pair.lots_b > 0 else 1
    full = abs(pair.lots_a), abs(pair.lots_b)
    found = pair._replace(side=side, leaving=PAIR, opened=1, entering=0, want_a=0, want_b=0, cash_before=cash, armed=0)
    return found._replace(full_a=max(full[0], 1), full_b=max(full[1], 1))


def after_fill(book: Book, order: VenueOrder, *, late: bool) -> None:
    """After an execution at an account: a net order that has ended is wanted no longer, one of a halted desk leaves at once, and
    what is ordered and not placed follows.
    """
    if not late and order.slot != PROTECTIVE and not order.flattens:
        noted(book, order)
        now = find(book.orders, order.id)
        if now is not None:
            leg_order_ended(book, now)
    if book.desk.halted:
        order_anew(book)
    elif not late:
        follow(book, order.sleeve)


def noted(book: Book, order: VenueOrder) -> None:
    """After an execution of a leg's order that is wanted: what of it each pair may still get."""
    basket = basket_of(book)
    if order.id in basket.parts:
        basket.parts[order.id] = [asked_on(pair, order.sleeve) for pair in basket.pairs]


def crossed(book: Book, s: int) -> None:
    """The same after pairs have crossed inside a leg without an execution."""
    own = basket_of(book).orders[s]
    for order in book.orders.open.values():
        if (order.sleeve, order.key) == (s, own.key):
            noted(book, order)


def uncrossed(book: Book) -> list[int]:
    """Legs of which pairs want both sides, and no order has filled since the close before."""
    asks = [[asked_on(pair, s) for pair in basket_of(book).pairs] for s in range(len(book.specs))]
    return [s for s, own in enumerate(asks) if max(own) > 0 > min(own)]


# ---- what happens to a leg between two closes ---------------------------------------------------------------------------------


def covers(book: Book, order: VenueOrder, lots: int) -> bool:
    """Whether an execution of a stop or of an exit of what was not booked is one that the leg has lots for."""
    position = book.sleeves[order.sleeve].position
    return order.side * position.side < 0 and 0 < lots <= open_lots(position)


def is_leaving(book: Book, s: int) -> bool:
    """Whether every pair that has lots of a leg leaves already."""
    return all(pair.leaving != NONE for pair in basket_of(book).pairs if lots_on(pair, s))


def leaves_now(book: Book, s: int) -> None:
    """Every pair that has a leg, or enters it, leaves at the market now, with both legs."""
    basket = basket_of(book)
    found = [p for p, pair in enumerate(basket.pairs) if pair.side != 0 and s in (pair.a, pair.b)]
    if all(basket.pairs[p].leaving != NONE for p in found) and basket.orders[s].side != 0:
        return
    for p in found:
        pair = with_leaving(basket.pairs[p], HALT)
        never = not (pair.lots_a or pair.lots_b)
        basket.pairs[p] = pair._replace(side=0, leaving=NONE, opened=0, risk=0.0) if never else pair
    order_anew(book)


def reduced(book: Book, s: int, order: str, lots: int, money: Mapping[str, float], reason: int, t_ms: int) -> dict[str, Any]:
    """A leg has lost lots without an order of its own: pairs lose them as by a stop, and their mates leave. The body of a `fill`
    event. money: price, fee.
    """
    basket, position, rules = basket_of(book), book.sleeves[s].position, book.specs[s].rules
    side, key = -position.side, position.layers[0].key
    fill = Fill(
        PROTECTIVE, s, 0, key, 0, lots, float(money["price"]), float(money["fee"]), 0, reason, float(money["price"]), t_ms
    )
    m, _ = memory(book)
    basket.whole, n = closed(m, basket.whole, s, fill, 0)
    body = leg_body(book, fill, (key, PROTECTIVE, side), m.rows[:n])
    book.sleeves[s] = on_mark(book.sleeves[s], rules, basket.marks[s])
    basket.whole = summed(m, basket.whole)
    book.desk = book.desk._replace(equity=basket.whole.ledger.equity, gross=book.exposure)
    follow(book, s)
    return body | {
        "order": order,
        "lots": lots,
        "price": fill.price,
        "fee": fill.fee,
        "liquidity": "taker",
        "reference_price": fill.price,
        "t_ms": t_ms,
        "slippage": 0.0,
        "cash": basket.whole.ledger.cash,
        "reason": EXIT_REASONS[reason],
        "round_trip_pnl": None,
    }


def too_large(book: Book, s: int) -> str:
    """Why a leg's entry is above what stage live_small allows: the least pair that the venue takes; "" if not."""
    basket, rules = basket_of(book), [spec.rules for spec in book.specs]
    for pair in basket.pairs:
        asked = abs(asked_on(pair, s))
        if not asked or not pair.entering:
            continue
        a, b = ((basket.marks[leg], rules[leg]) for leg in (pair.a, pair.b))
        gross = least_lots(a[1], a[0]) * a[1].lot_size * a[0] * (1.0 + pair.hedge)
        gross = max(gross, least_lots(b[1], b[0]) * b[1].lot_size * b[0] * (1.0 + pair.hedge) / pair.hedge)
        share = (1.0 if s == pair.a else pair.hedge) / (1.0 + pair.hedge)
        most = ceil(gross * share / (basket.marks[s] * rules[s].lot_size)) + 1
        if asked > most:
            return f"stage live_small: {asked} lots of a pair, at most {most}"
    return ""


def withdrawn(book: Book, order: VenueOrder) -> bool:
    """A leg's net order is not wanted any longer: True if it was."""
    orders = basket_of(book).orders
    own = order.slot != PROTECTIVE and orders[order.sleeve].key == order.key
    if own:
        orders[order.sleeve] = NO_LEG_ORDER
    return own
