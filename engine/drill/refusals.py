"""Each rule that refuses an entry, made to refuse. Called by engine.drill.drill; one drill a code of core/state.py.

A rule fires through the loop under the desk's own limits where that can be. Where the desk's numbers keep it out of reach (three
sleeves, twenty positions allowed), it is tried on a copy with that one limit tightened; where an earlier rule or the sizing
always comes first, review() itself is asked. Either way it is then reported as out of reach, with how it was tried: never as
fired.
"""

import math
from collections.abc import Callable

from engine.core.state import (
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
    RULES,
    Signal,
)
from engine.core.windows import in_shut_hour, near_settlement
from engine.drill.asking import Drill, ask, second_line
from engine.drill.breakers import lose_a_day, lose_in_a_row
from engine.drill.caps import TIGHT, cap, grouped, of_mark, together
from engine.drill.copied import WEEK_MS, Copies, DeskCopy
from engine.drill.halts import people
from engine.drill.outcome import DrillOutcome, fired, never, no_entry, off, out_of_reach, seen

# ---- what one signal or bar brings about ------------------------------------------------------------------------------------


def at_close(code: int, by: str, change: Callable[[DeskCopy, str], Signal]) -> Drill:
    """An entry whose signal is changed in one thing."""

    def drill(copies: Copies) -> DrillOutcome:
        with copies.small() as copy:
            name = copy.lead
            copy.enter(name, change(copy, name))
            return seen(RULES[code], copy.refusals(), by, "it entered")

    return drill


def abnormal_volume(copies: Copies) -> DrillOutcome:
    """A bar of far more volume than usual, and of far less where that is limited."""
    most, least = copies.parts.limits.volume_times_max, copies.parts.limits.volume_times_min
    for times in (1.01 * most, 0.5 * least) if least > 0.0 else (1.01 * most,):
        with copies.small() as copy:
            copy.enter(copy.lead, copy.signal(copy.lead, volume_times=times))
            if RULES[R_VOLUME] not in copy.refusals():
                return never(f"a volume of {times:g} times the usual")
    low = f", and of {0.5 * least:g}" if least > 0.0 else "; volume_times_min is off in desk.toml"
    return fired(f"a volume of {1.01 * most:g} times the usual{low}")


def window(copies: Copies) -> DrillOutcome:
    """A close in a window of `no_entry`, and one near a settlement."""
    limits = copies.parts.limits
    tried: list[tuple[str, Callable[[DeskCopy, str, int], bool]]] = []
    if limits.no_entry:
        tried.append((f"no_entry {', '.join(limits.no_entry)}", lambda c, _n, at: in_shut_hour(c.book.limits, at)))
    if limits.no_entry_funding_minutes > 0:
        near = f"no_entry_funding_minutes {limits.no_entry_funding_minutes}"
        tried.append((near, lambda c, n, at: near_settlement(c.rules(n), c.book.limits, at)))
    if not tried:
        return off("off in desk.toml: no_entry is empty, no_entry_funding_minutes is 0")
    for text, within in tried:
        with copies.new() as copy:
            name = next((n for n in copy.names if copy.rules(n).funding_ms > 0), copy.lead)
            step = copy.rules(name).bar_ms
            closes = range(copy.at_ms + step, copy.at_ms + WEEK_MS, step)
            at = next((close for close in closes if within(copy, name, close)), 0)
            if not at:
                return out_of_reach(f"{text}: no close of {name} is in it")
            copy.jump(at - step, step)
            copy.bar(name, {name: copy.signal(name)})
            if RULES[R_WINDOW] not in copy.refusals(name):
                return never(f"a close in {text}")
    return fired("; ".join(f"a close in {text}" for text, _ in tried))


def with_volume(code: int, by: str, lots: Callable[[DeskCopy, str], float]) -> Drill:
    """An entry at a close whose bar traded little."""

    def drill(copies: Copies) -> DrillOutcome:
        with copies.new() as copy:
            name = next((n for n in copy.able if lots(copy, n) >= 0.0), "")
            if not name:
                return ask(copies, code, "no sleeve's venue has a least order above one lot")
            rules = copy.rules(name)
            copy.seek_open(name)
            volume = lots(copy, name) * rules.lot_size / rules.participation_max
            copy.bar(name, {name: copy.signal(name)}, copy.move(name, volume=volume))
            return seen(RULES[code], copy.refusals(), f"{by} ({name})", "it entered")

    return drill


def below_least(copy: DeskCopy, name: str) -> float:
    """Lots just below the venue's least order; -1 where one lot is enough."""
    rules = copy.rules(name)
    least = max(rules.least_lots, math.ceil(rules.least_notional / (copy.price(name) * rules.lot_size)))
    return least - 0.5 if least > 1 else -1.0


# ---- breakers and pauses ----------------------------------------------------------------------------------------------------


def after_day_loss(copies: Copies) -> DrillOutcome:
    """An entry at the close that tripped the daily loss breaker."""
    with copies.new() as copy:
        name, why = lose_a_day(copy)
        if why:
            return ask(copies, R_DAY_LOSS, why)
        return seen(RULES[R_DAY_LOSS], copy.refusals(name), f"an entry of {name} after its daily loss", "it entered")


def after_streak(copies: Copies) -> DrillOutcome:
    """An entry at the close that ended a streak of losses; where another breaker comes first, one of a paused sleeve."""
    with copies.small() as copy:
        name, why = lose_in_a_row(copy)
        if not why and RULES[R_PAUSE] in copy.refusals(name):
            return fired(f"an entry of {name} after its streak")
        if why or RULES[R_DAY_LOSS] in copy.refusals(name):
            return people(copies)
        return never(f"an entry of {name} after its streak: {', '.join(copy.refusals(name)) or 'it entered'}")


def risk(copies: Copies) -> DrillOutcome:
    """A fixed size whose stop is far, or one more layer than the risk of a position allows."""
    with copies.new() as copy:
        limit = copy.parts.limits.risk_frac_max
        fixed = next((n for n in copy.able if copy.rules(n).fixed_lots > 0 and far_stop(copy, n) < 0.8 * copy.price(n)), "")
        layered = next((n for n in copy.able if layers_within(copy, n) < copy.rules(n).layers_max), "")
        if fixed:
            stop = copy.price(fixed) - copy.side(fixed) * far_stop(copy, fixed)
            copy.enter(fixed, copy.signal(fixed, stop=stop, size_frac=0.0))
            return seen(RULES[R_RISK], copy.refusals(fixed), f"a fixed size of {fixed} with a far stop", "it entered")
        if layered and not copy.enter(layered):
            for _ in range(layers_within(copy, layered) + 1):
                up = copy.price(layered) + 1.1 * copy.side(layered) * copy.rules(layered).add_atr * copy.atr(layered)
                copy.bar(layered, {layered: copy.signal(layered)}, copy.move(layered, close=up))
                copy.bar(layered)
            return seen(
                RULES[R_RISK], copy.refusals(layered), f"layers of {layered} beyond risk_frac_max {limit:g}", "none was refused"
            )
        return ask(copies, R_RISK, "the sizing of every sleeve keeps below risk_frac_max")


def far_stop(copy: DeskCopy, name: str) -> float:
    """Distance of a stop (quote units) at which a sleeve's fixed size, within its caps, risks twice what it may."""
    rules, equity, price = copy.rules(name), copy.sleeve(name).ledger.equity, copy.price(name)
    most = min(rules.notional_frac_max, rules.leverage_max) * equity / price
    return 2.0 * rules.risk_limit_frac * equity / min(rules.fixed_lots * rules.lot_size, most)


def layers_within(copy: DeskCopy, name: str) -> int:
    """Layers at the risk of the first trades that surely pass risk_frac_max together; one more may, two more may not."""
    rules = copy.rules(name)
    return int(rules.risk_limit_frac / min(rules.risk_start_frac, rules.risk_max_frac)) + 1


# ---- sides ------------------------------------------------------------------------------------------------------------------


def opposite(copies: Copies) -> DrillOutcome:
    """Two sleeves of one instrument, one long and one that wants to be short."""
    with copies.new() as copy:
        pair = opposable(copy)
        if pair is None:
            return ask(copies, R_OPPOSITE, "no two sleeves of one instrument that can enter may take opposite sides")
        first, then = pair
        if why := copy.enter(first):
            return no_entry(why)
        copy.enter(then, copy.signal(then, side=-copy.side(first)))
        return seen(RULES[R_OPPOSITE], copy.refusals(then), f"{then} against {first}", "it entered")


def opposable(copy: DeskCopy) -> tuple[str, str] | None:
    """Two sleeves of one instrument of which the second may take the other side."""
    for first in copy.able:
        for then in copy.able:
            a, b = copy.spec(first).source, copy.spec(then).source
            free = b["side"] == "both" or (a["side"] == "both" and b["side"] != a["side"] and copy.side(first) != copy.side(then))
            if first != then and a["instrument"] == b["instrument"] and free and copy.rules(then).shorts:
                return first, then
    return None


def short(copies: Copies) -> DrillOutcome:
    """A short signal on spot."""
    with copies.new() as copy:
        name = next((n for n in copy.able if copy.rules(n).shorts == 0), "")
        if not name:
            return ask(copies, R_SHORT, "no sleeve that can enter trades spot")
        copy.enter(name, copy.signal(name, side=-1))
        return seen(RULES[R_SHORT], copy.refusals(name), f"a short signal of {name}", "it entered")


DRILLS: dict[int, Drill] = {
    R_HALT: second_line(R_HALT, "a halted desk never gets as far as an entry"),
    R_DRAWDOWN: second_line(R_DRAWDOWN, "the breaker halts the desk, which never gets as far as an entry"),
    R_DAY_LOSS: after_day_loss,
    R_PAUSE: after_streak,
    R_WINDOW: window,
    R_SIGNAL: at_close(R_SIGNAL, "a side without strength", lambda c, n: c.signal(n, strength=0.0)),
    R_SPREAD: at_close(
        R_SPREAD, "a spread wider than spread_frac_max", lambda c, n: c.signal(n, slip_frac=0.6 * c.book.limits.spread_frac_max)
    ),
    R_VOLUME: abnormal_volume,
    R_RANGE: at_close(
        R_RANGE,
        "a bar of more than range_times_max times the usual range",
        lambda c, n: c.signal(n, range_times=1.01 * c.book.limits.range_times_max),
    ),
    R_UNKNOWN: at_close(R_UNKNOWN, "a spread that is not known", lambda c, n: c.signal(n, slip_frac=math.nan)),
    R_LAYERS: second_line(R_LAYERS, "no signal asks for a layer beyond layers_max"),
    R_OPPOSITE: opposite,
    R_SHORT: short,
    R_SIZE: with_volume(R_SIZE, "a bar without volume", lambda _c, _n: 0.0),
    R_LEAST: with_volume(R_LEAST, "a bar with volume for less than the venue's least order", below_least),
    R_RISK: risk,
    R_LIQUIDATION: second_line(R_LIQUIDATION, "a size by risk at the stop keeps liquidation far"),
    R_LEVERAGE: second_line(R_LEVERAGE, "the sizing cuts to leverage_max"),
    R_GROSS: cap(R_GROSS, "gross_frac_max", TIGHT, of_mark("gross")),
    R_INSTRUMENT: cap(R_INSTRUMENT, "instrument_frac_max", TIGHT, lambda c: grouped(c, "instrument")),
    R_FAMILY: cap(R_FAMILY, "family_frac_max", TIGHT, lambda c: grouped(c, "strategy")),
    R_CORRELATED: cap(R_CORRELATED, "correlated_frac_max", TIGHT, of_mark("correlated")),
    R_POSITIONS: cap(R_POSITIONS, "positions_max", 1, lambda c: max(float(e.body["positions"]) for e in c.events("mark"))),
    R_ORDER_RATE: cap(R_ORDER_RATE, "orders_minute_max", 1, together),
    R_EQUITY: second_line(R_EQUITY, "a sleeve below zero trips its daily loss breaker at every close"),
}
