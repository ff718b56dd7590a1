"""A live desk in a storm: real ccxt under the virtual clock against a local venue, with the venue's ledger as the truth.

A seed and a list of fault windows make a whole run (tests.storms.plan, test_storm_live.py); what must hold meanwhile is in
invariants.py.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.replay import fold
from engine.core.state import Signal
from engine.live.data_health import changes
from engine.live.desk import LiveDesk
from engine.live.duties import AccountDuties
from engine.live.feed_live import LiveFeed
from engine.live.halt import KILLED
from engine.store.journal import Journal
from engine.venues.candles import CandleSource
from engine.venues.private_stream import PrivateSource
from tests.fakes.desks import BAR_MS, LOOSE
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, Adapted
from tests.fakes.exchange.faults import Window
from tests.fakes.exchange.market import PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.port.played import PORTED
from tests.fakes.exchange.stage import BTC
from tests.fakes.live_desks import ATR, BTC_PERP, CASH, SLEEVES, begun, live_bar
from tests.fakes.live_feeds import columns_on
from tests.storms.door import Door
from tests.storms.invariants import Invariants

PATIENCE_MS = 7_200_000  # until the person of the storm looks
SETTLES_S = 150  # behind the last bar: the market prints each minute, and what it has filled is read within seconds


class LiveStorm(Invariants):
    """One run. `desk` and `duties` are those of now: a restart makes new ones from the journal.

    `more`: venue, streams (the account's private stream), feed (bars come by the live feed, else from the exchange itself), kills
    (after which journal events the process dies), kill_ms (how long after), drawdown_frac, naked_max_ms, patience_ms.
    """

    def __init__(self, at: Adapted, played: Played, path: Path, seed: int, **more: Any) -> None:
        self.at, self.played, self.path, self.dice = at, played, path, random.Random(seed)
        self.exchange: Exchange = played.venue.exchange
        self.venue, self.streams = str(more.get("venue")), bool(more.get("streams"))
        self.kills, self.kill_ms, self.events = frozenset(more.get("kills", ())), more.get("kill_ms", 0), 0
        self.patience_ms = more.get("patience_ms", PATIENCE_MS)
        self.acts: list[asyncio.Task[None]] = []
        self.pages: list[tuple[int, str]] = []
        self.latch = ""
        self.unbooked: dict[str, Mapping[str, Any]] = {}
        self.since: dict[str, int] = {}
        self.feed: LiveFeed | None = None
        self._with_feed, self._client = bool(more.get("feed")), None
        self._begin(int(more.get("naked_max_ms", 10**12)), float(more.get("drawdown_frac", 0.0)))
        self.journal = Journal(path, "storm")
        first_ms = (self.clock() // BAR_MS + 1) * BAR_MS
        limits = LOOSE._replace(drawdown_frac_max=self.drawdown_frac) if self.drawdown_frac else LOOSE
        self._made(begun(self.journal, first_ms, self.clock(), limits))
        self.exchange.listeners.append(self.ledger_grew)

    def _made(self, book: Any) -> None:
        adapter = self.at.adapter(self.played.client)
        self.door, own = (Door(adapter, self.leaves, self.answered) for _ in range(2))
        self.desk = LiveDesk(book, self.journal, {BTC_PERP: self.door}, self.clock, lambda: self.latch, self.halt, self._paged)
        source = PrivateSource(self.venue, self.played.venue.virtual_client) if self.streams else None
        self.duties = AccountDuties(self.desk, {BTC_PERP: own}, self._venue_clock, self._cash, source, latch_look_s=30.0)
        self.desk.watches.append(self._journaled)

    async def _venue_clock(self) -> int:
        return int(await self.played.client.fetch_time())

    async def _cash(self) -> float:
        return self.exchange.account.cash / PICO

    def _paged(self, what: str) -> None:
        self.pages.append((self.clock(), what))
        self.times.sign()
        if what == f"halt: {KILLED}":
            self.look_at_the_killed()

    def halt(self, why: str) -> None:
        """Latch; the duty looks at once."""
        if not self.latch:
            self.latch, self.latched_ms = why, self.clock()
        self.duties.halt.soon()

    def _journaled(self, kind: str, body: Mapping[str, Any]) -> None:
        self.events += 1
        if self.events in self.kills:
            self.acts.append(asyncio.get_running_loop().create_task(self.killed(self.kill_ms)))
        if kind == "fill" and body.get("booked") is False:
            self.unbooked[body["trade"]] = body
        if kind == "adopt" and body.get("adopted") and (found := self.unbooked.get(body["difference"])):
            self.accounted_for(found)
        self.journaled(kind, body)

    # ---- the market and the person -------------------------------------------------------------------------------------------

    async def next_close(self) -> tuple[int, list[Any]]:
        """(close, what is known of the bar), a moment after the close; None where the bar is missing."""
        if self.feed is not None:
            t = await self.feed.next_close()
            (row,) = self.feed.bars(t).values()
            self._follow_feed()
            return self.feed.close_ms(t), row
        close_ms = (self.clock() // BAR_MS + 1) * BAR_MS
        await asyncio.sleep((close_ms + 1_000 - self.clock()) / 1000)
        candle = next(
            (c for c in reversed(self.exchange.markets["BTC"].candles(BAR_MS, 3)) if c.open_ms == close_ms - BAR_MS), None
        )
        if candle is None:
            return close_ms, [None] * 5 + [0.0, 0.0]
        prices = [ticks / 10 for ticks in (candle.open, candle.high, candle.low, candle.close)]
        return close_ms, [*prices, candle.lots * 0.0001, 0.0, 0.0]

    async def _begin_feed(self) -> None:
        self._client = self.played.venue.virtual_client()
        await self._client.load_markets()
        columns = columns_on(self.venue, "BTC 15m")
        self.feed = LiveFeed({self.venue: CandleSource(self._client, self.venue)}, columns, self.clock, _sleep)
        self.feed.on_note = lambda _: asyncio.get_running_loop().call_soon(self._follow_feed) and None
        self.played.tasks.append(asyncio.create_task(self.feed.run()))

    def _follow_feed(self) -> None:
        """What is not well with the data becomes the desk's, as in engine.live.account_loop."""
        for body in changes(self.desk.book.health, self.feed.troubles) if self.feed and not self.desk.failed else ():
            self.desk.take("health", body)

    def bar(self, close_ms: int, values: list[Any]) -> dict[str, Any]:
        """The bar that has closed, and what the strategies say."""
        dice, signals = self.dice, dict[str, Signal]()
        for name, _ in SLEEVES:
            side = dice.choice((1, 1, 1, 0))
            strength = dice.choice((0.05, 0.5, 0.9))
            limit = round(values[3] - 60.0, 1) if name == "rests" and side and values[3] and dice.random() < 0.8 else 0.0
            post_only, good_for = int(limit > 0.0), 2 if limit > 0.0 else 1
            signals[name] = Signal(side, strength, ATR, 0.5, 1e-4, 0.0, limit, post_only, good_for)
        return live_bar(close_ms, values, signals)

    def person(self) -> None:
        """Two hours (patience_ms) after something needs a person, one comes: closes what is not ours, adopts, lets go on."""
        book, now = self.desk.book, self.clock()
        found = {**book.health, **book.differences}
        self.since = {what: self.since.get(what, now) for what in found}
        due = [what for what in found if now - self.since[what] >= self.patience_ms]
        if not due:
            return
        lots = self.theirs() - self.ours()
        if lots and book.differences:
            self.exchange.place(o.Order("", "BTC", -1 if lots > 0 else 1, abs(lots), tag="person"))
        for what in due:
            if what in book.differences:
                body = {
                    "request": 0,
                    "difference": what,
                    "by": "ann",
                    "reason": "storm",
                    "order": self.unbooked.get(what, {}).get("order", ""),
                    "lots": self.unbooked.get(what, {}).get("lots", 0),
                    "filled_lots": 0,
                }
                self.desk.take("adopt", body)
            elif what.startswith(("refusals", "clock", "stream")):
                self.let_go_on(what)
        self.duties.reconcile.soon()

    # ---- a run -----------------------------------------------------------------------------------------------------------

    async def killed(self, after_ms: int = 0) -> None:
        """The process dies now, between any two of its steps, and a new one starts from the journal."""
        if after_ms:
            await asyncio.sleep(after_ms / 1000)
        self.met["kill"] += 1
        self.desk.failed = "killed"
        await self.duties.stop()
        self.journal.close()
        self.journal = Journal(self.path, "storm")
        book = fold(self.path)
        assert book is not None
        self.restarted_ms = self.clock()
        self._made(book)
        await self.duties.start()
        self._follow_feed()

    async def run(self, bars: int, quiet: int = 12, halt_at: int = -1) -> None:
        """So many bars; in the last `quiet` the faults have stopped. Ends with everything said and equal."""
        await self.played.client.load_markets()
        if self._with_feed:
            await self._begin_feed()
        await self.duties.start()
        for n in range(bars):
            close_ms, values = await self.next_close()
            if n == bars - quiet:
                self.played.venue.faults.plan.clear()
            if n == halt_at:
                self.halt("a person halts")
            self.person()
            if not self.desk.failed:
                self.desk.close(self.bar(close_ms, values), {}, {})
        await asyncio.sleep(SETTLES_S)
        self.at_the_end()
        await self.duties.stop()
        self.journal.close()
        self.look_at_the_journal()
        if self._client is not None:
            await self._client.close()


async def _sleep(ms: int) -> None:
    await asyncio.sleep(ms / 1000)


def exchange_of(seed: int, bars: int) -> Any:
    """BTC on a seeded walk, a print a minute."""

    def make(clock: Any) -> Exchange:
        path = seeded_walk(seed, clock(), 600_000, bars * 15 + 30)
        return Exchange(clock, {"BTC": Market(BTC, path)}, int(CASH) * PICO)

    return make


def weathered(
    venue: str, path: Path, seed: int, bars: int, plan: Sequence[Window] = (), quiet: int = 12, **more: Any
) -> LiveStorm:
    """A whole run at okx, binance or bybit (real ccxt), or at port-okx, ...; `wrong` of it says what did not hold."""
    at = (ADAPTED | PORTED)[venue]

    async def script(played: Played) -> LiveStorm:
        played.venue.faults.plan.extend(plan)
        storm = LiveStorm(at, played, path, seed, venue=venue, **more)
        await storm.run(bars, quiet, more.get("halt_at", -1))
        return storm

    storm, _ = at.played.under_virtual_clock(script, exchange_of(seed, bars), 0.02, seed)
    found: LiveStorm = storm
    return found
