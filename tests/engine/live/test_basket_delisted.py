"""A basket with a leg that its venue does not trade: pairs that have it enter nothing, the others do; its mate goes as ever."""

from pathlib import Path

import pytest

from engine.book.bodies import GONE, OFF, REDUCED, position_of
from engine.core.state import ENTRY
from tests.fakes.live_basket_desks import NAMES, PERPS, PRICE, BasketBench, on_basket_bench

ETH = 1  # the leg that is off; the pairs are BTC-ETH, BTC-SOL, ETH-SOL
LOTS = 1096  # of a leg of one pair
OFF_ETH = f"{OFF}{PERPS[ETH]}"


def off(bench: BasketBench, why: str = "the venue lists it as suspend") -> None:
    """As engine.live.listed finds it."""
    bench.desk.take("health", {"what": OFF_ETH, "state": "begun", "why": why})


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_pairs_without_the_leg_enter_and_those_with_it_keep_what_they_have(path: Path, kill: bool) -> None:
    """BTC-ETH is in and stays, with both stops; BTC-SOL enters; ETH-SOL does not, before it is over."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        off(bench)
        await bench.after(5)
        if kill:
            await bench.again()
            await bench.after(10)
        assert bench.lots() == bench.there() == [-LOTS, LOTS, 0]
        await bench.close(0.0, 2.0, 2.0)
        assert [pair.side != 0 for pair in bench.pairs] == [True, True, False]
        assert bench.lots() == bench.there()
        assert bench.lots()[ETH] == LOTS
        assert [len(bench.stops(leg)) for leg in range(3)] == [1, 1, 1]
        bench.desk.take("health", {"what": OFF_ETH, "state": "over", "why": ""})
        await bench.close(0.0, 0.0, 2.0)
        assert [pair.side != 0 for pair in bench.pairs] == [True, True, True]
        assert not bench.pages

    on_basket_bench(path, play)


def test_entries_that_have_not_traded_are_withdrawn_of_its_pairs_alone(path: Path) -> None:
    """All three pairs are ordered and nothing has filled: BTC-SOL stays ordered."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        for venue in bench.venues.values():
            venue.fills = False
        await bench.close(2.0, 2.0, 2.0, settle=1.0)
        assert [pair.entering for pair in bench.pairs] == [1, 1, 1]
        off(bench)
        await bench.after(2)
        assert [pair.entering for pair in bench.pairs] == [0, 1, 0]
        there = [o for o in bench.venue(ETH).orders.values() if o.state == "working" and o.order.slot == ENTRY]
        assert not there

    on_basket_bench(path, play)


def test_its_settlement_takes_the_mate_along_and_no_other_pair(path: Path) -> None:
    """The venue closes ETH: BTC leaves at the next close, BTC-SOL enters at it; only ETH waits for a person's word."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        off(bench)
        venue = bench.venue(ETH)
        venue.trade("", "venue1", -1, LOTS)
        venue.executions[-1] = venue.executions[-1]._replace(forced="delivery")
        await bench.after(20)
        assert bench.lots() == bench.there() == [-LOTS, 0, 0]
        assert f"{REDUCED}{PERPS[ETH]}" in bench.book.health
        await bench.close(0.0, 2.0)
        await bench.close()  # what crosses inside BTC is booked with the next bar
        assert [(pair.lots_a != 0, pair.lots_b != 0) for pair in bench.pairs] == [(False, False), (True, True), (False, False)]
        assert bench.lots() == bench.there()
        assert bench.lots()[ETH] == 0
        assert bench.lots()[2] != 0

    on_basket_bench(path, play)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_a_leg_that_is_gone_is_unsettled_until_a_person_adopts_it(path: Path, kill: bool) -> None:
    """Its mate keeps its stop and is not traded meanwhile; then it leaves, as at a leg that the venue has closed."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        for call in ("position", "standing", "trades", "bills", "ask"):
            bench.venue(ETH).script[call] = ["silent"] * 100_000
        off(bench, GONE)
        await bench.after(120)
        if kill:
            await bench.again()
            await bench.after(120)
        assert set(bench.book.differences) == {position_of(PERPS[ETH])}
        await bench.close(0.0, 2.0)
        assert [pair.side != 0 for pair in bench.pairs] == [True, True, False]
        assert bench.stops(0)
        adopt(bench)
        await bench.close()
        assert (bench.pairs[0].lots_a, bench.pairs[0].lots_b) == (0, 0)
        assert bench.lots()[0] == bench.there()[0] == -bench.lots()[2]
        assert bench.lots()[ETH] == 0
        assert not bench.book.entries_blocked

    on_basket_bench(path, play)


def adopt(bench: BasketBench) -> None:
    """Ann has seen what the venue paid."""
    position = bench.book.sleeves[ETH].position
    layer = position.layers[0]
    body = {"request": 1, "difference": position_of(PERPS[ETH]), "by": "ann", "reason": "settled", "order": "", "lots": 0}
    body |= {"filled_lots": 0, "sleeve": NAMES[ETH], "key": layer.key, "side": position.side, "lots_before": layer.lots}
    bench.desk.take("adopt", body | {"lots_after": 0, "price": PRICE, "fee": 0.1, "atr": None})
