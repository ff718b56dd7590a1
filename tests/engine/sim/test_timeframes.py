"""A backtest of sleeves on different timeframes is the backtests of each, side by side; recorded bars."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.clock import HOUR_MS, LOCAL_MS, LOCAL_TIMEFRAME, MINUTE_MS
from engine.core.state import Limits
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim import explain
from engine.sim.backtest import Backtest, simulate
from engine.sim.request import Request, SleeveRequest, moment, plan, request_of
from engine.store.runs import Runs
from tests.fakes import recordings

WIDE = Limits(0.9, 100.0, 100.0, 1_000)  # desk limits that do not bind: what one sleeve does changes no other
SLEEVES = (
    SleeveRequest("trend", "BTC-USDT", name="btc", timeframe="1h"),
    SleeveRequest("trend", "ETH-USDT", name="eth"),
    SleeveRequest("reversion", "SOL-USDT", name="sol", timeframe="1h"),
)
SPAN = (moment("2025-03"), moment("2025-06"))


def run(market_data: Path, *sleeves: SleeveRequest, **more: object) -> Backtest:
    """A backtest of a recorded quarter."""
    request = Request(sleeves, "15m", *SPAN, limits=WIDE)._replace(**more)  # type: ignore[arg-type]  # names checked by the tuple
    return simulate(plan(request, Catalog([(market_data, "recorded")])))


@pytest.fixture(scope="module")
def mixed(market_data: Path) -> Backtest:
    """The three sleeves on one clock."""
    return run(market_data, *SLEEVES)


@pytest.mark.sample(1)
@pytest.mark.parametrize("sleeve", SLEEVES, ids=[s.name for s in SLEEVES])
def test_each_sleeve_does_what_it_does_alone(mixed: Backtest, market_data: Path, sleeve: SleeveRequest) -> None:
    """Round trips with every cost, decisions with the features read there: equal to the last bit."""
    alone = run(market_data, sleeve)
    assert alone.report["timeframe"] == (sleeve.timeframe or "15m")
    numbered = ["trip", "first_n", "last_n"]
    found = mixed.round_trips.filter(pl.col("sleeve") == sleeve.name).drop(numbered)
    assert len(found) >= 9
    assert found.equals(alone.round_trips.drop(numbered))
    decided = alone.decisions.drop("n")
    assert mixed.decisions.filter(pl.col("sleeve") == sleeve.name).select(decided.columns).equals(decided)


def test_the_desk_is_marked_at_every_close_of_the_clock(mixed: Backtest, market_data: Path) -> None:
    """Where hours close the equity of a run of the hourly sleeve alone; in between it moves with the clock's prices."""
    slow = SLEEVES[0]
    idle = SLEEVES[1]._replace(cash=1.0)  # too little for a lot
    alone, beside = run(market_data, slow), run(market_data, slow, idle)
    assert (beside.round_trips["sleeve"] == slow.name).all()
    curve = beside.curves["pessimistic"] - idle.cash
    here = np.flatnonzero(beside.close_ms % HOUR_MS == 0)
    assert np.array_equal(beside.close_ms[here], alone.close_ms)
    assert np.allclose(curve[here], alone.curves["pessimistic"], rtol=0, atol=1e-8)
    between = np.setdiff1d(np.arange(len(curve)), here)
    assert (np.diff(curve)[between[1:] - 1] != 0).mean() > 0.3
    assert mixed.metrics["exposure_frac"] >= beside.metrics["exposure_frac"] > 0.2


def test_a_trip_is_timed_in_bars_of_its_own_sleeve(mixed: Backtest) -> None:
    """Opens and closes of an hourly trip lie on hours, and its bars are hours."""
    hourly = mixed.round_trips.filter(pl.col("sleeve") != "eth").filter(pl.col("reason") != "open")
    assert (hourly["entry_ms"] % HOUR_MS == 0).all()
    assert (hourly["bars"] == (hourly["exit_ms"] - hourly["entry_ms"]) // HOUR_MS + 1).all()


def test_a_stored_request_comes_back_with_its_timeframes(mixed: Backtest) -> None:
    """The configuration of a run names each sleeve's timeframe; one from before there were any is of the run's."""
    request, _ = request_of(mixed.plan.config)
    assert [s.timeframe for s in request.sleeves] == ["1h", "15m", "1h"]
    sleeves = [{k: v for k, v in s.items() if k != "timeframe"} for s in mixed.plan.config["sleeves"]]
    assert {s.timeframe for s in request_of(mixed.plan.config | {"sleeves": sleeves})[0].sleeves} == {""}


def test_what_cannot_be_marked_is_refused(market_data: Path) -> None:
    """An hourly sleeve beside a faster one needs the clock's bars of its instrument."""
    other = SleeveRequest("trend", "BNB-USDT", name="bnb", timeframe="1h")
    assert run(market_data, other).report["data"]["bars"] > 2_000
    with pytest.raises(BadInput, match="BNB-USDT perp 15m; the clock is 15m, and its bars mark the 1h sleeve"):
        run(market_data, other, SLEEVES[1])
    with pytest.raises(BadInput, match="unknown timeframe '2h'"):
        run(market_data, SLEEVES[0]._replace(timeframe="2h"))


def test_a_recording_of_a_local_venue_is_run_bar_by_bar(tmp_path: Path) -> None:
    """Its bars of 15 s as those of any other timeframe: marked at each close, decided on between two minutes as well."""
    bars = recordings.bars(8_000).with_columns(ts=recordings.FIRST_MS + pl.int_range(8_000, dtype=pl.Int64) * LOCAL_MS)
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15s", bars)
    request = Request((SleeveRequest("trend", "BTC-USDT", name="btc"),), LOCAL_TIMEFRAME, limits=WIDE, funding="none")
    found = simulate(plan(request, Catalog([(tmp_path, "recorded")])))
    assert (found.report["timeframe"], set(np.diff(found.close_ms))) == ("15s", {LOCAL_MS})
    decided = found.decisions["close_ms"].to_numpy()
    assert len(decided) > 30
    assert 0 < (decided % MINUTE_MS == 0).sum() < len(decided)


@pytest.mark.slow
def test_a_span_that_ends_between_two_closes_is_marked_at_the_clocks_price(market_data: Path) -> None:
    """A run may end inside an hour with the hourly position open: round trips still explain the equity to the cent."""
    ended = 0
    for minutes, day in ((15, 6), (30, 7), (45, 8)):
        to_ms = moment(f"2025-03-{day:02}T10:00") + minutes * 60_000
        found = run(market_data, *SLEEVES[:2], from_ms=moment("2025-03-01"), to_ms=to_ms)
        opened = found.round_trips.filter((pl.col("reason") == "open") & (pl.col("sleeve") == "btc"))
        change = float(found.curves["pessimistic"][-1]) - 20_000.0
        assert float(found.round_trips["net"].sum()) == pytest.approx(change, abs=0.001)
        ended += len(opened)
    assert ended >= 2


@pytest.mark.slow
def test_an_hourly_trip_is_explained_from_the_hour_before_its_fill(mixed: Backtest, tmp_path: Path) -> None:
    """Each market fill names its own bar's open and the decision at the close before; also at an instant inside the hour."""
    runs = Runs(tmp_path / "runs")
    kept = runs.keep(mixed.report, mixed.frames(), mixed.page, 0)
    name = mixed.round_trips.filter(pl.col("sleeve") == "btc")["trip"][3]
    found = explain.trip(runs, kept["run_id"], name)
    for step in found["entries"]:
        assert step["fill"]["bar_open_ms"] == step["fill"]["close_ms"] - HOUR_MS
        assert step["decision"]["close_ms"] == step["fill"]["close_ms"] - HOUR_MS
    close_ms = found["entries"][0]["decision"]["close_ms"]
    at = explain.at(runs, kept["run_id"], "btc", close_ms - HOUR_MS + 60_000, mixed.plan.catalog)
    assert at["close_ms"] == close_ms
    assert at["decision"]["action"] == "enter"
    quiet = explain.at(runs, kept["run_id"], "sol", close_ms, mixed.plan.catalog)
    assert quiet["close_ms"] == close_ms
