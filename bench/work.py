"""The measured work, shared by ours and by every peer: seeded one-minute bars, strategy A, and how a run is timed.

Imported by the peers inside their own environments, so it needs numpy alone. Strategy A: SMA 50 crosses SMA 200, both sides,
quantity 1, next open; stop 1 %, target 2 %, trail 1.5 % from the best price up to the previous bar; 5 bps a side, no slippage.
Strategy B: Wilder's RSI of 14 bars below 30 long, above 70 short, the same execution.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CASH, FEE, FAST, SLOW, STOP, TARGET, TRAIL = 100_000_000.0, 0.0005, 50, 200, 0.01, 0.02, 0.015
SWEEP_FAST, SWEEP_SLOW = tuple(range(20, 120, 10)), tuple(range(150, 450, 30))  # a hundred pairs of averages
SWEEP_STOP = tuple(k / 1000 for k in range(5, 25, 2))  # ten stops each
RSI_BARS, RSI_LOW, RSI_HIGH = 14, 30.0, 70.0
FIRST_S = 1_577_836_800
SEED, START, TICK = 20260101, 50_000.0, 0.1
WARM_BARS = 3_000
OUT = Path(__file__).resolve().parent / "out"


def bars(count: int) -> np.ndarray:
    """(count, 5) open, high, low, close, volume: GARCH(1,1) returns with Student-t shocks, 60 % a year, on a 0.1 grid."""
    rng = np.random.default_rng(SEED)
    shock = rng.standard_t(5, count) / np.sqrt(5 / 3)
    gap, size = rng.standard_normal(count), rng.standard_normal(count)
    up, down = np.abs(rng.standard_normal(count)), np.abs(rng.standard_normal(count))
    minutes = 525_600.0
    long_run, pull, anchor = 0.36 / minutes, np.log(2.0) / minutes, np.log(START)
    out, logs, sigmas = np.empty((count, 5)), np.empty((count, 2)), np.empty(count)
    variance, level, last = long_run, anchor, 0.0
    for t, z in enumerate(shock.tolist()):
        variance = 0.01 * long_run + 0.05 * last * last + 0.94 * variance
        sigma = variance**0.5
        last = sigma * z
        opened = level + 0.1 * sigma * gap[t]
        level = opened + last - pull * (level - anchor)
        logs[t, 0], logs[t, 1], sigmas[t] = opened, level, sigma
    out[:, 0], out[:, 3] = np.exp(logs[:, 0]), np.exp(logs[:, 1])
    out[:, 1] = np.exp(logs.max(axis=1) + 0.5 * sigmas * up)
    out[:, 2] = np.exp(logs.min(axis=1) - 0.5 * sigmas * down)
    out[:, 4] = np.exp(1.5 + 0.8 * size) * sigmas / np.sqrt(long_run)
    out[:, :4] = np.round(np.round(out[:, :4] / TICK) * TICK, 3)
    out[:, 1], out[:, 2] = out[:, :4].max(axis=1), out[:, :4].min(axis=1)
    return out


def saved(count: int) -> Path:
    """The file of `count` bars, made once."""
    path = OUT / f"bars_{count}.npy"
    if not path.exists():
        OUT.mkdir(exist_ok=True)
        np.save(path, bars(count))
    return path


def frame(columns: np.ndarray) -> Any:
    """The bars as the pandas DataFrame that both peers take."""
    import pandas as pd

    index = pd.to_datetime(FIRST_S + 60 * np.arange(len(columns)), unit="s")
    return pd.DataFrame(columns, index=index, columns=["Open", "High", "Low", "Close", "Volume"])


def average(values: np.ndarray, count: int) -> np.ndarray:
    """SMA from sums of whole ticks, so that two equal averages compare equal."""
    tick = grid_of(values)
    sums = np.cumsum(np.insert(np.rint(values / tick), 0, 0.0))
    out = np.full(len(values), np.nan)
    out[count - 1 :] = (sums[count:] - sums[:-count]) / count * tick
    return out


def grid_of(values: np.ndarray) -> float:
    """The power of ten that all prices are multiples of, at most 8 decimals: a recorded coin may cost less than TICK."""
    for decimals in range(9):
        scaled = values * 10.0**decimals
        if np.abs(scaled - np.rint(scaled)).max() < 1e-4:
            return 10.0**-decimals
    return 1e-8


def crosses(fast: np.ndarray, slow: np.ndarray) -> np.ndarray:
    """+1 where fast crosses above slow, -1 below, else 0."""
    side = np.zeros(len(fast), np.int8)
    side[1:][(fast[1:] > slow[1:]) & (fast[:-1] <= slow[:-1])] = 1
    side[1:][(fast[1:] < slow[1:]) & (fast[:-1] >= slow[:-1])] = -1
    return side


def cpu_s(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """(median CPU seconds, last result)."""
    seconds, result = [], None
    for _ in range(times):
        result = None
        begun = time.process_time()
        result = work()
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds), result


def measure(name: str, prepare: Callable[[np.ndarray], Any], run: Callable[..., tuple[np.ndarray, float]]) -> None:
    """An engine's main: `python peer_x.py BARS.npy TRIPS.npy [A|B]` warms up, runs, saves its round trips, prints one JSON line.

    prepare turns (n, 5) bars into the engine's own form (not timed) and nothing else keeps them; run returns round trips (entry
    bar, exit bar, entry price, exit price) and the final equity. rss_mb: the most that the process ever held.
    """
    kind = sys.argv[3:4]  # none: the only one it knows
    run(prepare(np.load(sys.argv[1], mmap_mode="r")[:WARM_BARS].copy()), *kind)
    native = prepare(np.load(sys.argv[1]))
    seconds, (trips, equity) = cpu_s(lambda: run(native, *kind), 1)
    np.save(sys.argv[2], trips)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"peer": name, "cpu_s": seconds, "trips": len(trips), "equity": float(equity), "rss_mb": peak}
    print("RESULT " + json.dumps(figures))
