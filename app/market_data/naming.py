"""Which series a file is: venue, symbol, market, series, tag, from the command line, the file's name, and what its rows state.

Called by importing.py and `nightdesk data check`. What neither gives is asked for; what they contradict is refused.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from app.market_data.judging import no_timeframe
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.data.files import RawFile
    from engine.data.issues import DataIssue

INVERSE_VENUES = ("binance", "okx", "bybit", "deribit", "bitmex", "htx", "bitget", "gate", "kucoin")  # their USD perpetuals
DATED = re.compile(r"(?<![A-Z0-9])[A-Z]{2,10}-?USD[TC]?[-_](?:(\d{6})|\d{1,2}[A-Z]{3}\d{2})(?![0-9A-Z])")  # BTCUSDT_250328
NAME_MAX = 120  # characters of a file name, far below what file systems allow


class ImportOptions(NamedTuple):
    """What the command line says about the files; None takes it from the file's name."""

    venue: str | None
    symbol: str | None
    market: str | None
    timeframe: str | None
    tag: str | None
    replace: bool
    series: str | None = None  # mark, or the name of other numbers: oi_1h, vix_1d
    dates: str | None = None  # dmy or mdy
    drop_empty: bool = False


class SeriesName(NamedTuple):
    """The catalog's name of a series in its parts."""

    venue: str
    symbol: str
    market: str
    series: str
    tag: str


def series_name(raw: "RawFile", wanted: ImportOptions) -> tuple[SeriesName, int]:
    """(the new file's name in parts, its timeframe in ms). Raises BadInput for what is missing or contradicts itself."""
    from engine.clock import DAY_MS, timeframe_ms

    if raw.group:
        raise BadInput(f"{raw.path.name} is a table of several coins (column {raw.group})", "split it")
    _with_volume(raw)
    _undated(raw)
    named = raw.named
    symbol = wanted.symbol or named.symbol or _stated_symbol(raw.stated)
    _same_coin(raw, symbol)
    _same_venue(raw, wanted.venue or named.venue)
    tag = named.tag if wanted.tag is None else wanted.tag
    if raw.kind == "series":
        return _of_other_numbers(raw, wanted, symbol, tag)
    venue = wanted.venue or named.venue
    market = wanted.market or named.market or ("perp" if raw.kind == "funding" else "")
    for key, value, example in (("venue", venue, "binance"), ("symbol", symbol, "BTC-USDT"), ("market", market, "perp")):
        if not value:
            raise BadInput(f"the file name {raw.path.name} does not contain the {key}", _question(raw, key, example))
    _linear(raw, venue, symbol, market)
    _same_market(raw, venue, market)
    step = timeframe_ms(wanted.timeframe) if wanted.timeframe else raw.timeframe_ms
    if raw.kind != "funding" and step > DAY_MS:
        raise BadInput(f"{raw.path.name}: bars of {_timeframe(step)}: the longest timeframe is 1d", "get daily bars")
    if raw.kind != "funding" and not step:
        raise no_timeframe(raw)
    series = "funding" if raw.kind == "funding" else ("mark_" if raw.kind == "marks" else "") + _timeframe(step)
    name = SeriesName(venue, symbol, market, series, tag)
    _valid(name, "venue in lower case, symbol like BTC-USDT, market perp or spot")
    return name, step


def _question(raw: "RawFile", key: str, example: str) -> str:
    """The option to add; with two readings of a joined symbol, both."""
    from engine.data.dialects.names import symbol_readings

    if key == "symbol":
        joined = raw.stated or re.split(r"[-_. ]", raw.path.name)[0]
        readings = symbol_readings(joined)
        if len(readings) > 1:
            return f"{joined} may be {' or '.join(readings)}: add --symbol"
    return "add --market perp or --market spot" if key == "market" else f"add --{key} {example}"


def _stated_symbol(stated: str) -> str:
    """The symbol that the rows state, when it has one reading."""
    from engine.data.dialects.names import symbol_of

    parts = re.fullmatch(r"([A-Z0-9]+)[-/_]([A-Z0-9]+)(?:[-:].*)?", stated)
    return f"{parts[1]}-{parts[2]}" if parts else symbol_of(stated) if re.fullmatch(r"[A-Z0-9]{5,20}", stated) else ""


def _same_coin(raw: "RawFile", symbol: str) -> None:
    """Refuse a file whose rows state another coin than its name or the command."""
    from engine.data.dialects.names import ALIASES

    stated = re.sub(r"^[A-Z]+:(?=[A-Z0-9]{5,})|(-SWAP|_PERP|\.P|:.*)$", "", raw.stated.upper())  # X:BTCUSD, BTC/USDT:USDT
    joined = re.sub(r"[^A-Z0-9]", "", stated)
    for alias, coin in ALIASES.items():
        joined = re.sub(f"^{alias}", coin, joined)
    base = symbol.partition("-")[0]
    if joined and symbol and joined not in (base, symbol.replace("-", "")):
        raise BadInput(f"{raw.path.name} states {raw.stated} in its rows, not {symbol}", "check which coin it is, then --symbol")


def _same_venue(raw: "RawFile", venue: str) -> None:
    """Refuse a file whose rows state another venue than its name or the command."""
    from engine.data.dialects.names import VENUES

    stated = re.sub(r"[^a-z]", "", raw.exchange.lower()).replace("okex", "okx")
    known = next((name for name in VENUES if stated.startswith(name)), "")
    if known and venue in VENUES and known != venue:
        raise BadInput(f"{raw.path.name} states {raw.exchange[:40]} in its rows, not {venue}", "check which it is, then --venue")


def _undated(raw: "RawFile") -> None:
    """Refuse a future with a day of delivery: it pays no funding, and ends."""
    dated, of_rows = DATED.search(raw.path.name), DATED.search(raw.stated.upper())
    dated = of_rows or (dated if dated and (not dated[1] or _is_delivery(dated[1])) else None)
    if dated and raw.kind in ("bars", "marks"):
        raise BadInput(
            f"{raw.path.name} is of {dated[0]}, a future with a day of delivery", "get the perpetual's bars, or spot's"
        )


def _is_delivery(digits: str) -> bool:
    """Whether `250328` is the last Friday of a quarter; in a file's name other six digits are a day or a month of data."""
    from datetime import date, timedelta

    try:
        day = date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return False
    return day.weekday() == 4 and day.month % 3 == 0 and (day + timedelta(7)).month != day.month


def _same_market(raw: "RawFile", venue: str, market: str) -> None:
    """Refuse rows of OKX that state a swap for spot, or a pair for a perpetual: their volumes and prices are another market's."""
    pair = re.fullmatch(r"[A-Z0-9]+-[A-Z0-9]+(-SWAP)?", raw.stated.upper())
    if venue == "okx" and pair and raw.kind != "series" and (stated := "perp" if pair[1] else "spot") != market:
        raise BadInput(f"{raw.path.name} states {raw.stated} in its rows, which OKX calls {stated}", f"add --market {stated}")


def _linear(raw: "RawFile", venue: str, symbol: str, market: str) -> None:
    """Refuse what is an inverse contract by venue and symbol."""
    if market == "perp" and symbol.endswith("-USD") and venue in INVERSE_VENUES:
        what = f"{raw.path.name}: perpetuals of {symbol} on {venue} are inverse contracts, whose profit is not linear"
        raise BadInput(what, "use the USDT contract")


def _with_volume(raw: "RawFile") -> None:
    """Refuse prices without a volume that nobody calls marks."""
    if raw.kind == "prices":
        what = f"{raw.path.name} has open, high, low and close, but no volume: bars need one"
        raise BadInput(what, "if these are mark prices, add --series mark")


def _promised(raw: "RawFile", series: str, market: str, tag: str) -> None:
    """Refuse other numbers under a name that promises settlements or bars of an instrument."""
    if tag or not (market or series == "funding"):
        return
    columns = ", ".join(name for name in raw.frame.columns[1:9])
    if series == "funding":
        what = f"{raw.path.name} is named funding, but none of its columns is known as a rate: {columns}"
        raise BadInput(what, "call the column with the fraction paid at each settlement rate")
    if re.fullmatch(r"(mark_)?\d+[mhdw]", series):
        what = f"{raw.path.name} is named as bars ({series}), but lacks one of open, high, low, close: {columns}"
        raise BadInput(what, "give bars, or add --series with a name of its own, as in oi_1h")


def misnamed(raw: "RawFile") -> list["DataIssue"]:
    """The finding that a file's name says another thing than its rows, as the import would refuse it; for `data check`."""
    from engine.data.issues import DataIssue

    named = raw.named
    try:
        _same_coin(raw, named.symbol)
        _same_venue(raw, named.venue)
        _linear(raw, named.venue, named.symbol, named.market)
        _with_volume(raw)
        if raw.kind == "series":
            _promised(raw, named.series, named.market, named.tag)
    except BadInput as error:
        return [DataIssue("name", "error", (), f"{error.what}: {error.hint}")]
    return []


def _of_other_numbers(raw: "RawFile", wanted: ImportOptions, symbol: str, tag: str) -> tuple[SeriesName, int]:
    """The same for other numbers that a strategy may read (open interest, an index): of an instrument, or of a venue alone."""
    from engine.clock import timeframe_ms

    named = raw.named
    venue, market, series = wanted.venue or named.venue, wanted.market or named.market, wanted.series or named.series
    if not series or not venue:
        what = "is neither bars nor marks nor funding, and its name does not contain the series"
        raise BadInput(
            f"{raw.path.name} {what}", "add --venue yahoo --series vix_1d (with --symbol and --market if it is of one)"
        )
    _promised(raw, series, market, tag)
    symbol = wanted.symbol or named.symbol
    if bool(symbol) != bool(market):
        raise BadInput(f"{raw.path.name} needs both a symbol and a market, or neither", "add --symbol BTC-USDT --market perp")
    name = SeriesName(venue, symbol, market, series, tag)
    _valid(name, "a series is a word and its period: oi_1h, vix_1d")
    return name, timeframe_ms(series.rpartition("_")[2])


def _valid(name: SeriesName, hint: str) -> None:
    """Refuse what is not a file name of the catalog."""
    from engine.data.catalog import NAME, PLAIN_NAME
    from engine.data.writer import file_name

    text = file_name(*name)
    if len(text) > NAME_MAX:
        raise BadInput(f"{text[:60]}... is not a valid series name: {len(text)} characters", hint)
    if (NAME if name.symbol else PLAIN_NAME).fullmatch(text) is None:
        raise BadInput(f"{text} is not a valid series name", hint)


def _timeframe(step_ms: int) -> str:
    """900000 -> 15m. Raises BadInput for less than whole minutes."""
    from engine.clock import MINUTE_MS, TIMEFRAMES, timeframe_text

    if step_ms % MINUTE_MS:
        raise BadInput(f"{step_ms} ms is not a valid timeframe", f"use {', '.join(TIMEFRAMES)}")
    return timeframe_text(step_ms)
