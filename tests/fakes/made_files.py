"""Made-up bars written as other programs write them, and read back: for the tests of the dialects."""

from pathlib import Path
from typing import Any

import polars as pl

from engine.data.files import RawFile, ReadOptions, read_any
from engine.data.synthetic import synthetic

STEP = 900_000
START = 1_735_689_600_000  # 2025-01-01
HOUR = 3_600_000
BARS = synthetic(["BTC-USDT"], STEP, START, 400, 5)[0]["BTC-USDT"]
OHLCV = ("open", "high", "low", "close", "volume")
PRICES = OHLCV[:4]
TIME = pl.col("ts").cast(pl.Datetime("ms"))
QUOTE = pl.col("volume") * (pl.col("open") + pl.col("close")) / 2


def csv(path: Path, frame: pl.DataFrame, header: bool = True) -> Path:
    """Write a csv and give its path back."""
    frame.write_csv(path, include_header=header)
    return path


def read(path: Path, **options: Any) -> RawFile:
    """Read with options."""
    return read_any(path, ReadOptions(**options))


def same_bars(raw: RawFile, frame: pl.DataFrame = BARS) -> bool:
    """The same times, prices and volumes to the bit."""
    return raw.kind == "bars" and raw.frame.select("ts", *OHLCV).equals(frame.select("ts", *OHLCV))


def clocked(path: Path, **times: pl.Expr) -> Path:
    """Bars with these time columns."""
    return csv(path, BARS.select(**times, **{n: pl.col(n) for n in OHLCV}))
