"""Each exit path of a sleeve, made to fire: a position is entered, and the next bars or signals are those that should end it.

Called by engine.drill.drill, a fresh copy for each. Distances come from the sleeve's rules by plain arithmetic, never from the
code that is drilled: a path counts as off or out of reach only by what the configuration says.
"""

from collections.abc import Callable

from engine.control import halt
from engine.core.state import EXIT_REASONS, LEAVE_LONG, LEAVE_SHORT
from engine.drill.copied import WALL_MS, DeskCopy
from engine.drill.outcome import DrillOutcome, fired, never, no_entry, off, out_of_reach, seen

NO_PATHS = {"none": "no exit", "adopted": "a person's word on a difference, no guard"}  # of EXIT_REASONS: never drilled
NO_PATHS |= dict.fromkeys(("pair", "delisted"), "of a basket: baskets.py drills them")


def stop(copy: DeskCopy, name: str) -> DrillOutcome:
    """The price trades through the first stop."""
    if trails_at_once(copy, name):
        return out_of_reach("the trail arms at the entry and is nearer than the stop")
    if why := copy.enter(name):
        return no_entry(why)
    by = f"a bar through the stop, {in_atr(copy, name, distance(copy, name, 'stop'))} from the entry"
    level, side = copy.sleeve(name).position.layers[0].stop, copy.side(name)
    beyond = level - side * tick(copy, name)
    copy.bar(name, {}, copy.move(name, **{"low" if side > 0 else "high": beyond, "close": beyond}))
    return seen("stop", copy.exits(name), by)


def trail(copy: DeskCopy, name: str) -> DrillOutcome:
    """The price runs far enough to arm the trail, then comes back through it."""
    if not distance(copy, name, "trail") > 0.0:
        return off("trail_atr and trail_frac are 0")
    price, far = copy.price(name), distance(copy, name, "target")
    run = abs(turning_point(copy, name, price) - price)
    if 0.0 < far <= run:
        return out_of_reach(f"the target ({in_atr(copy, name, far)}) comes before the trail is tighter than the stop")
    if not turning_point(copy, name, price) > 0.0:
        return out_of_reach("a short's trail is tighter than its stop only below a price of 0")
    if why := copy.enter(name):
        return no_entry(why)
    rules, side, atr, entry = copy.rules(name), copy.side(name), copy.atr(name), copy.sleeve(name).position.layers[0].entry
    peak = turning_point(copy, name, entry)
    width = rules.trail_frac * peak + rules.trail_atr * atr
    by = f"a run of {in_atr(copy, name, run)} and back by {in_atr(copy, name, width)}"
    copy.bar(name, {}, copy.move(name, **{"high" if side > 0 else "low": peak, "close": peak}))
    back = peak - side * (width + 0.1 * atr)
    copy.bar(name, {}, copy.move(name, **{"low" if side > 0 else "high": back, "close": back}))
    return seen("trail", copy.exits(name), by, "still open")


def turning_point(copy: DeskCopy, name: str, entry: float) -> float:
    """The price at which the trail of an entry is armed and tighter than the stop, and a quarter of an ATR beyond."""
    rules, side, atr = copy.rules(name), copy.side(name), copy.atr(name)
    stop = entry - side * (rules.stop_frac * entry + rules.stop_atr * atr)
    armed = entry + side * (rules.arm_frac * entry + rules.arm_atr * atr)
    tighter = (stop + side * rules.trail_atr * atr) / (1.0 - side * rules.trail_frac)
    return (max(armed, tighter, entry) if side > 0 else min(armed, tighter, entry)) + side * 0.25 * atr


def target(copy: DeskCopy, name: str) -> DrillOutcome:
    """The price trades through the target."""
    far = distance(copy, name, "target")
    if not far > 0.0:
        return off("target_atr and target_frac are 0")
    side = copy.side(name)
    if side < 0 and far >= copy.price(name):
        return out_of_reach("a short's target below a price of 0")
    if why := copy.enter(name):
        return no_entry(why)
    by = f"a bar {in_atr(copy, name, far)} in profit"
    entry = copy.sleeve(name).position.layers[0].entry
    beyond = entry + side * far * entry / copy.price(name) + side * 3.0 * tick(copy, name)
    copy.bar(name, {}, copy.move(name, **{"high" if side > 0 else "low": beyond, "close": beyond}))
    return seen("target", copy.exits(name), by, "still open")


def fade(copy: DeskCopy, name: str) -> DrillOutcome:
    """The signal weakens below `fade_below`."""
    least = copy.rules(name).fade_below
    if not least > 0.0:
        return off("fade_below is 0")
    if why := copy.enter(name):
        return no_entry(why)
    copy.bar(name, {name: copy.signal(name, strength=0.5 * least)})
    copy.bar(name)
    return seen("fade", copy.exits(name), f"a strength of {0.5 * least:g} under fade_below {least:g}", "still open")


def by_signal(copy: DeskCopy, name: str) -> DrillOutcome:
    """The strategy asks to leave."""
    if why := copy.enter(name):
        return no_entry(why)
    wish = LEAVE_LONG if copy.side(name) > 0 else LEAVE_SHORT
    copy.bar(name, {name: copy.quiet(name)._replace(leave=wish)})
    copy.bar(name)
    return seen("signal", copy.exits(name), "an exit signal", "still open")


def by_time(copy: DeskCopy, name: str) -> DrillOutcome:
    """The position has been held for as long as its entry said."""
    if why := copy.enter(name, copy.signal(name, hold=2)):
        return no_entry(why)
    for _ in range(3):
        copy.bar(name)
    return seen("time", copy.exits(name), "an entry to be held for 2 bars", "still open")


def by_reversal(copy: DeskCopy, name: str) -> DrillOutcome:
    """The strategy asks for the other side in the position's place."""
    if why := copy.enter(name):
        return no_entry(why)
    copy.bar(name, {name: copy.signal(name, side=-copy.side(name), reverse=1)})
    copy.bar(name)
    return seen("reversal", copy.exits(name), "a signal that reverses", "still open")


def liquidation(copy: DeskCopy, name: str) -> DrillOutcome:
    """A settlement takes the margin, so that the liquidation level comes before the stop; then the price falls through both."""
    rules, side = copy.rules(name), copy.side(name)
    if rules.funding_ms == 0:
        return out_of_reach("spot: bought with cash, nothing is borrowed")
    if why := copy.enter(name):
        return no_entry(why)
    sleeve, price = copy.sleeve(name), copy.price(name)
    layer = sleeve.position.layers[0]
    units, far = layer.lots * rules.lot_size, abs(layer.entry - layer.stop)
    near = 0.3 * (distance(copy, name, "trail") if trails_at_once(copy, name) else far)
    left = units * (rules.maintenance_frac * price + near)  # the level is then a third of the way to the protective order
    mark = (sleeve.ledger.cash - left) / units
    beyond = layer.stop - side * tick(copy, name)
    paid = {"rate": float(side), "mark": mark}
    copy.bar(name, {}, copy.move(name, **{"low" if side > 0 else "high": beyond, "close": beyond}, **paid))
    return seen("liquidation", copy.exits(name), "a settlement that took the margin, and a bar through the level", "still open")


def halted(copy: DeskCopy, name: str) -> DrillOutcome:
    """A person halts: the position leaves at the next open."""
    if why := copy.enter(name):
        return no_entry(why)
    halt.set(copy.home, "a drill", {"name": "drill"}, WALL_MS, copy.engine)
    copy.bar(name)
    found = copy.exits(name)
    if "halt" in found and copy.sleeve(name).position.open_layers == 0:
        return fired("flattened at the open after a halt")
    return never(f"after a halt: {', '.join(found) or 'still open'}")


PATHS: dict[str, Callable[[DeskCopy, str], DrillOutcome]] = {
    "stop": stop,
    "target": target,
    "trail": trail,
    "fade": fade,
    "halt": halted,
    "liquidation": liquidation,
    "signal": by_signal,
    "time": by_time,
    "reversal": by_reversal,
}
DRILLED = [reason for reason in EXIT_REASONS if reason not in NO_PATHS]


def distance(copy: DeskCopy, name: str, of: str) -> float:
    """A distance of the rules in quote units: stop, target, arm or trail."""
    rules = copy.rules(name)
    return float(getattr(rules, f"{of}_atr")) * copy.atr(name) + float(getattr(rules, f"{of}_frac")) * copy.price(name)


def trails_at_once(copy: DeskCopy, name: str) -> bool:
    """Whether the trail is the protective order from the entry on."""
    return 0.0 < distance(copy, name, "trail") < distance(copy, name, "stop") and not distance(copy, name, "arm") > 0.0


def in_atr(copy: DeskCopy, name: str, far: float) -> str:
    """A distance as people set it."""
    return f"{far / copy.atr(name):.3g} ATR"


def tick(copy: DeskCopy, name: str) -> float:
    """Enough to trade through a level."""
    return max(2.0 * copy.rules(name).tick, 1e-6 * copy.price(name))
