"""Any file of market data -> one frame with `ts` in UTC ms and numeric columns, in the file's own order.

Called by `nightdesk data check` and `import`. dialects/containers.py unpacks, names.py reads the file's name, columns.py knows
what columns are called, times.py, volumes.py and rates.py decide what they mean. It interprets and never repairs: rows stay where
they are, what contradicts itself is refused, and every choice that could have gone otherwise is a line of `notes`.
"""

import re
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.clock import MINUTE_MS, UNITS_MS, timeframe_text
from engine.data.dialects.columns import (
    CLOSE_TIMES,
    CLOSED_FLAGS,
    EXCHANGES,
    GROUPS,
    INTERVALS,
    OPEN_TIMES,
    QUOTE_NAMES,
    TAKER_NAMES,
    as_numbers,
    has_numbers,
    normalized_names,
    price_columns,
    volume_columns,
)
from engine.data.dialects.containers import SUFFIXES, Cells, cells_of
from engine.data.dialects.headless import headless_names
from engine.data.dialects.names import NameParts, name_parts
from engine.data.dialects.rates import rate_column, rate_values
from engine.data.dialects.times import check_closes, intervals, open_times, usual_step
from engine.data.dialects.volumes import Bars, base_volume, is_quote_volume
from engine.errors import DataError

__all__ = ["AS_NAMED", "SUFFIXES", "NameParts", "RawFile", "ReadOptions", "name_parts", "read_any"]

YAHOO = {"adj_close": "Adj Close", "dividends": "Dividends", "stock_splits": "Stock Splits"}  # no other source has them
ADJUSTED = 1e-3  # how far Adj Close is from the close where there were dividends or splits
INVERSE = re.compile(r"USD_PERP|-USD-SWAP|USD_\d{6}|-USD-\d{6}")


class ReadOptions(NamedTuple):
    """What a person says about a file. `series`: mark, funding, or a name like vix_1d; "" decides by the file."""

    base: str = ""  # BTC: tells base from quote volume when the name does not
    series: str = ""
    dates: str = ""  # dmy or mdy
    drop_empty: bool = False
    venue: str = ""  # yahoo: its volume is in USD


AS_NAMED = ReadOptions()


class RawFile(NamedTuple):
    """A file as read. kind: bars, marks, funding, prices (no volume, no name that says mark), or series (any regular numbers)."""

    path: Path
    frame: pl.DataFrame
    kind: str
    timeframe_ms: int  # from the name, else the most common step; 0 for irregular times
    named: NameParts
    group: str  # the coin column, if any
    notes: tuple[str, ...]
    stated: str = ""  # the symbol that every row states, as the file writes it
    empty_ms: tuple[int, ...] = ()  # times of rows without a trade that were left out on request
    exchange: str = ""  # the venue that every row states


def read_any(path: Path, options: ReadOptions = AS_NAMED) -> RawFile:
    """Read a file whatever it is. Raises DataError with file, place and fix: missing, unreadable, or contradicting itself."""
    if not path.is_file():
        raise DataError(f"{path} {_not_a_file(path)}", "give the path of a file")
    try:
        return _read(path, options)
    except pl.exceptions.PolarsError as error:
        line = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise DataError(f"{path} cannot be interpreted ({line})", "store UTC times and plain numbers") from error


def _not_a_file(path: Path) -> str:
    """What is at a path where no file is."""
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is no regular file: a pipe or a device has no end"
    return "is a link that leads nowhere" if path.is_symlink() else "does not exist"


def _read(path: Path, options: ReadOptions) -> RawFile:
    """read_any without its error translation."""
    where, named = str(path), _named(path, options)
    if INVERSE.search(path.name):
        raise DataError(f"{path} is of an inverse contract, whose profit is not linear", "use the USDT contract")
    cells = cells_of(path)
    notes = list(cells.notes)
    table = _with_names(cells, path, named, where, notes)
    if not table.height:
        raise DataError(f"{path} has no rows", "the download may have failed: get it again")
    table = _closed_rows(table, notes)
    ts = open_times(table, where, options.dates, notes)
    check_closes(table, ts, where)
    prices, empty_ms = price_columns(set(table.columns)), ()
    if prices and options.drop_empty:
        kept = _traded_rows(table, prices, notes)
        empty_ms = tuple(ts.filter(~kept).to_list())
        table, ts = table.filter(kept), ts.filter(kept)
    kind, columns = _kind(table, named, options, prices, where, notes)
    frame = pl.DataFrame({"ts": ts, **columns})
    text = [n for n in columns if n in table.columns and table.schema[n] == pl.String]
    if text and path.name.endswith((".parquet", ".feather", ".ft", ".arrow")):
        notes.append(f"{', '.join(text)} held text, read as numbers")
    group = next((g for g in GROUPS if g in table.columns and table[g].n_unique() > 1), "")
    if group:
        frame = frame.with_columns(table[group].cast(pl.String).alias(group))
    elif kind == "series" and "seen_at" in table.columns:
        notes.append("column seen_at: the same times, observed at different moments")
    stated = next((str(table[g][0]) for g in GROUPS if g in table.columns and g != group), cells.stated)
    exchange = next((str(table[e][0]) for e in EXCHANGES if e in table.columns and table[e].n_unique() == 1), "")
    step = _timeframe(named, frame, group, kind)
    if kind in ("bars", "marks", "prices"):
        _refuse_other_interval(table, ts, where)
    return RawFile(path, frame, kind, step, named, group, tuple(notes), stated, empty_ms, exchange)


def _refuse_other_interval(table: pl.DataFrame, ts: pl.Series, where: str) -> None:
    """Raise DataError when every row states another timeframe than the one its rows are apart."""
    step = usual_step(ts)
    for name in (n for n in INTERVALS if n in table.columns and table[n].n_unique() == 1):
        stated = str(table[name][0]).strip()
        readings = intervals(stated)
        if step and readings and step not in readings:
            what = f"{name} says {stated} in every row, but the rows are {timeframe_text(step)} apart"
            raise DataError(f"{where}: {what}", "bars of two timeframes, or a wrong column: get the file again")


def _named(path: Path, options: ReadOptions) -> NameParts:
    """What the name says, with the series a person gives in its place: `mark` alone keeps the name's timeframe."""
    named = name_parts(path)
    if options.series in ("mark", "index", "premium"):
        step = re.search(r"\d+[mhdw]$", named.series)
        return named._replace(series=f"{options.series}_{step[0]}" if step else options.series)
    return named._replace(series=options.series) if options.series else named


def _with_names(cells: Cells, path: Path, named: NameParts, where: str, notes: list[str]) -> pl.DataFrame:
    """The table with normalized column names, given by position where the file has no header."""
    table = cells.frame
    if cells.headless and table.height:
        names = headless_names(table, path.name, named.series == "funding", where, notes)
        return table.rename(dict(zip(table.columns, names, strict=True)))
    return table.rename(normalized_names(table, where))


def _closed_rows(table: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """The rows that do not say they are still open."""
    for name in (n for n in CLOSED_FLAGS if n in table.columns):
        text = table[name].cast(pl.String).str.strip_chars().str.to_lowercase()
        if not text.is_in(["0", "1", "0.0", "1.0", "true", "false"]).all():
            continue
        still_open = text.is_in(["0", "0.0", "false"])
        if still_open.any():
            count = int(still_open.sum())
            notes.append(
                f"{count} row{'s' if count > 1 else ''} not closed yet ({name} is {text.filter(still_open)[0]}): left out"
            )
            return table.filter(~still_open)
    return table


def _traded_rows(table: pl.DataFrame, prices: dict[str, str], notes: list[str]) -> pl.Series:
    """Which rows hold anything but a time: those without prices and volume are intervals without a trade."""
    names = [*prices.values(), *volume_columns(table.columns)]
    empty = pl.Series([True] * table.height)
    for name in names:
        value = table[name]
        if value.dtype == pl.String:
            value = value.str.strip_chars().replace({"": None, "nan": None, "NaN": None, "null": None}).is_null()
        else:
            value = value.cast(pl.Float64).fill_nan(None).is_null()
        empty &= value
    if empty.any():
        count = int(empty.sum())
        rows = f"{count:,} row{'s' if count > 1 else ''}"
        notes.append(f"{rows} without a trade left out, as --drop-empty says: they count as missing bars")
    return ~empty


def _kind(
    table: pl.DataFrame, named: NameParts, options: ReadOptions, prices: dict[str, str] | None, where: str, notes: list[str]
) -> tuple[str, dict[str, pl.Series]]:
    """What the file is, and its columns under our names."""
    rate = rate_column(table.columns)
    if named.series == "funding" and prices and not rate:
        notes.append("the rate is read from column open, as freqtrade stores it")
        return "funding", {"rate": as_numbers(table[prices["open"]], "open", where)}
    outside = options.series not in ("", "mark", "funding") and not options.series.startswith("mark_")
    if prices and not outside and not named.series.startswith(("index", "premium")):
        columns = {n: as_numbers(table[old], old, where) for n, old in prices.items()}
        if named.series.startswith("mark"):
            return "marks", columns
        found = [n for n in volume_columns(table.columns) if has_numbers(table[n]) or table.schema[n] == pl.String]
        if not found:
            odd = [n for n in table.columns if "vol" in n]
            notes += [f"{', '.join(odd)}: not known to be the volume of a bar in base units, left out"] if odd else []
            return "prices", columns
        columns["volume"] = _volume(table, named, options, prices, found, where, notes)
        taker = next((n for n in TAKER_NAMES if n in table.columns), None)
        if taker is not None:
            columns["taker_buy_volume"] = as_numbers(table[taker], taker, where)
        quote = next((n for n in QUOTE_NAMES if n in table.columns and has_numbers(table[n])), None)
        if quote is not None and is_quote_volume(columns, paid := as_numbers(table[quote], quote, where)):
            columns["quote_volume"] = paid
            notes.append(f"quote_volume is {quote}: fills at VWAP read it")
        return "bars", columns
    if rate and table.width <= 8:  # a wide table of factors may hold a funding rate too
        return "funding", {"rate": rate_values(table, rate, where, notes)}
    numeric = [n for n in table.columns if n not in OPEN_TIMES and n not in CLOSE_TIMES and has_numbers(table[n])]
    if not numeric:
        wanted = "bars have open, high, low, close, volume; funding has rate"
        raise DataError(f"{where} has no known column; its columns: {', '.join(table.columns)}", wanted)
    return "series", {n: as_numbers(table[n], n, where) for n in numeric}


def _volume(
    table: pl.DataFrame,
    named: NameParts,
    options: ReadOptions,
    prices: dict[str, str],
    found: list[str],
    where: str,
    notes: list[str],
) -> pl.Series:
    """The volume in base units. Raises DataError for none in any row: those are mark or index prices."""
    bars = Bars(table, prices, where)
    name = base_volume(bars, found, options.base or named.symbol.partition("-")[0], notes)
    if found == ["vol"] and "okx" in (options.venue, named.venue) and named.market != "spot":
        what = "vol of OKX counts contracts where it is a perpetual's, and no quote volume beside it says otherwise"
        raise DataError(f"{where}: {what}", "keep volCcy, which is in coins; on spot, or if vol is in coins, call it volume")
    volume = as_numbers(table[name], name, where)
    if table.height > 1 and bool((volume == 0).all()):
        if "tickvol" in table.columns:
            what = f"{name} is 0 in every row, and tickvol counts changes of the price: bars of a broker, without a volume"
            raise DataError(f"{where}: {what}", "get the bars of a venue")
        raise DataError(f"{where}: {name} is 0 in every row: mark or index prices?", "add --series mark if these are mark prices")
    whole = bool((volume.drop_nulls() % 1 == 0).all())
    close = as_numbers(table[prices["close"]], "close", where)
    signs = [n for n in YAHOO if n in table.columns]
    _refuse_shares(table, close, where)
    yahoo = bool(signs) or "yahoo" in (options.venue, named.venue) or any("yfinance" in n for n in notes)
    if yahoo and whole and volume.drop_nulls().len():
        said = f"beside {YAHOO[signs[0]]} is Yahoo's" if signs else "of Yahoo is"
        notes.append(f"volume in whole numbers {said}, in USD: divided by the close")
        return volume / close
    return volume


def _refuse_shares(table: pl.DataFrame, close: pl.Series, where: str) -> None:
    """Raise DataError where Yahoo's columns say that the bars are of a share or a fund."""
    what, way = "", "bars of crypto alone can be traded; --series NAME_1d stores it as other numbers"
    if "adj_close" in table.columns:
        adjusted = as_numbers(table["adj_close"], "adj_close", where)
        what = "Adj Close is not the close" if bool(((adjusted / close - 1).abs() > ADJUSTED).any()) else ""
    for name in (n for n in ("dividends", "stock_splits") if n in table.columns and has_numbers(table[n])):
        what = what or (f"{YAHOO[name]} are paid" if bool((as_numbers(table[name], name, where) != 0).any()) else "")
    if what:
        raise DataError(f"{where}: {what}: a share or a fund with dividends, whose volume counts shares", way)


def _timeframe(named: NameParts, frame: pl.DataFrame, group: str, kind: str) -> int:
    """The timeframe in the name, else the step of most rows; 0 for irregular steps and for less than a minute."""
    claimed = re.search(r"(\d+)([mhdw])$", named.series)
    if claimed:
        return int(claimed[1]) * UNITS_MS[claimed[2]]
    if kind == "funding":
        return 0
    one = frame.filter(pl.col(group) == frame[group][0]) if group else frame
    step = usual_step(one["ts"])
    return step if step % MINUTE_MS == 0 else 0
