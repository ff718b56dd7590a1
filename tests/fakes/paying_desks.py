"""Desks that are brought to their liquidation level: walks in whole tenths, settlements that eat the margin, leverage."""

import random
from types import SimpleNamespace

import numpy as np

from engine.core.kernel import bar_records, signal_columns
from engine.core.state import Bar, Rules, Signal
from engine.venues.tiers import core_tiers
from tests.fakes.desks import BAR_MS, RULES, market

T0 = 1_735_689_600_000


def made(seed: int, bars: int = 400) -> tuple[list[Bar], list[Signal]]:
    """A random walk in whole tenths: the same numbers on every machine."""
    rng, price, found, said = random.Random(seed), 1_000, [], []
    for t in range(bars):
        opened, price = price, max(price + rng.randrange(-12, 13), 500)
        high, low = max(opened, price) + rng.randrange(6), min(opened, price) - rng.randrange(6)
        found.append(Bar(T0 + (t + 1) * BAR_MS, opened / 10, high / 10, low / 10, price / 10, 1e6, 0.0, 0.0))
        side = rng.choice((-1, 0, 0, 1))
        said.append(Signal(side, 0.5 if side else 0.0, 1.5, 0.6, 0.0001, 0.0, 0.0, 0, 1))
    return found, said


def paying(seed: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Two random walks whose settlements take a tenth of the notional every 24 bars: longs pay on one, shorts on the other; two
    sleeves on each hold the paying side all the time."""
    walks, bars = [made(seed * 2 + k)[0] for k in (0, 1)], 400
    columns = {name: np.array([[getattr(b, name) for b in walk] for walk in walks]).T for name in Bar._fields[1:6]}
    due = np.arange(bars)[:, None] % 24 == 23
    columns |= {"funding_rate": np.array([[0.1, -0.1]]) * due, "funding_mark": columns["open"] * due}
    whole, ones = np.zeros(bars, np.int8), np.ones(bars)
    signals = [
        SimpleNamespace(side=whole + side, strength=ones, atr=ones, vol_annual=ones, slip_frac=0 * ones, impact=0 * ones,
                        limit=0 * ones, post_only=whole, good_for=np.ones(bars, np.int64), range_times=ones, volume_times=ones,
                        stop=0 * ones, target=0 * ones, leave=whole, hold=np.zeros(bars, np.int64), size_frac=0 * ones,
                        reverse=whole)
        for side in (1, -1, 1, -1)
    ]  # fmt: skip
    return bar_records(market(columns)), signal_columns(signals)


def indebted(mode: int) -> list[Rules]:
    """Rules of the four sleeves of `paying`: as much leverage as passes, stops far away; two of them with layers, and hardly any
    of a bar's volume."""
    held = RULES._replace(
        maintenance_frac=0.02, tiers=core_tiers([[5_000.0, 0.02], [20_000.0, 0.05], [60_000.0, 0.1]]), liquidation_fee_frac=0.01,
        risk_start_frac=0.9, risk_max_frac=0.9, vol_target=0.0, notional_frac_max=4.0, leverage_max=4.0, stop_atr=8.0,
        target_atr=0.0, trail_atr=0.0, fade_below=0.0, streak_max=1_000, day_loss_frac_max=1e9, participation_max=1.0, mode=mode,
    )  # fmt: skip
    thin = {"layers_max": 3, "add_atr": 0.5, "participation_max": 1e-4}
    return [held._replace(instrument=k % 2, bars=k % 2, **(thin if k > 1 else {})) for k in range(4)]
