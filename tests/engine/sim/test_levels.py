"""The levels of a run are worked out again by the core: what closed a trip at its stop or target was at the level of that bar."""

from bisect import bisect_right
from typing import Any

import pytest

from engine.data.catalog import Catalog
from engine.sim import backtest, levels
from engine.sim import trips as reading
from engine.sim.backtest import load, rules_in
from engine.sim.checked import frame_of
from tests.fakes import recordings


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any) -> Any:
    """A run of several layers a trip, and its level steps."""
    catalog = Catalog([(recordings.record(tmp_path_factory.mktemp("bars")), "recorded")])
    made = backtest("trend", "BTC-USDT", catalog=catalog, params={"layers_max": 3, "add_atr": 0.5})
    loaded = load(made.plan)
    sleeve, rules = made.plan.sleeves[0], rules_in(made.plan, loaded.span, "pessimistic")[0]
    return made, levels.level_steps(made.rows, 0, rules, frame_of(sleeve, loaded), sleeve.params.atr_bars)


def prices_at(steps: list[levels.LevelStep], slot: str, ms: int) -> list[float]:
    """The levels of a slot, of all layers, at an instant."""
    found = []
    for key in {step.key for step in steps}:
        own = [step for step in steps if step.key == key and step.slot == slot]
        n = bisect_right([step.ms for step in own], ms) - 1
        if n >= 0 and (price := own[n].price) is not None:
            found.append(price)
    return found


@pytest.mark.parametrize("slot", levels.SLOTS)
def test_what_filled_at_a_level_was_at_the_level_drawn(run: Any, slot: str) -> None:
    """Each protective or target fill is at a level as of its bar's open, or at a worse open beyond a stop."""
    made, steps = run
    bar_ms = made.run_sleeves[0].bar_ms
    fills = [row for row in made.fills.to_dicts() if row["slot"] == slot]
    assert len(fills) > 5
    gaps = 0
    for row in fills:
        there = prices_at(steps, slot, row["close_ms"] - bar_ms)
        exact = any(abs(price - row["clean_price"]) < 1e-6 for price in there)
        worse = slot == "protective" and any((price - row["clean_price"]) * row["side"] < 0 for price in there)
        assert exact or worse, (row["close_ms"], row["clean_price"], there)
        gaps += not exact
    assert gaps < len(fills) / 4


def test_levels_begin_with_their_layer_and_a_trail_never_moves_away(run: Any) -> None:
    """From the entry on a stop is there; a protective level moves towards the price alone, and is gone once the run is flat."""
    made, steps = run
    trips = made.round_trips.to_dicts()
    assert all(prices_at(steps, "protective", trip["entry_ms"]) for trip in trips)
    sides, moves = {trip["entry_ms"]: trip["side"] for trip in trips}, 0
    for key in {step.key for step in steps}:
        own = [step for step in steps if step.key == key and step.slot == "protective"]
        side = sides[max(ms for ms in sides if ms <= own[0].ms)]
        prices = [step.price for step in own if step.price is not None]
        assert prices == sorted(prices, reverse=side == "short")
        moves += len(prices) - 1
    assert set(sides.values()) == {"long", "short"}
    assert moves > 3
    last = max(trips, key=lambda trip: trip["entry_ms"])
    if last["exit_ms"] is not None:
        assert not prices_at(steps, "protective", last["exit_ms"] + made.run_sleeves[0].bar_ms)


def test_a_run_without_a_fill_has_no_level(run: Any) -> None:
    """No rows, no steps."""
    made, _ = run
    sleeve, loaded = made.plan.sleeves[0], load(made.plan)
    rules = rules_in(made.plan, loaded.span, "pessimistic")[0]
    assert levels.level_steps(reading.no_rows(), 0, rules, frame_of(sleeve, loaded), 14) == []
