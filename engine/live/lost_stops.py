"""Stops that are not there though they should be, and when each goes out again, under the same id.

Called by engine.live.desk where a question finds nothing, and by health.py. What was acknowledged has arrived, so nothing of it
is still on its way: it is there and REST is late, or it is lost. The same id decides: a venue that has it refuses, and one
that has lost it takes it. One that was moved is left out: its first id may be free again (Binance). Decision 0127.

What was not acknowledged and went out again may arrive once more. While it can, it is not cancelled, since an order that has
ended frees its id, and no other stop takes its place beside it. Decision 0134.
"""

import asyncio
from collections.abc import Collection
from collections.abc import Set as AbstractSet

from engine.book import attached
from engine.core.orders import CANCELLING, ENDED, STANDING, UNKNOWN, VenueOrder, find
from engine.core.state import PROTECTIVE
from engine.live.last_guards import LOOKS_S, GuardedDesk, stops_of, why_not_leave

LIFE_MS = 35_000  # a request that was sent longer ago than this can no longer arrive: OKX signs for 30 s, the others for less
PAUSES_MS = (2_000, 3_000, 5_000)  # after it was sent, before it goes out the n-th time again; the last one goes on


class LostStops:
    """Of one account, by client id."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}  # how often the venue has acknowledged it and not known it then
        self._needed: set[str] = set()  # attached stops that were not there when they were needed: each goes out once by itself
        self._late_ms: dict[str, int] = {}  # those that went out again -> until when the request before may still arrive
        self.unsent: set[str] = set()  # orders of any kind that wait here to be tried again

    def __contains__(self, id_: str) -> bool:
        """Whether its acknowledgement has been in vain: the next one counts for nothing until the venue has shown it."""
        return id_ in self._times

    def note(self, order: VenueOrder) -> None:
        """The venue does not know an order that it has never shown."""
        if order.slot == PROTECTIVE and order.state in STANDING and max(order.filled, order.reported) == 0:
            self._times[order.id] = self._times.get(order.id, 0) + 1

    def keep(self, ids: AbstractSet[str]) -> None:
        """Those that are open and were not shown; the others are not lost."""
        self._times = {id_: times for id_, times in self._times.items() if id_ in ids}

    def goes_again(self, desk: GuardedDesk, order: VenueOrder, sent_ms: int) -> bool:
        """Whether a stop that is not there, and was sent last at `sent_ms`, goes out again now: while what it covers is there."""
        if self._is_needed(desk, order):
            return True
        if order.id not in self._times or order.state not in (UNKNOWN, *STANDING):
            return False
        if not order.attached and why_not_leave(desk, order):
            return False
        return desk.now_ms() - sent_ms >= PAUSES_MS[min(self._times[order.id], len(PAUSES_MS)) - 1]

    def note_again(self, order: VenueOrder, sent_ms: int) -> None:
        """It goes out again; the request before it had left by `sent_ms`."""
        if order.id not in self._times:
            late = {id_: until_ms for id_, until_ms in self._late_ms.items() if until_ms > sent_ms}
            self._late_ms = late | {order.id: sent_ms + LIFE_MS}

    def late_ms(self, id_: str, now_ms: int) -> int:
        """For how long an earlier request of this order may still arrive; 0: not any more."""
        return max(self._late_ms.get(id_, 0) - now_ms, 0)

    async def held_back(self, order: VenueOrder, wait_s: float) -> None:
        """Wait before one more order of its kind. Entries wait for it, but it has not left, so it explains no difference."""
        self.unsent.add(order.id)
        try:
            await asyncio.sleep(wait_s)
        finally:
            self.unsent.discard(order.id)

    async def alone(self, desk: GuardedDesk, order: VenueOrder) -> None:
        """Wait until no attached stop that may arrive once more covers the layer of a stop: both could fire before one ends."""
        if order.slot != PROTECTIVE or not self._late_ms:
            return
        desk.waiting.add(order.id)
        try:
            while any(self._covers_late(desk, stop) for stop in stops_of(desk, order)):
                await asyncio.sleep(LOOKS_S)
        finally:
            desk.waiting.discard(order.id)

    def _covers_late(self, desk: GuardedDesk, stop: VenueOrder) -> bool:
        """Whether an attached stop covers its layer and may not be cancelled yet, or has fired and is not booked."""
        if not stop.attached or stop.filled:
            return False
        return stop.reported > 0 or (stop.state in (*STANDING, CANCELLING) and self.late_ms(stop.id, desk.now_ms()) > 0)

    def _is_needed(self, desk: GuardedDesk, order: VenueOrder) -> bool:
        """Whether an attached stop goes out by itself, once: its entry has filled what could not be booked."""
        entry = find(desk.book.orders, attached.entry_id(order.id)) if order.attached else None
        if entry is None or attached.unread_lots(desk.book, entry) == 0 or order.id in self._needed:
            return False
        self._needed.add(order.id)
        return True


def withdraw_spent(desk: GuardedDesk, missing: Collection[str]) -> None:
    """End the attached stops of entries whose lots have left before they were booked: one that does more than reduce would open
    a position. `missing`: orders that say more than is booked. Decision 0150.
    """
    open_ = desk.book.orders.open
    for stop in [order for order in open_.values() if order.attached and attached.may_end(order)]:
        entry = open_.get(attached.entry_id(stop.id))
        if entry is None or entry.state not in ENDED or entry.id not in missing:
            continue
        if not attached.unread_lots(desk.book, entry):
            desk.take("lapse", {"order": stop.id, "why": "what it covered has left, in executions that are not listed yet"})
