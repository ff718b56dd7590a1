"""Baskets for tests of the core: a calm one by hand, and hostile ones that miss bars, fill in part, gap, and lose legs."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from engine.core.basket import SpreadTerms
from engine.core.basket_kernel import BasketInputs, BasketResult, run_basket
from engine.core.compiled import dtype_of
from engine.core.state import REFERENCE, Bar, Limits, Rules
from tests.fakes.desks import LOOSE, RULES

HOUR_MS = 3_600_000
FIRST_MS = 1_735_689_600_000
TERMS = SpreadTerms(enter=2.0, leave=0.0, stop=4.0, momentum_bars=0, pair_frac_max=1.0)
LEG = RULES._replace(
    bar_ms=HOUR_MS,
    mode=REFERENCE,
    stop_atr=0.0,
    stop_frac=0.3,
    target_atr=0.0,
    arm_atr=0.0,
    trail_atr=0.0,
    fade_below=0.0,
    vol_target=0.0,
    risk_start_frac=0.02,
    risk_floor_frac=0.02,
    notional_frac_max=10.0,
    leverage_max=10.0,
    streak_max=1_000_000,
    day_entries_max=1_000_000,
    day_loss_frac_max=1.0,
    participation_max=0.1,
    tick=0.01,
)


class BasketCase(NamedTuple):
    """What run_basket takes."""

    given: BasketInputs
    rules: list[Rules]
    pairs: list[tuple[int, int]]
    terms: SpreadTerms = TERMS
    limits: Limits = LOOSE
    cash: float = 10_000.0

    def run(self, *, plain: bool = True) -> BasketResult:
        """The run, as plain Python or compiled."""
        return run_basket(*self, plain=plain)


def inputs(
    opens: np.ndarray,
    closes: np.ndarray,
    fit: tuple[float, float, float] = (1.0, 0.0, 0.01),
    volume: np.ndarray | float = 1e9,
    pairs: int = 1,
    **more: np.ndarray,
) -> BasketInputs:
    """Bars of (n, k) opens and closes without a wick, one fit (hedge, intercept, deviation) for all; `more`: columns of Bar, or
    fields of BasketInputs."""
    n, k = closes.shape
    bars = np.zeros((n, k), dtype_of(Bar))
    bars["close_ms"] = (FIRST_MS + HOUR_MS * np.arange(1, n + 1))[:, None]
    bars["open"], bars["close"] = opens, closes
    bars["high"], bars["low"], bars["volume"] = np.maximum(opens, closes), np.minimum(opens, closes), volume
    for name in set(more) & set(bars.dtype.names or ()):
        bars[name] = more.pop(name)
    with np.errstate(all="ignore"):
        logs = np.log(bars["close"])
    zero = np.zeros(n * k)
    hedge, intercept, deviation = (np.full(n * pairs, value) for value in fit)
    spread = hedge, intercept, deviation, logs.reshape(-1)
    found = BasketInputs(bars.reshape(-1), *spread, zero, zero, zero, zero, np.full(k, -1))
    return found._replace(**more)


def swinging(seed: int, bars: int = 120, k: int = 3) -> BasketCase:
    """k legs that go one way together, each with a part of its own that comes back within a few bars; every bar is there, and has
    volume for all that is ordered: pairs enter and leave often, and share legs."""
    dice = np.random.default_rng(seed)
    own = np.zeros((bars, k))
    for t in range(1, bars):
        own[t] = 0.6 * own[t - 1] + dice.normal(0.0, 0.01, k)
    closes = np.exp(np.log(100.0) + np.cumsum(dice.normal(0.0, 0.004, bars))[:, None] + own)
    opens = np.vstack([closes[:1], closes[:-1]])
    pairs = list(combinations(range(k), 2))
    given = inputs(opens, closes, (1.0, 0.0, 0.012), pairs=len(pairs))
    return BasketCase(given, [LEG._replace(lot_size=0.01, mode=1)] * k, pairs, TERMS._replace(enter=1.0, stop=9.0))


def hostile(seed: int, bars: int = 200) -> BasketCase:
    """2 to 5 legs that go their ways together and then do not: volumes from nothing to plenty, holes, gaps that stop or liquidate
    a leg, a leg whose bars end, fits of any sign or none, coarse lots, every fill mode."""
    dice = np.random.default_rng(seed)
    k = int(dice.integers(2, 6))
    pairs = list(combinations(range(k), 2))
    wild = float(dice.choice([0.0, 0.002, 0.01]))
    jumps = np.where(dice.random((bars, k)) < wild, dice.normal(0.0, 0.5, (bars, k)), 0.0)
    common = np.cumsum(dice.normal(0.0, 0.006, bars))[:, None]
    own = np.cumsum(dice.normal(0.0, 0.002, (bars, k)) + jumps, axis=0) + dice.normal(0.0, 0.012, (bars, k))
    closes = np.exp(np.log(100.0) + common + own)
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(dice.normal(0.0, 0.001, (bars, k)))
    wick = 1.0 + np.abs(dice.normal(0.0, 0.004, (2, bars, k)))
    settles = (np.arange(bars) % 8 == 0)[:, None]
    holes = dice.random((bars, k)) < float(dice.choice([0.0, 0.05, 0.2]))
    ends = np.full(k, -1)
    if dice.random() < 0.4:
        leg, last = int(dice.integers(k)), int(dice.integers(bars // 3, bars - 2))
        holes[last, leg], holes[last + 1 :, leg], ends[leg] = False, True, last
    given = inputs(
        np.where(holes, np.nan, opens),
        np.where(holes, np.nan, closes),
        volume=dice.lognormal(float(dice.choice([2.0, 5.0, 9.0])), 2.0, (bars, k)),
        pairs=len(pairs),
        high=np.where(holes, np.nan, np.maximum(opens, closes) * wick[0]),
        low=np.where(holes, np.nan, np.minimum(opens, closes) / wick[1]),
        funding_mark=np.where(settles & ~holes, closes, 0.0),
        funding_rate=np.where(settles & ~holes, dice.normal(0.0, 3e-4, (bars, k)), 0.0),
        ends=ends,
        slip=np.where(dice.random(bars * k) < 0.01, np.nan, 2e-4),
        impact=np.full(bars * k, 1e-5),
        hedge=np.where(dice.random(bars * len(pairs)) < 0.05, dice.choice([np.nan, -1.0, 0.0], bars * len(pairs)), 1.0),
        deviation=np.full(bars * len(pairs), 0.015),
    )
    bold = 0.3 if dice.random() < 0.4 else 0.02  # of equity at the spread's stop: margin that a gap can take
    rules = [
        LEG._replace(
            risk_start_frac=bold,
            risk_floor_frac=bold,
            risk_max_frac=bold,
            mode=seed % 3,
            lot_size=float(dice.choice([0.001, 0.1, 1.0])),
            least_lots=int(dice.integers(1, 4)),
            least_notional=float(dice.choice([0.0, 5.0, 50.0])),
            stop_frac=float(dice.choice([0.1, 0.3])),
            leverage_max=float(dice.choice([2.0, 10.0])),
            streak_max=int(dice.choice([3, 1_000_000])),
            day_loss_frac_max=float(dice.choice([0.03, 1.0])),
            maintenance_frac=0.01,
            liquidation_fee_frac=0.005,
            risk_limit_frac=float(dice.choice([3.0 * bold, 1e9])),
        )
        for _ in range(k)
    ]
    terms = TERMS._replace(enter=1.5, momentum_bars=int(dice.choice([0, 5])), pair_frac_max=float(dice.choice([0.5, 3.0])))
    limits = LOOSE._replace(drawdown_frac_max=float(dice.choice([0.005, 99.0])))
    return BasketCase(given, rules, pairs, terms, limits)
