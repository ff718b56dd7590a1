"""Bars with an edge planted in them, and the strategy that sees it: for tests of what judges strategies.

At drawn bars the volume is eight times the usual; the price then drifts for some bars to the side on which that bar closed.
Nothing else is predictable.
"""

from pathlib import Path

import numpy as np
import polars as pl

from tests.fakes import recordings

HOUR_MS = 3_600_000
DRIFT_BARS = 6
SYMBOLS = {"BTC-USDT": (60_000.0, 0.1), "ETH-USDT": (3_000.0, 0.01), "SOL-USDT": (150.0, 0.01)}

FOLLOWER = '''"""Follows a burst of volume for six bars."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "{name}"
FEATURES = ("sma",)


class Params(StrategyParams):
    """When a burst is one, and for how long it is followed."""

    times: float = knob(4.0, 1.0, 20.0, "x", None, "volume of a burst, in usual volumes")
    follow_bars: int = knob(6, 1, 100, "bars", None, "how long it is followed")
    stop_atr: float = knob(5.0, 0.0, 20.0, "ATR", "up", "initial stop")
    target_atr: float = knob(0.0, 0.0, 50.0, "ATR", None, "target", zero="no target in ATRs")
    trail_atr: float = knob(0.0, 0.0, 20.0, "ATR", "up", "trail", zero="no trail in ATRs")


def signals(f, p):
    before = np.append(np.full(24, np.nan), np.convolve(f.volume, np.full(24, 1 / 24), "valid")[:-1])
    burst = f.volume > p.times * before
    direction = np.where(burst, np.sign(f.close - f.open), 0).astype(np.int8)
    return SignalFrame(direction, np.abs(direction).astype(float), hold_bars=p.follow_bars)
'''


def bars(count: int, drift_bps: float, seed: int, price: float, tick: float, every: int = 30) -> pl.DataFrame:
    """Hourly bars; after a burst, about one in `every` bars, `drift_bps` to its side over the next DRIFT_BARS bars."""
    rng = np.random.default_rng(seed)
    moves, burst = rng.normal(0.0, 0.006, count), rng.random(count) < 1.0 / every
    for at in np.flatnonzero(burst):
        moves[at + 1 : at + 1 + DRIFT_BARS] += np.sign(moves[at]) * drift_bps / 10_000 / DRIFT_BARS
    close = price * np.exp(np.cumsum(moves))
    open_ = np.concatenate(([price], close[:-1]))
    reach = np.abs(rng.normal(0, 0.002, (2, count)))
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    columns = {name: np.round(x / tick) * tick for name, x in (("open", open_), ("high", high), ("low", low), ("close", close))}
    volume = 5_000.0 * rng.lognormal(0.0, 0.2, count) * np.where(burst, 8.0, 1.0)
    ts = recordings.FIRST_MS + HOUR_MS * np.arange(count, dtype=np.int64)
    return pl.DataFrame({"ts": ts, **columns, "volume": np.round(volume, 3)})


def record(folder: Path, drift_bps: float, count: int = 13_000, seed: int = 1) -> Path:
    """Hourly bars of three perpetuals with that edge, each with a market of its own; returns the folder."""
    for n, (symbol, (price, tick)) in enumerate(SYMBOLS.items()):
        recordings.write(folder, f"binance_{symbol}_perp_1h", bars(count, drift_bps, seed + 10 * n, price, tick))
    return folder
