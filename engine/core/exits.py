"""The exits, one path for backtest, paper and live (DEFINITIONS D12, D13): protective (stop or trail), target, fade, halt, and
what a strategy says itself: levels, an exit signal, a time, a reversal.

Called by fills.match_exit (what a bar touched) and step.on_close (what the close decides). Each open layer has one protective
order at the venue; its level is the tighter of its stop and the trail as of the last closed bar, and never moves back. A
strategy's own levels move these orders and are no exit beside them (docs/decisions/0025).
"""

from math import floor

from .state import (
    BY_REVERSAL,
    BY_SIGNAL,
    BY_TIME,
    FADE,
    LEAVE_LONG,
    LEAVE_SHORT,
    NONE,
    OPTIMISTIC,
    PESSIMISTIC,
    REFERENCE,
    STOP,
    TARGET,
    TRAIL,
    Bar,
    Layer,
    Position,
    Rules,
    Signal,
)

TICK_PART = 0.999999  # of a tick is a tick: 105.1 - 105.0 is a little less than 0.1
STEPS_MAX = 1e15  # beyond it a float no longer counts whole steps


def to_tick(level: float, tick: float, side: int) -> float:
    """`level` on the venue's price grid: up for a long (a tighter stop, a farther target), down for a short."""
    if not tick > 0.0:
        return level
    steps = level / tick
    if not (steps > 0.0 and steps < STEPS_MAX):
        return level
    whole = floor(steps + 1e-9)
    if side > 0 and level - whole * tick > 1e-9 * tick:
        whole += 1
    return whole * tick


def grid(rules: Rules) -> float:
    """The price grid of the levels; the reference mode keeps prices unrounded."""
    return 0.0 if rules.mode == REFERENCE else rules.tick


def stop_level(rules: Rules, entry: float, side: int, atr: float) -> float:
    """Where the first stop of an entry stands."""
    level = entry * (1.0 - side * rules.stop_frac)
    if rules.stop_atr > 0.0:
        level = level - side * rules.stop_atr * atr
    return to_tick(level, grid(rules), side)


def target_level(rules: Rules, entry: float, side: int, atr: float) -> float:
    """Where the target of an entry stands; 0 without one."""
    if not (rules.target_atr > 0.0 or rules.target_frac > 0.0):
        return 0.0
    level = entry * (1.0 + side * rules.target_frac)
    if rules.target_atr > 0.0:
        level = level + side * rules.target_atr * atr
    return to_tick(level, grid(rules), side)


def protective(position: Position, layer: Layer) -> tuple[int, float]:
    """(STOP or TRAIL, level) of the layer's protective order: whichever is tighter."""
    if position.trail > 0.0 and (position.trail - layer.stop) * position.side > 0.0:
        return TRAIL, position.trail
    return STOP, layer.stop


def reached(side: int, level: float, target: float, bar: Bar, tick: float, mode: int, inside: int) -> tuple[int, float]:
    """Which of two resting orders this bar fills and at what price: (STOP, price), (TARGET, price), or (NONE, 0).

    side: of the position; level: of its protective order; target: 0 without one; inside: 1 when a resting entry opened the
    position within this bar. pessimistic: a gap through the protective level fills at the open; protective before target; a
    target needs trade-through by a tick, never improves, and is not counted for in the bar of a resting entry, whose extreme may
    have come first. optimistic: target before protective, an exact touch of the protective level does not fill it. reference:
    bench SPEC; a touch is a fill, a gap through the target fills at the open.
    """
    if (bar.open - level) * side <= 0.0 and inside == 0:
        return STOP, bar.open
    depth = ((bar.low if side > 0 else bar.high) - level) * side
    has_target = target > 0.0 and (inside == 0 or mode != PESSIMISTIC)
    beyond = ((bar.high if side > 0 else bar.low) - target) * side
    if has_target and mode != PESSIMISTIC and (bar.open - target) * side >= 0.0:
        return TARGET, bar.open if inside == 0 else target
    if has_target and mode == OPTIMISTIC and beyond >= 0.0:
        return TARGET, target
    if depth < 0.0 or (depth <= 0.0 and mode != OPTIMISTIC):
        return STOP, level
    if has_target and beyond >= 0.0 and (mode != PESSIMISTIC or (beyond > 0.0 and beyond >= TICK_PART * tick)):
        return TARGET, target
    return NONE, 0.0


def touched(position: Position, layer: Layer, bar: Bar, tick: float, mode: int, inside: int = 0) -> tuple[int, float]:
    """`reached` for the layer's own orders, with the reason of its protective one: STOP or TRAIL."""
    reason, level = protective(position, layer)
    which, price = reached(position.side, level, layer.target, bar, tick, mode, inside)
    return reason if which == STOP else which, price


def clear_of(position: Position, layer: Layer, bar: Bar) -> bool:
    """True when the bar stays strictly between the layer's resting orders: nothing fills in any mode."""
    level = protective(position, layer)[1]
    if position.side > 0:
        return bar.low > level and (layer.target == 0.0 or bar.high < layer.target)
    return bar.high < level and (layer.target == 0.0 or bar.low > layer.target)


def ambiguous(side: int, level: float, target: float, bar: Bar, tick: float, inside: int) -> bool:
    """True when the pessimistic and the optimistic reading of this bar differ for a layer; arguments as for `reached`."""
    which, price = reached(side, level, target, bar, tick, PESSIMISTIC, inside)
    other, better = reached(side, level, target, bar, tick, OPTIMISTIC, inside)
    return which != other or price != better


def trailed(position: Position, rules: Rules) -> float:
    """The trail's level after `position.best`: armed by profit, following the best price, never back."""
    if not (rules.trail_atr > 0.0 or rules.trail_frac > 0.0):
        return position.trail
    side, entry = position.side, position.layers[0].entry
    armed_at = rules.arm_frac * entry
    level = position.best * (1.0 - side * rules.trail_frac)
    if rules.arm_atr > 0.0:
        armed_at = armed_at + rules.arm_atr * position.atr
    if rules.trail_atr > 0.0:
        level = level - side * rules.trail_atr * position.atr
    if not (position.best - entry) * side >= armed_at:
        return position.trail
    level = to_tick(level, grid(rules), side)
    if not level > 0.0:
        return position.trail
    if position.trail == 0.0 or (level - position.trail) * side > 0.0:
        return level
    return position.trail


def follow(position: Position, rules: Rules, bar: Bar) -> Position:
    """The position after a closed bar: best price, and the trail behind it."""
    best = max(position.best, bar.high) if position.side > 0 else min(position.best, bar.low)
    position = position._replace(best=best)
    return position._replace(trail=trailed(position, rules))


def faded(position: Position, rules: Rules, signal: Signal) -> bool:
    """True when the strength of the signal on the position's side is below the threshold; a turned signal has none.

    A strength that is not known (NaN) fades nothing: a hole in the data is no reason to leave.
    """
    if not signal.strength >= 0.0:
        return False
    held = signal.strength if signal.side == position.side else 0.0
    return held < rules.fade_below


def own_level(rules: Rules, level: float, side: int) -> float:
    """A strategy's own stop or target on the price grid; 0 where it says none, NaN where it wants one and does not know it."""
    return to_tick(level, grid(rules), side) if level > 0.0 else level


def levelled(position: Position, signal: Signal) -> bool:
    """True for a signal with an own level for the position's side."""
    return signal.side == position.side and (signal.stop > 0.0 or signal.target > 0.0)


def passed(position: Position, rules: Rules, worst: float, best: float, signal: Signal) -> bool:
    """True when a close has passed the strategy's own stop (`worst` close for the position) or target (`best`): no order can
    rest there any more."""
    if not levelled(position, signal):
        return False
    stop, target = own_level(rules, signal.stop, position.side), own_level(rules, signal.target, position.side)
    return (stop > 0.0 and (worst - stop) * position.side <= 0.0) or (target > 0.0 and (target - best) * position.side <= 0.0)


def moved_layer(layer: Layer, side: int, stop: float, target: float) -> Layer:
    """The layer with its stop at a tighter own one, and its target at an own one."""
    if not stays(layer):
        return layer
    if stop > 0.0 and (stop - layer.stop) * side > 0.0:
        layer = layer._replace(stop=stop)
    return layer._replace(target=target) if target > 0.0 else layer


def moved(position: Position, rules: Rules, signal: Signal) -> Position:
    """The position after a close at which the strategy says levels for its side: each layer's stop follows a tighter one and
    never goes back, its target follows."""
    if not levelled(position, signal):
        return position
    side = position.side
    stop, target = own_level(rules, signal.stop, side), own_level(rules, signal.target, side)
    a, b, c, d, e = position.layers
    layers = (
        moved_layer(a, side, stop, target),
        moved_layer(b, side, stop, target),
        moved_layer(c, side, stop, target),
        moved_layer(d, side, stop, target),
        moved_layer(e, side, stop, target),
    )
    return position._replace(layers=layers)


def would_move(position: Position, rules: Rules, signal: Signal) -> bool:
    """True when `moved` changes an open layer."""
    if not levelled(position, signal):
        return False
    after = moved(position, rules, signal)
    for k in range(position.open_layers):
        if after.layers[k].stop != position.layers[k].stop or after.layers[k].target != position.layers[k].target:
            return True
    return False


def leaves(side: int, signal: Signal) -> bool:
    """True when the strategy wants a position of that side to be left."""
    return signal.leave & (LEAVE_LONG if side > 0 else LEAVE_SHORT) != 0


def turns(position: Position, signal: Signal) -> bool:
    """True when the strategy wants the other side in the position's place (DEFINITIONS D18: `reverse`)."""
    return signal.reverse != 0 and signal.side * position.side < 0 and not leaves(signal.side, signal)


def timed_out(position: Position, rules: Rules, close_ms: int) -> bool:
    """True when the position has seen as many closes as it was to be held for; the bar of its entry is the first."""
    return position.hold > 0 and close_ms - position.opened_ms >= (position.hold - 1) * rules.bar_ms


def decided(position: Position, rules: Rules, bar: Bar, signal: Signal) -> int:
    """Why this close leaves the position at the next open: BY_SIGNAL, BY_REVERSAL, BY_TIME, FADE, or NONE."""
    if leaves(position.side, signal) or passed(position, rules, bar.close, bar.close, signal):
        return BY_SIGNAL
    if turns(position, signal):
        return BY_REVERSAL
    if timed_out(position, rules, bar.close_ms):
        return BY_TIME
    return FADE if faded(position, rules, signal) else NONE


def stays(layer: Layer) -> bool:
    """True for an open layer of which no exit is decided."""
    return layer.lots > 0 and layer.exit_pending == NONE


def leaving(position: Position) -> bool:
    """True when nothing is open that has no exit decided."""
    a, b, c, d, e = position.layers
    return not (stays(a) or stays(b) or stays(c) or stays(d) or stays(e))


def leave(layer: Layer, reason: int) -> Layer:
    """The layer with an exit decided, if it is open and none was decided before."""
    return layer._replace(exit_pending=reason) if stays(layer) else layer


def leave_all(position: Position, reason: int) -> Position:
    """Every open layer leaves at the next open."""
    a, b, c, d, e = position.layers
    layers = (leave(a, reason), leave(b, reason), leave(c, reason), leave(d, reason), leave(e, reason))
    return position._replace(layers=layers)
