"""What a venue answers falsely on a LiveBench: the plays of S5."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.live.duties import AccountDuties
from engine.venues.live_port import StandingOrder
from tests.fakes.benches import LOOK_S
from tests.fakes.live_desks import CASH, LiveBench, long, on_bench


def live(play: Callable[[LiveBench], Any]) -> Callable[[Path], None]:
    def played(home: Path) -> None:
        async def run(bench: LiveBench) -> None:
            bench.edited = True
            await play(bench)

        on_bench(home / "journal" / "desk.jsonl", run)

    return played


async def calm(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.close()
    await bench.after(90)


async def entered(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.close()
    await bench.entered()
    await bench.to_close()
    bench.close(adds=long())
    await bench.after(90)


async def false_position(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.net = 250
    await bench.after(130)


async def false_trade(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.trade("stranger", "v9", 1, 40)
    await bench.after(90)


async def false_order(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.strange = [StandingOrder("", "v77", 1, 10, 0, 50_000.0, False, False)]
    await bench.after(90)


async def false_cash(bench: LiveBench, moved: float = -500.0) -> None:
    async def cash() -> float:
        return bench.cash

    bench.duties = AccountDuties(bench.desk, {"okx:BTC-USDT:perp": bench.venue}, cash=cash, latch_look_s=LOOK_S)
    await bench.start()
    bench.cash = CASH + moved
    await bench.after(90)


async def false_fee(bench: LiveBench) -> None:
    await false_cash(bench, -0.02)


async def hidden_fills(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.fills = False
    bench.close(adds=long())
    await bench.after(2)
    (entry,) = bench.venue.orders
    bench.venue.execute(entry, 300)
    bench.venue.executions.clear()
    await bench.after(75)


async def clock_moved(bench: LiveBench) -> None:
    await bench.start()
    bench.venue_time_ms = -40_000
    await bench.after(400)
    await bench.to_close()
    bench.close()  # the page is sent at once, a mark says so from the next close on
