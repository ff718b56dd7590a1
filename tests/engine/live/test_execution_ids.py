"""Numbers of executions: a venue's own are of an instrument, the desk's are of the desk."""

from pathlib import Path

import pytest

from tests.fakes.live_desks import BTC_PERP, LiveBench, on_bench


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


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
