"""While a maker quotes: does its account hold what its journal says, and no order but its own?

Called by app/making/account.py.
"""

import asyncio
from collections import deque

from app.making.executions import MakerExecutions
from app.making.requests import MakerRequests
from app.making.starting import order_text
from engine.errors import DataError
from engine.live.halt import as_order
from engine.making.fold import is_own
from engine.venues.live_port import LiveVenue

EVERY_S, AGAIN_S = 20.0, 5.0  # between two comparisons; after one that was not equal
BEHIND_MS = 60_000  # for so long REST may show what was before
TIMES = 3  # not equal in a row: it is so


class MakerComparison:
    """Position and orders of the account against the journal, again and again. What REST shows late was so within a minute."""

    def __init__(self, venue: LiveVenue, executions: MakerExecutions, requests: MakerRequests) -> None:
        self.venue, self.executions, self.requests = venue, executions, requests
        self.unequal, self.why, self.equal_ms = 0, "", 0
        self._were: deque[tuple[int, int]] = deque(maxlen=4_000)  # (ms, inventory) that was

    def moved(self) -> None:
        """Inventory may have changed."""
        self._were.append((self._now_ms(), self.executions.journal.book.inventory))

    async def run(self) -> None:
        """Compare again and again; what is wrong is said to who stops the maker."""
        while True:
            await asyncio.sleep(AGAIN_S if self.unequal else EVERY_S)
            await self.once()
            if self.unequal >= TIMES:
                self.executions.on_wrong(self.why)

    async def once(self) -> bool:
        """One comparison; False where it was not equal, or the venue did not say."""
        try:
            standing, lots = await self.venue.standing(), (await self.venue.position()).lots
        except DataError:
            return False
        book, now = self.executions.journal.book, self._now_ms()
        strangers = [held for held in standing if not is_own(book, held.order)]
        left = [held for held in standing if is_own(book, held.order) and held.order not in book.orders.open]
        were = {book.inventory} | {inventory for t_ms, inventory in self._were if now - t_ms <= BEHIND_MS}
        if strangers:
            self.why = f"an order that is not the maker's: {order_text(strangers[0])}"
        elif lots not in were:
            self.why = f"the account holds {lots} lots, the maker's journal {book.inventory}"
        elif left:
            self.why = f"an order of the maker that has ended still stands: {order_text(left[0])}"
        else:
            self.why, self.unequal = "", 0
            self.equal_ms = now if lots == book.inventory else self.equal_ms
            return True
        self.unequal += 1
        if left and self.unequal > 1:
            await asyncio.gather(*(self.venue.cancel(as_order(held)) for held in left))
        return False

    def _now_ms(self) -> int:
        return self.executions.now_ns() // 1_000_000
