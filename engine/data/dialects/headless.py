"""Names for the columns of a table without a header: by width, by what proves itself in arithmetic, else a header is asked for.

Called by data/files.py. The order of the prices is the one in which no bar contradicts itself: venues write open-high-low-close,
open-close-high-low, low-high-open-close or close-high-low-open. Volumes are named where base times price is quote.
"""

import re

import numpy as np
import polars as pl

from engine.data.dialects.columns import BINANCE, PRICES, as_numbers
from engine.data.dialects.volumes import Bars, proven, refuse_inverse
from engine.errors import DataError

ORDERS = (  # columns between the time and the first price, the prices, and who writes so
    (0, PRICES, ""),
    (0, ("open", "close", "high", "low"), "Bitfinex and KuCoin write"),
    (0, ("low", "high", "open", "close"), "Coinbase writes"),
    (1, ("close", "high", "low", "open"), "Gate writes"),
)
JOINED = 0.25  # of a usual bar's range: how far an open usually is from the close before it
MOST = 0.5  # of the rows fit: the order is right, and the checks name the rows that do not
FLAGS = (["true", "false"], ["0", "1"])
HEADER = "add a header: ts,open,high,low,close,volume"


def headless_names(table: pl.DataFrame, name: str, funding: bool, where: str, notes: list[str]) -> list[str]:
    """Names for a table without a header. Raises DataError where neither width nor arithmetic proves what is what."""
    width = table.width
    if funding and width in (2, 3, 6):
        notes.append("no header: times and rates")
        return {2: ["ts", "rate"], 3: ["ts", "interval", "rate"], 6: ["ts", *PRICES, "volume"]}[width]
    if width == len(BINANCE) or width == len(BINANCE) - 1:
        notes.append("no header: columns as in Binance's archive")
        return list(BINANCE[:width])
    if width == 7 and table.schema["1"] == pl.String and bool(table["1"].str.contains(":").all()):
        notes.append("no header: time, open, high, low, close, volume")
        return ["date", "time", *PRICES, "volume"]
    if width < 6:
        raise DataError(f"{where} has no header and {width} columns", HEADER)
    first, order, whose = price_order(table, where)
    names = ["ts", *(f"column_{n}" for n in range(1, first + 1)), *order]
    names += [f"column_{n}" for n in range(len(names), width)]
    said = f" (the only order in which no bar contradicts itself: {whose} it)" if whose else ""
    if width == 6:
        names = ["volume" if n.startswith("column_") else n for n in names]
        notes.append(f"no header: {', '.join(['time', *names[1:]])}{said}")
        return names
    if said:
        notes.append(f"no header: the prices are {', '.join(order)}{said}")
    bars = Bars(table.rename(dict(zip(table.columns, names, strict=True))), {n: n for n in PRICES}, where)
    return _proven_names(bars, names, name, notes)


def price_order(table: pl.DataFrame, where: str) -> tuple[int, tuple[str, ...], str]:
    """The one of ORDERS that the rows fit. Raises DataError for none."""
    time = _numbers(table["0"])
    rows = np.argsort(time, kind="stable") if time is not None else np.arange(table.height)
    whole, share = [], 0.0
    for first, order, whose in ORDERS:
        columns = [_numbers(table[str(first + 1 + n)]) for n in range(len(order))]
        if any(column is None for column in columns):
            continue
        price = dict(zip(order, (column[rows] for column in columns if column is not None), strict=True))
        fits = _fits(price)
        share = fits if not whose else share
        if fits == 1.0 and (not whose or _joined(price)):
            whole.append((first, order, whose))
    if whole and (not whole[0][2] or len(whole) == 1):
        return whole[0]
    if share >= MOST or not table.height:
        return ORDERS[0]
    what = f"has no header, and its {table.width} columns are in no order of open, high, low and close that fits"
    raise DataError(f"{where} {what}", f"{HEADER}, in the order of the file")


def _numbers(column: pl.Series) -> np.ndarray | None:
    """A column as floats; None for one that is not of numbers."""
    try:
        return as_numbers(column, "", "").fill_null(float("nan")).to_numpy()
    except DataError:
        return None


def _fits(price: dict[str, np.ndarray]) -> float:
    """The share of bars whose high is the highest and whose low the lowest of all."""
    ends = np.stack([price["open"], price["close"], price["high"], price["low"]])
    known = np.isfinite(ends).all(axis=0)
    fits = (price["high"] >= ends.max(axis=0)) & (price["low"] <= ends.min(axis=0))
    return float(fits[known].mean()) if known.any() else 1.0


def _joined(price: dict[str, np.ndarray]) -> bool:
    """Whether bars usually open where the one before closed."""
    apart = np.abs(price["open"][1:] - price["close"][:-1])
    return bool(apart.size) and bool(np.nanmedian(apart) <= JOINED * np.nanmedian(price["high"] - price["low"]))


def _proven_names(bars: Bars, names: list[str], name: str, notes: list[str]) -> list[str]:
    """Names of the other columns, by arithmetic; Kraken's, by whole numbers of trades, its VWAP and the file's name."""
    others = [n for n in names if n.startswith("column_")]
    flags = [n for n in others if bars.table[n].cast(pl.String).str.to_lowercase().is_in(FLAGS[0]).all()]
    rest = {n: bars.column(n) for n in others if n not in flags}
    pairs = [(b, q) for b in rest for q in rest if b != q and proven(bars, rest[b], rest[q])]
    pairs = [(b, q) for b, q in pairs if (q, b) not in pairs]
    if pairs:
        base, quote = max(pairs, key=lambda pair: float(np.nansum(rest[pair[0]])))
        flags += [n for n in rest if n not in (base, quote) and set(np.unique(rest[n]).tolist()) <= {0.0, 1.0}]
        known = {base: "base_volume", quote: "quote_volume", **({flags[-1]: "confirm"} if flags else {})}
        what = f"no header: column {names.index(base)} x price is column {names.index(quote)}, so these are base and quote volume"
        notes.append(what + (f"; column {names.index(flags[-1])} is read as closed or not" if flags else ""))
        refuse_inverse(bars, base, quote, [n for n in rest if n not in known])
        return [known.get(n, n) for n in names]
    found = _with_trades(bars, rest, name)
    if found:
        known = dict(zip(rest, found, strict=True))
        notes.append(f"no header: time, open, high, low, close, {', '.join(found)}, as Kraken writes")
        return [known.get(n, n) for n in names]
    what = f"has no header, and none of its {len(names)} columns times the price is another"
    raise DataError(f"{bars.where} {what}", f"{HEADER}, and names for the others")


def _with_trades(bars: Bars, rest: dict[str, np.ndarray], name: str) -> list[str]:
    """volume, trades of Kraken's archive, or vwap, volume, trades of its API; empty where the numbers do not say so."""
    if len(rest) not in (2, 3):
        return []
    *vwap, volume, trades = rest.values()
    counts = (trades == np.rint(trades)).all() and ((volume > 0) == (trades > 0)).all() and (volume != np.rint(volume)).any()
    if not counts:
        return []
    if vwap:
        traded = trades > 0
        inside = (vwap[0] >= bars.low * 0.999) & (vwap[0] <= bars.high * 1.001)
        return ["vwap", "volume", "trades"] if traded.any() and inside[traded].all() else []
    return ["volume", "trades"] if re.search(r"_\d+\.", name) else []
