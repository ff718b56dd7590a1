"""The metrics of a run (DEFINITIONS D6, D18). sim/backtest.py calls it with each bar's equity and the trips.

Sharpe and Sortino equal empyrical's with annualization=365 to the last digits (a test compares them); its import costs 2 CPU
seconds, half of what a whole backtest may take, so the formulas are here. An undefined figure is None, with its reason.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.clock import DAY_MS
from engine.sim.tails import expected_shortfall, under_water, value_at_risk, worst_day

DAYS_A_YEAR = 365
DAYS_MIN = 30  # under it: no CAGR, no Calmar
TRIPS_MIN = 2  # under it: no win rate
AUTOCORRELATION_MIN = 0.1  # above it the Sharpe ratio is also given as Lo (2002) adjusts it
CONFIDENCE = 0.95

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
DayEnds = Callable[[Times, int], tuple[Times, Times]]  # close times, ms a bar -> where days end, the last bar closed by then


class Totals(NamedTuple):
    """Sums over a run that come from its rows (quote units; `traded` is notional, `bars_held` a count of bars)."""

    trades: int
    wins: int
    open_trades: int
    bars_held: int
    fees: float
    funding: float  # received minus paid
    slippage: float
    traded: float


def metrics(
    close_ms: Times, equity: Floats, timeframe_ms: int, cash: float, totals: Totals, days_of: DayEnds | None = None
) -> dict[str, Any]:
    """The figures of one run, and `undefined`: name -> why it is None.

    close_ms, equity: (n,) close of each bar and marked equity there, n >= 1; cash: equity before the first bar (quote);
    days_of: where its days end, by default `midnights_of`.
    Returns, drawdowns, exposure and win rate are fractions; turnover is per year; money is in quote units.
    """
    returns = daily_returns(daily_equity(close_ms, equity, timeframe_ms, cash, days_of or midnights_of)[1])
    days = float(close_ms[-1] - close_ms[0] + timeframe_ms) / DAY_MS
    profit = float(equity[-1]) - cash
    fall_frac, fall = drawdown(equity, cash)
    found = RunFigures()
    found.put("total_return_frac", profit / cash)
    found.put("net_profit", profit)
    found.put("cagr_frac", *growth(cash, float(equity[-1]), days))
    sharpe_figures(found, returns)
    found.put("sortino", *sortino(returns))
    found.put("calmar", *calmar(found.values["cagr_frac"], fall_frac, days))
    found.put("max_drawdown_frac", fall_frac)
    found.put("max_drawdown", fall)
    found.put("recovery_factor", *ratio(profit, fall, "the equity never fell"))
    found.put("var_95_frac", *value_at_risk(returns))
    found.put("es_95_frac", *expected_shortfall(returns))
    found.put("worst_day_frac", *worst_day(returns))
    below, longest = under_water(close_ms, equity, timeframe_ms, cash)
    found.put("under_water_frac", below)
    found.put("under_water_days", longest)
    rated = totals.trades >= TRIPS_MIN
    found.put("win_rate", totals.wins / totals.trades if rated else None, f"fewer than {TRIPS_MIN} round trips")
    found.put("exposure_frac", totals.bars_held / len(equity))
    mean = float(equity.mean())
    found.put("turnover", *ratio(totals.traded * DAYS_A_YEAR / days, mean, "mean equity is not positive"))
    for name in ("trades", "open_trades", "fees", "funding", "slippage", "traded"):
        found.put(name, getattr(totals, name))
    found.put("days", days)
    return {**found.values, "undefined": found.undefined}


class RunFigures:
    """Collects named figures for the report; a None has its reason in `undefined`."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.undefined: dict[str, str] = {}

    def put(self, name: str, value: float | None, reason: str = "") -> None:
        """Store `value`; None or a number that is not finite becomes None with `reason`."""
        if value is None or not math.isfinite(value):
            self.values[name], self.undefined[name] = None, reason or "not a finite number"
        else:
            self.values[name] = value


def midnights_of(close_ms: Times, timeframe_ms: int) -> tuple[Times, Times]:
    """(every UTC midnight of a span, the last bar that had closed by then; -1 before the first)."""
    start = int(close_ms[0]) - timeframe_ms
    midnights = np.arange(-(-start // DAY_MS) * DAY_MS, int(close_ms[-1]) + 1, DAY_MS, dtype=np.int64)
    return midnights, np.searchsorted(close_ms, midnights, side="right") - 1


def own_days(close_ms: Times, timeframe_ms: int) -> tuple[Times, Times]:
    """The same for days of 24 hours from the span's own begin: (its begin and the end of each day, the last bar closed by then).

    The last day may be shorter: returns from one to the next compound to the span's total, whenever it begins and ends.
    """
    start, end = int(close_ms[0]) - timeframe_ms, int(close_ms[-1])
    ends = np.append(np.arange(start, end, DAY_MS, dtype=np.int64), end)
    return ends, np.searchsorted(close_ms, ends, side="right") - 1


def daily_equity(
    close_ms: Times, equity: Floats, timeframe_ms: int, cash: float, days_of: DayEnds = midnights_of
) -> tuple[Times, Floats]:
    """Marked equity where days end from the run's start to its end: (times, values); flat days included.

    By UTC midnights a partial first or last day counts in the total return and the drawdown, not in the daily figures.
    """
    ends, at = days_of(close_ms, timeframe_ms)
    return ends, np.where(at >= 0, equity[at], cash)


def daily_returns(daily: Floats) -> Floats:
    """Simple returns from one day's end to the next; none once the equity is not positive."""
    return daily[1:] / daily[:-1] - 1.0 if len(daily) and (daily > 0).all() else np.empty(0)


def drawdown(equity: Floats, cash: float) -> tuple[float, float]:
    """The deepest fall from a peak on the bar series: (fraction of the peak, quote units), each at its worst bar."""
    from engine.core.kernel import deepest_fall

    return deepest_fall(np.ascontiguousarray(equity, np.float64), float(cash))


def ratio(above: float, below: float, reason: str) -> tuple[float | None, str]:
    """`above / below`, or None and `reason` when `below` is not positive."""
    return (above / below, "") if below > 0 else (None, reason)


def growth(start: float, end: float, days: float) -> tuple[float | None, str]:
    """Compound growth a year: (E_N / E_0) ** (365 / N) - 1."""
    if days < DAYS_MIN:
        return None, f"fewer than {DAYS_MIN} days"
    if end <= 0:
        return None, "the equity is not positive at the end"
    return math.expm1(math.log(end / start) * DAYS_A_YEAR / days), ""


def calmar(cagr_frac: float | None, fall_frac: float, days: float) -> tuple[float | None, str]:
    """CAGR over the maximum drawdown of the bar series (empyrical takes the daily series, which falls less deep)."""
    if cagr_frac is None:
        return None, f"fewer than {DAYS_MIN} days" if days < DAYS_MIN else "the CAGR is undefined"
    return ratio(cagr_frac, fall_frac, "the equity never fell")


def sortino(returns: Floats) -> tuple[float | None, str]:
    """mean / sqrt(mean(min(r, 0)^2 over all days)) * sqrt(365)."""
    if len(returns) < 2:
        return None, "fewer than 2 whole days"
    below = float(np.sqrt(np.mean(np.square(np.minimum(returns, 0.0)))))
    value, reason = ratio(float(returns.mean()), below, "no losing day")
    return (None if value is None else value * math.sqrt(DAYS_A_YEAR)), reason


def sharpe_figures(found: RunFigures, returns: Floats) -> None:
    """Put the Sharpe ratio, its interval, the probability of being above zero, and Lo's adjustment where it matters."""
    names = ("sharpe", "sharpe_low", "sharpe_high", "psr", "autocorrelation", "sharpe_adjusted")
    a_day, reason = a_day_sharpe(returns)
    if a_day is None:
        for name in names:
            found.put(name, None, reason)
        return
    found.put("sharpe", a_day * math.sqrt(DAYS_A_YEAR))
    error = sharpe_error(returns, a_day)
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    for name, sign in (("sharpe_low", -1), ("sharpe_high", 1)):
        value = None if error is None else (a_day + sign * reach * error) * math.sqrt(DAYS_A_YEAR)
        found.put(name, value, f"fewer than {DAYS_MIN} whole days")
    found.put("psr", None if error is None else NormalDist().cdf(a_day / error), f"fewer than {DAYS_MIN} whole days")
    rho = autocorrelation(returns)
    found.put("autocorrelation", rho)
    adjusted = lo_sharpe(returns)[0] if abs(rho) > AUTOCORRELATION_MIN else None
    found.put("sharpe_adjusted", adjusted, f"daily returns are not autocorrelated enough (rho {rho:+.2f})")


def a_day_sharpe(returns: Floats) -> tuple[float | None, str]:
    """Sharpe ratio per day: mean over the deviation with ddof 1, bit for bit as numpy's `std` and `mean` have them.

    A walk-forward asks for thousands of a few days each, where numpy's own functions take five times as long as their sums.
    """
    if len(returns) < 2:
        return None, "fewer than 2 whole days"
    mean = float(np.add.reduce(returns)) / len(returns)
    apart = returns - mean
    spread = math.sqrt(float(np.add.reduce(apart * apart)) / (len(returns) - 1))
    if not spread > 1e-12:
        return None, "the daily returns never vary"
    return mean / spread, ""


def sharpe_error(returns: Floats, a_day: float) -> float | None:
    """Standard error of the daily Sharpe ratio of these returns; skew and raw kurtosis are population moments (ddof 0)."""
    if len(returns) < DAYS_MIN:
        return None
    z = (returns - returns.mean()) / returns.std()
    return error_of_moments(a_day, len(returns), float(np.mean(z**3)), float(np.mean(z**4)))


def error_of_moments(a_day: float, count: int, skew: float = 0.0, kurtosis: float = 3.0) -> float | None:
    """Standard error of a daily Sharpe ratio over `count` days with skew and raw kurtosis (Bailey & Lopez de Prado 2012); None
    where the moments are too extreme for it."""
    inner = 1.0 - skew * a_day + (kurtosis - 1.0) / 4.0 * a_day * a_day
    return math.sqrt(inner / (count - 1)) if inner > 0 else None


def days_to_tell(returns: Floats) -> tuple[int | None, str]:
    """Days until the 95 % interval of a ratio like this one leaves zero out."""
    a_day, reason = a_day_sharpe(returns)
    if a_day is None:
        return None, reason
    error = sharpe_error(returns, a_day)
    if error is None:
        return None, f"fewer than {DAYS_MIN} whole days"
    return days_at(a_day, error * math.sqrt(len(returns) - 1))


def days_at(a_day: float, error_of_one: float) -> tuple[int | None, str]:
    """Days until the interval of a daily ratio leaves zero out; `error_of_one`: its standard error times sqrt(n - 1)."""
    if not a_day:
        return None, "a ratio of 0 never differs from zero"
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    return math.ceil(1 + (reach * error_of_one / a_day) ** 2), ""


def lo_sharpe(returns: Floats) -> tuple[float | None, str]:
    """Sharpe ratio a year under the returns' first-order autocorrelation (Lo 2002), an AR(1) as `lo_factor` takes it."""
    a_day, reason = a_day_sharpe(returns)
    return (None, reason) if a_day is None else (a_day * lo_factor(autocorrelation(returns)), "")


def autocorrelation(returns: Floats) -> float:
    """First-order autocorrelation of the returns; they vary."""
    z = returns - returns.mean()
    return float((z[1:] * z[:-1]).sum() / (z * z).sum())


def lo_factor(rho: float, periods: int = DAYS_A_YEAR) -> float:
    """What a daily Sharpe ratio is multiplied by when returns follow an AR(1) of `rho` (Lo 2002); sqrt(365) at 0."""
    lag = np.arange(1, periods)
    return periods / math.sqrt(periods + 2.0 * float(((periods - lag) * np.power(rho, lag)).sum()))
