"""1,000 variations of strategy A: as a sweep, as single runs on loaded bars, and vectorbt's own way, side by side.

Called by `python -m bench`. Ours goes through engine.research.sweep as `nightdesk sweep` does, daily returns and ratios of every
variation included, without the ledger's rows; limits do not bind. Single runs and vectorbt do a part of the variations, and are
given as of the same number.
"""

import json
import subprocess
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from bench import ours
from bench.work import CASH, FIRST_S, SWEEP_FAST, SWEEP_SLOW, SWEEP_STOP, cpu_s, saved
from engine.core.kernel import run_records, signal_columns
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.research import sweep
from engine.research.grid import Variation
from engine.sim.request import Request, SleeveRequest, plan
from engine.strategies import cross
from engine.strategies.base import parse_params
from engine.strategies.rules import rules_of
from engine.strategies.signals import signals_of

BARS = 100_000
SINGLE = 50  # variations run one by one
PAIRS = 5  # of signals that vectorbt runs, each with every stop
console = Console()


def params_of(fast: int, slow: int, stop: float) -> cross.Params:
    """Strategy A with these."""
    varied = {"fast_bars": fast, "slow_bars": slow, "stop_frac": stop}
    return parse_params(cross, {**cross.YARDSTICK, "notional_frac_max": 10.0, "leverage_max": 10.0, **varied})


def variations() -> list[Variation]:
    """All of them, pair by pair."""
    return [Variation(values, params_of(*values)) for values in product(SWEEP_FAST, SWEEP_SLOW, SWEEP_STOP)]


def runner(columns: np.ndarray, folder: Path) -> sweep.Runner:
    """The bench bars behind the product's own door."""
    names = ("open", "high", "low", "close", "volume")
    ts = pl.Series("ts", FIRST_S * 1000 + ours.BAR_MS * np.arange(len(columns), dtype=np.int64)).cast(pl.Datetime("ms", "UTC"))
    frame = pl.DataFrame([ts, *(pl.Series(name, columns[:, k]) for k, name in enumerate(names))])
    frame.write_parquet(folder / "binance_BTC-USDT_perp_1m.parquet")
    asked = SleeveRequest("cross", "BTC-USDT", cash=CASH, params=params_of(50, 200, 0.01).model_dump())
    request = Request((asked,), "1m", fills="reference", funding="none", limits=ours.WIDE, sleeve_limits=ours.WIDE_SLEEVE)
    planned = plan(request, Catalog([(folder, "synthetic")]))
    sleeve = planned.sleeves[0]._replace(instrument=ours.INSTRUMENT, costs=ours.COSTS)  # as the peers: no tick, no slippage
    return sweep.Runner(planned._replace(sleeves=(sleeve,)))


def single(data: ours.Prepared, variation: Variation) -> Any:
    """One variation by itself on loaded bars: features, signals, simulation with journal rows and their hash."""
    signals = signals_of(cross, variation.params, data.frame(), ours.COSTS, judged=False)
    rules = rules_of(variation.params, ours.INSTRUMENT, ours.COSTS, 0, "reference", ours.BAR_MS, ours.WIDE_SLEEVE)
    return run_records(data.records, signal_columns([signals]), 1, [rules], ours.WIDE, [CASH])


def peer(path: Path) -> dict[str, Any]:
    """vectorbt on the first PAIRS pairs, in its own environment."""
    from bench.__main__ import HERE, python_of

    command = [str(python_of("vectorbt")), str(HERE / "peer_vectorbt_sweep.py"), str(path), str(PAIRS)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise BadInput("the sweep of vectorbt did not finish", done.stderr.strip().splitlines()[-1] if done.stderr else "")
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def sweep_table() -> None:
    """The three, interleaved, medians; and how many variations end alike."""
    path = saved(BARS)
    columns, wanted = np.load(path), variations()
    data = ours.prepare(columns)
    with tempfile.TemporaryDirectory() as folder:
        own = runner(columns, Path(folder))
    list(sweep.run_all(own, wanted[:20], 1))
    rounds = [
        (*cpu_s(lambda: swept(own, wanted), 1), *cpu_s(lambda: [single(data, v) for v in wanted[:SINGLE]], 1)) for _ in range(3)
    ]
    theirs = [peer(path) for _ in range(3)]
    many = float(np.median([one[0] for one in rounds]))
    alone = float(np.median([one[2] for one in rounds])) * len(wanted) / SINGLE
    vectorbt = float(np.median([one["cpu_s"] for one in theirs])) * len(wanted) / (PAIRS * len(SWEEP_STOP))
    found = {tried.variation.values: tried for tried in rounds[0][1]}
    same = sum(found[v.values].figures.trips == run.sleeves[0].ledger.trips for v, run in zip(wanted, rounds[0][3], strict=False))
    part = wanted[: PAIRS * len(SWEEP_STOP)]
    alike = sum(found[v.values].figures.trips == trips for v, (_, trips) in zip(part, theirs[0]["found"], strict=True))
    table = Table(title=f"{len(wanted):,} variations of strategy A over {BARS:,} synthetic 1m bars, one thread (CPU)")
    for name in ("how", "CPU s", "x the sweep", "variations run", "as many round trips as the sweep"):
        table.add_column(name, justify="right")
    table.add_row("nightdesk sweep", f"{many:.2f}", "1.0", f"{len(wanted):,}", "")
    table.add_row("nightdesk, one by one", f"{alone:.2f}", f"{alone / many:.1f}", f"{SINGLE}", f"{same} of {SINGLE}")
    table.add_row(theirs[0]["peer"], f"{vectorbt:.2f}", f"{vectorbt / many:.1f}", f"{len(part)}", f"{alike} of {len(part)}")
    console.print(table)


def swept(own: sweep.Runner, wanted: list[Variation]) -> list[sweep.Tried]:
    """The whole sweep, nothing kept from before."""
    own.forget()
    return list(sweep.run_all(own, wanted, 1))
