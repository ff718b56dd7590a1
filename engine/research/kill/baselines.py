"""What no idea at all earns, and what a perfect one would: random entries, holding, an oracle. Called by page.py.

Random entries keep the strategy's own exits, number of trips, sides and times in the market; only when it enters is drawn. The
oracle enters when the strategy does, on the side that the price will take: where even it cannot pay the costs, no signal can.
"""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from engine.research.kill.judged_bars import BASELINE, BPS, JudgedBars, Probe, in_bps
from engine.research.ledger import sharpe_of
from engine.sim.metrics import Floats
from engine.strategies.signals import Change, Evaluation

RANDOM_SEEDS = 100
ORACLE_TIMES = (0.0, 1.0, 2.0, 4.0)  # least move that it trades, in round-trip costs


class HeldAlike(NamedTuple):
    """Holding at the strategy's volatility."""

    net_frac: float | None
    sharpe: float | None
    scale: float | None  # of the cash that is held
    reason: str = ""


def random_entries(judged: JudgedBars, base: Probe, seed: int) -> Probe:
    """The strategy's trips begun at random bars, each on the side of one of its own, with its exits."""
    at, sides = drawn_entries(len(judged.close_ms), judged.first, base.trips, seed)
    own = judged.sleeve.params
    params = {"fade_below": 0.0} if own.fade_below > 0.0 else None  # a random entry has no strength that could fade
    hold = typical_bars(base.trips) if params else 0
    return judged.probe(BASELINE, f"random {seed}", params=params, change=entering(at, sides, hold))


def drawn_entries(bars: int, first: int, trips: pl.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(bars, sides) at which the trips begin when their order and the flat bars between them are drawn anew.

    bars: of the span, which begins at bar `first` of what the result counts in; trips: `side` and `bars` of each, closed. Trips
    keep their own lengths, so as many find a place; no two overlap by these.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(trips))
    lengths = trips["bars"].to_numpy()[order]
    sides = np.where(trips["side"].to_numpy() == "long", 1, -1)[order]
    flat = max(bars - int(lengths.sum()) - 1, 0)
    gaps = np.sort(rng.integers(0, flat + 1, len(trips)))
    at = first + gaps + np.concatenate(([0], np.cumsum(lengths[:-1]))) if len(trips) else np.empty(0, np.int64)
    inside = at < first + bars - 1
    return at[inside].astype(np.int64), sides[inside]


def entering(at: np.ndarray, sides: np.ndarray, hold_bars: int = 0) -> Change:
    """What makes an answer enter at these bars alone, on these sides, at full strength; its own exits stay."""

    def change(output: Evaluation) -> Evaluation:
        direction = np.zeros_like(output.direction)
        direction[at] = sides
        hints = output.hints._replace(hold_bars=hold_bars) if hold_bars else output.hints
        hints = hints._replace(stop_price=None, target_price=None, limit_price=None, size_frac=None)  # said for its own side
        return Evaluation(direction, np.where(direction != 0, 1.0, 0.0), output.used, hints)

    return change


def typical_bars(trips: pl.DataFrame) -> int:
    """Median bars of a closed trip, at least 1."""
    median = trips["bars"].median()
    return max(1, round(float(median))) if isinstance(median, int | float) else 1


def luck(own: float, drawn: list[float]) -> float | None:
    """Share of draws at least as good as the own, the own among them: the one-sided p of a permutation test; None without any."""
    return (1 + sum(value >= own for value in drawn)) / (1 + len(drawn)) if drawn else None


def held_alike(judged: JudgedBars, base: Probe) -> HeldAlike:
    """Holding the instrument with as much of the cash as makes its daily deviation the strategy's; without costs and funding."""
    daily = judged.hold_returns()
    if len(daily) < 2 or len(daily) != len(base.daily):
        return HeldAlike(None, None, None, "fewer than 2 whole days")
    spread = float(daily.std(ddof=1))
    if spread <= 0.0:
        return HeldAlike(None, None, None, "the price never moved")
    scale = float(base.daily.std(ddof=1)) / spread
    total = math.prod(1.0 + scale * float(r) for r in daily) - 1.0
    return HeldAlike(total, sharpe_of(daily), scale)


def cost_bps(base: Probe) -> float:
    """Fees and slippage of the mean closed trip, bps of its entry notional; 0 without any."""
    return float((in_bps(base.trips, "fees") + in_bps(base.trips, "slippage")).mean()) if len(base.trips) else 0.0


def oracle(judged: JudgedBars, base: Probe, times: float) -> tuple[float, Probe]:
    """(least move in bps, run): the strategy's own entries, each on the side of the price's move over the median holding time,
    left out where that move is less than `times` round-trip costs."""
    least = times * cost_bps(base)
    at = judged.entries(base)
    moves = future_moves(judged.frame.open, judged.frame.close, at, typical_bars(base.trips))
    chosen = np.isfinite(moves) & (moves != 0.0) & (np.abs(moves) >= least)
    probe = judged.probe(
        BASELINE, f"oracle from {least:.1f} bps", change=entering(at[chosen], np.sign(moves[chosen]).astype(np.int8))
    )
    return least, probe


def future_moves(open_: Floats, close: Floats, at: np.ndarray, bars: int) -> Floats:
    """(entries,) the move in bps from the open after bar `at` to the close `bars` bars after it; NaN past the end."""
    end = at + bars
    there = (end < len(close)) & (at + 1 < len(open_))
    safe = np.where(there, at, 0)
    moves = close[np.minimum(safe + bars, len(close) - 1)] / open_[np.minimum(safe + 1, len(open_) - 1)] - 1.0
    return np.where(there, moves * BPS, np.nan)
