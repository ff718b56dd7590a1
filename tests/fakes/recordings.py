"""Parquet files of made-up bars and settlements, named as recordings are: for tests that must not need real data."""

from pathlib import Path

import numpy as np
import polars as pl

FIRST_MS = 1_735_689_600_000  # 2025-01-01
BAR_MS = 900_000
SETTLED_MS = 8 * 3_600_000


def bars(count: int, seed: int = 1, price: float = 60_000.0, tick: float = 0.1, drift: float = 0.0) -> pl.DataFrame:
    """A random walk of 15-minute bars on the price grid, each opening where the last one closed."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(drift, 0.002, count)))
    open_ = np.concatenate(([price], close[:-1]))
    reach = np.abs(rng.normal(0, 0.0012, (2, count))) + 0.0002
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    columns = {name: np.round(x / tick) * tick for name, x in (("open", open_), ("high", high), ("low", low), ("close", close))}
    ts = FIRST_MS + BAR_MS * np.arange(count, dtype=np.int64)
    return pl.DataFrame({"ts": ts, **columns, "volume": np.round(rng.lognormal(6.0, 0.4, count), 3)})


def settlements(count: int, rate: float = 0.0001) -> pl.DataFrame:
    """Settlements every 8 hours over so many bars."""
    ts = np.arange(FIRST_MS, FIRST_MS + count * BAR_MS + SETTLED_MS, SETTLED_MS, dtype=np.int64)
    return pl.DataFrame({"ts": ts, "rate": np.full(ts.size, rate)})


def write(folder: Path, name: str, frame: pl.DataFrame) -> Path:
    """Write a frame under a recording's name, times as recordings hold them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.parquet"
    frame.with_columns(pl.col("ts").cast(pl.Datetime("ms", "UTC"))).write_parquet(path)
    return path


def record(folder: Path, count: int = 3_000, symbols: tuple[str, ...] = ("BTC-USDT", "ETH-USDT")) -> Path:
    """15-minute bars and funding of some binance perpetuals; returns the folder."""
    for n, symbol in enumerate(symbols):
        price, tick = (60_000.0, 0.1) if symbol.startswith("BTC") else (3_000.0, 0.01)
        write(folder, f"binance_{symbol}_perp_15m", bars(count, seed=n + 1, price=price, tick=tick))
        write(folder, f"binance_{symbol}_perp_funding", settlements(count))
    return folder


LEAKING = '''"""Knows tomorrow's close."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME = "{name}"
FEATURES = ()


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    later = np.append(f.close[1:], f.close[-1])
    direction = np.sign(later - f.close).astype(np.int8)
    return SignalFrame(direction, np.abs(direction).astype(float))
'''

ENDLESS = LEAKING.replace("    later =", "    while True:\n        {body}\n    later =")


def strategy(folder: Path, name: str, text: str = LEAKING) -> Path:
    """Put a person's strategy file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text.replace("{name}", name))
    return path
