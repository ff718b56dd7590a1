"""Columns of a book at bar closes: their values, and that nobody reads them before they were known."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.data.catalog import Catalog
from engine.data.sources import OutsideSeries, asof, observations
from engine.data.writer import write_series
from engine.errors import BadInput
from engine.l2.bars import LAG_MS, SCHEMA, book_bars
from engine.l2.book import MIDDLE2
from engine.l2.checks import OpenTape, open_tape
from engine.l2.features import computed, imbalance
from engine.l2.moments import moments_of
from engine.l2.pieces import regrained
from engine.l2.replay import levels_of
from tests.fakes.book_tapes import START_NS, Maker, rows_of, write_rows, write_trades

BAR_MS = 10_000
START_MS = START_NS // 1_000_000


def tape_in(folder: Path, *, slow_ms: int = 0, without: tuple[int, int] = (0, 0)) -> OpenTape:
    """90 seconds; a recorder whose clock is `slow_ms` behind the venue's; a range left out behind a later snapshot."""
    maker = Maker(41)
    messages = [maker.snapshot()]
    for n in range(2, 901):
        messages.append(maker.snapshot() if n == without[1] and n else maker.delta())
    rows = [row for row in rows_of(messages) if not without[0] <= row["seq"] < without[1]]
    path = write_rows(folder, [row | {"ts_exch_ms": row["ts_exch_ms"] + slow_ms} for row in rows])
    write_trades(folder, [(k * 70_000_000, 3000.0, (1 + k % 5) / 1000, k % 3 == 0) for k in range(1, 1280)])
    return open_tape(path)


def bars_of(opened: OpenTape, bar_ms: int = BAR_MS) -> pl.DataFrame:
    """The bars of a tape."""
    return book_bars(opened.tape, opened.trades, bar_ms)


def test_bars_are_their_features(tmp_path: Path) -> None:
    """Close, mean over the bar and taker flow of each whole bar, by loops; half bars at both ends are none."""
    opened = tape_in(tmp_path)
    frame = bars_of(opened)
    assert opened.trades is not None
    assert frame["ts"].to_list() == [START_MS + n * BAR_MS for n in range(1, 8)]  # the ninth closes with the last message
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, 100)
    (column,) = computed(moments, ((imbalance, ()),))
    for row in frame.iter_rows(named=True):
        open_ns, close_ns = row["ts"] * 1_000_000, (row["ts"] + BAR_MS) * 1_000_000
        inside = (moments.when_ns > open_ns) & (moments.when_ns <= close_ns)
        assert inside.sum() == 100
        assert row["imbalance_mean"] == pytest.approx(column.values[inside].mean())
        assert row["imbalance_close"] == column.values[moments.when_ns == close_ns][0]
        traded = (opened.trades.recv_ns > open_ns) & (opened.trades.recv_ns <= close_ns)
        assert row["taker_flow"] == pytest.approx(float((opened.trades.lots * opened.trades.taker)[traded].sum()) / 1000)
        assert row["available_ms"] == row["published_ms"] == row["ts"] + BAR_MS + LAG_MS
        last = traded & (opened.trades.recv_ns > close_ns - 10**9)
        assert row["taker_flow_close"] == pytest.approx(float((opened.trades.lots * opened.trades.taker)[last].sum()) / 1000)
        assert row["gap"] == ""


def test_a_slow_recorder_knows_nothing_early(tmp_path: Path) -> None:
    """Its clock is 1.27 s behind: what it calls the close holds 1.25 s of the next bar, and counts from then on alone."""
    frame = bars_of(tape_in(tmp_path, slow_ms=1270))
    late = (frame["available_ms"] - frame["ts"] - BAR_MS - LAG_MS).to_list()
    assert all(1150 <= ms <= 1250 for ms in late)


def test_a_bar_with_a_gap_has_no_value_and_says_why(tmp_path: Path) -> None:
    """Nothing is filled: neither where the book was lost, nor where a snapshot shows that something is missing."""
    frame = bars_of(tape_in(tmp_path, without=(300, 480)))
    gaps = frame.filter(pl.col("gap") != "")
    assert gaps["ts"].to_list() == [START_MS + n * BAR_MS for n in (2, 3, 4)]  # received from 29.9 s to 48 s: nothing
    assert gaps["gap"].to_list() == ["messages are missing", "no usable book", "no usable book"]
    values = [name for name, dtype in SCHEMA.items() if dtype == pl.Float64 and name != "usable_frac"]
    assert all(gaps[name].null_count() == 3 for name in values)
    sound = frame.filter(pl.col("gap") == "")
    assert sound["ts"].to_list() == [START_MS + n * BAR_MS for n in (1, 5, 6, 7)]
    assert sound["imbalance_mean"].null_count() == 0
    (tmp_path / "b").mkdir()
    short = bars_of(tape_in(tmp_path / "b", without=(320, 355)))
    assert short.filter(pl.col("gap") != "")["gap"].to_list() == ["messages are missing"]


def test_strategies_read_them_like_any_outside_series(tmp_path: Path) -> None:
    """Through the catalog and the one join: at a close the last bar known by then, and none before."""
    frame = bars_of(tape_in(tmp_path, slow_ms=1270))
    path = tmp_path / "data" / "okx_ETH-USDT_perp_book_1m.parquet"
    write_series(path, frame, "recorded", {})
    catalog = Catalog([(tmp_path / "data", "recorded")])
    declared = OutsideSeries("book_1m", "imbalance_mean", max_age_hours=1, of="ETH-USDT")
    known = observations(catalog, declared, catalog.find("okx", "ETH-USDT", "book_1m"))
    close_ms = int(frame["ts"][0]) + BAR_MS
    values, when = asof(known, np.array([close_ms + LAG_MS, close_ms + LAG_MS + 1500], np.int64))
    assert np.isnan(values[0])
    assert (values[1], when[1]) == (frame["imbalance_mean"][0], frame["available_ms"][0])


@pytest.mark.parametrize("bar_ms", [0, 50, 150, -100])
def test_a_bar_that_is_none_is_refused(tmp_path: Path, bar_ms: Any) -> None:
    """Whole steps of 100 ms."""
    with pytest.raises(BadInput):
        bars_of(tape_in(tmp_path), bar_ms)


def test_a_tape_shorter_than_a_bar_has_none(tmp_path: Path) -> None:
    """No half bar, no error."""
    assert bars_of(tape_in(tmp_path), 3_600_000).height == 0


def test_half_a_second_without_a_book_is_a_gap(tmp_path: Path) -> None:
    """A market that is silent for longer than a book counts: no message is missing, and still nothing is filled."""
    maker = Maker(42)
    messages = [maker.snapshot(), *(maker.delta() for _ in range(500))]
    silent = [row | {"recv_ns": row["recv_ns"] + 5_500_000_000 * (row["seq"] > 230)} for row in rows_of(messages)]
    frame = bars_of(open_tape(write_rows(tmp_path, silent)))
    gaps = frame.filter(pl.col("gap") != "")
    assert gaps["gap"].to_list() == ["no usable book"]
    assert 0.9 < gaps["usable_frac"][0] < 1.0
    assert gaps["depth_close"].null_count() == 1


def test_a_book_in_finer_units_is_the_same_book(tmp_path: Path) -> None:
    """Level by level, and what later snapshots are held against."""
    opened = tape_in(tmp_path)
    book = opened.report.replayed.last
    fine = regrained(book, 10, 100)
    for side in (0, 1):
        coarse = levels_of(book, side, 10_000)
        assert levels_of(fine, side, 10_000) == [(price * 10, lots * 100) for price, lots in coarse]
        assert len(coarse) > 10
    assert fine.chain.tolist() == [x * 10 if k == MIDDLE2 else x for k, x in enumerate(book.chain.tolist())]
