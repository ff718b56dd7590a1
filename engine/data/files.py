"""Any file of market data -> one frame with `ts` in UTC ms and numeric columns, in the file's own order.

Called by `nightdesk data check` and `import`. Reads parquet, feather, csv and csv.gz with the column names of pandas,
freqtrade, CryptoDataDownload and the venues' archives. It interprets and never repairs: rows stay where they are, and every
interpretation (unit of time, which column is the base volume) is a line of `notes`.
"""

import re
import zlib
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.errors import DataError

UNITS = {"s": 1e9, "ms": 1e12, "us": 1e15, "ns": 1e18}  # the magnitude of an epoch of this century in each unit
TIMES = ("ts", "open_time", "opentime", "unix", "timestamp", "time", "date", "datetime", "unix_timestamp", "start_at")
PRICES = ("open", "high", "low", "close")
RATES = ("rate", "fundingrate", "funding_rate", "realizedrate", "last_funding_rate")
GROUPS = ("coin", "symbol", "tic", "instid")
BINANCE = ("open_time", *PRICES, "volume", "close_time", "quote_volume", "count", "taker_base", "taker_quote", "ignore")
FORMATS = ("%Y-%m-%d %I:%M %p", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M:%S")
SUFFIXES = (".parquet", ".feather", ".ft", ".arrow", ".csv", ".csv.gz", ".txt")
TIMEFRAME = {"m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "minute": 60_000, "hour": 3_600_000}


class NameParts(NamedTuple):
    """What a file's name and folder say it is; "" where they do not."""

    venue: str = ""
    symbol: str = ""
    market: str = ""
    series: str = ""
    tag: str = ""


class RawFile(NamedTuple):
    """A file as read. kind: bars, marks, funding, or series (any numbers at regular times); group: the coin column, if any."""

    path: Path
    frame: pl.DataFrame
    kind: str
    timeframe_ms: int  # from the name, else the most common step; 0 for irregular times
    named: NameParts
    group: str
    notes: tuple[str, ...]


def read_any(path: Path, base: str = "") -> RawFile:
    """Read a file whatever it is. `base` (BTC) helps to tell base from quote volume when the name does not.

    Raises DataError with file, place and fix: missing, unreadable, no time column, text in place of numbers.
    """
    if not path.is_file():
        raise DataError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist", "give the path of a file")
    try:
        return _read(path, base)
    except pl.exceptions.PolarsError as error:
        line = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise DataError(f"{path} cannot be interpreted ({line})", "store UTC times and plain numbers") from error


def _read(path: Path, base: str) -> RawFile:
    """read_any without its error translation."""
    named = name_parts(path)
    table = _table(path)
    if not table.height:
        raise DataError(f"{path} has no rows", "the download may have failed: get it again")
    table = table.rename(_normalized_names(table, path))
    notes: list[str] = []
    ts = _time_column(table, path, notes)
    kind, columns = _kind(table, named, base or named.symbol.partition("-")[0], path, notes)
    text = [n for n in columns.values() if table.schema[n] == pl.String]
    if text and not path.name.endswith((".csv", ".csv.gz", ".txt")):
        notes.append(f"{', '.join(text)} held text, read as numbers")
    frame = pl.DataFrame({"ts": ts, **{new: _numbers(table[old], old, path) for new, old in columns.items()}})
    group = next((g for g in GROUPS if g in table.columns and table[g].n_unique() > 1), "")
    if group:
        frame = frame.with_columns(table[group].cast(pl.String).alias(group))
    elif kind == "series" and "seen_at" in table.columns:
        notes.append("column seen_at: the same times, observed at different moments")
    return RawFile(path, frame, kind, _timeframe(named, frame, group, kind), named, group, tuple(notes))


def name_parts(path: Path) -> NameParts:
    """Venue, symbol, market, series and tag from our names, freqtrade's (`BTC_USDT_USDT-15m-futures`), or the archives'."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    own = re.fullmatch(
        r"([a-z0-9][a-z0-9-]*)_([A-Za-z0-9]+-[A-Za-z0-9]+)_(?:(perp|spot)_)?(\d+[mhdw]|funding|(?:mark|oi)_\d+[mhdw]"
        r"|[a-z-]+_\d+[mhd])(?:_(.+))?",
        name,
    )
    if own:
        return NameParts(own[1], own[2].upper(), own[3] or "", own[4], own[5] or "")
    folders = [p.lower() for p in path.parts[:-1]]
    venue = next((f for f in reversed(folders) if f in ("binance", "okx", "bybit", "coinbase", "kraken", "ftx")), "")
    freqtrade = re.fullmatch(r"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-(\d+[mhdw])(?:-(futures|mark|funding_rate))?", name)
    if freqtrade:
        base, quote, settled, timeframe, kind = freqtrade.groups()
        series = {"mark": f"mark_{timeframe}", "funding_rate": "funding"}.get(kind or "", timeframe)
        return NameParts(venue, f"{base}-{quote}", "perp" if settled or kind else "spot", series)
    other = re.fullmatch(
        r"(?:([A-Za-z]+)_)?([A-Z0-9]{2,10}?)-?(USDT|USDC|USD)[_-](?:\d{4}_)?(\d*)(m|h|d|min|minute|hour)\b.*", name
    )
    if other:
        step = f"{other[4] or 1}{other[5][0]}"
        return NameParts((other[1] or venue).lower(), f"{other[2]}-{other[3]}", "", step)
    return NameParts(venue)


def _table(path: Path) -> pl.DataFrame:
    """The file as a frame; csv as text, so that a bad number can be reported with its row."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith((".feather", ".ft", ".arrow")):
            return pl.read_ipc(path)
        if name.endswith((".csv", ".csv.gz", ".txt")):
            return _csv(path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, pl.exceptions.PolarsError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise DataError(f"{path} cannot be read ({line})", "check permissions and that the download is whole") from error
    raise DataError(f"{path} has an unsupported file type", f"use one of {', '.join(SUFFIXES)}")


def _csv(path: Path) -> pl.DataFrame:
    """Comma, semicolon or tab; comment lines above the header are skipped; without a header the archive's columns."""
    import gzip

    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", errors="strict") as file:
        text = file.read()
    lines = text[:20_000].splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path} is empty", "the download may have failed: get it again")
    counts = [max((line.count(mark), mark) for mark in ",;\t") for line in lines[:50]]
    width, mark = max(set(counts), key=counts.count)
    if width == 0:
        raise DataError(f"{path} has no columns (first line: {lines[0][:60]!r})", "give a table: csv, parquet or feather")
    skip = next(i for i, (n, m) in enumerate(counts) if n == width and m == mark)
    first = [cell.strip().strip('"') for cell in lines[skip].split(mark)]
    headless = all(re.fullmatch(r"-?\d+(\.\d*)?([eE][-+]?\d+)?", cell) for cell in first)
    table = pl.read_csv(
        text.encode(), separator=mark, skip_rows=skip, has_header=not headless, infer_schema=False, truncate_ragged_lines=False
    )
    if headless:
        names = BINANCE if len(first) == len(BINANCE) else BINANCE[:6]
        table = table.rename(dict(zip(table.columns, names, strict=False)))
    return table


def _normalized_names(table: pl.DataFrame, path: Path) -> dict[str, str]:
    """Column names in lower case with underscores."""
    normal = {old: re.sub(r"[^a-z0-9]+", "_", old.strip().lower()).strip("_") for old in table.columns}
    doubled = [old for old in normal if list(normal.values()).count(normal[old]) > 1]
    if doubled:
        raise DataError(f"{path}: two columns are called {normal[doubled[0]]}: {', '.join(doubled)}", "rename one")
    return normal


def _time_column(table: pl.DataFrame, path: Path, notes: list[str]) -> pl.Series:
    """The open times as Int64 UTC ms, from whichever column holds them."""
    for name in (n for n in TIMES if n in table.columns):
        ts = _to_ms(table[name], name, path, notes)
        if ts is not None:
            return ts.alias("ts")
    raise DataError(f"{path} has no readable time column; its columns: {', '.join(table.columns)}", "name it ts (UTC ms)")


def _to_ms(column: pl.Series, name: str, path: Path, notes: list[str]) -> pl.Series | None:
    """Datetimes, epochs of any unit, or text -> Int64 ms. None for a column that is not a time."""
    if isinstance(column.dtype, pl.Datetime):
        return _all_times(column.cast(pl.Datetime("ms", column.dtype.time_zone)).to_physical(), column, name, path)
    if column.dtype == pl.Date:
        return _all_times(column.cast(pl.Datetime("ms")).to_physical(), column, name, path)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        if number.null_count() > text.null_count() + 0.5 * column.len():
            return _all_times(_from_text(text, name, notes), column, name, path)
        column = number
    if not column.dtype.is_numeric():
        return None
    value = column.cast(pl.Float64)
    _all_times(value, column, name, path)
    sizes = {unit for unit, size in UNITS.items() if ((value >= size * 0.9) & (value < size * 4.2)).any()}
    if len(sizes) != 1:
        what = "mixes units of time" if sizes else "is not a time since 1970"
        raise DataError(f"{path}: column {name} {what} (row 0: {column[0]})", "give UTC milliseconds")
    unit = sizes.pop()
    if unit != "ms":
        notes.append(f"times in {name} are epoch {unit}, read as UTC")
    per_ms = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}[unit]
    exact = column.cast(pl.Int64) if column.dtype.is_integer() else (value * per_ms).round().cast(pl.Int64)
    if column.dtype.is_integer():
        exact = exact * 1000 if unit == "s" else exact // round(1 / per_ms)
    return exact


def _from_text(text: pl.Series, name: str, notes: list[str]) -> pl.Series:
    """Times as text -> Int64 ms (null where unreadable); with its time zone if any, else UTC."""
    best = pl.Series(name, [None] * text.len(), dtype=pl.Int64)
    iso = text.str.replace("T", " ", literal=True).str.replace(r"(\d\d)-([AP]M)$", "$1:00 $2")
    zoned = iso.str.contains(r"(Z|[+-]\d\d:?\d\d)$").any()
    if zoned:
        fixed = iso.str.replace(r"Z$", "+0000").str.replace(r"([+-]\d\d):(\d\d)$", "$1$2").str.replace(" +", "+", literal=True)
        for form in ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z"):
            read = fixed.str.to_datetime(form, time_unit="ms", strict=False, time_zone="UTC").to_physical()
            best = read if read.null_count() < best.null_count() else best
        return best
    for form in FORMATS:
        if "%H" in form or "%I" in form:
            read = iso.str.to_datetime(form, time_unit="ms", strict=False).to_physical()
        else:
            read = iso.str.to_date(form, strict=False).cast(pl.Datetime("ms")).to_physical()
        best = read if read.null_count() < best.null_count() else best
    notes.append(f"times in {name} have no time zone, read as UTC")
    return best


def _all_times(ts: pl.Series, column: pl.Series, name: str, path: Path) -> pl.Series:
    """`ts` when every row has a time; else DataError with the first row that has none."""
    if ts.null_count():
        row = int(ts.is_null().arg_true()[0])
        raise DataError(f"{path}: row {row} of column {name} is not a time: {column[row]!r}", "correct the row")
    return ts.cast(pl.Int64) if ts.dtype.is_integer() else ts


def _kind(table: pl.DataFrame, named: NameParts, base: str, path: Path, notes: list[str]) -> tuple[str, dict[str, str]]:
    """What the file is, and its columns: our name -> the file's."""
    names = set(table.columns)
    if named.series == "funding" and "open" in names and not names & set(RATES):
        notes.append("the rate is read from column open, as freqtrade stores it")
        return "funding", {"rate": "open"}
    if set(PRICES) <= names:
        columns = {n: n for n in PRICES}
        volume = "" if named.series.startswith("mark_") else _volume(table, base, path, notes)
        return ("bars", {**columns, "volume": volume}) if volume else ("marks", columns)
    rate = next((r for r in RATES if r in names), None)
    if rate and len(names) <= 8:  # a wide table of factors may hold a funding rate too
        return "funding", {"rate": rate}
    numeric = [n for n in table.columns if n not in TIMES and _has_numbers(table[n])]
    if not numeric:
        wanted = "bars have open, high, low, close, volume; funding has rate"
        raise DataError(f"{path} has no known column; its columns: {', '.join(table.columns)}", wanted)
    return "series", {n: n for n in numeric}


def _has_numbers(column: pl.Series) -> bool:
    """Whether a column holds numbers, or the text of numbers only, as in a csv."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    text = column.str.strip_chars().replace("", None).drop_nulls()
    return bool(text.len()) and text.cast(pl.Float64, strict=False).null_count() == 0


def _volume(table: pl.DataFrame, base: str, path: Path, notes: list[str]) -> str:
    """The column with the volume in base units; "" when there is none."""
    found = [n for n in table.columns if n == "volume" or n.startswith(("volume_", "vol_")) or n in ("vol", "base_volume")]
    if not found:
        if any(n.startswith(("quote", "turnover", "amount")) for n in table.columns):
            raise DataError(f"{path} has quote volume only", "base volume is needed: convert it, or get other data")
        return ""
    named = [n for n in found if base and n in (f"volume_{base.lower()}", f"vol_{base.lower()}")] or [
        n for n in found if n == "base_volume"
    ]
    if named:
        if len(found) > 1:
            notes.append(f"volume is {named[0]} (base units); {', '.join(n for n in found if n != named[0])} left out")
        return named[0]
    base_units = [n for n in found if not re.search(r"usd|quote|currency", n)]
    if len(base_units) != 1:
        raise DataError(f"{path}: which of {', '.join(found)} is the volume in base units?", "keep one and call it volume")
    return base_units[0]


def _numbers(column: pl.Series, name: str, path: Path) -> pl.Series:
    """Float64; empty cells stay empty. Raises DataError with the row for text that is not a number."""
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        value = text.cast(pl.Float64, strict=False)
        bad = (value.is_null() & text.is_not_null() & (text != "")).arg_true()
        if bad.len():
            row = int(bad[0])
            raise DataError(f"{path}: row {row} of column {name} is not a number: {column[row]!r}", "correct the row")
        return value
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise DataError(f"{path}: column {name} holds {column.dtype}, not numbers", "store numbers")
    return column.cast(pl.Float64)


def _timeframe(named: NameParts, frame: pl.DataFrame, group: str, kind: str) -> int:
    """The timeframe in the name, else the step of most rows; 0 for irregular steps."""
    claimed = re.search(r"(\d+)([mhdw])$", named.series)
    if claimed:
        return int(claimed[1]) * {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}[claimed[2]]
    if kind == "funding":
        return 0
    steps = (frame.unique(["ts", group]).sort(group, "ts") if group else frame.unique("ts").sort("ts"))["ts"].diff()
    steps = steps.filter(steps > 0)
    if not steps.len():
        return 0
    step = int(steps.mode().min())  # type: ignore[arg-type]  # a whole number of ms
    return step if step % 60_000 == 0 and (steps == step).mean() > 0.5 else 0  # type: ignore[operator]  # not empty
