"""Entries worked in slices on paper, disturbed anywhere: killed at any event, gaps, halts and releases by a seed."""

import random
from itertools import accumulate
from pathlib import Path

import polars as pl
import pytest

from app.home.home import open_home
from engine.book.replay import fold
from engine.control import halt
from tests.engine.book.test_kill_anywhere import BARS as KILL_BARS
from tests.engine.book.test_kill_anywhere import Undisturbed, cuts, survivor, undisturbed
from tests.engine.live.test_worked_entries import check_is_its_backtest, entries_of
from tests.engine.parity.test_paper_is_the_backtest import check_nothing
from tests.fakes.own_strategies import with_own
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, span
from tests.fakes.parity_desks import comparison, rewritten
from tests.fakes.worked_desks import (
    OWN_MS,
    backtest_of,
    events,
    worked_home,
    worked_loop,
)

# ---- killed at any event --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Two days that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("killed") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        return undisturbed(worked_home(folder))


def test_a_desk_killed_between_two_slices_goes_on_to_the_same_hash(two_days: Undisturbed) -> None:
    """From a cut behind which a child was journaled and never sent, and one behind its fill."""
    lines, at, found = two_days.whole.splitlines(keepends=True), 0, list[int]()
    for line in lines:
        at += len(line)
        sent = b'"kind":"intent"' in line and b'"slice":3' in line
        filled = b'"kind":"fill"' in line and b'E02"' in line
        if (sent or filled) and KILL_BARS // 2 * BAR_MS + span().first_ms < int(line.split(b'"t_event_ms":')[1].split(b",")[0]):
            found.append(at)
    for cut in (found[0], found[len(found) // 2]):
        assert survivor(two_days, cut) == two_days.hash, f"cut at byte {cut}"


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_a_desk_killed_at_any_event_goes_on_to_the_same_hash(two_days: Undisturbed, part: int) -> None:
    """Every fourth event of two days."""
    for cut in cuts(two_days, None)[part * 4 :: 32]:
        assert survivor(two_days, cut) == two_days.hash, f"cut at byte {cut}"


# ---- any schedule ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_any_schedule_with_gaps_and_restarts_is_its_backtest(own_home: Path, seed: int) -> None:
    """Schedules, participation, levels, missing bars and restarts by a seed."""
    rnd, bars = random.Random(seed), 5 * 96
    schedule = rnd.choice(["twap:5", "twap:7", "twap:10", "vwap:8", "vwap:10", "ac:5:3", "ac:9:0.5"])
    params = {"participation_max": rnd.choice([0.001, 0.005, 0.02, 0.2]), "stop_atr": rnd.choice([0.2, 0.4, 1.0])}
    home = worked_home(own_home, schedule, target_atr=rnd.choice([0.3, 0.5, 2.0]), fade_below=rnd.choice([0.0, 0.3]), **params)
    for symbol in ("BTC-USDT", "ETH-USDT", "SOL-USDT"):
        strides = [0, *rnd.sample(range(20, 90), 4)]  # none twice: that would be a paging error
        last = OWN_MS * rnd.randrange(2, 5) - BAR_MS  # of an own bar
        gone = [span().first_ms + last + BAR_MS * n for n in accumulate(strides)]
        rewritten(home, f"synthetic_{symbol}_perp_15m.parquet", lambda frame, gone=gone: frame.filter(~pl.col("ts").is_in(gone)))
    home = open_home(WALL_MS)
    loop = worked_loop(home)
    while loop.book.count < bars:
        if rnd.random() < 0.01:
            loop.journal.close()
            loop = worked_loop(home, fold(home.desk_journal))
        loop.step()
    loop.journal.close()
    check_is_its_backtest(loop, backtest_of(home, bars))
    check_nothing(comparison(home))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_halts_and_releases_at_any_bar_leave_nothing_unexplained(own_home: Path, seed: int) -> None:
    """A sleeve that is not worked beside two that are; whenever people halt, a halted desk sends no entry."""
    rnd = random.Random(100 + seed)
    home = worked_home(own_home, rnd.choice(["twap:6", "vwap:8", "ac:10:2"]), others=True)
    loop, halted = worked_loop(home), False
    for _ in range(4 * 96):
        if rnd.random() < (0.15 if halted else 0.03):
            if halted:
                halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "go", WALL_MS)
            else:
                halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
            halted = not halted
        sent = len(entries_of(loop)) if halted else 0
        loop.step()
        assert not halted or len(entries_of(loop)) == sent
    loop.journal.close()
    assert comparison(home).unexplained_usd == 0.0


@pytest.mark.long
def test_a_reversal_is_worked_after_its_exit(own_home: Path) -> None:
    """An own strategy that turns at a close: the exit fills first, the slices of the other side follow, as in the backtest."""
    home = worked_home(own_home, "twap:5", stop_atr=3.0, target_atr=0.0)
    code = """direction = np.where(f.ema(3) > f.ema(6), 1, -1)
    return SignalFrame(direction.astype(np.int8), np.full(len(f), 0.6), reverse=True)"""
    with_own(home, code)
    loop = advanced(worked_loop(home), 6 * 96)
    loop.journal.close()
    check_is_its_backtest(loop, backtest_of(home, 6 * 96))
    assert any(e.body.get("reason") == "reversal" for e in events(loop, "fill"))
