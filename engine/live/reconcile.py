"""Book and venue compared: position, working orders, cash while flat. At the start, after a reconnect, each minute.

Duties of engine.live.desk. A difference is never traded away: it is journaled with what a person can do about it, and nothing
enters until a person has decided or both agree again, twice. Orders under our own name that the book has ended or never made are
cancelled, which adds no risk; orders of others are left alone.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from engine.book.account_events import orphan_lots
from engine.book.bodies import CASH, GONE, SETTINGS, keep_command, position_of, stage_rests, unfit_orders
from engine.book.book import lots_text, settled_at, stage_of
from engine.book.transfers import explained
from engine.core.orders import DONE, ENDED, STANDING, VenueOrder, find
from engine.core.state import ENTRY, EXIT_SLOT, HOUR_MS, PROTECTIVE
from engine.errors import DataError
from engine.live.announced import LATE_MS
from engine.live.desk import LiveDesk
from engine.live.last_guards import covers_alone
from engine.live.listed import gone_flat
from engine.live.lost_stops import LIFE_MS
from engine.live.poll import AccountPoll, holders, is_own
from engine.live.wakes import woken
from engine.venues.live_port import LiveAnswer, StandingOrder, VenuePosition
from engine.venues.outcome import NOT_FOUND

EVERY_S = 60.0
STOPS_EVERY_S = 15.0  # what a stream leaves out, or a person has moved there, is seen by then
AGAIN_S = 2.0  # between two readings that must say the same
READINGS = 2  # in a row before anything counts as equal, or as different
YOUNG_MS = 5_000  # an order that was sent since may not be listed yet
OLD_MS = 1_800_000  # since the last full agreement: what was compared longer ago says nothing of now
BILL_LATE_MS = 60_000  # settlements are on full hours; by which one's bill may be listed after it
BILLS_EVERY_MS = 10_000  # between two readings of all bills for a gap: Binance weighs those of an instrument as thirty questions
CASH_TOLERANCE = 0.01  # quote units: sums of fees are rounded by the venue
CHOICES = ("adopt", "close", "wait")
START = "reconciled"

Cash = Callable[[], Awaitable[float]]  # what the account has realised, quote units


class AccountReconcile:
    """All instruments of one account. `once` compares; `run` goes on for ever."""

    def __init__(
        self,
        desk: LiveDesk,
        polls: Mapping[str, AccountPoll],
        cash: Cash | None = None,
        transfers: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.desk, self.polls, self._cash, self._transfers = desk, polls, cash, transfers
        self.equal: dict[str, int] = {}  # instrument -> equal readings in a row
        self.unequal: dict[str, int] = {}
        self.compared_ms = 0
        self._cash_differed = False
        self._differed_ms = self._bills_ms = 0  # when a difference was last open; when all bills were last read for a gap
        self._elsewhere: dict[str, tuple[float, int]] = {}  # order -> where the venue had it last, not as in the book
        self.settings: dict[str, tuple[bool, float | None]] = {}  # instrument -> isolated, leverage, as they were or are accepted
        self._settings_said: dict[str, tuple[bool, float | None]] = {}
        self._soon = asyncio.Event()

    def soon(self) -> None:
        """Compare now: a connection is back, or something was adopted."""
        self._soon.set()

    async def run(self) -> None:
        """At once until everything agrees, then each minute."""
        in_vain = 0
        while not self.desk.failed:
            in_vain = 0 if await self.once() else in_vain + 1
            wait_s = min(AGAIN_S * 2 ** min(in_vain // 2, 5), EVERY_S) if in_vain else EVERY_S
            await woken(self._soon, wait_s)

    async def run_stops(self, name: str) -> None:
        """Between two comparisons, while lots are held: do their stops still stand at the venue, and where the book has them?"""
        while not self.desk.failed:
            if any(lots for _, lots in holders(self.desk, name)):
                with suppress(DataError):
                    await self._stops(name)
            await asyncio.sleep(STOPS_EVERY_S)

    async def _stops(self, name: str) -> None:
        standing = await self.desk.venues[name].standing()
        for order in self._missing(name, {held.order for held in standing}):
            if order.slot == PROTECTIVE:
                await self.desk.ask(order.id)
        await self._back_in_place(name, standing)

    async def once(self) -> bool:
        """One reading of each instrument. True when all agree, as often as it takes to believe it."""
        found, off = [], self.desk.book.off
        for name in self.polls:
            agrees = await self._instrument(name)
            if name not in off:  # what is off keeps its own sleeves out alone, and none of the others' comparison
                found.append(agrees)
        if all(found) and self._cash is not None:
            found.append(await self._compare_cash(self._cash))
        if all(found):
            self.compared_ms = self.desk.now_ms()
            self._settle()
            if START in self.desk.book.health:
                self.desk.take("health", {"what": START, "state": "over", "why": ""})
        elif self.desk.book.differences:
            self._differed_ms = self.desk.now_ms()  # that they differ was read, too
        elif self.compared_ms and self.desk.now_ms() - max(self.compared_ms, self._differed_ms) > OLD_MS:
            self._too_old()
        return all(found)

    def _too_old(self) -> None:
        """Readings that fail for half an hour withhold entries, as at a start; a difference does so by itself."""
        if START not in self.desk.book.health and not self.desk.failed:
            why = "venue and book could not be compared for half an hour"
            self.desk.take("health", {"what": START, "state": "begun", "why": why})
            self.desk.incident(f"{why}; no entries until they agree")

    def settled(self) -> bool:
        """Nothing is open or in doubt, and venue and book agree, twice in a row."""
        return not self.unsettled()

    def unsettled(self) -> list[str]:
        """What keeps it from that, a line each: an order that the book has as open, an instrument that does not agree yet."""
        orders = self.desk.book.orders.open.values()
        lines = [f"order {o.id} of {self.desk.instrument_of(o)} is {o.state} in the book" for o in orders]
        names = [name for name in self.polls if not gone_flat(self.desk, name)]
        return lines + [f"{name}: venue and book do not agree yet" for name in names if self.equal.get(name, 0) < READINGS]

    def _settle(self) -> None:
        """Sleeves that rest, flat and without orders: book and venue have just been found equal, so their end is reached."""
        book = self.desk.book
        for s, name in enumerate(book.names):
            rests = stage_rests(stage_of(book.latest(s).source), book.mode)
            unknown = book.is_off(s) and not gone_flat(self.desk, str(book.specs[s].source["instrument"]))
            if rests and book.is_idle(s) and not book.is_settled(s) and not unknown:
                self.desk.take("cursor", {"instrument": settled_at(name), "cursor": str(book.sleeves[s].entries)})

    async def _instrument(self, name: str) -> bool:
        """Position and orders of one instrument, read while nothing moved: not while a probe is under way."""
        if self.desk.probing:
            return False
        poll, venue = self.polls[name], self.desk.venues[name]
        try:
            before = self._state(name) if await poll.look() else None
            standing = await venue.standing()
            held = await venue.position()
            self.desk.venue_lots[name] = held.lots
            if before is None or not await poll.look() or poll.pending or before != self._state(name):
                return False
        except DataError as error:
            if self.desk.book.is_gone(name):
                self._unknown(name)
            elif not self.compared_ms:
                self.desk.incident(f"{name} cannot be compared with the venue: {error.what}")
            return False
        orders = await self._orders(name, standing)
        if set(self.desk.doubts(name)) - unfit_orders(self.desk.book.differences) - self.desk.lost.unsent:
            return False  # what is in doubt explains any difference, until it has been answered
        self._settings(name, held)
        return self._position(name, held.lots) and orders

    def _unknown(self, name: str) -> None:
        """The venue does not list an instrument any more, and says nothing of it: no order of it can stand there, so what is
        being cancelled or in doubt has ended; what the sleeves have is a difference, which a person adopts. Flat, it is none.
        """
        book, what = self.desk.book, position_of(name)
        self.equal[name] = 0
        lots = sum(held for _, held in holders(self.desk, name)) + orphan_lots(book, name)
        layers = {(s, layer.key) for s, sleeve in enumerate(book.sleeves) for layer in sleeve.position.layers if layer.lots}
        mine = [o for o in book.orders.open.values() if self.desk.instrument_of(o) == name and o.reported == o.filled]
        for order in [o for o in mine if o.slot == ENTRY or (o.sleeve, o.key) not in layers]:
            old = self.desk.now_ms() - max(self.desk.began_ms, self.desk.sent_ms.get(order.id, 0)) > LIFE_MS
            if order.in_doubt and old and order.id not in self.desk.busy:
                self.desk.note_answer(LiveAnswer(order.id, DONE, order.filled, GONE))
        if lots:
            text = f"the venue does not list {name} and says nothing of it, the desk holds {lots_text(book, name, lots)}"
            self._differs(what, text, {"instrument": name, "venue_lots": None, "desk_lots": lots})
        elif what in book.differences:
            self.desk.take("reconcile", {"differs": {}, "agrees": [what]})

    def _settings(self, name: str, held: VenuePosition) -> None:
        """Leverage and margin of the instrument: what a person changes at the venue moves the liquidation that sizes were
        reviewed against, so nothing is entered until it is as before, or a person lets the desk go on with it.
        """
        what, health = f"{SETTINGS}{name}", self.desk.book.health
        if name not in self.settings and self.desk.book.cursors.get(what) == margin_words((held.isolated, held.leverage)):
            self.settings[name] = held.isolated, held.leverage  # a person has let it be before this start
        isolated, leverage = self.settings.get(name, (True, None))
        wanted = self.settings[name] = isolated, leverage or held.leverage
        said = self._settings_said.get(name, wanted)
        now = held.isolated, held.leverage or said[1]  # a venue that says none while nothing is held has not set it back
        if self.desk.failed:
            return
        if now == wanted:
            self._settings_said.pop(name, None)
            if self.desk.book.cursors.get(what, margin_words(now)) != margin_words(now):  # what was let be then is no longer so
                self.desk.take("cursor", {"instrument": what, "cursor": margin_words(now)})
            if what in health:
                self.desk.take("health", {"what": what, "state": "over", "why": ""})
        elif self._settings_said.get(name) == now:
            if what not in health:  # a person has let it be; what is not said now counts as it is said next
                self.settings[name] = held.isolated, held.leverage
                self.desk.take("cursor", {"instrument": what, "cursor": margin_words(now)})
        else:
            self._settings_said[name] = now
            near = f", it would be liquidated at {held.liquidation:.10g}" if held.liquidation else ""
            why = f"{name} is {margin_words(now)} at the venue, and was {margin_words(wanted)}{near}"
            self.desk.take("health", {"what": what, "state": "begun", "why": why})
            so_far = "no entries until it is set back there, or a person lets the desk go on"
            self.desk.incident(f"{so_far}: {why}; its stops stay; {keep_command(what)}")

    def _state(self, name: str) -> tuple[Any, ...]:
        """What must not move while venue and book are read."""
        book = self.desk.book
        mine = [(o.id, o.state, o.filled, o.lots) for o in book.orders.open.values() if self.desk.instrument_of(o) == name]
        return holders(self.desk, name), orphan_lots(book, name), mine, list(self.desk.probing)

    # ---- position -----------------------------------------------------------------------------------------------------------

    def _position(self, name: str, lots: int) -> bool:
        """Compare the net position. One of the other side than ours halts: nothing that we did can have made it."""
        ours = sum(held for _, held in holders(self.desk, name)) + orphan_lots(self.desk.book, name)
        what = position_of(name)
        if lots == ours:
            self.unequal[name] = 0
            self.equal[name] = self.equal.get(name, 0) + 1
            if self.equal[name] >= READINGS and what in self.desk.book.differences:
                self.desk.take("reconcile", {"differs": {}, "agrees": [what]})
            return self.equal[name] >= READINGS
        self.equal[name] = 0
        self.unequal[name] = self.unequal.get(name, 0) + 1
        if self.unequal[name] >= READINGS:
            there, here = (lots_text(self.desk.book, name, held) for held in (lots, ours))
            text = f"the venue holds {there} of {name}, the desk {here}"
            self._differs(what, text, {"instrument": name, "venue_lots": lots, "desk_lots": ours})
            if lots * ours < 0 and not self._may_have_turned(name, lots):
                self.desk.latch(f"position flipped: {text}")
        return False

    def _may_have_turned(self, name: str, lots: int) -> bool:
        """Whether a net order of a basket's leg may have turned it over, and is not listed yet."""
        orders = self.desk.book.orders.open.values() if self.desk.book.basket is not None else ()
        return any(o.slot == ENTRY and o.side * lots > 0 and self.desk.instrument_of(o) == name for o in orders)

    def _differs(self, what: str, text: str, card: Mapping[str, Any]) -> None:
        """A difference, once for as long as it says the same; with what a person can do about it."""
        if self.desk.book.differences.get(what) != text:
            self.desk.take("reconcile", {"differs": {what: text}, "card": {**card, "choices": list(CHOICES)}})
            self.desk.incident(f"{text}; no entries: adopt it, close it by hand, or wait", difference=what)

    # ---- orders -------------------------------------------------------------------------------------------------------------

    async def _orders(self, name: str, standing: Any) -> bool:
        """What the venue holds against what the book says stands. True when there was nothing to do."""
        book, fine = self.desk.book, True
        self.desk.seen |= {held.order for held in standing}
        for held in standing:
            order = find(book.orders, held.order) if held.order else None
            if order is not None and order.state not in ENDED:
                continue
            if order is not None or is_own(self.desk, held.order):
                fine = await self._left_behind(name, held, order) and fine
            elif (
                foreign_order(name, held) not in book.adopted
            ):  # a person lets it be: what it executes is a difference of its own
                text = f"order {held.order or held.venue_id} of {lots_text(book, name, held.lots)} of {name} is not of this desk"
                self._differs(foreign_order(name, held), text, {"instrument": name, "order": held.order or held.venue_id})
        there = {held.order for held in standing}
        foreign = {foreign_order(name, held) for held in standing}
        if gone := [what for what in book.differences if what.startswith(f"{name} order ") and what not in foreign]:
            self.desk.take("reconcile", {"differs": {}, "agrees": gone})
        for order in self._missing(name, there):
            fine = await self.desk.ask(order.id) and fine
        rows = Counter(held.order for held in standing)
        for id_ in [id_ for id_ in book.orders.open if rows[id_] > 1]:
            await self.desk.ask(id_)  # where it is no longer being replaced, the adapter ends the older one
        return await self._back_in_place(name, standing) and fine

    async def _back_in_place(self, name: str, standing: Sequence[StandingOrder]) -> bool:
        """Orders of ours that somebody has moved or cut at the venue, by two readings. A stop is put back where the book
        has it, which adds no risk; an entry is withdrawn. True when there is none.
        """
        rows: dict[str, list[StandingOrder]] = {}
        for held in standing:
            rows.setdefault(held.order, []).append(held)  # a stop that is being replaced stands twice
        found = dict[str, tuple[float, int]]()
        for id_ in rows.keys() & self.desk.book.orders.open.keys():
            order = self.desk.book.orders.open[id_]
            if self._rests(order) and not any(stands_as(order, row) for row in rows[id_]):
                found[id_] = (rows[id_][0].price, rows[id_][0].lots)
        again = [id_ for id_, where in found.items() if self._elsewhere.get(id_) == where]
        others = {id_: where for id_, where in self._elsewhere.items() if id_ not in rows}
        self._elsewhere = {**others, **found}
        for id_ in sorted(again):
            await self._put_back(name, self.desk.book.orders.open[id_], *found[id_])
        return not found

    def _rests(self, order: VenueOrder) -> bool:
        """Whether nothing of ours is moving it: a list may be older than an amendment."""
        quiet = (
            order.state in STANDING and not order.amending and order.reported == order.filled and order.id not in self.desk.busy
        )
        last_ms = max(self.desk.began_ms, self.desk.sent_ms.get(order.id, 0), self.desk.moved_ms.get(order.id, 0))
        return quiet and order.slot in (ENTRY, PROTECTIVE) and last_ms < self.desk.now_ms() - LATE_MS

    async def _put_back(self, name: str, order: VenueOrder, price: float, lots: int) -> None:
        """Say it, and let it stand as the book has it."""
        where = f"at {price:.10g} with {lots} lots, and not at {order.price:.10g} with {order.lots}"
        what = f"{name}: order {order.id} was moved at the venue, by nobody here: it stands {where}"
        if order.slot == ENTRY:
            self.desk.incident(f"{what}; it is withdrawn", order=order.id)
            self.desk.take("lapse", {"order": order.id, "why": "it was moved at the venue"})
            return
        self.desk.incident(f"{what}; the stop is put back", order=order.id)
        await self.desk.venues[name].amend(order, order.price, order.lots)

    def _missing(self, name: str, there: set[str]) -> list[VenueOrder]:
        """Orders that the book says stand and the venue does not list."""
        old = self.desk.now_ms() - YOUNG_MS
        mine = [o for o in self.desk.book.orders.open.values() if self.desk.instrument_of(o) == name and o.state in STANDING]
        return [o for o in mine if o.id not in there and self.desk.sent_ms.get(o.id, 0) < old and not o.amending]

    async def _left_behind(self, name: str, held: StandingOrder, order: VenueOrder | None) -> bool:
        """An order under our name that the book has ended, or never made: asked once more, then cancelled. A stop that the book
        believed gone stays while nothing else covers its layer.
        """
        if order is not None and covers_alone(self.desk, order):
            self.desk.incident(
                f"{name}: stop {order.id} stands at the venue and not in the book: it stays, its layer has no other"
            )
            return False
        slot = PROTECTIVE if held.conditional else EXIT_SLOT if held.reduce_only else ENTRY
        about = order or VenueOrder(held.order, 0, slot, 0, held.side, held.lots, held.price, 0, 0, 0.0, 0.0, 0)
        if (await self.desk.venues[name].ask(about)).state not in STANDING:
            return False
        if (await self.desk.venues[name].cancel(about)).outcome != NOT_FOUND:  # else REST is late: it has ended
            self.desk.incident(f"{name}: order {held.order} stands at the venue and not in the book: it is cancelled")
        return False

    # ---- cash ---------------------------------------------------------------------------------------------------------------

    async def _compare_cash(self, cash: Cash) -> bool:
        """What venue and book have realised, while nothing is held: costs of layers and of a net position differ before."""
        book = self.desk.book
        if any(sleeve.position.open_layers for sleeve in book.sleeves) or book.orders.open:
            return True
        try:
            gap, first = await self._gap(cash), book.cursors.get(CASH)
            if first is None or abs(gap - float(first)) > CASH_TOLERANCE:
                if first is not None and self.desk.now_ms() - self._bills_ms < BILLS_EVERY_MS:
                    return False  # not compared yet
                self._bills_ms = self.desk.now_ms()
                for poll in [poll for name, poll in self.polls.items() if not book.is_gone(name)]:
                    await poll.bills()  # a settlement may not be booked yet, nor a transfer
                if self._transfers is not None:
                    await self._transfers()
                gap = await self._gap(cash)
        except DataError:
            return False
        if first is None or (
            self._cash_differed and CASH not in book.differences
        ):  # a person has adopted it: it counts from here
            self._cash_differed = False
            self.desk.take("cursor", {"instrument": CASH, "cursor": repr(gap)})
        elif abs(gap - float(first)) > CASH_TOLERANCE:
            if self.desk.now_ms() % HOUR_MS < BILL_LATE_MS and CASH not in book.differences:
                return False  # a settlement has moved the cash, and its bill may not be listed yet
            self._cash_differed = True
            self._differs(CASH, f"the venue's cash has moved by {gap - float(first):.2f} beside the desk's", {"gap": gap})
            return False
        elif CASH in book.differences:
            self._cash_differed = False
            self.desk.take("reconcile", {"differs": {}, "agrees": [CASH]})
        return True

    async def _gap(self, cash: Cash) -> float:
        """How much more the venue has realised than the book, beside what was moved in and out by bills of a known type."""
        book = self.desk.book
        orphans = sum(float(found["cash"]) for found in book.orphans.values())
        has = await cash()
        return has - sum(sleeve.ledger.cash for sleeve in book.sleeves) - orphans - explained(book)


def stands_as(order: VenueOrder, held: StandingOrder) -> bool:
    """Whether the venue has an order where the book has it; prices are equal but for a float's error."""
    return held.lots == order.lots and abs(held.price - order.price) <= 1e-7 * order.price


def margin_words(settings: tuple[bool, float | None]) -> str:
    """`isolated at 3x`."""
    isolated, leverage = settings
    return ("isolated" if isolated else "cross") + (f" at {leverage:g}x" if leverage else "")


def foreign_order(name: str, held: StandingOrder) -> str:
    """What a difference over an order of others is called."""
    return f"{name} order {held.order or held.venue_id}"
