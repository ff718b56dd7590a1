"""One close of one sleeve: exits -> signal -> size -> review -> order; of a reversal exit and entry. Read it top to bottom.

Values in, values out. Called by desk.decide, which kernel.py compiles for backtests and book/transitions.py calls as plain
Python.
"""

from .exits import decided, follow, grid, leave_all, leaves, leaving, moved, own_level, to_tick, turns
from .guardrails import Around, count_entry, review, standing
from .sizing import position_risk, size
from .state import (
    ADD,
    CANCEL,
    ENTER,
    EXIT,
    FLAT,
    HALT,
    HELD,
    NO_ORDER,
    NO_SIZE,
    NONE,
    R_NONE,
    REFUSED,
    Bar,
    Cost,
    Decision,
    Desk,
    Limits,
    Order,
    Position,
    Rules,
    Signal,
    Sleeve,
)


def usable(bar: Bar) -> bool:
    """False for a missing or impossible bar: nothing trades on it, nothing is marked. A NaN in any field makes it False."""
    return (
        0.0 < bar.low <= min(bar.open, bar.close)
        and max(bar.open, bar.close) <= bar.high < 1e300
        and bar.volume >= 0.0
        and bar.open == bar.open
        and bar.close == bar.close
        and 0.0 <= bar.funding_mark < 1e300
        and -1.0 <= bar.funding_rate <= 1.0
    )


def on_close(
    sleeve: Sleeve,
    desk: Desk,
    rules: Rules,
    limits: Limits,
    bar: Bar,
    signal: Signal,
    around: Around,
) -> tuple[Sleeve, Decision]:
    """What the sleeve does after this close. Returns (sleeve, decision)."""
    if sleeve.position.open_layers > 0 or enters(signal):
        sleeve = sleeve._replace(cost=cost_now(sleeve.cost, signal))
    if desk.halted != 0:
        return on_halt(sleeve, bar)
    position = sleeve.position
    if position.open_layers > 0:
        position = follow(position, rules, bar)
        sleeve = sleeve._replace(position=position)
        reason = decided(position, rules, bar, signal)
        if position.layers[0].exit_pending == NONE and reason != NONE:
            sleeve = sleeve._replace(position=leave_all(position, reason), order=NO_ORDER)
            if turns(position, signal):
                return turn(sleeve, reason, desk, rules, limits, bar, signal, around)
            return sleeve, Decision(EXIT, reason, bar.close, 0.0, 0.0, NO_SIZE, 0, NONE)
        position = moved(position, rules, signal)
        sleeve = sleeve._replace(position=position)
    if sleeve.order.side != 0:
        return resting(sleeve, desk, rules, limits, bar, signal)
    if not wants(position, rules, bar, signal):
        return with_last_refusal(sleeve, R_NONE, bar.close_ms), HELD
    return enter(sleeve, desk, rules, limits, bar, signal, around)


def turn(
    sleeve: Sleeve,
    reason: int,
    desk: Desk,
    rules: Rules,
    limits: Limits,
    bar: Bar,
    signal: Signal,
    around: Around,
) -> tuple[Sleeve, Decision]:
    """A sleeve that leaves enters the other side at the same open, sized and reviewed as the exit will leave sleeve and desk;
    `around` is without its own position. A refused entry leaves the exit as it is.
    """
    position, ledger = sleeve.position, sleeve.ledger
    after = sleeve._replace(position=FLAT, ledger=ledger._replace(notional=0.0))
    seen = desk._replace(gross=desk.gross - ledger.notional, positions=desk.positions - 1)
    after, decision = enter(after, seen, rules, limits, bar, signal, around)
    return after._replace(position=position, ledger=ledger), decision._replace(left=reason)


def resting(sleeve: Sleeve, desk: Desk, rules: Rules, limits: Limits, bar: Bar, signal: Signal) -> tuple[Sleeve, Decision]:
    """An entry order that rests ends by its fill, its time, a halt, or here: the signal has turned against it or
    leaves its side, or from this close on a breaker or a window lets no entry go, and one that rests would fill all the same.
    """
    rule = standing(sleeve.guard, desk, rules, limits, bar.close_ms)
    if rule == R_NONE and signal.side * sleeve.order.side >= 0 and not leaves(sleeve.order.side, signal):
        return sleeve, HELD
    return sleeve._replace(order=NO_ORDER), Decision(CANCEL, rule, bar.close, 0.0, 0.0, NO_SIZE, 0, NONE)


def cost_now(cost: Cost, signal: Signal) -> Cost:
    """The slippage figures of this close; a missing one keeps its last value, an exit has to be priced all the same."""
    return Cost(
        signal.slip_frac if signal.slip_frac >= 0.0 else cost.slip_frac,
        signal.impact if signal.impact >= 0.0 else cost.impact,
    )


def on_halt(sleeve: Sleeve, bar: Bar) -> tuple[Sleeve, Decision]:
    """A halted desk cancels the entry and flattens at the next open."""
    position = sleeve.position
    if leaving(position):
        return sleeve._replace(order=NO_ORDER), HELD
    sleeve = sleeve._replace(position=leave_all(position, HALT), order=NO_ORDER)
    return sleeve, Decision(EXIT, HALT, bar.close, 0.0, 0.0, NO_SIZE, 0, NONE)


def enters(signal: Signal) -> bool:
    """True for a signal with a side that is not to be left at the same close."""
    return signal.side != 0 and not leaves(signal.side, signal)


def wants(position: Position, rules: Rules, bar: Bar, signal: Signal) -> bool:
    """True when the signal asks for an entry: flat, or another layer after enough progress."""
    if not enters(signal):
        return False
    if position.open_layers == 0:
        return True
    progress = (bar.close - position.last_entry) * position.side
    return (
        signal.side == position.side
        and position.open_layers < rules.layers_max
        and position.layers[0].exit_pending == NONE
        and progress >= rules.add_atr * position.atr
    )


def enter(
    sleeve: Sleeve,
    desk: Desk,
    rules: Rules,
    limits: Limits,
    bar: Bar,
    signal: Signal,
    around: Around,
) -> tuple[Sleeve, Decision]:
    """Size, review, and place or refuse the entry."""
    side, price = signal.side, entry_price(rules, bar, signal)
    lasting = standing(sleeve.guard, desk, rules, limits, bar.close_ms)
    if lasting != R_NONE and lasting == sleeve.guard.refused:  # logged before: no need to size it again
        return sleeve, Decision(REFUSED, lasting, price, 0.0, 0.0, NO_SIZE, 0, NONE)
    stop, target = own_level(rules, signal.stop, side), own_level(rules, signal.target, side)
    stop_distance = distance(rules.stop_frac, rules.stop_atr, price, signal.atr) if stop == 0.0 else (price - stop) * side
    target_distance = (target - price) * side
    if target == 0.0:
        target_distance = distance(rules.target_frac, rules.target_atr, price, signal.atr)
    wanted = size(sleeve.ledger, rules, signal, price, stop_distance, bar.volume)
    risk = position_risk(sleeve, rules, signal.slip_frac, wanted.lots, price, stop_distance)
    wanted = wanted._replace(risk_frac=risk if wanted.lots > 0 else wanted.risk_frac)
    rule = review(
        sleeve,
        desk,
        rules,
        limits,
        bar.close_ms,
        bar.close,
        price,
        signal,
        wanted,
        stop_distance,
        target_distance,
        around,
    )
    if rule != R_NONE:
        log_size = 0 if rule == sleeve.guard.refused else 1
        return with_last_refusal(sleeve, rule, bar.close_ms), Decision(
            REFUSED, rule, price, stop_distance, target_distance, wanted, log_size, NONE
        )
    notional = price * (wanted.lots * rules.lot_size)
    limit, good_for = (price, max(signal.good_for, 1)) if signal.limit > 0.0 else (0.0, 1)
    sleeve, key = sleeve._replace(entries=sleeve.entries + 1), sleeve.entries + 1
    distances = stop_distance, target_distance, signal.atr
    own = stop, target, signal.hold
    order = Order(key, side, wanted.lots, notional, *distances, bar.close_ms, limit, signal.post_only, good_for, *own)
    guard = with_last_refusal(sleeve, R_NONE, bar.close_ms).guard
    if limit == 0.0:  # one that rests is counted when it fills
        guard = count_entry(guard, rules, bar.close_ms)
    action = ENTER if sleeve.position.open_layers == 0 else ADD
    sleeve = sleeve._replace(order=order, guard=guard)
    return sleeve, Decision(action, R_NONE, price, stop_distance, target_distance, wanted, 1, NONE)


def entry_price(rules: Rules, bar: Bar, signal: Signal) -> float:
    """What an entry is sized and reviewed at: the close, or its limit on the price grid (a bid rounds down); NaN refuses."""
    if signal.limit == 0.0:
        return bar.close
    return to_tick(signal.limit, grid(rules), -signal.side)


def distance(frac: float, atrs: float, price: float, atr: float) -> float:
    """Distance from the entry in quote units; an unused ATR may be missing."""
    return frac * price + (atrs * atr if atrs > 0.0 else 0.0)


def with_last_refusal(sleeve: Sleeve, rule: int, close_ms: int) -> Sleeve:
    """The sleeve that remembers which rule refused it last, and since when: a refusal that lasts is sized once."""
    if rule == sleeve.guard.refused:
        return sleeve
    return sleeve._replace(guard=sleeve.guard._replace(refused=rule, refused_ms=close_ms if rule != R_NONE else 0))
