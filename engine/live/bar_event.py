"""The body of a `bar` event: what the market did at a close and what each sleeve's strategy said there, all outside inputs.

Called by live/loop.py. Replay and fold need nothing else of the bar: no file, no strategy, no feature.
"""

from collections.abc import Mapping
from typing import Any

from engine.book.bar_signals import as_written
from engine.book.book import Book
from engine.book.events import features_hash
from engine.data.correlation import daily_correlations, day_of, upper
from engine.live.feed import Feed
from engine.live.signal_source import SignalReading

Readings = Mapping[str, SignalReading]


def bar_body(feed: Feed, book: Book, t: int, stamp: str, now: Readings, waits: Readings) -> dict[str, Any]:
    """Bar t of the clock. `now`: what the sleeves' versions say, `waits`: what those say that wait for a flat sleeve."""
    close_ms = int(feed.span.close_ms[t])
    body = {
        "close_ms": close_ms,
        "stamp": stamp,
        "bars": feed.bars(t),
        "signals": {name: signal_body(reading) for name, reading in now.items()},
        "features": {name: features_hash(reading.read) for name, reading in now.items()},
    }
    if (moved := correlations_at(feed, book, close_ms)) is not None:
        body["correlations"] = moved
    if wrong := {name: reading.wrong for name, reading in now.items() if reading.wrong}:
        body["silent"] = wrong
    if waits:
        body["next"] = {name: signal_body(reading) for name, reading in waits.items()}
        body["next_features"] = {name: features_hash(reading.read) for name, reading in waits.items()}
    return body


def signal_body(reading: SignalReading) -> Any:
    """A signal as the bar event holds it: null where there is none."""
    return None if reading.wrong else as_written(reading.signal)


def correlations_at(feed: Feed, book: Book, close_ms: int) -> list[float | None] | None:
    """How the instruments had moved together, at the first bar of a UTC day; None at others and for one instrument alone."""
    if len(book.instruments) < 2 or (book.count and day_of(close_ms) == day_of(book.close_ms)):
        return None
    return upper(daily_correlations(feed.clock.whole, book.instruments, close_ms, close_ms)[0])
