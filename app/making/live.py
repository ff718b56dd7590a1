"""A maker on paper at a live book: beside the recorder, fed by what it receives, at the recorder's receive times.

Called by `nightdesk making paper --venue`. The maker's clock is a little behind, so that a simulation of the recorded tape has
the same events in the same order. What rests at the paper venue ends with the process; money and inventory go on.
"""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from app.home.written import alone_in
from app.making.funding import LiveFunding
from app.making.paper import LOOK_S, STORE_S, PaperTerms, Surroundings, code_hash, head_of, require_same, running
from app.making.storing import store
from app.market_data.book_recorder import BookRequest, BookSession, record_books
from engine.errors import DataError, Refused
from engine.l2.tape import DIGITS_MAX, Scale
from engine.making.fold import PaperBook
from engine.making.live_tape import FILLS_ROOM, ORDERS_ROOM, LiveTape, rule_at
from engine.making.paper import PaperJournal, PaperMaker
from engine.making.picture import MakerPicture
from engine.making.resting import ENTRIES, FILLS
from engine.making.simulation import loop_of, terms_of
from engine.making.stored import JOURNAL, LOCK, ON_BOOK, folder_of

POINT_S = 1.0  # between two points of the picture


def steady_ns() -> Callable[[], int]:
    """A clock that begins at wall time and is never put back: a maker's stale book must be found out."""
    wall, mono = time.time_ns(), time.monotonic_ns()
    return lambda: wall + time.monotonic_ns() - mono


def market_scale(market: dict[str, Any]) -> Scale:
    """Decimals and tick of an instrument as its venue lists it, quantities in base units. Raises DataError without them."""
    try:
        tick = Decimal(str(market["precision"]["price"])).normalize()
        lot = (Decimal(str(market["precision"]["amount"])) * Decimal(str(market.get("contractSize") or 1))).normalize()
        digits = [max(0, -int(step.as_tuple().exponent)) for step in (tick, lot)]
        if not (tick > 0 and lot > 0 and max(digits) <= DIGITS_MAX):
            raise ValueError(f"a tick of {tick} and a lot of {lot}")
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the venue does not say the grid of {market.get('symbol')}: {error}"[:200]) from error
    return Scale(digits[0], digits[1], int(tick.scaleb(digits[0])))


def start_of(request: BookRequest, scale: Scale, terms: PaperTerms) -> dict[str, Any]:
    """The body of the journal's start but for its time: what must be the same in every session."""
    source = {"venue": request.venue, "symbol": request.symbols[0], "market": request.market}
    return {
        "kind": ON_BOOK,
        "scale": list(scale),
        "source": source,
        "options": terms.options._asdict(),
        "fees_frac": terms.fees._asdict(),
    }


class LiveMaker:
    """A maker beside one recording."""

    def __init__(self, home: Path, request: BookRequest, terms: PaperTerms, around: Surroundings) -> None:
        self.folder, self.request, self.terms, self.around = folder_of(home, terms.name), request, terms, around
        self.body: dict[str, Any] = {}
        self._advance: Callable[[int], None] | None = None

    async def beside(self, session: BookSession) -> None:
        """Make until cancelled: the recording has ended, or its command was stopped."""
        market = session.client.market(session.unified[0])
        scale = market_scale(market)
        journal = PaperJournal(self.folder / JOURNAL, code_hash(), self.around.now_ms, again=False)
        try:
            start = start_of(self.request, scale, self.terms)
            first = journal.first
            require_same(journal, start | {"t_ns": first["t_ns"] if first else 0}, self.terms.name)
            terms = terms_of(scale, self.terms.options, self.terms.fees.maker_frac)
            tape = LiveTape(scale, rule_at(self.request.venue, self.request.market), terms, journal.book)
            session.recorders.on_take = tape.add
            while not tape.begun_ns:
                await self.around.sleep(LOOK_S)
            await self._make(session, tape, journal, start)
        finally:
            session.recorders.on_take = lambda _recv_ns, _push: None
            journal.close()

    async def _make(self, session: BookSession, tape: LiveTape, journal: PaperJournal, start: dict[str, Any]) -> None:
        """From the first message on."""
        if journal.first is None:
            start = start | {"t_ns": tape.begun_ns}
            journal.write([("start", start)], sync=True)
        else:
            start = dict(journal.first)
            journal.write([("session", {"t_ns": tape.begun_ns, "gone": sorted(journal.book.orders.open)})], sync=True)
        maker = PaperMaker(tape.work, tape.scale, journal, loop_of(compiled=True), self.around.latch)
        picture = self._picture(tape, journal.book, start)
        works = []
        if self.request.market == "perp":
            funding = LiveFunding(session.source, session.unified[0], self.folder, session.now_ns)
            self._advance = partial(funding.advance, maker)
            works = [asyncio.create_task(funding.run(maker, self.around.say))]
        try:
            await self._go_on(session, maker, picture, start)
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            gone = sorted(journal.book.orders.open)
            maker.end("its process ended", {**maker.figures(), "gone": gone})
            self._store(maker, picture, start, "stopped")

    def _picture(self, tape: LiveTape, book: PaperBook, start: dict[str, Any]) -> MakerPicture:
        """What is drawn, beginning with the figures of earlier sessions."""
        before = (book.inventory, book.cash_units, round(book.sleeve.ledger.traded / tape.work.terms.money))
        return MakerPicture(tape.scale, start["t_ns"], self.terms.fees.rebate_frac, before)

    async def _go_on(self, session: BookSession, maker: PaperMaker, picture: MakerPicture, start: dict[str, Any]) -> None:
        """Make, draw and store, for ever. Raises DataError where a session has no room for more orders."""
        drawn_s = stored_s = self.around.now_s()
        tally = maker.work.maker.tally
        while True:
            await self._until_due()
            now_ns = session.now_ns() - 1  # what comes at this very time may not have come yet
            self._advance(now_ns) if self._advance else maker.advance(now_ns)
            now_s = self.around.now_s()
            if now_s - drawn_s >= POINT_S:
                drawn_s = now_s
                picture.funding = maker.journal.book.sleeve.ledger.funding
                picture.look(maker.work, now_ns)
            if now_s - stored_s >= STORE_S:
                stored_s = now_s
                self._store(maker, picture, start, "running")
            if tally[ENTRIES] >= ORDERS_ROOM - 2 or tally[FILLS] >= FILLS_ROOM - 4:
                raise DataError(f"{ORDERS_ROOM:,} orders in one session", "start it again: it goes on from its journal")

    async def _until_due(self) -> None:
        """Until the maker has something to look at."""
        await self.around.sleep(LOOK_S)

    def _about(self, _maker: PaperMaker) -> dict[str, Any]:
        """What else is shown of it."""
        return {}

    def _store(self, maker: PaperMaker, picture: MakerPicture, start: dict[str, Any], state: str) -> None:
        """What the page and the roles see of it."""
        why = "a live book is judged on its recorded tape: nightdesk making backtest"
        more = {"state": "halted" if maker.journal.book.halted else state, "verdict": "Not over", "why": why} | self._about(maker)
        self.body = head_of(self.terms, start, self.around.now_ms()) | running(maker, picture) | more
        store(self.folder, self.body)


async def run_on_book(
    home: Path, request: BookRequest, terms: PaperTerms, around: Surroundings, stop: asyncio.Event
) -> dict[str, Any]:
    """Record and make until `stop`; what is stored of it. Raises BadInput, DataError, Refused and Busy, one line each."""
    with alone_in(folder_of(home, terms.name), LOCK, f"the maker {terms.name!r} is running"):
        if why := around.latch():
            raise Refused(f"no maker starts: {why}", "nightdesk release, by a person who knows why it was halted")
        maker = LiveMaker(home, request, terms, around)
        report = await record_books(home, request, stop, around.say, steady_ns(), maker.beside)
        if not maker.body:
            raise DataError(
                f"{request.venue} sent no book of {request.symbols[0]}", "; ".join(report["notes"][-2:]) or "try again"
            )
        return maker.body | {"recorded": report}
