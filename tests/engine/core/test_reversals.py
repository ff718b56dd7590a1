"""A reversal: one close decides the exit and the entry of the other side, both go at the next open (D18, `reverse`)."""

from typing import Any

import pytest

from engine.core import state
from engine.core.ledger import on_fill
from engine.core.sim_venue import settle
from engine.core.state import LEAVE_LONG, LEAVE_SHORT, Bar, Fill, Limits, Rules, Sleeve
from tests.engine.core.test_desk import FLAT4, LONG, PLAIN, QUIET, SHORT, Ran, bar, ran
from tests.fakes.desks import LOOSE, of_lists

FLAT = FLAT4[0]
TO_SHORT, TO_LONG = SHORT._replace(reverse=1), LONG._replace(reverse=1)


def bars(*prices: tuple[float, ...]) -> list[Bar]:
    """Bars 0, 1, 2, ... of open, high, low, close."""
    return [bar(t, each) for t, each in enumerate(prices)]


def decided(run: Ran) -> list[tuple[int, int, int]]:
    """(bar, action, rule) of each decision."""
    return [(t, code, rule) for t, code, rule, *_ in run.of(state.K_DECISION)]


@pytest.mark.parametrize(("first", "then", "side"), [(LONG, TO_SHORT, 1), (SHORT, TO_LONG, -1)])
def test_one_close_leaves_and_enters_the_other_side_at_one_open(first: Any, then: Any, side: int) -> None:
    """Held since the open of 1; the close of 1 turns it: out and in at the open of 2, 103, ten bps against us each time."""
    run = ran(bars(FLAT, FLAT, (103, 104, 102, 103)), [first, then, QUIET])
    left = pytest.approx(103 * (1 - side * 0.001))
    assert run.fills()[1:] == [(2, state.BY_REVERSAL, -side, 10, left), (2, 0, -side, 10, left)]
    assert decided(run)[1:] == [(1, state.EXIT, state.BY_REVERSAL), (1, state.ENTER, 0)]
    held = run.sleeves[0].position
    assert (held.side, held.open_layers, held.layers[0].key) == (-side, 1, 2)
    assert run.sleeves[0].ledger.trips == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [({"leave": LEAVE_LONG}, state.BY_SIGNAL), ({}, state.BY_REVERSAL)],
)
def test_an_exit_of_another_reason_turns_as_well(said: dict[str, Any], reason: int) -> None:
    """An exit signal for the long beside the short: the trip ends by the signal, the short enters all the same."""
    run = ran(bars(FLAT, FLAT, FLAT), [LONG, TO_SHORT._replace(**said), QUIET])
    assert [fill[1:3] for fill in run.fills()] == [(0, 1), (reason, -1), (0, -1)]


def test_a_side_that_is_to_be_left_at_once_is_not_turned_to() -> None:
    """A short that the same close asks to leave is no reversal: the long stays."""
    run = ran(bars(FLAT, FLAT, FLAT), [LONG, TO_SHORT._replace(leave=LEAVE_SHORT), QUIET])
    assert len(run.fills()) == 1


def test_it_is_sized_and_reviewed_as_after_the_exit() -> None:
    """Each cap lets 1,000 pass and not the 2,000 of both; while the exit has not filled the desk counts both."""
    tight = Limits(0.99, 0.15, 0.15, orders_minute_max=9, positions_max=1, family_frac_max=0.15, correlated_frac_max=0.15)
    rules = PLAIN._replace(leverage_max=0.15, notional_frac_max=0.15)
    run = ran(bars(FLAT, FLAT, FLAT), [LONG, TO_SHORT, QUIET], rules, limits=tight)
    assert [fill[3] for fill in run.fills()] == [10, 10, 10]
    before = ran(bars(FLAT, FLAT), [LONG, TO_SHORT], rules, limits=tight)
    assert before.desk.gross == pytest.approx(2_000.0)
    assert before.desk.positions == 1


def test_a_refused_entry_leaves_the_exit_as_it_is() -> None:
    """Spot cannot be sold short: the long leaves, and the same close says why nothing follows."""
    run = ran(bars(FLAT, FLAT, FLAT), [LONG, TO_SHORT, QUIET], PLAIN._replace(shorts=0))
    assert decided(run)[1:3] == [(1, state.EXIT, state.BY_REVERSAL), (1, state.REFUSED, state.R_SHORT)]
    assert [fill[1] for fill in run.fills()] == [0, state.BY_REVERSAL]
    assert run.sleeves[0].position.open_layers == 0


def test_entries_of_the_day_count_and_stop_it() -> None:
    """Two a day: the long and the short are two, the next turn leaves alone."""
    rules = PLAIN._replace(day_entries_max=2)
    run = ran(bars(*[FLAT] * 4), [LONG, TO_SHORT, TO_LONG, QUIET], rules)
    assert [fill[:2] for fill in run.fills()] == [(1, 0), (2, state.BY_REVERSAL), (2, 0), (3, state.BY_REVERSAL)]
    assert run.refusals() == [(2, state.R_PAUSE)]


def test_the_loss_of_the_exit_that_pauses_the_sleeve_stops_the_entry() -> None:
    """One loss is a streak here: the exit's fill trips it, and the entry that waited behind it does not go."""
    run = ran(
        bars(FLAT, FLAT, (95, 96, 94, 95), FLAT), [LONG._replace(stop=50.0), TO_SHORT, QUIET, QUIET], PLAIN._replace(streak_max=1)
    )
    assert [fill[:2] for fill in run.fills()] == [(1, 0), (2, state.BY_REVERSAL)]
    assert run.sleeves[0].order.side == 0
    win = ran(bars(FLAT, FLAT, (105, 106, 104, 105)), [LONG, TO_SHORT, QUIET], PLAIN._replace(streak_max=1, target_atr=0.0))
    assert len(win.fills()) == 3


@pytest.mark.parametrize("volume", [4.0, 10.0])
def test_an_exit_that_fills_in_part_lets_no_entry_go(volume: float) -> None:
    """A bar of 4 takes 4 of the 10, the entry ends with nothing; one of 10 takes the exit whole and leaves nothing."""
    thin = [bar(0, FLAT), bar(1, FLAT), bar(2, FLAT, volume=volume), bar(3, FLAT), bar(4, FLAT)]
    run = ran(thin, [LONG, TO_SHORT, TO_SHORT, TO_SHORT, QUIET])
    assert run.fills()[1][:4] == (2, state.BY_REVERSAL, -1, int(volume))
    entries = [fill[0] for fill in run.fills() if fill[1] == 0]
    assert entries == ([1, 4] if volume < 10.0 else [1, 3])  # decided anew at the first close that is flat
    assert run.sleeves[0].position.side == -1


def test_a_limit_of_the_other_side_rests_behind_the_exit() -> None:
    """The exit takes at the open of 2; the short's limit at 102 is reached in bar 3."""
    rests = TO_SHORT._replace(limit=102.0, good_for=5)
    run = ran(bars(FLAT, FLAT, FLAT, (100, 103, 99, 100)), [LONG, rests, QUIET, QUIET])
    assert [fill[:3] for fill in run.fills()] == [(1, 0, 1), (2, state.BY_REVERSAL, -1), (3, 0, -1)]
    assert run.fills()[2][4] == pytest.approx(102.0)


def test_a_limit_waits_while_the_exit_has_filled_in_part() -> None:
    """Bar 2 takes 4 of 10 and reaches the limit, which does not fill before the long is gone: bar 3."""
    rests = TO_SHORT._replace(limit=100.5, good_for=5)
    thin = [bar(0, FLAT), bar(1, FLAT), bar(2, FLAT, volume=4.0), bar(3, FLAT)]
    run = ran(thin, [LONG, rests, QUIET, QUIET])
    assert [fill[:4] for fill in run.fills()[1:]] == [
        (2, state.BY_REVERSAL, -1, 4),
        (3, state.BY_REVERSAL, -1, 6),
        (3, 0, -1, 10),
    ]


def test_a_sleeve_does_not_turn_against_another_on_its_instrument() -> None:
    """Both are long: who turns leaves alone, what the other holds is the other side."""
    run = Ran(bars(FLAT, FLAT, FLAT), [LONG, LONG, TO_SHORT, QUIET, QUIET, QUIET], [PLAIN, PLAIN])
    assert run.refusals() == [(1, state.R_OPPOSITE)]
    assert [sleeve.position.open_layers for sleeve in run.sleeves] == [0, 1]


@pytest.mark.parametrize("second", [LONG, SHORT])
def test_nothing_enters_beside_a_sleeve_that_is_turning(second: Any) -> None:
    """Neither side: one is held until the exit fills, the other ordered."""
    run = Ran(bars(FLAT, FLAT, FLAT), [LONG, QUIET, TO_SHORT, second, QUIET, QUIET], [PLAIN, PLAIN])
    assert run.refusals() == [(1, state.R_OPPOSITE)]
    assert [sleeve.position.side for sleeve in run.sleeves] == [-1, 0]


def test_a_turning_sleeve_holds_others_off_between_its_own_bars() -> None:
    """On a timeframe of two bars its exit fills when its own bar closes; a sleeve of the clock enters nothing meanwhile."""
    own = PLAIN._replace(bars=1, bar_ms=2 * PLAIN.bar_ms)
    missing = bar(0, FLAT)._replace(open=float("nan"))
    found = []
    for t in range(5):
        found += [bar(t, FLAT), bar(t, FLAT) if t % 2 else missing._replace(close_ms=bar(t, FLAT).close_ms)]
    said = [QUIET, QUIET, LONG, QUIET, QUIET, QUIET, TO_SHORT, QUIET, QUIET, SHORT, QUIET, QUIET]
    run = Ran(found, said[:10], [own, PLAIN])
    assert (4, state.R_OPPOSITE) in run.refusals()
    assert run.sleeves[1].order.side == 0


def test_a_halt_by_the_drawdown_breaker_turns_nothing() -> None:
    """The close that halts the desk leaves with the reason halt and orders no other side."""
    limits = LOOSE._replace(drawdown_frac_max=0.001)
    run = ran(bars(FLAT, (100, 101, 97, 97), FLAT), [LONG, TO_SHORT, QUIET], limits=limits)
    assert run.fills()[1][:2] == (2, state.HALT)
    assert len(run.fills()) == 2
    assert run.desk.halted == 1


def turned() -> tuple[Sleeve, Rules]:
    """A long of 10 that leaves, and the short that waits behind it."""
    run = ran(bars(FLAT, FLAT), [LONG, TO_SHORT])
    return run.sleeves[0], PLAIN


@pytest.mark.parametrize(
    ("reason", "left"),
    [(state.BY_REVERSAL, 10), (state.STOP, 10), (state.LIQUIDATION, 0), (state.ADOPTED, 0)],
)
def test_what_a_person_or_the_venue_has_taken_away_is_not_turned(reason: int, left: int) -> None:
    """The exit's last fill lets the entry go on; a liquidation, or a person who says that it is gone, ends it."""
    sleeve, rules = turned()
    fill = Fill(state.EXIT_SLOT, 0, 0, 1, 0, 10, 100.0, 0.0, 0, reason, 100.0, bar(2, FLAT).close_ms)
    after = on_fill(sleeve, rules, fill)
    assert (after.position.open_layers, after.order.lots) == (0, left)


def test_a_long_that_is_not_left_is_never_joined_by_a_short() -> None:
    """Whatever kept the exit from filling: the entry ends, however much the bar trades."""
    sleeve, rules = turned()
    layer = sleeve.position.layers[0]._replace(exit_pending=state.NONE)
    stuck = sleeve._replace(position=sleeve.position._replace(layers=(layer, *sleeve.position.layers[1:])))
    m = of_lists([], [stuck], [rules], [None] * 9)
    after, rows, _ = settle(stuck, rules, bar(2, FLAT), 0, m, 0, 0, -1, 0)
    assert (after.position.side, after.order.side, rows) == (1, 0, 0)
