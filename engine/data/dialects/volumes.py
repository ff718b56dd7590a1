"""Which column is the volume in base units, decided by name and by arithmetic: base volume times price is quote volume.

Called by data/files.py on bars with their prices. A column that contradicts the quote volume beside it is refused with the
factor; columns without names are taken only where the arithmetic proves them.
"""

import re

import numpy as np
import polars as pl

from engine.data.dialects.columns import (
    BASE_NAMES,
    BINANCE,
    CONTRACT_NAMES,
    MONEY,
    PLAIN_VOLUMES,
    PRICES,
    QUOTE_NAMES,
    UNDECIDED,
    as_numbers,
)
from engine.errors import DataError

AGREES = (0.67, 1.5)  # volume times close over quote volume: units differ by far more, closes of wild bars by less
PROVES = 0.95  # share of bars whose quote over base volume is inside the bar's range
FAR = 3.0  # times: a row of another unit
FAR_ROWS = 20
INVERSE = (1.0, 10.0, 100.0)  # USD a contract
FOLLOWS = 0.2  # scatter of volume over close against that of the volume itself
RATIO = "keep the column in coins and call it volume"


class Bars:
    """Prices of a table as arrays, to weigh volume columns against."""

    def __init__(self, table: pl.DataFrame, prices: dict[str, str], where: str) -> None:
        self.table, self.where = table, where
        self.high, self.low, self.close = (self.column(prices[n]) for n in ("high", "low", "close"))

    def column(self, name: str) -> np.ndarray:
        """A column as floats, NaN where empty."""
        return as_numbers(self.table[name], name, self.where).fill_null(float("nan")).to_numpy()

    def traded(self, base: np.ndarray, quote: np.ndarray) -> np.ndarray:
        """Rows in which both volumes and the price can be compared."""
        with np.errstate(invalid="ignore"):
            return np.isfinite(base) & np.isfinite(quote) & (base > 0) & (quote > 0) & (self.low > 0) & np.isfinite(self.close)


def base_volume(bars: Bars, found: list[str], base: str, notes: list[str]) -> str:
    """The column in base units among `found`. Raises DataError: none, which of several, or a contradiction with its factor."""
    own = [n for n in found if base and n in (f"volume_{base.lower()}", f"vol_{base.lower()}")]
    quotes = [n for n in found if n not in own and (n in QUOTE_NAMES or MONEY.search(n))]
    contracts = [n for n in found if n in CONTRACT_NAMES]
    rest = [n for n in found if n not in own and n not in quotes and n not in contracts]
    wanted = own + sorted(rest, key=lambda n: (n not in BASE_NAMES, n in UNDECIDED, n not in PLAIN_VOLUMES))
    if all(n in UNDECIDED for n in wanted):
        unsure = quotes + wanted
        what = f"quote volume only ({', '.join(unsure)})" if unsure else f"volume in contracts only ({contracts[0]})"
        raise DataError(f"{bars.where} has {what}, not in base units", "base volume is needed: convert it, or get other data")
    chosen = _by_quote(bars, wanted, quotes) if quotes else _by_names(bars, wanted, own)
    others = [n for n in found if n != chosen]
    if others:
        notes.append(f"volume is {chosen} (base units); {', '.join(others)} left out")
    _not_a_price(bars, chosen)
    return chosen


def _by_quote(bars: Bars, wanted: list[str], quotes: list[str]) -> str:
    """The first column that times the price is the quote volume."""
    unclear = True
    for name in wanted:
        for quote in quotes:
            factor = _factor(bars, name, quote)
            unclear = unclear and factor is None
            if factor is not None and AGREES[0] <= factor <= AGREES[1]:
                _no_other_unit(bars, name, quote)
                return name
    if unclear:  # no row to compare: no trades at all
        return wanted[0]
    raise _contradiction(bars, wanted[0], quotes[0])


def _factor(bars: Bars, base: str, quote: str) -> float | None:
    """The usual volume x close over quote volume; None without a row to compare."""
    b, q = bars.column(base), bars.column(quote)
    use = bars.traded(b, q)
    return float(np.median(b[use] * bars.close[use] / q[use])) if use.any() else None


def _contradiction(bars: Bars, base: str, quote: str) -> DataError:
    """What a volume is that does not fit the quote volume beside it."""
    b, q = bars.column(base), bars.column(quote)
    use = bars.traded(b, q)
    factor = float(np.median(b[use] * bars.close[use] / q[use]))
    value = float(np.median(q[use] * bars.close[use] / b[use]))
    if any(abs(value / one - 1) < 0.02 for one in INVERSE):
        what = f"{base} counts contracts of {value:.0f} USD and {quote} coins: an inverse contract, whose profit is not linear"
        return DataError(f"{bars.where}: {what}", "inverse contracts are not supported: use the USDT contract")
    what = f"{base} x close is {factor:.4g} times {quote}: {'contracts, ' if factor > 1 else ''}not base units"
    return DataError(f"{bars.where}: {what}", RATIO)


def _no_other_unit(bars: Bars, base: str, quote: str) -> None:
    """Refuse when a part of the rows is in another unit than the rest."""
    b, q = bars.column(base), bars.column(quote)
    use = bars.traded(b, q)
    price = np.divide(q, b, out=np.full(b.size, np.nan), where=use)
    with np.errstate(invalid="ignore"):
        far = use & ((price > bars.high * FAR) | (price < bars.low / FAR))
    rows = np.flatnonzero(far)
    if rows.size >= FAR_ROWS or (rows.size and rows.size > 0.2 * use.sum()):
        row = int(rows[0])
        factor = float(np.median(b[rows] * bars.close[rows] / q[rows]))
        what = f"from row {row} on {base} x close is {factor:.4g} times {quote} in {rows.size} rows"
        raise DataError(f"{bars.where}: {what}", "two units in one file: get it again")


def _by_names(bars: Bars, wanted: list[str], own: list[str]) -> str:
    """Without a quote volume by name: the only column, a pair that proves itself, or a name that says it."""
    if len(wanted) == 1:
        return wanted[0]
    pairs = [(b, q) for b in wanted for q in wanted if b != q and proven(bars, bars.column(b), bars.column(q))]
    if pairs and (pairs[0][1], pairs[0][0]) not in pairs:
        return pairs[0][0]
    unsure = [n for n in wanted if n in UNDECIDED]
    if unsure:  # not base volume by arithmetic, so it must be quote volume
        return _by_quote(bars, [n for n in wanted if n not in unsure], unsure)
    named = own or [n for n in wanted if n in BASE_NAMES]
    if len(named) == 1:
        return named[0]
    what = f"which of {', '.join(wanted)} is the volume in base units?"
    raise DataError(f"{bars.where}: {what}", "keep one and call it volume")


def proven(bars: Bars, base: np.ndarray, quote: np.ndarray) -> bool:
    """Whether quote over base volume is a price inside nearly every bar's range."""
    use = bars.traded(base, quote)
    if use.sum() < 20 or use.sum() < 0.5 * base.size:
        return False
    price = quote[use] / base[use]
    inside = (price >= bars.low[use] * 0.998) & (price <= bars.high[use] * 1.002)
    return bool(inside.mean() >= PROVES)


def _not_a_price(bars: Bars, name: str) -> None:
    """Refuse a volume that moves with the close: it is a price."""
    volume = bars.column(name)
    use = np.isfinite(volume) & (volume > 0) & np.isfinite(bars.close) & (bars.close > 0)
    if use.sum() < 20:
        return
    size = np.log(volume[use])
    if size.std() > 1e-9 and (size - np.log(bars.close[use])).std() < FOLLOWS * size.std():
        raise DataError(f"{bars.where}: {name} follows the close: it is a price, not a volume", "give the volume in base units")


def headless_names(table: pl.DataFrame, name: str, funding: bool, where: str, notes: list[str]) -> list[str]:
    """Names for a table without a header. Raises DataError where neither width nor arithmetic proves what is what."""
    width = table.width
    if funding and width in (2, 3, 6):
        notes.append("no header: times and rates")
        return {2: ["ts", "rate"], 3: ["ts", "interval", "rate"], 6: ["ts", *PRICES, "volume"]}[width]
    if width == len(BINANCE) or width == len(BINANCE) - 1:
        notes.append("no header: columns as in Binance's archive")
        return list(BINANCE[:width])
    clocked = width == 7 and table.schema["1"] == pl.String and bool(table["1"].str.contains(":").all())
    if width == 6 or clocked:
        notes.append("no header: time, open, high, low, close, volume")
        return ["date", "time", *PRICES, "volume"] if clocked else ["ts", *PRICES, "volume"]
    if width < 7:
        raise DataError(f"{where} has no header and {width} columns", "add a header: ts,open,high,low,close,volume")
    names = ["ts", *PRICES, *(f"column_{n}" for n in range(5, width))]
    bars = Bars(table.rename(dict(zip(table.columns, names, strict=True))), {n: n for n in PRICES}, where)
    return _proven_names(bars, names, name, notes)


def _proven_names(bars: Bars, names: list[str], name: str, notes: list[str]) -> list[str]:
    """Names of the columns after the close, by arithmetic; of Kraken's seven, by the file's name and whole numbers of trades."""
    rest = {n: bars.column(n) for n in names[5:]}
    pairs = [(b, q) for b in rest for q in rest if b != q and proven(bars, rest[b], rest[q])]
    pairs = [(b, q) for b, q in pairs if (q, b) not in pairs]
    if pairs:
        base, quote = max(pairs, key=lambda pair: float(np.nansum(rest[pair[0]])))
        flags = [n for n in rest if n not in (base, quote) and set(np.unique(rest[n]).tolist()) <= {0.0, 1.0}]
        known = {base: "base_volume", quote: "quote_volume", **({flags[-1]: "confirm"} if flags else {})}
        what = f"no header: column {names.index(base)} x price is column {names.index(quote)}, so these are base and quote volume"
        notes.append(what + (f"; column {names.index(flags[-1])} is read as closed or not" if flags else ""))
        return [known.get(n, n) for n in names]
    if len(rest) == 2:
        volume, trades = rest.values()
        counts = bool(
            (trades == np.rint(trades)).all() and ((volume > 0) == (trades > 0)).all() and (volume != np.rint(volume)).any()
        )
        if counts and re.search(r"_\d+\.", name):
            notes.append("no header: time, open, high, low, close, volume, trades, as in Kraken's archive")
            return [*names[:5], "volume", "trades"]
    what = f"has no header, and none of its {len(names)} columns times the price is another"
    raise DataError(f"{bars.where} {what}", "add a header: ts,open,high,low,close,volume, and names for the others")
