"""The ordinary loop: one closed bar through the core, journaled, then acted on. Replay, paper and (later) live run it alike.

Called by app.processes.worker, which owns the clock. Order of a bar: what people have set (halt, configuration) -> what the
venue did inside the bar (venues/paper.py) -> signals -> engine.book.transitions.step -> ONE durable batch in the journal -> the
latch once more -> what the desk asks of the venue -> its answers, journaled. Whatever happens in between, the journal is the
truth: a start folds it, asks the venue about every order in doubt, and goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.book import Book, Spec
from engine.book.events import features_hash
from engine.book.order_events import EventBody, is_entry, is_wanted
from engine.book.snapshot import to_json
from engine.book.transitions import begin, step
from engine.core.orders import DONE, SENT, VenueOrder
from engine.core.state import DAY_MS, ENTRY
from engine.core.step import usable
from engine.errors import DataError, DeskError
from engine.features.reads import Reads
from engine.live import config_event
from engine.live.bar_event import account_of, asked_at, bar_body, complaints
from engine.live.basket_bar import BasketBars, silent, trade_basket, without_off
from engine.live.controls import Controls
from engine.live.feed import Feed, Span
from engine.live.following import Following, Reread
from engine.live.record import Group, record
from engine.live.requests import Unanswered, answers, asked_again, entries_of, reported
from engine.live.signal_source import SignalSources
from engine.ports import BarFeed, Clock, OrderReport, Report
from engine.store.chain import Head
from engine.store.journal import Journal
from engine.strategies.base import code_sha256
from engine.venues.paper import PaperVenue

LIVE_BARS = 2  # a bar that closed at most this long ago is not a recorded one


class Loop:
    """One desk's loop. `book` is the state (None before `open`); every public method leaves it journaled."""

    def __init__(self, journal: Journal, controls: Controls, folder: Path, body_of: Reread, now_ms: Clock) -> None:
        self.journal, self.controls, self.folder = journal, controls, folder
        self.following = Following(self, journal, controls, folder, body_of, now_ms)
        self.stamp = "PAPER"  # of its bars, once nothing is replayed any more
        self.venue_of: Callable[[Iterable[VenueOrder]], PaperVenue] = PaperVenue  # with the orders that stand there
        self.venue = self.venue_of(())
        self.troubles: dict[str, str] = {}  # sleeve -> what its strategy did wrong at the last bar
        self._now_ms = now_ms
        self._book: Book | None = None
        self._feed: Feed | None = None
        self.signals = SignalSources(folder)
        self.basket_bars, self._growing = BasketBars(folder), False
        self._wrong: dict[str, str] = {}
        self.withheld: Callable[[], str] = lambda: ""  # why no entry may be made now; the worker sets it
        self.unwatched: Callable[[int], str] = lambda _close_ms: ""  # why no strategy is asked at a close (live data: a gap)
        self._unsent = False  # an entry order was journaled and not handed over
        self._unanswered = Unanswered()

    @property
    def book(self) -> Book:
        """The desk as it stands."""
        assert self._book is not None, "open() comes first"  # noqa: S101 - a programmer's error halts
        return self._book

    @property
    def feed(self) -> Feed:
        """The bars it trades on."""
        assert self._feed is not None, "use_feed() comes first"  # noqa: S101 - a programmer's error halts
        return self._feed

    @property
    def replaying(self) -> bool:
        """Whether the next bar is still of the replay."""
        return bool(self.book.close_ms < self.book.start["replay_until_ms"])

    def open(self, book: Book | None, span: Span, about: Mapping[str, Any]) -> None:
        """Go on from a folded `book`, or begin a desk at `span`; `about` (source, funding policy) is told in its start."""
        if book is not None:
            self._book = book
        else:
            desk, _ = self.controls.config(self.controls.poll().version, {})
            body = self.following.body_of(desk)
            body |= {"start": {**config_event.start_of(desk.config), **span._asdict(), **about}}
            self._book, following = begin(body)
            self._record([("config", body, following)], sync=True)
        self.venue = self.venue_of(self.book.orders.open.values())
        if self.journal.set_aside:
            files = [path.name for path in self.journal.set_aside]
            self.incident("the end of the journal was unfinished and is kept aside", {"files": files})

    def use_feed(self, feed: Feed) -> None:
        """Trade on these bars from now on. Raises DataError when the history that the desk has seen is another; then it keeps
        those it had.
        """
        covering = feed.covering(config_event.reads_of_book(self.book, self.folder))
        before, self._feed = self._feed, covering
        try:
            self._same_history(covering)
        except DeskError:
            self._feed = before
            raise

    def go_on_with(self, feed: Feed) -> None:
        """Trade on these live bars: their history may be corrected, which is an event and no refusal."""
        self._feed, self._growing = feed, True

    def _same_history(self, feed: Feed) -> None:
        """The last bar's features are what the journal noted of them."""
        book = self.book
        for s, spec in enumerate(book.specs):
            bar_ms, noted = spec.rules.bar_ms, book.features.get(book.names[s])
            t = feed.after(book.close_ms // bar_ms * bar_ms) - 1
            if noted is None or t < 0:
                continue
            (reading,) = self.signals.readings([spec], feed, t, live=self._live(feed, feed.bar_count - 1))
            if reading is not None and not reading.wrong and self._same_code(spec) and features_hash(reading.read) != noted:
                name = spec.source["instrument"]
                raise DataError(f"{name}: its history gives other features than this desk saw", "restore the files it came from")

    def _live(self, feed: Feed, t: int) -> bool:
        """Whether bar t closes now: then no answer is waited for long. Recorded bars are older."""
        return self._now_ms() - int(feed.span.close_ms[t]) < LIVE_BARS * feed.span.timeframe_ms

    def _same_code(self, spec: Spec) -> bool:
        return bool(code_sha256(config_event.code_of(spec, self.folder).strategy) == spec.source["strategy_sha256"])

    # ---- what people have set ------------------------------------------------------------------------------------------

    def poll_controls(self) -> bool:
        """Follow the halt and the version in force, ask about orders left unanswered. True when something was journaled."""
        before = self.journal.head
        self.following.poll()
        self._ask_again()
        return self.journal.head != before

    def adopt(self, version: int) -> bool:
        """Follow a version, or the same one whose limits, costs or code changed since; False when nothing did."""
        return self.following.adopt(version)

    def cover(self, reads: Sequence[Reads]) -> None:
        """As FollowedDesk."""
        self._feed = self.feed.covering(reads)

    def keep_signals(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """As FollowedDesk."""
        self.signals.keep(wanted)

    # ---- one bar -------------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the next bar has come."""
        feed: BarFeed = self.feed
        return feed.after(self.book.close_ms) < feed.bar_count

    def step(self) -> None:
        """The next bar, all of it: look, let the venue trade, decide, journal, look again, act."""
        self.poll_controls()
        self._follow_verification()
        book, replaying, tripped_ms = self.book, self.replaying, self.book.tripped_ms
        t = self.feed.after(book.close_ms)
        body, read, read_next = self._bar(t, "REPLAYED" if replaying else self.stamp)
        batch, ambiguous = self._traded(body)
        if ambiguous:
            body["ambiguous"] = ambiguous
        led = step(book, "bar", body, read, read_next)
        # Nothing leaves the process in a replay: its batches may reach the disk together, once a simulated day. A crash
        # of the machine then costs replayed bars, which are walked again to the same rows.
        day_ends = book.close_ms % DAY_MS == 0
        self._record([*batch, ("bar", *led)], sync=not replaying or day_ends)
        if book.tripped_ms != tripped_ms:
            self.controls.latch_drawdown(book.tripped_ms, self._now_ms())
        self._report_troubles()
        self._hand_over(led[1])
        if day_ends:
            self.snapshot()

    def _traded(self, body: Mapping[str, Any]) -> tuple[list[Group], int]:
        """What the venue did inside the bar, and how many sleeves' bars were ambiguous.

        The paper venue is simulated: its reports, and what the desk asks of it meanwhile, are part of the bar's batch.
        """
        book, batch, ambiguous = self.book, list[Group](), 0

        def deliver(report: Report) -> None:
            kind, said = reported(report)
            led = step(book, kind, said, {}, {})
            batch.append((kind, *led))
            for answer in answers(self.venue, book.orders, led[1]):
                deliver(answer)

        self.venue.begin_bar()
        if book.basket is not None:
            trade_basket(self.venue, book, body, deliver)
            return batch, 0
        for s in range(len(book.specs)):
            account, bar = account_of(book, s, body)
            if usable(bar):
                ambiguous += self.venue.trade(account, bar, deliver)
            elif account.clock_ms:
                self.venue.lapse(s, deliver)
        return batch, ambiguous

    def _follow_verification(self) -> None:
        """Entries are withheld while the journal is not verified; orders that a start has kept back leave once it is."""
        why = self.withheld()
        self.following.verified(why)
        if self._unsent and why:
            self._never_sent({o.id for o in self.book.orders.open.values() if is_entry(self.book, o)}, why)
        elif self._unsent:
            self.resume()
        self._unsent = False

    def resume(self) -> None:
        """At a start: hand over again what was journaled and perhaps never sent, and ask about every other order in doubt.

        The same order under the same id: a venue that has it places nothing. Entries wait while the journal is not verified; one
        that is no longer wanted (a halt came first) is only asked about.
        """
        withheld = bool(self.withheld())
        for id_ in list(self.book.orders.open):
            order = self.book.orders.open.get(id_)
            if order is None or not order.in_doubt:
                continue
            entry, sent = is_entry(self.book, order), order.state == SENT
            if entry and sent and withheld:
                self._unsent = True
                continue
            unwanted = order.slot == ENTRY and not is_wanted(self.book, order)
            self.take(*reported(self.venue.place(order) if sent and not unwanted else asked_again(self.venue, order)))

    def _ask_again(self) -> None:
        """Ask about orders that the venue has left unanswered for a while; an entry kept back here is not there yet."""
        for id_ in self._unanswered.due(self.book.orders, self._now_ms()):
            order = self.book.orders.open.get(id_)
            kept = self._unsent and order is not None and is_entry(self.book, order) and order.state == SENT
            if order is not None and order.unanswered and not kept:
                self.take(*reported(asked_again(self.venue, order)))

    def take(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One thing from outside: through the fold, into the journal, durable, then acted on. Returns its body as journaled."""
        led = step(self.book, kind, body, {}, {})
        self._record([(kind, *led)], sync=True)
        self._hand_over(led[1])
        return led[0]

    def _hand_over(self, following: list[EventBody]) -> None:
        """What was journaled goes to the venue, its answers into the journal. Entries only if nobody has halted meanwhile."""
        entries = entries_of(following)
        halted = bool(entries) and self.controls.poll().latch.halted
        withheld = bool(entries) and bool(self.withheld())
        kept = entries if halted or withheld else set()
        if halted:
            self.poll_controls()
            self._never_sent(entries, "the desk was halted")
        elif withheld:
            self._unsent = True
        left = [(kind, body) for kind, body in following if body.get("order") not in kept]
        said = map(reported, answers(self.venue, self.book.orders, left))
        batch = [(kind, *step(self.book, kind, body, {}, {})) for kind, body in said]
        if batch:
            self._record(batch, sync=not self.replaying)
        for _, _, more in batch:
            self._hand_over(more)

    def _never_sent(self, ids: set[str], why: str) -> None:
        """Orders that were journaled and kept here have never existed at the venue."""
        for id_ in sorted(ids):
            if self.book.orders.open[id_].state == SENT:
                self.take(*reported(OrderReport(id_, DONE, 0, f"never sent: {why}")))

    def _bar(self, t: int, stamp: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The bar event's body, and what each sleeve read: by its own version, and by the one that waits."""
        book, feed = self.book, self.feed
        why = self.unwatched(int(feed.span.close_ms[t]))
        now, waits = asked_at(self.signals, book, feed, t, live=self._live(feed, t), unwatched=why)
        self._wrong = {} if why else {name: reading.wrong for name, reading in now.items() if reading.wrong}
        body = bar_body(feed, book, t, stamp, now, waits)
        if book.basket is not None:
            found = self.basket_bars.body(book, feed, t, growing=self._growing)
            body["basket"] = silent(found) if why else found
        return dict(without_off(book, body)), {n: h.read for n, h in now.items()}, {n: h.read for n, h in waits.items()}

    # ---- the journal ---------------------------------------------------------------------------------------------------

    def _record(self, groups: Sequence[Group], *, sync: bool) -> list[Head]:
        """One batch: leading events, each with what follows from it. Durable when this returns, if `sync`."""
        return record(self.journal, self.book, self._now_ms(), groups, sync=sync)

    def snapshot(self) -> Head:
        """The whole state, so that a start need not fold from the beginning. Outside the journal's hash."""
        return self._record([("snapshot", to_json(self.book), [])], sync=True)[0]

    def incident(self, what: str, more: Mapping[str, Any]) -> None:
        """Something a person should know that is not of the desk's own making. Outside the journal's hash."""
        self._record([("incident", {"what": what, **more}, [])], sync=True)

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """What was seen and moves no state (NOTES of engine.book.replay), durable."""
        self._record([(kind, body, [])], sync=True)

    def _report_troubles(self) -> None:
        """A strategy that fails is told when it begins to and when the complaint changes, not at every bar."""
        for what, more in complaints(self.troubles, self._wrong):
            self.incident(what, more)
        self.troubles = dict(self._wrong)
