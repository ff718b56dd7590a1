"""Several timeframes on one clock: the bars of sleeves that run on 15m, 4h or 1d, side by side.

Called by sim/ and live/. The clock is the smallest timeframe of the sleeves. A sleeve on a longer one trades its own bars; they
are a column of the market named `binance:BTC-USDT:perp@4h`, with a value where one of them closes and none in between. The
clock's own column of the instrument marks the sleeve at every close. Features and signals are computed on the own bars alone,
so such a sleeve does on any desk what it does by itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import timeframe_ms, timeframe_text, utc
from engine.data.align import Market, Policy
from engine.data.catalog import Catalog, Series
from engine.data.loading import BAR_COLUMNS, CHARGED_COLUMNS, LoadedBars, load
from engine.data.sources import NO_FILES, ReadFiles
from engine.errors import BadInput, DataError

AT = "@"


class DeskBars(NamedTuple):
    """Bars of a desk: `span` what is traded, on the clock; `own` by timeframe in ms, the clock's among them, for features."""

    span: Market
    own: Mapping[int, LoadedBars]
    notes: tuple[str, ...]


def column_name(instrument: str, timeframe: str, clock: str) -> str:
    """The market's column of a sleeve's own bars."""
    return instrument if timeframe == clock else f"{instrument}{AT}{timeframe}"


def parts_of(column: str, clock: str) -> tuple[str, str]:
    """(instrument, timeframe) of a column."""
    instrument, _, timeframe = column.partition(AT)
    return instrument, timeframe or clock


def clock_of(timeframes: Iterable[str]) -> str:
    """The smallest; each of clock.TIMEFRAMES divides the longer ones."""
    return min(timeframes, key=timeframe_ms)


def columns_of(places: Iterable[tuple[str, str]]) -> list[str]:
    """Columns of the (instrument, timeframe) of every sleeve: the clock's of each instrument, then the longer ones, each once."""
    places = list(places)
    clock = clock_of(timeframe for _, timeframe in places)
    return list(dict.fromkeys([*(name for name, _ in places), *(column_name(*place, clock) for place in places)]))


def series_of(catalog: Catalog, columns: Iterable[str], clock: str) -> dict[str, Series]:
    """Column -> its bars in the catalog. Raises BadInput naming what there is instead."""
    columns, found = list(columns), {}
    longer = {instrument: timeframe for instrument, timeframe in (parts_of(c, clock) for c in columns) if timeframe != clock}
    for column in columns:
        instrument, timeframe = parts_of(column, clock)
        venue, symbol, market = instrument.split(":")
        try:
            found[column] = catalog.find(venue, symbol, timeframe, market)
        except BadInput as error:
            if timeframe != clock or instrument not in longer:
                raise
            why = f"the clock is {clock}, and its bars mark the {longer[instrument]} sleeve of {instrument} between its closes"
            raise BadInput(f"{error.what}; {why}", error.hint) from error
    return found


def known_until(series: Iterable[Series], clock_ms: int) -> int:
    """Up to which close the clock can be walked (UTC ms): a longer bar that has not come holds it back only where that closes."""
    return min(s.last_ms + 2 * timeframe_ms(s.series) - clock_ms for s in series)


def load_desk(
    catalog: Catalog,
    series: Mapping[str, Series],
    policy: Policy,
    anchor_ms: int | None,
    from_ms: int | None,
    to_ms: int | None,
    read: Mapping[str, ReadFiles] | None = None,
) -> DeskBars:
    """`load` for each timeframe of `series` (column -> file), put on the smallest. `read`: timeframe -> what is read beside.

    Raises DataError as `load` does, naming the timeframe where it is not the clock's.
    """
    groups: dict[str, dict[str, Series]] = {}
    for column, s in series.items():
        groups.setdefault(s.series, {})[column.partition(AT)[0]] = s
    clock, own = clock_of(groups), {}
    for timeframe, files in groups.items():
        step = timeframe_ms(timeframe)
        try:
            own[step] = load(catalog, files, step, policy, anchor_ms, from_ms, to_ms, (read or {}).get(timeframe, NO_FILES))
        except DataError as error:
            raise error if timeframe == clock else DataError(f"{timeframe} bars: {error.what}", error.hint) from error
    span, notes = own[timeframe_ms(clock)].span, list(own[timeframe_ms(clock)].notes)
    for step, loaded in own.items():
        if timeframe_text(step) != clock:
            span = with_own_bars(span, loaded.span)
            notes += [f"{timeframe_text(step)} bars: {note}" for note in loaded.notes]
    return DeskBars(span, own, tuple(dict.fromkeys(notes)))


def with_own_bars(clock: Market, own: Market) -> Market:
    """The clock's market with the bars of a longer timeframe as more columns."""
    columns: dict[str, Any] = {
        name: np.hstack((getattr(clock, name), spread(getattr(own, name), own, clock))) for name in BAR_COLUMNS
    }
    for name in CHARGED_COLUMNS:
        columns[name] = np.hstack((getattr(clock, name), spread(getattr(own, name), own, clock, 0.0)))
    names = tuple(f"{instrument}{AT}{timeframe_text(own.timeframe_ms)}" for instrument in own.instruments)
    if clock.quote_volume is not None or own.quote_volume is not None:
        nowhere = [np.full(x.close.shape, np.nan) for x in (clock, own)]
        ours, theirs = (n if x.quote_volume is None else x.quote_volume for n, x in zip(nowhere, (clock, own), strict=True))
        columns["quote_volume"] = np.hstack((ours, spread(theirs, own, clock)))
    return clock._replace(instruments=(*clock.instruments, *names), **columns, taker_buy_volume=None)  # features read own bars


def spread(values: npt.NDArray[Any], own: Market, clock: Market, between: float = np.nan) -> npt.NDArray[Any]:
    """Values of own bars at the clock's rows where these close, `between` at the others; of whole numbers 0.

    Raises DataError for bars off the clock's grid.
    """
    if own.timeframe_ms == clock.timeframe_ms:
        return values
    ahead = own.close_ms - clock.close_ms[0]
    if (ahead % clock.timeframe_ms).any():
        name = timeframe_text(own.timeframe_ms)
        raise DataError(f"the {name} bar that closes at {utc(int(own.close_ms[0]))} does not close with a bar of the clock")
    rows, count = ahead // clock.timeframe_ms, len(clock.close_ms)
    here = (rows >= 0) & (rows < count)
    found = np.full((count, *values.shape[1:]), between if values.dtype.kind == "f" else 0, values.dtype)
    found[rows[here]] = values[here]
    return found
