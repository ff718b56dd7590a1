"""A live desk with a basket of three coins: its journal, and for each leg a venue at the port that does what a test scripts."""

import math
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from engine.book.basket_book import memory_of
from engine.book.bodies import FORMAT
from engine.book.book import Book
from engine.book.snapshot import as_json
from engine.book.transitions import begin
from engine.core.basket import PairBook
from engine.core.ledger import open_lots
from engine.core.orders import DONE
from engine.core.state import ENTRY, PROTECTIVE, Signal
from engine.live.record import record
from engine.store.journal import Journal
from engine.venues.live_port import VenueTrade
from tests.engine.core.test_basket_storm import sums_hold
from tests.fakes.baskets import LEG
from tests.fakes.benches import FIRST_MS, Bench, benched
from tests.fakes.desks import BAR_MS, LOOSE
from tests.fakes.live_desks import PortVenue
from tests.fakes.order_desks import as_object

COINS = ("BTC", "ETH", "SOL")
PERPS = [f"okx:{coin}-USDT:perp" for coin in COINS]
NAMES = [f"pairs-{coin.lower()}" for coin in COINS]
PAIRS = [(0, 1), (0, 2), (1, 2)]
PRICE, CASH = 100.0, 10_000.0
RULES = LEG._replace(lot_size=0.01, tick=0.01, mode=1, bar_ms=BAR_MS, leverage_max=10.0)
TERMS = {"enter": 1.0, "leave": 0.0, "stop": 9.0, "momentum_bars": 0, "pair_frac_max": 0.5}
DEVIATION = 0.01


def config_body(mode: str = "testnet", stage: str = "testnet") -> dict[str, Any]:
    """The first config event of an account's desk."""
    sleeves = [
        {
            "name": name,
            "basket": "pairs",
            "version": 1,
            "strategy": "pairs",
            "instrument": perp,
            "timeframe": "15m",
            "side": "both",
            "cash": CASH / len(COINS),
            "paused": False,
            "stage": stage,
            "rules": as_object(RULES._replace(instrument=n, bars=n)),
        }
        for n, (name, perp) in enumerate(zip(NAMES, PERPS, strict=True))
    ]
    start = {"format": FORMAT, "instruments": PERPS, "own_bars": [], "first_ms": FIRST_MS, "timeframe_ms": BAR_MS, "mode": mode}
    basket = {"name": "pairs", "version": 1, "cash": CASH, "terms": TERMS, "pairs": [list(pair) for pair in PAIRS]}
    return {"version": 1, "sha256": "", "limits": as_object(LOOSE), "sleeves": sleeves, "start": start, "basket": basket}


def begun(journal: Journal, now_ms: int) -> Book:
    """A new desk, journaled."""
    body = config_body()
    book, following = begin(body)
    record(journal, book, now_ms, [("config", body, following)], sync=False)
    return book


class ReducingVenue(PortVenue):
    """A venue whose reduce-only orders fill no more than the position has; the rest of one ends."""

    def execute(self, id_: str, lots: int, price: float = 0.0, named: bool = True) -> None:
        """As PortVenue."""
        held = self.orders[id_]
        room = lots if held.order.slot == ENTRY else min(lots, max(0, -held.order.side * self.net))
        if room:
            super().execute(id_, room, price, named)
        if room < lots:
            held.state = DONE


class BasketBench(Bench):
    """A basket at an account, its duties on PortVenues, and what a test needs to move it. `z` is where spreads are at a close."""

    def __init__(self, path: Path, clock: Callable[[], int], attaches: str = "") -> None:
        self.venues = {perp: ReducingVenue() for perp in PERPS}
        for venue in self.venues.values():
            venue.clock, venue.price, venue.attaches = clock, PRICE, attaches
        for n, venue in enumerate(self.venues.values()):
            venue.numbers = 10_000 * n  # an execution's id is its own among all instruments
        super().__init__(path, clock, self.venues, begun)

    def made(self, book: Book) -> None:
        """As Bench: pairs are summed after every event."""
        super().made(book)
        self.desk.watches.append(lambda _kind, _body: self.check())

    # ---- what it has ------------------------------------------------------------------------------------------------------

    @property
    def book(self) -> Book:
        """The desk as it stands."""
        return self.desk.book

    @property
    def pairs(self) -> list[PairBook]:
        """Its pairs."""
        assert self.book.basket is not None
        return self.book.basket.pairs

    def lots(self) -> list[int]:
        """What the book has of each leg, net."""
        return [sleeve.position.side * open_lots(sleeve.position) for sleeve in self.book.sleeves]

    def there(self) -> list[int]:
        """What the venue holds."""
        return [venue.net for venue in self.venues.values()]

    def venue(self, leg: int) -> PortVenue:
        """Of a leg."""
        return self.venues[PERPS[leg]]

    def stops(self, leg: int) -> list[int]:
        """Lots of a leg's stops that stand at the venue."""
        orders = self.venue(leg).orders.values()
        return [o.lots - o.filled for o in orders if o.order.slot == PROTECTIVE and o.state in ("working", "partial")]

    def check(self) -> None:
        """After every event: pairs sum to legs and to the basket."""
        assert self.book.basket is not None
        m = memory_of(self.book.basket, self.book.sleeves, [spec.rules for spec in self.book.specs], self.book.bars)[0]
        sums_hold(m, self.book.basket.whole)

    def alone(self) -> list[int]:
        """Pairs that have one leg."""
        return [p for p, pair in enumerate(self.pairs) if (pair.lots_a == 0) != (pair.lots_b == 0)]

    # ---- what happens to it -----------------------------------------------------------------------------------------------

    async def close(self, *z: float, back: Sequence[int] = (), settle: float = 3.0) -> None:
        """The next bar has closed, as `now` has it; then its orders have a moment."""
        await self.to_close()
        self.now(*z, back=back)
        await self.after(settle)

    def now(self, *z: float, back: Sequence[int] = ()) -> None:
        """The bar that has just closed, at PRICE, with the spread of each pair at z for who enters. Pairs `back` that are in see
        theirs at the mean: what they were entered with is moved there by hand.
        """
        at = self.clock() // BAR_MS * BAR_MS
        wanted = [*z, *[0.0] * (len(PAIRS) - len(z))]
        logs, price = [math.log(PRICE)] * len(COINS), PRICE
        if back:
            logs = self._logs_back(back)
        fits = [[1.0, logs[a] - logs[b] - own * DEVIATION, DEVIATION] for (a, b), own in zip(PAIRS, wanted, strict=True)]
        body: dict[str, Any] = {
            "close_ms": at,
            "stamp": "TESTNET",
            "bars": {perp: [price, price + 0.5, price - 0.5, price, 1e9, 0.0, 0.0] for perp in PERPS},
            "signals": {name: as_json(Signal(0, 0.0, 0.0, 0.0, 1e-4, 0.0, 0.0, 0, 1, 1.0, 1.0)) for name in NAMES},
            "features": dict.fromkeys(NAMES, "0" * 32),
            "basket": {"logs": logs, "fits": fits},
        }
        self.desk.close(body, {}, {})

    def _logs_back(self, back: Sequence[int]) -> list[float]:
        """Log prices at which the spreads of these pairs are past their means: those of the second legs move."""
        logs = [math.log(PRICE)] * len(COINS)
        for p in back:
            pair = self.pairs[p]
            logs[pair.b] = (logs[pair.a] - pair.intercept - pair.side * 0.1 * pair.deviation) / pair.hedge
        return logs

    async def hidden(self, leg: int, seconds: float) -> list[VenueTrade]:
        """Time passes in which a leg's venue lists no execution that is new; those."""
        venue, found = self.venue(leg), list[VenueTrade]()
        before = len(venue.executions)
        for _ in range(round(seconds / 0.005)):
            await self.after(0.005)
            found += venue.executions[before:]
            del venue.executions[before:]
        return found

    def poll(self, leg: int) -> Any:
        """The duty that reads a leg's executions and bills."""
        return self.duties.polls[PERPS[leg]]


Play = Callable[[BasketBench], Coroutine[Any, Any, None]]


def on_basket_bench(path: Path, play: Play, attaches: str = "") -> BasketBench:
    """Play a test under the virtual clock; the journal folds to the book at the end, and no law of orders is broken."""
    return benched(path, lambda clock, _: BasketBench(path, clock, attaches), play)
