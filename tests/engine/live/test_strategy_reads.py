"""What a strategy reads beside its own bars is the same on paper as in a backtest, bit for bit."""

from collections.abc import Iterator

import pytest

from app.home.home import Home
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.own_strategies import SLEEVE, backtest_of, paper_is_the_backtest, with_own
from tests.fakes.papers import advanced, feed_of, loop_of

BARS = 3 * 96
FILTERED = """above = f.at("4h").close > f.at("4h").ema(12)
    direction = np.where(above & (f.close > f.sma(8)), 1, 0) - np.where(~above & (f.close < f.sma(8)), 1, 0)"""


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    """Loops whose journals are closed at the end."""
    opened: list[Loop] = []
    yield opened
    for loop in opened:
        loop.journal.close()


def test_a_4h_filter_on_15m_bars_trades_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Every decision, fill and close's equity of three days; the 4h values read are journaled by their label."""
    with_own(home, FILTERED)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    paper_is_the_backtest(loop, run)
    decided = [e.body["features"] for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == SLEEVE]
    assert all({"4h.close", "4h.ema(12)", "sma(8)"} <= set(features) for features in decided)
    assert run.report["leaks"]["clean"], run.report["leaks"]
