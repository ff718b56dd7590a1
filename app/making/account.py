"""A maker at an account: beside the recorder as on paper at a live book, with a venue that is asked and answers.

Called by app/processes/maker.py, which has the keys and makes the connection. A start settles what an earlier process left
(starting.py), then the loop decides and requests.py, executions.py, stream.py, comparing.py and halting.py do what a venue needs,
each a task of its own; the first that fails ends the maker, and what rests is cancelled. Inventory stays over a stop.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from app.making.bills import MakerBills
from app.making.comparing import MakerComparison
from app.making.executions import MakerExecutions
from app.making.halting import HaltingMaker
from app.making.live import LiveMaker, market_scale, start_of
from app.making.paper import LOOK_S, PaperTerms, Surroundings, code_hash, require_same
from app.making.requests import MakerRequests
from app.making.starting import MakerStart
from app.making.stream import MakerStream
from app.market_data.book_recorder import BookRequest, BookSession
from engine.book.order_events import name_code
from engine.core.orders import VenueOrder
from engine.errors import BadInput, Refused
from engine.l2.tape import Scale
from engine.live.wakes import woken
from engine.making import outside
from engine.making.at_account import AccountMaker
from engine.making.live_tape import LiveTape, rule_at
from engine.making.paper import PaperJournal, PaperMaker
from engine.making.resting import MIDDLE2
from engine.making.simulation import loop_of, terms_of
from engine.making.stored import AT_ACCOUNT, JOURNAL
from engine.venues.book_pushes import Push
from engine.venues.live_port import LiveVenue
from engine.venues.private_stream import PrivateSource

FALLS_FRAC = 0.1  # by which the price may fall before a quote of the least size is below it
STOP_S = 10.0  # that a stop waits for its orders to end


Reads = tuple[MakerExecutions, MakerBills]  # what is asked of the account again and again


class MakerConnection(NamedTuple):
    """What a maker needs of its account. `halting`: the same instrument by clients of its own."""

    venue: LiveVenue
    halting: LiveVenue
    lot_size: float  # base units of one lot of `venue`
    source: PrivateSource | None  # None: no private stream, executions are read twice a second


class AccountTerms(NamedTuple):
    """What is beside the terms of a maker: which account, by which step, and what a halt does."""

    account: str
    mode: str  # testnet or live
    stage: str
    flatten: bool = True
    compiled: bool = True
    least: Callable[[float], int] | None = None  # price -> the fewest lots that the venue takes: the most of a quote, where given


class Voice(NamedTuple):
    """What the venue says of an order, to the maker at the time of its clock."""

    maker: AccountMaker
    now_ns: Callable[[], int]

    def stands(self, id_: str) -> None:
        """As app.making.requests.OrderListener."""
        self.maker.stands(id_, self.now_ns())

    def over(self, id_: str, state: str, why: str) -> None:
        """As app.making.requests.OrderListener."""
        self.maker.over(id_, state, why, self.now_ns())

    def order(self, id_: str) -> VenueOrder | None:
        """As app.making.requests.OrderListener."""
        return self.maker.order(id_)


class AccountLife(LiveMaker):
    """One process of a maker at an account."""

    def __init__(
        self,
        home: Path,
        request: BookRequest,
        terms: PaperTerms,
        around: Surroundings,
        at: AccountTerms,
        connection: MakerConnection,
        page: Callable[[str], None],
    ) -> None:
        super().__init__(home, request, terms, around)
        self.at, self.connection, self.page = at, connection, page
        self.maker: AccountMaker | None = None
        self.halting: HaltingMaker | None = None
        self._due = asyncio.Event()
        self._now_ns: Callable[[], int] = lambda: 0
        self._tasks: list[asyncio.Task[None]] = []

    async def beside(self, session: BookSession) -> None:
        """Make until cancelled: the recording has ended, or the process is to stop."""
        scale = market_scale(session.client.market(session.unified[0]))
        require_lots(scale, self.connection.lot_size, self.request)
        self._now_ns = lambda: session.now_ns() - 1
        journal = PaperJournal(self.folder / JOURNAL, code_hash(), self.around.now_ms, again=False)
        held: list[tuple[int, Push]] = []
        session.recorders.on_take = lambda recv_ns, push: held.append((recv_ns, push))
        try:
            self._begin(journal, scale)
            executions = MakerExecutions(self.connection.venue, journal, self._now_ns)
            await MakerStart(self.connection.venue, executions, self.around.say).settled()
            bills = MakerBills(self.connection.venue, journal, self._now_ns)
            if not await bills.look():
                self.around.say(f"funding is not read yet: {bills.why_not}")
            terms = outside.at_account(terms_of(scale, self.terms.options, self.terms.fees.maker_frac))
            tape = LiveTape(scale, rule_at(self.request.venue, self.request.market), terms, journal.book)
            for one in held:
                tape.add(*one)
            session.recorders.on_take = self._taking(tape)
            while not tape.begun_ns:
                await self.around.sleep(LOOK_S)
            await self._made(session, tape, journal, (executions, bills))
        finally:
            session.recorders.on_take = lambda _recv_ns, _push: None
            journal.close()

    def _taking(self, tape: LiveTape) -> Callable[[int, Push], None]:
        """Each message is decided on as it comes."""

        def take(recv_ns: int, push: Push) -> None:
            tape.add(recv_ns, push)
            self._due.set()

        return take

    def _begin(self, journal: PaperJournal, scale: Scale) -> None:
        """The journal's start, which is the same in every session. Raises BadInput for another one."""
        start = start_of(self.request, scale, self.terms) | {"kind": AT_ACCOUNT[self.at.mode]}
        start |= {"account": self.at.account, "stage": self.at.stage}
        first = journal.first
        begun_ns = self._now_ns() if first is None else first["t_ns"]
        start |= {"t_ns": begun_ns, "code": name_code(f"maker {self.terms.name} {begun_ns}")}
        require_same(journal, start, self.terms.name)
        if first is None:
            journal.write([("start", start)], sync=True)

    async def _made(self, session: BookSession, tape: LiveTape, journal: PaperJournal, reads: Reads) -> None:
        """The session, from the moment at which account and journal are equal."""
        requests = MakerRequests(self.connection.venue, lambda: self._now_ns() // 1_000_000)
        loop = loop_of(compiled=self.at.compiled)
        maker = self.maker = AccountMaker(tape.work, tape.scale, journal, loop, self.around.latch, requests)
        maker.catch_up(self._now_ns())
        require_least(self.at, tape)
        journal.write([("session", {"t_ns": self._now_ns(), "stage": self.at.stage})], sync=True)
        start = dict(journal.first or {})
        picture = self._picture(tape, journal.book, start)
        self._connect(maker, requests, reads)
        try:
            await self._go_on(session, maker, picture, start)
        finally:
            await self._stopped(maker, requests)
            gone = sorted(journal.book.orders.open)
            maker.end("its process ended", {**maker.figures(), "gone": [], "left": gone})
            self._store(maker, picture, start, "stopped")

    def _about(self, maker: PaperMaker) -> dict[str, Any]:
        """Which account, by which step, and how a halt has ended: on every screen."""
        book, at = maker.journal.book, self.at
        killed = {"state": book.killed["state"], "left": list(book.killed["left"])} if book.killed else None
        about = {"account": at.account, "mode": at.mode, "stage": at.stage, "killed": killed}
        return about | {"why": "what its venue has filled; judged on the recorded tape: nightdesk making backtest"}

    def _connect(self, maker: AccountMaker, requests: MakerRequests, reads: Reads) -> None:
        """Each hears what it needs of the others, and the tasks begin."""
        executions, bills = reads
        connection, symbol = self.connection, self.request.symbols[0]
        comparison = MakerComparison(connection.venue, executions, requests)
        stream = MakerStream(connection.source, symbol, executions, requests) if connection.source else None
        self.halting = HaltingMaker(connection.halting, maker, executions, requests, self.page, flatten=self.at.flatten)

        def looked() -> None:
            comparison.moved()
            requests.wake()
            self._due.set()

        def silent_ms() -> int:
            return max(executions.silent_ms(), requests.doubt_ms())

        requests.heard, requests.look, requests.read_ms = Voice(maker, self._now_ns), executions.wake, lambda: executions.read_ms
        requests.refused = self._wrong
        executions.booked = lambda trade: maker.filled(trade, self._now_ns())
        bills.booked = lambda bill: maker.fund(bill.bill, bill.t_ms, bill.cash, self._now_ns())
        executions.on_wrong, executions.on_look, executions.missing_since = self._wrong, looked, requests.missing_since
        executions.stream_is_there = stream.is_there if stream else lambda: False
        comparison.moved()
        works = [executions.run(), bills.run(), comparison.run(), self.halting.run(), self._watch(requests, silent_ms)]
        self._tasks = [asyncio.create_task(work) for work in [*works, *([stream.run()] if stream else [])]]

    def _wrong(self, why: str) -> None:
        """What the account has and the maker does not explain: everything is pulled, and a person is paged."""
        maker = self.maker
        if maker is not None and not maker.halted:
            maker.note("incident", self._now_ns(), what=why[:400])
            maker.stop(why, self._now_ns())
            self.page(why)

    async def _watch(self, requests: MakerRequests, silent_ms: Callable[[], int]) -> None:
        """A venue that does not say how orders stand, or what was filled, ends the quoting; a failed task ends the maker."""
        while True:
            await asyncio.sleep(LOOK_S)
            if requests.failure is not None:
                raise requests.failure
            if (silent := silent_ms()) > self.terms.options.quote_age_max_ms:
                self._wrong(f"the venue has not said for {silent / 1000:.1f} s how orders stand or what was filled")

    async def _until_due(self) -> None:
        """Until a message or an answer has come, or a twentieth of a second has passed."""
        await woken(self._due, LOOK_S)
        for task in self._tasks:
            if task.done():
                task.result()

    async def _stopped(self, maker: AccountMaker, requests: MakerRequests) -> None:
        """Nothing is decided any more; what rests is cancelled, and waited for."""
        clock = asyncio.get_running_loop().time
        until = clock() + STOP_S
        try:
            maker.close(self._now_ns())
            while requests.open and clock() < until:
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await requests.close()
        if maker.journal.book.orders.open:
            self.page(f"{len(maker.journal.book.orders.open)} orders may still stand at the venue: the next start cancels them")
        if lots := maker.journal.book.inventory:
            held = float(maker.scale.quantity(lots))
            self.around.say(
                f"the account still holds {held:g} {self.request.symbols[0].partition('-')[0]}: nothing looks after it"
            )


def require_least(at: AccountTerms, tape: LiveTape) -> None:
    """Raises Refused where quotes are larger than the least that the venue takes, at a stage that allows no more."""
    price = float(tape.scale.price(int(tape.work.maker.tally[MIDDLE2]) / 2.0))
    if at.least is None or not price:
        return
    if tape.work.terms.lots > (most := at.least(price * (1.0 - FALLS_FRAC))):
        size = float(tape.scale.quantity(most))
        raise Refused(
            f"stage {at.stage}: a quote is the least that the venue takes, {size:g}", f"propose it with --size {size:g}"
        )


def require_lots(scale: Scale, lot_size: float, request: BookRequest) -> None:
    """Raises BadInput where the desk counts in other lots than the maker."""
    step = 10.0**-scale.lot_digits
    if abs(lot_size / step - 1.0) > 1e-9:
        key = f"{request.venue}:{request.symbols[0]}:{request.market}"
        hint = f'write lot_size = {step:g} under [instruments."{key}"] in desk.toml'
        raise BadInput(f"the desk counts {request.symbols[0]} in lots of {lot_size:g}, a maker in {step:g}", hint)
