"""Money that moves in and out of an account beside its trades, by the venue's bills: journaled once each, by bill id.

A duty of engine.live.desk, for the whole account; any instrument's adapter can answer for it. What was moved before the desk
first looked is no part of it. A bill may be listed late or out of order, so each look begins a day before the last one.
"""

import asyncio

from engine.book.bodies import CASH
from engine.book.transfers import READ_FROM, UNKNOWN, explained
from engine.errors import DataError
from engine.live.desk import LiveDesk
from engine.redaction import redacted
from engine.venues.gone import GoneVenue
from engine.venues.live_port import VenueTransfer

EVERY_S = 300.0
BACK_MS = 86_400_000  # how late a bill may be listed
STEP_MS = 43_200_000  # by which the cursor is moved on
AHEAD_MS = 3_600_000  # of the venue's clock before ours, at most
SILENT_LOOKS = 12  # in a row that brought nothing: a page
SHORT = 0.01  # quote units


class AccountTransfers:
    """The bills of the account of `desk`. `read` is one look; `run` goes on for ever."""

    def __init__(self, desk: LiveDesk) -> None:
        self.desk = desk
        self.failures = 0  # looks in a row that brought nothing

    def begin(self) -> None:
        """At the first start: what is moved from now on is read."""
        if READ_FROM not in self.desk.book.cursors:
            self._read_from(self.desk.now_ms())

    async def run(self) -> None:
        """Look each five minutes. A venue that does not answer is asked again; after an hour a person is paged."""
        while not self.desk.failed:
            try:
                await self.read()
                self.failures = 0
            except DataError as error:
                self.failures += 1
                if self.failures == SILENT_LOOKS:
                    what = f"transfers of the account could not be read for an hour: {redacted(error.what)[:200]}"
                    self.desk.incident(f"{what}; a deposit or a withdrawal meanwhile is not counted")
            await asyncio.sleep(EVERY_S)

    async def read(self) -> None:
        """Book what is new. Raises DataError."""
        book, began = self.desk.book, self.desk.now_ms()
        since = int(book.cursors.get(READ_FROM, began))
        venues = [*self.desk.venues.values()]
        venue = next((venue for venue in venues if not isinstance(venue, GoneVenue)), venues[0])
        found = [transfer for transfer in await venue.transfers(since) if transfer.t_ms >= since]
        if any(transfer.t_ms > began + AHEAD_MS for transfer in found):
            raise DataError("a bill of the account is of a time to come", "nothing is assumed of it; compare the clocks")
        for transfer in found:
            if transfer.bill not in self.desk.book.transfers.get("bills", {}):
                self._booked(transfer)
        if began - BACK_MS >= since + STEP_MS:
            self._read_from(began - BACK_MS)

    def _read_from(self, t_ms: int) -> None:
        self.desk.take("cursor", {"instrument": READ_FROM, "cursor": str(t_ms)})

    def _booked(self, transfer: VenueTransfer) -> None:
        """Journal it; page for what nobody knows, and for what leaves the account with less than its sleeves count on."""
        self.desk.take("transfer", transfer._asdict())
        if transfer.kind == UNKNOWN:
            what = f"the account's cash was moved by {transfer.cash:+,.2f} by a bill of an unknown type, {transfer.word}"
            self.desk.incident(f"{what}; it counts as unexplained: compare the venue's bills", bill=transfer.bill)
        first, moved = self.desk.book.cursors.get(CASH), explained(self.desk.book)
        if transfer.cash < 0 and first is not None and float(first) + moved < -SHORT:
            short = -(float(first) + moved)
            what = f"{-transfer.cash:,.2f} left the account, which has {short:,.2f} less than its sleeves count on"
            self.desk.incident(f"{what}: an order may be refused for margin; put it back, or pause a sleeve", bill=transfer.bill)
