"""Journal -> state: the desk is what its journal says, and nothing else.

Called by the worker at every start (recovery is start-up) and by verification. A group is led by the one event that brought
something from outside (config, halt, bar, fill, funding, order, ...); engine.book.transitions.step works the rest of the group
out again, through the core, and it must be what was journaled: a journal that does not fold to its own rows is broken. Several
groups may be written as one batch. Bars carry the signals they were decided by, so that no market data is needed. A snapshot
bounds the work; folding from the start gives the same bits, as a test shows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.bodies import FORMAT
from engine.book.book import Book
from engine.book.events import features_hash
from engine.book.order_events import EventBody
from engine.book.snapshot import from_json, to_json
from engine.book.transitions import LEADING, begin, step
from engine.errors import JournalBroken
from engine.store.chain import Event, same_body
from engine.store.journal import read, tail

EDITED = "the journal was edited, or the core has changed: keep it aside and begin a new home"
NOTES = ("incident", "probe", "gate", "shadow")  # what was seen, for people and the gate: it moves no state
FIRST_LOOK = 2_000  # events read from the end at first; a day of three sleeves at 15 minutes


def fold(path: Path, *, whole: bool = False) -> Book | None:
    """The book that the journal makes; None for an empty one. `whole` starts at its first event, not at the last snapshot.

    Raises JournalBroken, naming the event, when the journal does not fold to its own rows.
    """
    events = list(read(path)) if whole else since_snapshot(path)
    book: Book | None = None
    for batch in batches(events):
        for group in groups(batch):
            book = after(book, group, path)
    return book


def since_snapshot(path: Path) -> list[Event]:
    """The events from the last snapshot on (all of them when there is none), in whole groups."""
    n, before = FIRST_LOOK, -1
    while True:
        found = tail(path, n)
        at = next((k for k in range(len(found) - 1, -1, -1) if found[k].kind == "snapshot"), None)
        if at is not None or len(found) == before:
            return found[at or 0 :]
        n, before = n * 8, len(found)


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events that were written together; a batch that is cut is left out."""
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if event.left == 0:
            yield batch
            batch = []


def groups(batch: Sequence[Event]) -> Iterator[list[Event]]:
    """The leading events of a batch, each with what follows from it."""
    group: list[Event] = []
    for event in batch:
        if not event.cause_id and group:
            yield group
            group = []
        group.append(event)
    if group:
        yield group


def require_format(start: Mapping[str, Any], path: Path) -> None:
    """Raise JournalBroken for a journal, by its `start`, that this program does not read."""
    if start.get("format") != FORMAT:
        raise JournalBroken(
            f"{path} is of another format ({start.get('format', 1)}; this program reads {FORMAT})",
            "go on with the version that wrote it, or begin a new home: NIGHTDESK_HOME=NEW nightdesk up",
        )


def after(book: Book | None, group: Sequence[Event], path: Path) -> Book | None:
    """The book after one group, which must say what the core says."""
    lead = group[0]
    if lead.kind in NOTES:
        return book
    if lead.kind == "snapshot":
        require_format(lead.body["start"], path)
        return from_json(lead.body) if book is None else same(book, lead, path)
    if book is None:
        if lead.kind != "config" or "start" not in lead.body:
            raise JournalBroken(f"{path}: {lead.id} ({lead.kind}) begins the journal", "a desk begins with its configuration")
        require_format(lead.body["start"], path)
        book, said = begin(lead.body)
    elif lead.kind in LEADING:
        read_by = features_read(group, path) if lead.kind == "bar" else {}
        body, said = step(book, lead.kind, lead.body, read_by, read_by)
        if body is not lead.body and not same_body(body, lead.body):
            raise JournalBroken(f"{path}: {lead.id} ({lead.kind}) is not what the book makes of it", EDITED)
    else:
        raise JournalBroken(f"{path}: {lead.id} ({lead.kind}) leads a group", "`nightdesk journal verify`")
    agree(group, said, path)
    return book


def features_read(group: Sequence[Event], path: Path) -> dict[str, dict[str, object]]:
    """Sleeve -> the features its decision read, as journaled; each row must have the hash that the bar noted."""
    bar, read_by = group[0].body, {}
    for event in group:
        if event.kind == "decision" and "features" in event.body:
            name, row = event.body["sleeve"], event.body["features"]
            noted = (bar["features"].get(name), bar.get("next_features", {}).get(name))
            if features_hash(row) not in noted:
                raise JournalBroken(f"{path}: {event.id} tells features that its bar {group[0].id} did not have")
            read_by[name] = row
    return read_by


def agree(group: Sequence[Event], said: Sequence[EventBody], path: Path) -> None:
    """What was journaled behind the leading event is what the core says follows from it."""
    for event, (kind, body) in zip(group[1:], said, strict=False):
        if event.kind != kind or not same_body(event.body, body):
            raise JournalBroken(
                f"{path}: {event.id} ({event.kind}) is not what the core makes of {group[0].id}: {kind} was expected",
                EDITED,
            )
    if len(group) - 1 != len(said):
        raise JournalBroken(f"{path}: {group[0].id} is followed by {len(group) - 1} events, the core makes {len(said)}")


def same(book: Book, lead: Event, path: Path) -> Book:
    """The book, which must be the one that the snapshot holds."""
    if not same_body(to_json(book), lead.body):
        raise JournalBroken(f"{path}: the snapshot {lead.id} is not what the journal folds to up to it")
    return book
