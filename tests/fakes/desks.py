"""Ready-made rules, markets and signals for tests of the core: a plain desk, and one with everything a feed can do wrong."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.core.compiled import dtype_of, from_record, to_records
from engine.core.kernel import bar_records, block_records, compiled_run, guided, signal_columns
from engine.core.leap import run
from engine.core.memory import Memory
from engine.core.state import PESSIMISTIC, TRIPS_KEPT, Bar, Desk, Limits, Row, Rules, Signal, Sleeve, start, start_desk

BAR_MS = 900_000
LOOSE = Limits(drawdown_frac_max=0.99, gross_frac_max=50.0, instrument_frac_max=50.0, orders_minute_max=1_000)
STRICT = Limits(  # every guardrail of the desk binds now and then
    drawdown_frac_max=0.5,
    gross_frac_max=5.0,
    instrument_frac_max=3.0,
    orders_minute_max=5,
    positions_max=4,
    family_frac_max=0.15,
    correlated_frac_max=0.12,
    spread_frac_max=0.0006,
    range_times_max=2.5,
    volume_times_min=0.2,
    volume_times_max=3.0,
    funding_quiet_ms=1_800_000,
    no_entry=(0, 0x1, 0, 0xF00, 0, 0x3, 0),
)
NO_DAYS = np.empty(0)
RULES = Rules(
    instrument=0,
    bars=0,
    mode=PESSIMISTIC,
    bar_ms=BAR_MS,
    layers_max=1,
    fixed_lots=0,
    stop_atr=2.0,
    stop_frac=0.0,
    target_atr=4.0,
    target_frac=0.0,
    arm_atr=1.5,
    arm_frac=0.0,
    trail_atr=2.5,
    trail_frac=0.0,
    add_atr=0.8,
    fade_below=0.15,
    risk_start_frac=0.0025,
    risk_floor_frac=0.001,
    risk_max_frac=0.02,
    kelly_part=0.25,
    vol_target=0.2,
    notional_frac_max=1.5,
    leverage_max=3.0,
    maintenance_frac=0.004,
    participation_max=0.02,
    day_loss_frac_max=0.03,
    streak_max=3,
    day_entries_max=20,
    pause_ms=86_400_000,
    lot_size=0.001,
    least_lots=1,
    least_notional=0.0,
    shorts=1,
    risk_limit_frac=1e9,  # binds nothing, but where a test is about it
    tick=0.1,
    maker_frac=0.0002,
    taker_frac=0.0005,
)


def market(columns: dict[str, np.ndarray], first_ms: int = 1_735_689_600_000) -> Any:
    """A market of (n, instruments) columns; funding is absent unless given."""
    n, instruments = columns["close"].shape
    none = np.zeros((n, instruments))
    full = {"funding_rate": none, "funding_mark": none, **columns}
    close_ms = first_ms + BAR_MS * np.arange(1, n + 1, dtype=np.int64)
    names = tuple(f"i{k}" for k in range(instruments))
    return SimpleNamespace(instruments=names, timeframe_ms=BAR_MS, close_ms=close_ms, notes=(), **full)


def hostile(seed: int, bars: int = 600, instruments: int = 3, sleeves: int = 7) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """(bar records, signal columns) with everything that a feed can do wrong: jumps, gaps, zeros, NaN in single fields."""
    rng = np.random.default_rng(seed)
    shape = (bars, instruments)
    close = 100.0 * np.exp(np.cumsum(rng.standard_t(2.5, shape) * 0.01, axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * (1 + rng.normal(0, 0.003, shape) * (rng.random(shape) < 0.3))
    settled = rng.random(shape) < 0.03
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.004, shape))),
        "low": np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.004, shape))),
        "close": close,
        "volume": rng.lognormal(10, 3, shape) * (rng.random(shape) < 0.9),
        "funding_rate": rng.normal(0, 1e-3, shape) * settled,
        "funding_mark": opened * settled,
    }
    for name in ("open", "high", "low", "close", "volume"):
        columns[name][rng.random(shape) < 0.01] = np.nan
    signals = [signal(rng, bars) for _ in range(sleeves)]
    for k in range(1, sleeves, 3):  # every third sleeve enters by limit
        rest_at(np.random.default_rng([seed, k]), signals[k], close[:, k % instruments])
    for k in range(2, sleeves, 3):  # and every third says levels, exits and sizes of its own
        guide(np.random.default_rng([seed, k, 3]), signals[k], close[:, k % instruments])
    for k in range(1, sleeves, 2):  # and every other one turns: at the market, by limit, with levels of its own
        turn(np.random.default_rng([seed, k, 4]), signals[k], 0.0 if k % 3 == 2 else 0.1)
    for k, made in enumerate(signals):
        judge(np.random.default_rng([seed, k, 1]), made)
    return bar_records(market(columns)), signal_columns(signals)


def rest_at(rng: np.random.Generator, made: Any, close: np.ndarray) -> None:
    """Limits on both sides of the close, a few unknown or absurd, post-only or not, for one to four bars."""
    bars = len(close)
    made.limit = close * (1.0 - made.side * rng.normal(0.002, 0.004, bars))
    made.limit[rng.random(bars) < 0.03] = np.nan
    made.limit[rng.random(bars) < 0.02] = -1.0
    made.post_only, made.good_for = (rng.random(bars) < 0.5).astype(np.int8), rng.integers(0, 5, bars)


def guide(rng: np.random.Generator, made: Any, close: np.ndarray) -> None:
    """Own stops and targets, most on the right side of the close, some on the wrong one, unknown or none; exit signals, times,
    sizes."""
    bars = len(close)
    for name, sign in (("stop", -1.0), ("target", 1.0)):
        levels = close * (1.0 + sign * made.side * rng.normal(0.015, 0.01, bars))
        levels[rng.random(bars) < 0.1] = 0.0
        levels[rng.random(bars) < 0.03] = np.nan
        setattr(made, name, levels)
    made.leave = (rng.integers(0, 4, bars) * (rng.random(bars) < 0.02)).astype(np.int8)
    made.hold = rng.integers(0, 60, bars) * (rng.random(bars) < 0.5)
    made.size_frac = rng.uniform(0.0, 2.0, bars) * (rng.random(bars) < 0.7)
    made.size_frac[rng.random(bars) < 0.02] = np.nan


def turn(rng: np.random.Generator, made: Any, often: float) -> None:
    """Sides of which a share changes from bar to bar, most of them to take the place of the other."""
    bars = len(made.side)
    made.side = np.where(rng.random(bars) < often, -made.side, made.side).astype(np.int8)
    made.reverse = (rng.random(bars) < 0.7).astype(np.int8)


def judge(rng: np.random.Generator, made: Any) -> None:
    """Bars against what is usual: mostly near 1, some far from it, a few unknown."""
    for name in ("range_times", "volume_times"):
        values = rng.lognormal(0.0, 0.6, len(made.side))
        values[rng.random(len(values)) < 0.02] = np.nan
        setattr(made, name, values)


def daily_of(seed: int, days: int, instruments: int = 3) -> np.ndarray:
    """Correlations for `days` UTC days, flat; some not known."""
    rng = np.random.default_rng([seed, 2])
    half = np.where(
        rng.random((days, instruments, instruments)) < 0.2, np.nan, rng.uniform(-1, 1, (days, instruments, instruments))
    )
    both = np.triu(half, 1)
    return (both + np.transpose(both, (0, 2, 1)) + np.eye(instruments)).reshape(-1)


def signal(rng: np.random.Generator, bars: int) -> Any:
    """One sleeve's random signal with missing inputs."""
    side = np.repeat(rng.integers(-1, 2, bars // 30 + 1), 30)[:bars] * (rng.random(bars) < 0.8)
    out = {"side": side.astype(np.int8), "strength": rng.random(bars)}
    for name, scale in (("atr", 1.0), ("vol_annual", 0.8), ("slip_frac", 2e-4), ("impact", 1e-5)):
        values = abs(rng.normal(0, scale, bars)) * (rng.random(bars) < 0.95)
        values[rng.random(bars) < 0.02] = np.nan
        out[name] = values
    out |= {"limit": np.zeros(bars), "post_only": np.zeros(bars, np.int8), "good_for": np.ones(bars, np.int64)}
    none = np.zeros(bars)
    out |= dict.fromkeys(("range_times", "volume_times", "stop", "target", "size_frac"), none)
    out |= {"leave": np.zeros(bars, np.int8), "hold": np.zeros(bars, np.int64), "reverse": np.zeros(bars, np.int8)}
    return SimpleNamespace(**out)


def hostile_rules(seed: int, sleeves: int = 7, instruments: int = 3) -> list[Rules]:
    """Varied rules, some with a zero where a number is expected, in every fill mode."""
    rng = np.random.default_rng(seed + 1_000_000)
    odd = {"stop_atr": 0.0, "target_atr": 0.0, "layers_max": 0, "lot_size": 0.0, "vol_target": 0.0, "trail_atr": 0.0}
    odd |= {"participation_max": 0.0, "arm_atr": 0.0, "day_loss_frac_max": 0.0, "streak_max": 1, "leverage_max": 0.0}
    odd |= {"fade_below": 2.0, "notional_frac_max": 9.0, "day_entries_max": 1, "fixed_lots": 7, "tick": 0.0, "risk_max_frac": 0.0}
    out = []
    for k in range(sleeves):
        rules = RULES._replace(
            instrument=k % instruments,
            bars=k % instruments,
            mode=int(seed % 3),
            layers_max=5 if k % 2 == 0 else 2,
            add_atr=0.1 if k % 2 == 0 else 0.8,
            fade_below=0.0 if k % 4 == 0 else 0.15,
            risk_start_frac=0.02,
            risk_limit_frac=0.03 if k % 3 == 0 else 1e9,
            shorts=0 if k % 5 == 4 else 1,
            least_lots=40 if k % 4 == 1 else 1,
            least_notional=300.0 if k % 4 == 3 else 0.0,
            vol_target=2.0 if k % 3 else 0.0,
            streak_max=6,
            pause_ms=20 * BAR_MS,
            leverage_max=1.0 if k % 4 == 2 else 3.0,
            maintenance_frac=0.004 if k % 5 else 0.3,
            stop_atr=2.0 + 0.1 * k,
            stop_frac=0.0 if k % 3 else 0.01,
            trail_frac=0.02 if k % 4 == 1 else 0.0,
            lot_size=(0.001, 0.01, 1.0)[k % 3],
            family=k % 2,
            funding_ms=28_800_000 if k % 3 else 0,
            participation_max=0.02 if k % 3 else 1e-4,
        )
        name = str(rng.choice(list(odd)))
        out.append(rules._replace(**{name: odd[name]}) if rng.random() < 0.4 else rules)
    return out


def both_ways(
    bars: np.ndarray,
    signals: tuple[np.ndarray, ...],
    rules: list[Rules],
    limits: Limits,
    cash: float,
    halted: int = 0,
    daily: np.ndarray = NO_DAYS,
    vwap: np.ndarray = NO_DAYS,
    schedules: np.ndarray = NO_DAYS,
) -> tuple[Any, Any]:
    """The same run as plain Python without shortcuts and compiled with them: each (rows, equity, sleeves, desk, ambiguous).

    daily: correlations of instruments for each UTC day, flat; none: they are not known. vwap: of each bar, flat; none: market
    orders fill at the open; schedules: flat, none: no entry is worked in slices.
    """
    count, instruments = len(rules), 1 + max(max(r.instrument, r.bars) for r in rules)
    length, room = len(bars) // instruments, 12 * len(signals[0]) + 100
    book = start_desk(cash * count)._replace(halted=halted)
    first = [start(cash) for _ in rules]

    listed = [Signal(*r) for r in zip(*(x.tolist() for x in signals), strict=True)]
    rows, equity = [None] * room, [0.0] * length
    m = of_lists([Bar(*r) for r in bars.tolist()], list(first), rules, rows)._replace(
        vwap=vwap.tolist(), schedules=schedules.tolist()
    )
    desk, n, ambiguous, _ = run(m, listed, [], book, limits, equity, daily.tolist(), [0] * count, [0] * count, [0] * count, 0)
    plain = to_records(rows[:n], Row), np.array(equity), to_records(m.sleeves, Sleeve), desk, ambiguous

    sleeves, block, curve = to_records(first, Sleeve), np.empty(room, dtype_of(Row)), np.empty(length)
    scratch = np.zeros(TRIPS_KEPT * count), np.zeros(instruments), np.zeros(instruments, np.int64), np.zeros(instruments)
    more = np.zeros(count), np.full(instruments**2, np.nan)
    given = vwap, schedules, np.ascontiguousarray(bars["close"])
    no = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    m = Memory(bars, sleeves, to_records(rules, Rules), *scratch, *more, block, *given, *no, np.full(2, np.nan))
    asleep = np.zeros(count, np.int64), np.zeros(count, np.int64)
    desk, n, ambiguous, _ = compiled_run(
        m, signals, block_records(bars, instruments), book, limits, curve, daily, *asleep, guided(signals, count), 1
    )
    return plain, (block[:n], curve, sleeves, desk, ambiguous)


def of_lists(bars: list[Bar], sleeves: list[Sleeve], rules: list[Rules], rows: list[Any]) -> Memory:
    """A desk's memory in plain Python."""
    instruments = 1 + max(max(r.instrument, r.bars) for r in rules)
    scratch = [0.0] * instruments, [0] * instruments, [0.0] * instruments, [0.0] * len(rules), [math.nan] * instruments**2
    return Memory(bars, sleeves, rules, [0.0] * (TRIPS_KEPT * len(rules)), *scratch, rows)


def sleeves_of(records: np.ndarray) -> list[Sleeve]:
    """Sleeve records as NamedTuples."""
    return [from_record(r, Sleeve) for r in records]


def run_lists(
    bars: list[Bar],
    signals: list[Signal],
    rules: list[Rules],
    limits: Limits,
    cash: float,
    halted: int = 0,
    sleeves: list[Sleeve] | None = None,
    desk: Desk | None = None,
    vwap: list[float] | tuple[()] = (),
    schedules: list[float] | tuple[()] = (),
) -> tuple[list[Row], list[Sleeve], Desk, int]:
    """All bars as plain Python, no shortcuts: (rows, sleeves, desk, ambiguous bars).

    bars: instrument fastest; signals: sleeve fastest; `sleeves` and `desk` go on from another run's end; the rest as both_ways.
    """
    count, instruments = len(rules), 1 + max(max(r.instrument, r.bars) for r in rules)
    held = list(sleeves) if sleeves else [start(cash) for _ in rules]
    book = desk or start_desk(cash * count)._replace(halted=halted)
    rows: list[Any] = [None] * (20 * len(signals) + 20)
    equity = [0.0] * (len(bars) // instruments)
    m = of_lists(bars, held, rules, rows)._replace(vwap=vwap, schedules=schedules)
    book, n, ambiguous, _ = run(m, signals, [], book, limits, equity, [], [0] * count, [0] * count, [0] * count, 0)
    return rows[:n], held, book, ambiguous
