"""A maker's executions, by REST, on a cursor of its own: each booked once by the venue's id, whatever the stream has said or not.

Called by app/making/account.py. The private stream and what orders say wake it at once; else it looks every two seconds, twice a
second while the stream is away. The cursor moves on once everything before it is booked. What no order of the maker explains is a
stranger's: it is journaled and moves nothing of the maker's.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from engine.live.poll import BACK_EVERY_MS, SLACK_MS
from engine.live.wakes import woken
from engine.making.at_account import explains, fill_said
from engine.making.paper import PaperJournal
from engine.redaction import redacted
from engine.venues.live_port import LiveVenue, VenueTrade

EVERY_S, AWAY_S = 2.0, 0.5  # between two looks
LEAST_S = 0.05  # whatever wakes it: venues count requests


class MakerExecutions:
    """What the venue lists as executed. Before the maker runs it books into the journal alone; `maker` then has each fill."""

    def __init__(self, venue: LiveVenue, journal: PaperJournal, now_ns: Callable[[], int]) -> None:
        self.venue, self.journal, self.now_ns = venue, journal, now_ns
        self.booked: Callable[[VenueTrade], str] = self._journaled  # takes an own execution; why it is wrong, or ""
        self.on_wrong: Callable[[str], None] = lambda _why: None
        self.on_look: Callable[[], None] = lambda: None  # something was booked
        self.missing_since: Callable[[], int] = lambda: 0  # when the oldest order was decided of which executions are missing, ms
        self.stream_is_there: Callable[[], bool] = lambda: False
        self.read_ms = 0  # when they were last read, up to the end
        self.why_not = ""  # why the last look brought nothing
        self.announced: dict[str, int] = {}  # by the stream, not booked yet -> since when, ms
        self._wake, self._one_at_a_time = asyncio.Event(), asyncio.Lock()
        self._cursors: deque[tuple[int, str]] = deque(maxlen=64)
        self._back_ms = 0

    def wake(self) -> None:
        """There may be something: look now."""
        self._wake.set()

    def announce(self, trade: str) -> None:
        """The stream names an execution."""
        if trade not in self.journal.book.trades and trade not in self.journal.book.strangers:
            self.announced.setdefault(trade, self._now_ms())
        self.wake()

    def silent_ms(self) -> int:
        """For how long it is not known what was executed: nothing could be read, or what was announced is not listed."""
        now = self._now_ms()
        return max([now - self.read_ms if self.why_not else 0, *(now - since for since in self.announced.values())])

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await woken(self._wake, EVERY_S if self.stream_is_there() else AWAY_S)
            await asyncio.sleep(LEAST_S)

    async def look(self) -> bool:
        """One round: read what is new, and book it. False where the venue did not say."""
        async with self._one_at_a_time:
            return await self._look()

    async def _look(self) -> bool:
        began, cursor = self._now_ms(), self.journal.book.cursor
        try:
            if cursor is None:  # what was executed before the maker began is not its own
                _, cursor = await self.venue.trades("")
                self._move_to(cursor)
            missing = self.missing_since()
            if missing and began - self._back_ms >= BACK_EVERY_MS:
                self._back_ms = began
                await self._read_back(missing - SLACK_MS)
            trades, after = await self.venue.trades(cursor)
        except Exception as error:  # noqa: BLE001 - a row that cannot be read is as good as none: nothing is assumed of it
            self.why_not = redacted(str(error))[:200]
            return False
        for trade in trades:
            self._take(trade)
        if after != cursor:
            self._move_to(after)
            self._cursors.append((began, cursor))
        self.read_ms, self.why_not = began, ""
        if trades:
            self.on_look()
        return True

    async def _read_back(self, since_ms: int) -> None:
        """Once more from a cursor of before what is missing: a list may have left some out."""
        old = next((cursor for t_ms, cursor in reversed(self._cursors) if t_ms < since_ms), None)
        if old is None and self._cursors:
            old = self._cursors[0][1]
        if old is not None:
            for trade in (await self.venue.trades(old))[0]:
                if trade.t_ms >= since_ms:
                    self._take(trade)

    def _take(self, trade: VenueTrade) -> None:
        """One execution: the maker's, or a stranger's."""
        book = self.journal.book
        self.announced.pop(trade.trade, None)
        if trade.trade in book.trades or trade.trade in book.strangers:
            return
        if explains(book, trade):
            if why := self.booked(trade):
                self.on_wrong(why)
            return
        body = {"what": "execution", "id": trade.trade, "order": trade.order or trade.venue_id, "side": trade.side}
        about = {"lots": trade.lots, "price": trade.price, "t_ms": trade.t_ms}
        self.journal.write([("stranger", {"t_ns": self.now_ns(), **body, **about})], sync=True)
        self.on_wrong(f"an execution that is not the maker's: {trade.side * trade.lots} lots at {trade.price}")

    def _journaled(self, trade: VenueTrade) -> str:
        """Before the maker runs."""
        self.journal.write([fill_said(self.journal.book, trade, self.now_ns())], sync=True)
        return ""

    def _move_to(self, cursor: str) -> None:
        self.journal.write([("cursor", {"t_ns": self.now_ns(), "cursor": cursor})], sync=False)

    def _now_ms(self) -> int:
        return self.now_ns() // 1_000_000
