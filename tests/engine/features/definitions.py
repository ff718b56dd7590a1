"""Small definitions in plain lists that the features are compared with. Used by test_definitions.py and its tables of indicators.

Each takes an unbroken run of bars, column by column, and gives one value or None a bar. 4-hour bars: a day is six of them.
"""

import itertools
import statistics
from collections.abc import Callable
from math import sqrt

TF = 4 * 3_600_000
DAY = 6  # bars
Values = list[float | None]
Run = dict[str, list[float]]


def mean(values: list[float]) -> float:
    """Sum over count."""
    return sum(values) / len(values)


def windowed(values: list[float], n: int, of: Callable[[list[float]], float | None]) -> Values:
    """`of` the last n values, once there are n."""
    return [of(values[t - n + 1 : t + 1]) if t >= n - 1 else None for t in range(len(values))]


def ema(values: list[float], n: int) -> Values:
    """Begins at the mean of the first n; weight 2 / (n + 1)."""
    out: Values = [None] * len(values)
    for t in range(n - 1, len(values)):
        before = out[t - 1] if t >= n else None
        out[t] = mean(values[:n]) if before is None else before + 2 / (n + 1) * (values[t] - before)
    return out


def wilder(values: list[float], n: int) -> Values:
    """Begins at the mean of the first n; weight 1 / n."""
    out: Values = [None] * len(values)
    for t in range(n - 1, len(values)):
        before = out[t - 1] if t >= n else None
        out[t] = mean(values[:n]) if before is None else ((n - 1) * before + values[t]) / n
    return out


def rsi(close: list[float], n: int) -> Values:
    """Wilder's averages of gains and losses; unknown where the window did not move."""
    moves = [b - a for a, b in itertools.pairwise(close)]
    up, down = (wilder([max(sign * m, 0.0) for m in moves], n) for sign in (1, -1))
    out: Values = [None] * len(close)
    for t, (gain, loss) in enumerate(zip(up, down, strict=True), 1):
        still = t >= n and len(set(close[t - n : t + 1])) == 1
        if gain is not None and loss is not None and not still:
            out[t] = 100.0 * gain / (gain + loss)
    return out


def true_ranges(run: Run) -> list[float]:
    """From the second bar on: the bar with the close before it."""
    rows = zip(run["high"][1:], run["low"][1:], run["close"], strict=False)
    return [max(h, c) - min(lo, c) for h, lo, c in rows]


def atr(run: Run, n: int) -> Values:
    """Wilder's average of true ranges."""
    return [None, *wilder(true_ranges(run), n)][: len(run["close"])]


def vol(close: list[float], days: float) -> Values:
    """Root of the mean of squared returns, weights halving every `days`, a year of 365 days; after three half-lives."""
    half = days * DAY
    out: Values = [None] * len(close)
    squares = [(b / a - 1.0) ** 2 for a, b in itertools.pairwise(close)]
    for t in range(1, len(close)):
        if t >= 3 * half:
            weights = [0.5 ** ((t - 1 - k) / half) for k in range(t)]
            out[t] = sqrt(365 * DAY * sum(w * s for w, s in zip(weights, squares[:t], strict=True)) / sum(weights))
    return out


def vol_ratio(run: Run, n: int) -> Values:
    """ATR over close against its median of up to thirty days, at least a day of them; never below one."""
    share = [None if a is None else a / c for a, c in zip(atr(run, n), run["close"], strict=True)]
    out: Values = [None] * len(share)
    for t, now in enumerate(share):
        seen = [s for s in share[max(0, t - 30 * DAY + 1) : t + 1] if s is not None]
        if now is not None and len(seen) >= DAY:
            out[t] = max(1.0, now / statistics.median(seen))
    return out


def zscore(window: list[float]) -> float | None:
    """The last value's distance from the mean in standard deviations."""
    spread = statistics.pstdev(window)
    return (window[-1] - mean(window)) / spread if spread > 1e-9 else None


def times_usual(values: list[float]) -> Values:
    """Each over the mean of the 24 before it, more than a day here."""
    before = [None, *windowed(values, 24, mean)][: len(values)]
    return [x / usual if usual else None for x, usual in zip(values, before, strict=True)]
