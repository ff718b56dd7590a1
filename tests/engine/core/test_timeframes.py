"""A sleeve on a longer timeframe than the desk's clock: it trades as it does alone, and the clock's bars mark it in between."""

import numpy as np
import pytest

from engine.core import kernel
from engine.core.compiled import dtype_of
from engine.core.state import Bar, Limits, Rules
from tests.fakes.desks import BAR_MS, LOOSE, both_ways, hostile, hostile_rules, run_lists

RATIO = 4
CASH = 100_000.0


def longer(bars: np.ndarray, column: int, columns: int) -> np.ndarray:
    """Every RATIO bars of a column as one; NaN where one of them is missing or impossible; funding of the first open."""
    mine = bars[column::columns].reshape(-1, RATIO)
    out = np.zeros(len(mine), dtype_of(Bar))
    out["close_ms"], out["open"], out["close"] = mine["close_ms"][:, -1], mine["open"][:, 0], mine["close"][:, -1]
    out["high"], out["low"], out["volume"] = mine["high"].max(1), mine["low"].min(1), mine["volume"].sum(1)
    out["funding_rate"], out["funding_mark"] = mine["funding_rate"][:, 0], mine["funding_mark"][:, 0]
    return out


def placed(bars: np.ndarray, own: np.ndarray, columns: int) -> np.ndarray:
    """The clock's bars with one more column: the longer bars at the rows where they close, nothing in between."""
    count = len(bars) // columns
    extra = np.zeros(count, dtype_of(Bar))
    for name in ("open", "high", "low", "close", "volume"):
        extra[name] = np.nan
    extra["close_ms"] = bars["close_ms"][::columns]
    extra[RATIO - 1 :: RATIO] = own
    return np.hstack([bars.reshape(count, columns), extra[:, None]]).ravel()


def mixed(seed: int) -> tuple[np.ndarray, tuple[np.ndarray, ...], list[Rules], np.ndarray, tuple[np.ndarray, ...]]:
    """Two instruments on the clock and one sleeve on longer bars of the first: the desk's bars, signals and rules, and that
    sleeve's own bars and signals."""
    bars, signals = hostile(seed, bars=600, instruments=2, sleeves=3)
    own = longer(bars, 0, 2)
    few = tuple(column.reshape(-1, 3)[RATIO - 1 :: RATIO, 0].copy() for column in signals)
    rules = hostile_rules(seed, sleeves=3, instruments=2)
    rules = [
        rules[0]._replace(instrument=0, bars=2, bar_ms=RATIO * BAR_MS),
        *(r._replace(instrument=1, bars=1) for r in rules[1:]),
    ]
    return placed(bars, own, 2), signals, rules, own, few


@pytest.mark.parametrize("seed", [*range(16), *(pytest.param(n, marks=pytest.mark.long) for n in range(16, 40))])  # plain is slow
def test_plain_and_compiled_leave_the_same_bytes(seed: int) -> None:
    """Rows, equity at every close of the clock, sleeves, desk."""
    bars, signals, rules, *_ = mixed(seed)
    limits = (LOOSE, Limits(0.02, 3.0, 1.8, 10))[seed % 2]
    plain, fast = both_ways(bars, signals, rules, limits, CASH)
    assert plain[0].tobytes() == fast[0].tobytes()
    assert plain[1].tobytes() == fast[1].tobytes()
    assert plain[2].tobytes() == fast[2].tobytes()
    assert plain[3:] == fast[3:]


@pytest.mark.parametrize("seed", range(60))
def test_it_trades_on_a_faster_desk_as_it_does_alone(seed: int) -> None:
    """Row for row, to the last bit: fills, decisions, refusals, breakers of the sleeve."""
    bars, signals, rules, own, few = mixed(seed)
    desk, desk_sleeves = compiled(bars, signals, rules)
    alone, alone_sleeves = compiled(own, few, [rules[0]._replace(bars=0)])
    assert desk[desk["sleeve"] == 0].tobytes() == alone.tobytes()
    assert desk_sleeves[0].ledger._replace(equity=0.0, notional=0.0) == alone_sleeves[0].ledger._replace(equity=0.0, notional=0.0)
    assert desk_sleeves[0].position == alone_sleeves[0].position


def compiled(bars: np.ndarray, signals: tuple[np.ndarray, ...], rules: list[Rules]):
    """(rows, sleeves) of a compiled run under loose desk limits."""
    columns = 1 + max(r.bars for r in rules)
    found = kernel.run_records(bars, signals, columns, rules, LOOSE, [CASH] * len(rules))
    return found.rows, found.sleeves


def test_the_clock_marks_it_between_its_closes() -> None:
    """An open position of a 1h sleeve moves the desk's equity at every 15m close; at its own close both agree."""
    prices = [100.0, 100.0, 100.0, 100.0, 101.0, 103.0, 99.0, 102.0]
    clock = [Bar((k + 1) * BAR_MS, p, p, p, p, 1e6, 0.0, 0.0) for k, p in enumerate(prices)]
    nan = float("nan")
    hours = [
        Bar(b.close_ms, 100.0, max(prices[k - 3 : k + 1]), min(prices[k - 3 : k + 1]), b.close, 1e6, 0.0, 0.0)
        if k % RATIO == RATIO - 1
        else Bar(b.close_ms, nan, nan, nan, nan, nan, 0.0, 0.0)
        for k, b in enumerate(clock)
    ]
    from engine.core.state import REFERENCE, Layer, Signal, start, start_desk
    from tests.fakes.desks import RULES

    rules = RULES._replace(bars=1, bar_ms=RATIO * BAR_MS, mode=REFERENCE, lot_size=1.0, fade_below=0.0, trail_atr=0.0)
    sleeve = start(1_000.0)
    layers = (Layer(1, 10, 100.0, 50.0, 0.0, 0), *sleeve.position.layers[1:])
    position = sleeve.position._replace(side=1, open_layers=1, best=100.0, cash_before=1_000.0, layers=layers)
    quiet, book = Signal(0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0, 1), start_desk(1_000.0)
    held, seen = [sleeve._replace(position=position)], []
    for pair in zip(clock, hours, strict=True):
        _, held, book, _ = run_lists(list(pair), [quiet], [rules], LOOSE, 1_000.0, sleeves=held, desk=book)
        seen.append(book.equity)
    assert seen == [1_000.0 + 10 * (p - 100.0) for p in prices]
