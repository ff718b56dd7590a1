"""Pulling through the real ccxt from a venue on loopback: whole at page borders, patient with faults, clear without network."""

import socket
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from engine.errors import BadInput, DataError
from engine.venues import ccxt_data
from tests.engine.venues.okx_loopback import Venue, serving

STEP = 900_000
START = 1_735_689_600_000
HOUR = 3_600_000


@pytest.fixture
def venue() -> Venue:
    """1,000 bars of 15m, the last one still forming."""
    return Venue(START, 1000)


@pytest.fixture
def source(venue: Venue) -> Iterator[ccxt_data.Source]:
    """That venue, connected."""
    with serving(venue) as url:
        yield ccxt_data.open_venue("okx", "perp", url, attempts=4, wait_s=0.001)


def pulled(source: ccxt_data.Source, venue: Venue, **more: str) -> pl.DataFrame:
    """Everything the venue has."""
    pages = ccxt_data.bars(source, "BTC/USDT:USDT", "15m", START, START + 5000 * STEP, venue.now_ms, **more)
    return pl.concat([page for _, page in pages])


def caps(venue: Venue) -> None:
    """The venue gives fewer rows than asked."""
    venue.page_max = 70


def drops(venue: Venue) -> None:
    """Each page lacks its oldest bar."""
    venue.drop_border = True


def both(venue: Venue) -> None:
    """The two together."""
    caps(venue)
    drops(venue)


def fails(venue: Venue) -> None:
    """Three faults in a row, then it works."""
    venue.fail_next = [500, 503, 429]


@pytest.mark.parametrize("fault", [lambda _: None, caps, drops, both, fails])
def test_no_bar_is_lost_at_a_page_border(source: ccxt_data.Source, venue: Venue, fault: Callable[[Venue], None]) -> None:
    """999 closed bars, each once, in order, whatever the pager does."""
    fault(venue)
    frame = pulled(source, venue)
    assert frame["ts"].to_list() == [START + i * STEP for i in range(999)]


def test_the_forming_bar_is_not_taken(source: ccxt_data.Source, venue: Venue) -> None:
    """A bar counts when it has closed by the venue's clock."""
    now = ccxt_data.server_ms(source)
    assert now == venue.now_ms
    assert pulled(source, venue)["ts"][-1] + STEP <= now


def test_volume_is_in_base_units(source: ccxt_data.Source, venue: Venue) -> None:
    """OKX counts contracts first; the base column is the one that is taken."""
    assert pulled(source, venue)["volume"].unique().to_list() == [1.5]


def test_a_hole_of_the_venue_stays_a_hole(source: ccxt_data.Source, venue: Venue) -> None:
    """What the venue has not is asked for again, and then left out; nothing is filled."""
    for i in (299, 300, 650):
        del venue.bars[START + i * STEP]
    frame = pulled(source, venue)
    assert frame.height == 996
    assert START + 300 * STEP not in frame["ts"].to_list()


def test_a_span_before_the_listing_is_empty_not_an_error(source: ccxt_data.Source, venue: Venue) -> None:
    """Pages without a bar go by quickly."""
    pages = ccxt_data.bars(source, "BTC/USDT:USDT", "15m", START - 600 * STEP, START + 3 * STEP, venue.now_ms)
    assert pl.concat([page for _, page in pages]).height == 3


@pytest.mark.parametrize("keeps_oldest", [False, True])
@pytest.mark.parametrize("page_max", [5, 40, 300])
def test_every_settlement_comes_whatever_the_page(
    source: ccxt_data.Source, venue: Venue, page_max: int, keeps_oldest: bool
) -> None:
    """Rates have no known count a window: a page that ends far from either edge of it is asked for the rest."""
    venue.page_max, venue.keeps_oldest = page_max, keeps_oldest
    pages = ccxt_data.funding(source, "BTC/USDT:USDT", START, START + 5000 * STEP, venue.now_ms)
    frame = pl.concat([page for _, page in pages])
    assert frame["ts"].to_list() == [START + h * HOUR for h in range(0, 250, 8)]
    assert frame["rate"].unique().to_list() == [1e-4]


def test_a_venue_that_goes_on_failing_is_one_clear_line(source: ccxt_data.Source, venue: Venue) -> None:
    """After so many attempts: who, what, and that the same command goes on."""
    venue.dead_after = 2
    pages = ccxt_data.bars(source, "BTC/USDT:USDT", "15m", START, START + 5000 * STEP, venue.now_ms)
    reached = [next(pages)[0], next(pages)[0]][-1]
    with pytest.raises(DataError, match="okx does not answer") as caught:
        next(pages)
    assert reached == START + 600 * STEP
    assert "same command" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_no_network_is_one_clear_line() -> None:
    """Nobody listens at that port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(DataError, match=r"no network: okx \(.*\) cannot be reached"):
        ccxt_data.open_venue("okx", "perp", f"http://127.0.0.1:{port}", attempts=2, wait_s=0.001)


def test_unknown_venues_and_symbols_are_refused(source: ccxt_data.Source) -> None:
    """With what there is."""
    with pytest.raises(BadInput, match="binance, okx, bybit"):
        ccxt_data.open_venue("kraken", "perp")
    with pytest.raises(BadInput, match="okx has no perp FOO-USDT"):
        ccxt_data.market_symbol(source, "FOO-USDT", "perp")
    assert ccxt_data.market_symbol(source, "BTC-USDT", "perp") == "BTC/USDT:USDT"


def test_ccxt_is_not_imported_before_it_is_needed() -> None:
    """A second and 90 MB that no other command pays."""
    import subprocess
    import sys

    code = "import sys, engine.venues.ccxt_data; print('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
