"""Each rule that refuses an entry, made to refuse. Called by engine.drill.drill; one drill a code of core/state.py.

A rule fires through the loop under the desk's own limits where that can be. Where the desk's numbers keep it out of reach (three
sleeves, twenty positions allowed), it is tried on a copy with that one limit tightened; where an earlier rule or the sizing
always comes first, review() itself is asked. Either way it is then reported as out of reach, with how it was tried: never as
fired.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.core import guardrails
from engine.core.guardrails import Around
from engine.core.state import (
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
    RULES,
    Signal,
    Size,
)
from engine.core.windows import in_shut_hour, near_settlement
from engine.drill.breakers import enter_all, lose_a_day, lose_in_a_row
from engine.drill.copied import WEEK_MS, Copies, DeskCopy
from engine.drill.outcome import Outcome, fired, never, off, out_of_reach, seen

ROUNDS_MAX = 12  # closes at which sleeves that the rate of orders held back try again
TIGHT = 1e-6  # of equity: any entry is beyond it
Drill = Callable[[Copies], Outcome]


class Asked(NamedTuple):
    """The arguments of review() for an entry that it lets through, to be changed in one place."""

    sleeve: Any
    desk: Any
    rules: Any
    limits: Any
    close_ms: int
    close: float
    price: float
    signal: Signal
    size: Size
    stop_distance: float
    target_distance: float
    around: Around


def asked(copy: DeskCopy) -> Asked:
    """An ordinary entry of the first sleeve, as review() is given it."""
    name = copy.names[0]
    copy.seek_open(name)
    rules, sleeve, price = copy.rules(name), copy.sleeve(name), copy.price(name)
    close_ms, atr, signal = copy.at_ms + rules.bar_ms, copy.atr(name), copy.signal(name)
    lots = max(rules.least_lots, math.ceil(rules.least_notional / (price * rules.lot_size)), 1)
    size = Size(lots, 1.0, 0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    near = Around(0.0, 0, 0.0, 0.0, 0.0)
    desk, limits = copy.book.desk, copy.book.limits
    return Asked(sleeve, desk, rules, limits, close_ms, price, price, signal, size, atr, atr, near)


def ask(copies: Copies, code: int, why: str) -> Outcome:
    """A rule that nothing reaches through the loop, and why: review() is asked about an ordinary entry, and about one that
    differs in one thing."""
    with copies.new() as copy:
        usual = asked(copy)
    before, after = guardrails.review(*usual), guardrails.review(*CHANGES[code](usual))
    if before != R_NONE:
        return never(f"{why}; review() refuses an ordinary entry by {RULES[before]}")
    if after != code:
        return never(f"{why}; asked for it, review() says {RULES[after]}")
    return out_of_reach(f"{why}; review() refuses when asked")


# ---- what one signal or bar brings about ------------------------------------------------------------------------------------


def at_close(code: int, by: str, change: Callable[[DeskCopy, str], Signal]) -> Drill:
    """An entry whose signal is changed in one thing."""

    def drill(copies: Copies) -> Outcome:
        with copies.new() as copy:
            name = copy.names[0]
            copy.enter(name, change(copy, name))
            return seen(RULES[code], copy.refusals(), by, "it entered")

    return drill


def abnormal_volume(copies: Copies) -> Outcome:
    """A bar of far more volume than usual, and of far less where that is limited."""
    most, least = copies.parts.limits.volume_times_max, copies.parts.limits.volume_times_min
    for times in (1.01 * most, 0.5 * least) if least > 0.0 else (1.01 * most,):
        with copies.new() as copy:
            copy.enter(copy.names[0], copy.signal(copy.names[0], volume_times=times))
            if RULES[R_VOLUME] not in copy.refusals():
                return never(f"a volume of {times:g} times the usual")
    low = f", and of {0.5 * least:g}" if least > 0.0 else "; volume_times_min is off in desk.toml"
    return fired(f"a volume of {1.01 * most:g} times the usual{low}")


def window(copies: Copies) -> Outcome:
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
            name = next((n for n in copy.names if copy.rules(n).funding_ms > 0), copy.names[0])
            step = copy.rules(name).bar_ms
            closes = range(copy.at_ms + step, copy.at_ms + WEEK_MS, step)
            at = next((close for close in closes if within(copy, name, close) and (close - step) % copy.longest_ms == 0), 0)
            if not at:
                return out_of_reach(f"{text}: no close of {name} is in it")
            copy.jump(at - step)
            copy.bar(name, {name: copy.signal(name)})
            if RULES[R_WINDOW] not in copy.refusals(name):
                return never(f"a close in {text}")
    return fired("; ".join(f"a close in {text}" for text, _ in tried))


def with_volume(code: int, by: str, lots: Callable[[DeskCopy, str], float]) -> Drill:
    """An entry at a close whose bar traded little."""

    def drill(copies: Copies) -> Outcome:
        with copies.new() as copy:
            name = next((n for n in copy.names if lots(copy, n) >= 0.0), "")
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


def after_day_loss(copies: Copies) -> Outcome:
    """An entry at the close that tripped the daily loss breaker."""
    with copies.new() as copy:
        name, why = lose_a_day(copy)
        if why:
            return ask(copies, R_DAY_LOSS, why)
        return seen(RULES[R_DAY_LOSS], copy.refusals(name), f"an entry of {name} after its daily loss", "it entered")


def after_streak(copies: Copies) -> Outcome:
    """An entry at the close that ended a streak of losses."""
    with copies.new() as copy:
        name, why = lose_in_a_row(copy)
        return (
            never(why) if why else seen(RULES[R_PAUSE], copy.refusals(name), f"an entry of {name} after its streak", "it entered")
        )


def risk(copies: Copies) -> Outcome:
    """A fixed size whose stop is far, or one more layer than the risk of a position allows."""
    with copies.new() as copy:
        limit = copy.parts.limits.risk_frac_max
        fixed = next((n for n in copy.names if copy.rules(n).fixed_lots > 0), "")
        layered = next((n for n in copy.names if layers_within(copy, n) < copy.rules(n).layers_max), "")
        if fixed:
            far = 2.0 * limit * copy.sleeve(fixed).ledger.equity
            far /= copy.rules(fixed).fixed_lots * copy.rules(fixed).lot_size
            copy.enter(fixed, copy.signal(fixed, stop=copy.price(fixed) - copy.side(fixed) * far, size_frac=0.0))
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


def layers_within(copy: DeskCopy, name: str) -> int:
    """Layers at the risk of the first trades that surely pass risk_frac_max together; one more may, two more may not."""
    rules = copy.rules(name)
    return int(rules.risk_limit_frac / min(rules.risk_start_frac, rules.risk_max_frac)) + 1


# ---- caps of the whole desk -------------------------------------------------------------------------------------------------


def cap(code: int, field: str, tight: float, reached: Callable[[DeskCopy], float]) -> Drill:
    """Every sleeve enters at one close: under the desk's own limit, and if that is out of reach under a tighter one."""

    def drill(copies: Copies) -> Outcome:
        limit, most = getattr(copies.parts.limits, field), 0.0
        for by, size in entries_against(field, float(limit)):
            with copies.new() as copy:
                usual = {name: copy.room(name) for name in copy.names}
                enter_one_by_one(copy, {name: copy.large(name, size_frac=size(copy, name)) for name in copy.names})
                most = max(most, reached(copy))
                if RULES[code] in copy.refusals():
                    return fired(f"{by}, {field} {limit:g}")
        if most > limit * (1.0 + 1e-9):
            return never(f"entries at one close came to {most:.3g}, {field} is {limit:g}")
        why = f"the drill's entries come to {most:.3g} at most, {field} is {limit:g}"
        with copies.new(copies.parts.with_limits(**{"positions_max": 300, field: type(limit)(tight)})) as copy:
            if tight >= 1 and len(copy.names) < 2:
                return ask(copies, code, why)
            enter_all(copy, {name: copy.signal(name, size_frac=usual[name]) for name in copy.names})
            if RULES[code] not in copy.refusals():
                return never(f"{why}; lowered to {tight:g} on a copy it refused nothing")
        return out_of_reach(f"{why}; lowered to {tight:g} on a copy it refuses")

    return drill


def enter_one_by_one(copy: DeskCopy, signals: Mapping[str, Signal]) -> None:
    """Every sleeve enters at one close; those that the rate of orders held back, at the next ones."""
    for _ in range(min(len(signals), ROUNDS_MAX)):
        flat = {name: signal for name, signal in signals.items() if copy.sleeve(name).position.open_layers == 0}
        before = copy.refusals().count(RULES[R_ORDER_RATE])
        enter_all(copy, flat)
        if not flat or copy.refusals().count(RULES[R_ORDER_RATE]) == before:
            return


def entries_against(field: str, limit: float) -> list[tuple[str, Callable[[DeskCopy, str], float]]]:
    """Sizes (of a sleeve's equity; 0: as its caps let it) that a cap should refuse: as large as can be, within the other caps,
    and just beyond this one, by one sleeve or by all together."""
    found: list[tuple[str, Callable[[DeskCopy, str], float]]] = [
        ("all sleeves at once, as large as they may", lambda _c, _n: 0.0),
        ("all sleeves at once", lambda c, n: c.room(n)),
    ]
    if field.endswith("_frac_max"):
        found += [
            ("an entry just beyond it", lambda c, n: beyond(c, n, limit, 1)),
            ("entries that come to more than it", lambda c, n: beyond(c, n, limit, len(c.names))),
            ("entries as large as the other caps let them", lambda c, n: within_the_others(c, n, field)),
        ]
    return found


def within_the_others(copy: DeskCopy, name: str, field: str) -> float:
    """What a sleeve may enter, of its equity, when those before it have taken all that the caps other than `field` let them."""
    taken: dict[str, float] = {}
    caps = {"gross_frac_max": "", "correlated_frac_max": "", "instrument_frac_max": "instrument", "family_frac_max": "strategy"}
    for one in copy.names:
        free = [OFF]
        for cap_, by in caps.items():
            if cap_ != field:
                same = [n for n in taken if not by or copy.spec(n).source[by] == copy.spec(one).source[by]]
                free.append(float(getattr(copy.book.limits, cap_)) * copy.book.desk.equity - sum(taken[n] for n in same))
        rules, equity = copy.rules(one), copy.sleeve(one).ledger.equity
        taken[one] = max(0.98 * min(*free, min(rules.notional_frac_max, rules.leverage_max) * equity), 1e-9)
        if one == name:
            return taken[one] / equity
    return 0.0


def beyond(copy: DeskCopy, name: str, limit: float, parts: int) -> float:
    """A part of a notional a little above `limit` times the desk's equity, as a fraction of a sleeve's equity."""
    return 1.1 * limit * copy.book.desk.equity / (parts * copy.sleeve(name).ledger.equity)


def of_mark(key: str) -> Callable[[DeskCopy], float]:
    """The most of a figure that the marks of a copy name, as a fraction of its equity."""
    return lambda copy: max(float(e.body[key]) / max(float(e.body["equity"]), 1e-9) for e in copy.events("mark"))


def grouped(copy: DeskCopy, by: str) -> float:
    """The largest notional of the sleeves that share an instrument or a strategy, as a fraction of the desk's equity."""
    sums: dict[str, float] = {}
    for name in copy.names:
        key = str(copy.spec(name).source[by])
        sums[key] = sums.get(key, 0.0) + copy.sleeve(name).ledger.notional
    return max(sums.values()) / copy.book.desk.equity


def together(copy: DeskCopy) -> float:
    """The most entry orders of one minute."""
    minutes = [e.t_event_ms // MINUTE_MS for e in copy.events("decision") if e.body["action"] in ("enter", "add")]
    return float(max(map(minutes.count, minutes), default=0))


# ---- sides ------------------------------------------------------------------------------------------------------------------


def opposite(copies: Copies) -> Outcome:
    """Two sleeves of one instrument, one long and one that wants to be short."""
    with copies.new() as copy:
        pair = opposable(copy)
        if pair is None:
            return ask(copies, R_OPPOSITE, "no two sleeves of one instrument may take opposite sides")
        first, then = pair
        if why := copy.enter(first):
            return never(why)
        copy.enter(then, copy.signal(then, side=-copy.side(first)))
        return seen(RULES[R_OPPOSITE], copy.refusals(then), f"{then} against {first}", "it entered")


def opposable(copy: DeskCopy) -> tuple[str, str] | None:
    """Two sleeves of one instrument of which the second may take the other side."""
    for first in copy.names:
        for then in copy.names:
            a, b = copy.spec(first).source, copy.spec(then).source
            free = b["side"] == "both" or (a["side"] == "both" and b["side"] != a["side"] and copy.side(first) != copy.side(then))
            if first != then and a["instrument"] == b["instrument"] and free and copy.rules(then).shorts:
                return first, then
    return None


def short(copies: Copies) -> Outcome:
    """A short signal on spot."""
    with copies.new() as copy:
        name = next((n for n in copy.names if copy.rules(n).shorts == 0), "")
        if not name:
            return ask(copies, R_SHORT, "no sleeve trades spot")
        copy.enter(name, copy.signal(name, side=-1))
        return seen(RULES[R_SHORT], copy.refusals(name), f"a short signal of {name}", "it entered")


CHANGES: dict[int, Callable[[Asked], Asked]] = {
    R_HALT: lambda a: a._replace(desk=a.desk._replace(halted=1)),
    R_DRAWDOWN: lambda a: a._replace(desk=a.desk._replace(tripped=DESK_DRAWDOWN)),
    R_DAY_LOSS: lambda a: a._replace(sleeve=a.sleeve._replace(guard=a.sleeve.guard._replace(block_until_ms=a.close_ms + 1))),
    R_LAYERS: lambda a: a._replace(rules=a.rules._replace(layers_max=0)),
    R_OPPOSITE: lambda a: a._replace(around=a.around._replace(side=-a.signal.side)),
    R_SHORT: lambda a: a._replace(rules=a.rules._replace(shorts=0), signal=a.signal._replace(side=-1)),
    R_LEAST: lambda a: a._replace(rules=a.rules._replace(least_lots=a.size.lots + 1)),
    R_RISK: lambda a: a._replace(size=a.size._replace(risk_frac=1.01 * a.rules.risk_limit_frac)),
    R_LIQUIDATION: lambda a: a._replace(rules=a.rules._replace(maintenance_frac=1.0)),
    R_LEVERAGE: lambda a: a._replace(rules=a.rules._replace(leverage_max=1e-12)),
    R_POSITIONS: lambda a: a._replace(desk=a.desk._replace(positions=a.limits.positions_max)),
    R_ORDER_RATE: lambda a: a._replace(
        desk=a.desk._replace(minute=a.close_ms // MINUTE_MS, minute_orders=a.limits.orders_minute_max)
    ),
    R_EQUITY: lambda a: a._replace(sleeve=a.sleeve._replace(ledger=a.sleeve.ledger._replace(equity=0.0))),
}


def second_line(code: int, why: str) -> Drill:
    """A rule behind another one that always comes first."""
    return lambda copies: ask(copies, code, why)


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
