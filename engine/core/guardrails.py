"""The one door for orders: review() lets an entry through or names the rule that refused it; breakers trip here.

Called by step.on_close and desk.py for every sleeve of every mode. What cannot be computed refuses: each test is written so that
a NaN fails it. Exits do not come here: a reduce-only order within the position is refused by nothing but the venue.
"""

from math import isnan, sqrt
from typing import NamedTuple

from .sizing import margin_distance
from .state import (
    DAY_MS,
    DESK_DRAWDOWN,
    MINUTE_MS,
    OFF,
    R_CORRELATED,
    R_DAY_LOSS,
    R_DRAWDOWN,
    R_EQUITY,
    R_FAMILY,
    R_GROSS,
    R_HALT,
    R_INSTRUMENT,
    R_LAYERS,
    R_LEAST,
    R_LEVERAGE,
    R_LIQUIDATION,
    R_NONE,
    R_OPPOSITE,
    R_ORDER_RATE,
    R_PAUSE,
    R_POSITIONS,
    R_RANGE,
    R_RISK,
    R_SHORT,
    R_SIGNAL,
    R_SIZE,
    R_SPREAD,
    R_UNKNOWN,
    R_VOLUME,
    R_WINDOW,
    TURNING,
    Desk,
    Guard,
    Ledger,
    Limits,
    Rules,
    Signal,
    Size,
    Sleeve,
)
from .windows import shut

ROUNDING = 1.0 + 1e-9  # a size that was cut to the limit may lie a bit above it
LIMIT_REACH = 0.5  # of the close: a limit price farther away is a mistake


class Around(NamedTuple):
    """What the desk's caps see around a sleeve: exposure of all sleeves, orders that may still fill included."""

    gross: float  # on its instrument
    side: int  # there; TURNING: nothing enters
    family: float  # of its strategy
    square: float  # the desk's correlated exposure, squared
    cross: float  # what one unit of money on the signal's side adds to it, halved (`correlated`)


NOTHING_AROUND = Around(0.0, 0, 0.0, 0.0, 0.0)


def barred(guard: Guard, desk: Desk, close_ms: int) -> int:
    """The breaker or latch that refuses every entry now, R_NONE if there is none; needs no size."""
    if desk.halted != 0:
        return R_HALT
    if desk.tripped & DESK_DRAWDOWN:
        return R_DRAWDOWN
    if close_ms < guard.block_until_ms:
        return R_DAY_LOSS
    if guard.paused != 0 or close_ms < guard.pause_until_ms:
        return R_PAUSE
    return R_NONE


def standing(guard: Guard, desk: Desk, rules: Rules, limits: Limits, close_ms: int) -> int:
    """The same with the windows in which people want no entries."""
    rule = barred(guard, desk, close_ms)
    if rule == R_NONE and shut(rules, limits, close_ms):
        return R_WINDOW
    return rule


def abnormal(signal: Signal, limits: Limits) -> int:
    """The rule by which the market of this close refuses entries, R_NONE when it is as usual."""
    rule = R_NONE
    if not limits.spread_frac_max >= OFF:  # NaN refuses, too
        rule = outside(2.0 * signal.slip_frac, 0.0, limits.spread_frac_max, R_SPREAD)
    if rule == R_NONE and not (limits.volume_times_max >= OFF and limits.volume_times_min <= 0.0):
        rule = outside(signal.volume_times, limits.volume_times_min, limits.volume_times_max, R_VOLUME)
    if rule == R_NONE and not limits.range_times_max >= OFF:
        rule = outside(signal.range_times, 0.0, limits.range_times_max, R_RANGE)
    return rule


def outside(value: float, least: float, most: float, rule: int) -> int:
    """`rule` where the value is out of bounds, R_UNKNOWN where it is not known."""
    if isnan(value):
        return R_UNKNOWN
    return R_NONE if least <= value <= most else rule


def contradictory(signal: Signal, price: float, close: float, stop_distance: float, target_distance: float) -> bool:
    """True for a signal that cannot be meant: a side without strength, a market order that must not take, a limit price far
    from the market, a long whose stop lies below zero, an own stop or target on the wrong side of the price.
    """
    return (
        not signal.strength > 0.0
        or (signal.post_only != 0 and signal.limit == 0.0)
        or (signal.limit != 0.0 and abs(price - close) > LIMIT_REACH * close)
        or (signal.side > 0 and stop_distance >= price > 0.0)
        or (signal.stop != 0.0 and stop_distance <= 0.0)
        or (signal.target != 0.0 and (target_distance <= 0.0 or (signal.side < 0 and target_distance >= price)))
    )


def correlated(around: Around, notional: float) -> float:
    """The desk's correlated exposure (quote units) with `notional` more on the signal's side.

    The root of sum w_a w_b r_ab over all pairs of instruments, w their signed exposure and r their trailing correlation: gross
    where all move together, less where they do not, nothing for a perfect hedge. An unknown r counts as the worst.
    """
    return sqrt(max(around.square + 2.0 * notional * around.cross + notional * notional, 0.0))


def review(
    sleeve: Sleeve,
    desk: Desk,
    rules: Rules,
    limits: Limits,
    close_ms: int,
    close: float,
    price: float,
    signal: Signal,
    size: Size,
    stop_distance: float,
    target_distance: float,
    around: Around,
) -> int:
    """R_NONE if the entry at `price` may go, else the first rule that refuses it."""
    rule, side = standing(sleeve.guard, desk, rules, limits, close_ms), signal.side
    if rule != R_NONE:
        return rule
    if contradictory(signal, price, close, stop_distance, target_distance):
        return R_SIGNAL
    rule = abnormal(signal, limits)
    if rule != R_NONE:
        return rule
    if sleeve.ledger.equity <= 0.0:
        return R_EQUITY
    if isnan(target_distance) or (isnan(signal.atr) and counts_atrs(rules)):
        return R_UNKNOWN
    if not (stop_distance > 0.0 and price > 0.0 and desk.equity > 0.0 and sleeve.ledger.equity > 0.0 and size.wanted > 0.0):
        return R_UNKNOWN
    if not sleeve.position.open_layers < rules.layers_max:
        return R_LAYERS
    if around.side == TURNING or not side * around.side >= 0:
        return R_OPPOSITE
    if not (side > 0 or rules.shorts != 0):
        return R_SHORT
    if not size.lots > 0:
        return R_SIZE
    notional = price * (size.lots * rules.lot_size)
    if not (size.lots >= rules.least_lots and notional >= rules.least_notional):
        return R_LEAST
    if not size.risk_frac <= rules.risk_limit_frac * ROUNDING:
        return R_RISK
    exposed = sleeve.ledger.notional + notional
    distance = margin_distance(sleeve.ledger.equity, exposed / price, price, side, rules)
    if not distance >= 2.0 * stop_distance:
        return R_LIQUIDATION
    if not exposed <= rules.leverage_max * sleeve.ledger.equity:
        return R_LEVERAGE
    return over_the_desks_caps(sleeve, desk, limits, close_ms, notional, around)


def counts_atrs(rules: Rules) -> bool:
    """True when a rule of the exits or of adding layers counts in ATRs: a trail without one would never arm."""
    adds = rules.layers_max > 1 and rules.add_atr > 0.0
    return adds or rules.stop_atr > 0.0 or rules.target_atr > 0.0 or rules.arm_atr > 0.0 or rules.trail_atr > 0.0


def over_the_desks_caps(sleeve: Sleeve, desk: Desk, limits: Limits, close_ms: int, notional: float, around: Around) -> int:
    """The cap of the whole desk that an entry of `notional` would break, R_NONE if none."""
    if not desk.gross + notional <= limits.gross_frac_max * desk.equity:
        return R_GROSS
    if not around.gross + notional <= limits.instrument_frac_max * desk.equity:
        return R_INSTRUMENT
    if not around.family + notional <= limits.family_frac_max * desk.equity:
        return R_FAMILY
    if not limits.correlated_frac_max >= OFF and not correlated(around, notional) <= limits.correlated_frac_max * desk.equity:
        return R_CORRELATED
    if sleeve.position.open_layers == 0 and not desk.positions < limits.positions_max:
        return R_POSITIONS
    if desk.minute == close_ms // MINUTE_MS and not desk.minute_orders < limits.orders_minute_max:
        return R_ORDER_RATE
    return R_NONE


def exposure(sleeve: Sleeve) -> float:
    """What counts against the desk's caps: the open position and the order that may still fill."""
    return sleeve.ledger.notional + sleeve.order.notional + sleeve.in_doubt


def held_side(sleeve: Sleeve) -> int:
    """The side a sleeve holds or is about to hold; TURNING while it holds one and has ordered the other."""
    if sleeve.position.open_layers == 0:
        return sleeve.order.side
    return TURNING if is_turning(sleeve) else sleeve.position.side


def is_turning(sleeve: Sleeve) -> bool:
    """True between the close of a reversal and the last fill of its exit: the entry order waits until the other side is left."""
    return sleeve.order.side * sleeve.position.side < 0


def roll_day(guard: Guard, ledger: Ledger, close_ms: int) -> Guard:
    """A new UTC day starts a new daily loss budget and entry count."""
    day = (close_ms - 1) // DAY_MS
    if day == guard.day:
        return guard
    return guard._replace(day=day, day_equity=ledger.equity, day_entries=0)


def watch_sleeve(guard: Guard, ledger: Ledger, rules: Rules, close_ms: int) -> Guard:
    """The daily loss breaker: blocks entries until the UTC day and 24 hours have passed (24 hours cover both)."""
    if close_ms < guard.block_until_ms or ledger.equity >= guard.day_equity * (1.0 - rules.day_loss_frac_max):
        return guard
    return guard._replace(block_until_ms=close_ms + DAY_MS)


def count_trip(guard: Guard, rules: Rules, pnl: float, t_ms: int) -> Guard:
    """After a round trip: a streak of losses pauses the entries; a win ends the streak."""
    if pnl > 0.0:
        return guard._replace(streak=0)
    if guard.streak + 1 < rules.streak_max:
        return guard._replace(streak=guard.streak + 1)
    return guard._replace(streak=0, pause_until_ms=t_ms + rules.pause_ms)


def count_entry(guard: Guard, rules: Rules, t_ms: int) -> Guard:
    """One more entry of the UTC day: a market order when it is made, a limit order when it opens its layer (`count_opened`). Too
    many pause the entries.
    """
    entries = guard.day_entries + 1
    if entries < rules.day_entries_max:
        return guard._replace(day_entries=entries)
    return guard._replace(day_entries=entries, pause_until_ms=max(guard.pause_until_ms, t_ms + rules.pause_ms))


def count_opened(guard: Guard, ledger: Ledger, rules: Rules, t_ms: int) -> Guard:
    """After a limit entry's fill has opened a layer: an entry of that day, whose first bar may not have closed yet.

    An order that ended with nothing filled was never an entry. While it rests its sleeve makes no other, so that none goes
    uncounted. A fill reported after its day counts in the present one.
    """
    if (t_ms - 1) // DAY_MS > guard.day:
        guard = roll_day(guard, ledger, t_ms)
    return count_entry(guard, rules, t_ms)


def watch_desk(desk: Desk, limits: Limits, equity: float, gross: float, positions: int) -> Desk:
    """The desk after all sleeves are marked: the drawdown breaker latches and halts, on marked-to-market equity."""
    peak = max(desk.peak, equity)
    desk = desk._replace(equity=equity, peak=peak, gross=gross, positions=positions)
    if desk.tripped & DESK_DRAWDOWN or equity >= peak * (1.0 - limits.drawdown_frac_max):
        return desk
    return desk._replace(tripped=desk.tripped | DESK_DRAWDOWN, halted=1)


def count_order(desk: Desk, close_ms: int, notional: float, opens: int) -> Desk:
    """The desk after a sleeve placed an entry order; `opens` 1: it held nothing before."""
    minute = close_ms // MINUTE_MS
    orders = desk.minute_orders + 1 if desk.minute == minute else 1
    positions = desk.positions + opens
    return desk._replace(gross=desk.gross + notional, minute=minute, minute_orders=orders, positions=positions)
