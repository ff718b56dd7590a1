"""Stops that the venue has acknowledged and does not have, and stops of fewer lots than what they cover."""

from pathlib import Path

import pytest

from engine.core.orders import DONE, WORKING
from engine.core.state import PROTECTIVE
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench
from tests.fakes.two_desks import TwoBench, on_two


async def stood(bench: LiveBench) -> str:
    """The venue has a stop of a layer, within half a minute; its id."""
    until = bench.clock() + 30_000
    while not (found := [id_ for id_ in bench.venue.orders if "S" in id_]):
        assert bench.clock() < until
        await bench.after(0.01)
    return found[0]


@pytest.mark.parametrize(("times", "unanswered", "within_s"), [(1, 0, 5), (1, 1, 5), (1, 3, 10), (2, 0, 10), (3, 0, 15)])
def test_a_stop_that_was_acknowledged_and_is_not_there_goes_out_again(
    path: Path, times: int, unanswered: int, within_s: int
) -> None:
    """Under the same id, as often as the venue loses it and whatever questions it does not answer; the layer does not leave."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.venue.script["ask"] = ["silent"] * unanswered
        bench.close(adds=long())
        began = bench.clock()
        for _ in range(times):
            stop = await stood(bench)
            bench.venue.orders.pop(stop)
        await stood(bench)
        assert bench.clock() - began <= within_s * 1_000
        await bench.after(60)
        assert (bench.lots(), bench.venue.orders[stop].state, bench.venue.orders[stop].lots) == (300, WORKING, 300)
        assert bench.venue.asked_for("place").count(stop) == 1 + times
        assert not bench.desk.lost.goes_again(bench.desk, bench.desk.book.orders.open[stop], 0)

    pages = on_bench(path, play).pages
    assert len(pages) <= (times > 2), pages


def test_a_stop_that_is_lost_again_and_again_is_a_page_and_the_layer_leaves(path: Path) -> None:
    """Each acknowledgement would begin the timers anew; only what the venue has shown counts."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        began = bench.clock()
        await bench.after(1)
        while bench.venue.net and bench.clock() - began <= 20_000:
            for id_ in [id_ for id_ in bench.venue.orders if "S" in id_]:
                bench.venue.orders.pop(id_)
            await bench.after(0.01)
        assert bench.venue.net == 0
        await bench.after(60)
        assert (bench.lots(), {o.state for o in bench.venue.orders.values()}) == (0, {DONE})

    assert "300 lots (0.03 BTC) of layer 1 have no protective order" in on_bench(path, play).pages[0]


def test_a_stop_that_is_there_is_not_placed_twice_by_a_rest_that_is_late(path: Path) -> None:
    """Questions do not know of it for 20 s: the venue refuses the same id, and has one stop of one layer all along."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        bench.venue.script |= {"ask": ["not_found"] * 8, "standing": ["silent"] * 1_000}
        for _ in range(120):
            await bench.after(0.1)
            stops = [o for id_, o in bench.venue.orders.items() if "S" in id_ and o.state == WORKING]
            assert len(stops) <= 1
        (stop,) = [id_ for id_ in bench.venue.orders if "S" in id_]
        assert bench.venue.asked_for("place").count(stop) > 1

    on_bench(path, play)


@pytest.mark.parametrize("lots", [100, 300])
def test_a_stop_of_fewer_lots_than_its_layer_covers_no_more(path: Path, lots: int) -> None:
    """A layer that has grown, and whose stop the venue does not move: a page for what is not covered, then it leaves."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 100, 59_940.0)
        await bench.after(20)
        bench.venue.script["amend"] = ["silent"] * (lots < 300) * 1_000
        bench.venue.execute(entry, 200, 59_940.0)
        bench.poll.wake()
        await bench.after(8)
        assert any("no protective order" in page for page in bench.pages) == (lots < 300)
        await bench.after(12)
        assert bench.lots() == (300 if lots == 300 else 0)

    on_bench(path, play)


def test_after_a_restart_each_stop_is_looked_for(path: Path) -> None:
    """The process that had it acknowledged is gone; the new one asks by itself while lists cannot be compared, and it is back."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        stop = await stood(bench)
        bench.venue.orders.pop(stop)
        bench.venue.script["standing"] = ["silent"] * 1_000
        await bench.again()
        await bench.after(5)
        assert bench.venue.orders[stop].state == WORKING
        await bench.after(30)
        assert bench.lots() == 300

    on_bench(path, play)


def test_an_instrument_that_does_not_answer_delays_no_look_at_the_stops_of_another(path: Path) -> None:
    """A stop that a person has cancelled is put back as soon as without it."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        await bench.enters()
        await bench.after(20)
        bench.eth.delay_s = 40.0
        await bench.after(60)
        orders = bench.venues[BTC_PERP].orders
        (stop,) = [id_ for id_, held in orders.items() if held.order.slot == PROTECTIVE and held.state == WORKING]
        orders[stop].state = DONE
        began = bench.clock()
        while not bench.stops(BTC_PERP) and bench.clock() - began < 60_000:
            await bench.after(0.1)
        assert bench.clock() - began <= 16_000

    on_two(path, play)
