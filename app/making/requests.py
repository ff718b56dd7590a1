"""A maker's requests to its venue: each order handed over once, asked about while it is in doubt, cancelled until it has ended.

Called by engine.making.at_account (place, cancel) and by app/making/account.py. One task an order, so that a venue that does not
answer delays no other. Nothing is ever sent again: what the venue leaves unanswered is asked about by the order's own id. An
order has ended once the venue says so and all that it says was filled is booked, or once its request can no longer arrive.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

from engine.core.orders import DONE, REJECTED, STANDING, UNKNOWN, VenueOrder
from engine.live.lost_stops import LIFE_MS
from engine.live.wakes import woken
from engine.redaction import redacted
from engine.venues.live_port import LiveAnswer, LiveVenue
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, code_of

DOUBT_S = (0.25, 0.5, 1.0, 2.0, 4.0)  # before each question about an order in doubt, and each cancel that did not end it
RESTS_S = 5.0  # between two questions about an order that stands: a hint of the stream asks at once
REFUSED_MAX = 10  # new orders that the venue refuses one after the other
TAKES = ("-5022",)  # codes by which a venue refuses a post-only order that would take; it is no fault of anybody's
FRESH_MS = 1_000  # an order that was decided longer ago is not sent: this process was held up


class OrderListener(Protocol):
    """Who hears what the venue says of an order: the maker, by the clock that it decides by."""

    def stands(self, id_: str) -> None:
        """The venue has taken it."""

    def over(self, id_: str, state: str, why: str) -> None:
        """It has ended, and its executions are booked."""

    def order(self, id_: str) -> VenueOrder | None:
        """The order as the journal has it."""


class FollowedOrder:
    """An order from its request to its end."""

    def __init__(self, order: VenueOrder) -> None:
        self.order, self.to_cancel, self.sent_ms = order, False, 0
        self.stood = False  # the venue has shown that it has it
        self.ended: LiveAnswer | None = None  # the venue's last word, while executions of it are missing
        self.doubt_ms = 0  # since when nobody knows how it stands, or what it has filled; 0: all is known
        self.wake = asyncio.Event()


class MakerRequests:
    """The orders of one maker that the venue may still have. `heard` and `look` are set before the first request."""

    def __init__(self, venue: LiveVenue, now_ms: Callable[[], int]) -> None:
        self.venue, self.now_ms = venue, now_ms
        self.heard: OrderListener
        self.look: Callable[[], None] = lambda: None  # executions may be listed that are not read
        self.read_ms: Callable[[], int] = lambda: 0  # when executions were last read, up to the end
        self.refused: Callable[[str], None] = lambda _why: None  # one order after the other
        self.open: dict[str, FollowedOrder] = {}
        self._refused = 0
        self.failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def place(self, order: VenueOrder) -> None:
        """As engine.making.at_account.Requests."""
        self.open[order.id] = one = FollowedOrder(order)
        self._spawn(self._placed(one))

    def cancel(self, id_: str) -> None:
        """As engine.making.at_account.Requests."""
        if (one := self.open.get(id_)) is not None:
            one.to_cancel = True
            one.wake.set()

    def wake(self, id_: str = "") -> None:
        """Something was said of an order, or was booked: look now, of all orders at those in doubt."""
        for one in self.open.values():
            if one.order.id == id_ or (not id_ and (one.doubt_ms or one.ended is not None)):
                one.wake.set()

    def doubt_ms(self) -> int:
        """For how long the venue has owed a word about any order, the longest."""
        return max((self.now_ms() - one.doubt_ms for one in self.open.values() if one.doubt_ms), default=0)

    def missing_since(self) -> int:
        """When the oldest order was decided that has ended and of which executions are missing, UTC ms; 0: none is."""
        return min((one.order.decided_ms for one in self.open.values() if one.ended is not None), default=0)

    async def close(self) -> None:
        """Ask nothing any more."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or error

    # ---- one order -------------------------------------------------------------------------------------------------------------

    async def _placed(self, one: FollowedOrder) -> None:
        """Hand it over, unless it is not wanted any more, and follow it to its end."""
        id_ = one.order.id
        late = self.now_ms() - one.order.decided_ms > FRESH_MS
        if one.to_cancel or late:
            why = "it was decided too long ago" if late else "it is not wanted any longer"
            self._over(one, REJECTED, f"never sent: {why}")
            return
        answer = await answered(one.order, self.venue.place(one.order))
        one.sent_ms = self.now_ms()
        if answer.outcome == NOT_TAKEN:
            answer = answer._replace(state=REJECTED, why=f"never taken: {answer.why}")
        elif answer.outcome == EXISTS:
            answer = answer._replace(state=UNKNOWN)
        tries = 0
        while not self._is_over(one, answer):
            await self._pause(one, tries)
            tries = tries + 1 if one.doubt_ms or one.to_cancel else 0
            answer = await self._next_answer(one)
        self.open.pop(id_, None)

    async def _next_answer(self, one: FollowedOrder) -> LiveAnswer:
        """Cancel it where it has to end, else ask; one that has ended is asked nothing more."""
        if one.ended is not None:
            return one.ended
        order = self.heard.order(one.order.id) or one.order
        if not one.to_cancel:
            return await answered(order, self.venue.ask(order))
        answer = await answered(order, self.venue.cancel(order))
        if answer.outcome == NOT_FOUND and answer.state == UNKNOWN:  # what has ended cannot be cancelled either
            answer = await answered(order, self.venue.ask(order))
        return answer

    def _is_over(self, one: FollowedOrder, answer: LiveAnswer) -> bool:
        """Take down what was said; whether it is the last word."""
        order, now = self.heard.order(one.order.id), self.now_ms()
        filled = 0 if order is None else order.filled
        if answer.state in STANDING:
            if not one.stood:
                one.stood, self._refused = True, 0
                self.heard.stands(one.order.id)
            missing = answer.filled_lots > filled
        elif answer.state == REJECTED:
            self._refused += code_of(RuntimeError(answer.why)) not in TAKES
            self._over(one, REJECTED, answer.why)
            if self._refused >= REFUSED_MAX:
                self.refused(f"the venue has refused {self._refused} orders one after the other: {answer.why}")
            return True
        elif answer.state == DONE:
            one.ended, missing = answer, answer.filled_lots > filled
            if not missing:
                return self._over(one, DONE, answer.why)
        elif answer.outcome == NOT_FOUND and one.doubt_ms and self._cannot_come(one, now):
            return self._over(one, DONE if one.stood or filled else REJECTED, f"never existed: {answer.why}")
        else:
            missing = True
        one.doubt_ms = (one.doubt_ms or now) if missing else 0
        if missing:
            self.look()
        return False

    def _cannot_come(self, one: FollowedOrder, now: int) -> bool:
        """Whether an order that the venue does not know can no longer arrive: nothing of its request is on the way, and the venue
        has not known it for as long. What it may have filled has been read since."""
        since = max(one.sent_ms, one.doubt_ms) + LIFE_MS
        return now >= since and self.read_ms() >= since

    def _over(self, one: FollowedOrder, state: str, why: str) -> bool:
        self.open.pop(one.order.id, None)
        self.heard.over(one.order.id, state, why)
        return True

    async def _pause(self, one: FollowedOrder, tries: int) -> None:
        """Until there is something to ask."""
        if one.to_cancel and tries == 0 and not one.doubt_ms:
            one.wake.clear()
            return
        seconds = DOUBT_S[min(tries, len(DOUBT_S) - 1)] if one.doubt_ms or one.to_cancel else RESTS_S
        await woken(one.wake, seconds)


async def answered(order: VenueOrder, asked: Coroutine[None, None, LiveAnswer]) -> LiveAnswer:
    """What the venue says; an adapter that raises has said nothing."""
    try:
        return await asked
    except Exception as error:  # noqa: BLE001 - whatever it is, the order is in doubt
        return LiveAnswer(order.id, UNKNOWN, order.filled, redacted(f"{type(error).__name__}: {error}")[:200])
