"""Figures of a run: golden values, the library they must equal, and what is undefined."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sim.metrics import DAY_MS, Totals, a_day_sharpe, daily_equity, drawdown, lo_factor, metrics
from engine.sim.tails import tail, under_water

BAR = 900_000
START = 19_723 * DAY_MS  # a midnight
NOTHING = Totals(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)


def curve(daily_returns, cash=10_000.0, bars_a_day=96):
    """(close_ms, equity): every bar of a day but its last stands at the day's start."""
    close = START + BAR * np.arange(1, len(daily_returns) * bars_a_day + 1, dtype=np.int64)
    ends = cash * np.cumprod(1.0 + np.asarray(daily_returns))
    starts = np.concatenate(([cash], ends[:-1]))
    equity = np.repeat(starts, bars_a_day)
    equity[bars_a_day - 1 :: bars_a_day] = ends
    return close, equity


def found(daily_returns, totals=NOTHING):
    close, equity = curve(daily_returns)
    return metrics(close, equity, BAR, 10_000.0, totals)


def test_figures_of_two_hundred_days_are_what_empyrical_gave():
    """Sharpe, Sortino and yearly return of one drawn series, as the library gave them with 365 days a year."""
    values = found(np.random.default_rng(7).normal(0.0005, 0.02, 200))
    assert values["sharpe"] == pytest.approx(-2.3367715384943804, rel=1e-9)
    assert values["sortino"] == pytest.approx(-3.0062044113504123, rel=1e-9)
    assert values["cagr_frac"] == pytest.approx(-0.5672052758539183, rel=1e-9)


@pytest.mark.long  # the library takes two seconds to import
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(40, 400))
def test_sharpe_and_sortino_equal_empyrical_with_365_days(seed, days):
    """The two lines of our own give what the library gives, to 1e-9."""
    empyrical = pytest.importorskip("empyrical")
    returns = np.random.default_rng(seed).normal(0.0005, 0.02, days)
    values = found(returns)
    assert values["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365), rel=1e-9)
    assert values["sortino"] == pytest.approx(empyrical.sortino_ratio(returns, annualization=365), rel=1e-9)
    assert values["cagr_frac"] == pytest.approx(empyrical.annual_return(returns, annualization=365), rel=1e-9)


def test_golden_sharpe_of_a_hand_made_series():
    """+1 %, -1 %, +2 %: mean 2/300, deviation .0152753, times sqrt(365)."""
    values = found([0.01, -0.01, 0.02])
    assert values["sharpe"] == pytest.approx((0.02 / 3) / 0.015275252316519467 * math.sqrt(365))
    assert values["sortino"] == pytest.approx((0.02 / 3) / math.sqrt(0.0001 / 3) * math.sqrt(365))


def test_flat_days_are_kept():
    """A day without a trade is a return of zero, not a missing day."""
    with_flat = found([0.01, 0.0, 0.0, 0.0, 0.02])
    assert with_flat["sharpe"] == pytest.approx(0.006 / np.std([0.01, 0, 0, 0, 0.02], ddof=1) * math.sqrt(365))


def test_drawdown_is_of_the_bar_series():
    """A fall inside a day counts although the day closes higher."""
    close, equity = curve([0.0] * 40)
    equity[1000] = 8_000.0
    values = metrics(close, equity, BAR, 10_000.0, NOTHING)
    assert values["max_drawdown_frac"] == pytest.approx(0.2)
    assert values["max_drawdown"] == pytest.approx(2_000.0)
    assert values["recovery_factor"] == 0.0


def test_drawdown_counts_from_the_starting_cash():
    """A run that only loses has fallen from its cash, not from its first bar."""
    assert drawdown(np.array([900.0, 850.0]), 1_000.0) == pytest.approx((0.15, 150.0))


def test_calmar_divides_by_the_bar_drawdown():
    """CAGR over the drawdown of the finest series."""
    values = found([0.01, -0.02] * 20 + [0.03])
    assert values["calmar"] == pytest.approx(values["cagr_frac"] / values["max_drawdown_frac"])


def test_under_30_days_no_growth_and_no_calmar():
    """29 days say nothing about a year."""
    values = found([0.001, -0.001] * 14 + [0.002])
    assert values["cagr_frac"] is None
    assert values["calmar"] is None
    assert values["undefined"]["calmar"] == "fewer than 30 days"
    assert found([0.001, -0.001] * 15)["cagr_frac"] is not None


def test_win_rate_needs_two_round_trips():
    """One round trip has no rate; two have."""
    assert found([0.01, 0.0], Totals(1, 1, 0, 5, 0.0, 0.0, 0.0, 0.0))["win_rate"] is None
    assert found([0.01, 0.0], Totals(4, 1, 1, 5, 0.0, 0.0, 0.0, 0.0))["win_rate"] == 0.25


def test_no_movement_is_null_with_a_reason_not_inf():
    """A run that never traded has no ratio; each null is explained."""
    values = found([0.0] * 60)
    for name in ("sharpe", "sortino", "calmar", "recovery_factor", "win_rate"):
        assert values[name] is None
        assert values["undefined"][name]
    assert values["total_return_frac"] == 0.0
    assert values["max_drawdown_frac"] == 0.0


def test_turnover_is_a_year_over_mean_equity():
    """Traded 20,000 on 10,000 in half a year: four times a year."""
    close, equity = curve([0.0] * 73)
    values = metrics(close, equity, BAR, 10_000.0, Totals(2, 1, 0, 96, 0.0, 0.0, 0.0, 8_000.0))
    assert values["turnover"] == pytest.approx(8_000 / 10_000 * 5)
    assert values["exposure_frac"] == pytest.approx(1 / 73)


def test_a_part_of_a_day_is_no_day():
    """A run from noon to noon has one midnight-to-midnight day, and its full return."""
    close = START + DAY_MS // 2 + BAR * np.arange(1, 2 * 96 + 1, dtype=np.int64)
    equity = np.linspace(10_000, 11_000, len(close))
    midnights, values = daily_equity(close, equity, BAR, 10_000.0)
    assert list(midnights) == [START + DAY_MS, START + 2 * DAY_MS]
    assert values[0] == equity[47]
    assert metrics(close, equity, BAR, 10_000.0, NOTHING)["total_return_frac"] == pytest.approx(0.1)


def test_a_run_that_starts_at_midnight_starts_from_its_cash():
    """The first midnight is before the first close: what stood there is the cash."""
    close, equity = curve([0.1, 0.1])
    assert list(daily_equity(close, equity, BAR, 10_000.0)[1]) == pytest.approx([10_000, 11_000, 12_100])


def test_lo_adjusts_only_when_autocorrelated():
    """Alternating returns are told apart; the factor at rho 0 is sqrt(365), and falls when returns trend."""
    assert lo_factor(0.0) == pytest.approx(math.sqrt(365))
    assert lo_factor(0.5) < math.sqrt(365) < lo_factor(-0.5)
    q, rho = 365, 0.3
    closed = math.sqrt(q) / math.sqrt(1 + 2 * rho / (1 - rho) * (1 - (1 - rho**q) / (q * (1 - rho))))
    assert lo_factor(rho) == pytest.approx(closed)
    swinging = found([0.01, -0.008] * 50)
    assert swinging["autocorrelation"] < -0.9
    assert swinging["sharpe_adjusted"] > swinging["sharpe"]
    still = found(np.random.default_rng(4).normal(0.001, 0.01, 2_000))
    assert still["sharpe_adjusted"] is None


def test_the_interval_holds_the_ratio_and_narrows_with_time():
    """95 % of a longer record is a narrower band; the probability agrees with it."""
    rng = np.random.default_rng(1)
    short, long = found(rng.normal(0.001, 0.01, 60)), found(rng.normal(0.001, 0.01, 1_500))
    for values in (short, long):
        assert values["sharpe_low"] < values["sharpe"] < values["sharpe_high"]
    assert long["sharpe_high"] - long["sharpe_low"] < short["sharpe_high"] - short["sharpe_low"]
    assert long["psr"] > 0.97
    assert long["sharpe_low"] > 0


def test_ruin_has_no_ratio():
    """Equity that goes through zero has no daily returns, and no infinite figure."""
    close, equity = curve([0.0] * 40)
    equity[2_000:] = -50.0
    values = metrics(close, equity, BAR, 10_000.0, NOTHING)
    assert values["sharpe"] is None
    assert values["cagr_frac"] is None
    assert values["max_drawdown_frac"] == pytest.approx(1.005)


def test_the_tail_and_the_worst_day_are_in_the_figures():
    """Sixty days, three of them the worst 5 %: -1 %, -2 %, -6 %."""
    returns = np.full(60, 0.002)
    returns[[3, 30, 50]] = -0.01, -0.06, -0.02
    values = found(returns)
    assert values["var_95_frac"] == pytest.approx(0.01)
    assert values["es_95_frac"] == pytest.approx(0.03)
    assert values["worst_day_frac"] == pytest.approx(-0.06)
    assert found(returns[:20])["undefined"]["es_95_frac"] == "fewer than 30 whole days"
    assert len(tail(np.zeros(140))) == 7
    assert len(tail(np.zeros(141))) == 8


def test_time_under_water_by_hand():
    """Cash 100, then 101, 99, 100, 102, 102, 90, 95: four of seven below the peak; a fall of three bars, an open one of two."""
    close = START + BAR * np.arange(1, 8, dtype=np.int64)
    share, longest = under_water(close, np.array([101.0, 99, 100, 102, 102, 90, 95]), BAR, 100.0)
    assert share == pytest.approx(4 / 7)
    assert longest == pytest.approx(3 * BAR / DAY_MS)
    assert under_water(close, np.arange(101.0, 108.0), BAR, 100.0) == (0.0, 0.0)
    assert under_water(close, np.full(7, 99.0), BAR, 100.0) == pytest.approx((1.0, 7 * BAR / DAY_MS))


@given(st.lists(st.floats(-0.05, 0.05), min_size=1, max_size=300), st.floats(1.0, 1e6))
def test_the_deepest_fall_is_that_of_the_definition(moves: list[float], cash: float) -> None:
    """Bit for bit the largest fall from the running peak, and the largest share of it."""
    equity = cash * np.cumprod(1.0 + np.array(moves))
    curve = np.concatenate(([cash], equity))
    peak = np.maximum.accumulate(curve)
    assert drawdown(equity, cash) == (float(((peak - curve) / peak).max()), float((peak - curve).max()))


@pytest.mark.parametrize("days", [2, 3, 7, 8, 9, 60, 129, 1_000])
def test_a_day_sharpe_is_numpy_s_mean_over_its_deviation_to_the_last_bit(days):
    """Walk-forwards take the sums themselves, for speed; ratios that were recorded before stay what they were."""
    returns = np.random.default_rng(days).standard_t(3, days) / 50
    assert a_day_sharpe(returns)[0] == float(returns.mean()) / float(returns.std(ddof=1))
