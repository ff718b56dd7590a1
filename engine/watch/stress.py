"""The worst recorded days, played over the desk as it stands: each bar through the core itself, with strategies that say nothing.

Called by tools/exposure.py. Every day of the recorded bars is brought to today's prices and ranked by what the positions would
have lost without their exits; the first of them are played in full. Stops, targets, trails, liquidation, waiting orders and the
drawdown breaker do what they would do; no strategy enters or leaves, and funding is left out. Nothing is journaled.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.book.bar_signals import NO_SIGNAL
from engine.book.book import Book
from engine.book.replay import fold
from engine.clock import DAY_MS, timeframe_text
from engine.core.desk import decide_all, settle_and_mark
from engine.core.ledger import open_lots
from engine.core.memory import Memory
from engine.core.row_fields import FillRow, decode
from engine.core.state import EXIT_REASONS, NONE, Bar
from engine.data.align import Market
from engine.data.catalog import Catalog
from engine.data.timeframes import load_desk, series_of
from engine.errors import BadInput, DataError
from engine.watch.basket_bars import PlayedBasket
from engine.watch.window import first_mark, journal_of, mark_at

DAYS_MAX = 20
PLAYED = 3  # times as many days are played as are wanted: exits change their order
ROWS = 64  # a sleeve has at most a few rows in one bar


class StressDay(NamedTuple):
    """A recorded day on the desk as it stands. Money in quote units; `exits` as (sleeve, reason), in their order."""

    day_ms: int
    moves: tuple[tuple[str, float], ...]  # instrument -> its move from open to close of that day
    lowest: float  # equity
    after: float
    halts: bool  # the drawdown breaker trips
    exits: tuple[tuple[str, str], ...]


class Stress(NamedTuple):
    """The worst days first, by the lowest equity. `looked_at`: whole days that were ranked; `held`: whether anything is held."""

    event: str
    before: float
    held: bool
    looked_at: int
    from_ms: int
    to_ms: int
    days: tuple[StressDay, ...]
    left_out: str = ""  # why days before the desk's first are not among them


def worst_days(home: Path, catalog: Catalog, count: int) -> Stress | None:
    """The `count` worst of the recorded days for the desk at its last mark; None before the first bar.

    Raises BadInput for a count out of bounds, and as the catalog does where an instrument of the desk has no bars there.
    """
    if not 1 <= count <= DAYS_MAX:
        raise BadInput(f"{count} days are out of bounds", f"ask for 1 to {DAYS_MAX}")
    mark = mark_at(journal_of(home))
    book = fold(journal_of(home)) if mark is not None else None
    if mark is None or book is None or book.count == 0:
        return None
    first = first_mark(journal_of(home)) or mark
    market, why = _recorded(catalog, tuple(book.columns), int(book.start["timeframe_ms"]), first.t_event_ms)
    return stress_of(book, market, count, mark.id)._replace(left_out=why)


@lru_cache(maxsize=2)
def _recorded(catalog: Catalog, columns: tuple[str, ...], clock_ms: int, lived_ms: int) -> tuple[Market, str]:
    """All bars of these columns, kept for as long as the catalog is the same; where some are faulty, those from `lived_ms` on,
    the desk's own days, and what is wrong with the others. Raises DataError where these are faulty, too."""
    clock = timeframe_text(clock_ms)
    series = series_of(catalog, columns, clock)
    try:
        return load_desk(catalog, series, "none", None, None, None).span, ""
    except DataError as error:
        return load_desk(catalog, series, "none", None, lived_ms, None).span, f"{error.what}: {error.hint}"


def stress_of(book: Book, market: Market, count: int, event: str) -> Stress:
    """The same of a book and of bars of its columns. The book is left as it is."""
    exposures = _exposures(book)
    starts = _whole_days(market, len(book.instruments))
    bars_a_day = DAY_MS // market.timeframe_ms
    ranked = sorted(starts, key=lambda start: _unguarded(market, start, bars_a_day, exposures))
    chosen = ranked[: count * PLAYED] if any(exposures) else []
    play = _played if book.basket is None else _basket_played
    days = sorted((play(book, market, start, bars_a_day) for start in chosen), key=lambda day: (day.lowest, day.day_ms))
    before = sum(book.marked(s).ledger.equity for s in range(len(book.sleeves)))
    before += 0.0 if book.basket is None else book.basket.whole.base  # legs have no cash of their own
    ends = [int(market.close_ms[at]) for at in (starts[0], starts[-1])] if starts else [0, 0]
    last_ms = ends[1] - market.timeframe_ms + DAY_MS if starts else 0
    return Stress(event, before, any(exposures), len(starts), ends[0] - market.timeframe_ms, last_ms, tuple(days[:count]))


def _exposures(book: Book) -> list[float]:
    """Signed notional of the open positions of each instrument, at the last closes."""
    found = [0.0] * len(book.instruments)
    for s, spec in enumerate(book.specs):
        position, rules = book.sleeves[s].position, spec.rules
        found[rules.instrument] += open_lots(position) * rules.lot_size * position.side * book.bars[rules.instrument].close
    return found


def _whole_days(market: Market, instruments: int) -> list[int]:
    """Row of the first bar of each UTC day of which every bar of every instrument is there."""
    bars, opens = DAY_MS // market.timeframe_ms, market.close_ms - market.timeframe_ms
    there = np.isfinite(market.close[:, :instruments]).all(axis=1)
    starts = np.flatnonzero(opens % DAY_MS == 0)
    return [int(at) for at in starts if at + bars <= len(there) and there[at : at + bars].all()]


def _unguarded(market: Market, start: int, bars: int, exposures: Sequence[float]) -> float:
    """The lowest that the open positions would have been worth in a day without any exit, at closes, against its begin."""
    part = market.close[start : start + bars, : len(exposures)] / market.open[start, : len(exposures)] - 1.0
    return float((part @ np.array(exposures)).min())


def _played(book: Book, market: Market, start: int, bars: int) -> StressDay:
    """One day through the core, on copies of what it changes."""
    sleeves, recent, desk, held = list(book.sleeves), list(book.recent_r), book.desk, len(book.sleeves)
    width, count = len(book.columns), len(book.instruments)
    factors = [book.bars[k].close / float(market.open[start, k]) for k in range(count)]
    names = [column.partition("@")[0] for column in book.columns]
    scale = [factors[book.instruments.index(name)] for name in names]
    scratch = [0.0] * width, [0] * width, [0.0] * width, [0.0] * held
    rules, tripped, lowest = [spec.rules for spec in book.specs], desk.tripped, float("inf")
    exits, silent = list[tuple[str, str]](), [NO_SIGNAL] * held
    midnight_ms = -(-book.close_ms // DAY_MS) * DAY_MS  # the day after the mark: bars keep their time of day
    for t in range(start, start + bars):
        close_ms = midnight_ms + (t - start + 1) * market.timeframe_ms
        now, rows = [_bar(market, t, k, scale[k], close_ms) for k in range(width)], list[Any]([None] * (ROWS * held))
        m = Memory(now, sleeves, rules, recent, *scratch, book.correlations, rows)
        desk, n, _ = settle_and_mark(m, desk, book.limits, 0, 0, [0] * held, 1)
        lowest = min(lowest, desk.equity)
        exits += _exits(rows[:n], book.names)
        desk, _ = decide_all(m, silent, desk, book.limits, n, 0, [0] * held)
    return _day(book, market, (start, bars), (lowest, desk.equity), desk.tripped != tripped, exits)


def _basket_played(book: Book, market: Market, start: int, bars: int) -> StressDay:
    """The same of a basket."""
    played, lowest, exits = PlayedBasket(book), float("inf"), list[tuple[str, str]]()
    midnight_ms = -(-book.close_ms // DAY_MS) * DAY_MS
    factors = [book.bars[k].close / float(market.open[start, k]) for k in range(len(book.instruments))]
    for t in range(start, start + bars):
        close_ms = midnight_ms + (t - start + 1) * market.timeframe_ms
        now = [_bar(market, t, spec.rules.bars, factors[spec.rules.instrument], close_ms) for spec in book.specs]
        exits += [(book.names[leg], reason) for leg, reason in played.bar(now)]
        lowest = min(lowest, played.desk.equity)
    halts = played.desk.tripped != book.desk.tripped
    return _day(book, market, (start, bars), (lowest, played.desk.equity), halts, exits)


def _day(
    book: Book,
    market: Market,
    place: tuple[int, int],
    equity: tuple[float, float],
    halts: bool,
    exits: Sequence[tuple[str, str]],
) -> StressDay:
    """A day that was played. place: row of its first bar, and how many; equity: the lowest, and the last."""
    start, bars = place
    moves = tuple(
        (name, float(market.close[start + bars - 1, k] / market.open[start, k]) - 1.0) for k, name in enumerate(book.instruments)
    )
    day_ms = int(market.close_ms[start]) - market.timeframe_ms
    return StressDay(day_ms, moves, *equity, halts, tuple(dict.fromkeys(exits)))


def _exits(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[str, str]]:
    """(sleeve, reason) of the exits among the rows of a bar."""
    found = [decode(row) for row in rows]
    fills = [(s, fields) for s, fields in found if isinstance(fields, FillRow) and fields.reason != NONE]
    return [(names[s], EXIT_REASONS[fields.reason]) for s, fields in fills]


def _bar(market: Market, t: int, k: int, scale: float, close_ms: int) -> Bar:
    """A recorded bar at today's prices; its notional volume is kept. A missing one stays missing."""
    prices = (float(column[t, k]) * scale for column in (market.open, market.high, market.low, market.close))
    return Bar._make((close_ms, *prices, float(market.volume[t, k]) / scale, 0.0, 0.0))
