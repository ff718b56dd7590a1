"""Hand-made stored runs for the tools' tests: a run folder as the simulator leaves it, with the daily returns a test wants."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.store.runs import Runs, sha256_of_json

DAY = 86_400_000
START = 1_704_067_200_000  # 2024-01-01


def keep_run(folder: Path, engine: Any, args: Any, daily: Sequence[float], **more: Any) -> str:
    """Store a run of the first sleeve of a job's `args` whose equity moves by `daily`; returns its id. `hold`: of a holder."""
    held = more.pop("hold", None)
    sleeve = {"name": "trend", **args["sleeves"][0]} | {"venue": args["sleeves"][0].get("venue") or "binance"}
    name, content = f"binance_{sleeve['symbol']}_perp_15m.parquet", more.pop("content", "ab" * 32)
    equity = 10_000.0 * np.cumprod(1.0 + np.asarray(daily, dtype=float))
    close_ms = START + DAY * np.arange(1, len(equity) + 1)
    metrics = {
        "total_return_frac": float(equity[-1] / 10_000 - 1),
        "sharpe": float(np.mean(daily) / (np.std(daily) or 1.0) * 365**0.5),
        "max_drawdown_frac": 0.1,
        "trades": 12,
        "fees": 34.5,
        "cagr_frac": None,
        "undefined": {"cagr_frac": "fewer than 30 days"},
    }
    run = {
        "strategy": sleeve["strategy"],
        "timeframe": args.get("timeframe", "15m"),
        "fills": args.get("fills", "pessimistic"),
        "funding": args.get("funding", "recorded"),
        "cash": 10_000.0,
        "sleeves": [sleeve],
        "data": {
            "files": [name],
            "sha256": sha256_of_json([name, content]),
            "file_sha256": {name: content},
            "bars": len(equity),
            "first_ms": START,
            "last_ms": int(close_ms[-1]) - DAY,
            "source": "recorded",
        },
        "metrics": metrics,
        "scenarios": {"pessimistic": metrics["total_return_frac"], "optimistic": 0.5, "ambiguous_bars": 3},
        "leaks": None,
        "notes": [],
        "journal_hash": "cd" * 32,
        "config_hash": sha256_of_json(args),
        "code": {"core": "x"},
        "cache_key": sha256_of_json([args, list(map(float, daily))]),
    } | more
    trips = pl.DataFrame(
        {
            "trip": ["t1", "t2"],
            "sleeve": ["trend", "trend"],
            "side": ["long", "short"],
            "units": [1.0, 2.0],
            "entry_ms": [START, START + DAY],
            "exit_ms": [START + DAY, START + 2 * DAY],
            "bars": [96, 96],
            "entry_price": [100.0, 110.0],
            "exit_price": [110.0, 120.0],
            "gross": [10.0, -20.0],
            "slippage": [0.5, 0.5],
            "fees": [0.25, 0.25],
            "funding": [0.0, -0.1],
            "net": [9.25, -20.85],
            "r": [1.0, -1.0],
            "reason": ["target", "stop"],
        }
    )
    frames = {
        "rows": pl.DataFrame({"n": [0]}),
        "equity": pl.DataFrame({"close_ms": close_ms, "equity": equity} | ({} if held is None else {"hold": held})),
        "trips": trips,
        "decisions": pl.DataFrame({"n": [0]}),
    }
    return str(Runs(folder, engine).keep(run, frames, lambda _run: "<html></html>", START)["run_id"])
