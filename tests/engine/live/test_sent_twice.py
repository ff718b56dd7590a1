"""A stop that a killed process was sending, and that the next one sends again: its id stays in use until the first request of it
can no longer arrive, and no second stop comes beside it.
"""

from pathlib import Path

from engine.book.attached import attached_id
from engine.core.orders import DONE, WORKING
from engine.core.state import PROTECTIVE
from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench


def letters(bench: LiveBench, call: str) -> str:
    """The kinds of the orders that a call was made for, in their order."""
    return "".join(id_[-3] for id_ in bench.venue.asked_for(call))


async def begun(bench: LiveBench) -> None:
    """An entry is on its way, at a venue where its stop is an order beside it."""
    bench.venue.attaches = "beside"
    await bench.start()
    await bench.to_close()
    bench.close(adds=long())
    while not bench.venue.orders:
        await bench.after(0.001)


async def sent_again(bench: LiveBench) -> str:
    """A process dies while the stop of an entry is on its way, and the next one sends it again; its id."""
    await begun(bench)
    (entry,) = bench.venue.orders
    hidden = bench.venue.hide()
    await bench.again()
    await bench.after(1)
    bench.venue.executions += hidden
    assert bench.venue.orders[attached_id(entry)].state == WORKING
    bench.poll.wake()
    await bench.after(1)
    assert bench.lots() == 300
    return attached_id(entry)


def test_a_stop_that_may_arrive_once_more_is_the_cover_until_it_cannot(path: Path) -> None:
    """Cancelled earlier, its id would be free for the request of the process before. No second stop comes beside it."""

    async def play(bench: LiveBench) -> None:
        stop = await sent_again(bench)
        while bench.clock() - bench.desk.began_ms < 34_000:
            await bench.after(0.5)
            assert [o.order.id for o in bench.venue.orders.values() if o.order.slot == PROTECTIVE] == [stop]
            assert bench.venue.orders[stop].state == WORKING
        assert (bench.lots(), bench.desk.doubts(BTC_PERP)) == (300, [])
        await bench.after(4)
        assert sorted(o.order.id[-3] for o in bench.venue.orders.values() if o.state == WORKING) == ["S", "T"]

    assert not on_bench(path, play).pages


def test_a_layer_that_leaves_keeps_such_a_stop_until_then(path: Path) -> None:
    """Questions about it cancel nothing before; then one cancellation ends it, and no stop of its layer leaves any more."""

    async def play(bench: LiveBench) -> None:
        stop = await sent_again(bench)
        bench.desk.take("leave", {"sleeve": "adds", "why": "a test"})
        while bench.clock() - bench.desk.began_ms < 34_000:
            await bench.after(0.5)
            assert bench.venue.orders[stop].state == WORKING
        assert bench.venue.net == 0
        await bench.after(1.5)
        assert {o.state for o in bench.venue.orders.values()} == {DONE}
        assert letters(bench, "cancel").count("A") == 1
        assert "S" not in letters(bench, "place")

    assert not on_bench(path, play).pages


def test_such_a_stop_is_not_sent_beside_the_layers_own(path: Path) -> None:
    """Which is on its way because the entry's executions were read at once."""

    async def play(bench: LiveBench) -> None:
        await begun(bench)
        await bench.again()
        await bench.after(40)
        assert sorted(o.order.id[-3] for o in bench.venue.orders.values() if o.state == WORKING) == ["S", "T"]
        assert letters(bench, "place") == "EST"

    on_bench(path, play)


def test_such_a_stop_that_fires_closes_its_layer_alone(path: Path) -> None:
    """The layer's own one waits behind it and is never sent."""

    async def play(bench: LiveBench) -> None:
        stop = await sent_again(bench)
        await bench.after(5)
        bench.venue.execute(stop, 300, 59_880.0)
        await bench.after(40)
        assert (bench.lots(), bench.venue.net) == (0, 0)
        assert "S" not in letters(bench, "place")

    on_bench(path, play)
