"""Two venues' bars of one instrument: prices or volumes that disagree name the feed; a basis and a crash of both do not."""

import math

import pytest

from engine.live.closing import ColumnBars, Patience
from engine.live.cross_venue import pairs_of, parted
from engine.venues.candles import Prices

STEP, T, COUNT = 60_000, 1_700_000_040_000, 40
END = T + COUNT * STEP


def bar(n: int, times: float = 1.0) -> Prices:
    """A bar of a path that both venues follow."""
    first, last = (times * (100 + math.sin(k * 1.7)) for k in (n, n + 1))
    return (first, max(first, last) + 0.1, min(first, last) - 0.1, last, 5.0 + n * 7 % 11)


def column(name: str, times: float = 1.0, volumes: float = 1.0, last: float = 1.0) -> ColumnBars:
    """Bars with a basis, with another volume, and with a last close that is elsewhere."""
    found, own = ColumnBars(name, STEP, Patience()), len(name)  # no two venues have the same prices and shares of the volume
    for n in range(COUNT):
        o, h, lo, c, v = bar(n, times * (1 + n * own % 7 / 1e5))
        found.known[T + n * STEP] = (o, h, lo, c, v * volumes * (1 + n * own % 5 / 10))
    if last != 1.0:
        o, h, lo, c, v = found.known[END - STEP]
        found.known[END - STEP] = (o, max(h, c * last), min(lo, c * last), c * last, v)
    return found


OKX = "okx:BTC-USDT:perp"
BYBIT = "bybit:BTC-USDT:perp"


@pytest.mark.parametrize("other", [{}, {"times": 1.002}, {"volumes": 3.0}])
def test_two_markets_of_one_coin_agree(other: dict[str, float]) -> None:
    """A small basis and another share of the volume are what two venues have."""
    assert parted(column(OKX), column(BYBIT, **other), END) == ""


@pytest.mark.parametrize(
    ("other", "text"),
    [({"last": 1.05}, "closes over"), ({"times": 1.03}, "level differs"), ({"volumes": 1_000.0}, "volume is")],
)
def test_what_disagrees_is_named(other: dict[str, float], text: str) -> None:
    """One close five percent off, a level three percent off, contracts for coins."""
    assert text in parted(column(OKX), column(BYBIT, **other), END)


def test_the_feed_that_moved_is_named_first() -> None:
    """Whichever side it is on."""
    assert parted(column(OKX), column(BYBIT, last=0.9), END).startswith(BYBIT)
    assert parted(column(OKX, last=0.9), column(BYBIT), END).startswith(OKX)


@pytest.mark.parametrize("count", [1, 10, 20, 25])
def test_a_volume_that_leaps_is_named_for_as_long_as_it_lasts(count: int) -> None:
    """A factor that holds for a part of the window is none of the whole of it."""
    leapt = column(BYBIT, volumes=1.3)
    for n in range(COUNT - count, COUNT):
        *prices, volume = leapt.known[T + n * STEP]
        leapt.known[T + n * STEP] = (*prices, volume * 1000)
    assert "volume is" in parted(column(OKX), leapt, END)
    if count == 1:
        assert parted(column(OKX), leapt, END).startswith(BYBIT)
        assert "in the 39 bars before" in parted(leapt, column(OKX), END)


@pytest.mark.parametrize("turned", [False, True])
def test_the_number_is_of_the_one_that_is_named(turned: bool) -> None:
    """A thousand times as much at one is a thousandth at the other."""
    pair = [column(OKX, volumes=1_000.0), column(BYBIT)]
    text = parted(*(reversed(pair) if turned else pair), END)
    assert ("volume is 0.00" in text) is text.startswith(BYBIT)


def test_a_crash_of_both_parts_nothing_and_a_missing_bar_is_not_compared() -> None:
    """Both fall alike; one lacks its bar."""
    assert parted(column(OKX, last=0.8), column(BYBIT, last=0.8), END) == ""
    lacking = column(BYBIT, last=0.5)
    del lacking.known[END - STEP]
    assert parted(column(OKX), lacking, END) == ""


def test_pairs_are_of_one_instrument_and_timeframe_at_two_venues() -> None:
    """Not two timeframes, not two coins, not one venue."""
    columns = {"a": ("okx", "BTC 1m"), "b": ("okx", "BTC 5m"), "c": ("bybit", "BTC 1m"), "d": ("bybit", "ETH 1m")}
    assert pairs_of(columns) == [("a", "c")]
