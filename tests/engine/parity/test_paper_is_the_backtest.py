"""Paper days against their backtest: 0.00 in every class, from the first bar or a later one, over versions and timeframes."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from app.home.home import Home, open_home
from engine.clock import HOUR_MS
from engine.core.state import DAY_MS
from engine.errors import BadInput
from engine.parity.comparison import CLASSES, Comparison, compared
from engine.parity.tape import tape_of
from engine.parity.today import today_of
from engine.watch.desk_trips import desk_trips
from engine.watch.window import between, journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of, reconfigured
from tests.fakes.parity_desks import FIRST_MS, FORK_MS, comparison, hourly


def check_nothing(found: Comparison) -> None:
    """Not a cent, and no round trip that differs."""
    assert {name: found.cents(name) for name in CLASSES} == dict.fromkeys(CLASSES, 0)
    assert [share.desk for share in found.shares] == [share.replay for share in found.shares]
    assert not any(pair.differs for pair in found.pairs)
    assert found.unexplained_frac == 0.0
    assert not +found.counts


def equity_at(home: Home, close_ms: int) -> dict[str, float]:
    """Of each sleeve, as the mark at a close has it."""
    mark = mark_at(journal_of(home.path), close_ms)
    assert mark is not None
    return {name: sleeve["equity"] for name, sleeve in mark.body["sleeves"].items()}


def test_ten_days_say_nothing(home: Home) -> None:
    """Three sleeves, two versions adopted on the way, one of them by a sleeve that held a position."""
    found, mark = comparison(home), mark_at(journal_of(home.path))
    check_nothing(found)
    assert mark is not None
    assert (found.start_ms, found.end_ms, found.bars) == (FIRST_MS, FORK_MS, 960)
    made = {share.sleeve: share.desk for share in found.shares}
    assert made == {name: round(100 * (s["equity"] - 10_000.0)) for name, s in mark.body["sleeves"].items()}
    assert all(made.values())
    assert len(found.pairs) == desk_trips(home.path).height
    assert {s["version"] for s in mark.body["sleeves"].values()} != {1}


def test_the_tape_knows_which_version_governed(home: Home) -> None:
    """At every bar, for every sleeve: what the mark before it says, over a version that waited for its sleeve to be flat."""
    tape, path = tape_of(home.path), journal_of(home.path)
    marks = {event.t_event_ms: event.body["sleeves"] for event in between(path, -1, FORK_MS, {"mark"})}  # the last of each close
    for before, bar in pairwise(tape.bars):
        governed = dict(zip(tape.book.names, (tape.numbers[key] for key in bar.keys), strict=True))
        assert governed == {name: sleeve["version"] for name, sleeve in marks[before.body["close_ms"]].items()}
    assert any(key is not None for bar in tape.bars for key in bar.waiting)


@pytest.mark.slow
def test_a_later_start_begins_with_the_desk_as_it_was(home: Home) -> None:
    """From the day that a date is in: positions, pauses and orders of that moment, and only what happened since."""
    for days in (4, 7):
        found = comparison(home, FIRST_MS + days * DAY_MS + DAY_MS // 2)
        check_nothing(found)
        assert found.start_ms == FIRST_MS + days * DAY_MS
        equity, end = (equity_at(home, ms) for ms in (found.start_ms, FORK_MS))
        assert {s.sleeve: s.desk for s in found.shares} == {name: round(100 * (end[name] - equity[name])) for name in end}
        still = desk_trips(home.path).filter(pl.col("exit_ms").is_null() | (pl.col("exit_ms") + 900_000 > found.start_ms))
        assert len(found.pairs) == still.height


@pytest.mark.slow
def test_sleeves_on_longer_bars_than_the_clock(own_home: Path) -> None:
    """An hour's bars beside fifteen minutes'."""
    furnished(own_home)
    home = open_home(WALL_MS)
    text = home.settings.desk_toml.read_text()
    before, found, after = text.partition('name = "btc-trend"')
    home.settings.desk_toml.write_text(before + found + after.replace('timeframe = "15m"', 'timeframe = "1h"', 1))
    for path in own_home.rglob("*BTC-USDT_perp_15m.parquet"):
        hourly(path)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced(loop, 400)
    loop.journal.close()
    found_by = comparison(home)
    check_nothing(found_by)
    assert {pair.any_of["sleeve"] for pair in found_by.pairs} >= {"btc-trend", "eth-trend"}


@pytest.mark.slow
def test_a_part_of_the_size_says_nothing(own_home: Path) -> None:
    """A sleeve that came to a quarter of its size on the way: to the cent what its backtest makes at that part."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced(loop, 200)
    reconfigured(home, "btc-trend", size_part=0.25)
    advanced(loop, 500)
    loop.journal.close()
    check_nothing(comparison(home))
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    assert mark.body["sleeves"]["btc-trend"]["version"] == 2
    entries = [e.body for e in between(journal_of(home.path), -1, FORK_MS, {"fill"}) if e.body["slot"] == "entry"]
    mine = [e for e in entries if e["sleeve"] == "btc-trend"]
    whole, part = ([e["quantity"] * e["price"] for e in mine if e["version"] == number] for number in (1, 2))
    assert whole
    assert part
    assert max(part) < min(whole)


def test_a_desk_that_has_not_run(own_home: Path) -> None:
    """One line that says what to do; the same where it has not run since."""
    furnished(own_home)
    open_home(WALL_MS)
    with pytest.raises(BadInput, match="nightdesk up"):
        tape_of(own_home)


def test_a_start_after_the_last_bar_is_refused(home: Home) -> None:
    """Nothing has happened since."""
    with pytest.raises(BadInput, match="earlier --since"):
        tape_of(home.path, FORK_MS + DAY_MS)
    with pytest.raises(
        BadInput, match=r"no bar since 2025-\d\d-\d\d: it is at .*earlier --since"
    ):  # it answered of the day before
        tape_of(home.path, FORK_MS - 3 * HOUR_MS, FORK_MS - 6 * HOUR_MS)
    assert tape_of(home.path, FORK_MS - 6 * HOUR_MS - 1, FORK_MS - 6 * HOUR_MS).end_ms == FORK_MS - 6 * HOUR_MS


@pytest.mark.slow
@pytest.mark.parametrize("days", [10, pytest.param(30, marks=pytest.mark.long)])
def test_recorded_days_say_nothing(own_home: Path, market_data: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Recorded days of the desk as it starts, three sleeves."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    from tests.laws.test_one_decision_path import loop_of_recorded, recorded_feed

    home = open_home(WALL_MS)
    loop = loop_of_recorded(home, recorded_feed(home))
    advanced(loop, days * 96)
    loop.journal.close()
    tape = tape_of(home.path)
    found = compared(tape, today_of(tape, home.setup, home.catalog, lambda *_: None))
    check_nothing(found)
    assert len(found.pairs) > days // 2
