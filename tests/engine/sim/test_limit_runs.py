"""A run that enters by limit: maker entries at their price, missed ones counted, all explained; a market run stays as it was."""

import polars as pl
import pytest

from engine.core import state
from engine.data.catalog import Catalog
from engine.sim import backtest, explain, trips
from engine.sim.backtest import Backtest
from engine.store.runs import Runs
from tests.fakes import recordings

CREATED_MS = 1_767_225_600_000
LIMIT = {"entry": "limit", "limit_offset_atr": 0.3, "good_for_bars": 2}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Catalog:
    """A month of made-up bars."""
    return Catalog([(recordings.record(tmp_path_factory.mktemp("bars")), "recorded")])


@pytest.fixture(scope="module")
def market(catalog: Catalog) -> Backtest:
    """The default."""
    return backtest("trend", "BTC-USDT", catalog=catalog)


@pytest.fixture(scope="module")
def limit(catalog: Catalog) -> Backtest:
    """Entries rest 0.3 ATR away for two bars."""
    return backtest("trend", "BTC-USDT", catalog=catalog, params=LIMIT)


def test_a_market_entry_is_what_it_was(catalog: Catalog, market: Backtest) -> None:
    """The numbers of a limit entry change nothing while entry is market: the same journal, and no note about limits."""
    named = backtest("trend", "BTC-USDT", catalog=catalog, params={"limit_offset_atr": 2.0, "good_for_bars": 50})
    assert named.journal_hash == market.journal_hash
    assert not market.fills.filter(pl.col("slot") == "entry")["maker"].any()
    assert not [note for note in market.report["notes"] if "limit" in note]


def test_entries_by_limit_are_makers_at_their_price(limit: Backtest, market: Backtest) -> None:
    """Each fills at the limit that was reviewed, on the better side of its close, without slippage, for the maker fee."""
    fills = limit.fills.filter(pl.col("slot") == "entry")
    decided = limit.decisions.filter(pl.col("action") == "enter").select(
        pl.col("close_ms").alias("decided_ms"), "close", "price_reviewed", "signal"
    )
    met = fills.sort("close_ms").join_asof(decided, left_on="close_ms", right_on="decided_ms", allow_exact_matches=False)
    assert len(fills) > 10
    assert fills["maker"].all()
    assert (met["price"] == met["price_reviewed"]).all()
    assert ((met["close"] - met["price"]) * met["signal"] > 0).all()
    assert (met["close_ms"] - met["decided_ms"]).max() <= 2 * recordings.BAR_MS
    assert fills["slippage"].to_list() == [0.0] * len(fills)
    assert (fills["fee"] / (fills["units"] * fills["price"])).to_list() == pytest.approx([0.0002] * len(fills))
    taker = market.fills.filter(pl.col("slot") == "entry")
    assert (taker["fee"] / (taker["units"] * taker["price"])).to_list() == pytest.approx([0.0005] * len(taker))


def test_the_missed_entries_are_counted(catalog: Catalog, limit: Backtest) -> None:
    """A note says how many orders filled; a run in which none did does not claim that there was no signal."""
    orders = limit.entry_orders
    filled = orders.filter(pl.col("lots_filled") > 0)
    assert 0 < len(filled) < len(orders)
    assert len(filled) == limit.metrics["trades"] + limit.metrics["open_trades"]
    assert f"trend: {len(filled)} of {len(orders)} limit entries filled" in limit.report["notes"]
    far = backtest("trend", "BTC-USDT", catalog=catalog, params={"entry": "limit", "limit_offset_atr": 5, "good_for_bars": 1})
    notes = " | ".join(far.report["notes"])
    assert f"trend: 0 of {len(far.entry_orders):,} limit entries filled" in notes
    assert f"no round trip: none of {len(far.entry_orders):,} entry orders filled" in notes


def test_an_order_that_fills_in_parts_is_one_order() -> None:
    """Two fills of one order are one; an order without a fill is one as well; another sleeve's fill is another's."""
    bar = recordings.BAR_MS
    decision = {"kind": state.K_DECISION, "code": state.ENTER}
    lines = [
        {**decision, "close_ms": bar, "sleeve": 0},
        {"kind": state.K_SIZE, "close_ms": bar, "sleeve": 0, "lots": 10},
        {"kind": state.K_FILL, "close_ms": 2 * bar, "sleeve": 0, "code": state.ENTRY, "lots": 4},
        {"kind": state.K_FILL, "close_ms": 3 * bar, "sleeve": 0, "code": state.ENTRY, "lots": 6},
        {"kind": state.K_FILL, "close_ms": 4 * bar, "sleeve": 0, "code": state.PROTECTIVE, "lots": 10},
        {**decision, "close_ms": 5 * bar, "sleeve": 1},
        {"kind": state.K_SIZE, "close_ms": 5 * bar, "sleeve": 1, "lots": 7},
        {**decision, "close_ms": 5 * bar, "sleeve": 0},
        {"kind": state.K_SIZE, "close_ms": 5 * bar, "sleeve": 0, "lots": 3},
        {"kind": state.K_FILL, "close_ms": 6 * bar, "sleeve": 1, "code": state.ENTRY, "lots": 2},
    ]
    rows = trips.no_rows().drop("n")
    rows = pl.concat([rows, pl.DataFrame(lines).cast(pl.Int64)], how="diagonal").fill_null(0).with_row_index("n")
    rows = rows.with_columns(pl.col("n").cast(pl.Int64))
    sleeves = [trips.RunSleeve(name, "x:BTC-USDT:perp", 0.001, 1.0, 900_000) for name in ("one", "two")]
    found = trips.entry_orders(rows, sleeves)
    assert found.rows() == [("one", bar, 10, 10), ("two", 5 * bar, 7, 2), ("one", 5 * bar, 3, 0)]


def test_a_limit_entry_is_explained_with_its_price(catalog: Catalog, limit: Backtest, market: Backtest, tmp_path) -> None:
    """The decision says at which limit, the close after it that the order rests; a market entry says at the next open."""
    runs = Runs(tmp_path)
    run_id = runs.keep(limit.report, limit.frames(), lambda _run: "", CREATED_MS)["run_id"]
    entered = limit.decisions.filter(pl.col("action") == "enter").row(0, named=True)
    text = explain.at(runs, run_id, None, entered["close_ms"], catalog)["text"]
    assert f"lots by limit at {entered['price_reviewed']:,.2f}, bound by" in text
    missed = limit.entry_orders.filter(pl.col("lots_filled") == 0)["close_ms"][0]
    after = explain.at(runs, run_id, None, missed + recordings.BAR_MS, catalog)["text"]
    assert "entry order of" in after
    assert "rests" in after
    run_id = runs.keep(market.report, market.frames(), lambda _run: "", CREATED_MS)["run_id"]
    entered = market.decisions.filter(pl.col("action") == "enter").row(0, named=True)
    assert "lots at the next open, bound by" in explain.at(runs, run_id, None, entered["close_ms"], catalog)["text"]


def test_a_cancelled_entry_says_why() -> None:
    """Not `no position and no entry signal`: the signal turned."""
    found = {"action": "cancel", "signal": {"side": -1, "strength": 0.5}, "position_before": {"lots": 0}, "size": None}
    text = explain.sentence(found, halted=False, warming=[])
    assert text == "short signal of strength 0.50; the entry order that rested is cancelled: the signal no longer wants it"
    text = explain.sentence(found | {"cancelled_by": "no_entry window"}, halted=False, warming=[])
    assert text.endswith("the entry order that rested is cancelled: no_entry window")
