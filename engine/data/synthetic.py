"""A seeded synthetic market: bars and funding with the clustering, tails, hours and correlations of real ones.

Called when there is no recorded data (the first start of a desk) and by tests; written under the venue name
`synthetic`, so that it cannot be mistaken for a real market. The constants are measured on Binance perps of 2025, 15m bars:
    return = scale * hour * exp(h) * z,  h = three AR(1) waves (30 minutes, 6 hours, 15 days), mostly shared by all coins,
    z = Student's t (10 degrees), correlated across coins by one common part; extremes inside a bar are those of a
    Brownian bridge (exact law of its maximum); volume follows h and |z|; funding is a capped AR(1) every 8 hours.
Same arguments, same bits, in any process; a longer walk begins with the shorter one.
"""

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from engine.data.writer import file_name, write_series
from engine.errors import BadInput

BASE_MS = 900_000
FUNDING_MS = 8 * 3_600_000
WAVES = ((2.0, 0.16), (24.0, 0.12), (1440.0, 0.14))  # half-life in 15m bars, variance of h
SHARED = 0.8  # share of the waves' variance that all coins have in common
DEGREES = 10
# mean |return| of each UTC hour against the day's, the mean of four coins
HOURS: tuple[float, ...] = (1.11, 1.05, 0.96, 0.85, 0.81, 0.8, 0.83, 0.83, 0.87, 0.85, 0.77, 0.82)
HOURS += (0.93, 1.2, 1.45, 1.37, 1.22, 1.21, 1.06, 1.04, 1.07, 1.05, 0.99, 0.85)


class Coin(NamedTuple):
    """Figures of one symbol: return per 15m bar, correlation with the common part, log volume, funding per 8 hours."""

    start: float  # first price
    tick: float
    lot: float
    ret_bps: float
    common: float  # products give the correlations, a little more than them: own waves take some
    volume_log: float
    volume_log_std: float
    funding_bps: float
    funding_std_bps: float
    funding_memory: float  # autocorrelation of one settlement with the next
    funding_cap_bps: float


COINS = {
    "BTC-USDT": Coin(87_600.0, 0.1, 0.001, 23.8, 0.910, 7.03, 0.891, 0.47, 0.41, 0.55, 1.0),
    "ETH-USDT": Coin(2_970.0, 0.01, 0.001, 38.5, 0.938, 10.48, 0.869, 0.45, 0.44, 0.53, 1.0),
    "SOL-USDT": Coin(124.5, 0.01, 0.01, 46.1, 0.895, 12.14, 0.758, 0.05, 1.54, 0.74, 3.0),
    "XRP-USDT": Coin(1.84, 0.0001, 0.1, 47.2, 0.857, 15.59, 0.822, 0.32, 0.76, 0.48, 4.0),
    "BNB-USDT": Coin(864.0, 0.01, 0.01, 34.0, 0.83, 9.0, 0.85, 0.30, 0.50, 0.50, 1.0),
}


def synthetic(
    symbols: Sequence[str], timeframe_ms: int, from_ms: int, bars: int, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """(bars, funding) by symbol: ts, open, high, low, close, volume (as data/catalog gives them); ts, rate.

    from_ms is aligned to timeframe_ms. Raises BadInput for an unknown symbol and for an empty range.
    """
    unknown = [s for s in symbols if s not in COINS]
    if unknown:
        raise BadInput(f"no synthetic {unknown[0]}", f"available: {', '.join(COINS)}")
    if bars < 1 or timeframe_ms < 1 or from_ms % timeframe_ms:
        raise BadInput(
            f"invalid range: {bars} bars of {timeframe_ms} ms from {from_ms}",
            "from_ms must be aligned to the timeframe, and bars at least 1",
        )
    shared = _waves(seed, "common", timeframe_ms, bars)
    common_z = _stream(seed, "common z").standard_normal(bars)
    # the tail is shared: a crash is one for every coin
    tail = np.sqrt(_stream(seed, "tail").chisquare(DEGREES, bars) / (DEGREES - 2))
    hour = _hours(from_ms, timeframe_ms, bars)
    ts = from_ms + timeframe_ms * np.arange(bars, dtype=np.int64)
    frames, rates = {}, {}
    for symbol in symbols:
        own = _waves(seed, symbol, timeframe_ms, bars)
        wave = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own
        coin = COINS[symbol]
        z = coin.common * common_z + np.sqrt(1 - coin.common**2) * _stream(seed, f"{symbol} z").standard_normal(bars)
        frames[symbol] = _bars(symbol, coin, seed, ts, z, wave, hour, tail, np.sqrt(timeframe_ms / BASE_MS))
        rates[symbol] = _funding(symbol, coin, seed, from_ms, from_ms + timeframe_ms * bars)
    return frames, rates


def write_synthetic(
    folder: Path, symbols: Sequence[str], timeframe: str, timeframe_ms: int, from_ms: int, bars: int, seed: int
) -> list[Path]:
    """Write the market as parquet files of the catalog (bars and funding) into `folder`; returns their paths."""
    frames, rates = synthetic(symbols, timeframe_ms, from_ms, bars, seed)
    origin = {"seed": str(seed), "notes": "SYNTHETIC: no market ever traded this"}
    written = []
    for symbol in symbols:
        for series, frame in ((timeframe, frames[symbol]), ("funding", rates[symbol])):
            path = folder / file_name("synthetic", symbol, "perp", series)
            written.append(write_series(path, frame, "synthetic", origin))
    return written


def _stream(seed: int, name: str) -> np.random.Generator:
    """A random stream of its own for each part: adding a coin or a bar changes no other number."""
    key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
    return np.random.Generator(np.random.PCG64(key))


def _waves(seed: int, name: str, timeframe_ms: int, bars: int) -> np.ndarray:
    """Log volatility around 0: AR(1) waves in their stationary state, with half-lives in time, not in bars."""
    total = np.zeros(bars)
    for k, (half_life, variance) in enumerate(WAVES):
        keep = 0.5 ** (timeframe_ms / BASE_MS / half_life)
        shocks = _stream(seed, f"{name} wave {k}").standard_normal(bars) * np.sqrt(1 - keep * keep)
        shocks[0] /= np.sqrt(1 - keep * keep)
        total += np.sqrt(variance) * _ar1(shocks, keep)
    return total


def _ar1(shocks: np.ndarray, keep: float) -> np.ndarray:
    """Each value is its shock plus `keep` of the value before. In plain Python: scipy's filter costs a second of import."""
    return np.array(list(accumulate(shocks.tolist(), lambda before, shock: shock + keep * before)))


def _hours(from_ms: int, timeframe_ms: int, bars: int) -> np.ndarray:
    """The hour's factor of each bar, with mean square 1."""
    at = ((from_ms + timeframe_ms * np.arange(bars, dtype=np.int64)) // 3_600_000) % 24
    factor = np.asarray(HOURS)
    return (factor / np.sqrt((factor**2).mean()))[at]


def _bars(
    symbol: str,
    coin: Coin,
    seed: int,
    ts: np.ndarray,
    z: np.ndarray,
    wave: np.ndarray,
    hour: np.ndarray,
    tail: np.ndarray,
    scale: float,
) -> pl.DataFrame:
    """OHLCV of one coin from its shocks; prices on the tick, volume on the lot."""
    variance = sum(v for _, v in WAVES)
    spread = coin.ret_bps / 1e4 * scale * hour * np.exp(wave - variance) / tail  # conditional sd of each bar
    returns = spread * z
    close = coin.start * np.exp(np.cumsum(returns - 0.5 * (coin.ret_bps / 1e4 * scale) ** 2))
    opened = np.concatenate([[coin.start], close[:-1]])
    move = np.log(close / opened)
    draw = _stream(seed, f"{symbol} inside")
    inside = draw.random((ts.size, 2))  # rows, not columns: a longer walk draws the same first rows
    # the maximum of a bridge from 0 to m with variance s^2 is (m + sqrt(m^2 - 2 s^2 ln u)) / 2; the path varies a bit
    # more than the close tells, as prices bounce between bid and ask
    reach = 2 * (1.04 * spread) ** 2
    up = (move + np.sqrt(move**2 - reach * np.log(1 - inside[:, 0]))) / 2
    down = (-move + np.sqrt(move**2 - reach * np.log(1 - inside[:, 1]))) / 2
    high, low = opened * np.exp(up), opened * np.exp(-down)
    noise = _stream(seed, f"{symbol} volume").standard_normal(ts.size)
    size = np.log(np.abs(z / tail) + 0.25)
    log_volume = 0.9 * (wave + np.log(hour)) + 0.28 * size + 0.55 * noise
    log_volume = (log_volume + 0.17) * coin.volume_log_std / 0.81 + coin.volume_log + 2 * np.log(scale)
    volume = np.maximum(np.round(np.exp(log_volume) / coin.lot), 1) * coin.lot

    def on_tick(price: np.ndarray) -> np.ndarray:
        """The nearest tick, never 0."""
        return np.maximum(np.round(price / coin.tick), 1) * coin.tick

    o, c = on_tick(opened), on_tick(close)
    h, low = np.maximum(on_tick(high), np.maximum(o, c)), np.minimum(on_tick(low), np.minimum(o, c))
    digits = 10
    columns = {"open": o, "high": h, "low": low, "close": c, "volume": volume}
    return pl.DataFrame({"ts": ts, **{name: np.round(value, digits) for name, value in columns.items()}})


def _funding(symbol: str, coin: Coin, seed: int, from_ms: int, to_ms: int) -> pl.DataFrame:
    """Settlements at 00:00, 08:00 and 16:00 UTC from the one at or before the first bar to the last bar."""
    ts = np.arange(from_ms // FUNDING_MS * FUNDING_MS, to_ms, FUNDING_MS, dtype=np.int64)
    shocks = _stream(seed, f"{symbol} funding").standard_normal(ts.size)
    # a cap takes some of the spread and the memory away, so the uncapped rate has more of both
    keep = min(coin.funding_memory * 1.08, 0.95)
    shocks[1:] *= np.sqrt(1 - keep * keep)
    latent = coin.funding_bps + 1.12 * coin.funding_std_bps * _ar1(shocks, keep)
    rate = np.round(np.clip(latent, -30.0, coin.funding_cap_bps) / 1e4, 8)
    return pl.DataFrame({"ts": ts, "rate": rate})
