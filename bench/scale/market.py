"""Backtests and sweeps on a synthetic market of up to 50 symbols and five years of 15m bars. Called by bench.scale.cell.

The shipped generator has five coins; the others here are copies of them under other names with waves and shocks of their own, in
this process alone. No market ever traded any of it: what is measured is time and memory, never a return.
"""

import os
import shutil
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench.scale.kept import FOLDER, Figures
from engine.clock import DAY_MS
from engine.data import synthetic
from engine.data.catalog import Catalog
from engine.research import sweep
from engine.research.grid import Variation
from engine.sim.backtest import load, run_modes, signals_in_span
from engine.sim.checked import frames_of
from engine.sim.held_once import bars_once
from engine.sim.request import Plan, Request, SleeveRequest, plan
from engine.strategies import trend
from engine.strategies.base import parse_params

PART = "market"
BAR_MS, FROM_MS, YEARS, SEED = 900_000, 1_609_459_200_000, 5, 4  # 2021 to 2025
YEAR_MS = 365 * DAY_MS
MOST = 50
VARIED = list(product((1.5, 2.0, 2.5, 3.0, 3.5), (2.0, 3.0, 4.0, 5.0, 6.0)))  # stop, target: 25 variations


def symbols(count: int) -> list[str]:
    """So many symbols; those behind the shipped five become coins of the generator."""
    shipped = [name for name in synthetic.COINS if not name.startswith("C0")]
    for n in range(MOST - len(shipped)):
        synthetic.COINS[f"C0{n:02d}-USDT"] = synthetic.COINS[shipped[n % len(shipped)]]
    return list(synthetic.COINS)[:count]


def figures_of(symbol: str) -> dict[str, float]:
    """Costs and grid of a copied coin, as desk.toml would say them."""
    coin = synthetic.COINS[symbol]
    costs = {"maker_frac": 0.0002, "taker_frac": 0.0005, "half_spread_frac": 0.00005}
    return {"lot_size": coin.lot, "tick": coin.tick, "maintenance_frac": 0.01, **costs}


def written(count: int) -> Path:
    """The folder of the market; what is missing of it is made."""
    folder = FOLDER / "market"
    for symbol in symbols(count):
        if not (folder / f"synthetic_{symbol}_perp_15m.parquet").exists():
            folder.mkdir(parents=True, exist_ok=True)
            synthetic.write_synthetic(folder, [symbol], "15m", BAR_MS, FROM_MS, YEARS * YEAR_MS // BAR_MS, SEED)
    return folder


def planned(names: list[str], years: int) -> Plan:
    """A `trend` sleeve a symbol, over the last years."""
    asked = tuple(SleeveRequest("trend", name, venue="synthetic", cash=100_000.0) for name in names)
    end = FROM_MS + YEARS * YEAR_MS
    request = Request(asked, "15m", end - years * YEAR_MS, end, funding="none")
    known = {f"synthetic:{name}:perp": figures_of(name) for name in names if name.startswith("C0")}
    return plan(request, Catalog([(FOLDER / "market", "synthetic")]), None, known)


def backtest(count: str, years: str) -> Figures:
    """One desk of a sleeve a symbol: loading, signals, core; CPU s of each."""
    written(int(count))
    simulated(planned(symbols(1), 1))
    wanted = planned(symbols(int(count)), int(years))
    marks = [time.process_time()]
    loaded, bars = bars_once(load(wanted))
    marks.append(time.process_time())
    signals, run = simulated(wanted, loaded, bars)
    marks += [signals, time.process_time()]
    bars = len(loaded.span.close_ms)
    return {
        "load_s": marks[1] - marks[0],
        "signals_s": marks[2] - marks[1],
        "core_s": marks[3] - marks[2],
        "cpu_s": marks[3] - marks[0],
        "bars": bars * int(count),
        "equity": run[wanted.request.fills].desk.equity,
    }


def simulated(wanted: Plan, loaded: Any = None, bars: Any = None) -> tuple[float, Any]:
    """(process time when the signals were there, the run)."""
    loaded = load(wanted) if loaded is None else loaded
    frames = frames_of(wanted.sleeves, loaded)[::-1]
    signals = [signals_in_span(sleeve, loaded, judged=wanted.request.judged, frame=frames.pop()) for sleeve in wanted.sleeves]
    then = time.process_time()
    return then, run_modes(wanted, loaded, signals, (wanted.request.fills,), lambda _done: None, bars)


def swept(count: str, years: str) -> Figures:
    """25 variations of stop and target on each symbol, one symbol after the other, on one thread."""
    variations = [Variation(values, parse_params(trend, {"stop_atr": values[0], "target_atr": values[1]})) for values in VARIED]
    written(int(count))
    list(sweep.run_all(sweep.Runner(planned(symbols(1), 1)), variations[:2], 1))
    names, bars = symbols(int(count)), 0
    begun = time.process_time()
    for name in names:
        runner = sweep.Runner(planned([name], int(years)))
        found = list(sweep.run_all(runner, variations, 1))
        bars += len(runner.span.close_ms) * sum(one.figures is not None for one in found)
    return {"cpu_s": time.process_time() - begun, "bars": bars}


def catalogue(count: str) -> Figures:
    """Listing the market's files in a new process, as each command and page does once; CPU s, and again; files and bytes."""
    folder, names = written(int(count)), symbols(int(count))
    shown = FOLDER / f"catalogue-{count}"
    linked(folder, shown, names)
    seconds = []
    for _ in range(2):
        begun = time.process_time()
        found = Catalog([(shown, "synthetic")])
        held = {name: found.find("synthetic", name, "15m").rows for name in names}
        seconds.append(time.process_time() - begun)
    files = list(shown.glob("*.parquet"))
    if not all(held.values()):
        raise RuntimeError(f"not every series is listed: {held}")
    return {"list_s": seconds[0], "again_s": seconds[1], "files": len(files), "bytes": sum(f.stat().st_size for f in files)}


def linked(folder: Path, shown: Path, names: Sequence[str]) -> None:
    """The files of these symbols alone, as links."""
    shown.mkdir(parents=True, exist_ok=True)
    for name in names:
        for path in folder.glob(f"*_{name}_*.parquet*"):
            if not (shown / path.name).exists():
                os.link(path, shown / path.name)


def page(count: str) -> Figures:
    """Ten sleeves that have lived 60 days, beside five years of so many symbols: what the API takes for what the page asks."""
    from bench.scale.desk import SHORT, made, quick_folder, walked
    from bench.scale.journal import views_of

    home = quick_folder() / f"nightdesk-bench-page-{os.getpid()}"
    try:
        made(home, 10, SHORT)
        walked(home)
        linked(written(int(count)), FOLDER / f"catalogue-{count}", symbols(int(count)))
        shutil.copytree(FOLDER / f"catalogue-{count}", home / "data" / "synthetic" / "years")
        found = views_of(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    again, first = found["again"], found["first"]
    slowest = max(again, key=lambda path: again[path])
    whole = {"first_s": sum(first.values()), "again_s": sum(again.values()), "slowest_s": again[slowest], "slowest": slowest}
    return whole | {"first_slowest_s": max(first.values()), "api_mb": found["api_mb"], "views": again, "first": first}


CELLS = {"backtest": backtest, "sweep": swept, "catalogue": catalogue, "page": page}
