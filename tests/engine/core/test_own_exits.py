"""What a strategy says of its own exits and size: levels move the protective and target orders, a signal or a time leaves, and
no guardrail is wider for it.
"""

from typing import Any

import numpy as np
import pytest

from engine.core import state
from engine.core.kernel import guided
from engine.core.rows import unpack
from engine.core.state import LEAVE_LONG, LEAVE_SHORT, Bar
from tests.engine.core.test_desk import FLAT4, LONG, PLAIN, QUIET, SHORT, Ran, bar, ran
from tests.fakes.desks import LOOSE, hostile, hostile_rules, run_lists

NAN = float("nan")
FLAT = FLAT4[0]


def bars(*prices: tuple[float, ...]) -> list[Bar]:
    """Bars 0, 1, 2, ... of open, high, low, close."""
    return [bar(t, each) for t, each in enumerate(prices)]


def test_an_own_stop_replaces_the_distance_of_the_rules_and_sizes_the_entry() -> None:
    """The protective order is at 97, not 4 below the entry; risk at the stop counts from there."""
    said = LONG._replace(stop=97.0)
    run = ran(bars(FLAT, FLAT, (98, 98, 96, 98)), [said, QUIET, QUIET])
    assert run.fills()[1] == (2, state.STOP, -1, 10, pytest.approx(97 * 0.999))
    sized = PLAIN._replace(fixed_lots=0, risk_start_frac=0.01, risk_limit_frac=0.5, lot_size=0.001)
    near, far = (ran(bars(FLAT, FLAT), [LONG._replace(stop=level), QUIET], sized) for level in (99.0, 90.0))
    assert near.fills()[0][3] > 5 * far.fills()[0][3]


@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_follows_what_the_strategy_says_and_never_goes_back(side: int) -> None:
    """99 is tighter than 97 and holds; 95 afterwards changes nothing."""
    enter = (LONG if side > 0 else SHORT)._replace(stop=100.0 - side * 3.0)
    tighter, looser = enter._replace(stop=100.0 - side * 1.0), enter._replace(stop=100.0 - side * 5.0)
    quiet, touched = (100, 100.5, 99.5, 100), (100, 101.5, 98.5, 100)
    run = ran(bars(FLAT, FLAT, quiet, quiet, touched), [enter, tighter, looser, looser, QUIET])
    assert run.fills()[1][:2] == (4, state.STOP)
    assert run.fills()[1][4] == pytest.approx((100.0 - side) * (1.0 - side * 0.001))


def test_an_own_target_moves_both_ways() -> None:
    """104 is taken back to 110 before it is reached, and down to 102, which fills as maker."""
    first = LONG._replace(stop=90.0, target=104.0)
    said = [first, first._replace(target=110.0), first._replace(target=102.0), QUIET]
    run = ran(bars(FLAT, FLAT, (100, 105, 100, 101), (101, 103, 101, 101)), said)
    assert run.fills()[1] == (3, state.TARGET, -1, 10, pytest.approx(102.0))


def test_levels_for_the_other_side_and_without_a_signal_move_nothing() -> None:
    """What a strategy says for a short is nothing to a long."""
    enter = LONG._replace(stop=90.0, target=120.0)
    run = ran(bars(FLAT, FLAT, FLAT), [enter, SHORT._replace(stop=101.0, target=99.5), QUIET._replace(stop=99.0)])
    layer = run.sleeves[0].position.layers[0]
    assert (layer.stop, layer.target, layer.exit_pending) == (90.0, 120.0, state.NONE)


@pytest.mark.parametrize("said", [{"stop": 100.5}, {"target": 99.5}])
def test_a_close_beyond_an_own_level_leaves_at_the_next_open(said: dict[str, float]) -> None:
    """No order can rest there any more: the position leaves, and the reason is the strategy."""
    enter = LONG._replace(stop=90.0, target=120.0)
    run = ran(bars(FLAT, FLAT, FLAT), [enter, enter._replace(**said), QUIET])
    assert run.fills()[1][:2] == (2, state.BY_SIGNAL)


@pytest.mark.parametrize(("enter", "leave", "stays"), [(LONG, LEAVE_LONG, LEAVE_SHORT), (SHORT, LEAVE_SHORT, LEAVE_LONG)])
def test_an_exit_signal_leaves_its_own_side_alone(enter: Any, leave: int, stays: int) -> None:
    """At the next open, whatever the direction says; the other side's is not meant."""
    run = ran(bars(*[FLAT] * 4), [enter, enter._replace(leave=stays), QUIET._replace(leave=leave), QUIET])
    assert run.fills()[1][:2] == (3, state.BY_SIGNAL)
    assert len(run.fills()) == 2


@pytest.mark.parametrize("hold", [1, 2, 3])
def test_a_position_is_left_after_its_bars_also_when_the_strategy_falls_silent(hold: int) -> None:
    """Entered at the open of bar 1, left at the open of bar 1 + hold; what was said at the entry counts."""
    run = ran(bars(*[FLAT] * 6), [LONG._replace(hold=hold), *[QUIET] * 5])
    assert [fill[:2] for fill in run.fills()] == [(1, 0), (1 + hold, state.BY_TIME)]


def test_a_size_of_its_own_makes_an_entry_smaller_never_larger() -> None:
    """A tenth of 10,000 at 100 are 10 units; ten times the equity changes nothing of what the rules allow."""
    sized = PLAIN._replace(fixed_lots=0, risk_start_frac=0.02, risk_limit_frac=0.5, lot_size=0.01)
    free, small, large = (ran(bars(FLAT, FLAT), [LONG._replace(size_frac=x), QUIET], sized) for x in (0.0, 0.1, 10.0))
    assert small.fills()[0][3] == 1_000
    assert large.fills()[0][3] == free.fills()[0][3] > 1_000


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"stop": 101.0}, state.R_SIGNAL),
        ({"target": 99.0}, state.R_SIGNAL),
        ({"stop": NAN}, state.R_UNKNOWN),
        ({"target": NAN}, state.R_UNKNOWN),
        ({"size_frac": NAN}, state.R_UNKNOWN),
        ({"stop": 20.0}, state.R_RISK),
        ({"size_frac": 1e-9}, state.R_SIZE),
    ],
)
def test_what_cannot_be_meant_or_is_not_known_refuses(said: dict[str, float], rule: int) -> None:
    """A level on the wrong side contradicts itself, an unknown one cannot be computed, a far stop meets the risk limit."""
    rules = PLAIN._replace(risk_limit_frac=0.02, fixed_lots=10 if "size_frac" not in said else 0, liquidation_fee_frac=0.0)
    assert ran(bars(FLAT, FLAT), [LONG._replace(**said), QUIET], rules).refusals() == [(0, rule)]


def test_what_is_to_be_left_is_not_entered() -> None:
    """An entry and an exit of one side at one close: no entry, and nothing to refuse."""
    run = ran(bars(FLAT, FLAT), [LONG._replace(leave=LEAVE_LONG), QUIET])
    assert (run.fills(), run.refusals()) == ([], [])


@pytest.mark.parametrize("rule", ["trail_atr", "target_atr"])
def test_an_entry_waits_for_the_atr_that_its_exits_count_in(rule: str) -> None:
    """A trail that counts ATRs would never arm without one, whatever stop the entry has."""
    rules = PLAIN._replace(stop_atr=0.0, stop_frac=0.02, target_atr=0.0, arm_atr=0.0, trail_atr=0.0, add_atr=0.0)
    unknown = LONG._replace(atr=NAN)
    assert ran(bars(FLAT, FLAT), [unknown, QUIET], rules).refusals() == []
    assert ran(bars(FLAT, FLAT), [unknown, QUIET], rules._replace(**{rule: 2.0})).refusals() == [(0, state.R_UNKNOWN)]


def test_an_exit_signal_cancels_an_entry_that_rests() -> None:
    """A long that is to be left is not opened either."""
    rests = LONG._replace(limit=95.0, good_for=5)
    run = ran(bars(*[FLAT] * 3), [rests, QUIET._replace(leave=LEAVE_LONG), QUIET])
    assert run.sleeves[0].order.side == 0
    assert [code for _, code, *_ in run.of(state.K_DECISION)] == [state.ENTER, state.CANCEL]


def test_a_second_part_of_an_entry_keeps_a_stop_that_was_moved() -> None:
    """Half of a limit fills, the stop is moved, the other half fills: the layer stays at the tighter level."""
    rests = LONG._replace(limit=99.0, good_for=5, stop=90.0)
    thin = [bar(0, FLAT), bar(1, (100, 100, 98, 99.5), volume=5.0), bar(2, (99.5, 100, 98, 99.5)), bar(3, FLAT)]
    run = ran(thin, [rests, rests._replace(stop=97.0), QUIET, QUIET])
    layer = run.sleeves[0].position.layers[0]
    assert (layer.lots, layer.stop) == (10, 97.0)


def test_the_random_desks_of_the_suite_leave_by_every_reason_of_a_strategy() -> None:
    """Plain Python and machine code are compared on them: what never happened there would be compared with nothing."""
    seen: dict[int, int] = {}
    for seed in range(4):
        found, signals = hostile(seed)
        assert guided(signals, 7).tolist() == [0, 1, 1, 1, 0, 1, 0]
        listed = [state.Signal(*row) for row in zip(*(x.tolist() for x in signals), strict=True)]
        rows, *_ = run_lists([Bar(*r) for r in found.tolist()], listed, hostile_rules(seed), LOOSE, 100_000.0)
        for row in rows:
            _, kind, _, rule, *_ = unpack(row.tag)
            seen[rule] = seen.get(rule, 0) + (kind == state.K_FILL)
    assert min(seen.get(reason, 0) for reason in (state.BY_SIGNAL, state.BY_TIME, state.BY_REVERSAL)) > 5


def test_a_strategy_that_says_nothing_costs_no_look_at_every_bar() -> None:
    """One figure for all bars is looked at once."""
    kinds = ("i1", *["f8"] * 6, "i1", "i8", *["f8"] * 4, "i1", "i8", "f8", "i1")
    columns = [np.broadcast_to(np.zeros(1, kind), 10) for kind in kinds]
    assert guided(tuple(columns), 1).tolist() == [0]
    columns[state.Signal._fields.index("leave")] = np.array([0, 0, 1] + [0] * 7, np.int8)
    assert guided(tuple(columns), 1).tolist() == [1]


def test_two_sleeves_hear_each_their_own() -> None:
    """The first leaves by its signal, the second keeps its position."""
    said = [LONG, LONG, QUIET._replace(leave=LEAVE_LONG), QUIET, QUIET, QUIET]
    run = Ran(bars(*[FLAT] * 3), said, [PLAIN, PLAIN])
    assert [sleeve.position.open_layers for sleeve in run.sleeves] == [0, 1]
