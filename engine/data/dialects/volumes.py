"""Which column is the volume in base units, decided by name and by arithmetic: base volume times price is quote volume.

Called by data/files.py on bars with their prices. A column that contradicts the quote volume beside it is refused with the
factor; columns without names are headless.py's.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from engine.data.dialects.columns import (
    BASE_NAMES,
    CLOSE_TIMES,
    CLOSED_FLAGS,
    CONTRACT_NAMES,
    GROUPS,
    MARKET_CAPS,
    MONEY,
    OPEN_TIMES,
    PLAIN_VOLUMES,
    PRICES,
    QUOTE_NAMES,
    TAKER,
    UNDECIDED,
    VOLUME_OF,
    VWAP_NAMES,
    as_numbers,
    has_numbers,
)
from engine.data.dialects.names import BASES
from engine.errors import DataError

AGREES = (0.67, 1.5)  # volume times close over quote volume: units differ by far more, closes of wild bars by less
ROUNDED = 1e-6  # of a price: what decimals of a file may lose
PROVES = 0.95  # share of bars whose quote over base volume is inside the bar's range
FAR = 3.0  # times: a row of another unit
FAR_ROWS = 20
INVERSE = (1.0, 10.0, 100.0)  # USD a contract
SAME_VALUE = 0.01  # how far one contract's value is from a round number of USD
UNLIKE = (0.2, 5.0)  # volume x close over another column: what a taker's share (about 2) never is
FEW_COLUMNS = 12  # columns without a known name that are weighed against the volume
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


def is_quote_volume(columns: Mapping[str, pl.Series], paid: pl.Series) -> bool:
    """True when `paid` over the base volume of our `columns` is a price of its bar in nearly all rows that traded."""
    low, high, volume, quote = (
        x.fill_null(float("nan")).to_numpy() for x in (*(columns[n] for n in ("low", "high", "volume")), paid)
    )
    traded = (volume > 0.0) & (quote > 0.0)
    if not traded.any():
        return False
    price = quote[traded] / volume[traded]
    inside = (price >= low[traded] * (1.0 - ROUNDED)) & (price <= high[traded] * (1.0 + ROUNDED))
    return bool(inside.mean() >= PROVES)


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
    _refuse_other_evidence(bars, chosen, found)
    for quote in quotes:
        refuse_inverse(bars, chosen, quote, [n for n in (*rest, *contracts) if n != chosen])
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
    clear = [n for n in wanted if n in own or not unclear(n)]
    if not clear:
        what = f"{wanted[0]} is not known to be the volume of a bar in base units"
        raise DataError(f"{bars.where}: {what}", "call it volume if it is")
    if len(wanted) == 1:
        return wanted[0]
    pairs = [(b, q) for b in wanted for q in wanted if b != q and proven(bars, bars.column(b), bars.column(q))]
    if pairs and (pairs[0][1], pairs[0][0]) not in pairs:
        return pairs[0][0]
    unsure = [n for n in wanted if n in UNDECIDED]
    if unsure:  # not base volume by arithmetic, so it must be quote volume
        return _by_quote(bars, [n for n in wanted if n not in unsure], unsure)
    named = own or [n for n in wanted if n in BASE_NAMES] or clear
    if len(named) == 1:
        return named[0]
    what = f"which of {', '.join(wanted)} is the volume in base units?"
    raise DataError(f"{bars.where}: {what}", "keep one and call it volume")


def unclear(name: str) -> bool:
    """Whether a name only begins like a volume's: `volume_24h`, `volume_buy`, which are other things than a bar's volume."""
    rest = VOLUME_OF.match(name)
    if name in (*BASE_NAMES, *QUOTE_NAMES, *PLAIN_VOLUMES, *UNDECIDED, *CONTRACT_NAMES) or rest is None:
        return False
    return rest[1].upper() not in BASES


def _refuse_other_evidence(bars: Bars, name: str, found: list[str]) -> None:
    """Raise DataError where a column of another name says that the volume is in another unit."""
    caps = [n for n in MARKET_CAPS if n in bars.table.columns]
    if caps:
        what = f"{name} stands beside {caps[0]}: it is of 24 hours, all venues and in USD, not of a bar"
        raise DataError(f"{bars.where}: {what}", "get bars of one venue")
    plain = (*found, *PRICES, *OPEN_TIMES, *CLOSE_TIMES, *VWAP_NAMES, *CLOSED_FLAGS, *GROUPS, "ignore")
    others = [n for n in bars.table.columns if n not in plain and not TAKER.search(n) and has_numbers(bars.table[n])]
    base = bars.column(name)
    for other in others[:FEW_COLUMNS]:
        value = bars.column(other)
        use = bars.traded(base, value)
        factor = float(np.median(base[use] * bars.close[use] / value[use])) if use.any() else 1.0
        if not UNLIKE[0] <= factor <= UNLIKE[1] and proven(bars, base, value * factor):
            what = f"{name} x close is {factor:.4g} times {other}, bar by bar: one of the two is in another unit"
            raise DataError(
                f"{bars.where}: {what}", f"if {name} is in coins, leave {other} out; if it counts contracts, convert it"
            )


def refuse_inverse(bars: Bars, base: str, quote: str, others: list[str]) -> None:
    """Raise DataError where a third column counts contracts that are worth one round number of USD, whatever the price."""
    b, q = bars.column(base), bars.column(quote)
    for name in others:
        count = bars.column(name)
        use = bars.traded(b, q) & np.isfinite(count) & (count > 0)
        if use.sum() < FAR_ROWS or bool((count[use] == q[use]).all()):  # the quote volume once more
            continue
        value = float(np.median(q[use] / count[use]))
        steady = float(np.log(q[use] / count[use]).std()) < float(np.log(b[use] / count[use]).std())
        if steady and any(abs(value / one - 1) < SAME_VALUE for one in INVERSE):
            what = f"{name} counts contracts of {value:.0f} USD: an inverse contract, whose profit is not linear"
            raise DataError(f"{bars.where}: {what}", "inverse contracts are not supported: use the USDT contract")


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
