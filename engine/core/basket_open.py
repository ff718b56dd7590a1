"""What a bar does to a basket: settlements, the open that trades what its pairs want, stops of its legs, liquidation, bars' end.

Called by basket_run.py. Prices, participation, fees and levels are those of every sleeve: fills.py, exits.py, ledger.py,
sizing.py.
"""

from .basket import Basket, BasketMemory, PairBook, book_leg, due_on, finished, hedged, lots_on, with_leaving
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
            book, n = paid(m, book, leg, bar, n)
    for p in range(len(m.pairs)):
        m.shares[p] = share_at(m, p, t)
    for leg in range(legs):
        if usable(load(m.bars, t * legs + leg, Bar)):
            book, n = at_open(m, book, leg, t, n)
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        if pair.entering != 0:
            store(m.pairs, p, hedged(pair))
    for leg in range(legs):
        bar = load(m.bars, t * legs + leg, Bar)
        if usable(bar):
            m.marks[leg] = bar.close
            book, n = stopped(m, book, leg, bar, n)
    book, n = liquidated(m, book, t, n)
    for leg in range(legs):
        if m.ends[leg] == t:
            bar, rules = load(m.bars, t * legs + leg, Bar), load(m.rules, leg, Rules)
            book, n = gone(m, book, leg, bar.close, rules.taker_frac, DELISTED, bar.close_ms, n)
    close_ms = load(m.bars, t * legs, Bar).close_ms
    for p in range(len(m.pairs)):
        book, n = finished(m, book, p, close_ms, n)
    return book, n


def paid(m: BasketMemory, book: Basket, leg: int, bar: Bar, n: int) -> tuple[Basket, int]:
    """A settlement: the leg pays for what it has net, each pair for its own lots."""
    sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
    cash = funding_cash(sleeve.position, rules, bar.funding_mark, bar.funding_rate)
    store(m.legs, leg, on_funding(sleeve, cash))
    book = summed_ledger(m, book)
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        lots = lots_on(pair, leg)
        if lots == 0:
            continue
        share = -(lots * rules.lot_size) * bar.funding_mark * bar.funding_rate
        store(m.pairs, p, pair._replace(cash=pair.cash + share, funding=pair.funding + share))
        code = K_FUNDING, 0, 0, 1 if lots > 0 else -1
        figures = lots, bar.funding_mark, share, book.ledger.cash, bar.funding_rate, 0.0
        n = emit(m.rows, n, pair_row(bar.close_ms, code, (leg, p, pair.key), figures))
    return book, n


def share_at(m: BasketMemory, p: int, t: int) -> float:
    """How much of what pair p wants it trades at the open of bar t. Nothing unless every leg that it has to trade has a bar. An
    exit of both legs no more than the thinner bar lets through, so that neither is ahead; an entry asks for all, and is cut.
    """
    pair, legs = load(m.pairs, p, PairBook), len(m.legs)
    due_a, due_b = abs(pair.want_a - pair.lots_a), abs(pair.want_b - pair.lots_b)
    a, b = load(m.bars, t * legs + pair.a, Bar), load(m.bars, t * legs + pair.b, Bar)
    if not ((due_a == 0 or usable(a)) and (due_b == 0 or usable(b))):
        return 0.0
    if due_a == 0 or due_b == 0 or pair.entering != 0:
        return 1.0
    return min(let_through(m, pair.a, due_on(pair, pair.a), a), let_through(m, pair.b, due_on(pair, pair.b), b))


def let_through(m: BasketMemory, leg: int, due: int, bar: Bar) -> float:
    """Which share of all that leaves a leg in the direction of `due` its bar lets through."""
    asked = 0
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        asked += abs(due_on(pair, leg)) if pair.entering == 0 and due_on(pair, leg) * due > 0 else 0
    return max(available(load(m.rules, leg, Rules), asked, bar.volume, 0.0), 0) / asked


def at_open(m: BasketMemory, book: Basket, leg: int, t: int, n: int) -> tuple[Basket, int]:
    """What pairs want of a leg, net, at this open: one order outside, the rest crosses."""
    buys, sells = 0, 0
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        due = due_on(pair, leg)
        due = (1 if due > 0 else -1) * int(abs(due) * m.shares[p] + 1e-9)
        m.wants[p], m.parts[p] = due, 0
        buys, sells = buys + max(due, 0), sells + max(-due, 0)
    if buys == 0 and sells == 0:
        return book, n
    bar = load(m.bars, t * len(m.legs) + leg, Bar)
    side, crossed, net = (1 if buys >= sells else -1), min(buys, sells), abs(buys - sells)
    fill = outside(m, leg, side, net, bar)
    m.taken[leg] += fill.lots * load(m.rules, leg, Rules).lot_size
    shared_out(m, leg, side, crossed + fill.lots)
    return book_leg(m, book, leg, side, fill, n)


def outside(m: BasketMemory, leg: int, side: int, net: int, bar: Bar) -> Fill:
    """The fill of a leg's net order at an open: as much as the bar lets through, and as the venue takes; what it opens has to be
    of the venue's least order, what it closes may be of any size.
    """
    sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
    closes = min(net, open_lots(sleeve.position)) if sleeve.position.side * side < 0 else 0
    lots = max(available(rules, net, bar.volume, m.taken[leg]), 0) if net > 0 else 0
    opens = lots - min(lots, closes)
    if opens < rules.least_lots or opens * rules.lot_size * bar.open < rules.least_notional:
        lots -= opens
    if lots == 0:
        return Fill(EXIT_SLOT, leg, 0, 1, 0, 0, bar.open, 0.0, 0, NONE, bar.open, bar.close_ms)
    return taker_fill(rules, sleeve.cost, EXIT_SLOT, 1, 0, lots, side, bar.open, NONE, bar.close_ms)


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


def gone(
    m: BasketMemory, book: Basket, leg: int, price: float, fee_frac: float, reason: int, t_ms: int, n: int
) -> tuple[Basket, int]:
    """A leg that its venue closes whole at `price`, whatever the volume."""
    sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
    lots = open_lots(sleeve.position)
    fee = lots * rules.lot_size * price * fee_frac
    return closed(m, book, leg, Fill(PROTECTIVE, leg, 0, 1, 0, lots, price, fee, 0, reason, price, t_ms), n)


def closed(m: BasketMemory, book: Basket, leg: int, fill: Fill, n: int) -> tuple[Basket, int]:
    """The basket after an exit of a leg that no pair asked for: what pairs have of it crosses or went with the fill; what is left
    of it, and their other legs, leave at the next open.
    """
    side, longs, shorts = -load(m.legs, leg, Sleeve).position.side, 0, 0
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        lots = lots_on(pair, leg)
        m.wants[p], m.parts[p] = -lots, 0
        longs, shorts = longs + max(lots, 0), shorts + max(-lots, 0)
        if lots != 0:
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


def liquidated(m: BasketMemory, book: Basket, t: int, n: int) -> tuple[Basket, int]:
    """One margin for all legs: where equity with every leg at its worst price of the bar is less than they ask for, the venue
    closes all of them there.
    """
    worth, asked = book.ledger.cash, 0.0
    for leg in range(len(m.legs)):
        sleeve, rules = load(m.legs, leg, Sleeve), load(m.rules, leg, Rules)
        units, price = open_lots(sleeve.position) * rules.lot_size, worst_price(m, leg, t)
        worth += sleeve.position.side * units * (price - sleeve.position.layers[0].entry)
        asked += margin_asked(rules, units * price)
    if not (asked > 0.0 and worth < asked):
        return book, n
    close_ms = load(m.bars, t * len(m.legs), Bar).close_ms
    for leg in range(len(m.legs)):
        if load(m.legs, leg, Sleeve).position.open_layers > 0:
            fee_frac = fee_taken(load(m.rules, leg, Rules))
            book, n = gone(m, book, leg, worst_price(m, leg, t), fee_frac, LIQUIDATION, close_ms, n)
    return book, n
