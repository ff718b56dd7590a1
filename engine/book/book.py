"""The desk as it stands: the state that a journal folds to. Everything in it is a value.

Read by engine.book.transitions (which moves it), events, replay and the live loop; snapshot.py writes it down and back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from engine.amounts import quantity_text
from engine.book.basket_book import BasketBook
from engine.book.bodies import GONE, OFF, REFUSALS, SIMULATED, pause_holds, stage_rests
from engine.core.guardrails import exposure
from engine.core.ledger import on_mark
from engine.core.orders import NO_ORDERS, OrderBook
from engine.core.state import Bar, Desk, Limits, Rules, Sleeve


class Spec(NamedTuple):
    """What governs one sleeve: a sleeve of a `config` event."""

    version: int  # the sleeve's own
    rules: Rules
    source: Mapping[str, Any]  # the sleeve as the config event holds it

    def enters_nothing(self, close_ms: int, mode: str = "paper") -> bool:
        """Whether it makes no entry at a close on a desk of this mode: people's pause holds, or its stage rests."""
        return paused_at(self.source, close_ms) or stage_rests(stage_of(self.source), mode)


@dataclass
class Book:
    """Everything the worker must know to go on; snapshot.py writes it down and reads it back, bit for bit."""

    start: dict[str, Any]  # of the first config event: instruments, timeframe_ms, anchor_ms, first_ms, ...
    version: int
    config: dict[str, Any]  # limits and sleeves of the last config event
    limits: Limits
    specs: list[Spec]
    waiting: list[Spec | None]  # of a newer version, until the sleeve is flat
    sleeves: list[Sleeve]
    desk: Desk
    recent_r: list[float]
    bars: list[Bar]  # the last one of each column
    features: dict[str, str] = field(default_factory=dict)  # hash of the last feature row of each sleeve
    close_ms: int = 0  # desk time; before the first bar its open
    count: int = 0  # bars so far
    ambiguous: int = 0  # ambiguous bars so far
    tripped_ms: int = 0  # desk time of the drawdown breaker, while it stands
    halt: dict[str, Any] = field(default_factory=dict)  # reason and by, while halted
    high_water: float = 0.0  # the highest equity up to the last release; 0: none was made
    orders: OrderBook = NO_ORDERS  # the desk's own at its venue
    health: dict[str, str] = field(default_factory=dict)  # what is not well -> why; no entries meanwhile
    differences: dict[str, str] = field(default_factory=dict)  # what the venue has and the book has not; until a person decides
    correlations: list[float] = field(default_factory=list)  # of the day, column by column, flat; NaN where not known
    usual: dict[str, list[float | None]] = field(default_factory=dict)  # sleeve -> range and volume of its last bar against usual
    adopted: dict[str, int] = field(default_factory=dict)  # differences that people have adopted -> filled lots as reported then
    cursors: dict[str, str] = field(default_factory=dict)  # instrument -> how far its venue's executions are read
    attaches: dict[str, str] = field(default_factory=dict)  # instrument -> how its entries bring a stop along (book/attached.py)
    orphans: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # instrument -> executions that no order of ours explains
    incidents: dict[str, Any] = field(default_factory=dict)  # windows and what is of them: incident_money.py
    transfers: dict[str, Any] = field(default_factory=dict)  # cash in and out of the account, and its bills: transfers.py
    basket: BasketBook | None = None  # of a desk whose sleeves are the legs of one

    @cached_property
    def names(self) -> list[str]:
        """The sleeves in the order in which they decide; they are fixed for the life of a home."""
        return [spec.source["name"] for spec in self.specs]

    @cached_property
    def ids_from(self) -> int:
        """What the numbers in its orders' ids begin behind: of a home's own at an account, which may have had one before it."""
        return int(self.start.get("ids_from", 0))

    @cached_property
    def instruments(self) -> list[str]:
        """Their instruments, as the clock's bars come."""
        return list(self.start["instruments"])

    @cached_property
    def columns(self) -> list[str]:
        """The bars of a close: the clock's of each instrument, then own ones of sleeves on longer timeframes (`...@4h`)."""
        return [*self.instruments, *self.start["own_bars"]]

    def column(self, s: int) -> str:
        """The bars that sleeve s trades on."""
        return self.columns[self.specs[s].rules.bars]

    def marked(self, s: int) -> Sleeve:
        """Sleeve s at the last close: one on a longer timeframe counts there at the clock's price, as in core/desk.py."""
        rules, sleeve = self.specs[s].rules, self.sleeves[s]
        clock, own = self.bars[rules.instrument], self.bars[rules.bars]
        if own.close_ms == self.close_ms or clock.close_ms != self.close_ms or self.count == 0:
            return sleeve
        return on_mark(sleeve, rules, clock.close)

    @property
    def exposure(self) -> float:
        """What is open, at the last closes, and ordered; quote units. At a close the core counts the same as the desk's gross."""
        total = 0.0
        for sleeve, spec in zip(self.sleeves, self.specs, strict=True):
            ordered = (
                sleeve.order.notional + sleeve.in_doubt
            )  # of a flat sleeve the ledger still has the notional of its last close
            price = self.bars[spec.rules.bars].close
            total += exposure(on_mark(sleeve, spec.rules, price)) if sleeve.position.open_layers else ordered
        return total

    @property
    def highest(self) -> float:
        """The highest equity ever; `desk.peak`, the breaker's reference, begins anew with each release."""
        return max(self.high_water, self.desk.peak)

    @property
    def entries_blocked(self) -> bool:
        """Whether no sleeve may enter: something is not well, or differs from the venue, or is held by no sleeve. What is of an
        instrument that is off keeps back that instrument's sleeves alone.
        """
        off = self.off
        held = (name for name, found in self.orphans.items() if found["lots"])
        return any(not is_about(off, what, self) for what in (*self.health, *self.differences, *held))

    @property
    def off(self) -> dict[str, str]:
        """Instruments that the venue does not trade now -> why."""
        return {what.removeprefix(OFF): why for what, why in self.health.items() if what.startswith(OFF)}

    def is_off(self, s: int) -> bool:
        """Whether sleeve s enters nothing because its instrument is not traded."""
        return bool(self.health) and f"{OFF}{self.specs[s].source['instrument']}" in self.health

    def is_gone(self, instrument: str) -> bool:
        """Whether the venue does not know an instrument any more: nothing that it says of it can be waited for."""
        return self.health.get(f"{OFF}{instrument}", "").startswith(GONE)

    def waits_for(self, instrument: str) -> list[str]:
        """What of an instrument is open here beside that it is not traded: nothing enters there before that is over."""
        held = [name for name, found in self.orphans.items() if found["lots"]]
        found = (*self.health, *self.differences, *held)
        return [what for what in found if not what.startswith(OFF) and is_about((instrument,), what, self)]

    @property
    def state(self) -> str:
        """running, flattening (halted, positions or orders still there) or halted."""
        if self.desk.halted == 0:
            return "running"
        resting = all(flat(sleeve) for sleeve in self.sleeves) and (self.basket is None or self.basket.at_rest)
        return "halted" if resting else "flattening"

    def latest(self, s: int) -> Spec:
        """The newest version's say about sleeve s, in force or waiting."""
        return self.waiting[s] or self.specs[s]

    def stage_reached(self, s: int) -> str:
        """How far sleeve s has come to the stage that people want: there, or on its way out of trading winding_down (it holds a
        position or wants an order), then settling (the venue has not said what became of its orders; at an account, nor agreed
        twice with the book since).
        """
        wanted, sleeve = stage_of(self.latest(s).source), self.sleeves[s]
        if not stage_rests(wanted, self.mode):
            return wanted
        if sleeve.position.open_layers > 0 or sleeve.order.side != 0 or not (self.basket is None or self.basket.at_rest):
            return "winding_down"
        return wanted if self.is_idle(s) and (self.simulated or self.is_settled(s)) else "settling"

    @property
    def mode(self) -> str:
        """paper, shadow, testnet or live, for the life of a home."""
        return str(self.start.get("mode", "paper"))

    @property
    def simulated(self) -> bool:
        """Whether its fills are simulated and nothing leaves it: on paper, and in shadow of an account."""
        return self.mode in SIMULATED

    def is_idle(self, s: int) -> bool:
        """No position, and no order that the venue may still say something of."""
        return flat(self.sleeves[s]) and all(order.sleeve != s for order in self.orders.open.values())

    def is_settled(self, s: int) -> bool:
        """Whether venue and book were found equal since the sleeve's last order (`settled_at`, by engine.live.reconcile)."""
        return self.cursors.get(settled_at(self.names[s])) == str(self.sleeves[s].entries)


def is_about(instruments: Collection[str], what: str, book: Book) -> bool:
    """Whether something of Book.health, Book.differences or Book.orphans is of one of these instruments, or of a sleeve there."""
    if not instruments:
        return False
    sleeve = what.removeprefix(REFUSALS) if what.startswith(REFUSALS) else ""
    of = book.specs[book.names.index(sleeve)].source["instrument"] if sleeve in book.names else what
    return any(name in of for name in instruments)


def settled_at(sleeve: str) -> str:
    """The cursor that says after how many entries a sleeve that rests was found settled."""
    return f"settled {sleeve}"


def stage_of(source: Mapping[str, Any]) -> str:
    """The stage that people want of a sleeve of a config event."""
    return str(source.get("stage", "paper"))


def paused_at(source: Mapping[str, Any], close_ms: int) -> bool:
    """Whether people's pause of a sleeve of a config event holds at a close."""
    return pause_holds(bool(source["paused"]), source.get("resumes_ms"), close_ms)


def flat(sleeve: Sleeve) -> bool:
    """No position, no order, none in doubt: the moment at which a sleeve changes its configuration."""
    return sleeve.position.open_layers == 0 and sleeve.order.side == 0 and sleeve.in_doubt == 0.0


def lots_text(book: Book, instrument: str, lots: int) -> str:
    """`200 lots (0.02 BTC)`: lots of an instrument as a person has them at the venue."""
    rules = next((spec.rules for spec in book.specs if spec.source["instrument"] == instrument), None)
    base = instrument.partition(":")[2].partition("-")[0]
    return f"{lots} lots" + (f" ({quantity_text(lots * rules.lot_size)} {base})" if rules is not None and lots else "")
