"""All duties of one live account in one asyncio loop. Called by engine.live.account_loop.

Order of a start: the journal is folded (the caller does), entries are withheld until venue and book agree, how far executions are
read is looked up, every order in doubt is asked about, none is sent again. Then each duty runs by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

from engine.book.attached import BESIDE, way_of
from engine.book.order_events import SPENT
from engine.core.orders import SENT, UNKNOWN
from engine.core.state import PROTECTIVE
from engine.live.desk import LiveDesk
from engine.live.gate import AccountGate
from engine.live.halt import LATCH_LOOK_S, AccountHalt
from engine.live.health import AccountHealth, VenueClock
from engine.live.poll import AccountPoll
from engine.live.reconcile import AGAIN_S, START, AccountReconcile, Cash
from engine.live.requests import reported
from engine.live.streams import AccountStreams
from engine.live.transfers import AccountTransfers
from engine.live.unpaged import page_unpaged
from engine.ports import OrderReport
from engine.redaction import redacted
from engine.venues.gone import GoneVenue
from engine.venues.live_port import LiveVenue
from engine.venues.private_stream import PrivateSource


class AccountDuties:
    """The duties of `desk`. `halting`: the account's instruments by clients that only a halt uses.

    `source`: of the account's private stream; without one everything is read on the duties' own clocks. Raises BadInput.
    """

    def __init__(
        self,
        desk: LiveDesk,
        halting: Mapping[str, LiveVenue],
        venue_clock: VenueClock | None = None,
        cash: Cash | None = None,
        source: PrivateSource | None = None,
        latch_look_s: float = LATCH_LOOK_S,
    ) -> None:
        self.desk = desk
        self.polls = {name: AccountPoll(desk, name) for name in desk.venues}
        self.health = AccountHealth(desk, self.polls, venue_clock)
        self.transfers = AccountTransfers(desk)
        self.reconcile = AccountReconcile(desk, self.polls, cash, self.transfers.read)
        self.streams = AccountStreams(desk, self.polls, self.health, self.reconcile, source) if source else None
        if self.streams:
            self.health.streams = (self.streams.handle,)
        self.halt = AccountHalt(desk, halting, self.reconcile, latch_look_s)
        self.gate: AccountGate | None = None  # given before the start, or none is asked
        desk.unread = lambda name: self.polls[name].unread()
        self.failures: list[Exception] = []  # of duties: none should ever fail
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Withhold entries, begin to read, ask about what is in doubt, and run."""
        desk = self.desk
        if START not in desk.book.health:
            desk.take("health", {"what": START, "state": "begun", "why": "venue and book were not compared yet"})
        if self.gate is not None:
            self.gate.begin()
        for name, venue in desk.venues.items():
            if desk.book.attaches.get(name, "") != venue.attaches and not isinstance(venue, GoneVenue):
                desk.take("attach", {"instrument": name, "how": venue.attaches})
        for order in list(desk.book.orders.open.values()):
            if order.state == SENT:  # the process that has sent it, or not, is gone: nobody waits for its answer
                desk.take(*reported(OrderReport(order.id, UNKNOWN, 0, "not answered before the start")))
            beside = way_of(desk.book, order.sleeve) == BESIDE or not order.attached
            if order.state in (SENT, UNKNOWN) and order.slot == PROTECTIVE and beside:
                desk.unsure.add(order.id)  # what it covers does not wait; should both arrive, the venue refuses one
                desk.spawn(desk.ask_now(order.id))
        work: list[Callable[[], Awaitable[None]]] = [poll.run for poll in self.polls.values()]
        work += [partial(self.reconcile.run_stops, name) for name in self.polls]
        if SPENT not in desk.book.cursors:
            desk.take("cursor", {"instrument": SPENT, "cursor": "1"})
        self.transfers.begin()
        page_unpaged(desk)
        work += [
            self.health.run,
            self.health.run_clock,
            self.reconcile.run,
            self.halt.run,
            self.transfers.run,
        ]
        if self.streams:
            work.append(self.streams.run)
        elif not self.health.streams:  # a stream that is no longer there cannot become well again
            for what in [what for what in desk.book.health if what.startswith("stream ")]:
                self.health.end(what)
        work += [self.gate.run] if self.gate is not None else []
        self._tasks = [asyncio.get_running_loop().create_task(self._kept_up(duty)) for duty in work]

    async def _kept_up(self, duty: Callable[[], Awaitable[None]]) -> None:
        """A duty that fails is an incident, and begins again."""
        while not self.desk.failed:
            try:
                await duty()
                return
            except Exception as error:  # noqa: BLE001 - no duty may end while the others go on
                self.failures.append(error)
                self.desk.incident(redacted(f"a duty has failed and begins again: {type(error).__name__}: {error}")[:300])
                await asyncio.sleep(AGAIN_S)

    def pulse(self) -> dict[str, Any]:
        """How streams and polls are, for the heartbeat. Times UTC ms, 0 or null: never, not known."""
        offsets, stream = self.health.offsets, self.streams
        polls = [
            {
                "instrument": name,
                "read_ms": poll.read_ms,
                "failures": poll.failures,
                "waiting": len(poll.pending) + len(poll.early),
            }
            for name, poll in self.polls.items()
        ]
        return {
            "streams": [] if stream is None else [stream.pulse()],
            "polls": polls,
            "compared_ms": self.reconcile.compared_ms,
            "clock_offset_ms": round(median(offsets)) if offsets else None,
        }

    async def stop(self) -> None:
        """End the duties; orders at the venue stay as they are."""
        tasks = [*self._tasks, *self.desk.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
