"""A live feed without its duties, and what its checks make of bars and clocks: cases of docs/fail-closed.md without a desk."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from engine.errors import DataError
from engine.live.closing import ColumnBars, Patience
from engine.live.feed_live import CLOCK_OLD_MS, LiveFeed
from engine.venues.candles import PushedCandle

Alone = Callable[[], bool]  # whether an entry got through


def raises(error: Exception) -> Callable[..., Any]:
    """A function that does."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def feed_bar(*, flagged: bool = True, listed: bool = True, close: float = 100.0, blocked: str = "") -> Alone:
    """A closed bar as stream and REST bring it."""

    def decide() -> bool:
        bars, prices = ColumnBars("x", 60_000, Patience()), (100.0, 101.0, 99.0, close, 1.0)
        if flagged:
            bars.push(PushedCandle("X", 60_000, 0, cast(Any, prices), True), 60_000)
        if listed:
            bars.read({0: cast(Any, prices)}, 62_000)
        found = bars.decide(0, blocked)[0] is not None
        bars.read({0: cast(Any, (100.0, 101.0, 99.0, 100.0, 1.0))}, 70_000)  # what comes later changes nothing that was decided
        return found or bars.decided[0] is not None

    return decide


def feed_clock(apart: tuple[float, int] | None) -> Alone:
    """A venue's clock as it was seen (difference, how long ago)."""

    def look() -> bool:
        feed = bare_feed()
        feed._apart = {} if apart is None else {"okx": (cast(int, apart[0]), feed._now() - apart[1])}
        return not feed._blocked("okx")

    return look


def bare_feed(**source: Any) -> LiveFeed:
    """A feed of one column at a venue whose source answers so; nothing was seen of it."""
    feed = LiveFeed.__new__(LiveFeed)
    feed._now, feed._apart, feed._quiet_until, feed.troubles = (lambda: 10 * CLOCK_OLD_MS), {}, {}, {}
    feed._pushed_ms, feed._unflagged = {}, {}
    feed.on_note = lambda _: None
    feed.is_off = feed.is_gone = lambda _: False
    feed._sources = {"okx": cast(Any, SimpleNamespace(**source))}
    feed.columns = {"x": cast(Any, SimpleNamespace(venue="okx", symbol="X", timeframe="1m"))}
    feed.bars_of = {"x": ColumnBars("x", 60_000, Patience())}
    return feed


def unmeasured() -> bool:
    """The venue's clock cannot be asked."""
    feed = bare_feed(server_ms=raises(DataError("no answer")))
    assert asyncio.run(feed._measure("okx")) is None
    return not (feed._blocked("okx") and feed.troubles)
