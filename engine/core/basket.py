"""A basket: one sleeve over k instruments, its legs, that nets the pairs it trades. What it knows, and how a fill is booked.

Its orders are net, one a leg and open: what one pair buys and another sells crosses inside, at the fill price of that open and
without a cost. A leg is a core Sleeve without cash of its own, moved by ledger.on_fill alone; a pair is a virtual ledger. Legs
and pairs are two accounts of the same fills: each sums to the basket's ledger after every event.

Values and functions of values, read by basket_open.py and basket_run.py; basket_kernel.py compiles all three.
"""

from typing import Any, NamedTuple

from .booking import update_kelly_window
from .guardrails import count_trip
from .ledger import on_fill, open_lots, put
from .memory import Rows, emit, load, store
from .rows import breaker_row, pair_row
from .state import (
    ENTRY,
    K_FILL,
    LOSS_STREAK,
    NONE,
    PAIR,
    Fill,
    Guard,
    Ledger,
    Order,
    Rules,
    Sleeve,
)


class SpreadTerms(NamedTuple):
    """What all pairs of a basket trade by, in deviations of their spread; as research/pairs/spread.py has them."""

    enter: float
    leave: float  # of the way back
    stop: float
    momentum_bars: int  # 0: left at the mean; else the first close past it whose spread has not moved on for so many bars
    pair_frac_max: float  # most gross money of a pair, as a fraction of equity


class PairBook(NamedTuple):
    """One pair: what it wants, what it has, what it owns. Lots carry their side."""

    a: int  # legs
    b: int
    side: int  # 1: long a, short b; 0: neither has nor wants anything
    lots_a: int
    lots_b: int
    want_a: int
    want_b: int
    ask_a: int  # of what is due, what the close has ordered for the next open
    ask_b: int
    full_a: int  # of a pair that leaves, what it wanted before: a leg that has more of it left than its mate is ahead
    full_b: int
    entering: int  # 1: ordered at the last close, not traded yet
    leaving: int  # why it leaves; NONE
    armed: int  # 0: after a stop, until the spread was inside once
    opened: int  # 1: something of it has filled
    key: int  # of its entry
    refused: int  # rule of the last refusal while it lasts
    momentum_bars: int  # from here to `deviation` as it was entered: another version moves no pair that is in
    leave: float
    stop: float
    hedge: float  # the fit
    intercept: float
    deviation: float
    cash: float  # what its fills and settlements paid, fees off
    fees: float
    funding: float
    slippage: float
    traded: float
    cash_before: float  # at its entry
    risk: float  # money lost at the spread's stop


class LegOrder(NamedTuple):
    """A leg's net order at the market for the next open; what of it is left after that is cancelled."""

    key: int  # the leg's so-many-th
    side: int  # 0: none
    lots: int  # that may still fill
    adds: int  # 1: some of it opens, after it has closed what is on the other side
    decided_ms: int


class Basket(NamedTuple):
    """The sleeve: the sum of its legs, what its guardrails remember, and its entries so far."""

    base: float  # cash before the first fill
    ledger: Ledger
    guard: Guard
    entries: int


class BasketMemory(NamedTuple):
    """The arrays of a basket: lists in plain Python, record arrays compiled."""

    bars: Any  # Bar per bar and leg, flat, leg fastest
    legs: Any  # Sleeve, one a leg
    rules: Any  # Rules, one a leg
    pairs: Any  # PairBook, one a pair
    orders: Any  # LegOrder, one a leg
    hedge: Any  # the fit at each close, per bar and pair, flat; NaN: none
    intercept: Any
    deviation: Any
    logs: Any  # log close per bar and leg
    slip: Any  # slip_frac, impact, range_times and volume_times of state.Signal, per bar and leg
    impact: Any
    range_times: Any
    volume_times: Any
    ends: Any  # of each leg the last bar at which it trades, while others go on; -1: it does not end
    recent_r: Any  # R of the last round trips of pairs, TRIPS_KEPT
    marks: Any  # scratch, one a leg: its last price
    taken: Any  # scratch, one a leg: base units filled in this bar
    ordered: Any  # scratch, one a leg: notional that this close has ordered
    wants: Any  # scratch, one a pair: lots that it trades on the leg at hand, with their side
    parts: Any  # scratch, one a pair: what of them filled or crossed, without the side
    rows: Rows


NO_LEG_ORDER = LegOrder(0, 0, 0, 0, 0)


def no_pair(a: int, b: int) -> PairBook:
    """A pair of two legs that has not traded."""
    return PairBook(a, b, *(0,) * 10, NONE, 1, 0, 0, 0, 0, *(0.0,) * 12)


def lots_on(pair: PairBook, leg: int) -> int:
    """What a pair has on a leg."""
    return pair.lots_a if pair.a == leg else pair.lots_b if pair.b == leg else 0


def due_on(pair: PairBook, leg: int) -> int:
    """What a pair still has to trade on a leg."""
    return pair.want_a - pair.lots_a if pair.a == leg else pair.want_b - pair.lots_b if pair.b == leg else 0


def asked_on(pair: PairBook, leg: int) -> int:
    """What a pair has ordered on a leg for the next open."""
    return pair.ask_a if pair.a == leg else pair.ask_b if pair.b == leg else 0


def with_asked(pair: PairBook, leg: int, lots: int) -> PairBook:
    """A pair that has ordered so many lots of a leg."""
    return pair._replace(ask_a=lots) if pair.a == leg else pair._replace(ask_b=lots)


def with_leaving(pair: PairBook, reason: int) -> PairBook:
    """A pair that leaves, for the first reason that it was given; a stop of any kind disarms it."""
    if pair.leaving != NONE:
        return pair
    full_a, full_b = abs(pair.want_a), abs(pair.want_b)
    return pair._replace(want_a=0, want_b=0, full_a=full_a, full_b=full_b, entering=0, leaving=reason)


def hedged(pair: PairBook) -> PairBook:
    """A pair after the open of its entry: the leg that filled less cuts the other to its share, to nothing if it is nothing."""
    full_a, full_b, a, b = abs(pair.want_a), abs(pair.want_b), abs(pair.lots_a), abs(pair.lots_b)
    if a == full_a and b == full_b:
        return pair._replace(entering=0)
    share_a, share_b = a / full_a, b / full_b
    share = min(share_a, share_b)
    part_a = a if share_a <= share_b else int(full_a * share + 1e-9)
    part_b = b if share_b <= share_a else int(full_b * share + 1e-9)
    if part_a == 0 or part_b == 0:
        return with_leaving(pair, PAIR)
    return pair._replace(entering=0, want_a=pair.side * part_a, want_b=-pair.side * part_b, risk=pair.risk * share)


def traded(pair: PairBook, leg: int, signed: int, rules: Rules, price: float, fee: float, reference: float) -> PairBook:
    """A pair after `signed` lots of it traded on a leg at `price`; `reference`: without slippage."""
    units = signed * rules.lot_size
    return pair._replace(
        lots_a=pair.lots_a + (signed if pair.a == leg else 0),
        lots_b=pair.lots_b + (signed if pair.b == leg else 0),
        opened=1,
        cash=pair.cash - units * price - fee,
        fees=pair.fees + fee,
        slippage=pair.slippage + units * (price - reference),
        traded=pair.traded + abs(units) * price,
    )


def pair_value(m: BasketMemory, p: int) -> float:
    """What a pair has made so far, its lots at the last prices."""
    pair = load(m.pairs, p, PairBook)
    rules_a, rules_b = load(m.rules, pair.a, Rules), load(m.rules, pair.b, Rules)
    value = pair.cash + pair.lots_a * rules_a.lot_size * m.marks[pair.a]
    return value + pair.lots_b * rules_b.lot_size * m.marks[pair.b]  # type: ignore[no-any-return]  # a number


def summed(m: BasketMemory, book: Basket) -> Basket:
    """The basket with the ledger that its legs sum to."""
    cash, equity, notional, fees, funding, slippage, turned = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for leg in range(len(m.legs)):
        own = load(m.legs, leg, Sleeve).ledger
        cash, equity, notional = cash + own.cash, equity + own.equity, notional + own.notional
        fees, funding, slippage, turned = fees + own.fees, funding + own.funding, slippage + own.slippage, turned + own.traded
    ledger = book.ledger._replace(
        cash=book.base + cash,
        equity=book.base + equity,
        notional=notional,
        fees=fees,
        funding=funding,
        slippage=slippage,
        traded=turned,
    )
    return book._replace(ledger=ledger)


def leg_after(leg: Sleeve, rules: Rules, side: int, fill: Fill) -> Sleeve:
    """A leg after its net execution on `side`: it closes what is on the other side first, the rest opens; one price, one fee by
    lots. `fill`: as an exit, its key that of a layer that it opens. The rest of an exit is not due by itself: what pairs want
    says so."""
    against = leg.position.side * side < 0
    closes = min(fill.lots, open_lots(leg.position)) if against else 0
    for opens in range(2):
        lots = closes if opens == 0 else fill.lots - closes
        if lots == 0:
            continue
        part = fill._replace(lots=lots, fee=fill.fee * lots / fill.lots)
        if opens != 0:
            key = leg.position.layers[0].key if leg.position.open_layers > 0 else fill.key
            leg = leg._replace(order=Order(key, side, lots, 0.0, 0.0, 0.0, 0.0, fill.t_ms, 0.0, 0, 1, 0.0, 0.0, 0))
            part = part._replace(slot=ENTRY, reason=NONE, key=key)
        leg = on_fill(leg, rules, part)
        position = leg.position
        if position.open_layers > 0:
            layers = put(position.layers, 0, position.layers[0]._replace(exit_pending=NONE))
            leg = leg._replace(position=position._replace(layers=layers))
    return leg


def finished(m: BasketMemory, book: Basket, p: int, t_ms: int, n: int) -> tuple[Basket, int]:
    """The basket once a pair has nothing and wants nothing: its round trip counts, for Kelly and for the row of losses."""
    pair, first = load(m.pairs, p, PairBook), load(m.rules, 0, Rules)
    if pair.side == 0 or pair.lots_a != 0 or pair.lots_b != 0 or pair.want_a != 0 or pair.want_b != 0:
        return book, n
    if pair.opened != 0:
        pnl = pair.cash - pair.cash_before
        ledger = book.ledger._replace(trips=book.ledger.trips + 1, last_r=pnl / pair.risk if pair.risk > 0.0 else 0.0)
        guard = count_trip(book.guard, first, pnl, t_ms)
        if guard.pause_until_ms != book.guard.pause_until_ms:
            n = emit(m.rows, n, breaker_row(0, LOSS_STREAK, t_ms, ledger.equity, guard.pause_until_ms))
        book = book._replace(ledger=update_kelly_window(m.recent_r, 0, ledger), guard=guard)
    store(m.pairs, p, pair._replace(side=0, leaving=NONE, opened=0, full_a=0, full_b=0, risk=0.0))
    return book, n


def book_leg(m: BasketMemory, book: Basket, leg: int, side: int, fill: Fill, n: int) -> tuple[Basket, int]:
    """The basket after what its pairs traded on a leg at one price: `fill` outside, net on `side`; the rest crossed inside.

    m.wants: what each pair trades, with its side; m.parts: how much of it, which on `side` sums to the crossed lots and the
    fill's. A fill of no lots has the price at which pairs cross. Its fee is paid by the pairs on `side`, by lots.
    """
    rules = load(m.rules, leg, Rules)
    if fill.lots > 0:
        store(m.legs, leg, leg_after(load(m.legs, leg, Sleeve), rules, side, fill))
        book = summed(m, book)
    paying = 0
    for p in range(len(m.pairs)):
        paying += m.parts[p] if m.wants[p] * side > 0 else 0
    for p in range(len(m.pairs)):
        lots, way = m.parts[p], 1 if m.wants[p] > 0 else -1
        if lots == 0:
            continue
        before = load(m.pairs, p, PairBook)
        fee = fill.fee * lots / paying if way == side and fill.lots > 0 else 0.0
        pair = traded(before, leg, way * lots, rules, fill.price, fee, fill.reference_price)
        store(m.pairs, p, pair)
        opens = lots_on(before, leg) * way >= 0
        reason = NONE if opens else fill.reason if fill.reason != NONE else before.leaving if before.leaving != NONE else PAIR
        pnl = pair.cash - pair.cash_before if pair.lots_a == 0 and pair.lots_b == 0 else 0.0
        part = fill._replace(slot=ENTRY if opens else fill.slot, leg=leg, pair=p, key=pair.key, lots=lots, fee=fee, reason=reason)
        code = K_FILL, part.slot, reason, way
        figures = lots, fill.price, fee, book.ledger.cash, fill.reference_price, pnl
        n = emit(m.rows, n, pair_row(fill.t_ms, code, (leg, p, pair.key), figures))
    return book, n
