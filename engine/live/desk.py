"""The desk of a live account: what comes from outside goes through the fold into the journal, what follows goes to the venue.

Called by the duties of engine/live (poll, health, reconcile, halt), which turn the outside into events and `take` them. One path
for all: fold and plan (engine.book.transitions.step) -> intent and sent in the journal, one fsync -> the latch once more -> the
call -> its answer into the journal, from which the next plan follows. A start, a fill and a close do this and nothing else.

A request is a task of its own: a venue that does not answer for ten seconds delays no other order. Nothing is planned against
an order that waits for its answer, so that each order has one request under way at most. A question may be under way beside it:
what the venue answers to one that a request has overtaken is not heard, or two amendments would be on their way at once.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from engine.book import attached
from engine.book.book import Book
from engine.book.order_events import EventBody, is_entry, leaves
from engine.book.snapshot import to_json
from engine.book.transitions import step
from engine.core.orders import CANCELLING, DONE, ENDED, PARTIAL, REJECTED, UNKNOWN, WORKING, VenueOrder, find
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.errors import DeskError, JournalBroken
from engine.live.announced import Announced
from engine.live.basket_bar import crossings, without_off
from engine.live.last_guards import ask_stops, why_not_cover, why_not_enter, why_not_leave
from engine.live.lost_stops import LIFE_MS, LostStops
from engine.live.record import Group, record
from engine.live.requests import is_news, order_of, reported, requests_of
from engine.live.turned_away import TurnedAway
from engine.ports import Clock, OrderReport
from engine.redaction import redacted
from engine.store.journal import Journal
from engine.venues.live_port import CHILDREN, LiveAnswer, LiveVenue
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, PASSED, words_of

T = TypeVar("T")
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # before the n-th order of its kind for one layer
MOMENT = re.compile(r"\b1[5-9]\d{11}\b")  # UTC ms in a venue's words, as of the end of a ban: it makes no other page of one
KNOWN_MAX = 2_000  # ids and times of requests that are remembered beside those of open orders
EventWatch = Callable[[str, Mapping[str, Any]], None]  # (kind, body as journaled): a duty that wants to hear of every event


class LiveDesk:
    """One account. `book` is the state, `venues` the account's instruments; `latched` says why it is halted, or "".

    `page` wakes a person. `halt` latches for people, durably, and must not raise. Every public method leaves the book journaled.
    """

    def __init__(
        self,
        book: Book,
        journal: Journal,
        venues: Mapping[str, LiveVenue],
        now_ms: Clock,
        latched: Callable[[], str],
        halt: Callable[[str], None],
        page: Callable[[str], None],
    ) -> None:
        self.book, self.journal, self.venues, self.now_ms = book, journal, venues, now_ms
        self.latched, self.latch, self.page = latched, halt, page
        self.watches: list[EventWatch] = []
        # who has latched, for the journal: the release that ends the halt is looked for by it
        self.halt_body: Callable[[str], dict[str, Any]] = lambda why: {"state": "halted", "reason": why, "by": "latch"}
        self.failed = ""  # why nothing is journaled or asked any more
        self.children: dict[str, str] = {}  # venue's id of an order, or of the child of a conditional one -> client id
        self.busy: Counter[str] = Counter()  # orders -> requests and questions under way
        self.overtaken: dict[str, bool] = {}  # orders that are asked about -> whether a request has left meanwhile
        self.to_resend: set[str] = set()  # orders that the venue has proved not to have taken: the same id goes out again
        self.unsure: set[str] = set()  # stops that the process before may not have sent: once not found, the same id goes out
        self.sent_ms: dict[str, int] = {}  # when the last request that may have placed an order had ended
        self.began_ms = now_ms()
        self.seen: set[str] = set()  # orders that the venue has shown when asked or listed: an acknowledgement is only its word
        self.announced, self.lost = Announced(now_ms), LostStops()  # what the stream has said; what is not there
        self.turned_away = TurnedAway()
        self.moved_ms: dict[str, int] = {}  # when the last request to amend an order had ended
        self.unread: Callable[[str], bool] = lambda _: False  # may executions of an instrument be missing? poll.py says so
        self.waiting: set[str] = set()  # entries that are not sent yet
        self.venue_lots: dict[str, int] = {}  # instrument -> the net position that the venue said last
        self.probing: set[str] = set()  # orders of a probe that is under way
        self.probed: deque[str] = deque(maxlen=64)  # orders of this process's probes: their executions wake nobody
        self.tasks: set[asyncio.Task[None]] = set()
        self._paged: dict[str, int] = {}

    # ---- from outside, through the book, into the journal -----------------------------------------------------------------

    def take(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One thing from outside: through the fold, durable, then acted on. Returns its body as journaled."""
        return self._led(kind, body, {}, {})

    def take_together(self, kind: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Parts of one thing, as `take`, in one batch: a process that ends has journaled all of them, or none."""
        with self._or_stops():
            groups = [(kind, *step(self.book, kind, body, {}, {})) for body in bodies]
            self._write(groups)
        for _, led, following in groups:
            for watch in self.watches:
                watch(kind, led)
            self._hand_over(following)

    def close(self, body: Mapping[str, Any], read: Any, read_next: Any) -> None:
        """A bar has closed: entry orders that have rested their time end, and the desk decides. Arguments as of `step`."""
        close_ms, body = body["close_ms"], without_off(self.book, body)
        for crossing in crossings(self.book, body):
            self.take(*reported(crossing))
        for order in [o for o in self.book.orders.open.values() if o.slot == ENTRY and o.state not in ENDED]:
            rests_ms = order.good_for * self.book.specs[order.sleeve].rules.bar_ms
            if self.book.basket is None and close_ms - order.decided_ms >= rests_ms:
                self.take("lapse", {"order": order.id, "why": "not filled in time"})
        tripped_ms = self.book.tripped_ms
        self._led("bar", body, read, read_next)
        if self.book.tripped_ms != tripped_ms:
            self.latch("desk drawdown breaker")

    def _led(self, kind: str, body: Mapping[str, Any], read: Any, read_next: Any) -> Mapping[str, Any]:
        with self._or_stops():
            led = step(self.book, kind, body, read, read_next)
            self._write([(kind, *led)])
        for watch in self.watches:
            watch(kind, led[0])
        self._hand_over(led[1])
        return led[0]

    @contextmanager
    def _or_stops(self, on: type[Exception] = Exception) -> Iterator[None]:
        """What fails in it leaves the book ahead of the journal, or a disk that takes nothing more: nothing leaves after it."""
        if self.failed:
            raise DeskError(f"the desk accepts nothing more: {self.failed}", "stop and start again")
        try:
            yield
        except on as error:
            self.failed = f"{type(error).__name__}: {error}"
            self.page(f"the desk has stopped: {self.failed}. Orders at the venue stay as they are; nightdesk up starts it again")
            raise

    def _write(self, groups: list[Group]) -> None:
        record(self.journal, self.book, self.now_ms(), groups, sync=True)

    def incident(self, what: str, *, always: bool = False, **more: Any) -> None:
        """Something that a person should know, in the journal and by a page; the same one after ten minutes, or `always`."""
        now, same = self.now_ms(), MOMENT.sub("", what)
        if (always or now - self._paged.get(same, -600_001) > 600_000) and not self.failed:
            self._paged[same] = now
            try:
                with self._or_stops(JournalBroken):
                    self._write([("incident", {"what": what, **more}, [])])
            finally:
                self.page(what)  # also where the disk takes nothing more

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """What was seen and moves no state (NOTES of engine.book.replay), durable. Raises DeskError once the desk has failed."""
        with self._or_stops(JournalBroken):
            self._write([(kind, body, [])])

    def snapshot(self) -> None:
        """The whole state, so that a start need not fold from the beginning."""
        self._write([("snapshot", to_json(self.book), [])])

    # ---- to the venue -----------------------------------------------------------------------------------------------------

    def _hand_over(self, following: list[EventBody]) -> None:
        for _, body in (one for one in following if one[0] == "sent"):
            self.sent_ms |= {id_: self.now_ms() for id_ in body["orders"] if order_of(self.book.orders, {"order": id_}).attached}
        for kind, body in requests_of(following):
            order = order_of(self.book.orders, body)
            if kind == "intent" and order.sleeps:
                continue  # the request of its entry has it
            if kind == "order" and order.attached and order.id in self.waiting:
                continue  # it has not left yet, and does not
            if kind == "intent" and order.attached:
                self.waiting.add(order.id)  # its entry does not wait for it
            if kind == "order" and (late_ms := self.lost.late_ms(order.id, self.now_ms())):
                self.spawn(self.ask_now(order.id, late_ms / 1000))
                continue
            if order.id in self.overtaken:
                self.overtaken[order.id] = True
            self.busy[order.id] += 1
            self.spawn(self._request(kind, order, body))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else; that it fails is an incident."""
        task = asyncio.get_running_loop().create_task(self._watched(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - one task must not take the others along, and must not be silent
            self.incident(f"a duty has failed: {type(error).__name__}: {redacted(str(error))[:200]}")

    def venue_of(self, order: VenueOrder) -> LiveVenue:
        """Where an order stands."""
        return self.venues[self.instrument_of(order)]

    def instrument_of(self, order: VenueOrder) -> str:
        """Of which instrument it is."""
        return str(self.book.specs[order.sleeve].source["instrument"])

    async def _request(self, kind: str, order: VenueOrder, body: Mapping[str, Any]) -> None:
        """One request and what became of it."""
        try:
            venue = self.venue_of(order)
            if kind == "intent":
                answer = await self._placed(order)
            elif kind == "amend":
                answer = await self._answer(order, venue.amend(order, body["price"], body["lots"]))
                self.moved_ms[order.id] = self.now_ms()
                await self._wait_for_refused(order, answer, body)
            else:
                answer = await self._answer(order, venue.cancel(order))
        finally:
            self._ended(order.id)
        if answer is not None:
            self._heard(kind, order, answer)

    def _ended(self, id_: str) -> None:
        """One request or question less is under way."""
        self.busy[id_] -= 1
        if not self.busy[id_]:
            del self.busy[id_]

    @staticmethod
    async def _answer(order: VenueOrder, asked: Coroutine[Any, Any, LiveAnswer]) -> LiveAnswer:
        """What the venue says; an adapter that raises has said nothing."""
        try:
            return await asked
        except Exception as error:  # noqa: BLE001 - whatever it is, the order is in doubt
            return LiveAnswer(order.id, UNKNOWN, order.filled, redacted(f"{type(error).__name__}: {words_of(error)}")[:200])

    async def _placed(self, order: VenueOrder) -> LiveAnswer | None:
        """Hand over an order that is journaled; None when it was kept back, which is journaled too."""
        if order.slot != ENTRY and (attempt := int(order.id[-2:])):
            await self.lost.held_back(order, BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
        if order.slot == EXIT_SLOT:
            await ask_stops(self, order)
        if order.attached:
            why = await why_not_cover(self, order)
        else:
            await self.lost.alone(self, order)
            why = await why_not_enter(self, order) if is_entry(self.book, order) else why_not_leave(self, order)
        if why or self.failed:
            self.never_sent(order, why or self.failed)
            return None
        stop = find(self.book.orders, attached.attached_id(order.id)) if order.slot == ENTRY else None
        try:
            with_it = stop if stop is not None and stop.sleeps else None
            return await self._answer(order, self.venue_of(order).place(order, with_it))
        finally:
            self.sent_ms[order.id] = self.now_ms()

    def never_sent(self, order: VenueOrder, why: str) -> None:
        """An order that was journaled and kept here has never existed at the venue."""
        self.take(*reported(OrderReport(order.id, DONE, 0, f"never sent: {why}")))

    def doubts(self, instrument: str, but: str = "") -> list[str]:
        """Orders of an instrument of which the venue has not said how they stand, or has said more than was booked."""
        orders = self.book.orders.open.values()
        mine = (o for o in orders if o.in_doubt and self.instrument_of(o) == instrument)
        return [o.id for o in mine if o.id != but and o.id not in self.waiting]

    async def _wait_for_refused(self, order: VenueOrder, answer: LiveAnswer, body: Mapping[str, Any]) -> None:
        """A venue that will not move an order is not asked again at once: the plan would, as soon as it heard of it."""
        refused = self.book.orders.refusals.get(order.id)
        if refused is not None and (answer.price, answer.lots) != (body["price"], body["lots"]):
            await asyncio.sleep(BACKOFF_S[min(refused.in_a_row, len(BACKOFF_S) - 1)])

    # ---- what the venue says of an order ------------------------------------------------------------------------------------

    def _heard(self, kind: str, order: VenueOrder, answer: LiveAnswer) -> None:
        """An answer to a request. What proves nothing leaves the order in doubt: it is asked about, never sent again."""
        self._learn(answer)
        if kind != "ask":
            self.turned_away.note(self, order, answer)
        if kind == "intent" and answer.outcome == NOT_TAKEN:
            if order.slot == ENTRY:
                self.note_answer(answer._replace(state=REJECTED, why=f"never taken: {answer.why}"))
            else:
                self.to_resend.add(order.id)
            return
        if answer.state == UNKNOWN and kind != "intent" and not answer.fired:
            return
        if kind == "intent" and answer.outcome == PASSED and order.slot == PROTECTIVE and not order.attached:
            self._leave_passed(order)
        self.note_answer(answer)
        if answer.outcome == EXISTS:
            self.spawn(self.ask_now(order.id))

    def _leave_passed(self, stop: VenueOrder) -> None:
        """The market is beyond the level of a stop before it could stand: it has fired, as it were, and its layer leaves now.
        The same level would be refused again and again, for as long as a layer may be without a stop.
        """
        position = self.book.sleeves[stop.sleeve].position
        mine = (layer for layer in position.layers[: position.open_layers] if layer.key == stop.key)
        if any(not leaves(self.book, stop.sleeve, layer) for layer in mine):
            why = f"the market was beyond the stop of layer {stop.key} before it could stand"
            self.take("leave", {"sleeve": self.book.names[stop.sleeve], "why": why})

    async def ask_now(self, id_: str, after_s: float = 0.0) -> None:
        """`ask` as a task."""
        await asyncio.sleep(after_s)
        await self.ask(id_)

    def _learn(self, answer: LiveAnswer) -> None:
        for venue_id in (answer.venue_id, *answer.child_id.split(CHILDREN)):
            if venue_id:
                self.children[venue_id] = answer.order
        if len(self.children) > KNOWN_MAX:  # a process lives for months
            self.children = self._without_old(self.children, self.children)
        if len(self.sent_ms) > KNOWN_MAX:
            self.sent_ms = self._without_old(self.sent_ms, {id_: id_ for id_ in self.sent_ms})
            self.moved_ms = self._without_old(self.moved_ms, {id_: id_ for id_ in self.moved_ms})

    def _without_old(self, known: dict[str, T], orders: Mapping[str, str]) -> dict[str, T]:
        """The newest, and of the others what is about orders that are open. `orders`: key -> its order."""
        old = list(known)[: -KNOWN_MAX // 2]
        gone = {key for key in old if orders[key] not in self.book.orders.open}
        return {key: value for key, value in known.items() if key not in gone}

    def note_answer(self, answer: LiveAnswer) -> None:
        """Journal what the venue says of an order, if it is news."""
        order = find(self.book.orders, answer.order)
        if order is None or not is_news(order, answer):
            return
        price, lots = (answer.price, answer.lots) if answer.price is not None and answer.lots is not None else (None, None)
        if order.slot != PROTECTIVE and price == 0.0:
            price, lots = None, None
        report = OrderReport(answer.order, answer.state, answer.filled_lots, answer.why[:200], price, lots)
        kind, body = reported(report)
        ids = {"venue_id": answer.venue_id, "child_id": answer.child_id}
        self.take(kind, body | {name: id_ for name, id_ in ids.items() if id_})

    async def ask(self, id_: str) -> bool:
        """Ask how an order stands; True when the venue has said so. One that is being cancelled is cancelled once more, one that
        the venue has proved not to have taken goes out again, both under the same id.
        """
        order = find(self.book.orders, id_)
        if order is None or id_ in self.busy:
            return False
        self.busy[id_], self.overtaken[id_] = 1, False
        try:
            if id_ in self.to_resend:
                self.to_resend.discard(id_)
                kind, answer = "intent", await self._placed(order)
            elif order.state == CANCELLING and not self.lost.late_ms(id_, self.now_ms()):
                kind, answer = "cancel", await self._answer(order, self.venue_of(order).cancel(order))
                if answer.outcome == NOT_FOUND and answer.state == UNKNOWN:  # what has ended cannot be cancelled either
                    answer = await self._answer(order, self.venue_of(order).ask(order))
            else:
                kind, answer = "ask", await self._answer(order, self.venue_of(order).ask(order))
                if answer.state != UNKNOWN:
                    self.seen.add(id_)
        finally:
            overtaken = self.overtaken.pop(id_)
            self._ended(id_)
        if answer is None:
            return True
        if overtaken and kind == "ask":
            return False
        if answer.outcome == NOT_FOUND and answer.state == UNKNOWN:
            return self._not_there(order, answer)
        self._heard(kind, order, answer)
        return answer.state != UNKNOWN

    def _not_there(self, asked: VenueOrder, answer: LiveAnswer) -> bool:
        """The venue does not know an order. That counts once its request can no longer arrive and nothing of it has filled."""
        order = find(self.book.orders, asked.id)
        if order is None or order.state in ENDED:
            return True
        if order.state in (WORKING, PARTIAL) and self.announced.is_named(asked.id):
            return False  # REST is behind the stream
        shown = asked.id in self.seen or asked.id in self.moved_ms
        if not shown and not self.book.is_gone(self.instrument_of(order)):
            self.lost.note(order)
        self.seen.discard(asked.id)
        if order.sleeps:
            return False  # its venue has it once its entry has ended
        sent_ms = self.sent_ms.get(order.id, self.began_ms)
        if order.id in self.unsure or self.lost.goes_again(self, order, sent_ms):
            self.unsure.discard(order.id)
            self.lost.note_again(order, sent_ms)
            self.to_resend.add(order.id)
            self.spawn(self.ask_now(order.id))
            return False
        if self.now_ms() - sent_ms < LIFE_MS or order.filled != asked.filled:
            if order.state in (WORKING, PARTIAL):  # acknowledged, and not there
                self.note_answer(answer._replace(state=UNKNOWN, filled_lots=order.filled))
            return False
        if order.reported > order.filled:
            return False
        if not self.unread(self.instrument_of(order)):
            state = DONE if order.filled else REJECTED
            self.note_answer(answer._replace(state=state, filled_lots=order.filled, why=f"never existed: {answer.why}"))
        return True  # an execution that waits for this order's answer has it: else each would wait for the other for ever
