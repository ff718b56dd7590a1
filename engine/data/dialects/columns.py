"""What each column of a market data file means: one table of names, by role. Called by data/files.py and its dialects.

A name alone proposes a role; the columns beside it and arithmetic decide (times.py, volumes.py). Names are compared in lower case
with one underscore between words.
"""

import re

import polars as pl

from engine.errors import DataError

OPEN_TIMES = (
    "ts", "open_time", "opentime", "unix", "timestamp", "time", "date", "datetime", "unix_timestamp", "start_at", "start_time",
    "starttime", "start", "timestamp_ms", "time_utc", "datetime_utc", "date_utc", "gmt_time", "calc_time", "funding_time",
    "fundingtime", "funding_rate_timestamp", "fundingratetimestamp", "candle_begin_time", "open_timestamp", "t",
    "mts", "started_at", "startedat", "window_start", "time_period_start", "timeopen", "begins_at", "period_start",
)  # fmt: skip
CLOSE_TIMES = ("close_time", "closetime", "end_time", "endtime", "close_timestamp", "time_period_end", "window_end", "timeclose")
PRICES = ("open", "high", "low", "close")
PRICE_NAMES = {
    "open": ("open", "open_price", "openprice", "price_open", "o"),
    "high": ("high", "high_price", "highprice", "highest_price", "price_high", "h"),
    "low": ("low", "low_price", "lowprice", "lowest_price", "price_low", "l"),
    "close": ("close", "close_price", "closeprice", "close_last", "price_close", "c"),
}
BASE_NAMES = (
    "base_volume",
    "basevolume",
    "volume_base",
    "base_asset_volume",
    "volccy",
    "vol_ccy",
    "volumefrom",
    "volume_from",
    "basetokenvolume",
    "base_token_volume",
)
QUOTE_NAMES = (
    "quote_volume", "quotevolume", "quote_asset_volume", "volume_quote", "turnover", "volccyquote", "vol_ccy_quote",
    "vol_quote", "value", "notional", "volume_currency", "quote_vol", "amount_quote", "volumeto", "volume_to",
    "usdvolume", "usd_volume",
)  # fmt: skip
PLAIN_VOLUMES = ("volume", "vol", "v", "volumes", "trading_volume", "volume_traded")
UNDECIDED = ("amount",)  # base volume at some venues, quote volume at others
VOLUME_OF = re.compile(r"^(?:volume|vol)_+(.+)$")
TAKER = re.compile(r"taker|buy|sell|bid|ask")  # a share of the volume, not a second unit of it
MARKET_CAPS = ("market_cap", "marketcap", "mcap", "market_capitalization")
CONTRACT_NAMES = ("contracts", "volume_contracts", "vol_contracts", "contract_volume")
TAKER_NAMES = ("taker_buy_volume", "taker_buy_base_volume", "taker_buy_base_asset_volume", "taker_base")  # base units
MONEY = re.compile(r"(usd[tcp]?|fdusd|busd|quote|currency|eur|gbp|jpy)$")
INDICATOR = re.compile(r"^(volume|vol)_?(ma|sma|ema|avg|average)(_?\d+)?$|^(plot|ma|ema|sma|rsi|bb)(_|\d|$)")
VWAP_NAMES = ("weighted_price", "vwap", "average_price", "average")
CLOSED_FLAGS = ("confirm", "confirmed", "closed", "is_closed", "isclosed", "is_final", "final", "complete", "is_complete")
RATES = (  # the first that is there is the rate: relative before absolute, realised before predicted
    "relative_funding_rate", "relativefundingrate", "realizedrate", "realized_rate", "real_funding_rate", "realized_funding_rate",
    "last_funding_rate", "funding_rate", "fundingrate", "rate",
)  # fmt: skip
PERCENT = re.compile(r"(pct|percent|perc)$")
GROUPS = ("coin", "symbol", "tic", "instid", "instrument_name", "pair", "ticker", "instrument", "product_id")
EXCHANGES = ("exchange", "venue", "exchange_name", "exchange_id")
INTERVALS = ("interval", "timeframe", "resolution", "granularity")
CELL_SHOWN = 60  # characters of a cell in a message
BINANCE = ("open_time", *PRICES, "volume", "close_time", "quote_volume", "count", "taker_base", "taker_quote", "ignore")


def normalized_names(table: pl.DataFrame, where: str) -> dict[str, str]:
    """The file's column names -> lower case with underscores. Raises DataError for two of one name."""
    ours = {"T": "close_time", "s": "symbol", "i": "interval"} if {"t", "T"} <= set(table.columns) else {}  # Hyperliquid's
    ours = {old: new for old, new in ours.items() if new not in table.columns}
    normal = {
        old: re.sub(r"[^\w]+", "_", ours.get(old, old).replace("%", " pct").strip().lower()).strip("_") for old in table.columns
    }
    doubled = [old for old in normal if list(normal.values()).count(normal[old]) > 1]
    if doubled:
        raise DataError(f"{where}: two columns are called {normal[doubled[0]]}: {', '.join(doubled)}", "rename one")
    return normal


def price_columns(names: set[str]) -> dict[str, str] | None:
    """open, high, low, close -> the file's column; None unless all four are there."""
    found = {role: next((n for n in aliases if n in names), "") for role, aliases in PRICE_NAMES.items()}
    return found if all(found.values()) else None


def volume_columns(names: list[str]) -> list[str]:
    """Columns whose name says some kind of volume, in the file's order; moving averages of it are none."""
    known = {*BASE_NAMES, *QUOTE_NAMES, *PLAIN_VOLUMES, *UNDECIDED, *CONTRACT_NAMES}
    return [n for n in names if (n in known or n.startswith(("volume_", "vol_"))) and not INDICATOR.match(n)]


def as_numbers(column: pl.Series, name: str, where: str) -> pl.Series:
    """Float64; empty cells stay empty. Raises DataError with the row for text that is not a number."""
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        value = text.cast(pl.Float64, strict=False)
        bad = (value.is_null() & text.is_not_null() & (text != "")).arg_true()
        if bad.len():
            row = int(bad[0])
            what = f"row {row} of column {name} is not a number: {shown(column[row])}"
            raise DataError(f"{where}: {what}", "correct the row")
        return value
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise DataError(f"{where}: column {name} holds {column.dtype}, not numbers", "store numbers")
    return column.cast(pl.Float64)


def shown(cell: object) -> str:
    """A cell of a file as a message shows it: one short line."""
    text = repr(cell)
    return text if len(text) <= CELL_SHOWN else f"{text[:CELL_SHOWN]}... ({len(str(cell)):,} characters)"


def has_numbers(column: pl.Series) -> bool:
    """Whether a column holds numbers, or the text of numbers only, as in a csv."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    text = column.str.strip_chars().replace("", None).drop_nulls()
    return bool(text.len()) and text.cast(pl.Float64, strict=False).null_count() == 0
