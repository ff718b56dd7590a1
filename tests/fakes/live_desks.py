"""A live desk for tests: two sleeves on one instrument, its journal, and a venue at the port that does what a test scripts."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.book.bodies import FORMAT
from engine.book.book import Book
from engine.book.snapshot import as_json
from engine.book.transitions import begin
from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.core.state import PROTECTIVE, Limits, Signal
from engine.errors import DataError
from engine.live.record import record
from engine.store.journal import Journal
from engine.venues import outcome
from engine.venues.live_port import LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from tests.fakes.benches import FIRST_MS, Bench, benched
from tests.fakes.desks import BAR_MS, LOOSE, RULES
from tests.fakes.order_desks import LOOSER, as_object

CASH = 100_000.0
BTC_PERP = "okx:BTC-USDT:perp"
ATR = 60.0
PRICE = 60_000.0
SLEEVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("adds", {"layers_max": 3, "fixed_lots": 300, "target_atr": 3.0}),
    ("rests", {"layers_max": 2, "fixed_lots": 200, "trail_atr": 0.0, "fade_below": 0.3}),
)


def config_body(first_ms: int = FIRST_MS, limits: Limits = LOOSE) -> dict[str, Any]:
    """The first config event; no limit binds unless it is given, so that orders are many."""
    sleeves = []
    for name, changes in SLEEVES:
        rules = RULES._replace(**{**LOOSER, "lot_size": 0.0001, "tick": 0.1, **changes})
        sleeves.append({"name": name, "instrument": BTC_PERP, "cash": CASH / 2, "paused": False, "rules": as_object(rules)})
    start = {"format": FORMAT, "instruments": [BTC_PERP], "own_bars": [], "first_ms": first_ms, "timeframe_ms": BAR_MS}
    return {"version": 1, "sha256": "", "limits": as_object(limits), "sleeves": sleeves, "start": start}


def begun(journal: Journal, first_ms: int, now_ms: int, limits: Limits = LOOSE) -> Book:
    """A new desk, journaled."""
    body = config_body(first_ms, limits)
    book, following = begin(body)
    record(journal, book, now_ms, [("config", body, following)], sync=False)
    return book


def live_bar(close_ms: int, values: Sequence[float | None], signals: dict[str, Signal]) -> dict[str, Any]:
    """A bar event: open, high, low, close, volume, funding rate and mark."""
    said = {name: as_json(signals.get(name, Signal(0, 0.0, ATR, 0.5, 1e-4, 0.0, 0.0, 0, 1))) for name, _ in SLEEVES}
    hashes = {name: "0" * 32 for name, _ in SLEEVES}
    return {"close_ms": close_ms, "stamp": "LIVE", "bars": {BTC_PERP: list(values)}, "signals": said, "features": hashes}


def long(strength: float = 0.9, limit: float = 0.0) -> Signal:
    """A wish to buy."""
    return Signal(1, strength, ATR, 0.5, 1e-4, 0.0, limit, 0, 2)


@dataclass
class PortOrder:
    """An order at the scripted venue."""

    order: VenueOrder
    venue_id: str
    price: float
    lots: int
    filled: int = 0
    state: str = WORKING
    child_id: str = ""


class PortVenue:
    """A venue at the port. `script[call]` holds what the next calls do, in order: ok when it is empty.

    Words: lost (never came), unanswered (came, no answer), rejected, passed, not_taken, silent, not_found (for a question).
    Market orders fill at once, unless `fills` is off.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[str]] = defaultdict(list)
        self.calls: list[tuple[str, str]] = []
        self.times: list[int] = []  # of the calls
        self.orders: dict[str, PortOrder] = {}
        self.executions: list[VenueTrade] = []
        self.billed: list[VenueBill] = []
        self.moved: list[VenueTransfer] = []  # in the order in which they are listed
        self.strange: list[StandingOrder] = []
        self.net, self.price, self.fills = 0, PRICE, True
        self.clock: Callable[[], int] = lambda: 0
        self.delay_s = 0.01
        self.attaches = ""
        self.numbers = 0  # of executions so far
        self.attached: dict[str, VenueOrder] = {}  # entry -> the stop that came with it

    async def _next(self, call: str, id_: str = "") -> str:
        self.calls.append((call, id_))
        self.times.append(self.clock())
        await asyncio.sleep(self.delay_s)
        return self.script[call].pop(0) if self.script[call] else "ok"

    def asked_for(self, call: str) -> list[str]:
        """Ids of all calls of a kind."""
        return [id_ for name, id_ in self.calls if name == call]

    def execute(self, id_: str, lots: int, price: float = 0.0, named: bool = True) -> None:
        """An execution of an order that stands."""
        held = self.orders[id_]
        held.filled += lots
        held.state = DONE if held.filled >= held.lots else PARTIAL
        if not named:
            held.child_id = f"c{held.venue_id}"
        self.trade(id_ if named else "", held.child_id or held.venue_id, held.order.side, lots, price)
        if held.state == DONE and id_ in self.attached:
            self.arm(self.attached.pop(id_), held.filled)

    def arm(self, stop: VenueOrder, lots: int) -> None:
        """The stop of an entry that has ended stands."""
        self.orders[stop.id] = PortOrder(stop, f"v{len(self.orders)}", stop.price, lots)

    def hide(self) -> list[VenueTrade]:
        """No execution is listed any more; those that were. Put them back, in whatever order, and they are."""
        hidden = self.executions.copy()
        self.executions.clear()
        return hidden

    def trade(self, order: str, venue_id: str, side: int, lots: int, price: float = 0.0) -> None:
        """An execution of anybody."""
        self.net += side * lots
        number, self.numbers = f"t{self.numbers}", self.numbers + 1
        self.executions.append(VenueTrade(number, venue_id, order, side, lots, price or self.price, 0.1, False, self.clock()))

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """As LiveVenue."""
        if attached is not None:
            self.attached[order.id] = attached
        what = await self._next("place", order.id)
        if what in ("rejected", "passed"):
            return LiveAnswer(order.id, REJECTED, 0, "no", outcome=outcome.PASSED if what == "passed" else outcome.REJECTED)
        if what == "not_taken":
            return LiveAnswer(order.id, UNKNOWN, 0, "busy", outcome=outcome.NOT_TAKEN)
        if order.id in self.orders:
            return LiveAnswer(order.id, UNKNOWN, 0, "it is there", outcome=outcome.EXISTS)
        if what != "lost":
            self.orders[order.id] = PortOrder(order, f"v{len(self.orders)}", order.price, order.lots)
            if order.price == 0.0 and self.fills:
                self.execute(order.id, order.lots)
        if what in ("lost", "unanswered"):
            return LiveAnswer(order.id, UNKNOWN, 0, "no answer")
        return LiveAnswer(order.id, WORKING, 0, venue_id=self.orders[order.id].venue_id)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """As LiveVenue."""
        what = await self._next("amend", order.id)
        held = self.orders[order.id]
        if what == "ok":
            held.price, held.lots = price, lots
        return self._said(held)

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""
        what = await self._next("cancel", order.id)
        held = self.orders.get(order.id)
        if held is None:
            return LiveAnswer(order.id, UNKNOWN, 0, "not there", outcome=outcome.NOT_FOUND)
        if what == "ok" and held.state in (WORKING, PARTIAL):
            held.state = DONE
            if held.filled and order.id in self.attached:
                self.arm(self.attached.pop(order.id), held.filled)
        return self._said(held)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """As LiveVenue."""
        what = await self._next("ask", order.id)
        if what == "silent":
            return LiveAnswer(order.id, UNKNOWN, 0, "no answer")
        held = self.orders.get(order.id)
        if held is None or what == "not_found":
            return LiveAnswer(order.id, UNKNOWN, 0, "not there", outcome=outcome.NOT_FOUND)
        return self._said(held)

    def _said(self, held: PortOrder) -> LiveAnswer:
        there = held.state in (WORKING, PARTIAL)
        more = (held.price, held.lots) if there else (None, None)
        return LiveAnswer(held.order.id, held.state, held.filled, "", *more, held.venue_id, held.child_id)

    async def standing(self) -> Sequence[StandingOrder]:
        """As LiveVenue."""
        if await self._next("standing") == "silent":
            raise DataError("no answer")
        there = [x for x in self.orders.values() if x.state in (WORKING, PARTIAL)]
        rows = [
            (x.order.id, x.venue_id, x.order.side, x.lots, x.filled, x.price, x.order.slot == PROTECTIVE, x.order.slot != 0)
            for x in there
        ]
        return [*(StandingOrder(*row) for row in rows), *self.strange]

    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """As LiveVenue."""
        if await self._next("trades", cursor) == "silent":
            raise DataError("no answer")
        return self.executions[int(cursor or 0) :], str(len(self.executions)) if self.executions else cursor

    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """As LiveVenue."""
        if await self._next("bills") == "silent":
            raise DataError("no answer")
        return [bill for bill in self.billed if bill.t_ms >= since_ms]

    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """As LiveVenue."""
        if await self._next("transfers") == "silent":
            raise DataError("no answer")
        return [transfer for transfer in self.moved if transfer.t_ms >= since_ms]

    async def position(self) -> VenuePosition:
        """As LiveVenue."""
        if await self._next("position") == "silent":
            raise DataError("no answer")
        return VenuePosition(self.net, PRICE, True, 3.0, None)


class LiveBench(Bench):
    """A desk with its duties on a PortVenue, and what a test needs to move it."""

    def __init__(self, path: Path, clock: Callable[[], int], loop: Any) -> None:
        self.loop, self.venue, self.cash = loop, PortVenue(), CASH
        self.venue.clock = clock
        super().__init__(path, clock, {BTC_PERP: self.venue}, lambda journal, now_ms: begun(journal, FIRST_MS, now_ms))

    def made(self, book: Book) -> None:
        """As Bench; `poll` is the duty that reads executions and bills."""
        super().made(book)
        self.poll = self.duties.polls[BTC_PERP]

    def close(self, bars_ago: int = 0, **signals: Signal) -> None:
        """The last bar has closed, at PRICE."""
        at = (self.clock() // BAR_MS - bars_ago) * BAR_MS
        self.desk.close(live_bar(at, [PRICE, PRICE + 50, PRICE - 50, PRICE, 1e6, 0.0, 0.0], signals), {}, {})

    async def entered(self) -> None:
        """`adds` has bought 300 lots, protected."""
        await self.to_close()
        self.close(adds=long())
        await self.after(3)
        assert self.lots() == 300, self.lots()

    async def rested(self) -> str:
        """`adds` has an entry of 300 lots that rests at the venue; its id."""
        await self.to_close()
        self.close(adds=long(limit=59_940.0))
        await self.after(3)
        (entry,) = [id_ for id_, held in self.venue.orders.items() if held.state == WORKING]
        return entry

    def lots(self) -> int:
        """What the book holds."""
        return sum(x.position.side * sum(y.lots for y in x.position.layers) for x in self.desk.book.sleeves)


Play = Callable[[LiveBench], Coroutine[Any, Any, None]]


def on_bench(path: Path, play: Play) -> LiveBench:
    """Play a test under the virtual clock; the journal folds to the book at the end."""
    return benched(path, lambda clock, loop: LiveBench(path, clock, loop), play)
