"""How far each round trip of the desk went against and for its position, from the journal's fills and the journal's own bars.

Called by tools/excursions.py. The rows of desk_trips and the bars that the desk traded go through
sim/excursions.with_excursions, as those of a backtest do; the data files may have been corrected since, the journal has not.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.clock import timeframe_text
from engine.data.align import Market
from engine.data.timeframes import column_name
from engine.sim.excursions import with_excursions
from engine.sim.metrics import Floats
from engine.store.opened import size_of
from engine.watch.desk_trips import desk_trips, journal_rows, sleeves_of
from engine.watch.window import FAR_MS, between, journal_of, mark_at, start_of

OHLC = 4  # open, high, low, close: the first columns of a bar in a `bar` event
JOURNALS_KEPT = 4
NO_BAR = [None] * OHLC
_LOCK = Lock()


class _Bars(NamedTuple):
    """The bars of a journal of this size: (n,) closes, and (n, columns, OHLC) prices, NaN where one has no bar."""

    size: int
    close_ms: np.ndarray
    prices: Floats


_BARS: dict[tuple[str, int, tuple[str, ...]], _Bars] = {}
_REACHED: dict[tuple[str, int], tuple[int, pl.DataFrame]] = {}  # by journal: its size, its trips with their excursions


def reached_trips(home: Path) -> pl.DataFrame:
    """desk_trips with `mae` <= 0 <= `mfe` in quote units, before fees and funding; computed once for a journal of this size."""
    path = journal_of(home)
    try:
        status = path.stat()
    except FileNotFoundError:
        return _measured(home, path)
    key = str(path), status.st_ino
    kept = _REACHED.get(key)
    size = size_of(path)
    if kept is None or kept[0] != size:
        kept = size, _measured(home, path)
        if len(_REACHED) >= JOURNALS_KEPT:
            _REACHED.clear()
        _REACHED[key] = kept
    return kept[1]


def _measured(home: Path, path: Path) -> pl.DataFrame:
    """The same from the journal."""
    mark, table = mark_at(path), desk_trips(home)
    if mark is None or table.is_empty() or "a" in table.columns:  # of a pair: extremes of two legs are of different moments
        return table.with_columns(mae=pl.lit(None, pl.Float64), mfe=pl.lit(None, pl.Float64))
    clock_ms, sleeves = int(start_of(path)["timeframe_ms"]), sleeves_of(path, mark.body)
    own = [column_name(s.instrument, timeframe_text(s.bar_ms), timeframe_text(clock_ms)) for s in sleeves]
    columns = tuple(dict.fromkeys(own))
    rows, _ = journal_rows(path, [s.name for s in sleeves])
    return with_excursions(table, rows, sleeves, [columns.index(name) for name in own], _market(path, columns, clock_ms))


def _market(path: Path, columns: tuple[str, ...], clock_ms: int) -> Market:
    """The bars of these columns that the journal has."""
    bars = _bars(path, columns)
    nothing = np.zeros(bars.prices.shape[:2])
    opens, high, low, close = np.moveaxis(bars.prices, 2, 0)
    return Market(columns, clock_ms, bars.close_ms, opens, high, low, close, nothing, nothing, nothing, ())


def _bars(path: Path, columns: tuple[str, ...]) -> _Bars:
    """The same, read once a process: a journal grows at its end alone, so that only its new bars are read again."""
    size, key = size_of(path), (str(path), path.stat().st_ino, columns)
    with _LOCK:
        kept = _BARS.get(key)
        if kept is None or size < kept.size:
            kept = _Bars(0, np.empty(0, np.int64), np.empty((0, len(columns), OHLC)))
        after_ms = int(kept.close_ms[-1]) if len(kept.close_ms) else -1
        times, prices = list[int](), list[list[list[float | None]]]()
        for event in between(path, after_ms, FAR_MS, {"bar"}):
            times.append(event.t_event_ms)
            prices.append([_ohlc(event.body["bars"], name) for name in columns])
        if times:
            fresh = np.array(prices, dtype=float)
            kept = kept._replace(
                close_ms=np.append(kept.close_ms, np.array(times, np.int64)), prices=np.concatenate((kept.prices, fresh))
            )
        if len(_BARS) >= JOURNALS_KEPT:
            _BARS.clear()
        _BARS[key] = kept._replace(size=size)
        return _BARS[key]


def _ohlc(bars: Mapping[str, Any], name: str) -> list[float | None]:
    return list((bars.get(name) or NO_BAR)[:OHLC])
