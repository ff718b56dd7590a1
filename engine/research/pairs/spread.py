"""What trading a spread would have made: in at z deviations, out at the mean, both legs' costs and funding. Called by scan.py.

A trade is decided at a close and filled at the next open of both legs. It keeps the hedge ratio, mean and deviation that it was
entered with, fitted on bars before; it is one unit of money, both legs together, in fixed quantities, and never added to.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features.hedge import Fit

Floats = npt.NDArray[np.float64]


class Leg(NamedTuple):
    """One instrument over n bars, in quote units; NaN where a bar is missing. `cost`: of a fill, as a fraction of its money."""

    open: Floats
    close: Floats
    funding_rate: Floats  # of the settlement at the bar's open, 0 where none
    funding_mark: Floats
    cost: float


class SpreadRule(NamedTuple):
    """In deviations: enter beyond `enter`, leave at `leave` of the other side's way back, give up at `stop`."""

    enter: float = 2.0
    leave: float = 0.0
    stop: float = 4.0


RULE = SpreadRule()


class SpreadTrade(NamedTuple):
    """One trade, in fractions of its money: what moved, what both legs' fills cost (below 0), what funding paid, why it ended."""

    opened: int  # bar whose open filled it
    closed: int
    moved: float
    costs: float
    funding: float
    exit: str  # mean, stop, end
    cointegrated: bool  # the window before tested so

    @property
    def net(self) -> float:
        """All of it."""
        return self.moved + self.costs + self.funding


class _Open:
    """A trade while it lasts. `side`: 1 is long of a and short of b."""

    def __init__(self, side: int, at: int, used: Fit, legs: Sequence[Leg], *, cointegrated: bool) -> None:
        self.side, self.at, self.fit, self.cointegrated = side, at, used, cointegrated
        shares = (side / (1.0 + used.hedge), -side * used.hedge / (1.0 + used.hedge))
        self.lots = [share / leg.open[at] for share, leg in zip(shares, legs, strict=True)]
        self.marks = [float(leg.open[at]) for leg in legs]
        self.fees = [leg.cost for leg in legs]
        self.moved, self.funding, self.costs = 0.0, 0.0, 0.0
        self.charge(self.marks)

    def charge(self, prices: Sequence[float]) -> None:
        """A fill of both legs at these prices."""
        self.costs -= sum(fee * abs(lots) * price for fee, lots, price in zip(self.fees, self.lots, prices, strict=True))

    def settle(self, legs: Sequence[Leg], at: int) -> None:
        """Funding at an open: who is long pays a positive rate."""
        self.funding -= sum(lots * leg.funding_mark[at] * leg.funding_rate[at] for leg, lots in zip(legs, self.lots, strict=True))

    def mark(self, prices: Sequence[float]) -> None:
        """Both legs at these prices."""
        self.moved += sum(lots * (now - was) for lots, now, was in zip(self.lots, prices, self.marks, strict=True))
        self.marks = list(prices)

    def ended(self, at: int, why: str) -> SpreadTrade:
        """The trade, whole."""
        return SpreadTrade(self.at, at, self.moved, self.costs, self.funding, why, self.cointegrated)


class _Book:
    """One pair bar by bar: what was decided at a close happens at the next open of both legs."""

    def __init__(self, legs: tuple[Leg, Leg], rule: SpreadRule) -> None:
        self.legs, self.rule, self.trades = legs, rule, list[SpreadTrade]()
        self.open: _Open | None = None
        self.enters: tuple[int, Fit, bool] | None = None  # the side that was decided, by which fit
        self.leaves = ""  # why
        self.armed = True  # after a stop nothing enters before the spread was inside once

    def on_open(self, t: int) -> None:
        """The fills of what waits."""
        if self.enters is not None:
            side, used, tested = self.enters
            self.open, self.enters = _Open(side, t, used, self.legs, cointegrated=tested), None
        elif self.open is not None and self.leaves:
            self.open.mark([float(leg.open[t]) for leg in self.legs])
            self.open.charge([float(leg.open[t]) for leg in self.legs])
            self.trades.append(self.open.ended(t, self.leaves))
            self.open, self.leaves = None, ""

    def on_close(self, logs: tuple[float, float], used: Fit | None, *, tested: bool) -> None:
        """What is decided."""
        if self.open is not None:
            z = self.open.fit.z(*logs) * self.open.side
            self.leaves = "mean" if z >= -self.rule.leave else "stop" if z <= -self.rule.stop else ""
            self.armed = self.leaves != "stop"
            return
        self.enters = None
        if used is None or used.hedge <= 0.0:
            return
        z = used.z(*logs)
        self.armed = self.armed or abs(z) < self.rule.enter
        if self.armed and self.rule.enter <= abs(z) < self.rule.stop:
            self.enters = (-1 if z > 0.0 else 1, used, tested)

    def end(self, t: int) -> None:
        """What is open is closed at the closes of a bar."""
        if self.open is not None:
            self.open.charge([float(leg.close[t]) for leg in self.legs])
            self.trades.append(self.open.ended(t, "end"))


def trades_of(legs: tuple[Leg, Leg], fits: Sequence[tuple[int, Fit | None, bool]], rule: SpreadRule = RULE) -> list[SpreadTrade]:
    """All trades of a pair. `fits`: (first bar that may decide with it, what bars before that gave, whether they tested so), in
    order; a fit with a hedge ratio of 0 or less is no hedge, and enters nothing. A leg whose bar is missing decides and fills
    nothing; what is open at the end is closed at the last close of both."""
    book = _Book(legs, rule)
    here = np.isfinite(legs[0].close) & np.isfinite(legs[1].close)
    fills = np.isfinite(legs[0].open) & np.isfinite(legs[1].open)
    with np.errstate(all="ignore"):
        log_a, log_b = np.log(legs[0].close), np.log(legs[1].close)
    ends = [*(first for first, _, _ in fits[1:]), len(here)]
    last = 0
    for (first, used, tested), end in zip(fits, ends, strict=True):
        for t in range(first, end):
            if book.open is not None:
                book.open.settle(legs, t)
            if fills[t]:
                book.on_open(t)
            if here[t]:
                last = t
                if book.open is not None:
                    book.open.mark([float(leg.close[t]) for leg in legs])
                book.on_close((float(log_a[t]), float(log_b[t])), used, tested=tested)
    book.end(last)
    return book.trades
