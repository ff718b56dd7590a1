"""How much of a desk's P&L fell into incident windows, and how much its strategies have made: the one place that parts the two.

Called by events.mark (so that every figure of a mark has it beside), windows.py (which opens and closes them) and the commands.
A sleeve belongs to one window at a time, the first one opened that covers it; what it makes from then until that window
ends, realised and marked, is the window's. What orphans make is nobody's strategy, window or not. Quote units.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.book.book import Book
from engine.core.ledger import valued

NO_INCIDENTS: Mapping[str, Any] = {"count": 0, "open": {}, "owned": {}, "booked": {}, "orphans": {}}


class Money(NamedTuple):
    """A sleeve's account at an instant, or its change between two. `equity` is `cash` and what is held, at the last close."""

    equity: float
    cash: float
    fees: float
    funding: float

    def since(self, base: Mapping[str, Any]) -> "Money":
        """The change since `base`, an earlier instant as `_asdict` has it."""
        return Money(*(value - float(base[name]) for name, value in self._asdict().items()))

    def plus(self, other: Mapping[str, Any]) -> "Money":
        """Two changes, one after the other."""
        return Money(*(value + float(other[name]) for name, value in self._asdict().items()))


NO_MONEY = Money(0.0, 0.0, 0.0, 0.0)


class Parted(NamedTuple):
    """A P&L, and its two parts: `incident + strategy == whole`, to rounding of the last bits."""

    whole: float
    incident: float
    strategy: float


def incidents_of(book: Book) -> dict[str, Any]:
    """What the book holds of windows: `count` so far; `open` by id; which sleeve is `owned` by which, since what money; `booked`
    P&L by sleeve; P&L of `orphans` that closed windows have taken, by instrument.
    """
    return dict(book.incidents or NO_INCIDENTS)


def money_of(book: Book, s: int) -> Money:
    """Sleeve s now, valued at its instrument's last close; before the first one a position counts at its cost."""
    sleeve, rules = book.sleeves[s], book.specs[s].rules
    ledger, close = sleeve.ledger, book.bars[rules.instrument].close
    equity = valued(sleeve, rules, close).equity if math.isfinite(close) and close > 0.0 else ledger.cash
    return Money(equity, ledger.cash, ledger.fees, ledger.funding)


def orphan_pnl(book: Book, instrument: str) -> float:
    """What executions that no order explains have made on an instrument: their cash, and what is held of them, at the close."""
    found = book.orphans.get(instrument)
    if found is None:
        return 0.0
    rules = next(spec.rules for spec in book.specs if spec.source["instrument"] == instrument)
    close = book.bars[rules.instrument].close
    held = found["lots"] * rules.lot_size * close if found["lots"] and math.isfinite(close) else 0.0
    return float(found["cash"]) + held


def in_windows(book: Book, s: int, equity: float) -> float | None:
    """Of sleeve s, with this equity now: its P&L so far that is of windows; None where none has ever covered it."""
    state, name = book.incidents, book.names[s]
    if not state or (name not in state["booked"] and name not in state["owned"]):
        return None
    owned = state["owned"].get(name)
    return float(state["booked"].get(name, 0.0)) + (equity - float(owned["equity"]) if owned else 0.0)


def window_money(book: Book, window: str) -> dict[str, float]:
    """An open window so far: {pnl, realised, fees, funding, orphans}. `pnl` counts what is marked, and the orphans."""
    state = incidents_of(book)
    found = state["open"][window]
    money = NO_MONEY.plus(found["money"])
    for name, base in state["owned"].items():
        if base["window"] == window:
            money = money_of(book, book.names.index(name)).since(base).plus(money._asdict())
    orphans = sum(orphan_pnl(book, i) - state["orphans"].get(i, 0.0) for i in orphans_of(state["open"], window))
    return as_pnl(money, orphans)


def orphans_of(opened: Mapping[str, Any], window: str) -> list[str]:
    """Instruments whose orphans are of this window: the first one opened that covers the instrument."""
    mine = opened[window]["instruments"]
    return [i for i in mine if next(id_ for id_, found in opened.items() if i in found["instruments"]) == window]


def as_pnl(money: Money, orphans: float) -> dict[str, float]:
    """The figures of a window as they are journaled and shown."""
    pnl = {"pnl": money.equity + orphans, "realised": money.cash + orphans, "fees": money.fees, "funding": money.funding}
    return pnl | {"orphans": orphans}


def parted_sleeve(book: Book, s: int) -> Parted:
    """A sleeve since its start."""
    equity = money_of(book, s).equity
    whole, incident = equity - float(book.specs[s].source["cash"]), in_windows(book, s, equity) or 0.0
    return Parted(whole, incident, whole - incident)


def parted(book: Book) -> Parted:
    """The desk since its start, orphans included: their cash is in the account and in no sleeve."""
    found = [parted_sleeve(book, s) for s in range(len(book.sleeves))]
    orphans = sum(orphan_pnl(book, name) for name in book.orphans)
    return Parted(*(sum(parts) for parts in zip(*found, (orphans, orphans, 0.0), strict=True)))
