"""The core alone, in CPU ns a bar and sleeve: 1 to 100 sleeves compiled, one sleeve as plain Python, and a gauge of the machine.

Called by `python -m bench`. Signals are two averages a sleeve on the bench bars, every close decided and journaled; all sleeves
share one instrument. The gauge is a bare one-position loop: what this machine does at best.
"""

import time
from math import inf, nan
from typing import NamedTuple

import numba
import numpy as np

from bench.ours import BAR_MS, market
from bench.work import average, cpu_s
from engine.core.desk import decide_all, settle_and_mark
from engine.core.kernel import bar_records, run_records, signal_columns
from engine.core.memory import Memory
from engine.core.state import PESSIMISTIC, TRIPS_KEPT, Bar, Limits, Rules, Signal, start, start_desk
from engine.features.ta import ta
from engine.strategies.base import SignalFrame
from engine.strategies.signals import Signals, exits_of

OPEN_LIMITS = Limits(0.999, 1e6, 1e6, 1 << 40)
CASH = 100_000.0
KINDS = Rules.__annotations__


def rules(k: int) -> Rules:
    """Varied rules of sleeve k; sizing, fees, slippage, every exit and every sleeve guardrail are on."""
    given = {
        "mode": PESSIMISTIC, "bar_ms": BAR_MS, "layers_max": 1 + 4 * (k % 2), "stop_atr": 2 + 0.02 * k, "target_atr": 4,
        "arm_atr": 1.5, "trail_atr": 2.5, "add_atr": 0.8, "fade_below": 0.15, "risk_start_frac": 0.0025, "risk_floor_frac": 0.001,
        "risk_max_frac": 0.02,
        "kelly_part": 0.25, "vol_target": 0.2, "notional_frac_max": 1.5, "leverage_max": 3, "maintenance_frac": 0.004,
        "participation_max": 0.02, "day_loss_frac_max": 0.03, "streak_max": 3, "day_entries_max": 20, "pause_ms": 86_400_000,
        "lot_size": 0.001, "least_lots": 1, "shorts": 1, "risk_limit_frac": 0.02,
        "tick": 0.1, "maker_frac": 0.0002, "taker_frac": 0.0005,
    }  # fmt: skip
    needed = {name: kind for name, kind in KINDS.items() if name in given or name not in Rules._field_defaults}
    return Rules(**{name: kind(given.get(name, 0)) for name, kind in needed.items()})


def signals(columns: np.ndarray, k: int) -> Signals:
    """Direction by two averages of their own spans, strength by their distance in ATRs."""
    high, low, close = (np.ascontiguousarray(columns[:, c]) for c in (1, 2, 3))
    reach = ta().ATR(high, low, close, 14)
    spread = (average(close, 10 + 2 * k) - average(close, 60 + 9 * k)) / reach
    side = np.where(spread > 0.5, 1, np.where(spread < -0.5, -1, 0)).astype(np.int8)
    strength = np.where(np.isfinite(spread), np.minimum(np.abs(spread) / 3, 1.0), 0.0)
    level = np.full(len(close), 1.0)
    off = np.broadcast_to(0.0, len(close))
    market = off, np.broadcast_to(np.int8(0), len(close)), np.broadcast_to(np.int64(1), len(close))
    return Signals(
        side,
        strength,
        reach,
        0.5 * level,
        1e-4 * level,
        1e-6 * level,
        *market,
        off,
        off,
        *exits_of(SignalFrame(side, strength), len(close)),
        {},
    )


class DeskTiming(NamedTuple):
    """A desk's run: CPU ns a bar and sleeve with rows and hash, and its rows and awake bars, each a bar and sleeve."""

    ns: float
    rows: float
    awake_frac: float


def compiled_ns(columns: np.ndarray, sleeves: int, **changed: float) -> DeskTiming:
    """The compiled core over the bars; `changed`: rules of every sleeve."""
    records = bar_records(market(columns))
    wanted = signal_columns([signals(columns, k) for k in range(sleeves)])
    chosen = [rules(k)._replace(**changed) for k in range(sleeves)]
    work = lambda: run_records(records, wanted, 1, chosen, OPEN_LIMITS, [CASH] * sleeves)  # noqa: E731 - timed as it is
    for _ in range(4):  # load the kernel, and touch the memory: its first touch is the machine's price
        work()
    seconds, found = cpu_s(work, 7)
    count = len(wanted[0])
    return DeskTiming(seconds / count * 1e9, len(found.rows) / count, found.awake / count)


def plain_us(columns: np.ndarray) -> float:
    """CPU microseconds a bar of one sleeve as plain Python, the way the worker runs it."""
    bars = [Bar(*record) for record in bar_records(market(columns)).tolist()]
    wanted = [Signal(*x) for x in zip(*(c.tolist() for c in signal_columns([signals(columns, 0)])), strict=True)]
    m = Memory(bars, [start(CASH)], [rules(0)], [0.0] * TRIPS_KEPT, [0.0], [0], [0.0], [0.0], [nan], [None] * 40)
    book, awake = start_desk(CASH), [-1]
    begun = time.process_time()
    for t in range(len(bars)):
        book, _, _ = settle_and_mark(m, book, OPEN_LIMITS, 0, t, awake, 1)
        book, _ = decide_all(m, wanted, book, OPEN_LIMITS, 0, t, awake)
    return (time.process_time() - begun) / len(bars) * 1e6


@numba.njit(cache=True)
def bare(o, h, low, c, side):  # type: ignore[no-untyped-def]
    """One position, stop, target and trail by fractions, no guardrails, no rows: the least that strategy A needs."""
    held, entry, best, cash, trips, pending = 0, 0.0, 0.0, 0.0, 0, 0
    for t in range(len(c)):
        if pending != 0:
            held, entry, best, pending = pending, o[t], o[t], 0
        if held != 0:
            stop = max(held * entry - 0.01 * entry, held * best - 0.015 * best)
            target = held * entry + 0.02 * entry
            worst, reach = (low[t], h[t]) if held > 0 else (-h[t], -low[t])
            out = inf
            if held * o[t] <= stop or held * o[t] >= target:
                out = held * o[t]
            elif worst <= stop:
                out = stop
            elif reach >= target:
                out = target
            if out != inf:
                cash, trips, held = cash + out - held * entry, trips + 1, 0
            else:
                best = max(best, h[t]) if held > 0 else min(best, low[t])
        if held == 0 and side[t] != 0:
            pending = side[t]
    return cash, trips


def gauge_ns(columns: np.ndarray, side: np.ndarray) -> float:
    """CPU ns a bar of the bare loop."""
    arrays = [np.ascontiguousarray(columns[:, k]) for k in range(4)]
    bare(*arrays, side)
    seconds, _ = cpu_s(lambda: bare(*arrays, side), 5)
    return seconds / len(columns) * 1e9
