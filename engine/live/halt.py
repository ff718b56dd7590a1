"""A halt of a live account, to its end: latched, entries cancelled, positions closed, or a page that says what is left.

A duty of engine.live.desk with venues of its own (their own ccxt clients), so that nothing queues before it. First the book is
halted and its own exits do the work. What they have not closed in ten seconds, or when the book itself fails, is closed straight
at the venue by what the venue says is there, per instrument and beside the others: ten tries, then a page. What ends after
that is looked for, not tried for. Nothing here asks for a profit or a price.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from engine.book.account_events import orphan_lots
from engine.core.orders import DONE, REJECTED, WORKING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.errors import DeskError
from engine.live.desk import LiveDesk
from engine.live.listed import gone_flat, open_at
from engine.live.lost_stops import LIFE_MS
from engine.live.poll import ORPHAN_CODE, holders, is_own
from engine.live.reconcile import AccountReconcile
from engine.live.wakes import woken
from engine.redaction import redacted
from engine.venues.live_port import LiveVenue, StandingOrder
from engine.venues.outcome import NOT_FOUND, NOT_TAKEN

KILLED, INCOMPLETE = "KILLED", "KILL_INCOMPLETE"
OWN_EXITS_S = 10.0  # that the book's own exits have
TRIES_MAX = 10
BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)
LATCH_LOOK_S = 0.05
AGAIN_S = 10.0  # between two looks whether an incomplete halt has become complete
LEFT_MAX = 20
RELEASED = "a person has released it before its end"
CLOSED_LOOK_MS = 2_000


class HaltResult(NamedTuple):
    """How a halt has ended; `left`: what is still there, a line each."""

    state: str
    left: tuple[str, ...]


class AccountHalt:
    """Halts one account. `venues`: its instruments by clients of their own."""

    def __init__(
        self, desk: LiveDesk, venues: Mapping[str, LiveVenue], reconcile: AccountReconcile, look_s: float = LATCH_LOOK_S
    ) -> None:
        self.desk, self.venues, self.reconcile, self.look_s = desk, venues, reconcile, look_s
        self.result: HaltResult | None = None
        self._numbers = 0
        self._closed_ms: dict[str, int] = {}  # instrument -> when the venue has said that an orphan is closed already
        self._again_s = 0.0  # when an incomplete end is looked at again
        self._soon = asyncio.Event()
        self._released: Callable[[], bool] = lambda: False  # of the halt that is under way

    def soon(self) -> None:
        """The latch was set: look now."""
        self._soon.set()

    async def run(self) -> None:
        """Follow the latch: halted once, followed to its end; and orphans are closed."""
        while True:
            await woken(self._soon, self.look_s)
            why = self.desk.latched()
            if why and self.result is None:
                await self.halt(why)
            elif why and self.result is not None and self.result.state == INCOMPLETE:
                await self._look_again(why)
            elif not why:
                self.result = None
            if not why:
                await self.close_orphans()

    async def halt(self, why: str) -> HaltResult:
        """The whole of it. The latch is durable before this is called."""
        usable, latched = self._halt_book(why), bool(self.desk.latched())
        self._released = lambda: latched and not self.desk.latched()
        found = await asyncio.gather(*(self._end(name, usable) for name in self.venues), return_exceptions=True)
        left = [f"{name}: {what}" for name, what in zip(self.venues, found, strict=True) if what]
        if self._released():
            left = left or [RELEASED]
        elif not left and usable and not await self._settled():
            differ = list(self.desk.book.differences.values())
            left = (self.reconcile.unsettled() or differ or ["venue and book could not be compared"])[:LEFT_MAX]
        return self._ended(left, why)

    def _ended(self, left: Sequence[str], why: str) -> HaltResult:
        """How it has ended, journaled and paged."""
        self.result = HaltResult(INCOMPLETE if left else KILLED, tuple(left))
        what = f"halt: {self.result.state}" + (f", left: {'; '.join(left)}" if left else "")
        if self.desk.failed:
            self.desk.page(what)
        else:
            # a person waits for the end of each halt, also of a second one within ten minutes
            self.desk.incident(what, always=True, state=self.result.state, left=list(left), why=why)
        self._again_s = asyncio.get_running_loop().time() + AGAIN_S
        return self.result

    async def _look_again(self, why: str) -> None:
        """What was left may end late, or by a person's hand at the venue: nothing more is tried, and the end is said."""
        clock = asyncio.get_running_loop().time
        if clock() < self._again_s:
            return
        left = [await self._left(name) for name in self.venues]
        self._again_s = clock() + AGAIN_S
        if not any(left) and (self.desk.failed or (await self.reconcile.once() and self.reconcile.settled())):
            self._ended((), why)

    def _halt_book(self, why: str) -> bool:
        """Halt the book, from which cancellations and exits follow. False when the book cannot be used any more."""
        try:
            if self.desk.book.desk.halted == 0:
                self.desk.take("halt", self.desk.halt_body(why))
            return not self.desk.failed
        except Exception:  # noqa: BLE001 - a halt goes on whatever the book, the disk or a number does
            return False

    async def _settled(self) -> bool:
        """Wait until everything agrees twice, the second time by a reading of now."""
        for _ in range(TRIES_MAX):
            if await self.reconcile.once() and self.reconcile.settled():
                return True
            if self._released():
                break
            await asyncio.sleep(1.0)
        return False

    async def _end(self, name: str, usable: bool) -> str:
        """One instrument: what is left of it at the end, "" for nothing."""
        clock = asyncio.get_running_loop().time
        until, what = clock() + (OWN_EXITS_S if usable else 0.0), ""
        while clock() < until and not self._released():
            what = await self._left(name)
            if not what:
                return ""
            await asyncio.sleep(LATCH_LOOK_S if self.look_s < 1.0 else 1.0)
        for attempt in range(1 if self.desk.book.is_gone(name) else TRIES_MAX):
            if self._released():
                return RELEASED
            what = await self._try(name)
            if not what:
                return ""
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
        return what

    async def _left(self, name: str) -> str:
        """What the venue says is there; what cannot be asked is there."""
        try:
            lots, orders = self._own_part(name, (await self.venues[name].position()).lots), await self._own_orders(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no proof of an end
            return self._unsaid(name, error)
        if lots == 0 and not orders:
            return ""
        return f"{lots} lots, {len(orders)} orders"

    def _unsaid(self, name: str, error: Exception) -> str:
        """What is left of an instrument that cannot be asked about: nothing where the venue does not list it and the book is
        flat there; else what nobody can say.
        """
        if gone_flat(self.desk, name):
            return ""
        lots, orders = open_at(self.desk, name)
        if self.desk.book.is_gone(name):
            return f"the venue does not list it; the book has {lots} lots and {orders} orders"
        why = error.what.partition(": ")[0] if isinstance(error, DeskError) else redacted(f"{type(error).__name__}: {error}")
        return f"not known, {why}; the book has {lots} lots and {orders} orders"[:300]

    def _own_part(self, name: str, lots: int) -> int:
        """The lots of the account that are the desk's; a stranger's are not traded."""
        ours = sum(held for _, held in holders(self.desk, name)) + orphan_lots(self.desk.book, name)
        if self.desk.failed:
            return lots
        return 0 if lots * ours <= 0 else min(abs(lots), abs(ours)) * (1 if lots > 0 else -1)

    async def _own_orders(self, name: str) -> Sequence[StandingOrder]:
        return [held for held in await self.venues[name].standing() if is_own(self.desk, held.order)]

    async def _try(self, name: str) -> str:
        """Entries cancelled, position closed, then what protected it cancelled; what is left after it."""
        venue = self.venues[name]
        try:
            standing = await self._own_orders(name)
            await asyncio.gather(*(venue.cancel(as_order(held)) for held in standing if not held.reduce_only))
            lots = self._own_part(name, (await venue.position()).lots)
            if lots:
                await self._close(name, lots, "halt")
            if not self._own_part(name, (await venue.position()).lots):
                await asyncio.gather(*(venue.cancel(as_order(held)) for held in await self._own_orders(name)))
        except Exception as error:  # noqa: BLE001 - one more try, and then a page
            return self._unsaid(name, error)
        return await self._left(name)

    # ---- orders that close what no layer's exit closes ------------------------------------------------------------------------

    async def close_orphans(self) -> None:
        """Executions under our name that the journal does not know are closed, reduce-only; ten tries, then a page."""
        for name in self.venues if not self.desk.probing else ():  # a probe closes what it has opened
            while (lots := orphan_lots(self.desk.book, name)) and not self.desk.failed:
                tries = self.desk.book.orphans[name]["tries"]
                if tries >= TRIES_MAX:
                    self.desk.incident(f"{name}: {lots} lots that no order explains could not be closed in {TRIES_MAX} tries")
                    break
                await asyncio.sleep(BACKOFF_S[min(tries - 1, len(BACKOFF_S) - 1)] if tries else 0.0)
                if await self._is_closed_already(name):
                    break
                await self._close(name, lots, "orphan")
                await self.reconcile.polls[name].look()

    async def _is_closed_already(self, name: str) -> bool:
        """Whether the venue holds what the sleeves hold and no more: then the execution that closed the orphan is not listed yet,
        and one more order would close a sleeve's lots. Asked every other second, since a latch is looked at far more often.
        """
        now = self.desk.now_ms()
        if now - self._closed_ms.get(name, -CLOSED_LOOK_MS) < CLOSED_LOOK_MS:
            return True
        try:
            lots = (await self.venues[name].position()).lots
        except Exception:  # noqa: BLE001 - what the venue does not say is no proof
            return False
        if lots != sum(held for _, held in holders(self.desk, name)):
            return False
        self._closed_ms[name] = now
        return True

    async def _close(self, name: str, lots: int, why: str) -> None:
        """One reduce-only order at the market, journaled before it is sent, followed until it has ended."""
        self._numbers += 1
        tries = self.desk.book.orphans.get(name, {}).get("tries", 0)
        id_ = f"nd{ORPHAN_CODE}{self.desk.now_ms() // 1000 % 10**8:08d}F{self._numbers % 100:02d}"
        order = VenueOrder(id_, 0, EXIT_SLOT, 0, -1 if lots > 0 else 1, abs(lots), 0.0, 0, 0, 0.0, 0.0, self.desk.now_ms())
        if not self.desk.failed:
            body = {"what": "close", "order": id_, "instrument": name, "side": order.side, "lots": order.lots}
            self.desk.take("orphan", body | {"why": why, "try": tries + 1})
        answer = await self.venues[name].place(order)
        until = asyncio.get_running_loop().time() + LIFE_MS / 1000
        while answer.state not in (DONE, REJECTED) and answer.outcome != NOT_TAKEN and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(BACKOFF_S[0] if answer.state == WORKING else BACKOFF_S[1])
            answer = await self.venues[name].ask(order)
            if answer.outcome == NOT_FOUND and why == "halt":
                break  # the position says what became of it: reduce-only, a second one cannot turn it


def as_order(held: StandingOrder) -> VenueOrder:
    """A standing order as the port takes it to cancel it."""
    slot = PROTECTIVE if held.conditional else EXIT_SLOT if held.reduce_only else ENTRY
    return VenueOrder(held.order, 0, slot, 0, held.side, held.lots, held.price, 0, 0, 0.0, 0.0, 0, filled=held.filled_lots)
