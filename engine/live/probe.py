"""A probe of one instrument: can orders be placed, seen, moved and cancelled now, and are fills heard where they are billed?

Called by engine.live.gate at a start and by app.processes.account_probe for a person. Turns a LiveVenue into a ProbeResult, a leg
each. `far` costs nothing: a post-only order and a stop of least size, far from the market, are placed, read back, amended and
cancelled. `round_trip` costs two fees: least size in and out at the market, each fill timed on both channels.

Orders carry PROBE_CODE where a sleeve's have its name, so that poll and reconcile know them: an execution of one is booked as an
orphan (its cash is in no sleeve), and one that a killed process has left standing is cancelled at the next comparison.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.core.orders import DONE, ENDED, REJECTED, STANDING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, SLOTS
from engine.errors import DeskError
from engine.live.desk import BACKOFF_S
from engine.live.lost_stops import LIFE_MS
from engine.live.poll import PROBE_CODE
from engine.live.probe_result import FAILED, OK, SPARE_FRAC, UNTRIED, ProbeLeg, ProbeOf, ProbeResult
from engine.redaction import redacted
from engine.venues.live_port import LiveAnswer, LiveVenue, VenueTrade
from engine.venues.outcome import NOT_FOUND, NOT_TAKEN, words_of

FAR_FRACS = (0.30, 0.15, 0.07)  # of price: the farthest that the venue takes; none of them is a fill away
MOVED_FRAC = 0.01  # of price, away from the market: where an amended order stands
SEEN_S, LOOK_S = 5.0, 0.5  # that REST and stream have to show an order or a fill
LEG_S = 0.5  # between two legs: venues count requests a second
CANCELS_S = (0.0, *BACKOFF_S[1:], 8.0, 8.0, 8.0)  # before each cancellation: together longer than a request may be on its way
EXITS_MAX = 5
WHY_MAX = 200  # letters
# Whether a venue takes a reduce-only stop while nothing is held is not known from here. Its own code for "nothing to reduce" is
# the answer of a path that works, and proves no more than that: the leg was not tried. Every other refusal is a failure.
NOTHING_TO_REDUCE = ("51169", "-2022", "110017")
PURPOSE = {ENTRY: "E", PROTECTIVE: "S", EXIT_SLOT: "X"}

Heard = Callable[[str], int | None]  # client id -> when the private stream has last named it (UTC ms)
Note = Callable[[Mapping[str, Any]], None]  # journals a `probe` event, durably


class UntriedLeg(Exception):
    """A leg that was not tried, and why."""


class AccountProbe:
    """Probes one instrument. `barred`: why nothing may be sent, "" while it may; `probing` holds the ids while they may stand."""

    def __init__(
        self,
        venue: LiveVenue,
        of: ProbeOf,
        now_ms: Callable[[], int],
        note: Note,
        heard: Heard | None = None,
        barred: Callable[[], str] = lambda: "",
        probing: set[str] | None = None,
    ) -> None:
        self.venue, self.of, self.now_ms, self.note, self.heard, self.barred = venue, of, now_ms, note, heard, barred
        self.probing = probing if probing is not None else set[str]()
        self._legs: list[ProbeLeg] = []
        self._left: list[str] = []
        self._numbers = 0
        self._sent: dict[str, tuple[VenueOrder, int]] = {}  # what may stand at the venue: order, when it was sent

    # ---- the two probes ----------------------------------------------------------------------------------------------------

    async def far(self) -> ProbeResult:
        """Place, read back, amend and cancel a far order and a far stop."""
        return await self._played("far", self._far_orders)

    async def round_trip(self) -> ProbeResult:
        """Least size in and out at the market; what it fills it leaves, reduce-only."""
        return await self._played("round_trip", self._in_and_out)

    async def _played(self, kind: str, legs: Callable[[], Awaitable[float]]) -> ProbeResult:
        self._legs, self._left, cost = [], [], 0.0
        self.note({"what": "begun", "kind": kind, "instrument": self.of.instrument, "price": self.of.price})
        try:
            cost = await legs()
        except asyncio.CancelledError:  # the process ends: one try, the next start's comparison does the rest
            await asyncio.gather(*(self.venue.cancel(order) for order, _ in self._sent.values()), return_exceptions=True)
            raise
        finally:
            self.probing.clear()
        result = ProbeResult(self.of.instrument, kind, tuple(self._legs), tuple(self._left), round(cost, 8))
        self.note({"what": "ended", **result.as_json()})
        return result

    async def _leg(self, name: str, work: Callable[[], Awaitable[str]], after: bool = True) -> bool:
        """One leg; `work` returns why it failed. Not tried where a leg before it has left nothing to look at (`after`)."""
        if not after:
            self._legs.append(ProbeLeg(name, UNTRIED, None, "nothing stands to look at"))
            return False
        await asyncio.sleep(LEG_S if self._legs else 0.0)
        began = self.now_ms()
        try:
            why = await work()
            found = ProbeLeg(name, FAILED if why else OK, self.now_ms() - began, why[:WHY_MAX])
        except UntriedLeg as error:
            found = ProbeLeg(name, UNTRIED, None, str(error)[:WHY_MAX])
        except Exception as error:  # noqa: BLE001 - whatever it is, the leg has failed, and the line says why
            found = ProbeLeg(
                name, FAILED, self.now_ms() - began, redacted(f"{type(error).__name__}: {words_of(error)}")[:WHY_MAX]
            )
        self._legs.append(found)
        return found.result == OK

    def _order(self, slot: int, side: int, lots: int, price: float) -> VenueOrder:
        """An order of the probe, under an id that none had before."""
        self._numbers += 1
        now = self.now_ms()
        id_ = f"nd{PROBE_CODE}{now // 1000 % 10**8:08d}{PURPOSE[slot]}{self._numbers % 100:02d}"
        post_only = int(slot == ENTRY and price > 0.0)
        return VenueOrder(id_, 0, slot, 0, side, lots, price, post_only, 0, 0.0, 0.0, now)

    async def _send(self, order: VenueOrder) -> LiveAnswer:
        """Journal an order, look at the latch once more, then place it. Raises UntriedLeg where nothing may be sent."""
        if why := self.barred():
            raise UntriedLeg(why)
        body = {"order": order.id, "slot": SLOTS[order.slot], "side": order.side, "lots": order.lots, "price": order.price}
        self.note({"what": "sent", "instrument": self.of.instrument, **body})
        if why := self.barred():
            raise UntriedLeg(why)
        self.probing.add(order.id)
        self._sent[order.id] = order, self.now_ms()
        try:
            answer = await self.venue.place(order)
        finally:
            self._sent[order.id] = order, self.now_ms()
        if answer.state == REJECTED or answer.outcome == NOT_TAKEN:
            del self._sent[order.id]
        return answer

    async def _until(self, found: Callable[[], Awaitable[str]], seconds: float = SEEN_S) -> str:
        """Look again until `found` has nothing to say against it; its last word."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                why = await found()
            except DeskError as error:  # a question without an answer is asked again
                why = error.what
            if not why or asyncio.get_running_loop().time() >= until:
                return why
            await asyncio.sleep(LOOK_S)

    async def _on_stream(self, order: VenueOrder, seconds: float = SEEN_S) -> str:
        """Whether the private stream has named it."""
        heard = self.heard
        if heard is None:
            raise UntriedLeg("no private stream is open")

        async def named() -> str:
            return "" if heard(order.id) is not None else f"the stream has not named it in {seconds:g} s"

        return await self._until(named, seconds)

    # ---- far orders --------------------------------------------------------------------------------------------------------

    async def _far_orders(self) -> float:
        held = (await self._position()) or 0
        await self._far("limit", ENTRY, 1)
        await self._far("stop", PROTECTIVE, 1 if held < 0 else -1)
        return 0.0

    async def _position(self) -> int | None:
        """Lots that are held, with their side; None where the venue does not say."""
        try:
            return (await self.venue.position()).lots
        except Exception:  # noqa: BLE001 - whatever it is, nothing is known of it
            return None

    async def _far(self, name: str, slot: int, side: int) -> None:
        """All legs of one far order. Whatever became of them, it is cancelled."""
        there = await self._leg(f"{name} placed", lambda: self._placed_far(slot, side))
        order = next((order for order, _ in self._sent.values()), None)
        if order is None:
            for word in ("on rest", "on stream", "amended", "cancelled"):
                await self._leg(f"{name} {word}", self._nothing, after=False)
            return
        seen = await self._leg(f"{name} on rest", lambda: self._until(lambda: self._by_rest(order)), there)
        await self._leg(f"{name} on stream", lambda: self._on_stream(order), there)
        await self._leg(f"{name} amended", lambda: self._amended(order), seen)
        await self._leg(f"{name} cancelled", lambda: self._gone(order))
        if self._sent.pop(order.id, None) is not None:
            self._left.append(f"{name} order {order.id} may still stand at the venue: cancel it there")

    async def _nothing(self) -> str:
        return ""

    async def _placed_far(self, slot: int, side: int) -> str:
        """Place the order as far away as the venue takes it; why it does not stand."""
        way = 1 if slot == PROTECTIVE and side > 0 else -1  # a stop that buys waits above, everything else below
        for frac in FAR_FRACS:
            price = self.of.on_tick(self.of.price * (1.0 + way * frac))
            order = self._order(slot, side, self.of.lots(price), price)
            answer = await self._send(order)
            if answer.state in STANDING:
                return ""
            if slot == PROTECTIVE and any(f"({code})" in answer.why for code in NOTHING_TO_REDUCE):
                raise UntriedLeg(f"the venue takes no reduce-only stop while nothing is held: {answer.why}")
            if answer.state != REJECTED:
                return f"{answer.state}: {answer.why}"
        return f"refused: {answer.why}"

    async def _by_rest(self, order: VenueOrder) -> str:
        """Whether it is found by its id and in the list of open orders, at its price and size."""
        answer = await self.venue.ask(order)
        if answer.state not in STANDING:
            return f"asked by its id: {answer.state} {answer.why}"
        if answer.lots != order.lots or not self._is_at(answer.price, order.price):
            return f"it is {answer.lots} lots at {answer.price}, not {order.lots} at {order.price}"
        if order.id not in {held.order for held in await self.venue.standing()}:
            return "it is not in the list of open orders"
        return ""

    def _is_at(self, price: float | None, wanted: float) -> bool:
        return price is not None and abs(price - wanted) < self.of.tick / 2

    async def _amended(self, order: VenueOrder) -> str:
        """Move it away from the market, and read that back."""
        away = 1 if order.price > self.of.price else -1
        moved = order._replace(price=self.of.on_tick(order.price + away * MOVED_FRAC * self.of.price))
        if why := self.barred():
            raise UntriedLeg(why)
        answer = await self.venue.amend(order, moved.price, moved.lots)
        why = await self._until(lambda: self._by_rest(moved))
        return f"{why}; {answer.why}".rstrip("; ") if why else ""

    async def _gone(self, order: VenueOrder) -> str:
        """End an order, bounded. It is gone when the venue says so, or does not know it once its request can no longer arrive."""
        why = ""
        for wait_s in CANCELS_S:
            await asyncio.sleep(wait_s)
            why = await self._ended(order)
            if not why:
                del self._sent[order.id]
                return await self._unfilled(order)
        return why

    async def _ended(self, order: VenueOrder) -> str:
        """Cancel once, and look; why it is not known to be gone."""
        try:
            answer = await self.venue.cancel(order)
            listed = order.id in {held.order for held in await self.venue.standing()}
        except Exception as error:  # noqa: BLE001 - what was not answered is tried again
            return redacted(f"{type(error).__name__}: {words_of(error)}")[:WHY_MAX]
        if listed:
            return f"it is still in the list of open orders: {answer.why}"
        over = self.now_ms() - self._sent[order.id][1] >= LIFE_MS
        return "" if answer.state in ENDED or (answer.outcome == NOT_FOUND and over) else f"{answer.state}: {answer.why}"

    async def _unfilled(self, order: VenueOrder) -> str:
        """A far order that has filled is left at once."""
        answer = await self.venue.ask(order)
        if answer.filled_lots == 0:
            return ""
        await self._leave(order.side, answer.filled_lots)
        return f"{answer.filled_lots} lots of it have filled, far from the market"

    # ---- round trip --------------------------------------------------------------------------------------------------------

    async def _in_and_out(self) -> float:
        """In the direction of what is held, so that the way out never turns anything."""
        before = await self._position()
        cursor = (await self.venue.trades(""))[1] if before is not None else ""
        side = -1 if before is not None and before < 0 else 1
        entry = self._order(ENTRY, side, self.of.lots(self.of.price / (1.0 + SPARE_FRAC)), 0.0)
        trades: list[VenueTrade] = []

        async def placed() -> str:
            if before is None:
                return "the venue does not say what is held: nothing was sent"
            answer = await self._send(entry)
            return f"{answer.state}: {answer.why}" if answer.state == REJECTED or entry.id not in self._sent else ""

        there = await self._leg("entry placed", placed)
        await self._leg("entry filled on rest", lambda: self._until(lambda: self._billed(entry, cursor, trades)), there)
        await self._leg("entry on stream", lambda: self._on_stream(entry), there)
        filled = await self._filled(entry, before) if entry.id in self._sent else 0
        if filled is None:
            self._left.append(f"whether {entry.id} has filled is not known: look at the venue, close {entry.lots} lots if it has")
        elif filled:
            await self._way_out(entry, filled, cursor, trades)
        await self._leg("position as before", lambda: self._until(lambda: self._as_before(before)), bool(filled))
        signed = sum(trade.side * trade.lots * trade.price for trade in trades) * self.of.lot_size
        return signed + sum(trade.fee for trade in trades)

    async def _filled(self, entry: VenueOrder, before: int | None) -> int | None:
        """Lots of the entry that have filled: by its order, else by the position; None where neither is said."""
        until = asyncio.get_running_loop().time() + LIFE_MS / 1000
        while True:
            answer = await self.venue.ask(entry)
            if answer.state in ENDED:
                return answer.filled_lots
            if asyncio.get_running_loop().time() >= until:
                break
            await asyncio.sleep(1.0)
        now = await self._position()
        return abs(now - before) if now is not None and before is not None else None

    async def _way_out(self, entry: VenueOrder, lots: int, cursor: str, trades: list[VenueTrade]) -> None:
        """The legs of the exit."""
        found: list[VenueOrder] = []

        async def placed() -> str:
            exit_ = await self._leave(entry.side, lots)
            found.extend([] if exit_ is None else [exit_])
            return "" if found else "it could not be closed"

        out = await self._leg("exit placed", placed)
        await self._leg("exit filled on rest", lambda: self._until(lambda: self._billed(found[0], cursor, trades)), out)
        await self._leg("exit on stream", lambda: self._on_stream(found[0]), out)

    async def _billed(self, order: VenueOrder, cursor: str, trades: list[VenueTrade]) -> str:
        """Whether all of an order is in the list of executions."""
        known = {trade.trade for trade in trades}
        rows, _ = await self.venue.trades(cursor)
        trades += [trade for trade in rows if trade.order == order.id and trade.trade not in known]
        lots = sum(trade.lots for trade in trades if trade.order == order.id)
        return "" if lots >= order.lots else f"{lots} of {order.lots} lots are in the list of executions"

    async def _leave(self, side: int, lots: int) -> VenueOrder | None:
        """Close what a probe has filled, reduce-only, in EXITS_MAX orders; the last of them, None where lots are left."""
        for attempt in range(EXITS_MAX):
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            exit_ = self._order(EXIT_SLOT, -side, lots, 0.0)
            self.note(
                {"what": "sent", "instrument": self.of.instrument, "order": exit_.id, "slot": SLOTS[EXIT_SLOT], "lots": lots}
            )
            self.probing.add(exit_.id)
            answer, until = await self.venue.place(exit_), asyncio.get_running_loop().time() + LIFE_MS / 1000
            while answer.state not in ENDED and answer.outcome != NOT_TAKEN and asyncio.get_running_loop().time() < until:
                await asyncio.sleep(LOOK_S if answer.state in STANDING else 1.0)
                answer = await self.venue.ask(exit_)
            lots -= answer.filled_lots if answer.state == DONE else 0
            if lots <= 0:
                return exit_
        self._left.append(f"{lots} lots of {self.of.instrument} that the probe has opened: close them at the venue")
        return None

    async def _as_before(self, before: int | None) -> str:
        """Whether the position is what it was."""
        now = await self._position()
        return "" if now is not None and now == before else f"{before} lots before, {now} now"
