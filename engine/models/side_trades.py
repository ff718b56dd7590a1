"""What the sides of a model earn after costs: one trade at a time, made of predictions that its folds had not seen.

Called by training_report.py. Turns predictions into trades by a threshold that the training file states before anything is
fitted, each from the close that predicts to the time at which its label is known, less a round trip of the desk's own costs
(judging.round_trip_bps: taker fee and half-spread, twice; no impact, since no size is known, and no funding).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.models import scores
from engine.models.labels import SideOutcome
from engine.models.scores import Score

THRESHOLD = 0.2  # how far P(up) and P(down) are apart: mlsignal's edge of 0.1 from one half
TRADES_MIN, FOLDS_MIN = 100, 10  # below, an interval of whole folds says nothing
Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


class SideTrades(NamedTuple):
    """All trades of the test rows; bps of the notional."""

    rule: str  # which rows trade
    cost_bps: float | None  # a round trip; None: the desk knows no costs of the instrument
    net: Score  # of a trade; `rows`: trades
    gross_bps: float
    right: float  # share of trades that earn before costs
    needed: float  # the share that would pay the costs at their mean move; above 1: none does
    folds: int  # in which anything was traded

    @property
    def passed(self) -> bool:
        """Enough of them, and the interval of what one earns is above 0."""
        return self.cost_bps is not None and self.net.rows >= TRADES_MIN and self.folds >= FOLDS_MIN and self.net.low > 0.0

    @property
    def text(self) -> str:
        """The figure, its interval, and what was asked for."""
        if self.cost_bps is None:
            return "the desk knows no costs of this instrument: nothing can be said of what it earns"
        count = f"{self.net.rows:,} trades in {self.folds} folds, {self.rule}"
        if self.net.rows < TRADES_MIN or self.folds < FOLDS_MIN:
            return f"{count}: too few, at least {TRADES_MIN} in {FOLDS_MIN} folds are asked for"
        net = f"{self.net.value:+.2f} bps ({self.net.low:+.2f} to {self.net.high:+.2f})"
        asked = "" if self.passed else ", which has to be above 0"
        return f"a trade earns {net} after {self.cost_bps:.1f} of costs{asked}: {count}, right in {self.right:.3f}"

    def as_json(self) -> dict[str, Any]:
        """As metrics keep it."""
        return {**self._asdict(), "net": self.net._asdict(), "text": self.text}


def side_trades(
    lean: Array,
    threshold: float,
    rule: str,
    outcome: SideOutcome,
    times: tuple[Times, Times],
    folds: Sequence[npt.NDArray[np.int64]],
    cost_bps: float | None,
) -> SideTrades:
    """The trades of a column: a buy where `lean` (n,) is at least `threshold`, a sale where it is at most minus that.

    `times`: of each row when it is entered and when it is left, UTC ms. No trade begins before the one before has ended.
    """
    gross = np.full(len(lean), np.nan)
    earned = 1e4 * np.where(lean > 0.0, outcome.buyer, -outcome.seller)
    tested = np.concatenate(folds)
    clear = tested[(np.abs(lean[tested]) >= threshold) & np.isfinite(earned[tested])]
    taken = one_at_a_time(clear, *times)
    gross[taken] = earned[taken]
    net = scores.score(_mean, gross - (cost_bps or 0.0), np.zeros(len(lean)), np.zeros(len(lean)), folds)
    count = sum(bool(np.isfinite(gross[rows]).any()) for rows in folds)
    if not len(taken):
        return SideTrades(rule, cost_bps, net, math.nan, math.nan, math.nan, 0)
    size = float(np.abs(gross[taken]).mean())
    needed = 0.5 * (1.0 + (cost_bps or 0.0) / size) if size > 0.0 else math.nan
    return SideTrades(rule, cost_bps, net, float(gross[taken].mean()), float((gross[taken] > 0.0).mean()), needed, count)


def one_at_a_time(rows: npt.NDArray[np.int64], entered_ms: Times, left_ms: Times) -> npt.NDArray[np.int64]:
    """Those of `rows` (ascending) that begin when the one before them has ended."""
    free, taken = -math.inf, []
    for row in rows.tolist():
        if entered_ms[row] >= free:
            taken.append(row)
            free = float(left_ms[row])
    return np.array(taken, dtype=np.int64)


def _mean(values: Array, nothing: Array, before: Array) -> float:
    del nothing, before
    return float(values.mean())
