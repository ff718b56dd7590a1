"""When a bar is closed, by itself: any order of pushes and reads decides on a bar only where clock, flag and REST agree."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.live.closing import ColumnBars, Patience, texts
from engine.venues.candles import Prices, PushedCandle

STEP = 60_000
T = 1_700_000_040_000  # the open of a minute
END = T + STEP
GOOD: Prices = (100.0, 102.0, 99.0, 101.0, 5.0)
OTHER: Prices = (100.0, 102.0, 99.0, 101.5, 6.0)


def push(prices: Prices = GOOD, closed: bool = True, open_ms: int = T) -> PushedCandle:
    """A candle of the stream."""
    return PushedCandle("BTC/USDT:USDT", STEP, open_ms, prices, closed)


def fresh() -> ColumnBars:
    """A column without bars."""
    return ColumnBars("okx:BTC-USDT:perp", STEP, Patience())


def test_each_of_the_three_is_needed() -> None:
    """Flag alone, REST alone, a REST read before the close was settled: nothing; all three: the bar."""
    bars = fresh()
    assert bars.closed(T) is None
    bars.push(push(), END)
    assert bars.closed(T) is None
    bars.read({T: GOOD}, END + 999)
    assert bars.closed(T) is None, "REST was asked before the close had settled"
    bars.read({T: GOOD}, END + 1_000)
    assert bars.closed(T) == GOOD
    alone = fresh()
    alone.read({T: GOOD}, END + 1_000)
    assert alone.closed(T) is None, "no flag"


def test_a_flag_long_before_the_close_is_none() -> None:
    """It is noted, and the numbers it came with do not count when REST lists the same."""
    bars = fresh()
    (note,) = bars.push(push(), END - 1_001)
    bars.read({T: GOOD}, END + 1_000)
    assert note.kind == "early"
    assert bars.closed(T) is None


def test_a_bar_that_goes_on_forming_takes_its_flag_back() -> None:
    """Until the next flag."""
    bars = fresh()
    bars.push(push(), END - 500)
    (note,) = bars.push(push(OTHER, closed=False), END - 200)
    assert note.kind == "retracted"
    bars.read({T: GOOD}, END + 1_000)
    assert bars.closed(T) is None, "REST has the flagged numbers, but the venue's last word was that it forms"
    bars.read({T: OTHER}, END + 1_100)
    bars.push(push(OTHER), END + 1_100)
    assert bars.closed(T) == OTHER


def test_a_second_flag_with_other_numbers_is_noted_and_counts() -> None:
    """The later word is compared with REST; the same flag twice says nothing new."""
    bars = fresh()
    assert bars.push(push(), END) == [] == bars.push(push(), END + 1)
    (note,) = bars.push(push(OTHER), END + 2)
    bars.read({T: GOOD}, END + 1_000)
    assert note.kind == "repeated"
    assert bars.closed(T) is None


def test_what_was_decided_stays_and_late_bars_need_a_later_one() -> None:
    """A bar without a flag is decided on as missing, and read into history once REST lists a closed bar behind it."""
    bars = fresh()
    bars.read({T: GOOD}, END + 1_000)
    decided, (note,) = bars.decide(T)
    assert decided is None
    assert texts([note]) == ["okx:BTC-USDT:perp 2023-11-14 22:14Z: missing: the venue's flag did not come in time"]
    assert bars.late() == ({}, []), "no later bar is listed yet"
    bars.read({T: GOOD, END: OTHER}, END + STEP + 1_000)
    repaired, (note,) = bars.late()
    assert repaired == {T: GOOD}
    assert note.kind == "repaired"
    assert bars.decided[T] is None


def test_a_late_bar_that_no_market_produces_stays_missing() -> None:
    """A spike between two trades: the checks of an import refuse it, once."""
    bars = fresh()
    path = [round(100 + math.sin(n) / 5, 3) for n in range(61)]
    steady = {T + n * STEP: (a, max(a, b) + 0.1, min(a, b) - 0.1, b, 5.0 + n % 7) for n, (a, b) in enumerate(pairwise(path))}
    at = T + 40 * STEP
    bars.read(steady | {at: (140.0, 140.2, 139.9, 140.0, 5.0)}, T + 62 * STEP)
    repaired, notes = bars.late()
    assert at not in repaired
    assert len(repaired) == 58
    assert [n.open_ms for n in notes if n.kind == "unfit"] == [at]
    assert bars.late() == ({}, [])
    assert bars.first_hole(T, T + 59 * STEP) is None, "it is not asked for again"


def test_a_correction_that_no_market_produces_is_not_taken() -> None:
    """REST lists a price of zero for a bar that was fine."""
    bars = fresh()
    bars.push(push(), END)
    bars.read({T: GOOD}, END + 1_000)
    assert bars.decide(T) == (GOOD, [])
    assert bars.read({T: (0.0, 102.0, 0.0, 101.0, 5.0)}, END + 2_000) == []
    assert bars.known[T] == GOOD
    assert [note.kind for note in bars.read({T: OTHER}, END + 3_000)] == ["corrected"]
    assert bars.known[T] == OTHER


def test_memory_is_bounded() -> None:
    """Hours of minutes leave the last four hundred."""
    bars = fresh()
    for n in range(450):
        bars.push(push(open_ms=T + n * STEP), END + n * STEP)
        bars.read({T + n * STEP: GOOD}, END + n * STEP + 1_000)
        bars.decide(T + n * STEP)
    kept = (bars.known, bars.decided, bars._flagged, bars._listed)
    assert max(len(one) for one in kept) <= 400
    assert max(bars.known) == T + 449 * STEP


THINGS = st.lists(
    st.tuples(
        st.sampled_from(["flag", "forming", "read"]),
        st.sampled_from([GOOD, OTHER]),
        st.integers(min_value=-40_000, max_value=5_000),
    ),
    max_size=12,
)


@given(THINGS)
def test_any_order_decides_only_where_all_three_agree(things: list[tuple[str, Prices, int]]) -> None:
    """Whatever comes in whatever order: a bar that is decided on was flagged near or after its close, and REST, asked a second
    after it, listed the same numbers last.
    """
    bars, flags, listed = fresh(), set(), None
    for what, prices, after_ms in sorted(things, key=lambda thing: thing[2]):
        if what == "read":
            bars.read({T: prices}, END + after_ms)
            listed = prices if after_ms >= 1_000 else listed
        else:
            bars.push(push(prices, closed=what == "flag"), END + after_ms)
            flags |= {prices} if what == "flag" and after_ms >= -1_000 else set()
    decided, notes = bars.decide(T)
    assert decided is None or (decided == listed and decided in flags)
    assert (decided is None) == bool(notes)
