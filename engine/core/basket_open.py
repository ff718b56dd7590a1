"""What a bar does to a basket: settlements, the open that trades what the close before has ordered, stops of its legs,
liquidation, bars' end; and what a close orders for the next open.

Called by basket_run.py. Prices, participation, fees and levels are those of every sleeve: fills.py, exits.py, ledger.py,
sizing.py.
"""

from .basket import (
    NO_LEG_ORDER,
    Basket,
    BasketMemory,
    LegOrder,
    PairBook,
    asked_on,
    book_leg,
    due_on,
    finished,
    hedged,
    lots_on,
    with_asked,
    with_leaving,
)
from .basket import summed as summed_ledger
from .fills import available, match_exit, taker_fill
from .ledger import funding_cash, on_funding, open_lots
from .liquidation import fee_taken
from .memory import emit, load, store
from .rows import pair_row
from .state import (
    DELISTED,
    EXIT_SLOT,
    K_FUNDING,
    LIQUIDATION,
    NONE,
    OPTIMISTIC,
    PAIR,
    PROTECTIVE,
    TIERS,
    Bar,
    Fill,
    Rules,
    Sleeve,
)
from .step import usable


def settle(m: BasketMemory, book: Basket, t: int, n: int) -> tuple[Basket, int]:
    """The basket after bar t. Returns (basket, rows so far)."""
    legs = len(m.legs)
    for leg in range(legs):
        m.taken[leg] = 0.0
        bar = load(m.bars, t * legs + leg, Bar)
        if usable(bar) and bar.funding_mark > 0.0:
            book, n = paid(m, book, leg, settled(m, leg, bar), bar.funding_mark, bar.funding_rate, bar.close_ms, n)
    for leg in range(legs):
        bar = load(m.bars, t * legs + leg, Bar)
        if usable(bar):
            book, n = traded_at(m, book, leg, at_open(m, leg, bar), n)
    for leg in range(legs):
        bar = load(m.bars, t * legs + leg, Bar)
        if usable(bar):
            m.marks[leg] = bar.close
            book, n = stopped(m, book, leg, bar, n)
    if margin_is_gone(m, book, t):
        for leg in range(legs):
            if load(m.legs, leg, Sleeve).position.open_layers > 0:
                book, n = closed(m, book, leg, liquidation_of(m, leg, t), n)
    for leg in range(legs):
        if m.ends[leg] == t:
            book, n = closed(m, book, leg, end_of(m, leg, t), n)
    return opened(m, book, close_of(m, t), n)


def close_of(m: BasketMemory, t: int) -> int:
    """The close of bar t (UTC ms)."""
    return load(m.bars, t * len(m.legs), Bar).close_ms  # type: ignore[no-any-return]  # a number


def opened(m: BasketMemory, book: Basket, close_ms: int, n: int) -> tuple[Basket, int]:
    """The basket once a bar is over: what was ordered and has not filled is cancelled, entries are hedged, round trips end."""
    for leg in range(len(m.legs)):
        store(m.orders, leg, NO_LEG_ORDER)
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)._replace(ask_a=0, ask_b=0)
        store(m.pairs, p, hedged(pair) if pair.entering != 0 else pair)
        book, n = finished(m, book, p, close_ms, n)
    return book, n


def settled(m: BasketMemory, leg: int, bar: Bar) -> float:
    """What a settlement pays a leg for what it has net (quote units)."""
    return funding_cash(load(m.legs, leg, Sleeve).position, load(m.rules, leg, Rules), bar.funding_mark, bar.funding_rate)


def paid(m: BasketMemory, book: Basket, leg: int, cash: float, mark: float, rate: float, t_ms: int, n: int) -> tuple[Basket, int]:
    """The basket after a settlement that paid a leg `cash`; each pair gets or pays what its own lots come to."""
    rules = load(m.rules, leg, Rules)
    store(m.legs, leg, on_funding(load(m.legs, leg, Sleeve), cash))
    book = summed_ledger(m, book)
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        lots = lots_on(pair, leg)
        if lots == 0:
            continue
        share = -(lots * rules.lot_size) * mark * rate
        store(m.pairs, p, pair._replace(cash=pair.cash + share, funding=pair.funding + share))
        code = K_FUNDING, 0, 0, 1 if lots > 0 else -1
        figures = lots, mark, share, book.ledger.cash, rate, 0.0
        n = emit(m.rows, n, pair_row(t_ms, code, (leg, p, pair.key), figures))
    return book, n


def at_open(m: BasketMemory, leg: int, bar: Bar) -> Fill:
    """What a leg's net order fills at an open: as much as the bar lets through; of no order, no lots at the open's price."""
    order, rules = load(m.orders, leg, LegOrder), load(m.rules, leg, Rules)
    lots = max(available(rules, order.lots, bar.volume, m.taken[leg]), 0) if order.side != 0 else 0
    if lots == 0:
        return Fill(EXIT_SLOT, leg, 0, order.key, 0, 0, bar.open, 0.0, 0, NONE, bar.open, bar.close_ms)
    cost = load(m.legs, leg, Sleeve).cost
    return taker_fill(rules, cost, EXIT_SLOT, order.key, 0, lots, order.side, bar.open, NONE, bar.close_ms)


def traded_at(m: BasketMemory, book: Basket, leg: int, fill: Fill, n: int) -> tuple[Basket, int]:
    """The basket after a fill of a leg's net order, or of no lots: then what its pairs have ordered crosses at that price. What
    crosses does so with the first fill.
    """
    order, buys, sells = load(m.orders, leg, LegOrder), 0, 0
    for p in range(len(m.pairs)):
        asked = asked_on(load(m.pairs, p, PairBook), leg)
        m.wants[p], m.parts[p] = asked, 0
        buys, sells = buys + max(asked, 0), sells + max(-asked, 0)
    if buys == 0 and sells == 0:
        return book, n
    side = 1 if buys >= sells else -1
    m.taken[leg] += fill.lots * load(m.rules, leg, Rules).lot_size
    store(m.orders, leg, order._replace(lots=order.lots - fill.lots))
    shared_out(m, leg, side, min(buys, sells) + fill.lots)
    book, n = book_leg(m, book, leg, side, fill, n)
    for p in range(len(m.pairs)):
        left = m.wants[p] - (m.parts[p] if m.wants[p] > 0 else -m.parts[p])
        if m.parts[p] != 0:
            store(m.pairs, p, with_asked(load(m.pairs, p, PairBook), leg, left))
    return book, n


def shared_out(m: BasketMemory, leg: int, side: int, total: int) -> None:
    """m.parts: the other side's wants whole, of those on `side` `total` lots: who leaves first, then who enters, by lots."""
    left = total
    for p in range(len(m.pairs)):
        if m.wants[p] * side < 0:
            m.parts[p] = abs(m.wants[p])
    for opens in range(2):
        asked = 0
        for p in range(len(m.pairs)):
            asked += abs(m.wants[p]) if asks(m, leg, p, side, opens) else 0
        given = min(left, asked)
        rest = given
        for p in range(len(m.pairs)):
            if asks(m, leg, p, side, opens):
                m.parts[p] = min(int(abs(m.wants[p]) * (given / asked)), rest)
                rest -= m.parts[p]
        for p in range(len(m.pairs)):  # what rounding left over
            if rest > 0 and asks(m, leg, p, side, opens):
                more = min(rest, abs(m.wants[p]) - m.parts[p])
                m.parts[p] += more
                rest -= more
        left -= given


def asks(m: BasketMemory, leg: int, p: int, side: int, opens: int) -> bool:
    """Whether a pair trades on `side` of a leg, to enter (`opens` 1) or to leave."""
    way = m.wants[p] * side
    entering = lots_on(load(m.pairs, p, PairBook), leg) * side >= 0
    return way > 0 and (1 if entering else 0) == opens


def stopped(m: BasketMemory, book: Basket, leg: int, bar: Bar, n: int) -> tuple[Basket, int]:
    """The wide stop of a leg inside the bar. Every pair that has lots there loses them, and leaves with its mate."""
    sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
    if sleeve.position.open_layers == 0:
        return book, n
    fill = match_exit(sleeve.position, sleeve.position.layers[0], 0, rules, sleeve.cost, bar, m.taken[leg], 0)
    if fill.lots == 0:
        return book, n
    m.taken[leg] += fill.lots * rules.lot_size
    return closed(m, book, leg, fill, n)


def closed_whole(m: BasketMemory, leg: int, price: float, fee_frac: float, reason: int, t_ms: int) -> Fill:
    """The fill of a leg that its venue closes at `price`, whatever the volume."""
    sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
    lots = open_lots(sleeve.position)
    fee = lots * rules.lot_size * price * fee_frac
    return Fill(PROTECTIVE, leg, 0, 1, 0, lots, price, fee, 0, reason, price, t_ms)


def liquidation_of(m: BasketMemory, leg: int, t: int) -> Fill:
    """The fill of a leg that is liquidated in bar t; of no lots where it has none."""
    fee_frac = fee_taken(load(m.rules, leg, Rules))
    return closed_whole(m, leg, worst_price(m, leg, t), fee_frac, LIQUIDATION, close_of(m, t))


def end_of(m: BasketMemory, leg: int, t: int) -> Fill:
    """The fill of a leg whose last bar is t: at its close."""
    bar, rules = load(m.bars, t * len(m.legs) + leg, Bar), load(m.rules, leg, Rules)
    return closed_whole(m, leg, bar.close, rules.taker_frac, DELISTED, bar.close_ms)


def closed(m: BasketMemory, book: Basket, leg: int, fill: Fill, n: int) -> tuple[Basket, int]:
    """The basket after an exit of a leg that no pair asked for: what pairs have of it crosses or went with the fill; what is left
    of it, and their other legs, leave at the next open. An entry of this bar has been hedged before.
    """
    side, longs, shorts = -load(m.legs, leg, Sleeve).position.side, 0, 0
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        lots = lots_on(pair, leg)
        m.wants[p], m.parts[p] = -lots, 0
        longs, shorts = longs + max(lots, 0), shorts + max(-lots, 0)
        if lots != 0:
            pair = hedged(pair) if pair.entering != 0 else pair
            store(m.pairs, p, with_leaving(pair, PAIR)._replace(armed=0))
    if longs == 0 and shorts == 0:
        return book, n
    side = 1 if side == 0 else side  # all of it crosses
    shared_out(m, leg, side, min(longs, shorts) + fill.lots)
    return book_leg(m, book, leg, side, fill, n)


def margin_asked(rules: Rules, notional: float) -> float:
    """The maintenance margin of a notional under all tiers: the one that it lies in asks for the most."""
    asked = rules.maintenance_frac * notional
    for k in range(TIERS):
        if rules.tiers[k].rate == 0.0:
            break
        asked = max(asked, rules.tiers[k].rate * notional - rules.tiers[k].amount)
    return asked


def worst_price(m: BasketMemory, leg: int, t: int) -> float:
    """The price at which a leg is judged for liquidation: the bar's worst for it, in the optimistic mode its close; without a bar
    the last one.
    """
    side, bar = load(m.legs, leg, Sleeve).position.side, load(m.bars, t * len(m.legs) + leg, Bar)
    if not usable(bar) or load(m.rules, leg, Rules).mode == OPTIMISTIC:
        return m.marks[leg]  # type: ignore[no-any-return]  # a number
    return bar.low if side > 0 else bar.high  # type: ignore[no-any-return]


def margin_is_gone(m: BasketMemory, book: Basket, t: int) -> bool:
    """One margin for all legs: True where equity with every leg at its worst price of the bar is less than they ask for. The
    venue then closes all of them there.
    """
    worth, asked = book.ledger.cash, 0.0
    for leg in range(len(m.legs)):
        sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
        units, price = open_lots(sleeve.position) * rules.lot_size, worst_price(m, leg, t)
        worth += sleeve.position.side * units * (price - sleeve.position.layers[0].entry)
        asked += margin_asked(rules, units * price)
    return asked > 0.0 and worth < asked


def order_all(m: BasketMemory, t: int) -> None:
    """What the next open is asked for, fixed at the close of bar t: of each pair a part of what is due, of each leg their sum."""
    for p in range(len(m.pairs)):
        store(m.pairs, p, asking(m, load(m.pairs, p, PairBook), t))
    for leg in range(len(m.legs)):
        order_leg(m, leg, t)


def order_leg(m: BasketMemory, leg: int, t: int) -> None:
    """A leg's net order for what its pairs ask of the next open."""
    net = 0
    for p in range(len(m.pairs)):
        net += asked_on(load(m.pairs, p, PairBook), leg)
    sleeve = load(m.legs, leg, Sleeve)
    order = net_order(sleeve, load(m.rules, leg, Rules), net, m.marks[leg], close_of(m, t))
    store(m.orders, leg, order)
    if order.side != 0:
        store(m.legs, leg, sleeve._replace(entries=order.key))


def asking(m: BasketMemory, pair: PairBook, t: int) -> PairBook:
    """A pair with what it asks of the next open. An entry and a leg alone ask for all that is due. An exit of both legs asks for
    what the bar that has just closed would let through, the thinner one for both, so that neither runs ahead; of a leg that is
    ahead all the same, for the whole lead.
    """
    due_a, due_b = due_on(pair, pair.a), due_on(pair, pair.b)
    if due_a == 0 or due_b == 0 or pair.entering != 0:
        return pair._replace(ask_a=due_a, ask_b=due_b)
    lots_a, lots_b = abs(due_a), abs(due_b)
    left_a, left_b = lots_a / pair.full_a, lots_b / pair.full_b
    lead_a = 0 if left_a <= left_b else lots_a - int(pair.full_a * left_b + 1.0 - 1e-9)
    lead_b = 0 if left_b <= left_a else lots_b - int(pair.full_b * left_a + 1.0 - 1e-9)
    share = min(let_through(m, pair.a, due_a, t), let_through(m, pair.b, due_b, t))
    ask_a = lead_a + int((lots_a - lead_a) * share + 1e-9)
    ask_b = lead_b + int((lots_b - lead_b) * share + 1e-9)
    return pair._replace(ask_a=ask_a if due_a > 0 else -ask_a, ask_b=ask_b if due_b > 0 else -ask_b)


def let_through(m: BasketMemory, leg: int, due: int, t: int) -> float:
    """Which share of all that leaves a leg in the direction of `due` bar t would have let through; nothing without a bar."""
    bar, asked = load(m.bars, t * len(m.legs) + leg, Bar), 0
    if not usable(bar):
        return 0.0
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        asked += abs(due_on(pair, leg)) if pair.entering == 0 and due_on(pair, leg) * due > 0 else 0
    return max(available(load(m.rules, leg, Rules), asked, bar.volume, 0.0), 0) / asked


def net_order(sleeve: Sleeve, rules: Rules, net: int, price: float, close_ms: int) -> LegOrder:
    """A leg's one order for `net` lots: what it opens has to be of the venue's least order at the last price, what it closes may
    be of any size.
    """
    side, lots = (1 if net > 0 else -1), abs(net)
    opens = lots - (min(lots, open_lots(sleeve.position)) if sleeve.position.side * side < 0 else 0)
    if opens < rules.least_lots or opens * rules.lot_size * price < rules.least_notional:
        lots, opens = lots - opens, 0
    if lots == 0:
        return NO_LEG_ORDER
    return LegOrder(sleeve.entries + 1, side, lots, 1 if opens > 0 else 0, close_ms)
