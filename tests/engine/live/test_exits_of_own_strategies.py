"""A strategy that says its own levels, exits, time and size is the same on paper as in its backtest, and after a restart."""

import polars as pl
import pytest

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import as_json
from engine.core.state import EXIT_REASONS
from engine.live.loop import Loop
from engine.sim.trips import trips
from engine.store.journal import read
from tests.fakes.own_strategies import SLEEVE, backtest_of, check_paper_is_the_backtest, with_own
from tests.fakes.papers import advanced, feed_of, loop_of

BARS = 2 * 96
GUIDED = """direction = np.where(f.ema(5) > f.ema(20), 1, -1)
    width = 0.004 * f.close
    stop = np.where(direction > 0, f.ema(5), f.ema(20)) - direction * width
    turned = f.close / f.sma(3) - 1.0
    return SignalFrame(
        direction.astype(np.int8), np.full(len(f), 0.6), stop_price=stop, target_price=f.close + direction * 3.0 * width,
        exit_long=turned < -0.002, exit_short=turned > 0.002, hold_bars=9, size_frac=np.where(f.close > f.sma(30), 0.2, 0.1),
    )"""


def test_own_exits_and_sizes_trade_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Every decision, fill and close's equity of two days; all kinds of exit that the strategy asks for are among them."""
    with_own(home, GUIDED)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    assert run.report["leaks"]["clean"], run.report["leaks"]
    fills = [e.body for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == SLEEVE]
    assert {body.get("reason", "none") for body in fills} >= {"none", "stop", "signal", "time"}
    amended = [e for e in read(loop.journal.path, {"amend"}) if e.body["sleeve"] == SLEEVE]
    assert len(amended) > 20  # the protective order follows the strategy's level at the venue
    done = trips(run.rows, run.run_sleeves).filter(pl.col("sleeve") == SLEEVE)
    assert set(done["reason"].unique()) <= {*EXIT_REASONS, "open"}


@pytest.mark.slow
def test_a_restart_in_the_middle_of_a_held_position_goes_on_the_same(home: Home, loops: list[Loop]) -> None:
    """The folded book is the running one at every twentieth close: levels that were moved, and the time of the exit."""
    with_own(home, GUIDED)
    loops.append(loop_of(home, feed_of(home)))
    held = 0
    for _ in range(12):
        loop = advanced(loops[0], 20)
        loop.journal.sync()
        book = fold(loop.journal.path)
        assert as_json(book.sleeves) == as_json(loop.book.sleeves)
        assert as_json(list(book.orders.open.values())) == as_json(list(loop.book.orders.open.values()))
        held += loop.book.sleeves[0].position.hold == 9
    assert held > 2
