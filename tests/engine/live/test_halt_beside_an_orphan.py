"""A halt while an orphan of another instrument cannot be closed: its venue does not answer for that one."""

from pathlib import Path
from typing import Any

from engine.book.order_events import name_code
from engine.core.orders import UNKNOWN
from engine.errors import DataError
from engine.venues.live_port import LiveAnswer, VenueTrade
from tests.fakes.live_basket_desks import NAMES, PRICE, BasketBench, on_basket_bench


def away(venue: Any) -> None:
    """No request of an instrument is answered any more: each waits its ten seconds."""
    venue.delay_s = 10.0

    async def unsaid(order: Any, *_: Any) -> LiveAnswer:
        await venue._next("unsaid", order.id)
        return LiveAnswer(order.id, UNKNOWN, 0, "no answer")

    async def silent(*_: Any) -> Any:
        await venue._next("silent")
        raise DataError("no answer")

    venue.place = venue.ask = venue.cancel = unsaid
    venue.position = venue.standing = venue.trades = silent


def test_a_halt_does_not_wait_for_an_orphan_of_another_instrument(path: Path) -> None:
    """It was looked for once each of ten tries to close the orphan was over."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(0.0, 0.0, 2.0)
        assert bench.there()[0] == 0
        assert all(bench.there()[1:])
        btc = bench.venue(0)
        btc.net += 5
        btc.executions.append(
            VenueTrade("t9", "v9", f"nd{name_code(NAMES[0])}00000099E00", 1, 5, PRICE, 0.1, False, bench.clock())
        )
        bench.poll(0).wake()
        while not bench.book.orphans:
            await bench.after(0.005)
        away(btc)
        await bench.after(15)
        latched, bench.latch = bench.clock(), "a person halts"
        while any(bench.there()[1:]) and bench.clock() - latched < 900_000:
            await bench.after(0.5)
        took = (bench.clock() - latched) / 1000
        assert bench.events("halt")
        assert took < 30.0, f"ETH and SOL were flat {took:.0f} s after the latch"

    on_basket_bench(path, play)
