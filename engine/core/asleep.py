"""The desk over bars through which every sleeve sleeps: what each close is worth, until one trips the desk's breaker.

Called by leap.run, compiled. Most runs want the equity of every close (all_asleep). One of a sweep wants a few closes and the
deepest fall (Memory.fall): alone_asleep does not ask the closes between.
"""

from typing import Any

from .blocks import BLOCK, close_of, close_range, first_from
from .falls import is_shallow, keep_fall, lower, upper
from .guardrails import exposure, watch_desk
from .ledger import on_mark, valued
from .memory import Memory, load
from .state import Bar, Desk, Limits, Rules, Sleeve


def all_asleep(m: Memory, desk: Desk, limits: Limits, equity: Any, t: int, end: int) -> tuple[Desk, int]:
    """The desk over bars t to end (excluded), through which every sleeve sleeps; stops before a bar that trips its breaker."""
    instruments, held = len(m.gross), 0
    for k in range(t, end):
        equity[k] = 0.0
    for s in range(len(m.sleeves)):
        sleeve, rules = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules)
        held += sleeve.position.open_layers
        if sleeve.position.open_layers == 0:
            for k in range(t, end):
                equity[k] += sleeve.ledger.equity
        else:
            for k in range(t, end):
                equity[k] += on_mark(sleeve, rules, close_of(m, k * instruments + rules.instrument)).ledger.equity
    first = t
    while t < end:
        after = watch_desk(desk, limits, equity[t], 0.0, desk.positions)
        if after.tripped != desk.tripped:
            break
        desk = after
        t = t + 1 if held > 0 else end  # flat: one figure at every bar, asked once
    if t == first:
        return desk, t
    total = 0.0
    for s in range(len(m.sleeves)):
        sleeve, rules = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules)
        if sleeve.position.open_layers > 0:
            sleeve = on_mark(sleeve, rules, load(m.bars, (t - 1) * instruments + rules.instrument, Bar).close)
        total += exposure(sleeve)
    return desk._replace(gross=total), t


def alone_asleep(m: Memory, blocks: Any, desk: Desk, limits: Limits, t: int, end: int) -> tuple[Desk, int]:
    """all_asleep for the one sleeve of a run of which few closes are wanted. All bars are asked as one, then BLOCK at once, then
    each: as soon as, between their best and their worst close, the breaker does not trip and no fall is deeper than those before.
    """
    sleeve, rules = load(m.sleeves, 0, Sleeve), load(m.rules, 0, Rules)
    first, until, flat = t, end, sleeve.position.open_layers == 0
    low = high = sleeve.ledger.equity
    while t < end:
        if not flat:
            least, most = close_range(m, blocks, rules, t, until)
            a, b = valued(sleeve, rules, least).equity, valued(sleeve, rules, most).equity
            low, high = lower(a, b), upper(a, b)
        after = watch_desk(desk._replace(peak=upper(desk.peak, high)), limits, low, 0.0, desk.positions)
        trips = after.tripped != desk.tripped
        if not flat and until > t + 1 and (trips or not is_shallow(upper(m.fall[0], high), low, m.fall[1], m.fall[2])):
            until = t + 1 if until <= t + BLOCK else next_stop(t, end)
            continue
        if trips:
            break
        keep_fall(m.fall, high)  # of many closes the highest alone: none falls deeper
        desk, t = after, until
        until = next_stop(t, end)
    if t == first:
        return desk, t
    if not flat:
        sleeve = on_mark(sleeve, rules, close_of(m, (t - 1) * len(m.gross) + rules.instrument))
    return desk._replace(equity=sleeve.ledger.equity, gross=exposure(sleeve)), t


def next_stop(t: int, end: int) -> int:
    """Where the bars asked together end: the block that begins at t, or bar t alone."""
    return t + BLOCK if t % BLOCK == 0 and t + BLOCK <= end else t + 1


def keep_wanted(m: Memory, equity: Any, t: int, end: int) -> None:
    """Write the equity at those of bars t to end (excluded) that are wanted; the one sleeve slept through them all."""
    sleeve, rules, instruments = load(m.sleeves, 0, Sleeve), load(m.rules, 0, Rules), len(m.gross)
    held, k = sleeve.position.open_layers > 0, first_from(m.wanted, t)
    while k < len(m.wanted) and m.wanted[k] < end:
        close = close_of(m, m.wanted[k] * instruments + rules.instrument)
        equity[m.wanted[k]] = valued(sleeve, rules, close).equity if held else sleeve.ledger.equity
        k += 1
