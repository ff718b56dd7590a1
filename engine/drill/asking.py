"""review() asked directly, for rules that nothing reaches through the loop. Called by refusals.py and caps.py of this folder.

An ordinary entry has to pass, and the same entry with one thing changed has to be refused by the rule.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.core import guardrails
from engine.core.guardrails import Around
from engine.core.state import (
    DESK_DRAWDOWN,
    MINUTE_MS,
    R_DAY_LOSS,
    R_DRAWDOWN,
    R_EQUITY,
    R_HALT,
    R_LAYERS,
    R_LEAST,
    R_LEVERAGE,
    R_LIQUIDATION,
    R_NONE,
    R_OPPOSITE,
    R_ORDER_RATE,
    R_POSITIONS,
    R_RISK,
    R_SHORT,
    R_SIGNAL,
    RULES,
    Signal,
    Size,
)
from engine.drill.copied import Copies, DeskCopy
from engine.drill.outcome import DrillOutcome, never, out_of_reach

Drill = Callable[[Copies], DrillOutcome]


class EntryUnderReview(NamedTuple):
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


def ordinary_entry(copy: DeskCopy) -> EntryUnderReview:
    """An ordinary entry of the first sleeve, as review() is given it."""
    name = copy.lead
    copy.seek_open(name)
    rules, sleeve, price = copy.rules(name), copy.sleeve(name), copy.price(name)
    close_ms, atr, signal = copy.at_ms + rules.bar_ms, copy.atr(name), copy.signal(name)
    lots = max(rules.least_lots, math.ceil(rules.least_notional / (price * rules.lot_size)), 1)
    size = Size(lots, 1.0, 0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    near = Around(0.0, 0, 0.0, 0.0, 0.0)
    desk, limits = copy.book.desk, copy.book.limits
    return EntryUnderReview(sleeve, desk, rules, limits, close_ms, price, price, signal, size, atr, atr, near)


def ask(copies: Copies, code: int, why: str) -> DrillOutcome:
    """A rule that nothing reaches through the loop, and why: review() is asked about an ordinary entry, and about one that
    differs in one thing."""
    with copies.small() as copy:
        usual = ordinary_entry(copy)
    before, after = guardrails.review(*usual), guardrails.review(*CHANGES[code](usual))
    if before != R_NONE:
        return never(f"{why}; review() refuses an ordinary entry by {RULES[before]}")
    if after != code:
        return never(f"{why}; asked for it, review() says {RULES[after]}")
    return out_of_reach(f"{why}; review() refuses when asked")


def second_line(code: int, why: str) -> Drill:
    """A rule behind another one that always comes first."""
    return lambda copies: ask(copies, code, why)


CHANGES: dict[int, Callable[[EntryUnderReview], EntryUnderReview]] = {
    R_HALT: lambda a: a._replace(desk=a.desk._replace(halted=1)),
    R_DRAWDOWN: lambda a: a._replace(desk=a.desk._replace(tripped=DESK_DRAWDOWN)),
    R_DAY_LOSS: lambda a: a._replace(sleeve=a.sleeve._replace(guard=a.sleeve.guard._replace(block_until_ms=a.close_ms + 1))),
    R_SIGNAL: lambda a: a._replace(signal=a.signal._replace(strength=0.0)),
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
