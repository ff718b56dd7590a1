"""A basket of three coins in a storm: the desk of live_storm.py with legs, real ccxt against a local venue.

What must hold beside every rule of invariants.py: pairs sum to legs and to the basket after each event, each leg's net is the
venue's, and no pair has one leg for longer than a bar (I22), faults and orders in doubt aside.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from engine.book.account_events import orphan_lots
from engine.book.basket_account import uncrossed
from engine.book.basket_book import memory_of
from engine.book.basket_moves import leg_enters
from engine.book.snapshot import as_json
from engine.book.transitions import begin
from engine.core.orders import UNKNOWN, VenueOrder
from engine.core.state import ENTRY, Signal
from engine.live.desk import LiveDesk
from engine.live.duties import AccountDuties
from engine.live.poll import holders
from engine.live.record import record
from engine.store.journal import Journal
from engine.venues.account_instruments import adapter_of
from engine.venues.instruments import instrument_of
from engine.venues.private_stream import PrivateSource
from tests.engine.core.test_basket_storm import sums_hold
from tests.fakes.baskets import LEG
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, Adapted
from tests.fakes.exchange.faults import Window
from tests.fakes.exchange.played import Played
from tests.fakes.live_basket_desks import COINS, NAMES, PAIRS, PERPS, config_body
from tests.fakes.live_baskets import BACK, PRICES, SWING, swinging_exchange
from tests.fakes.order_desks import as_object
from tests.storms.door import Door
from tests.storms.invariants import FRESH_MS, NAKED_WAKES_MS, PAGE_AGAIN_MS, SIDES
from tests.storms.live_storm import PATIENCE_MS, LiveStorm

SPREAD = math.sqrt(2.0 * SWING**2 / (1.0 - (1.0 - BACK) ** 2))  # of two coins' own parts: what their walk comes to
TERMS = {"enter": 1.0, "leave": 0.0, "stop": 9.0, "momentum_bars": 0, "pair_frac_max": 0.5}
ALONE_BARS = 1  # that a pair may have one leg


class Lots(tuple[int, ...]):
    """Lots of each leg; true where there is any."""

    def __bool__(self) -> bool:
        return any(self)


class BasketStorm(LiveStorm):
    """One run; as LiveStorm. `alone`: closes at which a pair had one leg."""

    def __init__(self, at: Adapted, played: Played, path: Path, seed: int, **more: Any) -> None:
        self.at, self.played, self.path, self.dice = at, played, path, random.Random(seed)
        self.exchange = played.venue.exchange
        self.venue, self.streams = str(more.get("venue")), bool(more.get("streams"))
        self.kills, self.kill_ms, self.events = frozenset(more.get("kills", ())), more.get("kill_ms", 0), 0
        self.patience_ms = more.get("patience_ms", PATIENCE_MS)
        self.acts: list[asyncio.Task[None]] = []
        self.pages: list[tuple[int, str]] = []
        self.latch, self.feed, self._with_feed, self._client = "", None, False, None
        self.unbooked: dict[str, Mapping[str, Any]] = {}
        self.since: dict[str, int] = {}
        self.own: Counter[str] = Counter()  # coin -> lots that orders of the desk have made
        self.bare: dict[str, int] = {}  # coin -> since when its lots have no stop at the venue
        self.bounded: Counter[str] = Counter()
        self.said: set[str] = set()
        self.alone: dict[int, int] = {}  # pair -> closes in a row at which it had one leg
        self._begin(int(more.get("naked_max_ms", 10**12)), 0.0)
        self.journal = Journal(path, "storm")
        first_ms = (self.clock() // BAR_MS + 1) * BAR_MS
        body = self._config(first_ms)
        book, following = begin(body)
        record(self.journal, book, self.clock(), [("config", body, following)], sync=False)
        self._made(book)
        self.exchange.listeners.append(self.ledger_grew)

    def _config(self, first_ms: int) -> dict[str, Any]:
        """The first config event, with the lots and ticks of the venue."""
        body = config_body()
        for n, (sleeve, coin) in enumerate(zip(body["sleeves"], COINS, strict=True)):
            found = instrument_of(self.venue, f"{coin}-USDT")
            sizes = {"lot_size": found.lot_size, "tick": found.tick, "least_notional": found.least_notional}
            sleeve["rules"] = as_object(LEG._replace(instrument=n, bars=n, mode=1, bar_ms=BAR_MS, leverage_max=10.0, **sizes))
        body["start"]["first_ms"], body["basket"]["terms"] = first_ms, TERMS
        return body

    def _made(self, book: Any) -> None:
        def doors() -> dict[str, Any]:
            client = self.played.client
            made = [
                adapter_of(self.venue, f"{coin}-USDT", client, client, instrument_of(self.venue, f"{coin}-USDT"))
                for coin in COINS
            ]
            return {perp: Door(one, self.leaves, self.answered) for perp, one in zip(PERPS, made, strict=True)}

        venues, halting = doors(), doors()
        self.door = venues[PERPS[0]]
        self.desk = LiveDesk(book, self.journal, venues, self.clock, lambda: self.latch, self.halt, self._paged)
        source = PrivateSource(self.venue, self.played.venue.virtual_client) if self.streams else None
        self.duties = AccountDuties(self.desk, halting, self._venue_clock, self._cash, source, latch_look_s=30.0)
        self.desk.watches.append(self._journaled)

    # ---- the market and the person -------------------------------------------------------------------------------------------

    async def next_close(self) -> tuple[int, list[Any]]:
        """(close, a row a leg), a moment after the close."""
        close_ms = (self.clock() // BAR_MS + 1) * BAR_MS
        await asyncio.sleep((close_ms + 1_000 - self.clock()) / 1000)
        self.look_at_pairs()
        return close_ms, [self._row(coin, close_ms) for coin in COINS]

    def _row(self, coin: str, close_ms: int) -> list[Any]:
        market = self.exchange.markets[coin]
        candle = next((c for c in reversed(market.candles(BAR_MS, 3)) if c.open_ms == close_ms - BAR_MS), None)
        if candle is None:
            return [None] * 5 + [0.0, 0.0]
        tick, lot = market.contract.tick, market.contract.lot
        prices = [float(ticks * tick) for ticks in (candle.open, candle.high, candle.low, candle.close)]
        return [*prices, float(candle.lots * lot) * 100.0, 0.0, 0.0]

    def bar(self, close_ms: int, values: list[Any]) -> dict[str, Any]:
        """The bar that has closed, with the fits that its walk would have for ever."""
        logs = [None if row[3] is None else math.log(row[3]) for row in values]
        fits = [[1.0, math.log(PRICES[COINS[a]] / PRICES[COINS[b]]), SPREAD] for a, b in PAIRS]
        costs = Signal(0, 0.0, 0.0, 0.0, 1e-4, 0.0, 0.0, 0, 1, 1.0, 1.0)
        return {
            "close_ms": close_ms,
            "stamp": "TESTNET",
            "bars": dict(zip(PERPS, values, strict=True)),
            "signals": {name: as_json(costs) for name in NAMES},
            "features": dict.fromkeys(NAMES, "0" * 32),
            "basket": {"logs": logs, "fits": fits},
        }

    def person(self) -> None:
        """As LiveStorm's, leg by leg."""
        book, now = self.desk.book, self.clock()
        found = {**book.health, **book.differences}
        self.since = {what: self.since.get(what, now) for what in found}
        due = [what for what in found if now - self.since[what] >= self.patience_ms]
        if not due:
            return
        for coin, there, ours in zip(COINS, self.theirs(), self.ours(), strict=True):
            if there != ours and book.differences:
                side = -1 if there > ours else 1
                self.exchange.place(o.Order("", coin, side, abs(there - ours), tag="person"))
        for what in due:
            if what in book.differences:
                of = self.unbooked.get(what, {})
                about = {"order": of.get("order", ""), "lots": of.get("lots", 0), "filled_lots": 0}
                self.desk.take("adopt", {"request": 0, "difference": what, "by": "ann", "reason": "storm", **about})
            elif what.startswith(("refusals", "clock", "stream")):
                self.let_go_on(what)
        self.duties.reconcile.soon()

    # ---- what must hold ------------------------------------------------------------------------------------------------------

    def ours(self) -> Any:
        """Net lots of each leg that the book accounts for."""
        book = self.desk.book
        return Lots(sum(lots for _, lots in holders(self.desk, perp)) + orphan_lots(book, perp) for perp in PERPS)

    def theirs(self) -> Any:
        """And that the venue holds."""
        return Lots(int(self.exchange.account.position(coin).lots) for coin in COINS)

    def look_at_pairs(self) -> None:
        """At a close, before it decides: a pair that has one leg had two or none at the close before, unless the venue was not
        itself meanwhile, or owes an answer."""
        basket, now = self.desk.book.basket, self.clock()
        assert basket is not None
        faulty = any(
            window.start_ms < now and window.end_ms > now - (ALONE_BARS + 1) * BAR_MS for window in self.played.venue.faults.plan
        )
        crosses = uncrossed(self.desk.book)  # what crosses inside does so with this close: the venue holds the net already
        for p, pair in enumerate(basket.pairs):
            is_alone = (pair.lots_a == 0) != (pair.lots_b == 0) and not {pair.a, pair.b} & {*crosses}
            self.alone[p] = self.alone.get(p, 0) + 1 if is_alone else 0
            self.met["alone"] += is_alone
            excused = faulty or self.desk.book.health or any(self.desk.doubts(perp) for perp in PERPS) or self._lately_killed(now)
            if self.alone[p] > ALONE_BARS and not excused:
                self.violated("I22", f"pair {p} has had one leg for {self.alone[p]} closes: {pair}")

    def _lately_killed(self, now: int) -> bool:
        """A process that has just begun has compared nothing yet."""
        return bool(self.restarted_ms) and now - self.restarted_ms < 2 * BAR_MS

    def journaled(self, kind: str, body: Mapping[str, Any]) -> None:
        """One event: pairs sum to legs and to the basket."""
        super().journaled(kind, body)
        book = self.desk.book
        assert book.basket is not None
        m = memory_of(book.basket, book.sleeves, [spec.rules for spec in book.specs], book.bars)[0]
        try:
            sums_hold(m, book.basket.whole)
        except AssertionError as error:
            self.violated("I21", f"after {kind}: {str(error)[:200]}")

    def leaves(self, order: VenueOrder) -> None:
        """Just before the request; what ends pairs alone enters nothing, also where it adds to the net."""
        enters = order.slot == ENTRY and leg_enters(self.desk.book, order.sleeve)
        super().leaves(order if enters or order.slot != ENTRY else order._replace(slot=3))

    def _may_enter(self, order: VenueOrder) -> None:
        book, now = self.desk.book, self.clock()
        if self.latch or book.desk.halted:
            self.violated("I1", f"{order.id} increases {now - self.latched_ms} ms after the halt was latched")
        mine = (x for x in book.orders.open.values() if x.sleeve == order.sleeve and x.id != order.id)
        if doubts := [x.id for x in mine if x.state == UNKNOWN]:
            self.violated("I4", f"{order.id} increases while {doubts} are in doubt")
        if book.entries_blocked:
            self.violated("I7", f"{order.id} increases while entries are blocked: {book.health} {book.differences}")
        if now - order.decided_ms > FRESH_MS:
            self.violated("I10", f"{order.id} increases {now - order.decided_ms} ms after it was decided")

    def _bar(self, body: Mapping[str, Any]) -> None:
        """The bars are the exchange's own."""

    def _filled(self, order: Any, bill: Any) -> None:
        if order.client or order.parent:
            price = float(Decimal(bill.ticks) * self.exchange.markets[order.symbol].contract.tick)
            self._theirs[bill.lots, price, bill.t_ms] += 1
            self.own[order.symbol] += order.side * bill.lots
        elif order.tag != "person":
            self.strangers.append(self.clock())

    def _taken(self, placed: Any) -> None:
        client = placed.client.partition("-")[0]
        self._accepted[placed.client] += 1
        if self._accepted[placed.client] > 1:
            self.violated("I3", f"{placed.client} was placed twice")
        intent = self.intents().get(client)
        if intent is None:
            if client[2:6] not in ("0rph", "pr0b"):
                self.violated("I13", f"{client} came to the venue before its intent was journaled")
        elif SIDES[placed.side] != intent["side"]:
            self.violated("I3", f"{client} is to {SIDES[placed.side]}, its intent was to {intent['side']}")

    def _protected(self) -> None:
        """Each leg's lots have a conditional order, as I12."""
        now = self.exchange.now
        for coin, there in zip(COINS, self.theirs(), strict=True):
            own = self.own[coin]
            held = min(abs(own), abs(there)) if own * there > 0 else 0
            covered = sum(algo.lots for algo in self.exchange.open_algos() if algo.symbol == coin and algo.side * there < 0)
            since = self.bare.get(coin, 0)
            for_ms = now - since if since else 0
            if for_ms > NAKED_WAKES_MS and coin not in self.said:
                self.said.add(coin)
                if not any(since - PAGE_AGAIN_MS <= t_ms for t_ms, _ in self.pages):
                    self.violated("I12", f"{held} lots of {coin} were not covered for {for_ms} ms, and nobody was woken")
            self.worst_naked_ms = max(self.worst_naked_ms, for_ms)
            if held <= covered:
                self.bare.pop(coin, None)
                self.said.discard(coin)
                continue
            self.bare[coin] = since or now
            if for_ms > self.naked_max_ms >= self.bounded[coin]:
                self.violated("I12", f"{held} lots of {coin} were not covered for {for_ms} ms")
            self.bounded[coin] = max(self.bounded[coin], for_ms)

    def at_the_end(self) -> None:
        """As of any desk, and nothing of a leg is in doubt."""
        super().at_the_end()
        for perp in PERPS:
            if doubts := self.desk.doubts(perp):
                self.violated("liveness", f"in doubt: {doubts}")
        if differences := self.desk.book.differences:
            self.violated("liveness", f"venue and book differ: {differences}")

    def look_at_the_killed(self) -> None:
        """A halt that says it has ended."""
        orders = [x.client for x in (*self.exchange.open_orders(), *self.exchange.open_algos()) if x.client]
        left = [coin for coin, there in zip(COINS, self.theirs(), strict=True) if self.own[coin] * there > 0]
        if left or orders:
            self.violated("I2", f"it says it has ended, and {left} and {orders} are there")


def basket_weathered(
    venue: str, path: Path, seed: int, bars: int, plan: Sequence[Window] = (), quiet: int = 12, **more: Any
) -> BasketStorm:
    """A whole run at okx, binance or bybit; `wrong` of it says what did not hold."""
    at = ADAPTED[venue]

    async def script(played: Played) -> BasketStorm:
        await played.client.load_markets()
        played.venue.faults.plan.extend(plan)
        storm = BasketStorm(at, played, path, seed, venue=venue, **more)
        await storm.run(bars, quiet, more.get("halt_at", -1))
        return storm

    make = partial(swinging_exchange, venue, seed=seed, past_hours=1, minutes=bars * 15 + 30)
    storm, _ = at.played.under_virtual_clock(script, make, 0.02, seed)
    found: BasketStorm = storm
    return found
