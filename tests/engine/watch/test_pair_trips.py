"""The desk's round trips of a basket are those of its pairs: as its backtest has them, and by leg, pair or basket."""

from typing import Any

import polars as pl
import pytest

from app.home.home import Home, open_home
from app.views.desk_trip import desk_trip
from engine.errors import BadInput
from engine.sim.basket import simulate
from engine.sim.request import plan
from engine.sim.resolve import backtest_request
from engine.store.journal import read
from engine.watch.desk_excursions import reached_trips
from engine.watch.desk_trips import desk_trips, strategy_trips
from engine.watch.kept_lines import keep_lines
from engine.watch.lifecycle import lives
from engine.watch.pair_trips import basket_legs, leg_view
from engine.watch.periods import lately
from tests.fakes.basket_desks import LEGS, PARAMS, basket_home
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, feed_of, loop_of, span

BARS = 230
SAME = ("sleeve", "side", "entry_ms", "exit_ms", "bars", "gross", "slippage", "fees", "funding", "net", "r", "risk", "reason")
SAME += ("a", "b", "lots_a", "entry_a", "exit_a", "net_a", "lots_b", "entry_b", "exit_b", "net_b")
EAGER = {"enter": 0.8, "step_days": 0.25}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home that has traded a basket for more than two days."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("basket") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = basket_home(folder, **EAGER)
        loop = advanced(loop_of(home, feed_of(home)), BARS)
        loop.journal.close()
        yield open_home(WALL_MS)


def test_they_are_those_of_its_backtest(lived: Home) -> None:
    """Every column that both have, an open one at the last closes included."""
    given = {"strategy": "pairs", "symbol": ",".join(LEGS), "venue": "synthetic", "timeframe": "15m", "cash": 100_000.0}
    where = {"params": {**PARAMS, **EAGER}, "start": span().first_ms, "end": span().first_ms + BARS * BAR_MS}
    run = simulate(plan(backtest_request(lived.setup, lived.catalog, given | where), lived.catalog, lived.strategies))
    found, own = desk_trips(lived.path), run.round_trips
    assert found.height == own.height > 5
    for name in SAME:
        kinds = found[name].dtype.is_float()
        assert found[name].to_list() == (pytest.approx(own[name].to_list()) if kinds else own[name].to_list()), name


def test_they_sum_to_what_the_desk_has_made(lived: Home) -> None:
    """What crossed inside included; and the ids are of events that have a part of the pair."""
    found, mark = desk_trips(lived.path), list(read(lived.desk_journal, {"mark"}))[-1].body
    assert found["net"].sum() == pytest.approx(mark["equity"] - 100_000.0, abs=0.01)
    assert [pair["pnl"] for pair in mark["basket"]["pairs"]] == pytest.approx(
        [found.filter(pl.col("sleeve") == pair["pair"])["net"].sum() for pair in mark["basket"]["pairs"]], abs=0.01
    )
    events = {event.id: event for event in read(lived.desk_journal, {"fill", "cross", "funding"})}
    for trip in found.filter(pl.col("exit_ms").is_not_null()).to_dicts():
        for name in ("entry_event", "exit_event"):
            assert trip["sleeve"] in {part["pair"] for part in events[trip[name]].body["parts"]}
        assert trip["closed_ms"] == trip["exit_ms"] + BAR_MS
        assert trip["version"] == 1


def test_they_are_found_by_leg_pair_and_basket(lived: Home) -> None:
    """A leg has the trips of all pairs that trade it; an unknown name is refused with those that there are."""
    every = desk_trips(lived.path)
    by_leg = [desk_trips(lived.path, f"pairs-{leg.lower()}") for leg in LEGS]
    assert sum(len(own) for own in by_leg) == 2 * len(every)
    assert desk_trips(lived.path, "pairs").equals(every)
    pair = desk_trips(lived.path, "BTC-USDT SOL-USDT")
    assert set(pair["sleeve"]) == {"BTC-USDT SOL-USDT"}
    with pytest.raises(BadInput, match="no sleeve 'btc'") as refused:
        desk_trips(lived.path, "btc")
    assert "ETH-USDT SOL-USDT" in refused.value.hint
    view = leg_view(every, "ETH-USDT")
    assert len(view) == len(by_leg[1])
    prices = {trip["trip"]: (trip["entry_price"], trip["side"]) for trip in view.to_dicts()}
    for trip in by_leg[1].to_dicts():
        first = trip["a"] == "ETH-USDT"
        side = trip["side"] if first else {"long": "short", "short": "long"}[trip["side"]]
        assert prices[trip["trip"]] == (trip["entry_a" if first else "entry_b"], side)


def test_readers_count_them_by_leg(lived: Home) -> None:
    """Lives, the last days and excursions: nothing asks a leg for trips of its own."""
    leg = "pairs-eth-usdt"
    own = desk_trips(lived.path, leg).filter(pl.col("exit_ms").is_not_null())
    assert lately(lived.path, leg)["start"].trips == len(own) > 0
    found = {life.sleeve: life for life in lives(lived.path, lived.engine)}
    assert found[leg].stages[-1].trips == len(own)
    assert strategy_trips(lived.path).equals(desk_trips(lived.path))
    assert reached_trips(lived.path)["mae"].null_count() == len(desk_trips(lived.path))


def test_kept_lines_give_the_same_trips(lived: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file of days that are over as from the journal."""
    before = desk_trips(lived.path)
    keep_lines(lived.path)
    monkeypatch.setattr("engine.watch.desk_trips._TRIPS", {})
    assert desk_trips(lived.path).equals(before)
    legs = basket_legs(lived.desk_journal)
    assert legs is not None
    assert legs.pair_names == ["BTC-USDT ETH-USDT", "BTC-USDT SOL-USDT", "ETH-USDT SOL-USDT"]


def test_a_round_trip_says_its_spread_and_why_it_ended(lived: Home) -> None:
    """Executions of both legs as far as they are the pair's, what crossed inside marked as that."""
    closed = desk_trips(lived.path).filter(pl.col("exit_ms").is_not_null())
    for about in closed.to_dicts():
        found = desk_trip(lived.path, about["trip"])
        steps = [*found["entries"], *found["exits"]]
        assert {step["fill"]["leg"] for step in steps} == {f"pairs-{about[end].lower()}" for end in ("a", "b")}
        entered = [step["fill"] for step in found["entries"]]
        assert sum(fill["lots"] for fill in entered) == about["lots_a"] + about["lots_b"]
        assert sum(step["fill"]["fee"] for step in steps) == pytest.approx(about["fees"])
        read_of = found["entries"][0]["decision"]["features"]
        assert abs(read_of["spread_z"]) >= EAGER["enter"]
        assert read_of["risk"] == pytest.approx(about["risk"], rel=0.2)
        assert found["closing_rule"]["text"] != "it is still open"
    assert set(closed["reason"]) & {"signal", "stop"}
