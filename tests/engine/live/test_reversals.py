"""A reversal on a paper desk: the fills of its backtest bit for bit, also when it restarts, halts or is reconfigured between the
close that decides and the open that fills."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.cli.journal import close_of_desk
from app.home.home import Home
from app.views.event_story import decided_by
from engine.book.bar_signals import as_written, leaving_only, signal_of
from engine.book.book import Book
from engine.book.replay import fold
from engine.book.snapshot import as_json
from engine.control import halt
from engine.core.guardrails import is_turning
from engine.core.state import BY_REVERSAL, ENTRY, LEAVE_LONG, LEAVE_SHORT, Bar, Signal
from engine.live.loop import Loop
from engine.sim.backtest import Backtest
from engine.store.journal import read
from tests.engine.live.test_liquidations import LIMITS, PaperDesk
from tests.fakes.desks import RULES, run_lists
from tests.fakes.own_strategies import SLEEVE, backtest_of, check_paper_is_the_backtest, with_own
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, feed_of, loop_of, reconfigured
from tests.fakes.paying_desks import made

BARS = 3 * 96
TURNING = """direction = np.where(f.ema(5) > f.ema(20), 1, -1)
    return SignalFrame(direction.astype(np.int8), np.full(len(f), 0.6), reverse=True)"""


def turning(book: Book) -> bool:
    """Whether the first sleeve waits between the two."""
    return is_turning(book.sleeves[0])


def fills_of(loop: Loop) -> list[dict[str, Any]]:
    """The first sleeve's fills as journaled."""
    return [e.body for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == SLEEVE]


def test_reversals_trade_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Every decision, fill and close's equity; the venue is asked for the exit first, then for the entry; no bias found."""
    with_own(home, TURNING)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    assert run.report["leaks"]["clean"], run.report["leaks"]
    fills = [(e.t_event_ms, e.body) for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == SLEEVE]
    turned = [(a, b) for a, b in pairwise(fills) if a[1].get("reason") == "reversal" and b[1]["slot"] == "entry" and a[0] == b[0]]
    assert len(turned) > 5
    assert all(a["side"] == b["side"] and a["reference_price"] == b["reference_price"] for (_, a), (_, b) in turned)
    asked = [(e.t_event_ms, e.body["slot"]) for e in read(loop.journal.path, {"intent"}) if e.body["sleeve"] == SLEEVE]
    pairs = [(a[1], b[1]) for a, b in pairwise(asked) if a[0] == b[0]]
    assert pairs.count(("exit", "entry")) >= len(turned)
    assert ("entry", "exit") not in pairs
    check_both_are_shown(loop, run, turned[0][1][0])


def check_both_are_shown(loop: Loop, run: Backtest, filled_ms: int) -> None:
    """Assert that the close of a reversal shows two decisions, the size beside the entry, and each fill its own."""
    close_ms = filled_ms - BAR_MS
    table = run.decisions.filter((pl.col("sleeve") == SLEEVE) & (pl.col("close_ms") == close_ms))
    assert table["action"].to_list() == ["exit", "enter"]
    assert table["lots_approved"].is_null().to_list() == [True, False]
    assert table["cap_notional"].is_null().to_list() == [True, False]
    assert close_of_desk(loop.journal.path, SLEEVE, close_ms)["text"].startswith("exit; ")
    assert "; enter; " in close_of_desk(loop.journal.path, SLEEVE, close_ms)["text"]
    own = [e for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == SLEEVE and e.t_event_ms == filled_ms]
    assert [decided_by(loop.journal.path, e)[0].body["action"] for e in own] == ["exit", "enter"]


@pytest.mark.long
def test_a_restart_between_decision_and_fill_changes_nothing(home: Home, loops: list[Loop]) -> None:
    """The desk dies right after the close of a reversal, three times; it still is its backtest."""
    with_own(home, TURNING)
    loops.append(loop_of(home, feed_of(home)))
    for _ in range(3):
        loop = advanced_until(loops[-1], turning)
        before = as_json(loop.book.sleeves)
        loop.journal.close()
        book = fold(home.desk_journal)
        assert as_json(book.sleeves) == before
        loops.append(loop_of(home, feed_of(home), book))
        advanced(loops[-1], 1)
    loop = advanced(loops[-1], BARS - loops[-1].book.count)
    check_paper_is_the_backtest(loop, backtest_of(home, BARS))


def test_a_halt_between_lets_the_exit_go_and_not_the_entry(home: Home, loops: list[Loop]) -> None:
    """Halted after the close that decided: the position leaves at the open as it was to, the other side is not entered."""
    with_own(home, TURNING)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced_until(loops[0], turning)
    known = len(fills_of(loop))
    halt.set(home.path, "a person stops it", {"name": "ada"}, WALL_MS, home.engine)
    advanced(loop, 3)
    assert [(body["slot"], body.get("reason")) for body in fills_of(loop)[known:]] == [("exit", "reversal")]
    assert loop.book.sleeves[0].order.side == loop.book.sleeves[0].position.side == 0
    assert not any(order.sleeve == 0 for order in loop.book.orders.open.values())


def test_a_version_that_waits_governs_the_next_entry(home: Home, loops: list[Loop]) -> None:
    """A strategy that always turns is never flat: with a version waiting it leaves alone, and enters by the new one."""
    with_own(home, TURNING)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced_until(loops[0], lambda book: book.sleeves[0].position.open_layers > 0 and not turning(book))
    version = reconfigured(home, SLEEVE, stop_atr=3.5)
    known = len(fills_of(loop))
    loop = advanced_until(loop, lambda book: book.specs[0].version == version and book.sleeves[0].position.open_layers > 0)
    after = fills_of(loop)[known:]
    assert [body["slot"] for body in after] in (["exit", "entry"], ["protective", "entry"], ["target", "entry"])
    assert after[0].get("reason") != "reversal"
    assert (after[-1]["version"], loop.book.waiting[0]) == (version, None)


@pytest.mark.sample(1)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_desk_turns_on_paper_as_in_its_backtest(seed: int) -> None:
    """Two sleeves on each of two instruments, thin bars that fill exits in part, limits, two timeframes' worth of refusals:
    every sleeve's whole state at every bar."""
    rng = np.random.default_rng(seed)
    walks = [made(seed * 2 + k)[0] for k in (0, 1)]
    listed = [bar._replace(volume=float(rng.choice([0.0, 40.0, 4e3, 1e6]))) for pair in zip(*walks, strict=True) for bar in pair]
    said = [signal(rng, listed[2 * (n // 4) + n % 2]) for n in range(2 * len(listed))]
    rules = [
        RULES._replace(instrument=k % 2, bars=k % 2, layers_max=1 + k // 2, family=k % 2, fade_below=0.0, streak_max=9)
        for k in range(4)
    ]
    _, sleeves, desk, _ = run_lists(listed, said, rules, LIMITS, 10_000.0)
    paper, turns, thin = PaperDesk(rules), 0, 0
    for t in range(len(listed) // 2):
        paper.bar(listed[2 * t : 2 * t + 2], said[4 * t : 4 * t + 4])
        turns += sum(is_turning(sleeve) for sleeve in paper.book.sleeves)
        thin += sum(s.position.open_layers > 0 and s.position.layers[0].exit_pending == BY_REVERSAL for s in paper.book.sleeves)
    assert paper.book.sleeves == sleeves
    assert paper.book.desk == desk
    assert not paper.book.differences
    assert turns > 10
    assert thin > turns // 2  # some exits needed more than one bar


def test_the_venue_fills_no_entry_while_the_other_side_is_held() -> None:
    """An exit that the venue does not have, for whatever reason: the entry ends at its bar with nothing."""
    listed, said = made(0)[0][:3], Signal(1, 0.6, 1.5, 0.6, 0.0001, 0.0, 0.0, 0, 1)
    paper = PaperDesk([RULES, RULES._replace(instrument=1, bars=1)])
    for t, signal in enumerate((said, said._replace(side=-1, reverse=1))):
        paper.bar([listed[t]] * 2, [signal, said._replace(side=0)])
    assert is_turning(paper.book.sleeves[0])
    for order in [o for o in paper.venue.orders.values() if o.slot != ENTRY]:
        paper.venue.cancel(order)
    paper.bar([listed[2]] * 2, [said._replace(side=0)] * 2)
    assert (paper.book.sleeves[0].position.side, paper.book.sleeves[0].order.side) == (1, 0)
    assert not paper.book.differences


def signal(rng: np.random.Generator, bar: Bar) -> Signal:
    """A side for now and then, most of them turning; some by limit."""
    side = int(rng.choice([-1, 0, 0, 1]))
    limit = bar.close * (1.0 - side * rng.normal(0.001, 0.002)) if rng.random() < 0.3 and side else 0.0
    leave = int(rng.choice([0, 0, 0, 0, LEAVE_LONG, LEAVE_SHORT]))
    core = Signal(side, 0.6 * abs(side), 1.5, 0.6, 0.0001, 0.0, float(limit), 0, int(rng.integers(1, 5)))
    return core._replace(leave=leave, reverse=int(rng.random() < 0.8))


def test_a_journal_says_a_reversal_only_where_one_is_meant() -> None:
    """Seventeen numbers with it, eleven without, and the same signal back; a waiting version makes an exit of it."""
    plain = Signal(1, 0.5, 1.0, 0.5, 1e-4, 0.0, 0.0, 0, 1)
    turned = plain._replace(reverse=1)
    assert (len(as_written(plain)), len(as_written(turned))) == (11, 17)
    assert signal_of(as_written(turned)) == turned
    assert leaving_only(turned, -1) == plain._replace(leave=LEAVE_SHORT)
    assert leaving_only(turned, 1) == turned
