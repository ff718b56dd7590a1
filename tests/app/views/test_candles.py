"""Candles for a chart: joined without losing an extreme, packed small and whole, and nothing of them after the desk's clock."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api import markets
from app.api.context import Address, ApiContext
from app.views import candle_bars, candle_marks, candles
from app.views.candle_marks import Band, Tripped
from engine.clock import DAY_MS
from engine.core.state import HOUR_MS
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim import backtest
from engine.store.runs import Runs
from engine.watch.window import FAR_MS, between, journal_of, mark_at
from tests.fakes import recordings
from tests.fakes.papers import BAR_MS, WALL_MS

START = recordings.FIRST_MS
ORDER = ("open", "high", "low", "close", "volume")


def unpacked(packed: dict[str, Any]) -> pl.DataFrame:
    """What a browser makes of packed candles (app/ui/candles/unpack.js), column by column."""
    count, unit = packed["count"], packed["unit"]
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["text"])), np.uint8).reshape(6, 4, count)
    columns = [np.ascontiguousarray(plane.T).view("<i4" if k < 5 else "<f4").reshape(-1) for k, plane in enumerate(planes)]
    at, close = np.cumsum(columns[0], dtype=np.int64), np.cumsum(columns[1], dtype=np.int64)
    opened = columns[2] + np.concatenate(([0], close[:-1]))
    high, low = np.maximum(opened, close) + columns[3], np.minimum(opened, close) - columns[4]
    prices = {"open": opened * unit, "high": high * unit, "low": low * unit, "close": close * unit}
    return pl.DataFrame({"ts": packed["first_ms"] + at * packed["step_ms"], **prices, "volume": columns[5].astype(np.float64)})


@settings(max_examples=15)
@given(st.integers(1, 400), st.sampled_from([2, 4, 16, 96]), st.integers(0, 95), st.sets(st.integers(0, 399)), st.integers(0, 9))
def test_joined_candles_are_the_naive_ones(count: int, width: int, shift: int, missing: set[int], seed: int) -> None:
    """First open, highest high, lowest low, last close and the sum of the volume of the bars there are; no candle of none."""
    bars = recordings.bars(count + shift, seed=seed)[shift:].with_row_index("i").filter(~pl.col("i").is_in(list(missing)))
    bars, step = bars.drop("i"), width * BAR_MS
    found = candle_bars.joined(bars, step).rows()
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for row in bars.rows():
        groups.setdefault(row[0] // step * step, []).append(row)
    assert [row[0] for row in found] == list(groups)
    for ts, opened, high, low, close, volume in found:
        own = groups[ts]
        assert (opened, high, low, close) == (own[0][1], max(r[2] for r in own), min(r[3] for r in own), own[-1][4])
        assert volume == pytest.approx(sum(r[5] for r in own))


@given(st.integers(0, 60), st.integers(1, 200_000), st.sampled_from([60_000, BAR_MS, HOUR_MS, DAY_MS]), st.integers(2, 5_000))
def test_the_step_keeps_within_the_points(shift: int, count: int, bar_ms: int, points: int) -> None:
    """However long the span: at most so many candles, of a multiple of the bar, and no longer than it has to be."""
    first = START + shift * bar_ms
    last = first + (count - 1) * bar_ms
    step = candle_bars.step_of(first, last, bar_ms, points)
    assert step % bar_ms == 0
    assert last // step - first // step + 1 <= points
    if count <= points:
        assert step == bar_ms


@settings(max_examples=15)
@given(st.integers(1, 300), st.sampled_from([0.1, 0.01, 5.0, 0.0]), st.sets(st.integers(0, 299)), st.integers(0, 9))
def test_what_is_packed_comes_out_again(count: int, tick: float, missing: set[int], seed: int) -> None:
    """Prices to half a unit, times and gaps exactly, volumes to seven digits; on and off the tick alike."""
    bars = recordings.bars(count, seed=seed, price=100.0, tick=tick or 1e-9)
    bars = bars.with_row_index("i").filter(~pl.col("i").is_in(list(missing))).drop("i")
    packed = candle_bars.packed(bars, BAR_MS, tick)
    found = unpacked(packed)
    assert found["ts"].to_list() == bars["ts"].to_list()
    for name in ORDER[:4]:
        assert found[name].to_numpy() == pytest.approx(bars[name].to_numpy(), abs=0.5001 * packed["unit"] + 1e-12)
    assert found["volume"].to_numpy() == pytest.approx(bars["volume"].to_numpy(), rel=1e-6)


def test_a_line_says_where_it_has_no_value() -> None:
    """Gaps at the start, in the middle and at the end stay gaps; the values around them are to half a unit."""
    values = np.array([np.nan, np.nan, 10.04, np.nan, 11.0, 10.0, np.nan])
    flat = zlib.decompress(base64.b64decode(candle_bars.packed_line(values, 0.1)))
    steps, present = (np.ascontiguousarray(p.T).view("<i4").reshape(-1) for p in np.frombuffer(flat, np.uint8).reshape(2, 4, 7))
    found = np.where(present == 1, np.cumsum(steps) * 0.1, np.nan)
    assert np.isnan(found).tolist() == np.isnan(values).tolist()
    assert found[~np.isnan(found)] == pytest.approx([10.0, 11.0, 10.0])


def test_a_year_of_quarter_hours_is_less_than_a_megabyte(tmp_path: Path) -> None:
    """Candles, two averages and 1,200 trips with their levels, as one answer."""
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15m", recordings.bars(35_040))
    catalog = Catalog([(tmp_path, "recorded")])
    series = catalog.find("binance", "BTC-USDT", "15m")
    window = (START, START + 365 * DAY_MS)
    entries = START + np.arange(1_200) * 29 * BAR_MS
    price = np.random.default_rng(1).normal(60_000, 9_000, 1_200)
    named = {"trip": [f"t{n}" for n in range(1_200)], "side": "long", "reason": "trail", "entry_ms": entries}
    trips = pl.DataFrame(
        {
            **named,
            "exit_ms": entries + 20 * BAR_MS,
            "entry_price": price,
            "exit_price": price * 1.001,
            "net": price / 7e3,
            "r": 0.1 + price / 9e5,
        }
    )
    steps = [
        candle_marks.LevelStep(n, slot, int(ms) + k * BAR_MS, float(price[n]) + k)
        for n, ms in enumerate(entries)
        for slot, moves in (("protective", 5), ("target", 1))
        for k in range(moves)
    ]
    steps += [
        candle_marks.LevelStep(n, slot, int(ms) + 20 * BAR_MS, None)
        for n, ms in enumerate(entries)
        for slot in ("protective", "target")
    ]
    drawn = candles.Drawn(trips, steps, (), (), ("sma(40)", "sma(200)"))
    place = candles.Place("binance", "BTC-USDT", "perp", "15m")
    found = candles.chart(catalog, series, place, window, drawn, 0.1)
    assert found["bars"]["count"] == 35_040
    assert len(found["lines"]) == 2
    assert len(found["levels"]) == 2_400
    assert len(json.dumps(found, separators=(",", ":"))) < 1_000_000


def test_only_prices_of_the_own_bars_are_drawn_over_the_candles(tmp_path: Path) -> None:
    """Levels, with or without arguments; no oscillator, no other timeframe or instrument, no normal form."""
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15m", recordings.bars(3_000))
    catalog = Catalog([(tmp_path, "recorded")])
    series = catalog.find("binance", "BTC-USDT", "15m")
    read = ("keltner_upper(20,10,1.5)", "poc(96,0.002)", "vwap_session", "supertrend(10,3)", "sma(40)")
    others = (
        "rsi(14)",
        "obv",
        "atr(14)",
        "supertrend_side(10,3)",
        "4h.sma(40)",
        "ETH-USDT.sma(40)",
        "zscored(sma(40),96)",
        "series(vix)",
    )
    drawn = candles.NOTHING._replace(labels=(*others, *read))
    found = candles.chart(
        catalog, series, candles.Place("binance", "BTC-USDT", "perp", "15m"), (START, START + 30 * DAY_MS), drawn, 0.1
    )
    assert sorted(line["label"] for line in found["lines"]) == sorted(read)
    assert all(line["about"] for line in found["lines"])


def test_refusals_are_bands_and_a_pause_takes_those_inside_it() -> None:
    """Neighbours of one rule are one band, a pause is one from breaker to end, and nothing goes beyond the clock."""
    bar = BAR_MS
    refused = [(START + n * bar, "spread_frac_max") for n in (1, 2, 3, 7)] + [(START + 12 * bar, "entries paused")]
    tripped = [Tripped(START + 10 * bar, "loss streak", START + 40 * bar), Tripped(START + 10 * bar, "desk drawdown", None)]
    found = candle_marks.bands(refused, tripped, bar, START + 20 * bar)
    assert found == [
        Band(START, START + 3 * bar, "spread_frac_max", 3),
        Band(START + 6 * bar, START + 7 * bar, "spread_frac_max", 1),
        Band(START + 10 * bar, START + 20 * bar, "paused: loss streak", 1),
    ]
    assert candle_marks.bands([(START + 30 * bar, "x")], [], bar, START + 20 * bar) == []


def sleeve_of(home: Any) -> dict[str, str]:
    """The desk's sleeve that trades most, as the API names it."""
    return {"name": "btc-trend", "venue": "synthetic", "symbol": "BTC-USDT", "market": "perp", "timeframe": "15m"}


def test_nothing_of_a_desk_s_chart_is_after_its_clock(lived: Any) -> None:
    """Whatever is asked for: the files hold weeks more, and none of it is in the answer, not even the bar that is open."""
    mark = mark_at(journal_of(lived.path))
    assert mark is not None
    clock = mark.t_event_ms
    series = lived.catalog.find("synthetic", "BTC-USDT", "15m")
    assert series.last_ms > clock + 20 * DAY_MS
    for window in ((None, None), (None, clock + 30 * DAY_MS), (clock - DAY_MS, 1 << 52)):
        found = json.loads(candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), window))
        assert found["until_ms"] == clock
        assert unpacked(found["bars"])["ts"].max() == clock - BAR_MS
        assert max(ms for ms in found["trips"]["exit_ms"] if ms is not None) < clock
        assert max(level["end_ms"] for level in found["levels"]) <= clock
        assert max((band["until_ms"] for band in found["bands"]), default=0) <= clock
    with pytest.raises(BadInput):
        candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), (clock, clock + DAY_MS))
    place = candles.Place("synthetic", "BTC-USDT", "perp", "15m")
    alone = json.loads(candles.market_candles(lived.setup, lived.catalog, place, (None, None), clock))
    assert unpacked(alone["bars"])["ts"].max() == clock - BAR_MS


def test_the_first_charts_are_made_before_anybody_asks(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new API makes each sleeve's chart; the page's first request finds the same answer, and nothing is drawn for it."""
    asked = json.loads(candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), (None, None)))
    monkeypatch.setattr(candles, "_ANSWERS", {})
    markets.prepare(ApiContext(lived, Address()))
    assert len(candles._ANSWERS) == 3
    monkeypatch.setattr(candles, "chart", lambda *_: pytest.fail("drawn twice"))
    assert json.loads(candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), (None, None))) == asked


def test_a_desk_s_stops_are_where_its_orders_were(lived: Any) -> None:
    """What closed a trip at its stop or target did so at the level drawn in that bar, or beyond a stop at a worse open."""
    found = json.loads(candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), (None, None)))
    lines = [(line["slot"], np.cumsum(line["ms"]), line["price"], line["end_ms"]) for line in found["levels"]]
    trips, seen = found["trips"], 0
    for side, out_ms, price, reason in zip(trips["side"], trips["exit_ms"], trips["exit_price"], trips["reason"], strict=True):
        if reason not in ("stop", "trail", "target"):
            continue
        slot = "target" if reason == "target" else "protective"
        there = [
            prices[int(np.searchsorted(times, out_ms, side="right")) - 1]
            for name, times, prices, end in lines
            if name == slot and times[0] <= out_ms < end
        ]
        away = [(level - price) / price * (1 if side == "long" else -1) for level in there]
        assert any(abs(a) < 2e-3 or (slot == "protective" and a > 0) for a in away), (reason, out_ms, price, there)
        seen += 1
    assert seen > 3
    assert [line["label"] for line in found["lines"]] == ["sma(40)", "sma(200)"]


def test_features_are_the_ones_that_decisions_read(lived: Any) -> None:
    """The line's value at a decision's close is the one in the journal, to half a tick."""
    found = json.loads(candles.desk_candles(lived.setup, lived.catalog, sleeve_of(lived), (None, None)))
    bars, unit = unpacked(found["bars"]), found["bars"]["unit"]
    flat = zlib.decompress(base64.b64decode(found["lines"][0]["text"]))
    steps = np.ascontiguousarray(np.frombuffer(flat, np.uint8).reshape(2, 4, -1)[0].T).view("<i4").reshape(-1)
    values = dict(zip((bars["ts"] + BAR_MS).to_list(), np.cumsum(steps) * unit, strict=True))
    read = [
        (e.t_event_ms, e.body["features"]["sma(40)"])
        for e in between(journal_of(lived.path), -1, FAR_MS, {"decision"})
        if e.body["sleeve"] == "btc-trend"
    ]
    assert len(read) > 5
    assert all(abs(values[ms] - value) <= 0.51 * unit for ms, value in read)


def test_a_run_says_what_its_chart_leaves_out(lived: Any, tmp_path: Path) -> None:
    """Levels while data and code are those of the run; once the bars have changed, that is said and no level drawn."""
    catalog = Catalog([(recordings.record(tmp_path, symbols=("BTC-USDT",)), "recorded")])
    runs = Runs(tmp_path / "runs")
    made = backtest("trend", "BTC-USDT", catalog=catalog)
    run_id = runs.keep(made.report, made.frames(), lambda _: "", WALL_MS)["run_id"]
    found = json.loads(candles.run_candles(lived.setup, catalog, runs, run_id, "", (None, None)))
    assert found["notes"] == []
    assert len(found["levels"]) >= len(found["trips"]["trip"]) == made.round_trips.height
    assert [line["label"] for line in found["lines"]] == ["sma(40)", "sma(200)"]
    with pytest.raises(BadInput, match="available"):
        candles.run_candles(lived.setup, catalog, runs, run_id, "nobody", (None, None))
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15m", recordings.bars(3_000, seed=8))
    again = json.loads(candles.run_candles(lived.setup, Catalog(catalog.roots), runs, run_id, "", (None, None)))
    assert [words in note for words, note in zip(("has changed since this run", "left out"), again["notes"], strict=True)] == [
        True
    ] * 2
    assert again["levels"] == []
    assert again["lines"] == []
