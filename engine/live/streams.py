"""An account's private stream as hints: a message wakes the duties that read by REST, sooner than their own clock would.

A duty of engine.live.desk. Nothing is booked from it, and nothing is believed because it was silent; that an order
stands is believed for a minute against REST, which may be late. Its connection is watched by
health.py, built anew here, and compared with the venue after each time; executions that REST lists and the stream does not
announce make it a bad stream, and nothing enters.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from engine.book.bodies import keep_command
from engine.core.orders import STANDING
from engine.errors import DataError
from engine.live.desk import LiveDesk
from engine.live.health import SILENT_MS, SLEEPS_MS, AccountHealth, StreamHandle
from engine.live.poll import AccountPoll
from engine.live.reconcile import AccountReconcile
from engine.live.wakes import woken
from engine.venues.private_stream import PrivateSource, PrivateStream
from engine.venues.private_stream_words import WORDS, StreamHint

WAKE_EVERY_MS = 500  # an instrument is not read more often, whatever is pushed: venues count requests
FOLLOW_MS = (1_000, 2_000, 4_000, 8_000)  # looks again after a hint that REST does not bear out yet
UNANNOUNCED_MS = 60_000  # an execution that REST lists and the stream does not name so long after makes it bad
APART_MS = 2_000  # clocks differ: an execution this close to the connection's begin may be from before it
DIAL_AGAIN_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)  # before the n-th dial after a connection that did not last
LASTED_MS = 30_000
STEADY_MS = 15_000  # of a new connection after a silence: longer than a silence, or one that dies at once would pass
AWAY_PAGE_MS = 60_000
KEPT = 2_000  # orders and executions that are remembered, of each
FOLLOWED_MAX = 200


class AccountStreams:
    """The private stream of one account. `run` goes on for ever; `handle` is what health.py watches."""

    def __init__(
        self,
        desk: LiveDesk,
        polls: Mapping[str, AccountPoll],
        health: AccountHealth,
        reconcile: AccountReconcile,
        source: PrivateSource,
    ) -> None:
        """`source` makes a client for each connection. Raises BadInput for an unknown venue."""
        self.desk, self._polls, self._health, self._reconcile, self._source = desk, polls, health, reconcile, source
        self.handle = StreamHandle(source.venue, self.alive_ms, self.rebuild)
        self.bad = f"stream {source.venue} leaves out executions"  # in the book's health while it is
        self.connections = 0
        named = {name: name.split(":")[1] for name in polls}
        self._instruments = {WORDS[source.venue].symbol(symbol): name for name, symbol in named.items()}
        self._stream: PrivateStream | None = None  # while it is open
        self._silent = f"stream {source.venue}"  # as health.py calls it; the process before may have seen it silent
        self._open_ms = 0
        self._alive_ms = 0 if self._silent in desk.book.health else -1  # -1: counted from the first look on
        self._anew = asyncio.Event()
        self._orders: OrderedDict[str, int] = OrderedDict()  # client id -> when it was last named
        self._announced: OrderedDict[str, int] = OrderedDict()  # executions
        self._booked: OrderedDict[str, int] = OrderedDict()
        self._followed: set[str] = set()
        self._woken_ms: dict[str, int] = {}
        self._to_wake: set[str] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        desk.watches.append(self._noticed)

    def heard(self, order_id: str) -> int | None:
        """When the stream last named an order, by its client id, UTC ms; None: never, or 2,000 orders ago."""
        return self._orders.get(order_id)

    def alive_ms(self) -> int:
        """When it last showed life, UTC ms: counted in time that has passed, so that a clock that is set does not matter. After
        a silence a new connection counts once it has lasted; one that dies again at once would let entries through.
        """
        now, stream = self.desk.now_ms(), self._stream
        self._alive_ms = now if self._alive_ms < 0 else self._alive_ms
        proves_itself = self._silent in self.desk.book.health and now - self._open_ms < STEADY_MS
        if stream is not None and not proves_itself:
            self._alive_ms = now - int(stream.silent_s() * 1000)
        return self._alive_ms

    def pulse(self) -> dict[str, Any]:
        """How it is, for the heartbeat; changes nothing. `open_ms`: since when it is open, 0 while it is not."""
        stream = self._stream
        alive_ms = self._alive_ms if stream is None else self.desk.now_ms() - int(stream.silent_s() * 1000)
        open_ms = 0 if stream is None else self._open_ms
        return {"name": self._source.venue, "open_ms": open_ms, "alive_ms": max(alive_ms, 0), "connections": self.connections}

    async def rebuild(self) -> None:
        """Begin a new connection at once; health.py asks for it. One that shows life, or is being begun, goes on."""
        if self._stream is None or self._stream.silent_s() * 1000 > SILENT_MS:
            self._anew.set()

    # ---- the connection -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """One connection after the other."""
        failures = 0
        try:
            while not self.desk.failed:
                self._anew.clear()
                lasted_ms = await self._one_connection()
                failures = 0 if lasted_ms >= LASTED_MS else failures + 1
                await woken(self._anew, DIAL_AGAIN_S[min(failures, len(DIAL_AGAIN_S) - 1)])  # unless health asks for one
        finally:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            self._to_wake.clear()
            self._followed.clear()

    async def _one_connection(self) -> int:
        """Begin one and keep it to its end; for how many ms it was open."""
        stream = PrivateStream(self._source, self._hint)
        try:
            try:
                await stream.open()
            except DataError as error:
                self._away(error.what)
                return 0
            self._begun(stream)
            await self._until_over(stream)
            self._away(stream.why)
            return self.desk.now_ms() - self._open_ms
        finally:
            self._stream = None
            await stream.close()

    async def _until_over(self, stream: PrivateStream) -> None:
        """Until the connection ends, or health has seen no life in it."""
        waits = [asyncio.ensure_future(event.wait()) for event in (stream.over, self._anew)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.alive_ms()  # its last life
            for wait in waits:
                wait.cancel()

    def _begun(self, stream: PrivateStream) -> None:
        """Open: what was missed before is read by REST, and book and venue are compared."""
        self._stream, self._open_ms = stream, self.desk.now_ms()
        self.connections += 1
        for poll in self._polls.values():
            poll.wake()
        self._reconcile.soon()

    def _away(self, why: str) -> None:
        """It could not be begun, or has ended: read by REST meanwhile. A minute without one is for a person."""
        if self.desk.failed:
            return
        for poll in self._polls.values():
            if not poll.failures:
                poll.wake()
        if self.desk.now_ms() - self.alive_ms() >= AWAY_PAGE_MS:
            self.desk.incident(f"the account's stream at {self._source.venue} does not come; no entries: {why}"[:300])

    # ---- hints ------------------------------------------------------------------------------------------------------------

    def _hint(self, hint: StreamHint) -> None:
        """What a message names. An order that stands as before needs no look."""
        if hint.order:
            keep(self._orders, hint.order, self.desk.now_ms())
            if hint.ended or not hint.trade:  # an execution says nothing of what is left
                self.desk.announced.note(hint.order, hint.version, has_ended=hint.ended)
        if hint.trade:
            keep(self._announced, hint.trade, self.desk.now_ms())
            self._prove(hint.trade)
        instrument = self._instruments.get(hint.symbol)
        if instrument is None or self.desk.failed or not (hint.trade or hint.ended):
            return
        self._wake(instrument)
        if hint.trade and hint.order and not hint.ended:
            self._later(SLEEPS_MS, self._unlisted, hint.trade, hint.order)
        for key in (hint.trade, hint.order if hint.ended else ""):
            if key and key not in self._followed and len(self._followed) < FOLLOWED_MAX:
                self._followed.add(key)
                self._later(FOLLOW_MS[0], self._follow, key, instrument, 1)

    def _unlisted(self, trade: str, order: str) -> None:
        """A part of an order that REST does not list a second after the stream has named it: it has a stop nevertheless."""
        if trade not in self._booked and not self.desk.announced.is_over(order):
            self._health.wake_stop(order)

    def _wake(self, instrument: str) -> None:
        """Read an instrument now, or when it may be read again. One that REST does not answer for has waits of its own."""
        poll, now = self._polls[instrument], self.desk.now_ms()
        since = now - self._woken_ms.get(instrument, 0)
        if since >= WAKE_EVERY_MS or since < 0:
            self._woken_ms[instrument] = now
            if not poll.failures:
                poll.wake()
        elif instrument not in self._to_wake:
            self._to_wake.add(instrument)
            self._later(WAKE_EVERY_MS - since, self._wake_late, instrument)

    def _wake_late(self, instrument: str) -> None:
        self._to_wake.discard(instrument)
        self._wake(instrument)

    def _follow(self, key: str, instrument: str, n: int) -> None:
        """A hint that REST has not borne out: read once more; an order that still stands in the book is asked about."""
        if self._is_borne_out(key):
            self._followed.discard(key)
            return
        self._wake(instrument)
        if key in self.desk.book.orders.open:
            self.desk.spawn(self._ask(key))
        if n < len(FOLLOW_MS):
            self._later(FOLLOW_MS[n], self._follow, key, instrument, n + 1)
            return
        self._followed.discard(key)
        if key in self._announced and self._polls[instrument].failures:
            self.desk.incident(
                f"{instrument}: the account's stream names an execution, and the venue does not answer for it: what was filled"
                " is not booked, and may have no stop"
            )

    def _is_borne_out(self, key: str) -> bool:
        """Whether the book knows by now: the execution is booked, the order has ended or is asked about already."""
        order = self.desk.book.orders.open.get(key)
        if order is None:  # an execution, or an order that has ended or is not ours
            return key in self._booked or key not in self._announced
        return order.state not in STANDING or order.reported > order.filled

    async def _ask(self, order: str) -> None:
        await self.desk.ask(order)

    # ---- executions that it should have announced -------------------------------------------------------------------------

    def _noticed(self, kind: str, body: Mapping[str, Any]) -> None:
        """An execution has been booked from REST: was it announced?"""
        if kind not in ("fill", "orphan") or not (trade := number_of(str(body.get("trade") or ""))):
            return
        keep(self._booked, trade, self.desk.now_ms())
        self._prove(trade)
        if trade in self._announced or self._stream is None:
            return
        offset = median(self._health.offsets) if self._health.offsets else 0
        if int(body["t_ms"]) - offset >= self._open_ms + APART_MS:
            self._later(UNANNOUNCED_MS, self._unannounced, trade, self._stream)

    def _prove(self, trade: str) -> None:
        """Stream and REST have named the same execution: a stream that was bad is good again."""
        if trade in self._announced and trade in self._booked and self.bad in self.desk.book.health:
            asyncio.get_running_loop().call_soon(self._health.end, self.bad)  # not within the event that is being journaled

    def _unannounced(self, trade: str, stream: PrivateStream) -> None:
        """A minute later, on the same connection: the stream cannot be trusted to announce."""
        if trade in self._announced or stream is not self._stream or self.desk.failed:
            return
        self._health.begin(self.bad, f"execution {trade} is listed and was not announced for {UNANNOUNCED_MS // 1000} s")
        self.desk.incident(
            f"the account's stream at {self._source.venue} does not announce executions that REST lists; no entries until it"
            f" announces one again, or a person lets the desk go on: {keep_command(self.bad)}"
        )
        self._anew.set()

    def _later(self, ms: int, act: Callable[..., None], *about: Any) -> None:
        """Do something later, unless the duty ends before."""

        def due() -> None:
            self._timers.discard(timer)
            if not self.desk.failed:
                act(*about)

        timer = asyncio.get_running_loop().call_later(ms / 1000, due)
        self._timers.add(timer)


def keep(among: OrderedDict[str, int], name: str, now: int) -> None:
    """Remember when something was last named; the oldest of too many is forgotten."""
    among[name] = now
    among.move_to_end(name)
    if len(among) > KEPT:
        among.popitem(last=False)


def number_of(trade: str) -> str:
    """The venue's own number of an execution, by the id that the desk has given it: without instrument and time (poll.py)."""
    return trade.rpartition(":")[2].partition("@")[0]
