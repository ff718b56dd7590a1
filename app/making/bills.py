"""A maker's funding at its account: the venue's bills, read as a desk reads them, each booked once by its id.

Called by app/making/account.py. A bill may be listed hours late: what was billed before the newest one is read again. A position
that the maker had over a stop is billed in the meantime, too.
"""

import asyncio
from collections.abc import Callable

from engine.live.bills import BACK_MS
from engine.live.poll import BILL_MINUTES
from engine.making.paper import PaperJournal, funding_said
from engine.redaction import redacted
from engine.venues.live_port import LiveVenue, VenueBill

LOOK_S = 15.0


class MakerBills:
    """The settlements of one account. Before the maker runs they are journaled alone; `booked` then has each."""

    def __init__(self, venue: LiveVenue, journal: PaperJournal, now_ns: Callable[[], int]) -> None:
        self.venue, self.journal, self.now_ns = venue, journal, now_ns
        self.booked: Callable[[VenueBill], None] = self._journaled
        self.why_not = ""  # why the last look brought nothing
        self._billed = 0  # the quarter of an hour that was looked at

    async def run(self) -> None:
        """Look four times an hour, and again while the venue does not say."""
        while True:
            minute = self.now_ns() // 60_000_000_000
            mark = minute // 60 * 60 + max((m for m in BILL_MINUTES if m <= minute % 60), default=0)
            if mark != self._billed and await self.look():
                self._billed = mark
            await asyncio.sleep(LOOK_S)

    async def look(self) -> bool:
        """Book what is new since the maker began. False where the venue did not say."""
        book = self.journal.book
        begun_ms = book.begun["t_ns"] // 1_000_000
        since_ms = max(begun_ms, max(book.bills.values(), default=0) - BACK_MS)
        try:
            bills = await self.venue.bills(since_ms)
        except Exception as error:  # noqa: BLE001 - a row that cannot be read is as good as none: it is asked for again
            self.why_not = redacted(str(error))[:200]
            return False
        for bill in bills:
            if bill.bill not in self.journal.book.bills and bill.t_ms >= begun_ms:
                self.booked(bill)
        self.why_not = ""
        return True

    def _journaled(self, bill: VenueBill) -> None:
        self.journal.write([funding_said(bill.bill, bill.t_ms, bill.cash, self.now_ns())], sync=True)
