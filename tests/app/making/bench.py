"""A maker at an account of a local venue under the virtual clock: its book comes from the exchange itself, its requests are real.

`play(venue, path, script)` with venue okx, binance, bybit (real ccxt) or port-okx, ... (at the port, far cheaper). What must
always hold is looked at on each event of the exchange's ledger.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from app.making import account
from app.making.account import AccountLife, AccountTerms, MakerConnection
from app.making.paper import PaperTerms, Surroundings
from app.market_data.book_recorder import BookRequest
from engine.making import live_tape
from engine.making.fold import PaperBook, folded
from engine.making.paper import PaperJournal, Said
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from engine.store.chain import Event
from engine.store.journal import read, verify
from engine.venues.book_pushes import BookPush, TradePush
from engine.venues.private_stream import PrivateSource
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import PICO, Market, Print, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.port.played import PORTED
from tests.fakes.exchange.stage import BTC

QUOTING = MakingOptions(
    half_spread_bps=0.0, size=0.01, inventory=0.05, inventory_max=0.2, loss_max=1e6, stale_ms=60_000, pace_ms=100,
    requote_bps=0.0, orders_second_max=100, quote_age_max_ms=60_000,
)  # fmt: skip
MARKET = {"precision": {"price": 0.1, "amount": 0.0001}, "contractSize": 1.0, "symbol": "BTC/USDT:USDT"}
TICK_MS = 1_000
ROOM = 50_000  # orders, fills of a session: the product's room for a million of each is 128 MB, made for each process of a test


class Killed(Exception):
    """The process ends here."""


class DyingJournal(PaperJournal):
    """A journal whose process dies before or after its n-th group of events is written; from then on nothing is written."""

    dies_at, after, dead = 0, False, False
    groups = 0
    on_death: Callable[[], None] = staticmethod(lambda: None)

    def write(self, events: list[Said], *, sync: bool) -> None:  # type: ignore[override]
        """Write, or die."""
        if self.dead:
            raise Killed
        self.groups += 1
        dies = self.dies_at == self.groups
        if not dies or self.after:
            super().write(events, sync=sync)
        if dies:
            self.dead = True
            self.on_death()
            raise Killed


class Door:
    """An adapter as one process has it: once that is dead, nothing of it leaves, and no answer comes."""

    def __init__(self, venue: Any, is_dead: Callable[[], bool]) -> None:
        self._venue, self._is_dead = venue, is_dead
        self.placed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._venue, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any) -> Any:
            if self._is_dead():
                await asyncio.Event().wait()
            if name == "place":
                self.placed.append(args[0].id)
            answer = await found(*args)
            if self._is_dead():
                await asyncio.Event().wait()
            return answer

        return call


class Bench:
    """One account, its venue, and the maker's processes one after the other."""

    def __init__(self, venue: str, played: Played, home: Path, options: MakingOptions, **terms: Any) -> None:
        self.venue, self.played, self.home, self.options = venue, played, home, options
        self.exchange: Exchange = played.venue.exchange
        self.ported = venue.startswith("port-")
        self.at = (PORTED if self.ported else ADAPTED)[venue]
        self.terms = AccountTerms("mm", "testnet", "testnet", compiled=False, **terms)
        self.latch, self.pages, self.lines, self.wrong = "", list[str](), list[str](), list[str]()
        self.life: AccountLife | None = None
        self.task: asyncio.Task[None] | None = None
        self.session: Any = None
        self.dead = False
        self.ids = self.shift = 0  # shift: ticks by which the maker's book is away from the venue's
        self.doors: list[Door] = []
        self.exchange.listeners.append(self._happened)

    # ---- what must always hold ---------------------------------------------------------------------------------------------

    def _happened(self, event: Any) -> None:
        if event.kind == log.PRINT:
            self._pushed()
        elif event.kind == log.ACCEPTED and event.order.client.startswith("nd"):
            for side in (1, -1):
                resting = [x for x in self.exchange.open_orders() if x.side == side and x.kind == o.POST_ONLY]
                if len(resting) > 1:
                    self.wrong.append(f"two orders on a side: {[x.client for x in resting]}")
            if event.order.kind != o.POST_ONLY and not event.order.reduce_only:
                self.wrong.append(f"{event.order.client} could take")
            maker, id_ = self.life.maker if self.life is not None else None, event.order.client
            if (maker is None or maker.order(id_) is None) and id_ not in {e.body["order"] for e in self.events("intent")}:
                self.wrong.append(f"{event.order.client} is at the venue and in no journal")

    def _pushed(self) -> None:
        """The book and the trade of a print, as a recorder takes them."""
        if self.session is None:
            return
        market = self.exchange.markets["BTC"]
        self.ids += 1
        levels = [
            (s, (market.best(-1 if s == 0 else 1) + self.shift + (-n if s == 0 else n)) / 10, 5.0)
            for s in range(2)
            for n in range(4)
        ]
        take, now_ns = self.session.recorders.on_take, self.session.now_ns()
        take(now_ns, BookPush("BTC", True, self.exchange.clock(), self.ids, self.ids, -1, levels))
        take(now_ns, TradePush("BTC", self.exchange.clock(), market.last / 10, 0.01, True))

    # ---- processes ---------------------------------------------------------------------------------------------------------

    def begin(self, dies_at: int = 0, after: bool = False) -> None:
        """A process of the maker begins."""
        self.dead = False
        clock = self.exchange.clock
        self.session = SimpleNamespace(
            client=SimpleNamespace(market=lambda _name: MARKET), unified=["BTC/USDT:USDT"],
            recorders=SimpleNamespace(on_take=lambda *_: None), now_ns=lambda: clock() * 1_000_000,
        )  # fmt: skip
        journal = type("Journal", (DyingJournal,), {"dies_at": dies_at, "after": after, "on_death": staticmethod(self._died)})
        session = self.session
        dead = lambda: self.dead or self.session is not session  # noqa: E731 - of this process
        client = self.played.client
        self.doors = [Door(self.at.adapter(client), dead) for _ in range(2)]
        name = self.venue.removeprefix("port-")
        source = None if self.ported else PrivateSource(name, self.played.venue.virtual_client)
        connection: Any = MakerConnection(self.doors[0], self.doors[1], 0.0001, source)  # type: ignore[arg-type]
        around = Surroundings(lambda: self.latch, clock, lambda: clock() / 1000, asyncio.sleep, self.lines.append)
        terms = PaperTerms("m", self.options, MakerFees(2e-4, 5e-4, 5e-5), 1.0)
        request = BookRequest(name, ["BTC-USDT"], "perp")
        self.life = AccountLife(self.home, request, terms, around, self.terms, connection, self.pages.append)

        async def lived() -> None:
            with patch.object(account, "PaperJournal", journal):
                work = self.life.beside(session)  # type: ignore[union-attr,arg-type]
                task = asyncio.ensure_future(work)
                await asyncio.sleep(0)
            try:
                await task
            except asyncio.CancelledError:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                raise

        self.task = asyncio.create_task(lived())

    def _died(self) -> None:
        self.dead = True

    async def end(self) -> None:
        """The process is asked to end, and does."""
        assert self.task is not None
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.session = None

    async def after(self, seconds: float) -> None:
        """Time passes; what ends the process is the test's."""
        await asyncio.sleep(seconds)
        if self.task is not None and self.task.done() and not self.task.cancelled() and (error := self.task.exception()):
            raise error

    # ---- what is there -----------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The maker's journal."""
        return self.home / "making" / "m" / "making.jsonl"

    def events(self, *kinds: str) -> list[Event]:
        """Of the journal."""
        return list(read(self.path, set(kinds) or None)) if self.path.exists() else []

    def book(self) -> PaperBook:
        """The journal folded."""
        return folded(self.events())

    def lots(self) -> int:
        """What the account holds."""
        return self.exchange.account.position("BTC").lots

    def resting(self) -> list[o.Order]:
        """Orders that stand at the venue."""
        return self.exchange.open_orders()

    def fills(self) -> list[Any]:
        """Executions of the account, by the venue's ledger."""
        return [event for event in self.exchange.ledger if event.kind == log.FILL]

    def check(self) -> None:
        """Nothing was wrong; the journal is whole, and its inventory, money and fees are the venue's to the cent."""
        assert not self.wrong, self.wrong
        assert verify(self.path).ok
        book, fills = self.book(), [f for f in self.fills() if f.order.client.startswith("nd")]
        assert book.inventory == sum(f.order.side * f.bill.lots for f in fills)
        assert abs(book.sleeve.ledger.fees - sum(f.bill.fee for f in fills) / PICO) < 1e-6
        trades = [str(f.bill.trade) for f in fills]
        assert len(trades) == len(set(trades)) == book.fills


def prints(seed: int, clock_ms: int, seconds: int, every_ms: int = TICK_MS) -> Iterator[Print]:
    """A walk of a few ticks a second around 60,000."""
    yield from seeded_walk(seed, clock_ms, 600_000, seconds * 1000 // every_ms, every_ms, 4)


Script = Callable[[Bench], Coroutine[Any, Any, None]]


def play(venue: str, home: Path, script: Script, *, seed: int = 1, options: MakingOptions = QUOTING, **more: Any) -> Bench:
    """Play a script; the bench as it is at the end."""

    def make(clock: Callable[[], int]) -> Exchange:
        walk = more.pop("walk", None) or prints(seed, clock(), more.pop("seconds", 7_200), more.pop("every_ms", TICK_MS))
        return Exchange(clock, {"BTC": Market(BTC, walk)}, 100_000 * PICO)

    random.seed(seed)

    async def main(played: Played) -> Bench:
        await played.client.load_markets()
        bench = Bench(venue, played, home, options, **{k: v for k, v in more.items() if k not in ("seconds", "every_ms", "walk")})
        try:
            await script(bench)
        finally:
            if bench.task is not None and not bench.task.done():
                await bench.end()
            elif bench.task is not None:
                await asyncio.gather(bench.task, return_exceptions=True)
        return bench

    at: Any = (PORTED if venue.startswith("port-") else ADAPTED)[venue].played
    with patch.multiple(live_tape, ORDERS_ROOM=ROOM, FILLS_ROOM=ROOM):
        found: Bench = at.under_virtual_clock(main, make, 0.02, seed)[0]
    return found
