"""Pages of a venue that loses bars at their borders, cuts them short, gives them from the wrong end: nothing it has is lost.

The venue is a function over a set of times; requests are counted. test_ccxt_data.py talks to a server.
"""

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from engine.venues import ccxt_data
from engine.venues.ccxt_data import FUNDING_PAGE, FUNDING_STEP_MS, FUNDING_WINDOW_MS, PAGE, Source, bars, funding

STEP = 60_000
T0 = 1_735_689_600_000
Page = Callable[[list[int], int, int, int], list[int]]  # (times there are, first, last, limit) -> times given


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are made once and as they are: retrying is another file's subject."""
    monkeypatch.setattr(ccxt_data, "_ask", lambda _source, call, *args: call(*args))


class FakeVenue:
    """Bars at these times, given page by page as `page` says."""

    def __init__(self, times: list[int], page: Page) -> None:
        self.times, self.page, self.asked = times, page, list[tuple[int, int, int]]()

    def source(self, venue: str = "binance") -> Source:
        """As `open_venue` gives it."""
        exchange = SimpleNamespace(parse_timeframe=lambda _: STEP // 1000, fetch_ohlcv=self.fetch_ohlcv)
        return Source(exchange, venue, 1, 0.0)

    def fetch_ohlcv(self, _symbol: str, _timeframe: str, first: int, limit: int, params: dict[str, Any]) -> list[list[float]]:
        """A page; each bar's open says its time."""
        self.asked.append((first, params["until"], limit))
        return [[t, t / STEP, 2.0, 1.0, 1.5, None] for t in self.page(self.times, first, params["until"], limit)]


def within(times: list[int], first: int, last: int) -> list[int]:
    """What a venue has of a span."""
    return [t for t in times if first <= t <= last]


PAGERS: dict[str, Page] = {
    "honest": lambda times, first, last, limit: within(times, first, last)[:limit],
    "without the first": lambda times, first, last, limit: within(times, first + 1, last)[:limit],
    "without the last": lambda times, first, last, limit: within(times, first, last - STEP)[:limit],
    "one fewer than asked": lambda times, first, last, limit: within(times, first, last)[: max(limit - 1, 1)],
    "twenty at most": lambda times, first, last, limit: within(times, first, last)[:20],
    "twenty from the end": lambda times, first, last, limit: within(times, first, last)[-20:],
    "without every tenth of a long page": lambda times, first, last, limit: [
        t for n, t in enumerate(within(times, first, last)) if n % 10 or limit < 20
    ],
    "more than asked": lambda times, first, last, limit: within(times, first - 50 * STEP, last + 50 * STEP),
    "backwards": lambda times, first, last, limit: within(times, first, last)[:limit][::-1],
    "twice": lambda times, first, last, limit: within(times, first, last)[:limit] * 2,
}


def pulled(venue: FakeVenue, first: int, end: int, now: int, name: str = "binance") -> tuple[list[int], list[int]]:
    """(times of all bars in the order they came, times reached)."""
    pages = list(bars(venue.source(name), "X", "1m", first, end, now))
    return pl.concat([frame for _, frame in pages])["ts"].to_list() if pages else [], [reached for reached, _ in pages]


@pytest.mark.parametrize("pager", PAGERS)
@pytest.mark.parametrize("holes", [0, 40])
def test_every_bar_that_a_venue_has_comes_once_and_in_order(pager: str, holes: int) -> None:
    """Two pages and a half of minutes, with forty missing at the venue itself: those stay missing, no other does."""
    count = PAGE["binance"] * 5 // 2
    times = [T0 + n * STEP for n in range(count)]
    gone = set(Random(1).sample(times, holes))
    there = [t for t in times if t not in gone]
    venue = FakeVenue(there, PAGERS[pager])
    end = T0 + count * STEP
    found, reached = pulled(venue, T0, end, end)
    assert found == there
    assert reached == [T0 + PAGE["binance"] * STEP, T0 + 2 * PAGE["binance"] * STEP, end]


def test_an_honest_venue_is_asked_once_a_page() -> None:
    """No request more; each for as many bars as its window has."""
    venue = FakeVenue([T0 + n * STEP for n in range(650)], PAGERS["honest"])
    pulled(venue, T0, T0 + 650 * STEP, T0 + 650 * STEP, "okx")
    assert [limit for _, _, limit in venue.asked] == [300, 300, 50]


def test_a_window_that_a_venue_does_not_have_costs_two_requests() -> None:
    """Years before a listing are gone through without a storm of requests."""
    venue = FakeVenue([], PAGERS["honest"])
    found, reached = pulled(venue, T0, T0 + 3_000 * STEP, T0 + 3_000 * STEP)
    assert (found, len(reached), len(venue.asked)) == ([], 3, 6)


def test_a_venue_full_of_holes_is_not_asked_without_end() -> None:
    """Every second bar missing for good: some dozens of requests a page, and what is there is there."""
    times = [T0 + n * STEP for n in range(0, 1_000, 2)]
    venue = FakeVenue(times, PAGERS["honest"])
    assert pulled(venue, T0, T0 + 1_000 * STEP, T0 + 1_000 * STEP)[0] == times
    assert len(venue.asked) <= 1 + ccxt_data.ASK_AGAIN**2


@pytest.mark.parametrize(
    ("end", "now", "last"),
    [(10, 10, 9), (10, 10.5, 9), (10, 9.999, 8), (10, 9, 8), (5, 10, 4), (10, 1, 0), (10, 0.9, None), (0, 10, None)],
)
def test_the_last_bar_is_the_last_that_has_closed_before_the_end(end: int, now: float, last: int | None) -> None:
    """A bar that is still forming is none, to the millisecond; `to` is excluded."""
    venue = FakeVenue([T0 + n * STEP for n in range(50)], PAGERS["more than asked"])
    found, reached = pulled(venue, T0, T0 + end * STEP, T0 + round(now * STEP))
    assert found == ([T0 + n * STEP for n in range(last + 1)] if last is not None else [])
    assert reached == ([T0 + (last + 1) * STEP] if last is not None else [])


def test_a_value_that_a_venue_does_not_give_is_missing() -> None:
    """No volume: NaN in its column, the bar is kept."""
    venue = FakeVenue([T0], PAGERS["honest"])
    ((_, frame),) = bars(venue.source(), "X", "1m", T0, T0 + STEP, T0 + STEP)
    assert frame["volume"].is_nan().all()
    assert frame["close"].to_list() == [1.5]
    assert frame.schema == pl.Schema(ccxt_data.BARS)


# ---- settlements ----------------------------------------------------------------------------------------------------------

EVERY: dict[str, int] = {"8h": 8, "4h": 4, "1h": 1}
FUNDING_PAGERS: dict[str, Callable[[list[int]], list[int]]] = {
    "from the start": lambda found: found[:FUNDING_PAGE],
    "from the end": lambda found: found[-FUNDING_PAGE:],
    "thirty": lambda found: found[:30],
    "the last thirty": lambda found: found[-30:],
}


def settled(times: list[int], pager: str, first: int, end: int, now: int, venue: str = "bybit") -> list[int]:
    """Times of the settlements that are pulled."""

    def fetch(_symbol: str, since: int, _limit: int, params: dict[str, int]) -> list[dict[str, Any]]:
        last = params.get("until", params.get("after", 0) - 1)
        return [
            {"timestamp": t, "fundingRate": t / 1e15} for t in FUNDING_PAGERS[pager]([t for t in times if since <= t <= last])
        ]

    source = Source(SimpleNamespace(fetch_funding_rate_history=fetch), venue, 1, 0.0)
    frames = [frame for _, frame in funding(source, "X", first, end, now)]
    whole = pl.concat(frames) if frames else pl.DataFrame(schema=ccxt_data.RATES)
    assert whole["rate"].to_list() == [t / 1e15 for t in whole["ts"]]
    return whole["ts"].to_list()


@pytest.mark.parametrize("pager", FUNDING_PAGERS)
@pytest.mark.parametrize("interval", EVERY)
@pytest.mark.parametrize("venue", ["bybit", "okx"])
def test_every_settlement_comes_once_and_in_order(venue: str, pager: str, interval: str) -> None:
    """Ten weeks of them, a few milliseconds late as venues stamp them; hourly ones need several pages a window."""
    rng = Random(2)
    times = [T0 + n * EVERY[interval] * 3_600_000 + rng.randint(0, 9) for n in range(70 * 24 // EVERY[interval])]
    end = times[-1] + 1
    assert settled(times, pager, T0, end, end, venue) == times


def test_a_settlement_that_is_to_come_is_not_taken() -> None:
    """Venues announce the next one: it has not happened. One of this very millisecond has."""
    times = [T0 + n * FUNDING_STEP_MS for n in range(6)]
    assert settled(times, "from the start", T0, times[-1] + 1, times[3]) == times[:4]
    assert settled(times, "from the start", T0, times[-1] + 1, times[3] - 1) == times[:3]


def test_two_settlements_a_millisecond_apart_at_a_pages_end_both_come() -> None:
    """A venue stamped one twice; which of them counts is not for the pager to say."""
    first = [T0 + n * FUNDING_STEP_MS for n in range(30)]
    times = [*first, first[-1] + 1, *(T0 + n * FUNDING_STEP_MS for n in range(30, 90))]
    assert settled(times, "thirty", T0, times[-1] + 1, times[-1] + 1) == times


def test_windows_meet_without_a_gap_and_without_an_overlap() -> None:
    """A settlement at the border of two windows comes once."""
    times = [T0 + FUNDING_WINDOW_MS - 1, T0 + FUNDING_WINDOW_MS, T0 + FUNDING_WINDOW_MS + 1]
    end = T0 + 2 * FUNDING_WINDOW_MS
    assert settled(times, "from the end", T0, end, end) == times
