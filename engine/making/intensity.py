"""How far takers reach from the middle: kappa of Avellaneda and Stoikov from a tape, with an interval, or why there is none.

Called by app/cli/making.py. A sweep is what one taker traded at one time; its reach is the farthest price of it from the middle
known before, bps. Fills at a distance d come at A exp(-kappa d), so kappa is one over the mean reach. Intervals resample blocks
of time, since sweeps come in clusters. Gamma is how much risk a person takes: no tape says it.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from engine.amounts import percent_text
from engine.errors import DataError
from engine.l2.feasibility import FOLDS
from engine.l2.moments import Changes
from engine.l2.tape import Floats, Ints, TapeTrades
from engine.making.report import middles_at

BLOCK_NS = 10_000_000_000
DRAWS, SEED = 1_000, 20260808
SWEEPS_MIN = 100
BLOCKS_MIN = 12
WIDE = 2.0  # an interval whose ends are this many times apart says little
REACHES_BPS = (0.5, 1.0, 2.0, 5.0)
OFF_SHARE = 2.0  # a share beyond a distance that is so many times the formula's is another law
GAMMA = "gamma is how much risk a person takes: no tape says it"


class TakerSweeps(NamedTuple):
    """What takers traded at one time each: when, and how far from the middle."""

    when_ns: Ints
    reach_bps: Floats


def sweeps_of(trades: TapeTrades, changes: Changes) -> TakerSweeps:
    """Trades of one time and side together, by the farthest; without a middle known before them they are left out."""
    middle = middles_at(changes, trades.recv_ns - 1)
    known = middle > 0.0
    reach = np.maximum(trades.taker[known] * (trades.price[known] / middle[known] - 1.0) * 1e4, 0.0)
    when, taker = trades.recv_ns[known], trades.taker[known]
    first = np.flatnonzero((np.diff(when, prepend=-1) != 0) | (np.diff(taker, prepend=0) != 0))
    return TakerSweeps(when[first], np.maximum.reduceat(reach, first) if len(first) else reach)


def kappa_of(sweeps: TakerSweeps, begin_ns: int, end_ns: int) -> dict[str, Any]:
    """{kappa, low, high, sweeps, per_s} of a part of the time; low and high hold 95 % of DRAWS resamplings of its blocks.

    Null with too few sweeps or blocks, or where all of them are at the middle.
    """
    chosen = (sweeps.when_ns >= begin_ns) & (sweeps.when_ns < end_ns)
    reach, count, span_s = sweeps.reach_bps[chosen], int(chosen.sum()), (end_ns - begin_ns) / 1e9
    block = ((sweeps.when_ns[chosen] - begin_ns) // BLOCK_NS).astype(np.int64)
    blocks = int((end_ns - begin_ns - 1) // BLOCK_NS) + 1
    found: dict[str, Any] = {
        "kappa": None,
        "low": None,
        "high": None,
        "sweeps": count,
        "per_s": count / span_s if span_s else None,
    }
    if count < SWEEPS_MIN or not reach.sum() > 0.0:
        return found
    found["kappa"] = float(count / reach.sum())
    if blocks < BLOCKS_MIN:
        return found
    counts, sums = np.bincount(block, minlength=blocks), np.bincount(block, reach, minlength=blocks)
    drawn = np.random.default_rng(SEED).integers(0, blocks, (DRAWS, blocks))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = counts[drawn].sum(axis=1) / sums[drawn].sum(axis=1)
    found["low"], found["high"] = (float(x) for x in np.quantile(values[np.isfinite(values)], (0.025, 0.975)))
    return found


def intensity_of(trades: TapeTrades | None, changes: Changes, begin_ns: int, end_ns: int) -> dict[str, Any]:
    """The answer as JSON, verdict first. Raises DataError without trades."""
    if trades is None or not len(trades.recv_ns):
        raise DataError("no trades beside the tape", "how far takers reach is seen in trades: record _trades.parquet, too")
    sweeps = sweeps_of(trades, changes)
    whole, borders = (
        kappa_of(sweeps, begin_ns, end_ns + 1),
        np.linspace(begin_ns, end_ns + 1, FOLDS + 1).astype(np.int64).tolist(),
    )
    windows = [kappa_of(sweeps, a, b)["kappa"] for a, b in pairwise(borders)]
    shares = [
        {
            "bps": bps,
            "share": float((sweeps.reach_bps >= bps).mean()) if len(sweeps.reach_bps) else None,
            "formula": None if whole["kappa"] is None else float(np.exp(-whole["kappa"] * bps)),
        }
        for bps in REACHES_BPS
    ]
    doubts = doubts_of(whole, windows, shares)
    verdict = "One kappa describes this tape" if not doubts else "No one kappa describes this tape"
    return {
        "verdict": verdict,
        "doubts": doubts,
        **whole,
        "windows": windows,
        "beyond": shares,
        "gamma": None,
        "why_no_gamma": GAMMA,
    }


def doubts_of(whole: dict[str, Any], windows: list[float | None], shares: list[dict[str, Any]]) -> list[str]:
    """Why one kappa would mislead; empty: nothing speaks against it on this tape."""
    if whole["kappa"] is None:
        return [f"{whole['sweeps']:,} sweeps; {SWEEPS_MIN} and a reach above 0 are needed"]
    if whole["low"] is None:
        return [f"it is too short for an interval: {BLOCKS_MIN} blocks of {BLOCK_NS // 1_000_000_000} s are needed"]
    found = []
    if whole["high"] > WIDE * whole["low"]:
        found.append(f"the interval's ends are {whole['high'] / whole['low']:.1f} times apart")
    outside = sum(one is None or not whole["low"] <= one <= whole["high"] for one in windows)
    if outside:
        found.append(f"{outside} of {len(windows)} windows are outside of it")
    off = [s for s in shares if s["share"] and not 1.0 / OFF_SHARE <= s["share"] / max(s["formula"], 1e-300) <= OFF_SHARE]
    if off:
        one = off[-1]
        found.append(
            f"{percent_text(one['share'])} of the sweeps reach {one['bps']:g} bps, by the formula {percent_text(one['formula'])}"
        )
    return found
