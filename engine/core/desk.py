"""One bar of the whole desk in three phases, in the order that is part of the contract; live follows the same order.

    settle   every sleeve: what the simulated venue did inside the bar (sim_venue.py); on a desk its venue reports that instead
    mark     every sleeve: its day, its value at the close, its breakers; then the desk: equity, drawdown breaker
    decide   every sleeve: exits, signal, size, review (step.py), each seeing what the sleeves before it have ordered

A sleeve on a longer timeframe than the desk's clock is settled, marked, guarded and decides when a bar of its own closes. In
between the desk counts it at the clock's prices and leaves its state alone, so it is the same sleeve on every desk.

Called once a bar by book/transitions.py (lists, plain Python) and in a loop by leap.py (record arrays, compiled for backtests).
"""

from math import isnan, nan
from typing import Any

from .exits import turns
from .guardrails import NOTHING_AROUND, Around, count_order, exposure, held_side, roll_day, watch_desk, watch_sleeve
from .ledger import on_mark, open_lots, valued
from .memory import Memory, emit, keep_mark, keep_watch, load, store
from .rows import breaker_row, caps_row, decision_row, size_row
from .sim_venue import settle
from .slices import due_lots, has_left, on_clock, own_close, without_outlived
from .state import (
    DAY_LOSS,
    DESK_DRAWDOWN,
    DESK_ROW,
    EXIT,
    FREQUENCY,
    HOLD,
    NO_ORDER,
    NO_SIZE,
    NONE,
    OFF,
    REFUSED,
    TURNING,
    Bar,
    Decision,
    Desk,
    Limits,
    Rules,
    Signal,
    Sleeve,
)
from .step import on_close, usable


def mark(sleeve: Sleeve, rules: Rules, bar: Bar, s: int, m: Memory, n: int) -> tuple[Sleeve, int]:
    """The sleeve at the close of a usable bar. Returns (sleeve, rows so far)."""
    was = sleeve.guard
    guard = roll_day(was, sleeve.ledger, bar.close_ms)
    ledger = valued(sleeve, rules, bar.close)
    guard = watch_sleeve(guard, ledger, rules, bar.close_ms)
    if guard.block_until_ms != was.block_until_ms:
        n = emit(m.rows, n, breaker_row(s, DAY_LOSS, bar.close_ms, ledger.equity, guard.block_until_ms))
    return sleeve._replace(ledger=ledger, guard=guard), n


def settle_and_mark(m: Memory, desk: Desk, limits: Limits, n: int, t: int, wakes: Any, settles: int) -> tuple[Desk, int, int]:
    """The first two phases of bar t. Returns (desk, rows so far, ambiguous bars).

    wakes: one a sleeve, the first bar that can do more than mark it (leap.py); before it the sleeve is marked alone.
    settles: 0 where a venue has reported what the bar did; the sleeves are then only marked.
    """
    instruments, equity, total, ambiguous, positions = len(m.gross), 0.0, 0.0, 0, 0
    for i in range(instruments):
        m.gross[i] = 0.0
        m.side[i] = 0
        m.taken[i] = 0.0
    for k in range(len(m.family)):
        m.family[k] = 0.0
    forget_square(m)
    for s in range(len(m.sleeves)):
        if t < wakes[s] and load(m.sleeves, s, Sleeve).position.open_layers == 0:
            equity += load(m.sleeves, s, Sleeve).ledger.equity
            continue
        i, own = load(m.rules, s, Rules).instrument, load(m.rules, s, Rules).bars
        bar = load(m.bars, t * instruments + own, Bar)
        sliced = own != i and len(m.schedules) > 0 and works(m, s, t, settles)
        if t < wakes[s] and not sliced:
            keep_mark(m.sleeves, s, on_mark(load(m.sleeves, s, Sleeve), load(m.rules, s, Rules), bar.close))
        else:
            n, more = settle_one(m, desk.halted, s, t, n, settles, sliced)
            ambiguous += more
        sleeve = load(m.sleeves, s, Sleeve)
        if own != i and not usable(bar) and usable(load(m.bars, t * instruments + i, Bar)):
            sleeve = on_mark(sleeve, load(m.rules, s, Rules), load(m.bars, t * instruments + i, Bar).close)  # for the desk alone
        equity += sleeve.ledger.equity
        total += exposure(sleeve)
        m.gross[i] += exposure(sleeve)
        m.family[load(m.rules, s, Rules).family] += exposure(sleeve)
        if held_side(sleeve) != 0:
            m.side[i] = held_side(sleeve)
            positions += 1
    was = desk.tripped
    desk = watch_desk(desk, limits, equity, total, positions)
    if desk.tripped != was:
        close_ms = load(m.bars, t * instruments, Bar).close_ms
        n = emit(m.rows, n, breaker_row(DESK_ROW, DESK_DRAWDOWN, close_ms, desk.equity, 0))
    return desk, n, ambiguous


def works(m: Memory, s: int, t: int, settles: int) -> bool:
    """True when sleeve s works an entry in slices in bar t of the clock. `settles` 0: or has perhaps left what it worked, as its
    venue has reported before.
    """
    rules, sleeve = load(m.rules, s, Rules), load(m.sleeves, s, Sleeve)
    close_ms = load(m.bars, t * len(m.gross) + rules.instrument, Bar).close_ms
    return on_clock(m, s, sleeve, rules, close_ms) or (settles == 0 and has_left(m, s, sleeve))


def settle_one(m: Memory, halted: int, s: int, t: int, n: int, settles: int, sliced: bool) -> tuple[int, int]:
    """The first two phases of a sleeve that is awake. Returns (rows so far, 1 if the bar was ambiguous).

    sliced: it works an entry, so bar t of the clock trades, and where its own bar closes that marks; what fills is dated by its
    own bar, like all that this sleeve does. settles 0: a venue has reported what filled; halt and end of the entry are the same.
    `settle` is called here alone: compiled, each call is a copy of all of it.
    """
    before, rules, rows, is_ambiguous = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules), n, 0
    own = load(m.bars, t * len(m.gross) + rules.bars, Bar)
    sleeve, bar, due, last, at = before, own, -1, 0, rules.bars
    marks = trades = usable(own)
    if sliced:
        clock, at = load(m.bars, t * len(m.gross) + rules.instrument, Bar), rules.instrument
        if halted != 0:
            sleeve = sleeve._replace(order=NO_ORDER)
        end_ms = own_close(rules, clock.close_ms)
        if settles != 0:
            due = due_lots(m, s, sleeve, rules, clock)
        last, bar, trades = 1 if clock.close_ms == end_ms else 0, clock._replace(close_ms=end_ms), usable(clock)
    if trades and settles != 0:
        sleeve, n, is_ambiguous = settle(sleeve, rules._replace(bars=at), bar, s, m, n, t, due, last)
    elif trades and not sliced:
        sleeve = without_outlived(m, s, before)
    elif trades and last != 0:
        sleeve = sleeve._replace(order=NO_ORDER)
    if marks:
        sleeve, n = mark(sleeve, rules, own, s, m, n)
    elif sliced and trades:  # one that has left sleeps from here on, at what it is worth
        sleeve = on_mark(sleeve, rules, bar.close)
    if n == rows and before.order.side == 0 and not sliced:  # nothing filled, settled, ended or tripped
        keep_mark(m.sleeves, s, sleeve)
    else:
        store(m.sleeves, s, sleeve)
    return n, is_ambiguous


def around(m: Memory, rules: Rules, limits: Limits, side: int) -> Around:
    """What the desk's caps see around a sleeve that would trade on `side`; nothing without a signal."""
    if side == 0:
        return NOTHING_AROUND
    i, square, cross = rules.instrument, 0.0, 0.0
    if limits.correlated_frac_max < OFF:
        square = square_now(m, side)
        for a in range(len(m.gross)):
            cross += joint(m.correlations, len(m.gross), i, a, float(side), signed(m.gross, m.side, a, side))
    return Around(m.gross[i], m.side[i], m.family[rules.family], square, cross)


def around_others(m: Memory, s: int, rules: Rules, limits: Limits, side: int) -> Around:
    """The same of a sleeve that leaves its position first: what it holds is not there, what others hold on its instrument is."""
    i, own = rules.instrument, load(m.sleeves, s, Sleeve).ledger.notional
    gross, held, family = m.gross[i], m.side[i], m.family[rules.family]
    m.gross[i], m.side[i], m.family[rules.family] = gross - own, 0, family - own
    for k in range(len(m.sleeves)):
        if k != s and load(m.rules, k, Rules).instrument == i and held_side(load(m.sleeves, k, Sleeve)) != 0:
            m.side[i] = held_side(load(m.sleeves, k, Sleeve))
    forget_square(m)
    seen = around(m, rules, limits, side)
    m.gross[i], m.side[i], m.family[rules.family] = gross, held, family
    forget_square(m)
    return seen


def square_now(m: Memory, side: int) -> float:
    """squared_exposure of the desk for who asks on `side`. It is the same for all who ask between two orders, and most of what a
    desk of many instruments would compute at a close.
    """
    if len(m.squares) == 0:
        return squared_exposure(m.gross, m.side, m.correlations, side)
    k = 0 if side > 0 else 1
    if isnan(m.squares[k]):
        m.squares[k] = squared_exposure(m.gross, m.side, m.correlations, side)
    return m.squares[k]  # type: ignore[no-any-return]  # a number


def forget_square(m: Memory) -> None:
    """What is open or ordered has changed: the next who asks sums it."""
    for k in range(len(m.squares)):
        m.squares[k] = nan


def squared_exposure(gross: Any, sides: Any, correlations: Any, side: int) -> float:
    """Sum of w_a w_b r_ab over all pairs of instruments: w the exposure with its sign, r the correlation."""
    total, count = 0.0, len(gross)
    for a in range(count):
        if gross[a] > 0.0:
            for b in range(count):
                total += joint(correlations, count, a, b, signed(gross, sides, a, side), signed(gross, sides, b, side))
    return total


def signed(gross: Any, sides: Any, a: int, side: int) -> float:
    """Exposure of an instrument with its sign; what may only fill, or is turning, counts on the side of who asks."""
    return gross[a] * (side if sides[a] == 0 or sides[a] == TURNING else sides[a])  # type: ignore[no-any-return]  # a number


def joint(correlations: Any, count: int, a: int, b: int, x: float, y: float) -> float:
    """x on instrument a and y on b, weighted by their correlation; the worst where it is not known."""
    if a == b or x * y == 0.0:
        return x * y
    r = correlations[a * count + b]
    return abs(x * y) if isnan(r) else x * y * r


def decide(m: Memory, desk: Desk, rules: Rules, limits: Limits, bar: Bar, signal: Signal, s: int, n: int) -> tuple[Desk, int]:
    """One sleeve's decision, and its rows when it decides or refuses something new (a close that repeats itself writes none).

    The desk and the instrument then carry the new order's exposure. Returns (desk, rows so far).
    """
    before, i = load(m.sleeves, s, Sleeve), rules.instrument
    others = signal.reverse != 0 and turns(before.position, signal)
    seen = around_others(m, s, rules, limits, signal.side) if others else around(m, rules, limits, signal.side)
    sleeve, decision = on_close(before, desk, rules, limits, bar, signal, seen)
    if decision.left != NONE:  # a reversal: the exit has its own row before the entry's
        exit_ = Decision(EXIT, decision.left, bar.close, 0.0, 0.0, NO_SIZE, 0, NONE)
        lots = open_lots(before.position) * before.position.side
        n = emit(m.rows, n, decision_row(s, sleeve._replace(order=NO_ORDER), bar, signal, exit_, lots))
    if decision.log_size != 0 or decision.action not in (HOLD, REFUSED):
        lots = open_lots(before.position) * before.position.side
        n = emit(m.rows, n, decision_row(s, sleeve, bar, signal, decision, lots))
    quiet = sleeve.order.side == 0 and before.order.side == 0 and decision.action in (HOLD, REFUSED) and decision.left == NONE
    if quiet and signal.stop == 0.0 and signal.target == 0.0:  # own levels may have moved its layers
        keep_watch(m.sleeves, s, sleeve)
    else:
        store(m.sleeves, s, sleeve)
    if decision.log_size != 0:
        n = emit(m.rows, n, size_row(s, sleeve, bar, signal, decision))
        n = emit(m.rows, n, caps_row(s, bar, decision))
    if sleeve.guard.pause_until_ms != before.guard.pause_until_ms:
        n = emit(m.rows, n, breaker_row(s, FREQUENCY, bar.close_ms, sleeve.ledger.equity, sleeve.guard.pause_until_ms))
    if sleeve.order.side != 0 and sleeve.order.key != before.order.key:
        desk = count_order(desk, bar.close_ms, sleeve.order.notional, 1 if before.position.open_layers == 0 else 0)
        m.gross[i] += sleeve.order.notional
        m.family[rules.family] += sleeve.order.notional
        m.side[i] = held_side(sleeve)
        forget_square(m)
    return desk, n


def decide_all(m: Memory, signals: Any, desk: Desk, limits: Limits, n: int, t: int, wakes: Any) -> tuple[Desk, int]:
    """The third phase of bar t. signals: Signal per bar and sleeve, flat, sleeve fastest. Returns (desk, rows so far)."""
    instruments, count = len(m.gross), len(m.sleeves)
    for s in range(count):
        if t < wakes[s]:
            continue
        rules, signal = load(m.rules, s, Rules), load(signals, t * count + s, Signal)
        bar = load(m.bars, t * instruments + rules.bars, Bar)
        if usable(bar):
            desk, n = decide(m, desk, rules, limits, bar, signal, s, n)
    return desk, n
