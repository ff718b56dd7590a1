"""A question about an order and a request of it at the same time, or two requests: what was asked first is answered with what
was so before, and an order is free again once all have been answered.
"""

from pathlib import Path

from engine.core.orders import UNKNOWN, VenueOrder
from engine.venues.live_port import LiveAnswer
from tests.fakes.live_desks import LiveBench, long, on_bench


def test_an_answer_from_before_an_amendment_does_not_end_it(path: Path) -> None:
    """A stop is asked about, grows meanwhile, and the answer still has its first size: a second amendment beside the first could
    arrive before it, and leave lots without a stop."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        entry = await bench.rested()
        bench.venue.execute(entry, 100, 59_940.0)
        await bench.after(20)
        (stop,) = [id_ for id_ in bench.desk.book.orders.open if id_[14] == "S"]
        ask, amend, under_way, together = bench.venue.ask, bench.venue.amend, [0], [0]

        async def slow(order: VenueOrder) -> LiveAnswer:
            answer = await ask(order)
            await bench.after(8)
            return answer

        async def counted(order: VenueOrder, price: float, lots: int) -> LiveAnswer:
            under_way[0] += order.id == stop
            together.append(under_way[0])
            await bench.after(4)
            under_way[0] -= order.id == stop
            return await amend(order, price, lots)

        bench.venue.ask, bench.venue.amend = slow, counted  # type: ignore[method-assign]
        bench.desk.spawn(bench.desk.ask_now(stop))
        await bench.after(1)
        for _ in range(2):
            bench.venue.execute(entry, 100, 59_940.0)
            await bench.after(6)
        assert max(together) == 1
        await bench.after(60)
        assert bench.venue.orders[stop].lots == bench.desk.book.orders.open[stop].lots == 300

    on_bench(path, play)


def test_an_order_with_two_requests_is_free_once_both_are_answered(path: Path) -> None:
    """The entry is refused while its stop waits for an answer that never comes: that is cancelled, and asked about afterwards."""

    async def play(bench: LiveBench) -> None:
        bench.venue.attaches = "beside"
        place, cancel, slow_s = bench.venue.place, bench.venue.cancel, [20]

        async def slowly(order: VenueOrder) -> LiveAnswer:
            await bench.after(slow_s.pop() if slow_s else 0)
            return await cancel(order)

        async def slow(order: VenueOrder, stop: VenueOrder | None = None) -> LiveAnswer:
            await bench.after(12 if order.attached else 5)
            return LiveAnswer(order.id, UNKNOWN, 0, "timed out") if order.attached else await place(order, stop)

        await bench.start()
        await bench.to_close()
        bench.venue.place, bench.venue.cancel = slow, slowly  # type: ignore[method-assign]
        bench.venue.script["place"] = ["rejected"]
        bench.close(adds=long())
        await bench.after(90)
        assert not bench.desk.busy
        assert not any(order.attached for order in bench.desk.book.orders.open.values())

    on_bench(path, play)
