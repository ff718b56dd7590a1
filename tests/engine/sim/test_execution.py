"""A backtest that works its entries: on finer bars, each parent's cost against arrival, refusals in words."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.catalog import Catalog
from engine.data.schedules import execution_of
from engine.errors import BadInput
from engine.research.sweep import Runner
from engine.sim import backtest, explain
from engine.sim.backtest import Backtest
from engine.sim.request import Request, SleeveRequest, plan, request_of
from engine.store.runs import Runs
from tests.fakes import recordings

HOUR_MS, FINE_MS = 3_600_000, 300_000
ASK = {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "1h", "from_": "2025-01-20", "cash": 1_000_000.0}
PARAMS = {"fade_below": 0.0}


def recorded(folder: Path, hours: int = 1_000, *, fine: bool = True) -> Catalog:
    """Hours made of 5m bars with a volume that grows within each hour, and the 5m bars themselves."""
    count = hours * 12
    bars = recordings.bars(count, seed=3).with_columns(
        pl.Series("ts", recordings.FIRST_MS + FINE_MS * np.arange(count)),
        (pl.col("volume") * pl.Series(1.0 + np.arange(count) % 12)).alias("volume"),
    )
    whole = bars.group_by((pl.col("ts") // HOUR_MS * HOUR_MS).alias("ts"), maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()
    )
    if fine:
        recordings.write(folder, "binance_BTC-USDT_perp_5m", bars)
    recordings.write(folder, "binance_BTC-USDT_perp_1h", whole)
    recordings.write(folder, "binance_BTC-USDT_perp_funding", recordings.settlements(hours * 4))
    return Catalog([(folder, "recorded")])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Six weeks of both."""
    return recorded(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def run(catalog: Catalog) -> Backtest:
    """trend on hours, six equal slices."""
    return backtest(**ASK, catalog=catalog, params=PARAMS, execution="twap:6")


def test_each_parent_says_arrival_average_cost_and_slices(run: Backtest) -> None:
    """From the rows, by hand: what filled, at what average, against the close that decided."""
    table = run.parents
    assert len(table) > 10
    entries = run.fills.filter(pl.col("slot") == "entry")
    assert table["lots_filled"].sum() == entries["lots"].sum()
    assert (table["lots_filled"] <= table["lots"]).all()
    assert ((table["slices_done"] + table["slices_refused"]) == 6).all()
    assert table["slices_done"].max() == 6
    first = table.row(0, named=True)
    own = entries.filter(pl.col("close_ms") == first["decided_ms"] + HOUR_MS)
    average = float((own["price"] * own["lots"]).sum() / own["lots"].sum())
    arrival = run.decisions.filter(pl.col("close_ms") == first["decided_ms"])["close"][-1]
    assert (first["average"], first["arrival"]) == (pytest.approx(average), arrival)
    assert first["cost_bps"] == pytest.approx(first["side"] * (average / arrival - 1.0) * 1e4)
    assert len(own) == first["slices_done"]


def test_the_run_reports_the_whole_and_can_be_repeated(run: Backtest) -> None:
    """Mean cost weighed by notional, slices done and refused, said in the notes; plain JSON; the request comes back."""
    said, table = run.report["execution"], run.parents
    notional = table["lots_filled"] * table["arrival"]
    assert said["cost_bps"] == pytest.approx(float((table["cost_bps"] * notional).sum() / notional.sum()))
    assert (said["parents"], said["slices_done"]) == (len(table), table["slices_done"].sum())
    assert (said["kind"], said["slices"], said["clock"]) == ("twap", 6, "5m")
    assert said["text"] in run.report["notes"]
    json.dumps(run.report, allow_nan=False)
    assert request_of(run.report["config"])[0].execution == "twap:6"


def test_slices_fill_at_the_opens_of_their_bars(run: Backtest) -> None:
    """Each fill's price without slippage is the open of one of the hour's 5m bars; the trips still sum to the equity."""
    span = run.span
    column = span.instruments.index("binance:BTC-USDT:perp")
    for close_ms, price in run.fills.filter(pl.col("slot") == "entry").select("close_ms", "clean_price").head(40).iter_rows():
        inside = (span.close_ms > close_ms - HOUR_MS) & (span.close_ms <= close_ms)
        assert price in span.open[inside, column]


def test_each_schedule_is_another_run_and_none_is_the_usual_one(catalog: Catalog, run: Backtest) -> None:
    """A volume that grows within the hour makes the last slices of vwap the largest, urgency the first ones of ac."""
    by_volume, urgent = (backtest(**ASK, catalog=catalog, params=PARAMS, execution=e) for e in ("vwap:6", "ac:6:3"))
    usual = backtest(**ASK, catalog=catalog, params=PARAMS)
    assert len({x.journal_hash for x in (run, by_volume, urgent, usual)}) == 4
    assert "execution" not in usual.report
    assert "execution" not in usual.report["config"]

    def share_of_first(of: Backtest) -> float:
        hour = of.fills.filter(pl.col("close_ms") == of.parents.filter(pl.col("slices_done") == 6)["decided_ms"][0] + HOUR_MS)
        return float(hour["lots"][0] / hour["lots"].sum())

    assert share_of_first(by_volume) < 0.1 < share_of_first(run) < 0.2 < share_of_first(urgent)


def test_a_trade_and_a_quiet_close_of_such_a_run_are_explained(tmp_path: Path, run: Backtest, catalog: Catalog) -> None:
    """Each slice is one fill of the trip, behind the decision of its parent; a close without a row is worked out again."""
    runs = Runs(tmp_path)
    stored = runs.keep(run.report, run.frames(), lambda _run: "", 1_767_225_600_000)["run_id"]
    steps = explain.trip(runs, stored, "t1")["entries"]
    assert len(steps) == run.parents["slices_done"][0]
    assert len({step["decision"]["close_ms"] for step in steps}) == 1
    hours = run.close_ms[run.close_ms % HOUR_MS == 0]
    quiet = int(np.setdiff1d(hours[100:], run.decisions["close_ms"].to_numpy())[0])
    assert explain.at(runs, stored, None, quiet, catalog)["text"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"execution": "pov:6"}, "write twap:6"),
        ({"execution": "twap:six"}, "write twap:6"),
        ({"execution": "twap:6:2"}, "write twap:6"),
        ({"execution": "twap:4"}, "5 to 10"),
        ({"execution": "ac:6:99"}, "0 to 50"),
        ({"execution": "ac:6:nan"}, "0 to 50"),
        ({"execution": "vwap:6", "from_": "2025-01-03"}, "learns its volume curve from 7 days"),
        ({"execution": "twap:6", "timeframe": "5m"}, "none of 15m, 5m, 1m is recorded and fits"),
        ({"execution": "twap:6", "params": {"layers_max": 2}}, "positions of one layer"),
        ({"execution": "twap:6", "params": {"entry": "limit"}}, "works market entries"),
    ],
)
def test_what_cannot_be_worked_is_refused_in_words(catalog: Catalog, changed: dict, words: str) -> None:
    """One line: what, and what to do."""
    with pytest.raises(BadInput) as caught:
        backtest(**{**ASK, "params": PARAMS, **changed}, catalog=catalog)
    assert words in str(caught.value)


def test_hours_without_finer_bars_are_refused(tmp_path: Path) -> None:
    """The hour alone is recorded."""
    with pytest.raises(BadInput, match="is recorded and fits"):
        backtest(**ASK, catalog=recorded(tmp_path, 800, fine=False), execution="twap:6")


def test_a_spec_has_defaults() -> None:
    """Six slices; an urgency of 2 for Almgren-Chriss."""
    assert execution_of("") is None
    assert execution_of("ac") == ("ac", 6, 2.0)


@pytest.mark.parametrize("changed", [{"execution": "twap:6"}, {"fills": "vwap"}])
def test_a_sweep_that_would_not_work_them_is_refused(catalog: Catalog, changed: dict) -> None:
    """Neither is quietly left out of thousands of runs."""
    request = Request((SleeveRequest("trend", "BTC-USDT", timeframe="1h"),), "1h", **changed)
    with pytest.raises(BadInput, match="neither vwap fills nor execution schedules"):
        Runner(plan(request, catalog))
