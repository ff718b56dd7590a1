"""A live desk with two sleeves on two instruments and its gate. Each instrument has a venue at the port that a test suspends, or
that does not know it any more.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.bodies import FORMAT
from engine.book.book import Book
from engine.book.snapshot import as_json
from engine.book.transitions import begin
from engine.core.orders import REJECTED, UNKNOWN, VenueOrder
from engine.core.state import Signal
from engine.errors import DataError
from engine.live.gate import AccountGate, GateParts
from engine.live.record import record
from engine.store.journal import Journal
from engine.venues import outcome
from engine.venues.account_facts import VenueListing
from engine.venues.gone import GoneVenue
from engine.venues.instruments import instrument_of
from engine.venues.live_port import LiveAnswer
from tests.fakes.benches import FIRST_MS, Bench, benched
from tests.fakes.desks import BAR_MS, LOOSE, RULES
from tests.fakes.live_desks import ATR, BTC_PERP, CASH, PRICE, PortVenue, long
from tests.fakes.order_desks import LOOSER, as_object

ETH_PERP = "okx:ETH-USDT:perp"
TWO = {"btc": BTC_PERP, "eth": ETH_PERP}
TRADES, SUSPENDED, UNKNOWN_THERE = "live", "suspend", ""


class ListedVenue(PortVenue):
    """`state`: the venue's word for the instrument. Suspended it takes no order and keeps what is there; unknown, no answer."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.state = name, TRADES

    async def _next(self, call: str, id_: str = "") -> str:
        if self.state == UNKNOWN_THERE:
            self.calls.append((call, id_))
            raise DataError(f"instrument {self.name} does not exist")
        return await super()._next(call, id_)

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """As LiveVenue."""
        if self.state != TRADES:
            self.calls.append(("place", order.id))
            return LiveAnswer(order.id, REJECTED, 0, "the instrument is not traded", outcome=outcome.REJECTED)
        return await super().place(order, attached)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """As LiveVenue."""
        return self._unknown(order) or await super().amend(order, price, lots)

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""
        return self._unknown(order) or await super().cancel(order)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""
        return self._unknown(order) or await super().ask(order)

    def _unknown(self, order: VenueOrder) -> LiveAnswer | None:
        return LiveAnswer(order.id, UNKNOWN, order.filled, "no such instrument") if self.state == UNKNOWN_THERE else None

    def listing(self) -> VenueListing | None:
        """As an AccountReader says it."""
        return VenueListing(self.state == TRADES, self.state, 0.0001, 5.0, PRICE) if self.state else None


class TwoBench(Bench):
    """`venues` by instrument. A process that begins while an instrument is unknown has no adapter of it, as the product's."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self.venues = {name: ListedVenue(name) for name in TWO.values()}
        self.faults = dict[str, str]()  # instrument -> what the account's check finds
        for n, venue in enumerate(self.venues.values()):
            venue.clock, venue.numbers = clock, 10_000 * n
        super().__init__(path, clock, self.venues, begun)

    @property
    def eth(self) -> ListedVenue:
        """The one that a test takes away."""
        return self.venues[ETH_PERP]

    @property
    def book(self) -> Book:
        """The desk as it stands."""
        return self.desk.book

    def made(self, book: Book) -> None:
        """As Bench, with a gate."""
        self.desk_venues = {name: venue if venue.state else GoneVenue(name) for name, venue in self.venues.items()}
        super().made(book)
        people = self.path.with_name("people.jsonl")
        instruments = {name: instrument_of(*name.split(":")) for name in TWO.values()}

        def heard(id_: str) -> int | None:
            return self.clock() if any(id_ in venue.orders for venue in self.venues.values()) else None

        async def faults() -> Sequence[str]:
            return [text for name, text in self.faults.items() if name not in gate.listings.out]

        reader: Any = self
        gate = AccountGate(
            self.desk,
            self.duties.reconcile,
            GateParts(reader, faults, instruments, self.path, people, lambda: {"engine": "one"}, heard),
        )
        self.duties.gate = gate
        self.duties.halt.look_s = 10.0

    async def listing(self, symbol: str) -> VenueListing | None:
        """As AccountReader."""
        return self.venues[f"okx:{symbol}:perp"].listing()

    async def start(self) -> None:
        """The duties run, and the gate is open."""
        await self.duties.start()
        await self.after(90)
        assert not self.book.health, self.book.health

    def close(self, **signals: Signal) -> None:
        """The last bar has closed, at PRICE; none of an instrument that is unknown."""
        at = self.clock() // BAR_MS * BAR_MS
        none = Signal(0, 0.0, ATR, 0.5, 1e-4, 0.0, 0.0, 0, 1)
        price: list[float | None] = [PRICE, PRICE + 50, PRICE - 50, PRICE, 1e6, 0.0, 0.0]
        bars = {name: list(price) if venue.state else [None] * 5 + [0.0, 0.0] for name, venue in self.venues.items()}
        said = {name: as_json(signals.get(name, none)) for name in TWO}
        body = {"close_ms": at, "stamp": "LIVE", "bars": bars, "signals": said, "features": dict.fromkeys(TWO, "0" * 32)}
        self.desk.close(body, {}, {})

    async def enters(self) -> set[str]:
        """Both want to buy at the next close; which sleeves' entries came to a venue."""
        before = {name: len(venue.asked_for("place")) for name, venue in self.venues.items()}
        await self.to_close()
        self.close(btc=long(), eth=long())
        await self.after(5)
        came = {name: venue.asked_for("place")[before[name] :] for name, venue in self.venues.items()}
        return {sleeve for sleeve, name in TWO.items() if any(id_[14] == "E" and "pr0b" not in id_ for id_ in came[name])}

    def lots(self, sleeve: str) -> int:
        """What the book has of a sleeve."""
        position = self.book.sleeves[self.book.names.index(sleeve)].position
        return position.side * sum(layer.lots for layer in position.layers)

    def stops(self, name: str) -> int:
        """Conditional orders that stand at the venue."""
        return sum(held.order.slot == 1 and held.state == "working" for held in self.venues[name].orders.values())


def begun(journal: Journal, now_ms: int) -> Book:
    """A new desk, journaled: each sleeve adds up to four layers."""
    sleeves = []
    for n, (name, instrument) in enumerate(TWO.items()):
        rules = RULES._replace(**{**LOOSER, "lot_size": 0.0001, "tick": 0.1, "layers_max": 4, "fixed_lots": 100})
        rules = rules._replace(instrument=n, bars=n)
        sleeves.append({"name": name, "instrument": instrument, "cash": CASH / 2, "paused": False, "rules": as_object(rules)})
    start = {"format": FORMAT, "instruments": [*TWO.values()], "own_bars": [], "first_ms": FIRST_MS, "timeframe_ms": BAR_MS}
    body: Mapping[str, Any] = {"version": 1, "sha256": "", "limits": as_object(LOOSE), "sleeves": sleeves, "start": start}
    book, following = begin(body)
    record(journal, book, now_ms, [("config", dict(body), following)], sync=False)
    return book


def on_two(path: Path, play: Callable[[TwoBench], Any]) -> TwoBench:
    """Play a test on it."""
    return benched(path, lambda clock, _: TwoBench(path, clock), play)
