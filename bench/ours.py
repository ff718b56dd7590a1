"""Strategies A and B on Nightdesk's own path: the shipped `cross` and `reversion`, features, rules_of, the kernel, round trips.

All guardrails are evaluated, with limits that do not bind. Called by `python -m bench`; `python -m bench.ours BARS.npy TRIPS.npy
A|B` is one run of long bars in its own process.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from blake3 import blake3

from bench.work import CASH, FEE, FIRST_S, RSI_BARS, RSI_HIGH, RSI_LOW, WARM_BARS, cpu_s, measure
from engine.core.kernel import (
    ROW_VIEW,
    Carried,
    Result,
    SleeveRuns,
    bar_records,
    block_records,
    guided,
    rules_record,
    run_records,
    signal_columns,
)
from engine.core.state import K_FILL, K_FUNDING, K_SIZE, Limits
from engine.data.align import Market
from engine.features.frame import FeatureFrame
from engine.sim.trips import RunSleeve, frame_of, trips
from engine.strategies import cross, reversion
from engine.strategies.rules import SleeveLimits, rules_of
from engine.strategies.signals import signals_of
from engine.venues.instruments import Costs, Instrument

BAR_MS = 60_000
WIDE = Limits(drawdown_frac_max=1e9, gross_frac_max=1e9, instrument_frac_max=1e9, orders_minute_max=1 << 40)
WIDE_SLEEVE = SleeveLimits(1e9, 1 << 40, 1 << 40, 0.0, 0.02, 1e9)
UNBOUND = {"notional_frac_max": 10.0, "leverage_max": 10.0}
PART = 1 << 19  # bars of a long run that are records at a time
ARRAYS = ("close_ms", "open", "high", "low", "close", "volume", "funding_rate", "funding_mark")
INSTRUMENT = Instrument("bench", "BTC-USDT", "perp", 1.0, 0.0, 0.0)
COSTS = Costs(FEE, FEE, 0.0, 0.0, "bench", "2026-11-20", "none")


class Prepared(NamedTuple):
    """Bars in our own in-memory form; making it is not timed, as for the peers."""

    frame: Callable[[], FeatureFrame]
    records: np.ndarray
    close_ms: np.ndarray
    last: float


def market(columns: np.ndarray) -> Market:
    """The bench bars as a Market of one instrument without funding."""
    close_ms = FIRST_S * 1000 + BAR_MS * np.arange(1, len(columns) + 1, dtype=np.int64)
    none = np.zeros((len(columns), 1))
    prices = [np.ascontiguousarray(columns[:, k : k + 1]) for k in range(5)]
    return Market(("bench",), BAR_MS, close_ms, *prices, none, none, ())


def prepare(columns: np.ndarray) -> Prepared:
    """(n, 5) bars -> records and frame; every call of `frame` forgets cached features, so that they are timed."""
    whole = market(columns)
    frame = FeatureFrame.of_market(whole, 0)
    return Prepared(lambda: frame.prefix(len(frame)), bar_records(whole), whole.close_ms, float(columns[-1, 3]))


def params() -> cross.Params:
    """Strategy A's parameters, none of our caps binding."""
    return cross.Params(**{**cross.YARDSTICK, **UNBOUND})


def params_b() -> reversion.Params:
    """Strategy B's."""
    own = {"rsi_bars": RSI_BARS, "enter_below": RSI_LOW, "enter_above": RSI_HIGH, "trend_bars": 0, "fade_below": 0.0}
    execution = {name: value for name, value in cross.YARDSTICK.items() if name not in ("fast_bars", "slow_bars")}
    return reversion.Params(**{**execution, **UNBOUND, **own})


def run(data: Prepared) -> Result:
    """Features, signals, simulation with journal rows and their hash: what a run leaves before it is stored."""
    chosen = params()
    signals = signals_of(cross, chosen, data.frame(), COSTS, judged=False)
    rules = rules_of(chosen, INSTRUMENT, COSTS, 0, "reference", BAR_MS, WIDE_SLEEVE)
    return run_records(data.records, signal_columns([signals]), 1, [rules], WIDE, [CASH])


def run_long(whole: Market, kind: str) -> tuple[np.ndarray, float]:
    """Strategy A or B in parts of PART bars, each of which goes on from what the one before it left: (round trips, final equity).

    Rows and curve are those of one run, and no more than a part of the bars is records at a time.
    """
    strategy, chosen = (cross, params()) if kind == "A" else (reversion, params_b())
    columns = signal_columns([signals_of(strategy, chosen, FeatureFrame.of_market(whole, 0), COSTS, judged=False)])
    rules, guides = rules_of(chosen, INSTRUMENT, COSTS, 0, "reference", BAR_MS, WIDE_SLEEVE), guided(columns, 1)
    rows, equity = np.empty(0, ROW_VIEW), np.empty(len(whole.close_ms))
    carried: Carried | None = None
    for first in range(0, len(equity), PART):
        part = slice(first, first + PART)
        records = bar_records(whole._replace(**{name: getattr(whole, name)[part] for name in ARRAYS}))
        one = SleeveRuns(records, block_records(records, 1), 1, WIDE, CASH)
        found = one.run(tuple(c[part] for c in columns), guides, rules_record(rules), np.arange(len(equity[part])), carried, PART)
        equity[part], rows, carried = found.equity, np.concatenate([rows, found.rows]), found.after
    assert carried is not None
    blake3(rows.view(np.uint8)).hexdigest()
    return paths(rows, float(whole.close[-1, 0])), carried.desk.equity


def paths(rows: np.ndarray, last: float) -> np.ndarray:
    """Closed round trips as (entry bar, exit bar, entry price, exit price), read from the journal rows."""
    rows = rows[np.isin(rows["kind"], (K_FILL, K_FUNDING, K_SIZE))]
    table = trips(frame_of(rows), [RunSleeve("cross", "bench", 1.0, last, BAR_MS)])
    closed = table.filter(pl.col("exit_ms").is_not_null())
    entry, leave = ((closed[name].to_numpy() - FIRST_S * 1000) // BAR_MS for name in ("entry_ms", "exit_ms"))
    return np.column_stack([entry, leave, closed["entry_price"].to_numpy(), closed["exit_price"].to_numpy()])


def measured(columns: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """A warm-up, then the timed run: the fields of a peer's RESULT, and the round trips."""
    run(prepare(columns[:WARM_BARS]))
    data = prepare(columns)
    run(data)  # the first touch of fresh memory is the machine's price, paid once a process
    seconds, found = cpu_s(lambda: run(data))
    trips_closed = found.sleeves[0].ledger.trips
    return {"peer": "nightdesk", "cpu_s": seconds, "trips": trips_closed, "equity": found.desk.equity}, paths(
        found.rows, data.last
    )


def phases(columns: np.ndarray) -> dict[str, float]:
    """Where our time goes, in ns a bar."""
    data, chosen, marks = prepare(columns), params(), [time.process_time()]
    signals = signals_of(cross, chosen, data.frame(), COSTS, judged=False)
    marks.append(time.process_time())
    records = signal_columns([signals])
    marks.append(time.process_time())
    rules = rules_of(chosen, INSTRUMENT, COSTS, 0, "reference", BAR_MS, WIDE_SLEEVE)
    found = run_records(data.records, records, 1, [rules], WIDE, [CASH])
    marks.append(time.process_time())
    names = ("signals", "columns", "core, rows, hash")
    assert found.desk.equity > 0
    return {name: (b - a) / len(columns) * 1e9 for name, a, b in zip(names, marks, marks[1:], strict=False)}


if __name__ == "__main__":
    measure("nightdesk", market, run_long)
