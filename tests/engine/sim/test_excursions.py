"""How far each trip went against and for its position, against a loop over bars; and what holding would have been worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import state
from engine.data.align import Market
from engine.sim import excursions
from engine.sim import trips as t
from tests.engine.sim.test_trips import BAR, fill, rows_of

LOT = 0.01
SLEEVES = [t.RunSleeve("one", "x:BTC-USDT:perp", LOT, 100.0, BAR)]
NAMES = ("x:BTC-USDT:perp", "x:ETH-USDT:perp")


def market(high, low, opens=None, closes=None):
    """Bars of one instrument or several, (n, k); the first closes at BAR."""
    high, low = np.atleast_2d(np.array(high, float).T).T, np.atleast_2d(np.array(low, float).T).T
    opens = (high + low) / 2 if opens is None else np.array(opens, float)
    closes = (high + low) / 2 if closes is None else np.array(closes, float)
    nothing, close_ms = np.zeros_like(high), BAR * np.arange(1, len(high) + 1)
    return Market(NAMES[: high.shape[1]], BAR, close_ms, opens, high, low, closes, nothing, nothing, nothing, ())


def found(rows, span, sleeves=SLEEVES):
    """(mae, mfe) of each trip."""
    table = t.trips(rows, sleeves)
    done = excursions.with_excursions(table, rows, sleeves, list(range(len(sleeves))), span)
    assert done.drop("mae", "mfe").equals(table)
    return done.select("mae", "mfe").rows()


def test_a_long_is_measured_from_its_fill_and_a_stop_ends_it():
    """The low of the bar that stopped it is not the trip's; the stop's own price is."""
    span = market([101, 104, 103, 102], [99, 98, 95, 60])
    rows = rows_of([fill(2, 1, 100, 100.0), fill(4, -1, 100, 94.0, state.PROTECTIVE, reason=state.STOP)])
    assert found(rows, span) == [(pytest.approx(-6.0), pytest.approx(4.0))]


def test_a_short_is_measured_the_other_way_round():
    """A rising price is against it."""
    span = market([101, 104, 103, 102], [99, 98, 95, 60])
    rows = rows_of([fill(2, -1, 100, 100.0), fill(4, 1, 100, 96.0, state.TARGET_SLOT, reason=state.TARGET)])
    assert found(rows, span) == [(pytest.approx(-4.0), pytest.approx(5.0))]


def test_within_one_bar_only_the_two_prices_count():
    """Which extreme of the bar came first is not known, so neither is claimed."""
    span = market([101, 140], [99, 50])
    rows = rows_of([fill(2, 1, 100, 100.0), fill(2, -1, 100, 98.0, state.PROTECTIVE, reason=state.STOP)])
    assert found(rows, span) == [(pytest.approx(-2.0), 0.0)]


def test_a_limit_entry_does_not_claim_the_high_before_it():
    """A resting buy was filled on the way down: the bar's high may have come before it, its low did not."""
    span = market([101, 120, 103], [99, 97, 99])
    rows = rows_of([fill(2, 1, 100, 98.0) | {"binding": 1}, fill(3, -1, 100, 99.0, state.EXIT_SLOT, reason=state.FADE)])
    assert found(rows, span) == [(pytest.approx(-1.0), pytest.approx(1.0))]


def test_an_open_trip_counts_to_the_last_bar_and_a_missing_bar_is_passed_over():
    """NaN bars neither hide nor invent an extreme."""
    span = market([101, 104, np.nan, 109], [99, 98, np.nan, 97])
    assert found(rows_of([fill(2, 1, 100, 100.0)]), span) == [(pytest.approx(-3.0), pytest.approx(9.0))]


def test_no_trips_give_an_empty_table_with_both_columns():
    """A run that never entered."""
    assert found(rows_of([]), market([101, 104], [99, 98])) == []


def by_loop(lines, span):
    """The same for one sleeve, bar by bar and fill by fill."""
    done, cash, units, worst, best = [], 0.0, 0.0, 0.0, 0.0
    for n, line in enumerate(lines):
        signed, price, bar = line["side"] * line["lots"] * LOT, line["price"], int(line["close_ms"] // BAR) - 1
        worth = cash + units * price
        worst, best = min(worst, worth), max(best, worth)
        cash, units = cash - signed * price, units + signed
        if abs(units) < 1e-12:
            done.append((worst, best))
            cash, units, worst, best = 0.0, 0.0, 0.0, 0.0
            continue
        worst, best = min(worst, cash + units * price), max(best, cash + units * price)
        until = len(span.close_ms) if n + 1 == len(lines) else int(lines[n + 1]["close_ms"] // BAR) - 1
        inside = line["binding"] == 1 if line["code"] == state.ENTRY else line["rule"] not in (state.FADE, state.HALT)
        for k in range(bar, until):
            against, favour = (span.low, span.high) if units > 0 else (span.high, span.low)
            worst = min(worst, cash + units * against[k, 0])
            if not (k == bar and inside):
                best = max(best, cash + units * favour[k, 0])
    if units:
        done.append((worst, best))
    return done


@st.composite
def histories(draw):
    """Bars, and fills of trips with further layers and part exits on them."""
    n = draw(st.integers(3, 12))
    middle = draw(st.lists(st.floats(80, 120), min_size=n, max_size=n))
    half = draw(st.lists(st.floats(0, 10), min_size=n, max_size=n))
    lines, bar = [], 1
    for _ in range(draw(st.integers(1, 3))):
        side, held = draw(st.sampled_from([1, -1])), 0
        for step in range(draw(st.integers(1, 4))):
            bar = min(n, bar + draw(st.integers(0, 3)))
            leaves = step > 0 and held > 1 and draw(st.booleans())
            lots = draw(st.integers(1, held - 1)) if leaves else draw(st.integers(1, 50))
            slot = state.TARGET_SLOT if leaves else state.ENTRY
            price, maker = draw(st.floats(80, 120)), draw(st.integers(0, 1))
            lines.append(
                fill(bar, -side if leaves else side, lots, price, slot, reason=state.TARGET if leaves else 0) | {"binding": maker}
            )
            held += -lots if leaves else lots
        bar = min(n, bar + draw(st.integers(0, 3)))
        reason = draw(st.sampled_from([state.STOP, state.FADE]))
        lines.append(fill(bar, -side, held, draw(st.floats(80, 120)), state.EXIT_SLOT, reason=reason) | {"binding": 0})
    return lines, market(np.array(middle) + half, np.array(middle) - half)


@settings(max_examples=25, deadline=None)
@given(histories())
def test_it_equals_a_loop_over_fills_and_bars(history):
    """Whatever the layers, part exits, sides and bars."""
    lines, span = history
    expected = by_loop(lines, span)
    assert found(rows_of(lines), span) == [(pytest.approx(a, abs=1e-9), pytest.approx(b, abs=1e-9)) for a, b in expected]


def test_each_sleeve_is_measured_on_its_own_bars():
    """Two sleeves hold at the same time; the second reads its own column."""
    sleeves = [*SLEEVES, t.RunSleeve("two", NAMES[1], LOT, 50.0, BAR)]
    span = market([[101, 51], [104, 60], [103, 55]], [[99, 49], [98, 45], [97, 49]])
    rows = rows_of(
        [
            fill(2, 1, 100, 100.0),
            fill(2, 1, 100, 50.0, sleeve=1),
            fill(3, -1, 100, 50.0, state.EXIT_SLOT, reason=state.FADE, sleeve=1),
        ]
    )
    assert found(rows, span, sleeves) == [(pytest.approx(-3.0), pytest.approx(4.0)), (pytest.approx(-5.0), pytest.approx(10.0))]


def test_holding_is_equal_parts_from_the_first_open_of_each():
    """A part waits as cash for its first bar, a missing bar is worth its last close, and an instrument counts once."""
    closes = [[110.0, np.nan], [np.nan, 60.0], [120.0, 40.0]]
    opens = [[100.0, np.nan], [np.nan, 50.0], [115.0, 61.0]]
    span = market(np.ones((3, 2)), np.ones((3, 2)), opens, closes)
    assert excursions.hold(span, [0, 1, 0], 1_000.0).tolist() == pytest.approx([550 + 500, 550 + 600, 600 + 400])
