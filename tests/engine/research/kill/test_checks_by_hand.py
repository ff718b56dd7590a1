"""Each check's value on numbers that can be worked out by hand, and what its row in the table makes of it."""

import math

import numpy as np
import polars as pl
import pytest

from engine.core.state import LEAVE_LONG
from engine.research.kill import baselines, feasibility, limits, regimes, smells, verdict
from engine.research.kill.judged_bars import scaled
from engine.strategies.base import SignalFrame
from engine.strategies.signals import Evaluation
from engine.venues.instruments import Costs

DAY_MS = 86_400_000


def evaluation(directions: list[int], **hints: object) -> Evaluation:
    """What a strategy answered."""
    direction = np.array(directions, np.int8)
    return Evaluation(direction, np.abs(direction).astype(float), {}, SignalFrame(direction, np.abs(direction), **hints))  # type: ignore[arg-type]


def test_a_straight_line_is_too_smooth_and_a_zigzag_is_not() -> None:
    """The same gain a day is R2 1; up and down in turn, ending where it began, is near 0."""
    line, _ = smells.smoothness(np.full(60, 0.001))
    zigzag, _ = smells.smoothness(np.tile([0.01, 1 / 1.01 - 1], 30))
    assert line == pytest.approx(1.0)
    assert zigzag is not None
    assert zigzag < 0.05
    assert not limits.BY_NAME["too_smooth"].passes(line)
    assert smells.smoothness(np.zeros(60)) == (None, "the equity never moved")
    assert smells.smoothness(np.zeros(29)) == (None, "fewer than 30 whole days")


def test_one_month_that_carries_it() -> None:
    """60 of 100 is more than half; with losses around it a part can be more than all; a sum that loses has no share."""
    assert smells.largest_share([60.0, 30.0, 10.0], "months", 3) == (pytest.approx(0.6), "")
    assert smells.largest_share([90.0, -20.0, -20.0], "months", 3)[0] == pytest.approx(1.8)
    assert smells.largest_share([-1.0, 0.5, 0.2], "months", 3) == (None, "the sum of all months is not a profit")
    assert smells.largest_share([1.0, 1.0], "months", 3) == (None, "fewer than 3 months")


def test_a_few_trips_that_carry_it() -> None:
    """Forty trips: two are the best 5 %. They made 300 of 262 in one case, 40 of 78 in the other."""
    few = [150.0, 150.0, *[-1.0] * 38]
    many = [20.0, 20.0, *[1.0] * 38]
    assert smells.without_best(few) == (pytest.approx(-38 / 262), "")
    assert smells.without_best(many) == (pytest.approx(38 / 78), "")
    assert [limits.BY_NAME["few_trips"].passes(smells.without_best(nets)[0] or 0.0) for nets in (few, many)] == [False, True]
    assert smells.without_best([1.0] * 19)[1] == "fewer than 20 round trips"


def test_a_spike_and_a_plateau() -> None:
    """A ratio of 2; the neighbours at 10 % have 1.8 and 2, those at 25 % 1.6 and 1.6, or 1 and -2: the lower ring counts."""
    limit, own = limits.BY_NAME["plateau"], {"bars": 100}
    near = [({"bars": 90}, 1.8), ({"bars": 110}, 2.0)]
    far, spike = ([({"bars": 75}, low), ({"bars": 125}, high)] for low, high in ((1.6, 1.6), (1.0, -2.0)))
    assert smells.plateau(own, 2.0, [near, far]) == (pytest.approx(0.8), "")
    assert smells.plateau(own, 2.0, [near, spike]) == (pytest.approx(-0.25), "")
    assert limit.passes(0.8)
    assert limit.ends(-0.25)
    assert not limit.ends(0.3)
    assert smells.plateau(own, -1.0, [near, far]) == (None, "its Sharpe ratio is not above 0")
    assert smells.plateau(own, 2.0, [near, far[:1]])[0] is None


def test_how_many_trips_it_takes_to_know() -> None:
    """Two of 3 and -1 in turn: mean 1, deviation 2 (ddof 1 of 1,000): t is 15.8, and 17 trips make it 2."""
    nets = np.tile([3.0, -1.0], 500)
    found = feasibility.needed(nets)
    spread = 2.0 * math.sqrt(1_000 / 999)
    assert found.t == pytest.approx(1.0 / (spread / math.sqrt(1_000)))
    assert found.trips == math.ceil((2 * spread) ** 2) == 17
    assert feasibility.needed(-nets).reason == "the mean round trip loses"
    assert feasibility.needed(np.array([1.0])).t is None


def test_the_p_of_random_entries() -> None:
    """Better than all 99 draws is 1 %; as good as one of them 2 %; in the middle a half."""
    drawn = [float(n) for n in range(99)]
    assert baselines.luck(1_000.0, drawn) == pytest.approx(0.01)
    assert baselines.luck(98.0, drawn) == pytest.approx(0.02)
    assert baselines.luck(49.0, drawn) == pytest.approx(0.51)
    assert baselines.luck(1.0, []) is None


def test_the_oracle_s_move_is_from_the_next_open() -> None:
    """Decided at bar 1, held two bars: from the open of bar 2 to the close of bar 3; past the end it is not known."""
    open_, close = np.array([1.0, 1.0, 100.0, 101.0]), np.array([1.0, 99.0, 101.0, 102.0])
    moves = baselines.future_moves(open_, close, np.array([1, 2]), 2)
    assert moves[0] == pytest.approx(200.0)
    assert math.isnan(moves[1])


def test_random_entries_keep_exits_and_drop_what_was_for_another_side() -> None:
    """Exit flags and the size of the answer stay; levels and limits of its own go; only drawn bars have a signal."""
    stop = np.full(6, 90.0)
    own = evaluation([1, 0, 0, -1, 0, 0], stop_price=stop, exit_long=np.array([False] * 5 + [True]), hold_bars=7)
    found = baselines.entering(np.array([2, 4]), np.array([1, -1]))(own)
    assert found.direction.tolist() == [0, 0, 1, 0, -1, 0]
    assert found.strength.tolist() == [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert found.hints.stop_price is None
    assert found.hints.exit_long is own.hints.exit_long
    assert found.hints.hold_bars == 7
    assert LEAVE_LONG  # the flags that stay are the core's


def test_costs_are_scaled_and_a_rebate_is_not() -> None:
    """Twice the fees, spread and impact; a maker rebate of -0.5 bps stays."""
    costs = Costs(-0.00005, 0.0005, 0.00002, 0.7, "page", "2026-01-01", "none")
    found = scaled(costs, 2.0)
    assert (found.maker_frac, found.taker_frac, found.half_spread_frac, found.impact_y) == (-0.00005, 0.001, 0.00004, 1.4)
    assert scaled(costs._replace(maker_frac=0.0002), 0.5).maker_frac == 0.0001


def daily_bars(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Closes at midnights whose log returns are these."""
    close = 100.0 * np.exp(np.concatenate(([0.0], np.cumsum(changes))))
    return DAY_MS * np.arange(1, len(close) + 1, dtype=np.int64), close


def test_regimes_by_construction() -> None:
    """Sixty quiet days up and down, then twenty with a push, then twenty wild ones: range, trend, volatile at their ends."""
    quiet, push, wild = np.tile([0.01, -0.01], 30), np.tile([0.013, -0.003], 10), np.tile([0.05, -0.05], 10)
    midnights, names = regimes.day_regimes(*daily_bars(np.concatenate([quiet, push, wild])))
    assert len(midnights) == 101
    assert names[:40] == [regimes.UNKNOWN] * 40
    assert (names[60], names[80], names[100]) == ("range", "trend", "volatile")


def test_regimes_read_no_later_day() -> None:
    """The regimes of a prefix are those of the whole history, day by day."""
    close_ms, close = daily_bars(np.random.default_rng(3).normal(0.0, 0.02, 150))
    _, whole = regimes.day_regimes(close_ms, close)
    for count in (45, 90, 130):
        assert regimes.day_regimes(close_ms[:count], close[:count])[1] == whole[:count]


def test_trips_are_put_into_the_regime_of_their_entry() -> None:
    """An entry at noon belongs to the day that began at midnight; before the first one it is unknown."""
    close_ms, close = daily_bars(np.random.default_rng(3).normal(0.0, 0.02, 150))
    midnights, names = regimes.day_regimes(close_ms, close)
    trips = pl.DataFrame({"entry_ms": [int(midnights[100]) + DAY_MS // 2, 5], "net": [7.0, -2.0]})
    found = {row["regime"]: row for row in regimes.by_regime(trips, close_ms, close)}
    assert found[names[100]] == {"regime": names[100], "trips": 1, "net": 7.0}
    assert found["unknown"] == {"regime": "unknown", "trips": 1, "net": -2.0}


@pytest.mark.parametrize("limit", limits.LIMITS, ids=lambda limit: limit.name)
def test_every_row_of_the_table_can_fail_and_says_why(limit: limits.Limit) -> None:
    """A value on the wrong side fails, what kills also fails, an undefined value never passes, and each row has its reason."""
    worse = limit.limit + 1.0 if limit.rule == "most" else limit.limit - 1.0
    assert not limit.passes(worse)
    assert limit.passes(limit.limit) == (limit.rule != "above")
    found = verdict.check(limit.name, None, "too few")
    assert not found.passed
    assert not found.kills
    assert found.reason == "too few"
    assert len(limit.why) > 20
    for value in np.linspace(-3.0, 40.0, 200):
        assert not (limit.ends(value) and limit.passes(value)), value


def test_one_killing_check_is_enough_and_one_undefined_one_keeps_it_from_paper() -> None:
    """Kill before weak before paper; the reasons are those of what decided."""
    good = [verdict.check(limit.name, 40.0 if limit.rule != "most" else -3.0) for limit in limits.LIMITS]
    assert verdict.concluded(good)["verdict"] == "paper"
    undefined = [*good[:-1], verdict.check("few_trips", None, "fewer than 20 round trips")]
    assert verdict.concluded(undefined)["verdict"] == "weak"
    assert verdict.concluded(undefined)["reasons"] == [undefined[-1].text]
    killed = [verdict.check("net", -0.01), *undefined[:2], *undefined[3:]]
    assert verdict.concluded(killed)["verdict"] == "kill"
    assert verdict.concluded(killed)["reasons"] == ["net after all costs: -1.00 %, above 0.00 % is needed"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("too_good", 6.2, "Sharpe ratio: 6.20, at most 4.00 is believable"),
        ("too_smooth", 0.996, "R2 of a line through log equity: 99.6 %, at most 99 % is believable"),
        ("too_smooth", 0.99996, "R2 of a line through log equity: 99.996 %, at most 99 % is believable"),
        ("too_smooth", 0.9901, "R2 of a line through log equity: 99.01 %, at most 99 % is believable"),
        ("random_entries", 0.31, "share of 100 draws of random entries at least as good: 31 %, at most 5 % is allowed"),
        ("one_month", 0.502, "largest month's share of the net: 50.2 %, at most 50 % is allowed"),
        ("deflated_sharpe", 0.07, "deflated Sharpe ratio: 0.07, at least 0.95 is needed"),
        ("deflated_sharpe", 0.9496, "deflated Sharpe ratio: 0.9496, at least 0.95 is needed"),
        ("windows", 2 / 3, "thirds of the span that earn: 67 %, at least 67 % is needed"),
        ("net", -1e-6, "net after all costs: -0.0001 %, above 0.00 % is needed"),
        ("net", 0.0, "net after all costs: +0.00 %, above 0.00 % is needed"),
        ("look_ahead", 1.0, "prefixes of the bars that agree: 100 %, at least 100 % is needed"),
        ("oracle", -12.34, "mean trip with the right side known at its own entries: -12.3 bps, above 0.0 bps is needed"),
    ],
)
def test_a_check_says_what_its_limit_is_and_shows_on_which_side_it_is(name: str, value: float, text: str) -> None:
    """No figure is rounded onto the limit that it misses, none to 100 % that is less; a suspicion asks for nothing more."""
    assert verdict.check(name, value).text == text
