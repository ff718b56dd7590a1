"""What the desk lived through, from its journal: where a replay begins, and what came from outside since, in order.

Called by comparison.py. Turns journal events into a Tape: bars with the signals that were decided on, configurations, halts,
which versions governed, what people and the venue kept from entering. Nothing here reads market data or runs a strategy.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import SIMULATED
from engine.book.book import Book
from engine.book.replay import require_format
from engine.book.snapshot import from_json
from engine.book.transitions import begin
from engine.clock import utc, utc_day
from engine.core.state import ENTRY, SLOTS
from engine.errors import BadInput
from engine.store.chain import Event
from engine.store.runs import sha256_of_json
from engine.watch.attribution import holdings
from engine.watch.window import FAR_MS, JournalLine, between, journal_of, mark_at, mode_of, raw_lines

KINDS = {"config", "halt", "bar", "mark", "decision", "fill"}
PEOPLES = ("paused", "resumes_ms", "stage", "version")  # of a configured sleeve: what people say of when it trades, not how
ORDERS = ("enter", "add")  # actions of a decision that places an entry order
ENTRY_SLOT = SLOTS[ENTRY]
NEVER_RAN = "the desk has decided on no bar"


class Lead(NamedTuple):
    """One thing from outside: a bar, a configuration, a halt or release."""

    kind: str
    body: Mapping[str, Any]
    keys: tuple[str, ...] = ()  # of a bar: the version that each sleeve decided by
    waiting: tuple[str | None, ...] = ()  # and the one that waited for it to be flat
    blocked: bool = False  # entries were withheld: something was not well, or differed from the venue
    off: tuple[str, ...] = ()  # instruments that the venue did not trade: their sleeves' entries were withheld


class EntryFill(NamedTuple):
    """What a sleeve's entry order filled inside one bar, its parts together."""

    lots: int
    price: float  # average over the lots
    reference_price: float

    def with_part(self, body: Mapping[str, Any]) -> "EntryFill":
        """The same with one more `fill` event."""
        lots = self.lots + body["lots"]
        price, reference = ((getattr(self, n) * self.lots + body[n] * body["lots"]) / lots for n in ("price", "reference_price"))
        return EntryFill(lots, price, reference)


class Tape(NamedTuple):
    """The desk's days. Money in quote units, times UTC ms."""

    path: Path  # of the journal
    book: Book  # where a replay begins: the desk's own state
    start_seq: int  # of the event that says so
    leads: tuple[Lead, ...]
    sources: Mapping[str, Mapping[str, Any]]  # key of a version -> that sleeve of a `config` event
    numbers: Mapping[str, int]  # key of a version -> its number, the first that was so
    ordered: Mapping[tuple[str, int], int]  # sleeve and close of a decision -> lots of its entry order
    filled: Mapping[tuple[str, int], EntryFill]  # sleeve and close of a bar -> the entry that it filled
    filled_at: Mapping[tuple[str, int], int]  # sleeve and close of a decision -> close of the bar that first filled its entry
    entered: frozenset[tuple[str, int]]  # sleeve and close of a bar that filled an entry which the desk had decided
    equity: Mapping[str, float]  # of each sleeve at the end, marked
    end_seq: int  # of the mark that the end was read from
    end_ms: int

    @property
    def at_account(self) -> bool:
        """Whether its executions are a venue's, at their own times between closes."""
        return not self.book.simulated

    @property
    def names(self) -> list[str]:
        """What is compared: the sleeves, of a basket itself."""
        return self.book.names if self.book.basket is None else [self.book.basket.name]

    @property
    def start_equity(self) -> dict[str, float]:
        """Equity of each where the tape begins."""
        if self.book.basket is not None:
            return {self.book.basket.name: self.book.basket.whole.ledger.equity}
        return {name: self.book.marked(s).ledger.equity for s, name in enumerate(self.book.names)}

    @property
    def start_ms(self) -> int:
        """The close before the first bar."""
        return self.book.close_ms

    @property
    def bars(self) -> Iterator[Lead]:
        """The bars alone."""
        return (lead for lead in self.leads if lead.kind == "bar")


def own_bar(t_ms: int, bar_ms: int) -> int:
    """The close of the bar that an execution falls into: on paper it has that time, at an account its own."""
    return -(-t_ms // bar_ms) * bar_ms


def closing_mark(path: Path, until_ms: int | None = None) -> Event | None:
    """The mark of the last bar up to an instant. At an account others follow until the next close: what is executed meanwhile
    falls into a bar that no backtest has yet."""
    last = mark_at(path, until_ms)
    if last is None or mode_of(path) in SIMULATED:
        return last
    found: Event | None = None
    for event in between(path, last.t_event_ms - 1, last.t_event_ms, {"bar", "mark"}):
        found = None if event.kind == "bar" else found or event
    return found or last


def tape_of(home: Path, since_ms: int | None = None, until_ms: int | None = None) -> Tape:
    """The days of a home's desk, from the day that `since_ms` is in, or from its first bar, up to `until_ms`, or its last one.

    Raises BadInput for a desk that has not run, or not since then.
    """
    path = journal_of(home)
    mark = closing_mark(path, until_ms)
    book, seq = _begun(path, since_ms)
    if book is None or mark is None:
        raise BadInput(NEVER_RAN, "start it: nightdesk up")
    if since_ms is not None and since_ms >= mark.t_event_ms:  # else it would begin at the last day's snapshot, and answer of that
        raise BadInput(f"{NEVER_RAN} since {utc_day(since_ms)}: it is at {utc(mark.t_event_ms)}", "choose an earlier --since")
    tape = _read(path, book, seq, mark)
    if not any(True for _ in tape.bars):
        since = "" if since_ms is None else f" since {utc_day(since_ms)}"
        raise BadInput(f"{NEVER_RAN}{since}", "choose an earlier --since")
    return tape


def _begun(path: Path, since_ms: int | None) -> tuple[Book | None, int]:
    """The desk at the last snapshot up to an instant (one a UTC day), else as it began; and the event that says so."""
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    if first is None or "start" not in first.body:
        return None, 0
    require_format(first.body["start"], path)
    newest: JournalLine | None = None
    for line in raw_lines(path, -1, since_ms, {"snapshot"}) if since_ms is not None else ():
        newest = line
    found = newest.event() if newest is not None else None
    return (begin(first.body)[0], first.seq) if found is None else (from_json(found.body), found.seq)


def version_key(source: Mapping[str, Any]) -> str:
    """What tells two versions of a sleeve apart in how they trade."""
    return sha256_of_json({name: value for name, value in source.items() if name not in PEOPLES})[:16]


def _read(path: Path, book: Book, seq: int, end: Event) -> Tape:
    """The events from there to the last mark."""
    reading = _Reading(book)
    for line in raw_lines(path, book.close_ms - 1, end.t_event_ms, KINDS, _worth):
        if seq < line.seq < end.seq:
            reading.take(line)
    found = {name: holding.equity for name, holding in holdings(end.body).items()}
    if book.basket is not None:  # one equity: what a leg is shown with is a part of it
        found = {book.basket.name: float(end.body["basket"]["equity"])}
    return Tape(
        path,
        book,
        seq,
        tuple(reading.leads),
        reading.sources,
        reading.numbers,
        reading.ordered,
        reading.filled,
        reading.filled_at,
        frozenset(reading.entered),
        found,
        end.seq,
        end.t_event_ms,
    )


def _worth(kind: bytes, text: bytes) -> bool:
    """Whether a line says anything that a replay asks of it."""
    if kind == b"decision":
        return b'"size":{' in text
    return kind != b"fill" or b'"slot":"entry"' in text


class _Reading:
    """Events in their order, and what governed each sleeve while they came."""

    def __init__(self, book: Book) -> None:
        self.names = book.names
        self.leads: list[Lead] = []
        self.sources: dict[str, Mapping[str, Any]] = {}
        self.numbers: dict[str, int] = {}
        working = [(name, sleeve.order) for name, sleeve in zip(book.names, book.sleeves, strict=True) if sleeve.order.side != 0]
        self.ordered = {(name, order.decided_ms): order.lots for name, order in working}
        self.filled: dict[tuple[str, int], EntryFill] = {}
        self.filled_at: dict[tuple[str, int], int] = {}
        self.bar_ms = {spec.source["name"]: spec.rules.bar_ms for spec in book.specs}
        self.entered: set[tuple[str, int]] = set()
        self.keys = [self._key(spec.source) for spec in book.specs]
        self.waiting = [spec and self._key(spec.source) for spec in book.waiting]
        self.blocked, self.off = book.entries_blocked, tuple(book.off)
        self.unmarked = False  # whether the last bar's mark is still to come

    def take(self, line: JournalLine) -> None:
        """The next event."""
        kind = line.kind
        if kind == "mark":
            self.blocked = b'"blocked":{' in line.text
            marked = line.event() if b'"off":{' in line.text else None
            self.off = () if marked is None else tuple(marked.body["off"])
            # what was withheld at a close its own mark says: what was not well before may be over, or just begun
            if self.unmarked:
                self.leads[-1] = self.leads[-1]._replace(blocked=self.blocked, off=self.off)
            self.unmarked = False
            return
        event = line.event()
        if event is None:
            return
        if kind == "bar":
            self.unmarked = True
            self.leads.append(Lead(kind, event.body, tuple(self.keys), tuple(self.waiting), self.blocked, self.off))
        elif kind == "config":
            self._configured(event)
        elif kind == "halt":
            self.leads.append(Lead(kind, event.body))
        elif kind == "fill" and event.body["slot"] == ENTRY_SLOT:
            name = event.body["sleeve"]
            place = name, own_bar(event.body.get("t_ms", event.t_event_ms), self.bar_ms[name])
            self.filled_at.setdefault((name, event.body["decided_ms"]), place[1])
            self.filled[place] = self.filled.get(place, EntryFill(0, 0.0, 0.0)).with_part(event.body)
            if (place[0], event.body["decided_ms"]) in self.ordered:
                self.entered.add(place)
        elif kind == "decision" and event.body["action"] in ORDERS:
            self.ordered[event.body["sleeve"], event.t_event_ms] = event.body["size"]["approved_lots"]

    def _configured(self, event: Event) -> None:
        """A configuration: what it changes waits until the desk says that it governs."""
        body = event.body
        if "sleeves" in body:
            self.leads.append(Lead("config", body))
            for s, source in enumerate(body["sleeves"]):
                key = self._key(source)
                self.waiting[s] = None if key == self.keys[s] else key
        elif body["state"] == "governs":
            s = self.names.index(body["sleeve"])
            self.keys[s], self.waiting[s] = self.waiting[s] or self.keys[s], None

    def _key(self, source: Mapping[str, Any]) -> str:
        key = version_key(source)
        self.sources.setdefault(key, source)
        self.numbers.setdefault(key, int(source.get("version", 0)))
        return key
