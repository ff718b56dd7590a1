"""What research costs: a desk of twenty sleeves, a walk-forward of a year, a first backtest of a strategy of one's own.

Called by `python -m bench research`. Synthetic 15m bars of five symbols over three years, in a temporary home. Commands run in
new processes, whose imports count; the least CPU seconds of some runs, since the machine may be shared.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.commands import timed
from bench.verdicts import Verdicts
from bench.work import cpu_s
from engine.clock import DAY_MS
from engine.data.catalog import Catalog
from engine.data.synthetic import write_synthetic
from engine.sim.backtest import load, run_modes, signals_in_span
from engine.sim.checked import frames_of
from engine.sim.request import Request, SleeveRequest, plan
from engine.strategies import cross, reversion, trend

SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "BNB-USDT")
FROM_MS, BAR_MS, YEARS_DAYS = 1_672_531_200_000, 900_000, 1_096  # 2023 to 2025
ROUNDS = 3
SEED = 4  # a market whose rare wicks the check of the data lets through
FOUR = (("trend", {}), ("trend", {"fast_bars": 20}), ("reversion", {}), ("cross", {}))  # sleeves a symbol
VARIED = ("--vary", "stop_atr=1:5.5:0.5", "--vary", "target_atr=2:11:1")  # a hundred


def desk_of_twenty(folder: Path) -> float:
    """CPU s of signals and core, loaded bars and nothing kept from before."""
    modules: dict[str, Any] = {"trend": trend, "reversion": reversion, "cross": cross}
    asked = [
        SleeveRequest(name, symbol, venue="synthetic", cash=100_000.0, params=modules[name].Params(**changed).model_dump())
        for symbol in SYMBOLS
        for name, changed in FOUR
    ]
    planned = plan(Request(tuple(asked), "15m", funding="none"), Catalog([(folder, "synthetic")]))

    def run(loaded: Any) -> Any:
        frames = zip(planned.sleeves, frames_of(planned.sleeves, loaded), strict=True)
        signals = [signals_in_span(sleeve, loaded, judged=planned.request.judged, frame=frame) for sleeve, frame in frames]
        return run_modes(planned, loaded, signals, (planned.request.fills,), lambda _done: None)

    run(load(planned))
    return min(cpu_s(lambda one=load(planned): run(one), 1)[0] for _ in range(ROUNDS))


def own_strategy(environment: dict[str, str], number: int) -> float:
    """CPU s of the first backtest of a new file over two months, its look-ahead check included."""
    name = f"own_{number}"
    timed(environment, ("strategies", "new", name))
    span = ("--from", "2025-10", "--to", "2025-12")
    return timed(environment, ("backtest", name, "--symbol", "BTC-USDT", "--timeframe", "15m", *span))[0]


def year_forward(environment: dict[str, str]) -> float:
    """CPU s of a walk-forward of `trend` over 2025, a hundred variations a fold."""
    span = ("--symbol", "BTC-USDT", "--from", "2025", "--to", "2026")
    return timed(environment, ("walkforward", "trend", *span, *VARIED))[0]


def research_table() -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-bench-"))
    data = folder / "data"
    data.mkdir()
    environment = {**os.environ, "NIGHTDESK_HOME": str(folder / "home"), "NIGHTDESK_DATA": str(data)}
    try:
        write_synthetic(data, SYMBOLS, "15m", BAR_MS, FROM_MS, YEARS_DAYS * DAY_MS // BAR_MS, SEED)
        timed(environment, ("strategies", "list"))  # makes the home
        table = Verdicts(f"Research, synthetic 15m bars, the least of {ROUNDS}")
        table.add("20 sleeves on 5 symbols over 3 years: signals and core", desk_of_twenty(data), "s CPU", 1)
        forward = min(year_forward(environment) for _ in range(ROUNDS))
        table.add("walk-forward of a year, 100 variations a fold, new process", forward, "s CPU", 5)
        own = min(own_strategy(environment, k) for k in range(ROUNDS))
        table.add("first backtest of an own strategy, two months, new process", own, "s CPU", 2.5)
        table.show()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
