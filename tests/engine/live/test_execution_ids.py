"""Numbers of executions: a venue's own are of an instrument, the desk's are of the desk."""

from pathlib import Path

import pytest

from engine.core.orders import DONE, WORKING
from engine.core.state import PROTECTIVE
from engine.live.poll import AccountPoll
from engine.live.streams import number_of
from tests.fakes.live_desks import BTC_PERP, LiveBench, on_bench
from tests.fakes.live_streams import FILLS_MS, MINUTE, StreamBench, streamed
from tests.fakes.two_desks import ETH_PERP, TwoBench, on_two


def test_a_desk_of_two_instruments_takes_one_number_for_two_executions(path: Path) -> None:
    """OKX and Binance number them by instrument: the second would be taken for the first, listed again, and never be booked."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        (first,) = bench.venue.executions
        assert bench.poll._distinct(first) == first, "one instrument: as the venue has it"
        specs = bench.desk.book.specs
        bench.desk.book.specs = [*specs, specs[0]._replace(source={**specs[0].source, "instrument": "okx:ETH-USDT:perp"})]
        assert bench.poll._distinct(first) == first, "booked before there was another instrument: it is the same one"
        second = first._replace(trade="77")
        assert bench.poll._distinct(second).trade == f"{BTC_PERP}:77"
        assert bench.poll._distinct(bench.poll._distinct(second)).trade == f"{BTC_PERP}:77", "it waited, and is taken again"
        bench.desk.book.specs = specs

    on_bench(path, play)


def test_an_execution_is_of_no_order_of_another_instrument(path: Path) -> None:
    """Binance numbers orders by symbol: the child of one instrument's stop may have the number of another's order, and it names
    no client id.
    """

    async def play(bench: TwoBench) -> None:
        await bench.start()
        assert await bench.enters() == {"btc", "eth"}
        stop, other = (
            next(h for h in bench.venues[name].orders.values() if h.order.slot == PROTECTIVE and h.state == WORKING)
            for name in (BTC_PERP, ETH_PERP)
        )
        bench.desk.children["77"] = other.order.id
        stop.state, stop.filled, stop.child_id = DONE, 100, "77"
        bench.venues[BTC_PERP].trade("", "77", -1, 100, 59_700.0)
        await bench.after(30)
        assert (bench.lots("btc"), bench.lots("eth")) == (0, 100)

    assert not on_two(path, play).pages


def test_the_stream_of_a_desk_of_several_instruments_has_announced_what_it_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names executions by the venue's number. A minute after each fill it would be a bad stream, and nothing would enter."""

    async def act(bench: StreamBench) -> None:
        await bench.start()
        await bench.rests()
        await bench.until(FILLS_MS + 2 * MINUTE)
        booked = [event.body["trade"] for event in bench.events("fill")]
        assert booked
        assert all(trade.startswith("okx:") for trade in booked)
        assert not bench.health
        assert not bench.pages

    monkeypatch.setattr(AccountPoll, "_is_of_several", lambda _: True)
    streamed("okx", path, act)


@pytest.mark.parametrize("booked", ["77", "okx:BTC-USDT:perp:77", "77@1700000000000", "okx:BTC-USDT:perp:77@1700000000000"])
def test_the_number_of_an_execution_is_the_venues(booked: str) -> None:
    """Whatever the desk has put around it."""
    assert number_of(booked) == "77"
