"""A limit entry: where it fills, as what, for how long it rests, and what ends it. One table a rule."""

import pytest

from engine.core import state
from engine.core.fills import ends, match_entry
from engine.core.guardrails import count_opened
from engine.core.state import OPTIMISTIC, PESSIMISTIC, Cost, Order, start
from tests.engine.core.test_desk import LONG, LOOSE, PLAIN, QUIET, SHORT, T0, Ran, bar, ran
from tests.fakes.desks import BAR_MS

RULES = PLAIN._replace(tick=0.5, lot_size=1.0, maker_frac=0.0002, taker_frac=0.0005)
COST = Cost(0.001, 0.0)


def bid(limit: float, side: int = 1, post_only: int = 0, good_for: int = 3, lots: int = 10) -> Order:
    """An entry order decided at the close before bar 0."""
    return Order(1, side, lots, 1_000.0, 4.0, 8.0, 2.0, T0, limit, post_only, good_for)


@pytest.mark.parametrize(
    ("order", "t", "prices", "mode", "price", "maker"),
    [
        (bid(98), 0, (100, 101, 97.5, 99), PESSIMISTIC, 98.0, 1),  # traded through by a tick
        (bid(98), 0, (100, 101, 98.0, 99), PESSIMISTIC, None, 0),  # touched only
        (bid(98), 0, (100, 101, 98.0, 99), OPTIMISTIC, 98.0, 1),
        (bid(98), 0, (100, 101, 98.5, 99), OPTIMISTIC, None, 0),  # not reached
        (bid(102), 0, (100, 101, 99.0, 100), PESSIMISTIC, 100.1, 0),  # beyond the market: takes at the open plus slippage
        (bid(100.05), 0, (100, 101, 99.0, 100), PESSIMISTIC, 100.05, 0),  # and never worse than its price
        (bid(102, post_only=1), 0, (100, 101, 99.0, 100), PESSIMISTIC, None, 0),
        (bid(98), 1, (97, 99, 96.0, 98), PESSIMISTIC, 98.0, 1),  # rested before a gap through it: its own price
        (bid(98, good_for=1), 1, (97, 99, 96.0, 98), PESSIMISTIC, None, 0),  # its bar has passed
        (bid(102, side=-1), 0, (100, 102.5, 99, 100), PESSIMISTIC, 102.0, 1),
        (bid(102, side=-1), 0, (100, 102.0, 99, 100), PESSIMISTIC, None, 0),
    ],
)
def test_where_a_limit_fills(order: Order, t: int, prices: tuple, mode: int, price: float | None, maker: int) -> None:
    """Price and side of the fee, or no fill at all."""
    rules = RULES._replace(mode=mode)
    fill = match_entry(order, 0, rules, COST, bar(t, prices), 0.0)
    if price is None:
        assert fill.lots == 0
        return
    frac = rules.maker_frac if maker else rules.taker_frac
    assert (fill.lots, fill.maker) == (10, maker)
    assert (fill.price, fill.fee) == (pytest.approx(price), pytest.approx(10 * fill.price * frac))


@pytest.mark.parametrize(
    ("order", "t", "last"),
    [
        (bid(0.0), 0, True),  # a market order has one bar
        (bid(98, good_for=3), 0, False),
        (bid(98, good_for=3), 2, True),
        (bid(102, post_only=1), 0, True),  # it would take: cancelled
        (bid(98, post_only=1), 0, False),
    ],
)
def test_how_long_it_rests(order: Order, t: int, last: bool) -> None:
    """Whether the bar is the order's last."""
    assert ends(order, bar(t, (100, 101, 99, 100)), RULES) is last


def resting(good_for: int = 3, **more: float) -> state.Signal:
    """A long signal with a bid at 98."""
    return LONG._replace(limit=98.0, good_for=good_for, **more)


CALM, DIP = (100, 101, 99, 100), (100, 101, 97.4, 99)


def test_it_rests_over_bars_and_fills_as_maker() -> None:
    """Two bars above it, one through it: one entry at its price, for the maker fee, and no second order meanwhile."""
    run = ran([bar(0, CALM), bar(1, CALM), bar(2, CALM), bar(3, DIP)], [resting()] * 2 + [LONG, QUIET], RULES)
    assert [(t, lots, price) for t, _, _, lots, price in run.fills()] == [(3, 10, 98.0)]
    assert [t for t, code, *_ in run.of(state.K_DECISION) if code == state.ENTER] == [0]
    assert run.sleeves[0].ledger.fees == pytest.approx(10 * 98.0 * RULES.maker_frac)


def test_it_ends_by_its_time_and_another_may_follow() -> None:
    """Unfilled after its bars: gone, not filled by a later dip; the next signal makes the next key."""
    run = ran([bar(0, CALM), bar(1, CALM), bar(2, DIP)], [resting(1), QUIET, resting(1)], RULES)
    assert not run.fills()
    assert (run.sleeves[0].entries, run.sleeves[0].order.key) == (2, 2)


def test_a_signal_that_turns_cancels_it() -> None:
    """The opposite signal ends the order, with a row; no signal does not."""
    run = ran([bar(t, CALM) for t in range(3)], [resting(9), QUIET, SHORT], RULES)
    assert [(t, code) for t, code, *_ in run.of(state.K_DECISION)] == [(0, state.ENTER), (2, state.CANCEL)]
    assert run.sleeves[0].order == state.NO_ORDER


def test_a_thin_bar_fills_it_in_parts_as_one_layer() -> None:
    """Participation lets 4 lots a bar through: one layer grows, the rest keeps resting."""
    thin = [bar(0, CALM), *(bar(t, DIP, volume=4.0) for t in (1, 2, 3))]
    run = ran(thin, [resting(5), QUIET, QUIET, QUIET], RULES)
    assert [lots for _, _, _, lots, _ in run.fills()] == [4, 4, 2]
    position = run.sleeves[0].position
    assert (position.open_layers, position.layers[0].lots, position.layers[0].key) == (1, 10, 1)


def test_the_bar_that_fills_it_counts_no_target() -> None:
    """Its high may have come before the fill: pessimistic waits for the next bar, optimistic takes it, the bar is ambiguous."""
    wide = (100, 112, 97.4, 99)
    slow = ran([bar(0, CALM), bar(1, wide)], [resting(), QUIET], RULES)
    quick = ran([bar(0, CALM), bar(1, wide)], [resting(), QUIET], RULES._replace(mode=OPTIMISTIC))
    assert [reason for _, reason, *_ in slow.fills()] == [state.NONE]
    assert [reason for _, reason, *_ in quick.fills()] == [state.NONE, state.TARGET]
    assert slow.ambiguous == 1


def test_its_stop_counts_in_the_bar_that_fills_it() -> None:
    """Low through bid and stop: in and out in one bar, stop at its level."""
    run = ran([bar(0, CALM), bar(1, (100, 101, 90, 92))], [resting(), QUIET], RULES)
    assert [(reason, price) for _, reason, _, _, price in run.fills()][1][0] == state.STOP
    assert run.sleeves[0].position.open_layers == 0


def test_an_unknown_limit_refuses() -> None:
    """NaN is not a market order."""
    run = ran([bar(0, CALM), bar(1, DIP)], [LONG._replace(limit=float("nan")), QUIET], RULES)
    assert run.refusals() == [(0, state.R_UNKNOWN)]
    assert not run.fills()


def test_a_halt_takes_it_back() -> None:
    """The drawdown breaker cancels a resting entry like any other."""
    run = ran([bar(0, CALM), bar(1, CALM), bar(2, DIP)], [resting(9), QUIET, QUIET], RULES, halted=1)
    assert not run.fills()
    assert run.sleeves[0].order == state.NO_ORDER


def test_a_window_takes_it_back() -> None:
    """An order that rests when a no_entry window begins is cancelled there, with the rule; the dip inside fills nothing."""
    bars, signals = [bar(0, CALM), bar(1, CALM), bar(2, DIP)], [resting(9), QUIET, QUIET]
    shut = bars[1].close_ms // state.HOUR_MS % 24
    free = ran(bars, signals, RULES)
    assert [t for t, *_ in free.fills()] == [2]
    hours = LOOSE._replace(no_entry=(1 << shut,) * 7)
    first = [bar(0, CALM)._replace(close_ms=bars[0].close_ms - state.HOUR_MS), *bars[1:]]  # decided in the hour before
    run = ran(first, signals, RULES, limits=hours)
    assert not run.fills()
    assert (state.CANCEL, state.R_WINDOW) in [(code, rule) for _, code, rule, *_ in run.of(state.K_DECISION)]
    assert run.sleeves[0].order == state.NO_ORDER


def test_a_breaker_takes_the_next_layer_back() -> None:
    """A bid for more rests below; the first layer's loss trips the daily breaker before the price gets there."""
    rules = RULES._replace(layers_max=2, add_atr=0.1, day_loss_frac_max=0.0001, stop_frac=0.2)
    more = LONG._replace(limit=98.0, good_for=9)
    bars = [bar(0, CALM), bar(1, (100, 103, 100, 103)), bar(2, (103, 103, 98.6, 98.6)), bar(3, DIP)]
    held = ran(bars, [LONG, more, QUIET, QUIET], rules._replace(day_loss_frac_max=0.5))
    assert [t for t, reason, *_ in held.fills() if reason == state.NONE] == [1, 3]
    run = ran(bars, [LONG, more, QUIET, QUIET], rules)
    assert [t for t, reason, *_ in run.fills() if reason == state.NONE] == [1]
    assert (state.CANCEL, state.R_DAY_LOSS) in [(code, rule) for _, code, rule, *_ in run.of(state.K_DECISION)]


def frequency(run: Ran) -> list[int]:
    """Bars in which the entry frequency breaker tripped."""
    return [t for t, code, *_ in run.of(state.K_BREAKER) if code == state.FREQUENCY]


def test_an_entry_that_ends_unfilled_is_no_entry_of_the_day() -> None:
    """Three bids that nobody took, two entries allowed: the fourth is placed and fills, and the day has one entry."""
    bars = [bar(t, CALM) for t in range(4)] + [bar(4, DIP)]
    run = ran(bars, [resting(1)] * 4 + [QUIET], RULES._replace(day_entries_max=2))
    assert [t for t, *_ in run.fills()] == [4]
    assert (run.sleeves[0].entries, run.sleeves[0].guard.day_entries) == (4, 1)
    assert (frequency(run), run.refusals()) == ([], [])


def test_a_bid_that_is_taken_back_is_no_entry_of_the_day() -> None:
    """The signal turns before anybody took it: nothing is counted, nothing pauses."""
    run = ran([bar(0, CALM), bar(1, CALM)], [resting(9), SHORT], RULES._replace(day_entries_max=1))
    assert run.sleeves[0].order == state.NO_ORDER
    assert (run.sleeves[0].guard.day_entries, frequency(run)) == (0, [])


def test_the_fill_that_is_one_too_many_pauses_the_entries() -> None:
    """One entry allowed: the breaker trips in the bar that fills it, not when it was placed, and refuses the next."""
    bars = [bar(0, CALM), bar(1, CALM), bar(2, (100, 101, 90, 92)), bar(3, CALM)]
    run = ran(bars, [resting()] + [QUIET] * 2 + [resting()], RULES._replace(day_entries_max=1))
    assert frequency(run) == [2]
    assert run.refusals() == [(3, state.R_PAUSE)]
    assert run.sleeves[0].guard.pause_until_ms == bar(2, CALM).close_ms + RULES.pause_ms


def test_an_entry_that_fills_in_parts_counts_once() -> None:
    """Three parts, one layer, one entry."""
    thin = [bar(0, CALM), *(bar(t, DIP, volume=4.0) for t in (1, 2, 3))]
    assert ran(thin, [resting(5), QUIET, QUIET, QUIET], RULES).sleeves[0].guard.day_entries == 1


def test_a_fill_in_the_first_bar_of_a_day_is_of_that_day() -> None:
    """Its day has not been marked yet: it is counted there all the same, against the equity the day began with."""
    last = state.DAY_MS // BAR_MS - 1  # closes at midnight
    run = ran([bar(last, CALM), bar(last + 1, DIP)], [resting(), QUIET], RULES)
    guard = run.sleeves[0].guard
    assert (guard.day, guard.day_entries, guard.day_equity) == (T0 // state.DAY_MS + 1, 1, 10_000.0)


def test_a_fill_told_after_its_day_counts_today() -> None:
    """Yesterday's budget is over; a venue that is late does not give today's entries back."""
    guard = start(10_000.0).guard._replace(day=T0 // state.DAY_MS + 1, day_entries=3)
    counted = count_opened(guard, start(10_000.0).ledger, RULES, T0 + BAR_MS)
    assert (counted.day, counted.day_entries) == (guard.day, 4)
