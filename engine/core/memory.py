"""What the loop over bars owns: lists in plain Python, record arrays compiled. Functions take values; only the loop loads and
stores.

Used by desk.py, sim_venue.py and leap.py. load, store and the two keeps are list indexing here; compiled.py gives numba their
form.
"""

from collections.abc import MutableSequence
from typing import Any, NamedTuple

from .state import Row, Sleeve

Rows = MutableSequence[Any]


class Memory(NamedTuple):
    """The arrays of one desk."""

    bars: Any  # Bar per bar and instrument, flat, instrument fastest
    sleeves: Any  # Sleeve, one a sleeve
    rules: Any  # Rules, one a sleeve
    recent_r: Any  # R of the last round trips, TRIPS_KEPT a sleeve
    gross: Any  # scratch, one an instrument: exposure of its sleeves
    side: Any  # scratch, one an instrument: the side they hold or are about to hold
    taken: Any  # scratch, one an instrument: base units filled in this bar
    family: Any  # scratch, one a sleeve: exposure of the sleeves of each strategy
    correlations: Any  # of the day, instrument by instrument, flat: -1..1, NaN where not known
    rows: Any  # Row, written up to its length
    vwap: Any = ()  # of each bar and instrument, flat, NaN where not known: what market orders fill at; empty: at the open
    schedules: Any = ()  # of each sleeve that works its entries in slices (slices.py), flat; empty: none does
    closes: Any = ()  # of each bar and instrument, flat, for what only marks; empty: those of `bars`
    wanted: Any = ()  # with `fall`: the bars whose equity is asked for, ascending
    calls: Any = ()  # with `fall`: the bars at which its signal has a side, ascending
    fall: Any = ()  # of one sleeve alone: peak, deepest fall as a share of it, as money (falls.py); empty: every close is written
    squares: Any = ()  # scratch: squared_exposure as it is now, asked to buy, to sell; NaN: not summed; empty: summed each time


def load(items: Any, i: int, kind: Any) -> Any:  # noqa: ARG001 - the compiled form needs the type
    """Element i of `items`, a NamedTuple of `kind`."""
    return items[i]


def store(items: Any, i: int, value: Any) -> None:
    """Put a NamedTuple into element i of `items`."""
    items[i] = value


def keep_mark(items: Any, i: int, sleeve: Sleeve) -> None:
    """Store a sleeve of which only the mark and the day changed; compiled, this writes those alone."""
    items[i] = sleeve


def keep_watch(items: Any, i: int, sleeve: Sleeve) -> None:
    """Store a sleeve that held; compiled, this writes best, trail, the last refusal and cost alone."""
    items[i] = sleeve


def emit(rows: Rows, n: int, row: Row) -> int:
    """Write a journal row if there is room; count it anyway. Returns the rows so far."""
    if n < len(rows):
        store(rows, n, row)
    return n + 1
