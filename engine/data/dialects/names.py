"""A file's name and folder -> venue, symbol, market, series: our names and those of the programs and archives people have.

Called by data/files.py. One table of patterns, first match wins; what a name does not say stays "". Of two readings of a symbol
none is taken: `symbol_readings` lists them, and the import asks.
"""

import re
from pathlib import Path
from typing import NamedTuple

from engine.data.dialects.containers import SUFFIXES

VENUES = ("binance", "okx", "bybit", "coinbase", "kraken", "bitstamp", "gemini", "bitfinex", "kucoin", "ftx")
QUOTES = (
    "FDUSD",
    "BFUSD",
    "BUSD",
    "TUSD",
    "USDT",
    "USDC",
    "USDP",
    "USDE",
    "USD1",
    "USD",
    "EUR",
    "GBP",
    "JPY",
    "TRY",
    "BRL",
    "DAI",
    "BTC",
    "ETH",
    "BNB",
)
BASES = frozenset(
    (
        *("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LTC", "BCH", "DOT", "LINK", "AVAX", "TRX", "XLM", "ATOM", "UNI"),
        *("NEAR", "APT", "ARB", "AR", "OP", "SUI", "FIL", "ETC", "XMR", "EOS", "TON", "PEPE", "SHIB", "ICP", "HBAR", "VET"),
        *("INJ", "SEI", "TIA", "AAVE", "CRV", "LDO", "MKR", "GRT", "RUNE", "WLD", "STX", "FTM", "SAND", "GALA", "T", "G", "GT"),
    )
)
ALIASES = {"XBT": "BTC", "XDG": "DOGE"}
MINUTES = {
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "720": "12h",
    "1440": "1d",
    "D": "1d",
    "1D": "1d",
}
STEP = r"\d+(?:m|h|d|w)|\d*(?:min|minute|hour|day|d|h)|\d+-min"
PRICE_FOLDERS = {"markpriceklines": "mark", "indexpriceklines": "index", "premiumindexklines": "premium"}


class NameParts(NamedTuple):
    """What a file's name and folder say it is; "" where they do not."""

    venue: str = ""
    symbol: str = ""
    market: str = ""
    series: str = ""
    tag: str = ""


OWN = re.compile(
    r"([a-z0-9][a-z0-9-]*)_([A-Za-z0-9]+-[A-Za-z0-9]+)_(?:(perp|spot)_)?(\d+[mhdw]|funding|(?:mark|oi)_\d+[mhdw]"
    r"|[a-z-]+_\d+[mhd])(?:_(.+))?"
)
FREQTRADE = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-(\d+[mhdw])(?:-(futures|mark|funding_rate|spot))?")
BINANCE = re.compile(r"([A-Z0-9]{2,30})-(fundingRate|\d+[mhdw])-\d{4}-\d{2}(?:-\d{2})?")
OKX = re.compile(
    r"([A-Z0-9]+)-([A-Z0-9]+)(-SWAP)?[-_]((?i:candles?|candlesticks?|funding_?rates?|swap_?rates?)|\d+[mHDhd])(?:[-_].*)?"
)
HUMMINGBOT = re.compile(r"(?:candles_)?([a-z]+)(_perpetual|_perpetual_testnet)?_([A-Z0-9]+-[A-Z0-9]+)_(\d+[mhdw])(?:_.*)?")
TRADINGVIEW = re.compile(r"([A-Z]+)[_ ]([A-Z0-9]{5,20})(\.P)?, ?(\d+[DW]?|[DW])(?:[_ ].*)?")
MINUTE_NAME = re.compile(r"([A-Z0-9]{5,20})_(1|3|5|15|30|60|120|240|720|1440)(?:_(\d{4}).*)?")
PLAIN = re.compile(r"([A-Z0-9]{2,10})-(USD[TC]?|EUR|BTC)")
KAGGLE = re.compile(r"([a-z]+)(USD|EUR|JPY|GBP)_(\d+)-min_data.*")
OTHER = re.compile(rf"(?:([A-Za-z]+)_)?([A-Z0-9]{{4,20}}|[A-Z0-9]+-[A-Z0-9]+)[_-](?:\d{{4}}_)?({STEP})(?:[_-].*)?")


def name_parts(path: Path) -> NameParts:
    """Venue, symbol, market, series and tag, from the name and the folders above it."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    if own := OWN.fullmatch(name):
        return NameParts(own[1], own[2].upper(), own[3] or "", own[4], own[5] or "")
    folders = [p.lower() for p in path.parts[:-1]]
    venue = next((f for f in reversed(folders) if f in VENUES), "")
    market = "spot" if "spot" in folders else "perp" if {"futures", "um", "swap", "perp"} & set(folders) else ""
    series = next((PRICE_FOLDERS[f] for f in folders if f in PRICE_FOLDERS), "")
    for read in (_freqtrade, _archives, _programs):
        found = read(name)
        if found is not None:
            return _with_folders(found, venue, market, series)
    return NameParts(venue)


def _with_folders(found: NameParts, venue: str, market: str, series: str) -> NameParts:
    """What the name says, completed by what the folders say."""
    step = f"{series}_{found.series}" if series and re.fullmatch(r"\d+[mhdw]", found.series) else found.series
    return found._replace(venue=found.venue or venue, market=found.market or market, series=step)


def _freqtrade(name: str) -> NameParts | None:
    """`BTC_USDT_USDT-15m-futures`."""
    if not (found := FREQTRADE.fullmatch(name)):
        return None
    base, quote, settled, timeframe, kind = found.groups()
    series = {"mark": f"mark_{timeframe}", "funding_rate": "funding"}.get(kind or "", timeframe)
    return NameParts("", f"{base}-{quote}", "perp" if settled or kind in ("futures", "mark", "funding_rate") else "spot", series)


def _archives(name: str) -> NameParts | None:
    """The public downloads of Binance, OKX, Bybit and Kraken, and Kaggle's minute files."""
    if found := BINANCE.fullmatch(name):
        funding = found[2] == "fundingRate"
        return NameParts("", symbol_of(found[1]), "perp" if funding else "", "funding" if funding else found[2])
    if found := OKX.fullmatch(name):
        rates = found[4].lower().startswith(("funding", "swap"))
        step = found[4].lower() if found[4][0].isdigit() else ""
        market = "perp" if found[3] or rates else ""
        return NameParts("okx" if found[3] else "", f"{found[1]}-{found[2]}".upper(), market, "funding" if rates else step)
    if found := KAGGLE.fullmatch(name):
        return NameParts(found[1], f"BTC-{found[2]}", "spot", f"{found[3]}m")
    if found := MINUTE_NAME.fullmatch(name):
        kraken = "kraken" if found[1].startswith(("XBT", "XDG")) and not found[3] else ""
        return NameParts(kraken, symbol_of(found[1]), "spot" if kraken else "", MINUTES[found[2]])
    return None


def _programs(name: str) -> NameParts | None:
    """hummingbot, TradingView, CryptoDataDownload and their like."""
    if found := HUMMINGBOT.fullmatch(name):
        return NameParts(found[1], found[3], "perp" if found[2] else "", found[4])
    if found := PLAIN.fullmatch(name):
        return NameParts("", f"{found[1]}-{found[2]}")
    if found := TRADINGVIEW.fullmatch(name):
        return NameParts(found[1].lower(), symbol_of(found[2]), "perp" if found[3] else "", MINUTES.get(found[4], ""))
    if found := OTHER.fullmatch(name):
        number, unit = re.fullmatch(r"(\d*)-?([a-z])[a-z]*", found[3].lower()).groups()  # type: ignore[union-attr]  # STEP has this form
        symbol = found[2] if "-" in found[2] else symbol_of(found[2])
        return NameParts((found[1] or "").lower(), symbol, "", f"{number or 1}{unit}") if symbol else None
    return None


def symbol_of(joined: str) -> str:
    """`BTCFDUSD` -> `BTC-FDUSD`; "" when two readings are possible or none."""
    readings = symbol_readings(joined)
    return readings[0] if len(readings) == 1 else ""


def symbol_readings(joined: str) -> list[str]:
    """Every way to cut a joined symbol into base and a known quote, longest quote first; only those with a known base if any."""
    text = joined.removesuffix("_PERP").upper()
    found = [(text[: -len(q)], q) for q in sorted(QUOTES, key=len, reverse=True) if text.endswith(q) and len(text) > len(q)]
    found = [(ALIASES.get(base, base), quote) for base, quote in found]
    sure = [pair for pair in found if pair[0] in BASES]
    return [f"{base}-{quote}" for base, quote in (sure or found)]
