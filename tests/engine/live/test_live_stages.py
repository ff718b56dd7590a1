"""What a stage does on a desk with money: rest until it allows money, enter least size first, leave by settling."""

from pathlib import Path
from typing import Any

import pytest

from engine.core.sizing import least_lots
from tests.fakes import live_desks
from tests.fakes.desks import RULES
from tests.fakes.live_desks import PRICE, LiveBench, config_body, long, on_bench


def staged(patch: pytest.MonkeyPatch, stage: str, mode: str = "live", **rules: Any) -> None:
    """The bench's first event: a desk of this mode, its sleeves at this stage."""

    def body(first_ms: int = live_desks.FIRST_MS, *limits: Any) -> dict[str, Any]:
        made = config_body(first_ms, *limits)
        made["start"] |= {"mode": mode, "account": "main"}
        for sleeve in made["sleeves"]:
            sleeve["stage"] = stage
            sleeve["rules"] |= rules
        return made

    patch.setattr(live_desks, "config_body", body)


def restaged(bench: LiveBench, stage: str) -> None:
    """People have approved another stage."""
    source = {**bench.desk.book.config, "version": 2, "sha256": "x"}
    sleeves = [{**sleeve, "stage": stage, "version": 2} for sleeve in source["sleeves"]]
    bench.desk.take("config", {**source, "sleeves": sleeves})


@pytest.mark.parametrize(
    ("stage", "mode", "enters"),
    [
        ("paper", "live", False),
        ("paper_live", "live", False),
        ("testnet", "live", False),
        ("live", "live", True),
        ("paper", "testnet", True),
        ("retired", "testnet", False),
    ],
)
def test_a_desk_with_money_enters_by_a_stage_that_allows_it(
    stage: str, mode: str, enters: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configured at an account is not allowed to trade there."""
    staged(monkeypatch, stage, mode)

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(5)
        assert bool(bench.venue.asked_for("place")) is enters

    on_bench(path, play)


LEAST = {"fixed_lots": -1, "layers_max": 1, "least_lots": 10, "least_notional": 100.0}


def test_the_first_trips_with_money_are_of_least_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the venue takes at this price, with a little room, and never a second layer."""
    staged(monkeypatch, "live_small", **LEAST)

    async def play(bench: LiveBench) -> None:
        await bench.start()
        for _ in range(2):
            await bench.to_close()
            bench.close(adds=long())
            await bench.after(5)
        assert bench.lots() == 18  # 105 USDT at 60,000 in lots of 0.0001, rounded up

    on_bench(path, play)


def test_a_size_above_the_least_does_not_leave_whatever_the_rules_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last guard before the venue does not read the cap that sizing read."""
    staged(monkeypatch, "live_small", **{**LEAST, "fixed_lots": 300})

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(5)
        assert not bench.venue.asked_for("place")

    bench = on_bench(path, play)
    assert "stage live_small: 300 lots, at most 18" in bench.events("order")[-1].body["why"]


def test_least_size_is_what_the_venue_takes() -> None:
    """By quantity or by notional, whichever is more; a price that is not known gives the quantity."""
    rules = RULES._replace(lot_size=0.0001, least_lots=10, least_notional=100.0)
    assert [least_lots(rules, price) for price in (60_000.0, 1_000.0, 2e6, 0.0, float("nan"))] == [18, 1_050, 10, 10, 10]


def test_a_retired_sleeve_winds_down_settles_and_is_then_retired(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries off, its stop stays at the venue; flat is not the end: venue and book have to agree twice."""
    staged(monkeypatch, "live")

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        restaged(bench, "retired")
        book = bench.desk.book
        assert book.stage_reached(0) == "winding_down"
        stops = [o for o in book.orders.open.values() if o.slot == 1]
        assert len(stops) == 1
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(3)
        assert bench.lots() == 300
        assert stops[0].id in {o.id for o in book.orders.open.values()}
        bench.venue.script["position"] = ["silent"] * 200
        bench.venue.execute(stops[0].id, 300, PRICE - 100, named=False)
        await bench.after(100)
        assert (bench.lots(), book.stage_reached(0)) == (0, "settling")
        bench.venue.script["position"].clear()
        await bench.after(200)
        assert book.stage_reached(0) == "retired"
        await bench.again()
        assert bench.desk.book.stage_reached(0) == "retired"

    on_bench(path, play)
