"""Fills at the bar's VWAP: market orders alone, where quote volume is recorded, and the run says how many had it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.core import state
from engine.core.state import FILL_MODES
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim import backtest, explain
from engine.sim.backtest import Backtest
from engine.sim.request import request_of
from engine.sim.vwap_fills import vwap_of
from engine.store.runs import Runs
from engine.strategies.rules import rules_of
from tests.engine.core.test_desk import FLAT4, LONG, PLAIN, QUIET, bar
from tests.engine.core.test_reversals import TO_SHORT
from tests.fakes import recordings
from tests.fakes.desks import LOOSE, both_ways, hostile, hostile_rules, run_lists

NAN = float("nan")
FLAT = FLAT4[0]


def recorded(folder: Path, *, known: bool = True) -> Catalog:
    """A month of made-up bars: each trades near its close, one in ten says no quote volume, one in fifty too much."""
    recordings.record(folder, symbols=("BTC-USDT",))
    if known:
        bars = recordings.bars(3_000, seed=1)
        price = (bars["close"] * 0.8 + bars["open"] * 0.2).to_numpy().copy()
        price[::50] = bars["high"].to_numpy()[::50] * 1.001
        price[5::10] = np.nan
        quote = pl.Series(price * bars["volume"].to_numpy()).fill_nan(None)
        recordings.write(folder, "binance_BTC-USDT_perp_15m", bars.with_columns(quote.alias("quote_volume")))
    return Catalog([(folder, "recorded")])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Bars with quote volume."""
    return recorded(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def run(catalog: Catalog) -> Backtest:
    """trend, filled at VWAPs."""
    return backtest("trend", "BTC-USDT", catalog=catalog, fills="vwap", params={"fade_below": 0.2})


def test_market_fills_pay_the_average_price_where_there_is_one(run: Backtest) -> None:
    """Before slippage: the VWAP, cut to the bar's range; the open where none is recorded. Counted, and said first."""
    span, at = run.span, np.searchsorted(run.close_ms, run.fills["close_ms"].to_numpy())
    vwap = vwap_of(span).price[at, 0]
    market = ((run.fills["slot"] == "entry") | (run.fills["reason"] == "fade")).to_numpy()
    paid, known = run.fills["clean_price"].to_numpy(), np.isfinite(vwap)
    assert (paid[market & known] == vwap[market & known]).all()
    assert (paid[market & ~known] == span.open[at, 0][market & ~known]).all()
    assert (paid >= span.low[at, 0] - 1e-9).all()
    assert (paid <= span.high[at, 0] + 1e-9).all()
    said = run.report["vwap"]
    assert (said["market_fills"], said["at_vwap"]) == (int(market.sum()), int((market & known).sum()))
    assert 0 < said["at_vwap"] < said["market_fills"]
    assert run.report["notes"][0] == said["text"]
    assert f"{said['at_vwap']:,} of {said['market_fills']:,} market fills paid the VWAP" in said["text"]
    assert set(run.fills.filter(pl.col("slot") == "target")["maker"]) <= {True}


def test_a_price_beyond_its_bar_is_cut_and_counted(run: Backtest) -> None:
    """One bar in fifty says it traded above its high."""
    found = vwap_of(run.span)
    assert int(found.cut.sum()) == len(run.close_ms) // 50
    assert (found.price[found.cut] == run.span.high[found.cut]).all()


def test_it_is_one_more_scenario_and_moves_no_other(run: Backtest, catalog: Catalog) -> None:
    """The pessimistic run beside it is what it was; only this run shows the third; its configuration can be repeated."""
    usual = backtest("trend", "BTC-USDT", catalog=catalog, params={"fade_below": 0.2})
    assert usual.scenarios.keys() == {"pessimistic", "optimistic", "ambiguous_bars"}
    assert run.scenarios["pessimistic"] == usual.metrics["total_return_frac"]
    assert run.scenarios["vwap"] == run.metrics["total_return_frac"] != usual.metrics["total_return_frac"]
    assert "vwap" not in usual.report
    assert request_of(run.report["config"])[0].fills == "vwap"
    json.dumps(run.report["vwap"], allow_nan=False)


def test_files_without_quote_volume_are_the_pessimistic_run_and_it_says_so(tmp_path: Path) -> None:
    """Bit for bit, and none of its fills had one."""
    bare = recorded(tmp_path, known=False)
    ours, usual = (backtest("trend", "BTC-USDT", catalog=bare, fills=fills) for fills in ("vwap", "pessimistic"))
    assert ours.journal_hash == usual.journal_hash
    assert ours.report["vwap"]["at_vwap"] == 0
    assert "no quote volume is recorded" in ours.report["notes"][0]


def test_a_trade_and_a_quiet_close_of_such_a_run_are_explained(tmp_path: Path, run: Backtest, catalog: Catalog) -> None:
    """The assumption behind a market fill is the VWAP; a close without a row is worked out again under it."""
    runs = Runs(tmp_path)
    stored = runs.keep(run.report, run.frames(), lambda _run: "", 1_767_225_600_000)["run_id"]
    told = explain.trip(runs, stored, "t1")
    assert "VWAP of the next bar" in told["entries"][0]["fill"]["assumption"]
    quiet = int(np.setdiff1d(run.close_ms[2_000:], run.decisions["close_ms"].to_numpy())[0])
    assert explain.at(runs, stored, None, quiet, catalog)["text"]


def test_the_core_and_paper_do_not_know_it() -> None:
    """It is a run's reading of market orders, not a mode: whoever else asks for it is told which there are."""
    assert "vwap" not in FILL_MODES
    with pytest.raises(BadInput, match="pessimistic, optimistic, reference"):
        rules_of(None, None, None, 0, "vwap", 1)  # type: ignore[arg-type]  # refused before they are read
    with pytest.raises(BadInput, match="unknown fills 'twap'"):
        backtest("trend", "BTC-USDT", fills="twap")


def filled(
    signals: list[state.Signal], vwap: list[float], *changed: tuple[int, tuple[float, ...]]
) -> list[tuple[int, int, float]]:
    """(bar, exit reason, price without slippage) of each fill of one sleeve over flat bars but for `changed`."""
    bars = [bar(t, dict(changed).get(t, FLAT)) for t in range(len(signals))]
    rows, *_ = run_lists(bars, signals, [PLAIN], LOOSE, 10_000.0, vwap=vwap)
    found = [row for row in rows if (row.tag >> 16) & 0xFF == state.K_FILL]
    return [((r.close_ms - bars[0].close_ms) // PLAIN.bar_ms, (r.tag >> 32) & 0xFF, r.a) for r in found]


def test_entry_exit_and_reversal_fill_at_it_a_limit_and_a_stop_do_not() -> None:
    """The market entry of bar 1, the turn of bar 3; a limit fills at its price, a stop at its level."""
    turned = filled([LONG, QUIET, TO_SHORT, QUIET], [100.2, 100.4, 100.6, 100.8])
    assert turned == [(1, 0, 100.4), (3, state.BY_REVERSAL, 100.8), (3, 0, 100.8)]
    rests = filled([LONG._replace(limit=99.5), QUIET], [100.5, 100.5])
    assert rests == [(1, 0, 99.5)]
    stopped = filled([LONG._replace(stop=99.5), QUIET, QUIET], [100.0, NAN, 99.9], (1, (100, 100.5, 99.8, 100)))
    assert stopped == [(1, 0, 100.0), (2, state.STOP, 99.5)]


def test_an_entry_at_the_average_was_not_there_at_the_open() -> None:
    """The bar opens beyond the stop: who entered later in it is stopped at the level if the bar came there, not at the open."""
    said = [LONG._replace(stop=98.0), QUIET]
    assert filled(said, [NAN, 99.5], (1, (97, 101, 96.5, 100)))[1] == (1, state.STOP, 98.0)
    assert filled(said, [NAN, NAN], (1, (97, 101, 96.5, 100)))[1] == (1, state.STOP, 97.0)


@pytest.mark.parametrize("seed", range(6))
def test_compiled_and_plain_fill_at_the_same_prices(seed: int) -> None:
    """Hostile bars, VWAPs that are missing, zero, infinite or far outside: the same rows, and those outside are not paid."""
    bars, signals = hostile(seed, bars=300)
    rng = np.random.default_rng(seed)
    vwap = bars["low"] + rng.uniform(-0.2, 1.2, len(bars)) * (bars["high"] - bars["low"])
    for value in (np.nan, 0.0, np.inf, -1.0):
        vwap[rng.random(len(vwap)) < 0.1] = value
    plain, compiled = both_ways(bars, signals, hostile_rules(3 * seed), LOOSE, 100_000.0, vwap=vwap)
    assert plain[0].tobytes() == compiled[0].tobytes()
    assert plain[1].tobytes() == compiled[1].tobytes()
    without = both_ways(bars, signals, hostile_rules(3 * seed), LOOSE, 100_000.0)[1]
    assert without[0].tobytes() != compiled[0].tobytes()
