"""A live desk in a storm: real ccxt under the virtual clock against a local venue, with the venue's ledger as the truth.

Used by test_storm_live.py. A seed and a list of fault windows make a whole run; the invariants of RELIABILITY.md are looked at
whenever the desk journals something and whenever the venue's ledger grows.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.account_events import orphan_lots
from engine.book.incident_money import incidents_of, parted, window_money
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.book.windows import due
from engine.core.guardrails import exposure
from engine.core.orders import REJECTED, UNKNOWN
from engine.core.state import Signal
from engine.live.desk import LiveDesk
from engine.live.duties import AccountDuties
from engine.live.poll import PROBE_CODE, holders
from engine.store.chain import encode_body
from engine.store.journal import Journal, read
from engine.venues.private_stream import PrivateSource
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, Adapted
from tests.fakes.exchange.faults import Window
from tests.fakes.exchange.market import PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import BTC
from tests.fakes.live_desks import ATR, BTC_PERP, CASH, SLEEVES, begun, live_bar

LIMIT_LOTS = 3 * 300 + 2 * 200
HOUR_MS = 3_600_000
PATIENCE_MS = 2 * HOUR_MS  # until the person of the storm looks


class LiveStorm:
    """One run. `desk` and `duties` are those of now: a restart makes new ones from the journal."""

    def __init__(self, at: Adapted, played: Played, path: Path, seed: int, **more: Any) -> None:
        self.at, self.played, self.path, self.dice = at, played, path, random.Random(seed)
        self.exchange: Exchange = played.venue.exchange
        self.clock = self.exchange.clock
        self.venue, self.streams = str(more.get("venue")), bool(more.get("streams"))
        self.kills, self.events = frozenset(more.get("kills", ())), 0
        self.acts: list[asyncio.Task[None]] = []
        self.pages: list[tuple[int, str]] = []
        self.latch = ""
        self.latched_ms = 0
        self.intents: dict[str, int] = {}
        self.booked: Counter[str] = Counter()
        self.executions: Counter[tuple[int, float, int]] = Counter()
        self.wrong: list[str] = []
        self.met: Counter[str] = Counter()
        self.unknown: dict[str, int] = {}  # order -> when anything was last heard of it
        self.unbooked: dict[str, Mapping[str, Any]] = {}
        self.since: dict[str, int] = {}
        self.naked_max_ms = int(more.get("naked_max_ms", 10**12))
        self.naked_ms = self.worst_naked_ms = 0
        self.lags: list[int] = []
        self._read = 0
        self.journal = Journal(path, "storm")
        first_ms = (self.clock() // BAR_MS + 1) * BAR_MS
        self._made(begun(self.journal, first_ms, self.clock()))
        self.exchange.listeners.append(self._ledger_grew)

    def _made(self, book: Any) -> None:
        venue, own = self.at.adapter(self.played.client), self.at.adapter(self.played.client)
        self.desk = LiveDesk(book, self.journal, {BTC_PERP: venue}, self.clock, lambda: self.latch, self.halt, self._paged)
        source = PrivateSource(self.venue, self.played.venue.virtual_client) if self.streams else None
        self.duties = AccountDuties(self.desk, {BTC_PERP: own}, self._venue_clock, self._cash, source, latch_look_s=30.0)
        self.desk.watches.append(self._journaled)

    async def _venue_clock(self) -> int:
        return int(await self.played.client.fetch_time())

    async def _cash(self) -> float:
        return self.exchange.account.cash / PICO

    def _paged(self, what: str) -> None:
        self.pages.append((self.clock(), what))

    def halt(self, why: str) -> None:
        """Latch; the duty looks at once."""
        if not self.latch:
            self.latch, self.latched_ms = why, self.clock()
        self.duties.halt.soon()

    # ---- invariants ---------------------------------------------------------------------------------------------------------

    def violated(self, rule: str, what: str) -> None:
        """Keep it: the run goes on, and the test fails with the first."""
        self.wrong.append(f"{rule} at {self.clock()}: {what}")

    def _journaled(self, kind: str, body: Mapping[str, Any]) -> None:
        self.met[kind] += 1
        self.events += 1
        if kind == "order":
            self.unknown[body["order"]] = self.clock()
            there = self.exchange.by_client(body["order"]) or self.exchange.algo_by_client(body["order"])
            if body["state"] == REJECTED and there is not None and there.is_open:
                self.violated("I4", f"{body['order']} is declared rejected, and the venue holds it")
        if self.events in self.kills:
            self.acts.append(asyncio.get_running_loop().create_task(self.killed()))
        if kind in ("fill", "orphan") and "trade" in body and body.get("booked", True):
            self.booked[body["trade"]] += 1
            self.executions[body["lots"], body["price"], body["t_ms"]] += 1
            self.lags.append(self.clock() - body["t_ms"])
            if self.booked[body["trade"]] > 1:
                self.violated("I5", f"trade {body['trade']} is booked twice")
        if kind == "fill" and body.get("booked") is False:
            self.unbooked[body["trade"]] = body
        for s, sleeve in enumerate(self.desk.book.sleeves):
            if exposure(sleeve) > 50 * CASH:
                self.violated("I8", f"sleeve {s} is exposed to {exposure(sleeve)}")

    def _ledger_grew(self, event: log.Event) -> None:
        """The venue's truth has moved."""
        if event.kind == log.PRINT:
            self._protected()
            return
        placed = event.order if event.kind == log.ACCEPTED else event.algo if event.kind == log.ALGO_ACCEPTED else None
        if placed is not None and placed.client:
            self._accepted(placed)
        lots = self.exchange.account.position("BTC").lots
        foreign = sum(
            abs(e.bill.lots) for e in self.exchange.ledger[-50:] if e.kind == log.FILL and e.order and not e.order.client
        )
        if abs(lots) > LIMIT_LOTS + 300 + foreign:
            self.violated("I8", f"{lots} lots are held")
        self._protected()

    def _accepted(self, placed: Any) -> None:
        client = placed.client.partition("-")[0]
        if PROBE_CODE in client:  # it asks whether the way to the venue works while entries are still withheld
            return
        intents = self._intents()
        increases = not getattr(placed, "reduce_only", False)
        doubts = [x.id for x in self.desk.book.orders.open.values() if x.state == UNKNOWN and x.id != client]
        if increases and any(self.clock() - self.unknown.get(id_, self.clock()) > 10_100 for id_ in doubts):
            self.violated("I4", f"{client} increases while {doubts} are in doubt")
        if client not in intents and "0rph" not in client:
            self.violated("I13", f"{client} came to the venue before its intent was journaled")
        ids = [e.order.client for e in self.exchange.ledger if e.kind == log.ACCEPTED and e.order and e.order.client]
        if ids.count(placed.client) > 1:
            self.violated("I3", f"{placed.client} was placed twice")
        if increases and self.latch and self.clock() - self.latched_ms > 100:
            self.violated("I1", f"{client} increases after the halt was latched")
        if increases and (self.desk.book.entries_blocked) and self.clock() - self._blocked_ms() > 10_100:
            self.violated(
                "I7", f"{client} increases while entries are blocked: {self.desk.book.health} {self.desk.book.differences}"
            )

    def _blocked_ms(self) -> int:
        return max(
            (self.since.get(what, self.clock()) for what in (*self.desk.book.health, *self.desk.book.differences)), default=0
        )

    def _intents(self) -> dict[str, int]:
        for event in read(self.path, {"intent"}, self._read):
            self.intents[event.body["order"]] = event.seq
            self._read = event.seq
        return self.intents

    def _protected(self) -> None:
        """How long a position of the desk stands at the venue without a conditional order."""
        held = abs(self.exchange.account.position("BTC").lots)
        if held <= sum(algo.lots for algo in self.exchange.open_algos()):
            self.naked_ms = 0
            return
        self.naked_ms = self.naked_ms or self.exchange.now
        for_ms = self.exchange.now - self.naked_ms
        if for_ms > self.naked_max_ms >= self.worst_naked_ms:
            self.violated("I12", f"{held} lots were not covered for {for_ms} ms")
        self.worst_naked_ms = max(self.worst_naked_ms, for_ms)

    # ---- the market and the person -------------------------------------------------------------------------------------------

    def bar(self, close_ms: int) -> dict[str, Any]:
        """The bar that has closed, and what the strategies say."""
        candle = next(
            (c for c in reversed(self.exchange.markets["BTC"].candles(BAR_MS, 3)) if c.open_ms == close_ms - BAR_MS), None
        )
        values: list[Any] = [None] * 5 + [0.0, 0.0]
        if candle is not None:
            prices = [ticks / 10 for ticks in (candle.open, candle.high, candle.low, candle.close)]
            values = [*prices, candle.lots * 0.0001, 0.0, 0.0]
        dice, signals = self.dice, dict[str, Signal]()
        for name, _ in SLEEVES:
            side = dice.choice((1, 1, 1, 0))
            strength = dice.choice((0.05, 0.5, 0.9))
            limit = round(values[3] - 60.0, 1) if name == "rests" and side and values[3] and dice.random() < 0.8 else 0.0
            post_only, good_for = int(limit > 0.0), 2 if limit > 0.0 else 1
            signals[name] = Signal(side, strength, ATR, 0.5, 1e-4, 0.0, limit, post_only, good_for)
        return live_bar(close_ms, values, signals)

    def person(self) -> None:
        """Two hours after something needs a person, one comes: closes by hand what is not ours, adopts, lets the desk go on."""
        book, now = self.desk.book, self.clock()
        found = {**book.health, **book.differences}
        self.since = {what: self.since.get(what, now) for what in found}
        due = [what for what in found if now - self.since[what] >= PATIENCE_MS]
        if not due:
            return
        lots = self.exchange.account.position("BTC").lots - self.ours()
        if lots and book.differences:
            self.exchange.place(o.Order("", "BTC", -1 if lots > 0 else 1, abs(lots)))
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
                self.duties.health.let_go_on(what)
        self.duties.reconcile.soon()

    def ours(self) -> int:
        """Net lots that the book accounts for."""
        return sum(lots for _, lots in holders(self.desk, BTC_PERP)) + orphan_lots(self.desk.book, BTC_PERP)

    # ---- a run -----------------------------------------------------------------------------------------------------------

    async def killed(self) -> None:
        """The process dies now, between any two of its steps, and a new one starts from the journal."""
        self.met["kill"] += 1
        self.desk.failed = "killed"
        await self.duties.stop()
        self.journal.close()
        self.journal = Journal(self.path, "storm")
        book = fold(self.path)
        assert book is not None
        self._made(book)
        await self.duties.start()

    async def run(self, bars: int, quiet: int = 12, halt_at: int = -1) -> None:
        """So many bars; in the last `quiet` the faults have stopped. Ends with everything said and equal."""
        await self.played.client.load_markets()
        await self.duties.start()
        for n in range(bars):
            close_ms = (self.clock() // BAR_MS + 1) * BAR_MS
            await asyncio.sleep((close_ms + 1_000 - self.clock()) / 1000)
            if n == bars - quiet:
                self.played.venue.faults.plan.clear()
            if n == halt_at:
                self.halt("a person halts")
            self.person()
            if not self.desk.failed:
                self.desk.close(self.bar(close_ms), {}, {})
        await asyncio.sleep(120)
        self._at_the_end()
        await self.duties.stop()

    def _at_the_end(self) -> None:
        """Liveness: book and venue agree, every execution is booked, nothing is in doubt, the journal folds to the book."""
        held = self.exchange.account.position("BTC").lots
        if held != self.ours():
            self.violated("I6", f"the venue holds {held}, the book {self.ours()}")
        fills = [(e.order, e.bill) for e in self.exchange.ledger if e.kind == log.FILL and e.order and e.bill]
        theirs = Counter((bill.lots, bill.ticks / 10, bill.t_ms) for order, bill in fills if order.client or order.parent)
        if theirs != self.executions:
            self.violated("I5", f"not booked {theirs - self.executions}, booked without a trade {self.executions - theirs}")
        bills = sum(bill.cash for bill in self.exchange.account.bills if bill.kind == "funding") / PICO
        if abs(bills - sum(sleeve.ledger.funding for sleeve in self.desk.book.sleeves)) > 1e-6:
            self.violated("I19", f"the venue has billed {bills} of funding, the sleeves bear another sum")
        self._look_at_windows()
        if self.played.venue.faults.count["stranger"] and not any("not ours" in page for _, page in self.pages):
            self.violated("I18", "a stranger traded in the account and nobody was woken")
        if doubts := self.desk.doubts(BTC_PERP):
            self.violated("liveness", f"in doubt: {doubts}")
        if self.desk.failed:
            self.violated("liveness", self.desk.failed)
        if self.duties.failures:
            self.violated("liveness", repr(self.duties.failures[0]))
        self.journal.close()
        self.wrong += OrderLaws().read(read(self.path))
        folded = fold(self.path, whole=True)
        if folded is None or encode_body(to_json(folded)) != encode_body(to_json(self.desk.book)):
            self.violated("I13", "the journal does not fold to the book")

    def _look_at_windows(self) -> None:
        """What touched money is in a window, and what windows have is what the strategies have not."""
        book = self.desk.book
        if (missed := next(due(book, ()), None)) is not None:
            self.violated("I19", f"in no incident window: {missed}")
        inside = sum(window_money(book, window)["pnl"] for window in incidents_of(book)["open"])
        found = parted(book)
        if abs(inside - found.incident) > 1e-6 or abs(found.incident + found.strategy - found.whole) > 1e-6:
            self.violated("I19", f"windows have {inside}, the desk says {found}")


def exchange_of(seed: int, bars: int) -> Any:
    """BTC on a seeded walk, a print a minute."""

    def make(clock: Any) -> Exchange:
        path = seeded_walk(seed, clock(), 600_000, bars * 15 + 30)
        return Exchange(clock, {"BTC": Market(BTC, path)}, int(CASH) * PICO)

    return make


def weathered(
    venue: str, path: Path, seed: int, bars: int, plan: Sequence[Window] = (), quiet: int = 12, **more: Any
) -> LiveStorm:
    """A whole run; `wrong` of it says what did not hold."""

    async def script(played: Played) -> LiveStorm:
        played.venue.faults.plan.extend(plan)
        storm = LiveStorm(ADAPTED[venue], played, path, seed, venue=venue, **more)
        await storm.run(bars, quiet, more.get("halt_at", -1))
        return storm

    storm, _ = ADAPTED[venue].played.under_virtual_clock(script, exchange_of(seed, bars), 0.02, seed)
    found: LiveStorm = storm
    return found
