"""A basket bar by bar: settle (basket_open.py), mark, decide; the order of desk.py. Compiled by basket_kernel.py.

A close decides for each pair what it wants: nothing, an entry by its spread's deviation, or to leave. The entry of a pair is
reviewed leg by leg through guardrails.review, as any sleeve's; both pass or neither is ordered.
"""

from math import isnan, nan
from typing import Any

from .basket import Basket, BasketMemory, PairBook, SpreadTerms, pair_value, summed, with_leaving
from .basket_open import close_of, order_all, settle
from .guardrails import Around, count_entry, count_order, review, roll_day, watch_desk, watch_sleeve
from .ledger import on_mark
from .memory import emit, load, store
from .rows import breaker_row, pair_row
from .sizing import least_lots, lost_at_stop, risk_frac, whole_lots
from .state import (
    BY_SIGNAL,
    CAP_RISK,
    DAY_LOSS,
    DESK_DRAWDOWN,
    DESK_ROW,
    ENTER,
    EXIT,
    FLAT,
    FREQUENCY,
    HALT,
    K_DECISION,
    NONE,
    R_NONE,
    REFERENCE,
    REFUSED,
    STOP,
    Bar,
    Desk,
    Limits,
    Rules,
    Signal,
    Size,
    Sleeve,
)
from .step import cost_now, usable

LOTS_MAX = 1 << 50  # beyond it shares of lots are no longer whole


def run(
    m: BasketMemory, terms: SpreadTerms, book: Basket, desk: Desk, limits: Limits, equity: Any, values: Any
) -> tuple[Basket, Desk, int]:
    """Every bar. Returns (basket, desk, rows written); writes the equity at each close, and `values`: what each pair has made by
    then, per bar and pair, flat.
    """
    n, pairs = 0, len(m.pairs)
    for t in range(len(equity)):
        book, n = settle(m, book, t, n)
        book, desk, n = marked(m, book, desk, limits, t, n)
        equity[t] = desk.equity
        for p in range(pairs):
            values[t * pairs + p] = pair_value(m, p)
        book, desk, n = decide(m, terms, book, desk, limits, t, n)
    return book, desk, n


def marked(m: BasketMemory, book: Basket, desk: Desk, limits: Limits, t: int, n: int) -> tuple[Basket, Desk, int]:
    """Basket and desk at a close, with their breakers."""
    book, n = mark(m, book, t, n)
    was = desk.tripped
    desk = watch_desk(desk, limits, book.ledger.equity, book.ledger.notional, 0)  # it is one sleeve, however many its pairs
    if desk.tripped != was:
        n = emit(m.rows, n, breaker_row(DESK_ROW, DESK_DRAWDOWN, close_of(m, t), desk.equity, 0))
    return book, desk, n


def mark(m: BasketMemory, book: Basket, t: int, n: int) -> tuple[Basket, int]:
    """The basket at a close: its day, its value at the last prices, its daily breaker."""
    was, rules = book.guard, load(m.rules, 0, Rules)
    guard = roll_day(was, book.ledger, close_of(m, t))
    for leg in range(len(m.legs)):
        store(m.legs, leg, on_mark(load(m.legs, leg, Sleeve), load(m.rules, leg, Rules), m.marks[leg]))
    book = summed(m, book)
    guard = watch_sleeve(guard, book.ledger, rules, close_of(m, t))
    if guard.block_until_ms != was.block_until_ms:
        n = emit(m.rows, n, breaker_row(0, DAY_LOSS, close_of(m, t), book.ledger.equity, guard.block_until_ms))
    return book._replace(guard=guard), n


def signal_at(m: BasketMemory, leg: int, t: int, side: int) -> Signal:
    """What a leg's close says of costs and of the market, for a trade on `side`."""
    k = t * len(m.legs) + leg
    costs = m.slip[k], m.impact[k]
    return Signal(side, 1.0, 0.0, 0.0, costs[0], costs[1], 0.0, 0, 1, m.range_times[k], m.volume_times[k], 0.0, 0.0, 0, 0, 0.0, 0)


def decide(
    m: BasketMemory, terms: SpreadTerms, book: Basket, desk: Desk, limits: Limits, t: int, n: int
) -> tuple[Basket, Desk, int]:
    """What each pair wants after the close of bar t, each seeing what those before it have ordered."""
    legs = len(m.legs)
    for leg in range(legs):
        m.ordered[leg] = 0.0
        if usable(load(m.bars, t * legs + leg, Bar)):
            sleeve = load(m.legs, leg, Sleeve)
            store(m.legs, leg, sleeve._replace(cost=cost_now(sleeve.cost, signal_at(m, leg, t, 0))))
    for p in range(len(m.pairs)):
        pair = load(m.pairs, p, PairBook)
        if pair.side != 0:
            n = leaves(m, desk, pair, p, t, n)
        elif usable(load(m.bars, t * legs + pair.a, Bar)) and usable(load(m.bars, t * legs + pair.b, Bar)):
            book, desk, n = enters(m, terms, book, desk, limits, pair, p, t, n)
    order_all(m, t)
    return book, desk, n


def deviations(m: BasketMemory, pair: PairBook, t: int, hedge: float, intercept: float, deviation: float) -> float:
    """The spread at a close, in deviations of a fit; NaN where a leg has no close."""
    legs = len(m.legs)
    a, b = m.logs[t * legs + pair.a], m.logs[t * legs + pair.b]
    return (a - hedge * b - intercept) / deviation  # type: ignore[no-any-return]  # a number


def leaves(m: BasketMemory, desk: Desk, pair: PairBook, p: int, t: int, n: int) -> int:
    """A pair that is in: whether it leaves, and why; its row when it does. Returns rows so far."""
    if pair.leaving != NONE:
        return n
    z = deviations(m, pair, t, pair.hedge, pair.intercept, pair.deviation)
    reason = HALT if desk.halted != 0 else why(m, pair, t, z * pair.side)
    if reason == NONE:
        return n
    after = with_leaving(pair, reason)
    store(m.pairs, p, after._replace(armed=0 if reason == STOP else 1))
    code = K_DECISION, EXIT, reason, 0
    return emit(m.rows, n, pair_row(close_of(m, t), code, (0, p, pair.key), (pair.lots_a, 0.0, 0.0, 0.0, z, 0.0)))


def why(m: BasketMemory, pair: PairBook, t: int, z: float) -> int:
    """The reason to leave at a spread of z deviations in favour of the position; NONE, also where z is not known."""
    if isnan(z):
        return NONE
    if z <= -pair.stop:
        return STOP
    if not z >= -pair.leave:
        return NONE
    if pair.momentum_bars == 0:
        return BY_SIGNAL
    if t < pair.momentum_bars:
        return BY_SIGNAL
    before = deviations(m, pair, t - pair.momentum_bars, pair.hedge, pair.intercept, pair.deviation) * pair.side
    return NONE if z > before else BY_SIGNAL


def enters(
    m: BasketMemory, terms: SpreadTerms, book: Basket, desk: Desk, limits: Limits, pair: PairBook, p: int, t: int, n: int
) -> tuple[Basket, Desk, int]:
    """A pair that has nothing: whether its spread calls for an entry, and whether both legs may go."""
    k = t * len(m.pairs) + p
    hedge, deviation = m.hedge[k], m.deviation[k]
    if not (hedge > 0.0 and deviation > 0.0):
        return book, desk, n
    z = deviations(m, pair, t, hedge, m.intercept[k], deviation)
    armed = 1 if pair.armed != 0 or abs(z) < terms.enter else 0
    ended = 0 <= m.ends[pair.a] <= t or 0 <= m.ends[pair.b] <= t
    if armed == 0 or ended or not terms.enter <= abs(z) < terms.stop:
        store(m.pairs, p, pair._replace(armed=armed, refused=R_NONE))
        return book, desk, n
    wanted = pair._replace(side=-1 if z > 0.0 else 1, hedge=hedge, intercept=m.intercept[k], deviation=deviation, armed=armed)
    wanted = wanted._replace(momentum_bars=terms.momentum_bars, leave=terms.leave, stop=terms.stop)
    wanted = sized(m, terms, book, desk, wanted, t)
    rule, ordered = reviewed(m, terms, book, desk, limits, wanted, t)
    code = K_DECISION, ENTER if rule == R_NONE else REFUSED, rule, wanted.side
    figures = wanted.want_a, wanted.risk, hedge, book.ledger.equity, z, deviation
    row = pair_row(close_of(m, t), code, (0, p, book.entries + 1), figures)
    if rule != R_NONE:
        store(m.pairs, p, pair._replace(armed=armed, refused=rule))
        return book, desk, n if pair.refused == rule else emit(m.rows, n, row)
    n = emit(m.rows, n, row)
    store(m.pairs, p, wanted._replace(entering=1, opened=0, key=book.entries + 1, refused=R_NONE, cash_before=pair.cash))
    guard = count_entry(book.guard, load(m.rules, 0, Rules), close_of(m, t))
    if guard.pause_until_ms != book.guard.pause_until_ms:
        n = emit(m.rows, n, breaker_row(0, FREQUENCY, close_of(m, t), book.ledger.equity, guard.pause_until_ms))
    return book._replace(entries=book.entries + 1, guard=guard), ordered, n


def sized(m: BasketMemory, terms: SpreadTerms, book: Basket, desk: Desk, pair: PairBook, t: int) -> PairBook:
    """A pair with the lots of both legs: what may be lost at the spread's stop over what a unit of gross money loses there, then
    the caps of sleeve, pair and the bars' volume; whole lots, rounded down, the finer leg to the hedge of the coarser.
    """
    a, b = load(m.bars, t * len(m.legs) + pair.a, Bar), load(m.bars, t * len(m.legs) + pair.b, Bar)
    rules_a, rules_b = load(m.rules, pair.a, Rules), load(m.rules, pair.b, Rules)
    slip = max(m.slip[t * len(m.legs) + pair.a], m.slip[t * len(m.legs) + pair.b])
    far = terms.stop * pair.deviation
    lost = max(lost_at_stop(far, 1.0, rules_a, slip), lost_at_stop(far, 1.0, rules_b, slip))
    share_a, share_b = 1.0 / (1.0 + pair.hedge), pair.hedge / (1.0 + pair.hedge)
    if not (lost > 0.0 and lost < 1e300):  # a cost is not known: review refuses
        return pair._replace(risk=nan)
    equity = book.ledger.equity * rules_a.size_part
    gross = min(risk_frac(book.ledger, rules_a) * equity / lost, terms.pair_frac_max * equity)
    gross = min(gross, rules_a.notional_frac_max * equity - desk.gross)
    gross = min(gross, min(rules_a.leverage_max, rules_b.leverage_max) * equity - desk.gross)
    if rules_a.mode != REFERENCE:
        gross = min(gross, rules_a.participation_max * a.volume * a.close / share_a)
        gross = min(gross, rules_b.participation_max * b.volume * b.close / share_b)
    if rules_a.fixed_lots < 0:  # the first round trips with money: the least that the venue takes, once
        gross = min(gross, least_gross(a, b, rules_a, rules_b, share_a, share_b))
    units_a, units_b = max(gross, 0.0) * share_a / a.close, max(gross, 0.0) * share_b / b.close
    lots_a, lots_b = whole_lots(units_a, rules_a.lot_size), whole_lots(units_b, rules_b.lot_size)
    if lots_a == 0 or lots_b == 0 or max(lots_a, lots_b) > LOTS_MAX:
        return pair._replace(risk=0.0)
    part_a, part_b = lots_a * rules_a.lot_size / units_a, lots_b * rules_b.lot_size / units_b
    lots_a = lots_a if part_a <= part_b else whole_lots(units_a * part_b, rules_a.lot_size)
    lots_b = lots_b if part_b <= part_a else whole_lots(units_b * part_a, rules_b.lot_size)
    return pair._replace(want_a=pair.side * lots_a, want_b=-pair.side * lots_b, risk=lost * gross * min(part_a, part_b))


def least_gross(a: Bar, b: Bar, rules_a: Rules, rules_b: Rules, share_a: float, share_b: float) -> float:
    """Gross money of the smallest pair of which both legs are of the venue's least order."""
    least_a = least_lots(rules_a, a.close) * rules_a.lot_size * a.close / share_a
    least_b = least_lots(rules_b, b.close) * rules_b.lot_size * b.close / share_b
    return max(least_a, least_b) * (1.0 + 1e-9)


def reviewed(
    m: BasketMemory, terms: SpreadTerms, book: Basket, desk: Desk, limits: Limits, pair: PairBook, t: int
) -> tuple[int, Desk]:
    """(R_NONE, the desk with both orders) where both legs of an entry may go; else (the rule that refuses one, any desk)."""
    risk = pair.risk
    for p in range(len(m.pairs)):
        risk += load(m.pairs, p, PairBook).risk
    frac = risk / book.ledger.equity if book.ledger.equity > 0.0 else 1e300
    size = Size(0, 1.0 if pair.risk >= 0.0 else 0.0, CAP_RISK, frac, 0.0, 0.0, 0.0, 0.0, 0.0)
    for second in range(2):
        leg, lots, side = (pair.b, abs(pair.want_b), -pair.side) if second != 0 else (pair.a, abs(pair.want_a), pair.side)
        bar, rules, sleeve = load(m.bars, t * len(m.legs) + leg, Bar), load(m.rules, leg, Rules), load(m.legs, leg, Sleeve)
        seen = sleeve._replace(position=FLAT, ledger=book.ledger._replace(notional=desk.gross), guard=book.guard)
        near = Around(sleeve.ledger.notional + m.ordered[leg], 0, desk.gross, desk.gross * desk.gross, desk.gross)
        far, signal, own = bar.close * terms.stop * pair.deviation, signal_at(m, leg, t, side), size._replace(lots=lots)
        rule = review(seen, desk, rules, limits, bar.close_ms, bar.close, bar.close, signal, own, far, 0.0, near)
        if rule != R_NONE:
            return rule, desk
        desk = count_order(desk, bar.close_ms, lots * rules.lot_size * bar.close, 0)
    for second in range(2):
        leg, lots = (pair.b, abs(pair.want_b)) if second != 0 else (pair.a, abs(pair.want_a))
        m.ordered[leg] += lots * load(m.rules, leg, Rules).lot_size * load(m.bars, t * len(m.legs) + leg, Bar).close
    return R_NONE, desk
