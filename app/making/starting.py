"""Before a maker quotes at its account: what an earlier process left is cancelled, what was filled is booked, both sides agree.

Called by app/making/account.py at every start. An account with an order or a position that the maker's journal does not explain
is refused, with the difference. A request of the process before may still arrive for half a minute: that is waited for.
"""

import asyncio
from collections.abc import Callable

from app.making.executions import MakerExecutions
from app.making.requests import answered
from engine.core.orders import DONE, ENDED, REJECTED, UNKNOWN, VenueOrder
from engine.errors import DataError, DeskError, Refused
from engine.live.halt import as_order
from engine.live.lost_stops import LIFE_MS
from engine.making.fold import is_own
from engine.making.paper import PaperJournal
from engine.venues.live_port import LiveVenue, StandingOrder
from engine.venues.outcome import NOT_FOUND

START_S = 120.0  # for all of it
AGAIN_S = 1.0
EQUAL_TIMES = 2


class MakerStart:
    """One start of one maker."""

    def __init__(self, venue: LiveVenue, executions: MakerExecutions, say: Callable[[str], None]) -> None:
        self.venue, self.executions, self._say = venue, executions, say
        self.journal: PaperJournal = executions.journal
        self._differences = 0  # comparisons in which the position was another

    async def settled(self) -> int:
        """Bring account and journal together; the position, lots. Raises Refused with what differs, DataError where the venue
        does not say.
        """
        until, why, equal = asyncio.get_running_loop().time() + START_S, "", 0
        while equal < EQUAL_TIMES:
            if asyncio.get_running_loop().time() >= until:
                raise DataError(f"the account could not be compared in {START_S:g} s: {why}", "start it again: it goes on")
            try:
                before = why
                why = await self._once()
            except DeskError as error:
                if isinstance(error, Refused):
                    raise
                why = error.what
            equal = 0 if why else equal + 1
            if why and why != before:
                self._say(f"before it quotes: {why}")
            if equal < EQUAL_TIMES:
                await asyncio.sleep(AGAIN_S)
        lots = self.journal.book.inventory
        self.journal.write([("compared", {"t_ns": self.executions.now_ns(), "lots": lots})], sync=True)
        return lots

    async def _once(self) -> str:
        """One round; what keeps it from being equal, "" for nothing. Raises Refused for what waiting does not change."""
        if not await self.executions.look():
            return f"executions: {self.executions.why_not}"
        await self._end_those_of_before()
        standing = await self.venue.standing()
        if strangers := [held for held in standing if not is_own(self.journal.book, held.order)]:
            what = f"the account has {len(strangers)} orders that are not the maker's: {order_text(strangers[0])}"
            raise Refused(what, "cancel them at the venue, or give the maker an account of its own")
        await asyncio.gather(*(self.venue.cancel(as_order(held)) for held in standing))
        if standing:
            return f"{len(standing)} orders of the process before are being cancelled"
        if waiting := list(self.journal.book.orders.open):
            return f"{waiting[0]} is in doubt: the request of the process before may still arrive"
        return await self._compared()

    async def _compared(self) -> str:
        """Position and inventory."""
        lots, held = (await self.venue.position()).lots, self.journal.book.inventory
        if not await self.executions.look():
            return f"executions: {self.executions.why_not}"
        if lots == self.journal.book.inventory:
            return ""
        if held != self.journal.book.inventory:
            return "an execution was listed meanwhile"
        self._differences += 1
        what = f"the account holds {lots} lots, the maker's journal {held}"
        begins = not self.journal.book.intents  # then nothing of it can be on its way
        if begins or self._differences * AGAIN_S * 1000 >= LIFE_MS:  # REST may be behind for so long
            hint = "close the difference at the venue, or take it up: nightdesk making adopt NAME"
            raise Refused(f"no maker starts: {what}", hint)
        return what

    async def _end_those_of_before(self) -> None:
        """Cancel and ask every order that the journal has open; end it by the venue's word."""
        for order in list(self.journal.book.orders.open.values()):
            answer = await answered(order, self.venue.cancel(order))
            if answer.outcome == NOT_FOUND and answer.state == UNKNOWN:
                answer = await answered(order, self.venue.ask(order))
            gone = answer.outcome == NOT_FOUND and self._now_ms() - order.decided_ms >= LIFE_MS
            if answer.state in ENDED and answer.filled_lots > self._filled(order):
                self.executions.wake()
            elif answer.state in ENDED or gone:
                never = answer.state == REJECTED or (gone and not self._filled(order))
                self._end(order, REJECTED if never else DONE, answer.why or "its process ended")

    def _filled(self, order: VenueOrder) -> int:
        now = self.journal.book.orders.open.get(order.id)
        return order.lots if now is None else now.filled

    def _end(self, order: VenueOrder, state: str, why: str) -> None:
        body = {"t_ns": self.executions.now_ns(), "order": order.id, "state": state, "why": why[:200]}
        self.journal.write([("order", body)], sync=True)

    def _now_ms(self) -> int:
        return self.executions.now_ns() // 1_000_000


def order_text(held: StandingOrder) -> str:
    """An order of the venue's list in words."""
    side = "buy" if held.side > 0 else "sell"
    return f"{side} {held.lots} lots at {held.price}, {held.order or held.venue_id}"
