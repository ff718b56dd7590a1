"""One bar of the whole desk, in the order that is part of the contract; live follows the same order.

    every sleeve:  funding; exits decided earlier, at the open; entry, at the open; exits inside the bar; mark
    the desk:      equity, drawdown breaker
    every sleeve:  the decision, each seeing what the sleeves before it have ordered

Called once a bar by live/loop.py (lists, plain Python) and in a loop by kernel.run (record arrays, compiled). The caller owns all
memory; load and store are list indexing here and are replaced for numba by compiled.py.
"""

from collections.abc import MutableSequence
from typing import Any

from .exits import ambiguous, clear_of
from .fills import match_due, match_entry, match_exit
from .guardrails import count_order, exposure, held_side, roll_day, watch_desk, watch_sleeve
from .ledger import acknowledged, on_fill, on_funding, on_mark, open_lots
from .rows import breaker_row, caps_row, decision_row, fill_row, funding_row, size_row
from .state import (
    DAY_LOSS,
    DAY_MS,
    DESK_DRAWDOWN,
    DESK_ROW,
    FREQUENCY,
    HOLD,
    LOSS_STREAK,
    NO_ORDER,
    NONE,
    REFUSED,
    TRIPS_KEPT,
    Bar,
    Desk,
    Fill,
    Ledger,
    Limits,
    Row,
    Rules,
    Signal,
    Sleeve,
)
from .step import on_close, usable

Rows = MutableSequence[Any]


def load(items: Any, i: int, kind: Any) -> Any:  # noqa: ARG001 - the compiled form needs the type
    """Element i of `items`, a NamedTuple of `kind`."""
    return items[i]


def store(items: Any, i: int, value: Any) -> None:
    """Put a NamedTuple into element i of `items`."""
    items[i] = value


def keep_mark(items: Any, i: int, sleeve: Sleeve) -> None:
    """Store a sleeve of which only the mark changed; compiled, this writes equity and notional alone."""
    items[i] = sleeve


def keep_watch(items: Any, i: int, sleeve: Sleeve) -> None:
    """Store a sleeve that held; compiled, this writes best, trail, refused and cost alone."""
    items[i] = sleeve


def emit(rows: Rows, n: int, row: Row) -> int:
    """Write a journal row if there is room; count it anyway. Returns the rows so far."""
    if n < len(rows):
        store(rows, n, row)
    return n + 1


def book(sleeve: Sleeve, rules: Rules, s: int, fill: Fill, rows: Rows, n: int) -> tuple[Sleeve, int]:
    """Apply a fill and write its row."""
    after = on_fill(sleeve, rules, fill)
    return after, emit(rows, n, fill_row(s, sleeve, after, fill))


def learn(ring: Any, s: int, ledger: Ledger) -> Ledger:
    """The ledger with the Kelly estimate renewed from its last TRIPS_KEPT round trips; `ring` holds their R, per sleeve."""
    base = s * TRIPS_KEPT
    ring[base + (ledger.trips - 1) % TRIPS_KEPT] = ledger.last_r
    wins, losses, gain, loss = 0, 0, 0.0, 0.0
    for k in range(min(ledger.trips, TRIPS_KEPT)):
        r = ring[base + k]
        if r > 0.0:
            wins += 1
            gain += r
        else:
            losses += 1
            loss -= r
    return ledger._replace(wins=wins, losses=losses, gain=gain, loss=loss)


def trade_bar(
    sleeve: Sleeve, rules: Rules, bar: Bar, s: int, left: Any, ring: Any, rows: Rows, n: int
) -> tuple[Sleeve, int, int]:
    """The simulated venue for one sleeve and one usable bar. Returns (sleeve, rows so far, 1 if the bar was ambiguous)."""
    i, before, unclear = rules.instrument, sleeve, 0
    if sleeve.position.open_layers > 0:
        if bar.funding_mark > 0.0:
            sleeve = on_funding(sleeve, rules, bar.funding_mark, bar.funding_rate)
            n = emit(rows, n, funding_row(s, before, sleeve, bar, open_lots(sleeve.position) * sleeve.position.side))
        for k in range(sleeve.position.open_layers - 1, -1, -1):
            fill = match_due(sleeve.position, sleeve.position.layers[k], k, rules, sleeve.cost, bar, left[i])
            if fill.lots > 0:
                sleeve, n = book(sleeve, rules, s, fill, rows, n)
                left[i] -= fill.lots * rules.lot_size
    if sleeve.order.side != 0:
        k = sleeve.position.open_layers
        fill = match_entry(sleeve.order, k, rules, sleeve.cost, bar, left[i])
        if fill.lots > 0 and 2 * (bar.close_ms - sleeve.order.decided_ms) <= 3 * rules.bar_ms:
            sleeve, n = book(sleeve, rules, s, fill, rows, n)
            sleeve = acknowledged(sleeve, k)
            left[i] -= fill.lots * rules.lot_size
        sleeve = sleeve._replace(order=NO_ORDER)
    for k in range(sleeve.position.open_layers - 1, -1, -1):
        layer = sleeve.position.layers[k]
        if layer.due == NONE and ambiguous(sleeve.position, layer, bar, rules.tick):
            unclear = 1
        fill = match_exit(sleeve.position, layer, k, rules, sleeve.cost, bar, left[i])
        if fill.lots > 0:
            sleeve, n = book(sleeve, rules, s, fill, rows, n)
            left[i] -= fill.lots * rules.lot_size
    if sleeve.ledger.trips != before.ledger.trips:
        sleeve = sleeve._replace(ledger=learn(ring, s, sleeve.ledger))
    guard = roll_day(sleeve.guard, before.ledger, bar.close_ms)
    sleeve = on_mark(sleeve, rules, bar.close)
    guard = watch_sleeve(guard, sleeve.ledger, rules, bar.close_ms)
    if guard.block_until_ms != before.guard.block_until_ms:
        row = breaker_row(s, DAY_LOSS, bar.close_ms, sleeve.ledger.equity, guard.block_until_ms)
        n = emit(rows, n, row)
    if guard.pause_until_ms != before.guard.pause_until_ms:
        row = breaker_row(s, LOSS_STREAK, bar.close_ms, sleeve.ledger.equity, guard.pause_until_ms)
        n = emit(rows, n, row)
    return sleeve._replace(guard=guard), n, unclear


def decide(
    sleeves: Any,
    desk: Desk,
    rules: Rules,
    limits: Limits,
    bar: Bar,
    signal: Signal,
    s: int,
    gross: Any,
    sides: Any,
    rows: Rows,
    n: int,
) -> tuple[Desk, int]:
    """One sleeve's decision and its rows; the desk and the instrument then carry the new order's exposure."""
    before, i = load(sleeves, s, Sleeve), rules.instrument
    sleeve, decision = on_close(before, desk, rules, limits, bar, signal, gross[i], sides[i])
    if signal.side != 0 or before.position.open_layers > 0 or decision.action != HOLD:
        lots = open_lots(before.position) * before.position.side
        n = emit(rows, n, decision_row(s, sleeve, bar, signal, decision, lots))
    if sleeve.order.side == 0 and before.order.side == 0 and decision.action in (HOLD, REFUSED):
        keep_watch(sleeves, s, sleeve)
    else:
        store(sleeves, s, sleeve)
    if decision.told != 0:
        n = emit(rows, n, size_row(s, sleeve, bar, signal, decision))
        n = emit(rows, n, caps_row(s, bar, decision))
    if sleeve.guard.pause_until_ms != before.guard.pause_until_ms:
        n = emit(rows, n, breaker_row(s, FREQUENCY, bar.close_ms, sleeve.ledger.equity, sleeve.guard.pause_until_ms))
    if sleeve.order.side != 0:
        desk = count_order(desk, bar.close_ms, sleeve.order.notional)
        gross[i] += sleeve.order.notional
        sides[i] = sleeve.order.side
    return desk, n


def calm(sleeve: Sleeve, bar: Bar) -> bool:
    """True when the bar can only mark the sleeve: nothing ordered, settled, due or touched, and no new day."""
    position = sleeve.position
    if sleeve.order.side != 0 or bar.funding_mark > 0.0 or sleeve.guard.day != (bar.close_ms - 1) // DAY_MS:
        return False
    for k in range(position.open_layers):
        layer = position.layers[k]
        if layer.due != NONE or not clear_of(position, layer, bar):
            return False
    return True


def still(sleeve: Sleeve, rules: Rules, bar: Bar) -> bool:
    """True when marking the sleeve at this close trips no breaker."""
    guard = watch_sleeve(sleeve.guard, on_mark(sleeve, rules, bar.close).ledger, rules, bar.close_ms)
    return guard.block_until_ms == sleeve.guard.block_until_ms


def untouched(sleeve: Sleeve, rules: Rules, close_ms: int) -> bool:
    """True when the bar changes nothing of an idle sleeve: not even a breaker, which trips a flat one, too, when yesterday's
    block ends under a loss of today."""
    if not idle(sleeve, close_ms):
        return False
    guard = watch_sleeve(sleeve.guard, sleeve.ledger, rules, close_ms)
    return guard.block_until_ms == sleeve.guard.block_until_ms


def idle(sleeve: Sleeve, close_ms: int) -> bool:
    """True when a bar without a signal changes nothing: flat, nothing ordered or refused, the day already begun."""
    return (
        sleeve.position.open_layers == 0
        and sleeve.order.side == 0
        and sleeve.guard.refused == 0
        and sleeve.guard.day == (close_ms - 1) // DAY_MS
    )


def desk_bar(
    bars: Any,
    signals: Any,
    sleeves: Any,
    rules: Any,
    desk: Desk,
    limits: Limits,
    ring: Any,
    gross: Any,
    sides: Any,
    left: Any,
    rows: Rows,
    n: int,
    t: int,
    quick: int,
) -> tuple[Desk, int, int]:
    """Bar t of the whole desk. Returns (desk, rows so far, ambiguous bars).

    bars: Bar per bar and instrument, flat, instrument fastest; signals: Signal per bar and sleeve, flat; sleeves, rules: one a
    sleeve; ring: R of round trips, TRIPS_KEPT a sleeve; gross, sides, left: scratch, one an instrument; rows: Row, written up to
    its length; quick: 1 skips sleeves for which the bar changes nothing (a test holds it to the same result).
    """
    instruments, count, unclear = len(gross), len(sleeves), 0
    for i in range(instruments):
        gross[i] = 0.0
        sides[i] = 0
        left[i] = load(bars, t * instruments + i, Bar).volume
    close_ms = load(bars, t * instruments, Bar).close_ms
    equity = total = 0.0
    for s in range(count):
        if quick != 0 and untouched(load(sleeves, s, Sleeve), load(rules, s, Rules), close_ms):
            equity += load(sleeves, s, Sleeve).ledger.equity
            continue
        i = load(rules, s, Rules).instrument
        bar = load(bars, t * instruments + i, Bar)
        if usable(bar):
            rule = load(rules, s, Rules)
            if quick != 0 and calm(load(sleeves, s, Sleeve), bar) and still(load(sleeves, s, Sleeve), rule, bar):
                keep_mark(sleeves, s, on_mark(load(sleeves, s, Sleeve), rule, bar.close))
            else:
                sleeve, n, more = trade_bar(load(sleeves, s, Sleeve), rule, bar, s, left, ring, rows, n)
                unclear += more
                store(sleeves, s, sleeve)
        sleeve = load(sleeves, s, Sleeve)
        equity += sleeve.ledger.equity
        total += exposure(sleeve)
        gross[i] += exposure(sleeve)
        if held_side(sleeve) != 0:
            sides[i] = held_side(sleeve)
    was = desk.tripped
    desk = watch_desk(desk, limits, equity, total)
    if desk.tripped != was:
        n = emit(rows, n, breaker_row(DESK_ROW, DESK_DRAWDOWN, close_ms, desk.equity, 0))
    for s in range(count):
        if quick != 0 and load(signals, t * count + s, Signal).side == 0 and idle(load(sleeves, s, Sleeve), close_ms):
            continue
        rule, signal = load(rules, s, Rules), load(signals, t * count + s, Signal)
        bar = load(bars, t * instruments + rule.instrument, Bar)
        if usable(bar):
            desk, n = decide(sleeves, desk, rule, limits, bar, signal, s, gross, sides, rows, n)
    return desk, n, unclear
