"""Sleeves on 1h and 4h beside one on 15m: one clock, each decides at its own closes, all are marked at every close."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.home.synthetic import write_longer
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.clock import HOUR_MS
from engine.core.state import DAY_MS
from engine.data.timeframes import series_of
from engine.data.writer import write_series
from engine.errors import BadInput, DataError
from engine.live.feed import load, unchanged
from engine.live.loop import Loop
from engine.store.journal import journal_hash, read
from engine.watch.window import own_close
from tests.fakes.own_strategies import backtest_of, events_of, rows_of
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, changeable, feed_of, furnished, loop_of, span

BTC, SOL = "synthetic:BTC-USDT:perp", "synthetic:SOL-USDT:perp"
SLOW = {"btc-trend": 4 * HOUR_MS, "sol-reversion": HOUR_MS}
BARS = 10 * 96


@pytest.fixture
def slow_home(own_home: Path) -> Home:
    """A home whose first sleeve runs on 4h, the last on 1h and the one between on 15m."""
    furnished(own_home)
    home = open_home(WALL_MS)
    text = (home.path / "desk.toml").read_text()
    for name, ms in SLOW.items():
        before, found, after = text.partition(f'name = "{name}"')
        text = before + found + after.replace('timeframe = "15m"', f'timeframe = "{ms // HOUR_MS}h"', 1)
    (home.path / "desk.toml").write_text(text)
    home = open_home(WALL_MS)
    for symbol, own in (("BTC-USDT", "4h"), ("SOL-USDT", "1h")):
        write_longer(home, home.path / "data" / "synthetic", symbol, "15m", own)
    return open_home(WALL_MS)


@pytest.fixture
def slow(slow_home: Home) -> Iterator[Loop]:
    """Its loop before the first bar."""
    loop = loop_of(slow_home, feed_of(slow_home))
    yield loop
    loop.signals.keep([])
    loop.journal.close()


def test_each_decides_at_its_own_closes_and_trades_as_its_backtest(slow_home: Home, slow: Loop) -> None:
    """Decisions and fills of the three sleeves are the backtest's; between their closes there is no signal of the slow ones."""
    advanced(slow, BARS)
    run = backtest_of(slow_home, BARS)
    for kind in ("decision", "fill"):
        assert events_of(slow, kind) == rows_of(run, kind)
        assert {name for _, name, *_ in rows_of(run, kind)} >= {"btc-trend", "eth-trend"}
    for bar in read(slow.journal.path, {"bar"}):
        due = {name for name, ms in SLOW.items() if bar.t_event_ms % ms == 0} | {"eth-trend"}
        assert set(bar.body["signals"]) == set(bar.body["features"]) == due
        own = {f"{BTC}@4h": 4 * HOUR_MS, f"{SOL}@1h": HOUR_MS}
        assert {name for name in bar.body["bars"] if "@" in name} == {n for n, ms in own.items() if bar.t_event_ms % ms == 0}


def test_every_close_of_the_clock_marks_every_sleeve(slow: Loop) -> None:
    """The desk's equity moves with a slow sleeve's position between its closes, and is the sum of what the sleeves show."""
    moved = 0
    advanced_until(slow, lambda book: book.sleeves[0].position.open_layers > 0)
    for _ in range(60):
        before = slow.book.marked(0).ledger.equity
        advanced(slow, 1)
        if slow.book.close_ms % (4 * HOUR_MS) and slow.book.sleeves[0].position.open_layers:
            moved += slow.book.marked(0).ledger.equity != before
    assert moved > 10
    for event in read(slow.journal.path, {"mark"}):
        assert event.body["equity"] == pytest.approx(sum(s["equity"] for s in event.body["sleeves"].values()), abs=1e-6)


@pytest.mark.slow
def test_a_restart_at_any_of_the_clocks_closes_goes_on_as_if_nothing_had_been(slow_home: Home, slow: Loop) -> None:
    """Stopped and folded in the middle of a four-hour bar, the desk ends with the same journal and the same state."""
    advanced(slow, 300)
    expected = journal_hash(slow.journal.path)
    wanted = to_json(slow.book)
    slow.journal.close()
    shutil.rmtree(slow_home.desk_journal.parent)
    loop = loop_of(slow_home, feed_of(slow_home))
    for stop in (1, 99, 103, 250, 300):
        advanced(loop, stop - loop.book.count)
        if stop == 103:
            loop.snapshot()
        loop.journal.close()
        book = fold(slow_home.desk_journal)
        assert to_json(book) == to_json(loop.book)
        feed = load(
            slow_home.catalog, series_of(slow_home.catalog, book.columns, "15m"), BAR_MS, span(), "recorded", book.close_ms
        )
        unchanged(feed, book)
        loop = loop_of(slow_home, feed, book)
    assert journal_hash(slow_home.desk_journal) == expected
    assert {k: v for k, v in to_json(loop.book).items() if k != "start"} == {k: v for k, v in wanted.items() if k != "start"}
    loop.journal.close()


def test_a_changed_own_bar_is_noticed_between_its_closes(slow_home: Home, slow: Loop) -> None:
    """The last four-hour bar that the desk saw is held against the file although the clock has gone on."""
    advanced(slow, 101)
    feed = changeable(feed_of(slow_home))
    unchanged(feed, slow.book)
    column = feed.span.instruments.index(f"{BTC}@4h")
    feed.span.close[feed.after(slow.book.close_ms // (4 * HOUR_MS) * (4 * HOUR_MS)) - 1, column] *= 1.0001
    with pytest.raises(DataError, match=r"BTC-USDT:perp@4h: the bar that closed at .* is not what this desk saw"):
        unchanged(feed, slow.book)


def test_a_longer_bar_that_has_not_come_holds_the_clock_back_only_where_it_closes(slow_home: Home) -> None:
    """With the 4h file ending at noon the desk walks to 15:45 and waits there: at 16:00 that sleeve would have to decide."""
    noon = span().first_ms + 5 * DAY_MS + 12 * HOUR_MS
    series = slow_home.catalog.find("synthetic", "BTC-USDT", "4h")
    write_series(series.path, slow_home.catalog.bars(series, None, noon), "synthetic", {})
    home = open_home(WALL_MS)
    feed = feed_of(home)
    assert int(feed.span.close_ms[-1]) == noon + 4 * HOUR_MS - BAR_MS


def test_without_the_clocks_bars_a_slow_sleeve_cannot_be_marked_and_is_refused(slow_home: Home) -> None:
    """The refusal names the clock, the sleeve's instrument and what there is."""
    (slow_home.path / "data" / "synthetic" / "synthetic_BTC-USDT_perp_15m.parquet").unlink()
    home = open_home(WALL_MS)
    with pytest.raises(
        BadInput, match="no data for synthetic BTC-USDT perp 15m; the clock is 15m, and its bars mark the 4h sleeve"
    ):
        feed_of(home)


def test_a_question_about_a_slow_sleeve_is_answered_from_its_own_close(slow: Loop) -> None:
    """Between two closes the next own one is meant; after the last there is none yet."""
    advanced(slow, 100)
    last = slow.book.close_ms // (4 * HOUR_MS) * (4 * HOUR_MS)
    found = own_close(slow.journal.path, "btc-trend", last - 3 * HOUR_MS)
    assert found is not None
    assert found.t_event_ms == last
    assert own_close(slow.journal.path, "btc-trend", last + 1) is None
