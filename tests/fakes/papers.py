"""A small desk on a synthetic market: homes, loops and journals for the tests of the live loop, the fold and the worker."""

import atexit
import hashlib
import shutil
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from app.home.home import Home
from engine.book.book import Book
from engine.clock import timeframe_text
from engine.control.config import active, ensure_first, validated
from engine.core.state import DAY_MS, Signal
from engine.data.synthetic import write_synthetic
from engine.data.timeframes import series_of
from engine.live import config_event
from engine.live.controls import Controls
from engine.live.feed import Feed, Span, load
from engine.live.loop import Loop
from engine.live.signal_process import SignalProcess
from engine.store.journal import Journal
from engine.strategies.signals import Signals
from tests.fakes.versions import put_in_force

FROM_MS = 1_735_689_600_000  # 2025-01-01
BAR_MS = 900_000
DAYS = 60  # features need a month to warm up
WARM_DAYS, REPLAY_DAYS = 33, 3
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
WALL_MS = 1_760_000_000_000
_FEEDS: dict[tuple[Any, ...], Feed] = {}


@cache
def market(days: int = DAYS) -> Path:
    """The market's files, made once a test run."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-market-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_synthetic(folder, SYMBOLS, "15m", BAR_MS, FROM_MS, days * DAY_MS // BAR_MS, 3)
    return folder


def furnished(home: Path, days: int = DAYS) -> Path:
    """A home folder with the market in it, as its first start would leave it."""
    shutil.copytree(market(days), home / "data" / "synthetic")
    return home


def span() -> Span:
    """Where the small desk begins."""
    first = FROM_MS + WARM_DAYS * DAY_MS
    return Span(FROM_MS, first, first + REPLAY_DAYS * DAY_MS)


def feed_of(home: Home) -> Feed:
    """All its bars. The same bytes are read and checked once a test run, and nobody can write into what they gave."""
    config = active(home.engine, home.path).config
    series = series_of(home.catalog, config_event.columns(config), config.clock)
    files = sorted(path for folder, _ in home.roots for path in folder.rglob("*.parquet"))
    digest = hashlib.blake2b(b"".join(path.name.encode() + path.read_bytes() for path in files)).digest()
    key = (digest, span(), *((column, s.path.name, s.source) for column, s in series.items()))
    if key not in _FEEDS:
        _FEEDS[key] = load(home.catalog, series, BAR_MS, span(), "recorded")
        for own in _FEEDS[key].own.values():
            for values in (*own.whole, *own.span, *_FEEDS[key].span):
                if isinstance(values, np.ndarray):
                    values.setflags(write=False)
    return _FEEDS[key]._replace(files=tuple(series.values()), catalog=home.catalog)


def changeable(feed: Feed) -> Feed:
    """A copy of a feed whose bars a test may change."""
    own, span = deepcopy((dict(feed.own), feed.span))
    return feed._replace(own=own, span=span)


def loop_of(home: Home, feed: Feed, book: Any = None, controls: Controls | None = None) -> Loop:
    """A loop that has opened the home's journal and walks the bars; close its journal before the next one."""
    loop = begun(home, feed, book, controls)
    loop.poll_controls()
    loop.resume()
    return loop


def begun(home: Home, feed: Feed, book: Any = None, controls: Controls | None = None) -> Loop:
    """The same before it looks at what people have set and asks its venue."""

    def body_of(desk: Any) -> dict[str, Any]:
        walk = config_event.Walk(timeframe_text(feed.span.timeframe_ms), span().first_ms)
        return config_event.body_of(desk, home.desk.limits, home.desk.overrides(), home.strategies, home.catalog, walk)

    journal = Journal(home.desk_journal, "worker")
    ensure_first(home.engine, home.path, WALL_MS, "desk.toml at the first start")
    loop = Loop(journal, controls or Controls(home.path, home.engine), home.strategies, body_of, lambda: WALL_MS)
    loop.signals.ours = signal_process()
    loop.open(book, span(), {"source": feed.source, "funding": "recorded"})
    loop.use_feed(feed)
    return loop


@cache
def _shared_process() -> SignalProcess:
    return SignalProcess()


def signal_process() -> SignalProcess:
    """The process that computes shipped strategies, one for all loops of a test run: starting one takes a second.

    It comes rested: what was late in another test, on a busy machine, silences no bar of this one.
    """
    process = _shared_process()
    process.faults = process.pause = 0
    return process


def signal_at(signals: Signals, t: int) -> Signal:
    """One bar of a sleeve's signals as the core reads it."""
    return Signal(*(kind(getattr(signals, name)[t]) for name, kind in get_type_hints(Signal).items()))


def advanced(loop: Loop, bars: int) -> Loop:
    """The loop so many bars later."""
    for _ in range(bars):
        loop.step()
    return loop


def advanced_until(loop: Loop, reached: Any, bars: int = 2_000) -> Loop:
    """The loop after the first bar at which `reached(book)`; fails when none comes."""
    for _ in range(bars):
        if reached(loop.book):
            return loop
        loop.step()
    raise AssertionError("the market never got there")


def reconfigured(home: Home, name: str, **changes: Any) -> int:
    """A new version with changed parameters (or `paused`, `stage`, `size_part`) of one sleeve, put in force; its number."""
    config = active(home.engine, home.path).config
    sleeve = config.sleeve(name)
    own = {key: changes.pop(key) for key in ("paused", "resumes_ms", "stage", "size_part") if key in changes}
    new = validated(config.with_sleeve(sleeve.model_copy(update={"params": sleeve.params | changes, **own})))
    return put_in_force(home.engine, home.path, new, WALL_MS)


def holding(book: Book) -> bool:
    """Some sleeve has a position."""
    return any(s.position.open_layers for s in book.sleeves)


def ordering(book: Book) -> bool:
    """Some sleeve has an entry order at work."""
    return any(s.order.side for s in book.sleeves)
