"""Every pair of some instruments: how often it is cointegrated beside random walks, and what its spread would have made.

Called by request.py. A window of bars is fitted and tested, the bars after it are traded with that fit, and both move on: nothing
that is traded was in a fit before it. The same windows over random walks of the same returns in another order say what chance
gives; the test of the whole span is corrected for the number of pairs (Benjamini-Hochberg).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.amounts import percent_text
from engine.features.hedge import fit
from engine.research.pairs import cointegration
from engine.research.pairs.cointegration import Johansen
from engine.research.pairs.spread import Leg, SpreadRule, SpreadTrade, trades_of

Floats = npt.NDArray[np.float64]
P_MAX = 0.05
SHARE_MIN = 0.95  # of a window's bars that both legs need
CONTROLS, CONTROLS_MIN = 200, 5  # random walks in all, and of each pair
WINDOWS_MIN = 3
T_MIN = 2.0  # of the mean trade
TRADES_MIN = 10


class ScanWindows(NamedTuple):
    """In bars: so many are fitted, so many traded with that."""

    fitted: int
    traded: int


class PairRow(NamedTuple):
    """What was found of a pair; figures None where `refused` says why there are none."""

    a: str
    b: str
    refused: str = ""
    windows: int = 0
    coint_frac: float | None = None  # of the windows with p below P_MAX
    random_walk_frac: float | None = None  # the same of its own random walks, on average
    p: float | None = None  # of the whole span, the larger of both directions
    p_adjusted: float | None = None  # for the number of pairs
    johansen: Johansen | None = None  # of the whole span
    alone: bool = False  # each price returns to its mean by itself, as two stablecoins do
    hedge: float | None = None  # median of the windows
    wrong_sign: int = 0  # windows whose hedge ratio is 0 or less: no hedge, nothing entered
    half_life: float | None = None  # bars, median of the windows; infinite where the spread does not return
    trades: tuple[SpreadTrade, ...] = ()
    cointegrated: bool = False
    edge: bool = False
    unpaid: bool = False  # a leg's settlements have holes: funding and net are not known
    why: str = ""  # in words

    def total(self, part: str, *, tested: bool = False) -> float:
        """Sum over the trades of `moved`, `costs`, `funding` or `net`; `tested`: of those entered in cointegrated windows."""
        return math.fsum(getattr(trade, part) for trade in self.trades if trade.cointegrated or not tested)


class _Measured(NamedTuple):
    row: PairRow
    chance: list[float]  # the share of each of its random walks


def scan(
    names: Sequence[str],
    legs: Sequence[Leg],
    windows: ScanWindows,
    rule: SpreadRule,
    seed: int = 0,
    advance: Callable[[float], None] = lambda _share: None,
    controls: int = CONTROLS,
) -> tuple[list[PairRow], float | None]:
    """(a row for every pair in their order, the share of windows that 95 % of all random walks have at most; None: no pair).

    `controls`: random walks in all, and CONTROLS_MIN of each pair at least."""
    from threadpoolctl import threadpool_limits

    pairs = list(combinations(range(len(names)), 2))
    walks = max(CONTROLS_MIN, math.ceil(controls / len(pairs)))
    measured = []
    with threadpool_limits(1):  # the fits are small, and the same bits everywhere
        for n, (i, j) in enumerate(pairs):
            measured.append(_measured((names[i], names[j]), (legs[i], legs[j]), windows, rule, (seed, n, walks)))
            advance((n + 1) / len(pairs))
    chance = [share for one in measured for share in one.chance]
    bound = float(np.quantile(chance, 0.95, method="higher")) if chance else None
    return [_judged(row, bound if bound is not None else 1.0) for row in _corrected([one.row for one in measured])], bound


def _measured(
    names: tuple[str, str], legs: tuple[Leg, Leg], windows: ScanWindows, rule: SpreadRule, draw: tuple[int, int, int]
) -> _Measured:
    """A pair without what the others say of it. `draw`: seed, number of the pair, random walks."""
    here = np.isfinite(legs[0].close) & np.isfinite(legs[1].close)
    row = PairRow(*names)
    if np.count_nonzero(here) < windows.fitted + windows.traded:
        return _Measured(row._replace(refused=f"{np.count_nonzero(here)} bars of both, {sum(windows)} are needed"), [])
    a, b = np.log(legs[0].close[here]), np.log(legs[1].close[here])
    first, last = int(np.argmax(here)), len(here) - int(np.argmax(here[::-1]))
    starts = [t for t in range(first + windows.fitted, last, windows.traded) if _covered(here, t, windows.fitted)]
    cut = [_cut(legs, here, t, windows.fitted) for t in starts]
    if len(cut) < WINDOWS_MIN:
        why = f"{len(cut)} windows of {windows.fitted} bars with {percent_text(SHARE_MIN, 0)} of both, {WINDOWS_MIN} are needed"
        return _Measured(row._replace(refused=why), [])
    if fit(a, b) is None or np.median([not (np.ptp(x) > 0.0 and np.ptp(y) > 0.0) for x, y in cut]) == 1.0:
        return _Measured(row._replace(refused="a price that does not move"), [])
    if np.median([cointegration.collinear(x, y) for x, y in cut]):
        why = "nearly one price: less than a ten-thousandth of its variance is the other's own, no test says anything of that"
        return _Measured(row._replace(refused=why), [])
    fits = [fit(x, y) for x, y in cut]
    if all(found is None for found in fits):
        return _Measured(row._replace(refused="a price that does not move"), [])
    tested = [found is not None and cointegration.engle_granger(x, y) < P_MAX for found, (x, y) in zip(fits, cut, strict=True)]
    trades = trades_of(legs, list(zip(starts, fits, tested, strict=True)), rule)
    chance = [_walked(a, b, windows, np.random.default_rng([*draw[:2], n])) for n in range(draw[2])]
    spreads = [x - found.hedge * y for found, (x, y) in zip(fits, cut, strict=True) if found is not None]
    row = row._replace(
        windows=len(cut),
        coint_frac=float(np.mean(tested)),
        random_walk_frac=float(np.mean(chance)),
        p=cointegration.engle_granger(a, b),
        johansen=cointegration.johansen(a, b),
        alone=max(cointegration.returns_by_itself(x) for x in (a, b)) < cointegration.STATIONARY,
        hedge=float(np.median([found.hedge for found in fits if found is not None])),
        wrong_sign=sum(found is None or found.hedge <= 0.0 for found in fits),
        half_life=float(np.median([cointegration.half_life(one) for one in spreads])),
        trades=tuple(trades),
    )
    return _Measured(row, chance)


def _covered(here: npt.NDArray[np.bool_], t: int, fitted: int) -> bool:
    """Have both legs enough bars of the window before bar t?"""
    return bool(np.count_nonzero(here[t - fitted : t]) >= SHARE_MIN * fitted)


def _cut(legs: tuple[Leg, Leg], here: npt.NDArray[np.bool_], t: int, fitted: int) -> tuple[Floats, Floats]:
    """Log closes of the bars before t that both have."""
    rows = np.flatnonzero(here[t - fitted : t]) + t - fitted
    return np.log(legs[0].close[rows]), np.log(legs[1].close[rows])


def _walked(a: Floats, b: Floats, windows: ScanWindows, dice: np.random.Generator) -> float:
    """The share of cointegrated windows of two walks that take the same steps, each in an order of its own."""
    x, y = (np.cumsum(dice.permutation(np.diff(prices))) for prices in (a, b))
    starts = range(windows.fitted, len(x), windows.traded)
    cuts = ((x[t - windows.fitted : t], y[t - windows.fitted : t]) for t in starts)
    return float(np.mean([cointegration.engle_granger(*cut) < P_MAX for cut in cuts]))


def _corrected(rows: Sequence[PairRow]) -> Iterator[PairRow]:
    """With p for the number of pairs that were tried."""
    from scipy.stats import false_discovery_control

    tried = [row.p for row in rows if row.p is not None]
    adjusted = iter(false_discovery_control(tried).tolist() if tried else [])
    for row in rows:
        yield row if row.p is None else row._replace(p_adjusted=float(next(adjusted)))


def _judged(row: PairRow, bound: float) -> PairRow:
    """With what follows: cointegrated beyond chance, an edge after costs, and why not."""
    if row.refused or row.coint_frac is None or row.p_adjusted is None or row.johansen is None:
        return row._replace(why=f"refused: {row.refused}")
    lacking = []
    if row.p_adjusted >= P_MAX:
        lacking.append(f"p {row.p_adjusted:.2f} of the whole span, corrected for the pairs tried")
    if row.coint_frac <= bound and row.coint_frac < 1.0:
        lacking.append(f"{percent_text(row.coint_frac, 0)} of the windows, where random walks reach {percent_text(bound, 0)}")
    if row.johansen.rank == 0:
        lacking.append("Johansen finds no relation")
    if row.alone:
        lacking.append("each price returns to its mean by itself: neither needs the other")
    if (row.hedge or 0.0) <= 0.0:
        lacking.append("the hedge ratio has the wrong sign: both legs would be on one side")
    together, costs = not lacking, _earned(row.trades)
    row = row._replace(cointegrated=together, edge=together and not costs)
    return row._replace(why=f"not cointegrated: {'; '.join(lacking)}" if lacking else costs or "cointegrated, and pays its costs")


def _earned(trades: Sequence[SpreadTrade]) -> str:
    """Why trading the spread earns nothing to count on; "" where both halves of its trades do, and their mean is beyond luck."""
    net = np.array([trade.net for trade in trades])
    if len(net) < TRADES_MIN:
        return f"cointegrated, no edge: {len(net)} trades, {TRADES_MIN} are needed to judge"
    halves = [float(half.sum()) for half in np.array_split(net, 2)]
    spread = float(net.std(ddof=1))
    t = float(net.mean()) / spread * math.sqrt(len(net)) if spread > 0.0 else 0.0
    if min(halves) <= 0.0:
        both = " and ".join(percent_text(half, 1, sign=True) for half in halves)
        return f"cointegrated, no edge: {both} in the halves of its trades, after costs"
    return "" if t >= T_MIN else f"cointegrated, no edge: its mean trade is {t:.1f} errors from 0, {T_MIN:.0f} are needed"
