"""Faults of a local venue, as coroutines on a LiveBench: what the incidents of S6 are made of."""

from math import nan

from engine.book.order_events import order_id
from engine.core.state import PROTECTIVE, Signal
from engine.live.duties import AccountDuties
from engine.live.health import StreamHandle
from engine.venues.live_port import StandingOrder, VenueBill
from tests.fakes.benches import LOOK_S
from tests.fakes.live_desks import BAR_MS, BTC_PERP, CASH, PRICE, LiveBench, live_bar, long


async def fills_never_listed(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.fills = False
    bench.close(adds=long())
    await bench.after(2)
    (entry,) = bench.venue.orders
    bench.venue.execute(entry, 300)
    bench.venue.executions.clear()
    await bench.after(75)


async def rejections_in_a_row(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["place"] = ["rejected"] * 5
    for _ in range(7):
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)


async def rejections_after_a_slow_stream(bench: LiveBench) -> None:
    await _silent_stream(bench, 20)
    await rejections_again(bench)


async def rejections_again(bench: LiveBench) -> None:
    bench.venue.script["place"] = ["rejected"] * 5
    for _ in range(6):
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)


async def _silent_stream(bench: LiveBench, seconds: float) -> None:
    alive = [bench.clock()]

    async def rebuild() -> None:
        return

    bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, latch_look_s=LOOK_S)
    bench.duties.health.streams = (StreamHandle("orders", lambda: alive[0], rebuild),)
    await bench.duties.start()
    await bench.after(seconds)
    alive[0] = bench.clock() + 86_400_000
    await bench.after(10)


async def stream_goes_silent(bench: LiveBench) -> None:
    await _silent_stream(bench, 20)


async def kill_refused(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["place"] = ["rejected"] * 500
    bench.halt("a person halts")
    await bench.after(200)


async def kill_blind(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["trades"] = ["silent"] * 5_000
    await bench.after(60)
    bench.halt("a person halts")
    await bench.after(200)


async def stop_rejected(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["ok", *["rejected"] * 3]
    bench.close(adds=long())
    await bench.after(40)


async def stop_lost(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["ok", "lost"]
    bench.close(adds=long())
    await bench.after(30)


async def stop_unseen(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["ask"] = ["silent"] * 15
    bench.venue.script["standing"] = ["silent"] * 12
    bench.close(adds=long())
    await bench.after(30)


async def stop_vanishes(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.close(adds=long())
    while not any(o.order.slot == PROTECTIVE for o in bench.venue.orders.values()):
        await bench.after(0.01)
    bench.venue.orders.pop(next(id_ for id_ in bench.venue.orders if "S" in id_))
    await bench.after(40)


async def clock_drifts(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue_time_ms = 2_000
    await bench.after(400)


async def clock_jumps(bench: LiveBench) -> None:
    await bench.start()
    bench.venue_time_ms = 40_000
    await bench.after(400)


async def clock_unknown(bench: LiveBench) -> None:
    await bench.start()

    async def nothing() -> int:
        raise OSError("no answer")

    for _ in range(3):
        await bench.duties.health.look_at_clock(nothing)


async def venue_away(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.script["trades"] = ["silent"] * 1_000
    await bench.after(300)


async def strange_position(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.net = 25
    await bench.after(90)


async def position_flips(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.net = -300
    await bench.after(130)


async def position_flips_after_a_refusal(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["rejected"]
    bench.close(rests=long(limit=59_000.0))
    await bench.after(3)
    await bench.entered()
    bench.venue.net = -300
    await bench.after(130)


async def strange_order(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.strange = [StandingOrder("", "v77", 1, 10, 0, 50_000.0, False, False)]
    await bench.after(90)


async def strange_trade(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.trade("stranger", "v9", 1, 40)
    await bench.after(180)


async def orphan(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
    await bench.after(70)


async def orphan_stuck(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["place"] = ["rejected"] * 100
    bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
    await bench.after(400)


async def restart_repeats(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    await bench.again()
    await bench.after(20)
    bench.venue.trade(order_id("adds", 77), "v9", 1, 300)
    await bench.after(90)


async def cash_moves(bench: LiveBench) -> None:
    async def cash() -> float:
        return bench.cash

    bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, cash=cash, latch_look_s=LOOK_S)
    await bench.start()
    bench.cash = CASH - 500.0
    await bench.after(90)


async def funding_twice(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    bench.venue.billed += [VenueBill("b1", -3.7, bench.clock()), VenueBill("b2", -3.7, bench.clock() + 1)]
    await bench.after(600)
    await bench.to_close()
    bench.close()
    await bench.after(3)


async def not_a_number(bench: LiveBench) -> None:
    await bench.start()
    for _ in range(3):
        await bench.to_close()
        bench.close(adds=Signal(1, 0.9, nan, 0.5, 1e-4, 0.0, 0.0, 0, 2))
        await bench.after(3)


async def no_price(bench: LiveBench) -> None:
    await bench.start()
    await bench.entered()
    for _ in range(3):
        await bench.to_close()
        at = bench.clock() // BAR_MS * BAR_MS
        bench.desk.close(live_bar(at, [None] * 4 + [0.0, 0.0, None], {}), {}, {})
        await bench.after(3)


async def market_falls(bench: LiveBench) -> None:
    bench.desk.book.limits = bench.desk.book.limits._replace(drawdown_frac_max=0.001)
    await bench.start()
    await bench.entered()
    await bench.to_close()
    at = bench.clock() // BAR_MS * BAR_MS
    bench.desk.close(live_bar(at, [PRICE, PRICE, PRICE / 2, PRICE / 2, 1e6, 0.0, 0.0], {}), {}, {})
    await bench.after(60)


async def no_answer_to_an_order(bench: LiveBench) -> None:
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"], bench.venue.script["ask"] = ["unanswered"], ["silent"] * 500
    bench.close(adds=long())
    await bench.after(120)


async def never_compared(bench: LiveBench) -> None:
    await bench.start()
    bench.venue.script["position"] = ["silent"] * 5_000
    await bench.after(2_400)
