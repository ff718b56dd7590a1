"""A recorded tape of level 2 -> whole numbers: messages, their levels, trades and best quotes as arrays of one length each.

Called by app/cli/l2.py through checks.py, and by features.py and outcomes.py. A tape is up to three parquet files beside each
other, `{venue}_{BASE-QUOTE}_{perp|spot}_{tag}_{l2|bbo|trades}.parquet`: one row a level, a quote, a trade. Prices and
quantities become integers in the last decimal that the files themselves use, so that sums are exact and equal means equal.
Each of them may be a folder of that name with parts, as recorder.py writes it: parts are read in the order of their names.
"""

import re
from collections.abc import Iterable, Iterator
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
CHUNK = 2_000_000  # rows that are read at a time
EXACT = 2.0**53  # above it a float counts in steps of two
NAME = re.compile(
    r"(?P<venue>[a-z0-9][a-z0-9-]*)_(?P<symbol>[A-Z0-9]+-[A-Z0-9]+)_(?P<market>perp|spot)(?:_(?P<tag>[A-Za-z0-9-]+))?_l2\.parquet"
)
PART = re.compile(r"part-(\d+)-(\d+)\.parquet")  # the first and the last number of its messages, trades or events
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


class _Chunk(NamedTuple):
    """Some rows of a tape: the messages that begin in them, and their levels as the file has them."""

    columns: dict[str, Ints]  # WHOLE and kind, of the messages that begin here
    row: Ints  # their first rows, of the file
    start: Ints  # their first levels, of this chunk
    side: Bytes
    price: Floats
    quantity: Floats
    digits: tuple[int, int]
    last: tuple[int, ...]  # WHOLE and kind of the last row


def read_tape(path: Path, of: Path | None = None) -> BookTape:
    """One `_l2.parquet` file, or a part `of` one, in its own units.

    A row of null side, price and quantity is a message without levels. Read in chunks, so that a day fits. Raises DataError, with
    the row, for a missing column, a null, an unknown kind or side, a price or quantity that is not one, and messages that are not
    in the order received.
    """
    venue, symbol, market = name_of(of or path)
    chunks: list[_Chunk] = []
    for offset, frame in _frames(path, (*WHOLE, "kind", *LEVEL)):
        chunks.append(_chunk(path, frame, offset, chunks[-1].last if chunks else None))
    found = [digits_beside(path) if of is None else (0, 0), *(chunk.digits for chunk in chunks)]
    scale = Scale(max(d[0] for d in found), max(d[1] for d in found), 1)
    before = np.cumsum([0, *(len(chunk.price) for chunk in chunks)])
    start = np.concatenate([*(chunk.start + n for chunk, n in zip(chunks, before, strict=False)), before[-1:]])
    side = np.concatenate([chunk.side for chunk in chunks])
    price, lots = np.empty(before[-1], np.int64), np.empty(before[-1], np.int64)
    row = np.concatenate([chunk.row for chunk in chunks])
    whole = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in (*WHOLE, "kind")}
    for n in range(len(chunks)):  # the floats of a chunk are let go before the next one's integers are made
        levels, chunk = slice(before[n], before[n + 1]), chunks[n]
        price[levels], lots[levels] = _units(chunk.price, scale.price_digits), _units(chunk.quantity, scale.lot_digits)
        chunks[n] = chunk._replace(price=chunk.price[:0], quantity=chunk.quantity[:0])
    tick = int(np.gcd.reduce(price)) if len(price) else 1
    kind = whole.pop("kind").astype(np.int8)
    recv, exch, first_id, last_id, prev_id = (whole[name] for name in WHOLE[1:])
    scale, ids = scale._replace(tick=max(tick, 1)), (first_id, last_id, prev_id)
    return BookTape(path, venue, symbol, market, scale, row, whole["seq"], kind, recv, exch, *ids, start, side, price, lots)


def _chunk(path: Path, frame: "pl.DataFrame", offset: int, before: tuple[int, ...] | None) -> _Chunk:
    """Rows of a tape from row `offset` on; `before`: WHOLE and kind of the row before them."""
    empty = frame["side"].is_null() & frame["price"].is_null() & frame["qty"].is_null()
    levels, all_rows = frame.filter(~empty), np.arange(offset, offset + frame.height)
    rows = all_rows[~empty.to_numpy()]
    unknown = ~frame["kind"].is_in(["snapshot", "delta"]).fill_null(value=False).to_numpy()
    _require(path, unknown, "kind is neither snapshot nor delta", all_rows)
    _require(path, ~levels["side"].fill_null("").is_in(["b", "a"]).to_numpy(), "side is neither b nor a", rows)
    price, quantity = _floats(levels, "price"), _floats(levels, "qty")
    _require(path, ~(np.isfinite(price) & (price > 0.0)), "price is not a number above 0", rows)
    _require(path, ~(np.isfinite(quantity) & (quantity >= 0.0)), "qty is not a number of 0 or more", rows)
    columns = {name: frame[name].to_numpy().astype(np.int64) for name in WHOLE}
    columns["kind"] = np.where((frame["kind"] == "snapshot").to_numpy(), SNAPSHOT, DELTA).astype(np.int64)
    last = tuple(int(values[-1]) for values in columns.values())
    earlier = before or tuple(int(values[0]) for values in columns.values())
    _require(path, np.diff(columns["seq"], prepend=earlier[0]) < 0, "seq goes back", all_rows)
    changed = [np.diff(values, prepend=value) != 0 for values, value in zip(columns.values(), earlier, strict=True)]
    fresh = np.logical_or.reduce(changed)
    fresh[0] = fresh[0] or before is None
    first = np.flatnonzero(fresh)
    side = np.where((levels["side"] == "b").to_numpy(), BID, ASK).astype(np.int8)
    digits = _digits(path, price, "price"), _digits(path, quantity, "qty")
    start = np.searchsorted(rows, all_rows[first]).astype(np.int64)
    return _Chunk({n: v[first] for n, v in columns.items()}, all_rows[first], start, side, price, quantity, digits, last)


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


def read_trade_part(path: Path) -> tuple[TapeTrades, Scale]:
    """A part of recorded trades, in its own units. Raises DataError as read_tape does."""
    frame = _read(path, ("price", "qty"))
    scale = Scale(_digits(path, _floats(frame, "price"), "price"), _digits(path, _floats(frame, "qty"), "qty"), 1)
    trades = read_trades(path, scale)
    assert trades is not None  # noqa: S101 - it was read just now
    return trades, scale


def parts_of(path: Path) -> list[Path]:
    """The parquet files of a tape's file: itself, or the parts of a folder in order, but for those that a packed one covers.

    Raises DataError without any.
    """
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("part-*.parquet"))
    if not found:
        raise DataError(f"{path}: no part in this folder", WAY_OUT)
    gone = set(covered(found))
    return [part for part in found if part not in gone]


def span_of(part: Path) -> tuple[int, int]:
    """The first and the last number that a part's name says. Raises DataError for another name."""
    found = PART.fullmatch(part.name)
    if found is None:
        raise DataError(f"{part}: not the name of a part", "part-FIRST-LAST.parquet")
    return int(found[1]), int(found[2])


def covered(parts: Iterable[Path]) -> list[Path]:
    """Parts that another one holds whole, by their names; a part of another name is covered by none."""
    spans = sorted(((*span_of(part), part) for part in parts if PART.fullmatch(part.name)), key=lambda one: (one[0], -one[1]))
    found, end = [], -1
    for _, last, part in spans:
        if last <= end:
            found.append(part)
        end = max(end, last)
    return found


def _read(path: Path, names: tuple[str, ...]) -> "pl.DataFrame":
    """The named columns of a parquet file at once."""
    import polars as pl

    return pl.concat([frame for _, frame in _frames(path, names)])


def _frames(path: Path, names: tuple[str, ...]) -> "Iterator[tuple[int, pl.DataFrame]]":
    """(first row, the named columns) of a file or its parts, CHUNK rows or somewhat more at a time; 1 to ROWS_MAX rows in all."""
    import polars as pl

    try:
        files = parts_of(path)
        counts = [int(pl.scan_parquet(file).select(pl.len()).collect().item()) for file in files]
        total, offset = sum(counts), 0
        if not total:
            raise DataError(f"{path}: 0 rows", WAY_OUT)
        if total > ROWS_MAX:
            raise DataError(f"{path}: {total:,} rows, at most {ROWS_MAX:,} are read", "split it by hours")
        while files:
            some = next((n for n in range(1, len(files)) if sum(counts[:n]) >= CHUNK), len(files))
            for file in files[:some]:
                have = pl.read_parquet_schema(file)
                if missing := [name for name in names if name not in have]:
                    raise DataError(f"{file}: no column {', '.join(missing)}", WAY_OUT)
            rows, group = sum(counts[:some]), pl.scan_parquet(files[:some]).select(names)
            for at in range(0, rows, CHUNK):
                yield offset + at, _typed(path, group.slice(at, CHUNK).collect(), offset + at)
            offset, files, counts = offset + rows, files[some:], counts[some:]
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0][:200] or type(error).__name__}", WAY_OUT) from error


def _typed(path: Path, frame: "pl.DataFrame", offset: int) -> "pl.DataFrame":
    """The frame, if its columns are text, whole numbers and numbers where they should be, and no id or time is missing."""
    import polars as pl

    for name, dtype in frame.schema.items():
        kind = "text" if name in {"kind", "side"} else "whole numbers" if name in {*WHOLE, "update_id"} else "numbers"
        fits = {"text": dtype == pl.String, "whole numbers": dtype.is_integer(), "numbers": dtype.is_numeric()}[kind]
        if dtype == pl.Float32:
            raise DataError(f"{path}: {name} is Float32, which no decimal price survives", WAY_OUT)
        if not (fits or name == "buyer_maker"):
            raise DataError(f"{path}: {name} is {dtype}, not {kind}", WAY_OUT)
        if name in {*WHOLE, "update_id", "kind"} and frame[name].null_count():
            rows = np.arange(offset, offset + frame.height)
            _require(path, frame[name].is_null().to_numpy(), f"{name} is missing", rows)
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
