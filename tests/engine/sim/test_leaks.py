"""F10, the leak: no clean strategy is accused; people's files, memory, chance and short histories."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.errors import StrategyError
from engine.features.frame import COLUMNS, FeatureFrame
from engine.sim import leaks
from engine.strategies.base import SHIPPED, SignalFrame, StrategyParams, load_strategy
from tests.fakes.rules_on_bars import COUNT, FRAME, QUARTER_MS, clock, closes, frame_of, strategy

# ---------------------------------------------------------------- clean ones


def hourly_by_availability(f, p):
    """The last finished hour's close: joined when it is known."""
    x, hour = closes(f), clock(f)
    last = np.flatnonzero(np.diff(hour, append=hour[-1:] + ((f.close_ms[-1:] % 3_600_000) == 0)))
    at = np.searchsorted(f.close_ms[last], f.close_ms, side="right") - 1
    return np.where(at >= 0, x > x[last[np.maximum(at, 0)]] if len(last) else False, False)


def own_loop(f, p):
    """A running state in a plain loop."""
    out, level = np.zeros(len(f), int), 0.0
    for t, x in enumerate(closes(f)):
        level = 0.9 * level + 0.1 * x
        out[t] = 1 if x > level else -1
    return out


def early_out(f, p):
    """Answers a short history without reading anything."""
    return np.zeros(len(f), int) if len(f) < 200 else f.close > f.sma(200)


def polars_rolling(f, p):
    """Rolling statistics of a frame library."""
    import polars as pl

    x = pl.Series(closes(f))
    mean, deviation = x.rolling_mean(30).to_numpy(), x.rolling_std(30).to_numpy()
    return np.nan_to_num(closes(f) - mean) > np.nan_to_num(deviation)


def polars_smooth(f, p):
    """An exponential mean of a frame library."""
    import polars as pl

    return closes(f) > pl.Series(closes(f)).ewm_mean(span=40).to_numpy()


def windows(f, p):
    """Quantile of a window by a sliding view."""
    x, out = closes(f), np.zeros(len(f), int)
    if len(x) >= 50:
        view = np.lib.stride_tricks.sliding_window_view(x, 50)
        out[49:] = x[49:] >= np.quantile(view, 0.9, axis=1)
    return out


def fitted_on_the_past(f, p):
    """A line refitted at every 100th bar on the 100 before it."""
    x, out = closes(f), np.zeros(len(f), int)
    for t in range(100, len(x), 100):
        slope = np.polyfit(np.arange(100), x[t - 100 : t], 1)[0]
        out[t : t + 100] = np.sign(slope)
    return out


def raises_while_it_warms_up(f, p):
    """A window that does not fit a short history raises, as honest library calls do."""
    out = np.zeros(len(f), int)
    out[149:] = np.lib.stride_tricks.sliding_window_view(closes(f), 150).mean(axis=1) > 100.0
    return out


CLEAN: dict[str, Callable[[FeatureFrame, Any], Any]] = {
    "sma": lambda f, p: f.close > f.sma(40),
    "ema pair": lambda f, p: np.sign(f.ema(12) - f.ema(60)),
    "rsi": lambda f, p: (f.rsi(14) < 30).astype(int) - (f.rsi(14) > 70),
    "breakout": lambda f, p: np.append(False, f.close[1:] > f.highest(96)[:-1]),
    "channel": lambda f, p: f.close <= f.lowest(50) * 1.001,
    "zscore": lambda f, p: -np.sign(f.zscore(50)) * (np.abs(f.zscore(50)) > 2),
    "momentum": lambda f, p: f.returns(96) > 0.0,
    "range": lambda f, p: (f.high - f.low) > 2.0 * f.atr(14),
    "calm": lambda f, p: f.vol(0.5) < 0.5,
    "busy": lambda f, p: f.volume * 96 > 2.0 * f.day_volume(),
    "shift one back": lambda f, p: np.append(False, f.close[1:] > f.close[:-1]),
    "expanding high": lambda f, p: closes(f) >= np.maximum.accumulate(closes(f)),
    "expanding mean": lambda f, p: closes(f) > np.cumsum(closes(f)) / (np.arange(len(f)) + 1),
    "causal filter": lambda f, p: closes(f) > np.convolve(closes(f), np.ones(20) / 20)[: len(f)],
    "hours": lambda f, p: (f.close_ms // 3_600_000) % 24 < 8,
    "always": lambda f, p: np.ones(len(f), int),
    "never": lambda f, p: np.zeros(len(f), int),
    "seeded noise": lambda f, p: np.random.default_rng(1).random(len(f)) < 0.5,
    "hourly by availability": hourly_by_availability,
    "own loop": own_loop,
    "early out": early_out,
    "polars rolling": polars_rolling,
    "polars smooth": polars_smooth,
    "sliding windows": windows,
    "fitted on the past": fitted_on_the_past,
    "raises while it warms up": raises_while_it_warms_up,
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_strategy_is_not_accused(name) -> None:
    """0 of 20 and more: bit for bit the same, whatever honest arithmetic it uses."""
    report = leaks.check(strategy(CLEAN[name]), StrategyParams(), FRAME)
    assert report.clean, report.text
    assert (report.bar, report.output) == (-1, "")
    assert report.checked == 200
    assert len(CLEAN) >= 20


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_strategies_do_not_look_ahead(name, market_data) -> None:
    """A recorded year, the shipped parameters."""
    import polars as pl

    bars = pl.read_parquet(market_data / "ohlcv" / "binance_SOL-USDT_perp_15m.parquet").tail(35_040)
    close_ms = (np.arange(len(bars)) + 1) * QUARTER_MS
    module = load_strategy(name)
    frame = FeatureFrame(close_ms, *(bars[c] for c in COLUMNS), QUARTER_MS)
    report = leaks.check(module, module.Params(), frame)
    assert report.clean, report.text
    assert "200 prefixes of 35,040 bars agree" in report.text


# ---------------------------------------------------------------- people's files, odd cases

HEAD = """
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME, FEATURES = "mine", ()
seen = {}


class Params(StrategyParams):
    pass


def signals(f, p):
    x = np.where(np.isfinite(f.close), f.close, 0.0)
"""


def own_file(home: Path, body: str) -> Any:
    """A person's file with this body of signals()."""
    path = home / "strategies" / "mine.py"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + body)
    return load_strategy("mine")


def test_a_scaler_remembered_from_the_first_run_is_found(own_home) -> None:
    """Fitted once on the whole history and kept in the module, it gives every prefix the same answer: found all the same."""
    body = "    top = seen.setdefault('top', x.max())\n    up = x > 0.9 * top\n"
    mine = own_file(own_home, body + "    return SignalFrame(up.astype(np.int8), up.astype(float))\n")
    mine.signals(FRAME, mine.Params())
    assert not leaks.check(mine, mine.Params(), FRAME).clean


@pytest.mark.parametrize(
    "line",
    ["seen['n'] = seen.get('n', 0) + 1; up = (x > 0) & (seen['n'] % 150 != 0)", "up = np.random.random(len(x)) < 0.5"],
)
def test_chance_and_memory_are_found(own_home, line) -> None:
    """Random numbers and a counter of calls: the same bars get two answers."""
    mine = own_file(own_home, f"    {line}\n    return SignalFrame(up.astype(np.int8), up.astype(float))\n")
    assert not leaks.check(mine, mine.Params(), FRAME).clean


def test_a_strategy_that_remembers_is_called_unsteady() -> None:
    """All prefixes agree, and the second look at the whole history does not: it says so, with the bar."""
    calls = []

    def rule(f, p):
        calls.append(len(f))
        direction = np.zeros(len(f), int)
        direction[77:] = calls.count(len(FRAME)) > 1
        return direction

    report = leaks.check(strategy(rule), StrategyParams(), FRAME)
    assert not report.clean
    assert report.text.startswith("unsteady at bar 77 (")


def test_rounding_is_told_from_foresight() -> None:
    """A sum taken from the end differs in the last digits only: still not law 2, and the line says which it is."""

    def signals(f, p):
        x = np.where(np.isfinite(f.returns(1)), f.returns(1), 0.0)
        past = x.sum() - np.append(np.cumsum(x[::-1])[::-1][1:], 0.0)
        return SignalFrame(np.ones(len(f), np.int8), 0.5 + 0.01 * np.clip(past, -1, 1))

    own = SimpleNamespace(NAME="mine", FEATURES=("returns",), Params=StrategyParams, signals=signals)
    report = leaks.check(own, StrategyParams(), FRAME)
    assert not report.clean
    assert "the difference is rounding" in report.text


def test_a_strategy_that_needs_much_history_is_told_so() -> None:
    """It works on the whole and raises on a beginning: one line with the length."""

    def rule(f, p):
        return np.ones(len(f)) * (1 if f.close[2000] else 0)

    with pytest.raises(StrategyError, match=r"with only the first [\d,]+ bars: strategy mine raised IndexError"):
        leaks.check(strategy(rule), StrategyParams(), FRAME)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_a_short_history_is_checked_as_far_as_it_goes(count) -> None:
    """No bar twice, none invented."""
    report = leaks.check(strategy(CLEAN["always"]), StrategyParams(), frame_of(100).prefix(count))
    assert report.clean
    assert report.checked == max(count - 1, 0)


def test_half_of_the_bars_have_a_signal_and_the_last_ones_and_holes_are_there() -> None:
    """The draw: ascending, no bar twice, the same for the same seed, another for another."""
    direction = np.zeros(COUNT, np.int8)
    direction[np.random.default_rng(0).choice(COUNT, 400, replace=False)] = 1
    close = np.cumsum(np.random.default_rng(1).normal(0.0, 1.0, COUNT)) + 1_000.0
    close[[40, 41]] = np.nan
    ends = leaks.prefixes(direction, close, 200, 0)
    assert len(ends) == len(set(ends)) == 200
    assert ends == sorted(ends) == leaks.prefixes(direction, close, 200, 0) != leaks.prefixes(direction, close, 200, 1)
    assert sum(bool(direction[end - 1]) for end in ends) >= 100
    assert {41, 42, *range(COUNT - 8, COUNT)} <= set(ends)


def test_progress_is_told() -> None:
    """Shares of the work, rising to 1."""
    shares: list[float] = []
    leaks.check(strategy(CLEAN["sma"]), StrategyParams(), FRAME, progress=shares.append)
    assert shares == sorted(shares)
    assert (len(shares), shares[-1]) == (200, 1.0)


def test_a_strategy_that_remembers_more_than_paper_sees_is_found() -> None:
    """A sum of its own over all bars is causal, and still differs once the history begins at the anchor of features."""
    count = 1_000  # bars of 12 hours: five whole quarters and a part of the sixth; the price was low in the first
    close = np.where(np.arange(count) < 180, 50.0, 100.0 + 3.0 * np.sin(np.arange(count)))
    step = 12 * 3_600_000
    frame = FeatureFrame((np.arange(count) + 1) * step, close, close + 1, close - 1, close, np.ones(count), step)
    rules = {
        "mean of all bars": lambda f, p: f.close > np.cumsum(f.close) / (np.arange(len(f)) + 1),
        "features": lambda f, p: f.close > f.ema(12),
    }
    reports = {name: leaks.check(strategy(rule), StrategyParams(), frame) for name, rule in rules.items()}
    assert reports["features"].clean, reports["features"].text
    assert not reports["mean of all bars"].clean
    assert reports["mean of all bars"].text.startswith("remembers too much at bar ")
    assert "on the bars since 1970-04-01 00:00Z that paper has" in reports["mean of all bars"].text
