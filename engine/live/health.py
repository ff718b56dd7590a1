"""What must be well before anything enters, and what is done when it is not: layers without a stop, executions that are missing,
orders that are refused one after another, a venue that does not answer, streams that say nothing, clocks that differ.

A duty of engine.live.desk: it hears of every event, and looks again while something is not well. What it finds is a `health`
event, which stops entries and never an exit; what needs a person is a page, and does not end by itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from math import isfinite, nan
from statistics import median
from typing import Any, NamedTuple

from engine.book.account_events import orphan_lots
from engine.book.attached import attached_id, entry_id
from engine.book.bodies import REFUSALS, going_on, position_of, unfit_orders
from engine.book.book import lots_text
from engine.book.order_events import leaves, stuck
from engine.book.windows import EXECUTIONS
from engine.core.orders import REJECTED, STANDING, UNKNOWN, VenueOrder
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.live.desk import LiveDesk
from engine.live.lost_stops import withdraw_spent
from engine.live.naked import NakedLayers
from engine.live.poll import AccountPoll, holders
from engine.live.requests import forgives, refused_before
from engine.live.wakes import woken

NAKED_PAGE_MS, NAKED_LEAVE_MS, NAKED_AGAIN_MS = 5_000, 15_000, 3_600_000
MISSING_ASK_MS, MISSING_PAGE_MS = 5_000, 60_000
SEEN_ASK_MS, UNSEEN_PAGE_MS = 1_000, 15_000  # a stop that was acknowledged and not seen
SLEEPS_MS = 1_000  # that a part of a resting entry may be unlisted while its stop sleeps
REFUSED_MAX, REFUSED_MINUTE_MAX = 5, 10  # in a row; in a minute
SILENT_MS = 10_000
AWAY_LOOKS = 3
CLOCK_SAMPLES = 5
CLOCK_BLOCKS_MS, CLOCK_PAUSES_MS = 1_000, 5_000
LOOK_S, CLOCK_S = 1.0, 60.0

VenueClock = Callable[[], Awaitable[int]]  # the venue's time, UTC ms; may raise


class StreamHandle(NamedTuple):
    """A stream of hints: when it last showed life, and how it is built anew."""

    name: str
    alive_ms: Callable[[], int]
    rebuild: Callable[[], Awaitable[None]]


class AccountHealth:
    """Watches one account."""

    def __init__(
        self,
        desk: LiveDesk,
        polls: Mapping[str, AccountPoll],
        venue_clock: VenueClock | None = None,
    ) -> None:
        self.desk, self.polls, self._venue_clock = desk, polls, venue_clock
        self.streams: tuple[StreamHandle, ...] = ()  # duties.py gives them
        self.naked = NakedLayers(desk)
        self.missing: dict[str, int] = {}  # order -> since when it says more than was booked
        self.unseen: dict[str, int] = {}  # stop that stands by the venue's word alone -> since when
        self.refused = refused_before(desk.journal.path, desk.book.names, desk.now_ms())  # sleeve -> times of refusals in a row
        self._asked: dict[str, int] = {}  # attached stop that covers what is not booked -> when it was asked last
        self._flattening: set[tuple[int, int]] = set()
        self._left_ms: dict[str, int] = {}  # sleeve -> when it was left last for want of a stop
        self._minute: dict[str, deque[int]] = {}
        self.offsets: deque[float] = deque(maxlen=CLOCK_SAMPLES)
        self._clock_unanswered = 0  # questions in a row without a time
        self._rebuilt: dict[str, int] = {}
        self._dust: set[tuple[int, int, int]] = set()  # (sleeve, layer, lots) that were said
        self._something = asyncio.Event()
        desk.watches.append(self._noticed)

    # ---- what every event may change ----------------------------------------------------------------------------------------

    def _noticed(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "order":
            self._count_refusals(body)
        if kind == "adopt" and body.get("adopted"):
            self._forget(body["difference"])
        self._note()

    def _note(self) -> None:
        self._note_missing()
        self.naked.note()
        self._note_unseen()
        if self._is_something():
            self._something.set()

    def _count_refusals(self, body: Mapping[str, Any]) -> None:
        """Refusals of the venue in a row, of one sleeve: five, or ten in a minute, and it enters nothing until a person looks."""
        name, state = body.get("sleeve"), body["state"]
        if name is None or str(body.get("why", "")).startswith("never"):
            return
        if forgives(body):
            self.refused.pop(name, None)
        if state != REJECTED:
            return
        now = self.desk.now_ms()
        row, minute = self.refused.setdefault(name, []), self._minute.setdefault(name, deque(maxlen=REFUSED_MINUTE_MAX))
        row.append(now)
        minute.append(now)
        within = len(minute) == REFUSED_MINUTE_MAX and now - minute[0] <= 60_000
        if len(row) >= REFUSED_MAX or within:
            asyncio.get_running_loop().call_soon(
                self.begin, f"{REFUSALS}{name}", f"{len(row)} refused in a row: {body.get('why')}", True
            )

    def _note_missing(self) -> None:
        now, orders = self.desk.now_ms(), self.desk.book.orders.open.values()
        unfit = unfit_orders(self.desk.book.differences) if self.desk.book.differences else ()
        self.missing = {o.id: self.missing.get(o.id, now) for o in orders if o.reported > o.filled and o.id not in unfit}

    def _note_unseen(self) -> None:
        """Stops by the venue's word alone: acknowledged, or there before this process, and not seen yet when asked, listed or by
        the stream; also in doubt since then.
        """
        now, orders = self.desk.now_ms(), self.desk.book.orders.open
        self.desk.seen &= orders.keys()
        self.desk.lost.keep(orders.keys() - self.desk.seen)
        there = (o for o in orders.values() if not self.desk.book.is_gone(self.desk.instrument_of(o)))
        mine = (o for o in there if _stands(o) or (o.state == UNKNOWN and o.id in self.desk.lost))
        shown = (o for o in mine if o.id not in self.desk.seen and not self.desk.announced.stands(o.id))
        self.unseen = {o.id: self.unseen.get(o.id, now) for o in shown}

    def _instrument(self, s: int) -> str:
        return str(self.desk.book.specs[s].source["instrument"])

    def _closed_there(self, s: int) -> bool:
        """Whether the venue holds nothing of a sleeve's instrument, by a difference that a person has been woken for."""
        name = self._instrument(s)
        return position_of(name) in self.desk.book.differences and self.desk.venue_lots.get(name) == 0

    # ---- health events --------------------------------------------------------------------------------------------------------

    def begin(self, what: str, why: str, page: bool = False) -> None:
        """Something is not well: no entries."""
        if what not in self.desk.book.health and not self.desk.failed:
            self.desk.take("health", {"what": what, "state": "begun", "why": why})
            if page:
                self.desk.incident(f"{what}: {why}; {going_on(what)}")

    def end(self, what: str) -> None:
        """It is well again, or a person says so."""
        if what in self.desk.book.health and not self.desk.failed:
            self.desk.take("health", {"what": what, "state": "over", "why": ""})

    def let_go_on(self, what: str) -> None:
        """A person has looked: what does not end by itself is over."""
        self._forget(what)
        self.end(what)

    def _forget(self, what: str) -> None:
        """What was counted towards something that is over by a person's word: it begins anew."""
        self.refused.pop(what.removeprefix(REFUSALS), None)
        self._minute.pop(what.removeprefix(REFUSALS), None)
        if what == "clock":
            self.offsets.clear()

    # ---- duties ---------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look while something is not well; else wait for it, or for the next watch of streams and polls."""
        self._note()  # a process that ended as it began has left no event of what is not covered
        for name in [name for name, times in self.refused.items() if len(times) >= REFUSED_MAX]:
            self.begin(f"{REFUSALS}{name}", f"{len(self.refused[name])} refused in a row before this start", page=True)
        while not self.desk.failed:
            self.look()
            await self._streams()
            await woken(self._something, self._next_look_s())
            if self._is_something():
                await asyncio.sleep(LOOK_S)

    def _is_something(self) -> bool:
        return bool(self.naked.since or self.naked.exits or self.missing or self.unseen)

    def _next_look_s(self) -> float:
        """Sooner while something is not well, and when a stream will have been silent for too long."""
        if self._is_something():
            return LOOK_S
        ends = min((stream.alive_ms() for stream in self.streams), default=self.desk.now_ms()) + SILENT_MS - self.desk.now_ms()
        return min(ends / 1000 + 0.01, 5 * LOOK_S) if ends > 0 else LOOK_S

    def look(self) -> None:
        """Timers that have run out."""
        now = self.desk.now_ms()
        self._asked = {id_: t_ms for id_, t_ms in self._asked.items() if id_ in self.desk.book.orders.open}
        self.naked.note()  # a stop may have been shown since, of which there is no event
        for (s, key), since in sorted(self.naked.since.items()):
            self._look_at_naked(s, key, now - since)
        self._ask_covers(now)
        self._ask_resting(now)
        withdraw_spent(self.desk, self.missing)
        self._look_for_stops(now)
        self._wake_stops(now)
        for id_, since in self.missing.items():
            if now - since >= MISSING_ASK_MS:
                for poll in self.polls.values():
                    poll.wake()
            if now - since >= MISSING_PAGE_MS:
                order = self.desk.book.orders.open.get(id_)
                at = "" if order is None else self.desk.instrument_of(order)
                what = f"executions of {at}" if at in self.desk.book.off else EXECUTIONS
                self.begin(what, f"order {id_} says that more has filled than is listed")
                self.desk.incident(f"order {id_} says that more has filled than the venue lists, for a minute; no entries")
        if not self.missing:
            for what in [what for what in self.desk.book.health if what.startswith(EXECUTIONS)]:
                self.end(what)
        for name, poll in self.polls.items():
            if poll.failures >= AWAY_LOOKS:
                self.begin(f"venue of {name}", "it does not say what was executed")
            elif not poll.failures:
                self.end(f"venue of {name}")
            if any(now - since > MISSING_ASK_MS for _, since in poll.pending.values()):
                self.begin(f"unexplained in {name}", "executions that no order explains yet")
            elif not poll.pending:
                self.end(f"unexplained in {name}")

    def _look_at_naked(self, s: int, key: int, for_ms: int) -> None:
        name, sleeve = self.desk.book.names[s], self.desk.book.sleeves[s]
        lots = sum(layer.lots for layer in sleeve.position.layers if layer.key == key)
        if key in stuck(self.desk.book, s):
            self._name_dust(s, key, lots)
        elif for_ms >= NAKED_PAGE_MS and not (lots and self._closed_there(s)):
            held = lots_text(self.desk.book, self._instrument(s), lots) if lots else "unread lots"
            exits = "; their exit has not filled" if self.naked.exit_of(s, key) else ""
            self.desk.incident(f"{name}: {held} of layer {key} have no protective order at the venue{exits}", layer=key)
        if for_ms >= NAKED_LEAVE_MS and lots == 0:
            self.desk.spawn(self._flatten(s, key))
            return
        left = all(leaves(self.desk.book, s, layer) for layer in sleeve.position.layers[: sleeve.position.open_layers])
        if for_ms >= NAKED_LEAVE_MS and not left:
            why = f"layer {key} had no protective order for {NAKED_LEAVE_MS // 1000} s"
            self.desk.take("leave", {"sleeve": name, "why": why})
            before, self._left_ms[name] = self._left_ms.get(name), self.desk.now_ms()
            if before is not None and self._left_ms[name] - before <= NAKED_AGAIN_MS:
                self.begin(f"{REFUSALS}{name}", f"{why}, for the second time within an hour", page=True)

    def _name_dust(self, s: int, key: int, lots: int) -> None:
        """Lots that the venue takes no order of are said once: nothing here can change them, and each close shows them."""
        if (s, key, lots) not in self._dust:
            self._dust.add((s, key, lots))
            name, least = self.desk.book.names[s], self.desk.book.specs[s].rules.least_lots
            what = (
                f"{name}: {lots} lots of layer {key} are dust: the venue takes no order below {least}, so nothing protects them"
            )
            self.desk.incident(
                f"{what}; close them there by hand, and adopt the difference: nightdesk reconcile", layer=key, lots=lots
            )

    def _ask_covers(self, now: int) -> None:
        """An attached stop that alone covers what is not booked: is it still there? Each five seconds."""
        for order in self.desk.book.orders.open.values():
            since = self.missing.get(entry_id(order.id)) if order.attached and order.state in STANDING else None
            if since is not None and now - max(since, self._asked.get(order.id, 0)) >= MISSING_ASK_MS:
                self._asked[order.id] = now
                self.desk.spawn(self.desk.ask_now(order.id))

    def _ask_resting(self, now: int) -> None:
        """A resting entry where no stream would say what it fills, and a list of executions may leave it out: what is its state?
        Each five seconds.
        """
        if any(now - stream.alive_ms() <= SILENT_MS for stream in self.streams):
            return
        for order in self.desk.book.orders.open.values():
            rests = order.slot == ENTRY and order.price > 0.0 and order.state in STANDING and order.reported == order.filled
            if rests and now - self._asked.setdefault(order.id, now) >= MISSING_ASK_MS:
                self._asked[order.id] = now
                self.desk.spawn(self.desk.ask_now(order.id))

    def _look_for_stops(self, now: int) -> None:
        """Ask about stops that the venue has not shown: a question can be lost, or fall into a move of the order. A layer whose
        stops nobody could see in time is a page.
        """
        self._note_unseen()
        orders = self.desk.book.orders.open
        for id_, since in self.unseen.items():
            pause = SEEN_ASK_MS if now - since < UNSEEN_PAGE_MS else MISSING_ASK_MS
            if now - max(since, self._asked.get(id_, 0)) >= pause:
                self._asked[id_] = now
                self.desk.spawn(self.desk.ask_now(id_))
        late = {(o.sleeve, o.key) for o in (orders[id_] for id_, since in self.unseen.items() if now - since >= UNSEEN_PAGE_MS)}
        seen = {(o.sleeve, o.key) for o in orders.values() if _stands(o) and o.id in self.desk.seen}
        for s, key in sorted((late - seen - self.naked.since.keys()) & set().union(*self.naked.layers())):
            what = f"the venue has acknowledged the stop of layer {key}, and does not show it"
            self.desk.incident(f"{self.desk.book.names[s]}: {what}; look there", layer=key)

    def _wake_stops(self, now: int) -> None:
        """A resting entry that has filled what is not listed, and whose stop its venue keeps until it has ended: its rest is
        withdrawn, so that the stop stands.
        """
        for id_ in [id_ for id_, since in self.missing.items() if now - since >= SLEEPS_MS]:
            self.wake_stop(id_)

    def wake_stop(self, id_: str) -> None:
        """Withdraw an entry of which a part is not listed, where its stop stands only once it has ended."""
        orders = self.desk.book.orders.open
        entry, stop = orders.get(id_), orders.get(attached_id(id_))
        if entry is None or entry.slot != ENTRY or entry.state not in STANDING or stop is None or not stop.sleeps:
            return
        self.desk.take("lapse", {"order": id_, "why": "a part of it is not listed, and its stop stands once it has ended"})

    async def _flatten(self, s: int, key: int) -> None:
        """Leave at the market what the venue holds by an entry that could not be booked: no more than the position there shows
        beside what the book accounts for. What is executed is read later, behind the entry's own executions.
        """
        name, layer = self._instrument(s), (s, key)
        if layer in self._flattening:
            return
        self._flattening.add(layer)
        try:
            there = (await self.desk.venues[name].position()).lots
        except DataError:
            return  # asked again at the next look
        finally:
            self._flattening.discard(layer)
        orders = self.desk.book.orders.open.values()
        side = next((o.side for o in orders if (o.sleeve, o.key) == layer and self.naked.is_unread(o)), 0)
        unread = there - sum(lots for _, lots in holders(self.desk, name)) - orphan_lots(self.desk.book, name)
        lots = min(side * unread, side * there)  # an entry that turned a leg over has closed a part of it
        if lots > 0 and layer in self.naked.since and not self.desk.failed:
            why = f"lots of layer {key} that could not be booked had no stop for {NAKED_LEAVE_MS // 1000} s"
            self.desk.take("leave", {"sleeve": self.desk.book.names[s], "key": key, "lots": lots, "why": why})

    async def _streams(self) -> None:
        """A stream that shows no life for ten seconds is built anew; what it would have said is read by REST at once."""
        now = self.desk.now_ms()
        for stream in self.streams:
            if now - stream.alive_ms() <= SILENT_MS:
                self.end(f"stream {stream.name}")
                continue
            self.begin(f"stream {stream.name}", f"silent for {SILENT_MS // 1000} s")
            if now - self._rebuilt.get(stream.name, 0) >= SILENT_MS:
                self._rebuilt[stream.name] = now
                for poll in self.polls.values():
                    poll.wake()
                await stream.rebuild()

    async def run_clock(self) -> None:
        """The venue's clock against ours, each minute; sooner while it is not certain: three samples of five turn the median."""
        while not self.desk.failed and self._venue_clock is not None:
            await self.look_at_clock(self._venue_clock)
            doubtful = len(self.offsets) < CLOCK_SAMPLES or abs(self.offsets[-1] - median(self.offsets)) > CLOCK_BLOCKS_MS
            await asyncio.sleep(5 * LOOK_S if self._clock_unanswered else LOOK_S if doubtful else CLOCK_S)

    async def look_at_clock(self, venue_clock: VenueClock) -> None:
        """One sample; the median of five counts: one slow answer is not a wrong clock. Three in a row without a time stop entries
        until it is known again.
        """
        before = self.desk.now_ms()
        try:
            theirs = float(await venue_clock())
        except Exception:  # noqa: BLE001 - whatever it is, it is no time
            theirs = nan
        if not isfinite(theirs):  # a median with it would agree with everything
            self._clock_unanswered += 1
            if self._clock_unanswered >= AWAY_LOOKS:
                self.begin("clock offset", "the venue does not say its time")
            return
        self._clock_unanswered = 0
        self.offsets.append(theirs - (before + self.desk.now_ms()) / 2)
        offset = median(self.offsets)
        if abs(offset) > CLOCK_PAUSES_MS:
            self.begin("clock", f"the venue's clock differs by {offset / 1000:.1f} s", page=True)
        elif abs(offset) > CLOCK_BLOCKS_MS:
            self.begin("clock offset", f"the venue's clock differs by {offset / 1000:.1f} s")
            self.desk.incident("the venue's clock differs from ours by more than a second; no entries until it agrees")
        else:
            self.end("clock offset")


def _stands(order: VenueOrder) -> bool:
    """Whether it is a stop that the book has as standing at the venue by itself."""
    return order.slot == PROTECTIVE and order.state in STANDING and not order.sleeps
