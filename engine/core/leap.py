"""The loop over bars. A sleeve whose coming bars can only mark it sleeps through them; every other bar runs desk.py's three
phases.

Called by kernel.py (compiled) and, with `leaps` 0, by the tests as the plain Python it is; the two must leave the same bytes.

    first_awake   the first bar that could do more than mark the sleeve: fill, settle, trip, roll a day, decide, refuse anew
    awaken        the sleeve after the bars it slept through
    asleep.py     the desk over bars through which every sleeve sleeps

Each question is put to the function that would act on it (clear_of, liquidation_level, follow, faded, wants, watch_sleeve), so
there is no second rule to keep in step. BLOCK bars are asked as one where that is enough (blocks.py).
"""

from typing import Any

from .asleep import all_asleep, alone_asleep, keep_wanted
from .blocks import BLOCK, extremes, first_from, is_unbroken
from .desk import decide_all, settle_and_mark
from .exits import clear_of, faded, follow, leaves, passed, timed_out, turns, would_move
from .falls import keep_fall
from .guardrails import barred, watch_sleeve
from .ledger import on_mark
from .liquidation import clear_of_liquidation, liquidation_level
from .memory import Memory, load, store
from .state import DAY_MS, NONE, R_DAY_LOSS, R_NONE, R_PAUSE, Bar, Desk, Guard, Ledger, Limits, Position, Rules, Signal, Sleeve
from .step import cost_now, enters, usable, wants


def run(
    m: Memory,
    signals: Any,
    blocks: Any,
    desk: Desk,
    limits: Limits,
    equity: Any,
    daily: Any,
    since: Any,
    wakes: Any,
    guides: Any,
    leaps: int,
) -> tuple[Desk, int, int, int]:
    """Every bar of a market. Returns (desk, rows written, ambiguous bars, awake bars: of a sleeve that ran the three phases);
    writes the desk's equity at each close; with Memory.fall, at those that are wanted.

    signals: Signal per bar and sleeve, flat, sleeve fastest; blocks: fold_blocks of the bars; equity: one a bar; daily:
    correlations of each UTC day, flat; since, wakes: zeros, one a sleeve: where it fell asleep and where it wakes; guides: one a
    sleeve, 1 where its strategy says levels or exits; leaps 0: nobody sleeps.
    """
    n, ambiguous, awake, t, last, day = 0, 0, 0, 0, len(equity), -1
    while True:
        end = last
        for s in range(len(m.sleeves)):
            end = min(end, wakes[s])
        if t < end:
            first = t
            if len(m.fall) == 0:
                desk, t = all_asleep(m, desk, limits, equity, t, end)
            else:
                desk, t = alone_asleep(m, blocks, desk, limits, t, end)
                keep_wanted(m, equity, first, t)
        for s in range(len(m.sleeves)):
            if wakes[s] == t:
                awaken(m, signals, blocks, desk.halted, s, since[s], t)
            if wakes[s] <= t < last:
                awake += 1
        if t >= last:
            break
        was = desk.tripped
        desk, n, more = settle_and_mark(m, desk, limits, n, t, wakes, 1)
        ambiguous += more
        equity[t] = desk.equity
        if len(m.fall) > 0:
            keep_fall(m.fall, desk.equity)
        if desk.tripped != was:
            rouse(m, signals, blocks, since, wakes, t)
        day = on_day(m, daily, day, t)
        desk, n = decide_all(m, signals, desk, limits, n, t, wakes)
        t += 1
        if leaps != 0:
            for s in range(len(m.sleeves)):
                if wakes[s] < t:
                    since[s] = t
                    wakes[s] = first_awake(m, signals, blocks, desk, s, t, last, guides[s])
    return desk, n, ambiguous, awake


def on_day(m: Memory, daily: Any, day: int, t: int) -> int:
    """Bar t's day, counted from the first bar's; where it is not `day`, its correlations are now the memory's."""
    square, per_bar = len(m.correlations), len(m.gross)
    if len(daily) == 0:
        return day
    first, now = load(m.bars, 0, Bar).close_ms, load(m.bars, t * per_bar, Bar).close_ms
    today = (now - 1) // DAY_MS - (first - 1) // DAY_MS
    if today != day:
        for k in range(square):
            m.correlations[k] = daily[today * square + k]
    return int(today)


def rouse(m: Memory, signals: Any, blocks: Any, since: Any, wakes: Any, t: int) -> None:
    """A halt at bar t asks everybody: sleepers wake after the bar has marked them."""
    for s in range(len(m.sleeves)):
        if wakes[s] > t:
            awaken(m, signals, blocks, 0, s, since[s], t)
            sleeve, rules = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules)
            if sleeve.position.open_layers > 0:
                store(m.sleeves, s, on_mark(sleeve, rules, load(m.bars, t * len(m.gross) + rules.instrument, Bar).close))
            wakes[s] = t


def first_awake(m: Memory, signals: Any, blocks: Any, desk: Desk, s: int, t: int, last: int, guides: int) -> int:
    """First bar from t on, at most `last`, at which sleeve s has to be awake."""
    sleeve, rules = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules)
    if sleeve.order.side != 0:
        return t
    if rules.bars != rules.instrument:
        return t if sleeve.position.open_layers > 0 else next_own_close(rules, m, t, last)
    if desk.halted != 0:
        return first_awake_halted(sleeve, rules, m, blocks, t, last) if sleeve.position.open_layers == 0 else t
    refused = sleeve.guard.refused
    if sleeve.position.open_layers == 0 and refused in (R_NONE, R_DAY_LOSS, R_PAUSE):
        return first_awake_flat(sleeve, rules, desk, m, signals, blocks, s, t, last)
    if sleeve.position.open_layers > 0 and refused == R_NONE:
        return first_awake_held(sleeve, rules, m, signals, blocks, s, t, last, guides)
    return t


def next_own_close(rules: Rules, m: Memory, t: int, last: int) -> int:
    """First bar from t on at which a bar of a longer timeframe than the clock's may close."""
    instruments = len(m.gross)
    while t < last and load(m.bars, t * instruments + rules.bars, Bar).close_ms % rules.bar_ms != 0:
        t += 1
    return t


def day_is_quiet_until(guard: Guard, ledger: Ledger, rules: Rules) -> int:
    """The last close (ms) of a flat sleeve's day that neither rolls it nor trips the daily breaker: its equity does not move."""
    end_ms = (guard.day + 1) * DAY_MS  # the day's last close
    tripped = watch_sleeve(guard, ledger, rules, guard.block_until_ms)  # as of the moment a running block ends
    return end_ms if tripped.block_until_ms == guard.block_until_ms else min(end_ms, guard.block_until_ms - 1)


def first_awake_halted(sleeve: Sleeve, rules: Rules, m: Memory, blocks: Any, t: int, last: int) -> int:
    """A flat sleeve of a halted desk decides nothing, whatever the signal says; it wakes for a new day or its breaker."""
    end_ms, instruments = day_is_quiet_until(sleeve.guard, sleeve.ledger, rules), len(m.gross)
    while t < last:
        if t % BLOCK == 0 and t + BLOCK <= last:
            block = load(blocks, t // BLOCK * instruments + rules.instrument, Bar)
            if block.close_ms <= end_ms and block.funding_mark == 0.0:
                t += BLOCK
                continue
        bar = load(m.bars, t * instruments + rules.instrument, Bar)
        if bar.close_ms > end_ms or not usable(bar):  # its costs are not renewed at a hole
            break
        t += 1
    return t


def first_awake_flat(
    sleeve: Sleeve, rules: Rules, desk: Desk, m: Memory, signals: Any, blocks: Any, s: int, t: int, last: int
) -> int:
    """A flat sleeve wakes when a signal comes; one whose signal is refused by a breaker, when signal or breaker goes."""
    guard, instruments, count = sleeve.guard, len(m.gross), len(m.sleeves)
    end_ms, speaks = day_is_quiet_until(guard, sleeve.ledger, rules), guard.refused != R_NONE
    if speaks and t < last:
        if barred(guard, desk, load(m.bars, t * instruments + rules.instrument, Bar).close_ms) != guard.refused:
            return t
        if guard.refused == R_DAY_LOSS:
            end_ms = min(end_ms, guard.block_until_ms - 1)
        elif guard.paused == 0:
            end_ms = min(end_ms, guard.pause_until_ms - 1)
    silent = t if speaks else silent_until(m, t, last)
    while t < last:
        if t % BLOCK == 0 and t + BLOCK <= last:
            block = load(blocks, t // BLOCK * instruments + rules.instrument, Bar)
            if block.close_ms <= end_ms and (block.funding_mark == 0.0 or not speaks):
                k = t if t + BLOCK > silent else t + BLOCK
                while k < t + BLOCK and enters(load(signals, k * count + s, Signal)) == speaks:
                    k += 1
                if k < t + BLOCK:
                    return k
                t = k
                continue
        bar = load(m.bars, t * instruments + rules.instrument, Bar)
        if bar.close_ms > end_ms or enters(load(signals, t * count + s, Signal)) != speaks:
            break
        if speaks and not usable(bar):  # its costs are not renewed there
            break
        t += 1
    return t


def silent_until(m: Memory, t: int, last: int) -> int:
    """No signal has a side before this bar, as far as is known; `t` where nothing is."""
    if len(m.fall) == 0:
        return t
    k = first_from(m.calls, t)
    return m.calls[k] if k < len(m.calls) else last


def first_awake_held(
    sleeve: Sleeve, rules: Rules, m: Memory, signals: Any, blocks: Any, s: int, t: int, last: int, guides: int
) -> int:
    """A sleeve with a position wakes when a bar could fill, settle or trip something, or when its close could decide."""
    position, instruments, count = sleeve.position, len(m.gross), len(m.sleeves)
    for k in range(position.open_layers):
        if position.layers[k].exit_pending != NONE:
            return t
    end_ms = (sleeve.guard.day + 1) * DAY_MS
    listens = rules.fade_below > 0.0 or position.open_layers < rules.layers_max or guides != 0
    liquidation, narrow = liquidation_level(sleeve, rules), t
    sound = (t // BLOCK + 1) * BLOCK if is_unbroken(m, blocks, rules, t) else t  # before it every bar is usable
    while t < last:
        if t % BLOCK == 0 and t + BLOCK <= last and t >= narrow:
            span, end, quiet = load(blocks, t // BLOCK * instruments + rules.instrument, Bar), t + BLOCK, True
            sound = end if span.funding_mark == 0.0 else t
        else:
            bar, end = load(m.bars, t * instruments + rules.instrument, Bar), t + 1
            span, quiet = bar._replace(open=bar.close), t < sound or usable(bar)  # a block of one bar
        after = follow(position, rules, span)
        trail = after.trail if end > t + 1 else position.trail  # of a bar that before it
        quiet = quiet and span.close_ms <= end_ms
        quiet = quiet and only_marks(sleeve, position._replace(trail=trail), rules, span, liquidation)
        quiet = quiet and not timed_out(position, rules, span.close_ms)
        k = t
        while quiet and listens and k < end:
            quiet = not decides(after, rules, span, load(signals, k * count + s, Signal))
            k += 1
        if quiet:
            position, t = after, end
        elif end > t + 1:
            narrow = end
        else:
            break
    return t


def only_marks(sleeve: Sleeve, position: Position, rules: Rules, span: Bar, liquidation: float) -> bool:
    """True when nothing of `span` (closes from `open` to `close`) fills, settles or reaches the liquidation level, and no close
    of it trips the daily breaker."""
    if span.funding_mark != 0.0:  # a hole shows as one, too
        return False
    if not clear_of_liquidation(position.side, liquidation, span):
        return False
    for k in range(position.open_layers):
        if not clear_of(position, position.layers[k], span):
            return False
    worst = on_mark(sleeve, rules, span.open if position.side > 0 else span.close).ledger
    return watch_sleeve(sleeve.guard, worst, rules, span.close_ms).block_until_ms == sleeve.guard.block_until_ms


def decides(position: Position, rules: Rules, span: Bar, signal: Signal) -> bool:
    """True when a close of `span` may act on the signal: leave, move a level, or add a layer."""
    best = span if position.side > 0 else span._replace(close=span.open)
    worst = span.open if position.side > 0 else span.close
    own = passed(position, rules, worst, best.close, signal) or would_move(position, rules, signal) or turns(position, signal)
    return own or leaves(position.side, signal) or faded(position, rules, signal) or wants(position, rules, best, signal)


def awaken(m: Memory, signals: Any, blocks: Any, halted: int, s: int, t: int, end: int) -> None:
    """Store sleeve s as bars t to end (excluded), which could only mark it, have left it; `halted`: the desk was, then."""
    sleeve, rules, count = load(m.sleeves, s, Sleeve), load(m.rules, s, Rules), len(m.sleeves)
    flat = sleeve.position.open_layers == 0
    if rules.bars != rules.instrument:  # it slept between two of its own closes
        return
    if t >= end or (flat and sleeve.guard.refused == R_NONE and halted == 0):
        return
    cost, k, slip, impact = sleeve.cost, end - 1, False, False
    while k >= t and not (slip and impact):  # the last known figure of each counts
        signal = load(signals, k * count + s, Signal)
        now = cost_now(cost, signal)
        if not (flat and not enters(signal)):  # a flat sleeve without a signal renews nothing
            if not slip and signal.slip_frac >= 0.0:
                slip, cost = True, cost._replace(slip_frac=now.slip_frac)
            if not impact and signal.impact >= 0.0:
                impact, cost = True, cost._replace(impact=now.impact)
        k -= 1
    sleeve = sleeve._replace(cost=cost)
    if not flat:
        span = extremes(m, blocks, rules, t, end)
        sleeve = on_mark(sleeve._replace(position=follow(sleeve.position, rules, span)), rules, span.close)
    store(m.sleeves, s, sleeve)
