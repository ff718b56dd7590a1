"""Groups of events as one batch of the desk's journal: a leading event, and what the book says follows from it.

Called by engine.live.loop and engine.live.desk, the two writers of a desk's journal.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.book.book import Book
from engine.book.order_events import EventBody
from engine.book.transitions import step
from engine.book.windows import due
from engine.live import config_event
from engine.store.chain import Event, Head
from engine.store.journal import Journal

Group = tuple[str, Mapping[str, Any], list[EventBody]]  # a leading event's kind and body, and what follows it


def record(journal: Journal, book: Book, now_ms: int, groups: Sequence[Group], *, sync: bool) -> list[Head]:
    """One batch: leading events, each with what follows from it, and the incident windows that they open. Durable when this
    returns, if `sync`.

    Raises JournalBroken when the disk fails: the desk must stop then, and ask nothing more of its venue.
    """
    events = list[Event]()
    common: dict[str, Any] = {"config_version": book.version, "code_hash": config_event.code_hash(), "t_recv_ms": now_ms}
    for kind, body, following in [*groups, *_windows(book, groups)]:
        cause = f"@{len(events)}"
        events.append(Event(kind, book.close_ms, body, **common))
        events += [Event(k, book.close_ms, b, cause_id=cause, **common) for k, b in following]
    return journal.append(events, sync=sync)


def _windows(book: Book, groups: Sequence[Group]) -> Iterator[Group]:
    """What the batch has brought that touches money and is in no incident window opens one."""
    for body in due(book, groups):
        yield "window", *step(book, "window", body, {}, {})
