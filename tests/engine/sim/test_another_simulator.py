"""A second simulator, which shares no line with the engine: every round trip is the same.

It reads bars and settlements and knows one layer of a fixed size with stop, target and trail (D3 to D5, D12, D13, D18): the entry
at the next open, the gap at the open, the protective level before the target, trade-through by a tick, levels on the tick, the
trail as of the last close, funding of what was carried. Where the definitions leave two readings the engine's was taken: the
entry's ATR for the trail, which arms on the best price; a turned signal alone ends nothing. Slippage at entry is the engine's.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from engine.data.catalog import Catalog
from engine.sim import backtest
from tests.fakes import recordings

TICK, UNITS, TAKER, MAKER = 0.1, 0.01, 0.0005, 0.0002
FAST, SLOW, BAND, ATR_BARS = 20, 60, 0.3, 14
WARM = 9 * 96  # bars until the volatility that slippage depends on is known: three half-lives of three days (D17)
JUMP = 0.004  # of the price, every 37 bars: past stops and targets


class Trip(NamedTuple):
    """One round trip; prices without slippage."""

    entry_ms: int
    exit_ms: int
    side: int
    gross: float
    fees: float
    funding: float
    reason: str


class Open:
    """A position with its levels."""

    def __init__(self, ms: int, side: int, clean: float, paid: float, atr: float, p: Mapping[str, float]) -> None:
        self.ms, self.side, self.clean, self.paid, self.atr, self.p = ms, side, clean, paid, atr, p
        self.stop = on_tick(paid - side * p["stop_atr"] * atr, side)
        self.target = on_tick(paid + side * p["target_atr"] * atr, side) if p["target_atr"] else math.nan
        self.best, self.trail, self.funding = paid, math.nan, 0.0

    def protective(self) -> tuple[float, str]:
        """The tighter of stop and trail."""
        tighter = not math.isnan(self.trail) and (self.trail - self.stop) * self.side > 0
        return (self.trail, "trail") if tighter else (self.stop, "stop")

    def leaves(self, ms: int, open_: float, far: float, near: float) -> tuple[float, str] | None:
        """Price and reason when the bar ends it. `far`: the bar's best price for it, `near`: its worst."""
        level, why = self.protective()
        if ms > self.ms and (open_ - level) * self.side <= 0:
            return open_, why
        if (near - level) * self.side <= 0:
            return level, why
        return (self.target, "target") if (far - self.target) * self.side >= TICK * 0.999999 else None

    def closes(self, far: float) -> None:
        """The trail as of this close; it never goes back."""
        self.best = max(self.best, far) if self.side > 0 else min(self.best, far)
        armed = (self.best - self.paid) * self.side >= self.p["arm_atr"] * self.atr
        if self.p["trail_atr"] and (armed or not math.isnan(self.trail)):
            level = on_tick(self.best - self.side * self.p["trail_atr"] * self.atr, self.side)
            if math.isnan(self.trail) or (level - self.trail) * self.side > 0:
                self.trail = level


def on_tick(level: float, side: int) -> float:
    """A long's levels go up to the tick, a short's down."""
    steps = level / TICK
    return (math.ceil(steps - 1e-9) if side > 0 else math.floor(steps + 1e-9)) * TICK


def wilder(high: Any, low: Any, close: Any) -> Any:
    """The average true range."""
    before = np.concatenate(([np.nan], close[:-1]))
    ranges = np.fmax(high - low, np.fmax(abs(high - before), abs(low - before)))
    out = np.full(close.size, np.nan)
    out[ATR_BARS] = ranges[1 : ATR_BARS + 1].mean()
    for n in range(ATR_BARS + 1, close.size):
        out[n] = (out[n - 1] * (ATR_BARS - 1) + ranges[n]) / ATR_BARS
    return out


def mean(close: Any, bars: int) -> Any:
    """The simple average of the last bars."""
    return np.array([close[n - bars + 1 : n + 1].mean() if n >= bars - 1 else np.nan for n in range(close.size)])


def simulated(bars: pl.DataFrame, rates: Mapping[int, float], paid: Mapping[int, float], p: Mapping[str, float]) -> list[Trip]:
    """All round trips. `paid`: what each entry cost with its slippage, by the time of its bar."""
    ts, o, h, low, c = (bars[name].to_numpy() for name in ("ts", "open", "high", "low", "close"))
    atr, spread = wilder(h, low, c), mean(c, FAST) - mean(c, SLOW)
    trips, held, wanted = list[Trip](), None, 0
    for n in range(ts.size):
        ms = int(ts[n])
        if held is not None:
            held.funding -= held.side * UNITS * c[n - 1] * rates.get(ms, 0.0)
        elif wanted:
            held = Open(ms, wanted, o[n], paid.get(ms, o[n]), atr[n - 1], p)
        if held is not None:
            far, near = (h[n], low[n]) if held.side > 0 else (low[n], h[n])
            if (left := held.leaves(ms, o[n], far, near)) is None:
                held.closes(far)
            else:
                fee = UNITS * (held.paid * TAKER + left[0] * (MAKER if left[1] == "target" else TAKER))
                gross = (left[0] - held.clean) * held.side * UNITS
                trips.append(Trip(held.ms, ms, held.side, gross, fee, held.funding, left[1]))
                held = None
        signal = n >= WARM and abs(spread[n]) / atr[n] > BAND
        wanted = int(np.sign(spread[n])) if held is None and signal else 0
    return trips


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """Bars that jump now and then, with settlements; as files and as they are."""
    folder = tmp_path_factory.mktemp("bars")
    jumps = 1 + JUMP * np.cumsum([(-1) ** (n // 37) if n % 37 == 36 else 0 for n in range(2_500)])
    prices = [
        (pl.col(name) * pl.Series(jumps)).truediv(TICK).round().mul(TICK).alias(name) for name in ("open", "high", "low", "close")
    ]
    bars = recordings.bars(2_500, seed=7).with_columns(prices)
    recordings.write(folder, "binance_BTC-USDT_perp_15m", bars)
    recordings.write(folder, "binance_BTC-USDT_perp_funding", recordings.settlements(2_500))
    return folder, bars


@pytest.mark.parametrize(
    "p",
    [
        {"stop_atr": 2.0, "target_atr": 4.0, "arm_atr": 1.0, "trail_atr": 2.0},
        {"stop_atr": 1.0, "target_atr": 1.0, "arm_atr": 0.0, "trail_atr": 0.0},
        {"stop_atr": 3.0, "target_atr": 0.0, "arm_atr": 0.5, "trail_atr": 0.7},
    ],
    ids=str,
)
def test_another_simulator_makes_the_same_round_trips(recorded: tuple[Path, pl.DataFrame], p: dict[str, float]) -> None:
    """Times, side, reason, price moves, fees and funding of each; the engine's own slippage is all that is taken over."""
    folder, bars = recorded
    params = p | {
        "fixed_qty": UNITS,
        "vol_target": 0.0,
        "fast_bars": FAST,
        "slow_bars": SLOW,
        "band_atr": BAND,
        "atr_bars": ATR_BARS,
    }
    run = backtest("trend", "BTC-USDT", params=params, limits="wide", catalog=Catalog([(folder, "recorded")]))
    theirs = run.round_trips.filter(pl.col("exit_ms").is_not_null()).to_dicts()
    paid = dict(zip(run.round_trips["entry_ms"], run.round_trips["entry_price"], strict=True))
    rates = dict(recordings.settlements(2_500).iter_rows())
    ours = simulated(bars, rates, paid, p)
    assert len(theirs) > 50
    assert {"stop" if trip.reason == "trail" else trip.reason for trip in ours} >= {
        "stop",
        *(["target"] if p["target_atr"] else []),
    }
    for found, trip in zip(theirs, ours, strict=True):
        side = 1 if found["side"] == "long" else -1
        assert (found["entry_ms"], found["exit_ms"], side, found["reason"]) == (
            trip.entry_ms,
            trip.exit_ms,
            trip.side,
            trip.reason,
        )
        slipped = (
            found["exit_price"] * UNITS * (MAKER if trip.reason == "target" else TAKER) + found["entry_price"] * UNITS * TAKER
        )
        assert (found["gross"], found["funding"]) == pytest.approx((trip.gross, trip.funding), abs=1e-9)
        assert found["fees"] == pytest.approx(slipped, abs=1e-9)
        assert found["fees"] == pytest.approx(trip.fees, rel=1e-3)
