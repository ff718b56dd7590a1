"""Pairs: every pair of a basket's legs, entered where their log spread is far from its mean, left on the way back.

Hypothesis: two coins that move together come back together. On the recorded coins of 2025 they do not, after costs
(docs/research.md). Universe: 2 to 12 perpetuals of one timeframe. Signal: deviations of the spread by a fit on bars of the past;
a trade keeps the fit that it was entered with. Exit: at the mean, or past it once the spread no longer moves on; given up
further out. Sizing: what is lost at that stop, both legs together. Constraints: backtests, by `nightdesk backtest
pairs`, paper and an account, by a sleeve with `legs`.
"""

from itertools import combinations, pairwise
from typing import Literal, NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from engine.clock import DAY_MS
from engine.core.basket import SpreadTerms
from engine.errors import BadInput
from engine.features.feature import Array
from engine.features.hedge import Fit, fit
from engine.strategies.base import StrategyParams, choice, knob

NAME = "pairs"
FEATURES = ()
BASKET = True  # one sleeve over all of its legs
LEGS_MAX = 12
COVERED_MIN = 0.95  # of a window's bars that both legs need
NO_PART = (  # of a pair: it has no stop, target or layer of one leg alone
    "stop_atr", "target_atr", "target_frac", "arm_atr", "arm_frac", "trail_atr", "trail_frac", "fade_below", "layers_max",
    "add_atr", "vol_target", "fixed_qty",
)  # fmt: skip


class Params(StrategyParams):
    """The spread's parameters beside the common ones. `stop_frac` is the wide stop of a leg that runs away from its mate."""

    window_days: float = knob(60.0, 1.0, 90.0, "days", None, "past that the hedge ratio, mean and deviation are fitted on")
    step_days: float = knob(5.0, 0.25, 60.0, "days", None, "how long a fit decides entries")
    enter: float = knob(2.0, 0.1, 10.0, "deviations", None, "of the spread, at which a pair is entered")
    leave: float = knob(0.0, 0.0, 10.0, "deviations", None, "that are left of the way back when the mean counts as reached")
    stop: float = knob(4.0, 0.2, 20.0, "deviations", "up", "of the spread, at which a pair is given up")
    mode: Literal["mean", "momentum"] = choice("mean", None, "leave at the mean, or past it once the spread no longer moves on")
    momentum_bars: int = knob(12, 1, 1000, "bars", None, "over which the spread has to move on, in the mode momentum")
    pair_frac_max: float = knob(0.5, 0.01, 10.0, "of equity", "up", "largest gross notional of a pair, both legs together")
    stop_atr: float = knob(0.0, 0.0, 20.0, "ATR", "up", "a leg's wide stop is a fraction of its price")
    stop_frac: float = knob(0.3, 0.05, 0.5, "of price", "up", "wide stop of a leg, from its average entry")
    target_atr: float = knob(0.0, 0.0, 50.0, "ATR", None, "no target of a leg")
    arm_atr: float = knob(0.0, 0.0, 20.0, "ATR", "up", "no trail of a leg")
    trail_atr: float = knob(0.0, 0.0, 20.0, "ATR", "up", "no trail of a leg")
    vol_target: float = knob(0.0, 0.0, 2.0, "a year", "up", "no volatility cap: a pair is sized by its spread")

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """The three levels ascend, and nothing is set that a pair does not have."""
        if not self.leave < self.enter < self.stop:
            raise ValueError(f"leave = {self.leave:g}, enter = {self.enter:g}, stop = {self.stop:g} must be in ascending order")
        for name in NO_PART:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} = {getattr(self, name):g} is of one instrument, a basket does not use it")
        return self


class PairFits(NamedTuple):
    """The fit that decides at each close, (bars, pairs); NaN where none does."""

    hedge: Array
    intercept: Array
    deviation: Array


def signals(_f: object, _p: Params) -> NoReturn:
    """A basket has no signal of one instrument."""
    raise BadInput("pairs trades a basket of instruments, this is a run of one", "nightdesk backtest pairs --symbol A,B,C")


def pairs_of(legs: int) -> list[tuple[int, int]]:
    """Every pair of legs, by number."""
    return list(combinations(range(legs), 2))


def terms_of(p: Params) -> SpreadTerms:
    """What the core trades every pair by."""
    return SpreadTerms(p.enter, p.leave, p.stop, p.momentum_bars if p.mode == "momentum" else 0, p.pair_frac_max)


def logs_of(close: Array) -> Array:
    """Log prices, NaN where a bar is missing."""
    with np.errstate(all="ignore"):
        return np.log(np.ascontiguousarray(close))


def ends_of(close: Array) -> npt.NDArray[np.int64]:
    """Of each leg its last bar (bars, legs), -1 where that is the last of all: its bars end while others go on."""
    last = [np.flatnonzero(np.isfinite(column))[-1:] for column in close.T]
    return np.array([k[0] if len(k) and k[0] < len(close) - 1 else -1 for k in last], np.int64)


def fits_of(logs: Array, close_ms: npt.NDArray[np.int64], timeframe_ms: int, p: Params) -> PairFits:
    """The fits of every pair over log closes (bars, legs), NaN where a bar is missing. One is made at each multiple of
    `step_days`, on the bars of `window_days` before it, and decides until the next. 90 days are before every run (the anchor): it
    has the same fits whenever it begins."""
    window, step = spans_of(timeframe_ms, p)
    spans = close_ms // step
    renewed = [int(t) for t in np.flatnonzero(np.diff(spans, prepend=spans[:1])) if t >= window]
    found = PairFits(*(np.full((len(logs), len(pairs_of(logs.shape[1]))), np.nan) for _ in PairFits._fields))
    for t, end in pairwise([*renewed, len(logs)]):
        for n, one in enumerate(fits_before(logs, t, window)):
            if one is not None:
                for column, value in zip(found, one, strict=True):
                    column[t:end, n] = value
    return found


def spans_of(timeframe_ms: int, p: Params) -> tuple[int, int]:
    """(bars that a fit is made on, ms that it decides)."""
    return max(2, round(p.window_days * DAY_MS / timeframe_ms)), max(timeframe_ms, round(p.step_days * DAY_MS))


def renewed_at(close_ms: npt.NDArray[np.int64], t: int, window: int, step: int) -> int:
    """The bar at which the fits that decide at bar t were made, as in `fits_of`; -1 where none decides."""
    first = int(np.searchsorted(close_ms, close_ms[t] // step * step))
    return first if first >= max(window, 1) else -1


def fits_before(logs: Array, t: int, window: int) -> list[Fit | None]:
    """Of every pair the fit on the bars before t."""
    return [_fitted(logs[t - window : t, a], logs[t - window : t, b]) for a, b in pairs_of(logs.shape[1])]


def _fitted(a: Array, b: Array) -> Fit | None:
    """The fit over the bars that both have; None where those are too few."""
    both = np.isfinite(a) & np.isfinite(b)
    return fit(a[both], b[both]) if np.count_nonzero(both) >= COVERED_MIN * len(a) else None
