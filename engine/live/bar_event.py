"""The body of a `bar` event: what the market did at a close and what each sleeve's strategy said there, all outside inputs; and
what of it each sleeve trades on.

Called by live/loop.py and live/account_loop.py. Replay and fold need nothing else of the bar: no file, no strategy, no feature.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.book.bar_signals import as_written
from engine.book.book import Book
from engine.book.events import features_hash
from engine.book.transitions import NO_BAR, bar_of
from engine.book.working import works
from engine.core.slices import own_close
from engine.core.state import Bar
from engine.data.correlation import daily_correlations, day_of, upper
from engine.live.feed import Feed
from engine.live.signal_source import SignalReading, SignalSources, silent
from engine.venues.paper import Account

Readings = Mapping[str, SignalReading]


def asked_at(
    signals: SignalSources, book: Book, feed: Feed, t: int, *, live: bool, unwatched: str = ""
) -> tuple[Readings, Readings]:
    """What the sleeves' versions say at bar t, and what those say that wait for a flat sleeve. Waits for strategy processes.

    `unwatched`: why none is asked, at a close that nobody was there to decide on.
    """
    waiting = [spec for spec in book.waiting if spec is not None]
    specs = [*book.specs, *waiting]
    if unwatched:
        close_ms = int(feed.span.close_ms[t])
        found = [silent(unwatched) if feed.closes(spec.rules.bar_ms, close_ms) else None for spec in specs]
    else:
        found = signals.readings(specs, feed, t, live=live)
    count = len(book.names)
    now = {name: reading for name, reading in zip(book.names, found[:count], strict=True) if reading is not None}
    later = zip(waiting, found[count:], strict=True)
    return now, {spec.source["name"]: reading for spec, reading in later if reading is not None}


def complaints(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Incidents (what, more) of strategies that have begun to fail, or fail for another reason: not one at every bar."""
    new = {name: wrong for name, wrong in now.items() if before.get(name) != wrong}
    return [(f"{name}: its strategy says nothing: {wrong}", {"sleeve": name}) for name, wrong in new.items()]


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
    if lacking := {name: list(reading.lacking) for name, reading in now.items() if reading.lacking}:
        body["lacking"] = lacking
    if nulls := {name: dict(reading.nulls) for name, reading in now.items() if reading.nulls}:
        body["nulls"] = nulls
    if waits:
        body["next"] = {name: signal_body(reading) for name, reading in waits.items()}
        body["next_features"] = {name: features_hash(reading.read) for name, reading in waits.items()}
    return body


def account_of(book: Book, s: int, body: Mapping[str, Any]) -> tuple[Account, Bar]:
    """Sleeve s at its paper venue and the bar that it trades: its own, or while it works an entry in slices the clock's, dated by
    its own (core/desk.py: settle_on_clock).
    """
    sleeve, rules, close_ms = book.sleeves[s], book.specs[s].rules, body["close_ms"]
    now, column, dated_ms, clock_ms = partial(book.sleeves.__getitem__, s), book.column(s), close_ms, 0
    if works(book, s, close_ms):
        column, dated_ms, clock_ms = book.columns[rules.instrument], own_close(rules, close_ms), close_ms
        rules = rules._replace(bars=rules.instrument)
    bar = bar_of(dated_ms, body["bars"].get(column, NO_BAR))
    return Account(book.names[s], s, sleeve.position, rules, sleeve.cost, now, clock_ms), bar


def signal_body(reading: SignalReading) -> Any:
    """A signal as the bar event holds it: null where there is none."""
    return None if reading.wrong else as_written(reading.signal)


def correlations_at(feed: Feed, book: Book, close_ms: int) -> list[float | None] | None:
    """How the instruments had moved together, at the first bar of a UTC day; None at others and for one instrument alone."""
    if len(book.instruments) < 2 or (book.count and day_of(close_ms) == day_of(book.close_ms)):
        return None
    return upper(daily_correlations(feed.clock.whole, book.instruments, close_ms, close_ms)[0])
