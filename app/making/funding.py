"""The settlements of funding that a maker is due: those recorded within a tape, and those that a venue lists as they happen.

Called by app/cli/making.py, making_paper.py and live.py. What is booked of them is engine/making/funding.py.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import polars as pl

from engine.control.desk_setup import DeskSetup
from engine.data.align import settlements
from engine.data.loading import policy_of
from engine.errors import BadInput, DeskError
from engine.l2.tape import BookTape
from engine.making.funding import HOUR_NS, Settlement, due_within, funded
from engine.making.paper import PaperMaker
from engine.making.resting import MIDDLE2
from engine.making.stored import JOURNAL
from engine.store.journal import read
from engine.venues.candles import CandleSource
from engine.venues.instruments import instrument_of

MINUTE_NS = 60_000_000_000
LISTED_NS = 60_000_000_000  # behind a settlement: a venue has listed it


def settlements_in(tape: BookTape, funding: str, setup: DeskSetup) -> tuple[Settlement, ...]:
    """Those within a tape, by the policy of a backtest: recorded, none, assume=BPS. Spot has none.

    Raises BadInput for another policy, DataError where one is due and none is recorded.
    """
    policy, begin, end = policy_of(funding), int(tape.recv_ns[0]), int(tape.recv_ns[-1])
    if tape.market != "perp":
        return ()
    try:
        hours = instrument_of(tape.venue, tape.symbol, tape.market, setup.overrides).funding_hours
    except BadInput:
        hours = 1
    if not due_within(begin, end, hours):
        return ()
    catalog, name = setup.catalog(), f"{tape.venue}:{tape.symbol}:perp"
    minutes = pl.DataFrame({"ts": [-(-begin // MINUTE_NS) * 60_000, end // MINUTE_NS * 60_000]})
    found = settlements(name, minutes, catalog.funding(tape.venue, tape.symbol), policy, 60_000)
    marks = catalog.marks(tape.venue, tape.symbol)
    at = {} if marks is None else dict(marks.filter(pl.col("ts").is_in(found["ts"].to_list())).select("ts", "open").iter_rows())
    return tuple(Settlement(ts * 1_000_000, rate, _mark(at.get(ts))) for ts, rate in found.iter_rows())


def _mark(price: float | None) -> float:
    return price if price is not None and 0.0 < price < float("inf") else 0.0


def lots_at(folder: Path, t_ns: int) -> int:
    """What a maker's journal held at a time, with its side."""
    fills = (event.body for event in read(folder / JOURNAL, {"fill"}))
    return sum((1 if body["side"] == "buy" else -1) * body["lots"] for body in fills if body["t_ns"] <= t_ns)


def middle_of(maker: PaperMaker) -> float:
    """The last middle that a maker has seen, quote currency; 0 before it."""
    return float(maker.scale.price(int(maker.work.maker.tally[MIDDLE2]) / 2.0))


class LiveFunding:
    """Settlements of a perpetual while a maker is on paper at its live book: the venue's rate, on what was held at that time."""

    def __init__(self, source: CandleSource, unified: str, folder: Path, now_ns: Callable[[], int]) -> None:
        self._source, self._unified, self._folder, self._now_ns = source, unified, folder, now_ns
        self._middles: dict[int, float] = {}  # whole hour, ns -> the middle then
        self._hour = now_ns() // HOUR_NS

    def advance(self, maker: PaperMaker, now_ns: int) -> None:
        """Take the maker up to a time, by way of a whole hour, whose middle a settlement needs."""
        if (hour := now_ns // HOUR_NS) > self._hour:
            self._hour = hour
            maker.advance(hour * HOUR_NS)
            self._middles[hour * HOUR_NS] = middle_of(maker)
        maker.advance(now_ns)

    async def run(self, maker: PaperMaker, say: Callable[[str], None]) -> None:
        """Look at once, a minute behind each whole hour, and again each minute while the venue does not say."""
        looked, why = 0, ""
        while True:
            hour = (self._now_ns() - LISTED_NS) // HOUR_NS
            if hour > looked:
                try:
                    await self.look(maker)
                    looked, why = hour, ""
                except DeskError as error:
                    if error.what != why:
                        say(f"funding is not booked yet: {error.what}")
                    why = error.what
            await asyncio.sleep(MINUTE_NS / 1e9)

    async def look(self, maker: PaperMaker) -> None:
        """Book what the venue has settled since the maker began, each once. Raises DataError where it does not say."""
        book, now_ns = maker.journal.book, self._now_ns()
        since_ms = max([book.begun["t_ns"] // 1_000_000 + 1, *(t_ms + 1 for t_ms in book.bills.values())])
        for t_ms, rate in sorted((await self._source.settlements(self._unified, since_ms)).items()):
            t_ns = t_ms * 1_000_000
            if since_ms <= t_ms and t_ns <= now_ns:
                middle = self._middles.get(t_ns) or middle_of(maker)  # of a time without a process: the next that is known
                paid = funded(maker.scale, lots_at(self._folder, t_ns), Settlement(t_ns, rate), middle)
                maker.fund_at(paid, self._now_ns())
