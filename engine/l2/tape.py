"""A recorded tape of level 2 -> whole numbers: messages, their levels, trades and best quotes as arrays of one length each.

Called by app/cli/l2.py through checks.py, and by features.py and outcomes.py. A tape is up to three parquet files beside each
other, `{venue}_{BASE-QUOTE}_{perp|spot}_{tag}_{l2|bbo|trades}.parquet`: one row a level, a quote, a trade. Prices and
quantities become integers in the last decimal that the files themselves use, so that sums are exact and equal means equal.
Each of them may be a folder of that name with parts, as recorder.py writes it: parts are read in the order of their names.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]

SNAPSHOT, DELTA = 1, 2
BID, ASK = 0, 1
ROWS_MAX = 100_000_000  # of one file: a busy day of a hundred levels a message; 4 GB while it is read
DIGITS_MAX = 12
EXACT = 2.0**53  # above it a float counts in steps of two
NAME = re.compile(
    r"(?P<venue>[a-z0-9][a-z0-9-]*)_(?P<symbol>[A-Z0-9]+-[A-Z0-9]+)_(?P<market>perp|spot)(?:_(?P<tag>[A-Za-z0-9-]+))?_l2\.parquet"
)
WHOLE = ("seq", "recv_ns", "ts_exch_ms", "first_id", "last_id", "prev_id")
LEVEL = ("side", "price", "qty")
WAY_OUT = "record it again, or leave the file out; docs/level2.md has the columns"


class Scale(NamedTuple):
    """Decimals of prices and quantities, and the grid: a price is `units / 10**price_digits`, a multiple of `tick` units."""

    price_digits: int
    lot_digits: int
    tick: int

    def price(self, units: npt.ArrayLike) -> Floats:
        """Units as quote currency: exact integers divided once, so the bits do not depend on the number of decimals."""
        return np.asarray(units, np.float64) / 10.0**self.price_digits

    def quantity(self, lots: npt.ArrayLike) -> Floats:
        """Lots as base currency."""
        return np.asarray(lots, np.float64) / 10.0**self.lot_digits


class BookTape(NamedTuple):
    """Messages in the order received; the levels of message i are `start[i]:start[i + 1]`."""

    path: Path
    venue: str
    symbol: str
    market: str
    scale: Scale
    row: Ints  # of the file: the message's first
    seq: Ints
    kind: Bytes  # SNAPSHOT or DELTA
    recv_ns: Ints  # the recorder's clock
    exch_ms: Ints  # the venue's, 0 where a message has none
    first_id: Ints
    last_id: Ints
    prev_id: Ints  # -1 where the venue sends none
    start: Ints
    side: Bytes  # BID or ASK
    price: Ints
    lots: Ints


class Quotes(NamedTuple):
    """The venue's own best bid and ask by update id, in the tape's units."""

    update_id: Ints
    recv_ns: Ints
    bid: Ints
    bid_lots: Ints
    ask: Ints
    ask_lots: Ints


class TapeTrades(NamedTuple):
    """Trades in the order received; `taker` is 1 where the taker bought, -1 where it sold."""

    recv_ns: Ints
    price: Ints
    lots: Ints
    taker: Bytes


def name_of(path: Path) -> tuple[str, str, str]:
    """(venue, symbol, market) by the file's name. Raises DataError for another name."""
    found = NAME.fullmatch(path.name)
    if found is None:
        raise DataError(f"{path}: not the name of a tape", "VENUE_BASE-QUOTE_perp|spot_TAG_l2.parquet, as in docs/level2.md")
    return found["venue"], found["symbol"], found["market"]


def beside(path: Path, what: str) -> Path:
    """The `bbo` or `trades` file of a tape, whether it exists or not."""
    return path.with_name(path.name.removesuffix("_l2.parquet") + f"_{what}.parquet")


def read_tape(path: Path) -> BookTape:
    """One `_l2.parquet` file. A row of null side, price and quantity is a message without levels.

    Raises DataError, with the row, for a missing column, a null, an unknown kind or side, a price or quantity that is not
    one, and messages that are not in the order received.
    """
    venue, symbol, market = name_of(path)
    frame = _read(path, (*WHOLE, "kind", *LEVEL))
    empty = frame["side"].is_null() & frame["price"].is_null() & frame["qty"].is_null()
    levels = frame.filter(~empty)
    rows = np.flatnonzero(~empty.to_numpy())
    for name in (*WHOLE, "kind"):
        _require(path, frame[name].is_null().to_numpy(), f"{name} is missing")
    _require(path, ~frame["kind"].is_in(["snapshot", "delta"]).to_numpy(), "kind is neither snapshot nor delta")
    _require(path, ~levels["side"].fill_null("").is_in(["b", "a"]).to_numpy(), "side is neither b nor a", rows)
    price, quantity = _floats(levels, "price"), _floats(levels, "qty")
    _require(path, ~(np.isfinite(price) & (price > 0.0)), "price is not a number above 0", rows)
    _require(path, ~(np.isfinite(quantity) & (quantity >= 0.0)), "qty is not a number of 0 or more", rows)
    whole = {name: frame[name].to_numpy().astype(np.int64) for name in WHOLE}
    kind = np.where(frame["kind"].to_numpy() == "snapshot", SNAPSHOT, DELTA).astype(np.int8)
    _require(path, np.diff(whole["seq"], prepend=whole["seq"][:1]) < 0, "seq goes back")
    fresh = np.ones(len(kind), np.bool_)
    fresh[1:] = (kind[1:] != kind[:-1]) | np.logical_or.reduce([whole[name][1:] != whole[name][:-1] for name in WHOLE])
    first = np.flatnonzero(fresh)
    own, others = (_digits(path, price, "price"), _digits(path, quantity, "qty")), digits_beside(path)
    scale = Scale(max(own[0], others[0]), max(own[1], others[1]), 1)
    units, lots = _units(price, scale.price_digits), _units(quantity, scale.lot_digits)
    start = np.append(np.searchsorted(rows, first), len(rows)).astype(np.int64)
    recv, exch, first_id, last_id, prev_id = (whole[name][first] for name in WHOLE[1:])
    side = np.where(levels["side"].to_numpy() == "b", BID, ASK).astype(np.int8)
    tick = int(np.gcd.reduce(units)) if len(units) else 1
    scale, seq = scale._replace(tick=max(tick, 1)), whole["seq"][first]
    ids = (first_id, last_id, prev_id)
    return BookTape(path, venue, symbol, market, scale, first, seq, kind[first], recv, exch, *ids, start, side, units, lots)


def digits_beside(path: Path) -> tuple[int, int]:
    """Decimals of the prices and quantities beside a tape: trades may be finer than the levels of a short one."""
    found = [0, 0]
    for what, *names in (("bbo", ("bid", "ask"), ("bid_qty", "ask_qty")), ("trades", ("price",), ("qty",))):
        file = beside(path, what)
        if file.exists():
            frame = _read(file, (*names[0], *names[1]))
            for k in (0, 1):
                values = np.concatenate([_floats(frame, name) for name in names[k]])
                found[k] = max(found[k], _digits(file, values[np.isfinite(values)], names[k][0]))
    return found[0], found[1]


def read_quotes(path: Path, scale: Scale) -> Quotes | None:
    """The `_bbo.parquet` beside a tape, or None without one. Raises DataError as read_tape does."""
    if not path.exists():
        return None
    names = ("bid", "bid_qty", "ask", "ask_qty")
    frame = _read(path, ("update_id", "recv_ns", *names))
    found = [_numbers(path, frame, name, scale.price_digits if name in {"bid", "ask"} else scale.lot_digits) for name in names]
    return Quotes(*(frame[name].to_numpy().astype(np.int64) for name in ("update_id", "recv_ns")), *found)


def read_trades(path: Path, scale: Scale) -> TapeTrades | None:
    """The `_trades.parquet` beside a tape, or None without one; in the order received. Raises DataError as read_tape does."""
    import polars as pl

    if not path.exists():
        return None
    frame = _read(path, ("recv_ns", "price", "qty", "buyer_maker"))
    if frame.schema["buyer_maker"] != pl.Boolean:
        raise DataError(f"{path}: buyer_maker is {frame.schema['buyer_maker']}, not true or false", WAY_OUT)
    _require(path, frame["buyer_maker"].is_null().to_numpy(), "buyer_maker is missing")
    recv = frame["recv_ns"].to_numpy().astype(np.int64)
    _require(path, np.diff(recv, prepend=recv[:1]) < 0, "recv_ns goes back")
    taker = np.where(frame["buyer_maker"].to_numpy(), -1, 1).astype(np.int8)
    return TapeTrades(
        recv, _numbers(path, frame, "price", scale.price_digits), _numbers(path, frame, "qty", scale.lot_digits), taker
    )


def parts_of(path: Path) -> list[Path]:
    """The parquet files of a tape's file: itself, or the parts of a folder in order. Raises DataError without any."""
    if not path.is_dir():
        return [path]
    if not (found := sorted(path.glob("part-*.parquet"))):
        raise DataError(f"{path}: no part in this folder", WAY_OUT)
    return found


def _read(path: Path, names: tuple[str, ...]) -> "pl.DataFrame":
    """The named columns of a parquet file, at least one row and at most ROWS_MAX."""
    import polars as pl

    try:
        files = parts_of(path)
        have = pl.read_parquet_schema(files[0])
        count = int(pl.scan_parquet(files).select(pl.len()).collect().item())
        missing = [name for name in names if name not in have]
        if missing:
            raise DataError(f"{path}: no column {', '.join(missing)}", WAY_OUT)
        if not 0 < count <= ROWS_MAX:
            raise DataError(f"{path}: {count:,} rows, 1 to {ROWS_MAX:,} are read", "split it by hours")
        frame = pl.read_parquet(files, columns=list(names))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0][:200] or type(error).__name__}", WAY_OUT) from error
    for name in names:
        text = name in {"kind", "side"}
        whole = name in {*WHOLE, "update_id"}
        dtype = frame.schema[name]
        fits = dtype == pl.String if text else dtype.is_integer() if whole else name == "buyer_maker" or dtype.is_numeric()
        if not fits:
            raise DataError(
                f"{path}: {name} is {dtype}, not {'text' if text else 'whole numbers' if whole else 'numbers'}", WAY_OUT
            )
        if whole and frame[name].null_count():
            _require(path, frame[name].is_null().to_numpy(), f"{name} is missing")
    return frame


def _floats(frame: "pl.DataFrame", name: str) -> Floats:
    """A column as float64, nulls as NaN."""
    import polars as pl

    return frame[name].cast(pl.Float64).to_numpy()


def _numbers(path: Path, frame: "pl.DataFrame", name: str, digits: int) -> Ints:
    """A column of prices or quantities in units of `digits` decimals; a value between two units is an error of its row."""
    values = _floats(frame, name)
    _require(path, ~(np.isfinite(values) & (values >= 0.0)), f"{name} is not a number of 0 or more")
    scaled = values * 10.0**digits
    _require(path, ~_integral(scaled) | (scaled > EXACT), f"{name} has more than the {digits} decimals of the book's")
    return _units(values, digits)


def _units(values: Floats, digits: int) -> Ints:
    return np.rint(values * 10.0**digits).astype(np.int64)


def _integral(scaled: Floats) -> npt.NDArray[np.bool_]:
    """Whether each is an integer but for what a float's rounding leaves."""
    return np.asarray(np.abs(scaled - np.rint(scaled)) <= np.maximum(1e-6, np.abs(scaled) * 1e-14))


def _digits(path: Path, values: Floats, name: str) -> int:
    """The decimals that these values use, 0 to DIGITS_MAX. Raises DataError for more, and for values that no integer holds."""
    largest = float(values.max(initial=0.0))
    for digits in range(DIGITS_MAX + 1):
        if largest * 10.0**digits > EXACT:
            break
        if _integral(values * 10.0**digits).all():
            return digits
    raise DataError(f"{path}: {name} has values that no grid of {DIGITS_MAX} decimals holds", WAY_OUT)


def _require(path: Path, bad: npt.NDArray[np.bool_], text: str, rows: Ints | None = None) -> None:
    """Raise DataError with the first row that is `bad`; `rows`: the file's row numbers of `bad`."""
    if bad.any():
        first = int(np.argmax(bad))
        raise DataError(f"{path}: row {first if rows is None else int(rows[first])}: {text} ({int(bad.sum()):,} rows)", WAY_OUT)
