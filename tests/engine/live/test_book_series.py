"""A strategy over a recorded book's columns: paper, whose feed grows while the recording does, is the backtest."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.home.home import Home
from app.market_data.book_columns import add_rows
from engine.l2.bars import LAG_MS, SCHEMA
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.own_strategies import SLEEVE, backtest_of, check_paper_is_the_backtest, with_own
from tests.fakes.papers import BAR_MS, FROM_MS, WARM_DAYS, feed_of, loop_of

BARS = 60
DAY = 96
CODE = """imbalance, flow = f.series("imbalance"), f.series("flow")
    direction = np.where((imbalance > 0.1) & (flow > 0), 1, 0) - np.where((imbalance < -0.1) & (flow < 0), 1, 0)"""
DECLARED = """SERIES = {
    "imbalance": OutsideSeries("book_15m", "imbalance_mean", max_age_hours=0.3),
    "flow": OutsideSeries("book_15m", "taker_flow", max_age_hours=0.3),
}"""
LATE = range(20, 24)  # bars that a dead recorder left: written an hour and a half later
GAPS = range(36, 42)


def columns() -> pl.DataFrame:
    """Bars of a book from shortly before the desk begins, of which some came late and some have a gap."""
    n = np.arange(BARS + 8)
    ts = FROM_MS + (WARM_DAYS * DAY + n - 4) * BAR_MS
    known = ts + BAR_MS + LAG_MS
    late = np.isin(n, LATE)
    gap = np.isin(n, GAPS)
    wave = np.where(gap, np.nan, np.sin(n / 3.0))
    table = {name: wave for name, dtype in SCHEMA.items() if dtype == pl.Float64}
    table |= {"ts": ts, "published_ms": known, "available_ms": np.where(late, known[LATE[-1]] + 6 * BAR_MS, known)}
    table |= {"usable_frac": np.where(gap, 0.5, 1.0), "gap": np.where(gap, "no usable book", "")}
    return pl.DataFrame(table).select(list(SCHEMA)).with_columns(pl.col(pl.Float64).fill_nan(None))


def grow(home: Home, rows: pl.DataFrame, by_ms: int) -> None:
    """What a recorder has written by a time."""
    path = home.path / "data" / "synthetic_BTC-USDT_perp_book_15m.parquet"
    if (new := rows.filter(pl.col("available_ms") <= by_ms)).height:
        add_rows(path, new)
    home.__dict__.pop("catalog", None)


@pytest.mark.slow
def test_paper_beside_a_recorder_is_the_backtest(home: Home, loops: list[Loop]) -> None:
    """At each close paper has the rows that were written by then and no more, and decides as the backtest over all of them."""
    rows = columns()
    grow(home, rows, int(rows["available_ms"][3]))
    with_own(home, CODE, DECLARED)
    loops.append(loop_of(home, feed_of(home)))
    loop = loops[0]
    for _ in range(BARS):
        close_ms = int(loop.feed.span.close_ms[loop.feed.after(loop.book.close_ms)])
        grow(home, rows, close_ms)
        loop.use_feed(feed_of(home))  # refused if what the desk has seen were another by now
        loop.step()
    grow(home, rows, int(rows["available_ms"].max()))  # type: ignore[arg-type]
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    sides = [e.body["signals"][SLEEVE][0] for e in read(loop.journal.path, {"bar"})]
    assert {1, -1} <= set(sides)
    assert not any(sides[GAPS[0] - 2 : GAPS[-1] - 4])  # what has a gap is no signal, and nothing is carried over it
    assert not any(sides[LATE[0] - 2 : LATE[-1] - 3])
    assert run.report["leaks"]["clean"], run.report["leaks"]


def test_a_row_that_came_late_is_not_read_before(home: Home) -> None:
    """A backtest over the finished file knows of a late row what paper knew: nothing until it was written."""
    rows = columns()
    grow(home, rows, int(rows["available_ms"].max()))  # type: ignore[arg-type]
    path = Path(home.path / "data" / "synthetic_BTC-USDT_perp_book_15m.parquet")
    late = pl.read_parquet(path).filter(pl.col("available_ms") != pl.col("published_ms"))
    assert late.height == len(LATE)
