"""The ordinary loop: one closed bar through the core, journaled, then acted on. Replay, paper and (later) live run it alike.

Called by app.processes.worker, which owns the clock. Order of a bar: what people have set (halt, configuration) -> what the
venue did inside the bar (venues/paper.py) -> signals -> engine.book.transitions.step -> ONE durable batch in the journal -> the
latch once more -> what the desk asks of the venue -> its answers, journaled. Whatever happens in between, the journal is the
truth: a start folds it, asks the venue about every order in doubt, and goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.bodies import FORMAT
from engine.book.book import Book, Spec
from engine.book.events import features_hash
from engine.book.order_events import EventBody
from engine.book.snapshot import to_json
from engine.book.transitions import begin, step
from engine.control import halt
from engine.control.agreement import LOST_VERSION_ACTION
from engine.control.config import DeskVersion
from engine.core.orders import DONE, SENT
from engine.core.state import DAY_MS, ENTRY
from engine.core.step import usable
from engine.errors import DataError, DeskError
from engine.features.anchor import ANCHOR
from engine.live import config_event
from engine.live.bar_event import account_of, bar_body
from engine.live.controls import Controls, ControlState
from engine.live.feed import Feed, Span
from engine.live.record import Group, record
from engine.live.requests import Unanswered, answers, asked_again, entries_of, reported
from engine.live.signal_source import SignalSources
from engine.ports import BarFeed, Clock, OrderReport, Report
from engine.store.chain import Head
from engine.store.journal import Journal
from engine.strategies.base import code_sha256
from engine.venues.paper import PaperVenue

LIVE_BARS = 2  # a bar that closed at most this long ago is not a recorded one
Reread = Callable[[DeskVersion], dict[str, Any]]  # -> body of its config event


class Loop:
    """One desk's loop. `book` is the state (None before `open`); every public method leaves it journaled."""

    def __init__(self, journal: Journal, controls: Controls, folder: Path, body_of: Reread, now_ms: Clock) -> None:
        self.journal, self.controls, self.folder = journal, controls, folder
        self.venue = PaperVenue()
        self.troubles: dict[str, str] = {}  # sleeve -> what its strategy did wrong at the last bar
        self._body_of, self._now_ms = body_of, now_ms
        self._book: Book | None = None
        self._feed: Feed | None = None
        self.signals = SignalSources(folder)
        self._wrong: dict[str, str] = {}
        self.withheld: Callable[[], str] = lambda: ""  # why no entry may be made now; the worker sets it
        self._unsent = False  # an entry order was journaled and not handed over
        self._unanswered = Unanswered()
        self._held = ""  # why it keeps itself halted
        self._compared: ControlState | None = None  # what the database last said, held against the journal's version
        self._compared_with, self._lost = 0, ""

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
            body = self._body_of(desk)
            start = {
                "format": FORMAT,
                "instruments": (names := config_event.instruments(desk.config)),
                "own_bars": config_event.columns(desk.config)[len(names) :],
                "timeframe_ms": config_event.clock_ms(desk.config),
                "fills": config_event.FILLS,
                "anchor": ANCHOR,
                **span._asdict(),
                **about,
            }
            self._book, following = begin(body | {"start": start})
            self._record([("config", body | {"start": start}, following)], sync=True)
        self.venue = PaperVenue(self.book.orders.open.values())
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
        """Follow the halt and the version in force. True when something was journaled."""
        seen, before = self.controls.poll(), self.journal.head
        book = self.book
        if book.tripped_ms and not seen.latch.halted and not self.controls.latched_for(book.tripped_ms):
            self.controls.latch_drawdown(book.tripped_ms, self._now_ms())  # a crash came between the breaker and its latch
            seen = self.controls.poll()
        lost = self._lost_version(seen)
        if lost:
            seen = self._hold(f"the desk stays on version {book.version}: {lost}", LOST_VERSION_ACTION)
        if seen.latch.unreadable:
            self.controls.latch_unreadable(seen.latch.unreadable, self._now_ms())
        if seen.latch.halted and book.desk.halted == 0:
            self._halt({"state": "halted", "reason": seen.latch.reason, "by": seen.latch.by})
        elif not lost and not seen.latch.halted and book.desk.halted != 0:
            self._release()
        if not lost and seen.version != book.version:
            self.adopt(seen.version)
        self.controls.answer_adoptions(seen, book, self.take, self._now_ms())
        self._ask_again()
        return self.journal.head != before

    def _release(self) -> None:
        """The latch is gone: a named person's release ends the halt; without one it was lost, and the desk stays halted."""
        reason, by = str(self.book.halt.get("reason", "")), str(self.book.halt.get("by", ""))
        found = self.controls.release_of(self.journal.path, reason, by)
        if found is not None:
            self._held = ""
            self._halt({"state": "released", "reason": found.reason, "by": found.by, "high_water": self.book.highest})
            return
        what = f"the halt of {by or 'unknown'} ({reason}) is gone from file and database, and no named person released it"
        self._hold(what, "find out what removed it (a lost or older database?), then: nightdesk release --reason WHY --as NAME")

    def _lost_version(self, seen: ControlState) -> str:
        """Why the version in force, as the database tells it, cannot be followed; asked again when anything was written."""
        if seen is not self._compared or self.book.version != self._compared_with:
            book = self.book
            given = (self.journal.path, book.version, str(book.config.get("sha256", "")), seen.version)
            self._compared, self._compared_with, self._lost = seen, book.version, self.controls.lost_version(*given)
        return self._lost

    def _hold(self, what: str, action: str) -> ControlState:
        """Halt, or stay halted, until a person has looked: latched for people, told once in the journal."""
        if not self.controls.poll().latch.halted:
            self.controls.latch_for_people(what, self._now_ms())
        if self._held != what:
            self._held = what
            self.incident(what, {"action": action})
        seen = self.controls.poll()
        if not seen.latch.halted and self.book.desk.halted == 0:  # neither file nor database could be written
            self._halt({"state": "halted", "reason": what, "by": halt.WORKER})
        return seen

    def _halt(self, body: dict[str, Any]) -> None:
        """Latched or released: journaled first, then entry orders are cancelled at the venue and exits placed."""
        self.take("halt", body)

    def adopt(self, version: int) -> bool:
        """Follow a version, or the same one whose limits, costs or code changed since; False when nothing did.

        A version that this desk cannot follow is an incident, once, and the one before stays in force.
        """
        book = self.book
        if version == book.version and self._lost_version(self.controls.poll()):
            return False
        desk, to_open = self.controls.config(version, {s["name"]: s.get("version", 0) for s in book.config["sleeves"]})
        try:
            body = self._body_of(desk)
            if config_event.fixed(body) != config_event.fixed(book.config):
                raise DataError("it has other sleeves, instruments or cash than this home", "begin a new home for them")
            self._feed = self.feed.covering(config_event.reads_of_config(desk.config, self.folder))
        except DeskError as error:
            if self.troubles.get("*") != str(error):
                self.incident(f"configuration version {version} cannot be followed: {error}", {"version": version})
            self.troubles["*"] = str(error)
            return False
        self.troubles.pop("*", None)
        if body == book.config:
            return False
        self.take("config", body | {"to_open": to_open})
        wanted = [spec.source for spec in (*book.specs, *book.waiting) if spec is not None]
        self.signals.keep(wanted)
        return True

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
        body, read, read_next = self._bar(t, "REPLAYED" if replaying else "PAPER")
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
        for s in range(len(book.specs)):
            account, bar = account_of(book, s, body)
            if usable(bar):
                ambiguous += self.venue.trade(account, bar, deliver)
            elif account.clock_ms:
                self.venue.lapse(s, deliver)
        return batch, ambiguous

    def _follow_verification(self) -> None:
        """Entries are withheld while the journal is not verified; orders that a start has kept back leave once it is."""
        why, told = self.withheld(), "verification" in self.book.health
        if bool(why) != told:
            self.take("health", {"what": "verification", "state": "begun" if why else "over", "why": why})
        if self._unsent and why:
            self._never_sent({o.id for o in self.book.orders.open.values() if o.slot == ENTRY}, why)
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
            entry, sent = order.slot == ENTRY, order.state == SENT
            if entry and sent and withheld:
                self._unsent = True
                continue
            unwanted = entry and self.book.sleeves[order.sleeve].order.key != order.key
            self.take(*reported(self.venue.place(order) if sent and not unwanted else asked_again(self.venue, order)))

    def _ask_again(self) -> None:
        """Ask about orders that the venue has left unanswered for a while; an entry kept back here is not there yet."""
        for id_ in self._unanswered.due(self.book.orders, self._now_ms()):
            order = self.book.orders.open.get(id_)
            kept = self._unsent and order is not None and order.slot == ENTRY and order.state == SENT
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
        waiting = [spec for spec in book.waiting if spec is not None]
        found = self.signals.readings([*book.specs, *waiting], feed, t, live=self._live(feed, t))
        count = len(book.names)
        now = {name: reading for name, reading in zip(book.names, found[:count], strict=True) if reading is not None}
        later = zip(waiting, found[count:], strict=True)
        waits = {spec.source["name"]: reading for spec, reading in later if reading is not None}
        self._wrong = {name: reading.wrong for name, reading in now.items() if reading.wrong}
        body = bar_body(feed, book, t, stamp, now, waits)
        return body, {n: h.read for n, h in now.items()}, {n: h.read for n, h in waits.items()}

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

    def _report_troubles(self) -> None:
        """A strategy that fails is told when it begins to and when the complaint changes, not at every bar."""
        for name, wrong in self._wrong.items():
            if self.troubles.get(name) != wrong:
                self.incident(f"{name}: its strategy says nothing: {wrong}", {"sleeve": name})
        kept = {name: text for name, text in self.troubles.items() if name == "*"}
        self.troubles = kept | self._wrong
