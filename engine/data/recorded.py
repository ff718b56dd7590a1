"""Recordings as they are read: days that are over as parquet by venue, instrument and day; younger hours as they came.

`pack` makes the first out of the second: called by app/market_data/recorder.py once a day is over, so that an hour is appended to
safely while it comes and a year is read lazily afterwards. The file is
`FOLDER/venue=okx/instrument=BTC-USDT/day=2026-03-02/rows-<id>.parquet`, its columns those of `schema`; `instrument=none` has what
names no instrument (clocks, lists, notes on a venue). The id is of the hour files that were packed: a pack that was killed and
made again writes the same names, and a reader never counts a row twice.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.clock import DAY_MS, utc, utc_day
from engine.data.recording import lines_of, path_of
from engine.errors import BadInput, DataError

if TYPE_CHECKING:
    import polars as pl

NONE = "none"
LAST_MS = 253_402_300_800_000  # the end of 9999
LATE_MS = 3_600_000  # a day is packed an hour after its end: rows wait in memory, and clocks are set
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ROW = re.compile(rb'\{"t":(\d+),"what":"(\w+)","body":(.*?)(,"cut":true)?\}\n?', re.DOTALL)
NAMED = re.compile(  # an instrument in a body: ours, and as OKX, Binance and Bybit write it
    rb'"\w+:(?P<own>[A-Z0-9]+-[A-Z0-9]+):(?:perp|spot)|"instId":"(?P<okx>[A-Z0-9-]+)"|"(?:s|symbol)":"(?P<short>[A-Z0-9]+)"'
    rb'|"topic":"[a-z.0-9]*\.(?P<topic>[A-Z0-9]+)"|[?&](?:instId|symbol)=(?P<asked>[A-Z0-9-]+)'
)
QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "BTC")
NAMES_MAX = 64  # names of a body that are looked at: a list of all instruments is of none
PARTITIONS = ("venue", "instrument", "day")


class Recorded(NamedTuple):
    """One row."""

    t_ms: int
    what: str
    body: Any


def schema() -> "dict[str, Any]":
    """Columns of a packed file: t (UTC ms), n (number in its venue's day), what, body (JSON text as it came), cut (too long)."""
    import polars as pl

    return {"t": pl.Int64, "n": pl.Int64, "what": pl.String, "body": pl.String, "cut": pl.Boolean}


# ---- reading -------------------------------------------------------------------------------------------------------------


def scan(
    folder: Path, venue: str | None = None, instruments: Collection[str] = (), from_ms: int = 0, to_ms: int = 1 << 62
) -> "pl.LazyFrame":
    """The packed rows with from_ms <= t < to_ms as a lazy frame: `schema` and venue, instrument, day (text).

    Files of other days, venues and instruments are not opened; further filters on columns are pushed down into the rest. Hours
    that are not packed yet are not in it (`recorded` has both). Without a packed file it is empty.
    """
    import polars as pl

    paths = packed_files(folder, venue, instruments, from_ms, to_ms)
    columns = schema()
    if not paths:
        return pl.LazyFrame(schema=columns | dict.fromkeys(PARTITIONS, pl.String))
    hive: Any = dict.fromkeys(PARTITIONS, pl.String)
    frame = pl.scan_parquet(paths, schema=columns, hive_partitioning=True, hive_schema=hive)
    return frame.filter(pl.col("t") >= from_ms, pl.col("t") < to_ms)


def packed_files(
    folder: Path, venue: str | None = None, instruments: Collection[str] = (), from_ms: int = 0, to_ms: int = 1 << 62
) -> list[Path]:
    """Packed files of these, by day; those whose hours are still there beside them (a pack that was killed) are left out."""
    (first, last), found = _span(from_ms, to_ms), []
    for of_venue in sorted(folder.glob(f"venue={venue or '*'}")):
        unpacked = {day.name: _id_of(day) for day in days_of(folder / of_venue.name.removeprefix("venue="))}
        names = [f"instrument={name}" for name in instruments] or [path.name for path in of_venue.glob("instrument=*")]
        for name in sorted(names):
            for day in (of_venue / name).glob("day=*"):
                text = day.name.removeprefix("day=")
                if first <= text <= last:
                    found += [path for path in day.glob("rows-*.parquet") if path.stem != f"rows-{unpacked.get(text)}"]
    return sorted(found, key=lambda path: (path.parts[-2], path.parts[-3], path.name))


def recorded(folder: Path, venue: str, from_ms: int = 0, to_ms: int = 1 << 62) -> Iterator[Recorded]:
    """Rows of a venue with from_ms <= t < to_ms, in the order in which they came, packed or not; a day is in memory at a time.

    An unfinished end is left out. Raises BadInput without a recording, DataError for a line that is no row.
    """
    packed: dict[str, list[Path]] = {}
    for path in packed_files(folder, venue):
        packed.setdefault(path.parts[-2].removeprefix("day="), []).append(path)
    hours, (first, last) = {day.name: day for day in days_of(folder / venue)}, _span(from_ms, to_ms)
    if not packed and not hours:
        raise BadInput(f"no recording of {venue} under {folder}", "nightdesk data record")
    for day in sorted({*packed, *hours}):
        if first <= day <= last:
            yield from _packed_rows(folder, venue, day, from_ms, to_ms) if day in packed else ()
            yield from (row for row in _hour_rows(hours.get(day), from_ms) if from_ms <= row.t_ms < to_ms)


def _packed_rows(folder: Path, venue: str, day: str, from_ms: int, to_ms: int) -> Iterator[Recorded]:
    """Rows of a packed day in their order."""
    import json

    begins = _day_ms(day)
    frame = scan(folder, venue, (), max(from_ms, begins), min(to_ms, begins + DAY_MS)).sort("t", "n").collect()
    for t, what, body in frame.select("t", "what", "body").iter_rows():
        try:
            yield Recorded(t, what, json.loads(body))
        except ValueError as error:
            raise DataError(
                f"{folder}: a row of {venue} at {utc(t)} is not a row of a recording", "the file was changed"
            ) from error


def _hour_rows(day: Path | None, from_ms: int) -> Iterator[Recorded]:
    """Rows of a day's hour files, but of those that end before."""
    import json

    for path in sorted(day.glob("*.jsonl.gz")) if day is not None else ():
        if path_of(path.parents[1], from_ms).as_posix() > path.as_posix():
            continue
        for number, line in enumerate(lines_of(path), 1):
            try:
                row = json.loads(line)
                yield Recorded(row["t"], row["what"], row["body"])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path} line {number} is not a row of a recording", "the file was changed") from error


# ---- packing -------------------------------------------------------------------------------------------------------------


def pack(folder: Path, venue: str, now_ms: int) -> list[str]:
    """Pack the days of a venue that are over, oldest first; which. Each whole or not at all, and only then are its hours removed.

    Raises DataError for a day with a line that is no row, or that cannot be written; its hours stay as they are.
    """
    done = []
    for gone in (folder / venue).glob(".*-*-*"):  # packed, and killed before it was removed
        shutil.rmtree(gone, ignore_errors=True)
    for day in days_of(folder / venue):
        if _day_ms(day.name) + DAY_MS + LATE_MS <= now_ms:
            try:
                _pack_day(folder, venue, day)
            except OSError as error:
                raise DataError(f"{day} cannot be packed: {error.strerror or error}", "free disk space") from error
            done.append(day.name)
    return done


def _pack_day(folder: Path, venue: str, day: Path) -> None:
    """One day: drafts, then their names, then the hours go."""
    id_ = _id_of(day)
    drafts: dict[str, tuple[Path, Any]] = {}
    youngest = max((path.stat().st_mtime for path in day.glob("*.jsonl.gz")), default=0.0)
    try:
        n = 0
        for hour in sorted(day.glob("*.jsonl.gz")):
            n = _hour_into(drafts, folder / f"venue={venue}", hour, id_, n)
        for _, writer in drafts.values():
            writer.close()
        for draft, _ in drafts.values():
            _synced(draft)
        if _id_of(day) != id_:
            raise DataError(f"{day} was written to while it was packed", "it is packed the next time")
        for draft, _ in drafts.values():
            os.utime(draft, (youngest, youngest))  # its age is that of its rows
            draft.replace(draft.with_name(draft.name.removeprefix(".").removesuffix(".part")))
            _synced(draft.parent)
    except BaseException:
        for draft, writer in drafts.values():
            writer.close()
            draft.unlink(missing_ok=True)
        raise
    away = day.with_name(f".{day.name}")
    day.rename(away)
    shutil.rmtree(away)


def _hour_into(drafts: dict[str, tuple[Path, Any]], venue: Path, hour: Path, id_: str, n: int) -> int:
    """The rows of an hour into the drafts of its instruments, a row group each; the number of the next row."""
    import polars as pl
    import pyarrow.parquet as pq

    rows: dict[str, list[tuple[Any, ...]]] = {}
    for number, line in enumerate(lines_of(hour), 1):
        found = ROW.fullmatch(line)
        if found is None:
            raise DataError(f"{hour} line {number} is not a row of a recording", "the file was changed; it is left as it is")
        t, what, body, cut = found.groups()
        row = (int(t), n, what.decode(), body.decode("utf-8", "replace"), cut is not None)
        rows.setdefault(instrument_in(body), []).append(row)
        n += 1
    for name, of_name in rows.items():
        table = pl.DataFrame(of_name, schema=schema(), orient="row").to_arrow()
        if name not in drafts:
            path = venue / f"instrument={name}" / f"day={hour.parent.name}" / f".rows-{id_}.parquet.part"
            path.parent.mkdir(parents=True, exist_ok=True)
            drafts[name] = (path, pq.ParquetWriter(path, table.schema, compression="zstd"))
        drafts[name][1].write_table(table)
    return n


def instrument_in(body: bytes) -> str:
    """The one instrument that a body names, as BASE-QUOTE; "none" when it names none, or several."""
    found: set[str] = set()
    for count, match in enumerate(NAMED.finditer(body)):
        found.add(_spelled(next(name for name in match.groups() if name is not None).decode()))
        if len(found) > 1 or count > NAMES_MAX:
            return NONE
    return found.pop() if found else NONE


def _spelled(name: str) -> str:
    """BTCUSDT, BTC-USDT-SWAP and BTC-USDT as BTC-USDT; anything else as it is."""
    parts = name.split("-")
    if len(parts) > 1:
        return "-".join(parts[:2])
    quote = next((quote for quote in QUOTES if name.endswith(quote) and name != quote), "")
    return f"{name.removesuffix(quote)}-{quote}" if quote else name or NONE


def days_of(venue: Path) -> list[Path]:
    """Folders of days that are not packed yet, oldest first."""
    return sorted(path for path in venue.glob("*-*-*") if DAY.fullmatch(path.name) and path.is_dir())


def _span(from_ms: int, to_ms: int) -> tuple[str, str]:
    """The first and last day of a span, as folders name them."""
    return utc_day(max(from_ms, 0)), utc_day(min(to_ms, LAST_MS) - 1)


def _day_ms(day: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def _id_of(day: Path) -> str:
    """What a day's hour files are: their names and sizes."""
    text = "".join(f"{path.name}:{path.stat().st_size};" for path in sorted(day.glob("*.jsonl.gz")))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
