"""The catalog of market data: parquet files under the data folders -> named series -> polars frames.

Called by the command line, the jobs, the worker's feed and the read tools. It never writes and never repairs: a file that is
not what its name says raises `DataError` with the row, and `nightdesk data check` lists the rest.

A file's name is its identity: `{venue}_{BASE-QUOTE}_{perp|spot}_{series}[_{tag}].parquet`, series = a timeframe,
`funding`, `mark_{tf}`, `oi_{tf}` or any other `{word}_{tf}`; a series of no instrument is `{venue}_{word}_{tf}[_{tag}].parquet`.
A tagged file is a data set of its own. Where two roots have the same name the later root wins and `shadowed()` says so (the desk
passes its home last: what a person pulled or imported wins); two files of one name inside one root raise BadInput when
that series is requested.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import timeframe_ms, utc
from engine.data.checksums import WAY_OUT, require_whole
from engine.errors import BadInput, DataError

if TYPE_CHECKING:  # the supervisor needs only names: polars would double its memory
    import polars as pl

NAME = re.compile(
    r"(?P<venue>[a-z0-9][a-z0-9-]*)_(?P<symbol>[A-Z0-9]+-[A-Z0-9]+)_(?P<market>perp|spot)"
    r"_(?P<series>\d+[mhdw]|15s|funding|[a-z][a-z0-9-]*_\d+[mhdw])(?:_(?P<tag>[^/]+))?\.parquet"
)
PLAIN_NAME = re.compile(r"(?P<venue>[a-z0-9][a-z0-9-]*)_(?P<series>[a-z][a-z0-9-]*_\d+[mhdw])(?:_(?P<tag>[^/]+))?\.parquet")
ORIGIN = "nightdesk_source"  # footer key, written by data/writer.py; only it can say that a file was pulled
PLAUSIBLE_MS = (946_684_800_000, 4_102_444_800_000)  # 2000-01-01 .. 2100-01-01: anything else is another unit
PRICES = ("open", "high", "low", "close")
RATE_NAMES = {"fundingRate": "rate", "funding_rate": "rate"}  # as venues and other programs call it


class Series(NamedTuple):
    """One file of the catalog; times are bar opens in UTC ms, both ends included."""

    path: Path
    venue: str
    symbol: str
    market: str
    series: str
    tag: str
    source: str
    rows: int
    first_ms: int
    last_ms: int


class Listing(NamedTuple):
    """What a look at all files gave: series by name, duplicates within a root, files that are none and why, (hidden, used),
    and the names whose file is damaged: no other root's file stands in for it without a word."""

    found: dict[tuple[str, ...], Series]
    doubled: dict[tuple[str, ...], list[Path]]
    unknown: dict[Path, str]
    shadowed: list[tuple[Path, Path]]
    damaged: dict[tuple[str, ...], Path]


class Catalog:
    """The market data under `roots`: (folder, source) pairs, searched recursively; later roots win."""

    def __init__(self, roots: Sequence[tuple[Path, str]]) -> None:
        self.roots = [(Path(folder), source) for folder, source in roots]

    @cached_property
    def _listed(self) -> Listing:
        """Every parquet file, looked at once when the first series is asked for: its name, its footer and its times."""
        listed = Listing({}, {}, {}, [], {})
        for n, (folder, source) in enumerate(self.roots):
            mine: dict[tuple[str, ...], Series] = {}
            for path in self._files(n, folder):
                _take(path, source, mine, listed)
            for key in listed.damaged:
                listed.found.pop(key, None)
            for key, s in mine.items():
                if key in listed.found:
                    listed.shadowed.append((listed.found[key].path, s.path))
                listed.found[key] = s
        return listed

    def _files(self, n: int, folder: Path) -> list[Path]:
        """The parquet files of a root, but for those that a later root inside it holds."""
        found = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
        later = [other for other, _ in self.roots[n + 1 :]]
        return [p for p in found if not p.name.startswith(".") and not any(p.is_relative_to(other) for other in later)]

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """(venue, symbol, market, series, tag) of every file by its name alone: for what a question may name."""
        found: dict[tuple[str, ...], None] = {}
        for n, (folder, _) in enumerate(self.roots):
            found |= dict.fromkeys(key for path in self._files(n, folder) if (key := _key_of(path)) is not None)
        return sorted(found)

    def series(self) -> list[Series]:
        """Every readable series, sorted by name."""
        return sorted(self._listed.found.values(), key=lambda s: s[1:6])

    def unknown(self) -> list[Path]:
        """Parquet files that are not a series: another name, unreadable, or without rows."""
        return sorted(self._listed.unknown)

    def why(self, path: Path) -> str:
        """Why a file is unknown."""
        return self._listed.unknown.get(path, "")

    def shadowed(self) -> list[tuple[Path, Path]]:
        """(hidden, used) pairs: the same name in two roots, where the later root won."""
        return list(self._listed.shadowed)

    def find(self, venue: str, symbol: str, series: str, market: str = "perp", tag: str = "") -> Series:
        """The series of that name; BadInput names the alternatives. Untagged unless a tag is given."""
        key = (venue, symbol, market, series, tag)
        if key in self._listed.doubled:
            files = " and ".join(str(p) for p in self._listed.doubled[key])
            raise BadInput(f"two files are both {_series_text(key)}: {files}", "tag one of them, or move it away")
        if key in self._listed.found:
            return self._listed.found[key]
        self.require_undamaged(key)
        raise BadInput(f"no data for {_series_text(key)}", self._instead(key))

    def venues(self, symbol: str, market: str, series: str) -> set[str]:
        """The venues that have that untagged series, damaged or not: no other venue's bars stand in for damaged ones."""
        return {key[0] for key in (*self._listed.found, *self._listed.damaged) if key[1:] == (symbol, market, series, "")}

    def damaged(self) -> list[Path]:
        """Files with the name of a series that cannot be read; `why` says what is wrong."""
        return sorted(self._listed.damaged.values())

    def require_undamaged(self, key: tuple[str, ...]) -> None:
        """Raise DataError when the file of that name (venue, symbol, market, series, tag) is damaged."""
        if (path := self._listed.damaged.get(key)) is not None:
            raise DataError(f"{_series_text(key)} cannot be read: {path}: {self.why(path)}", WAY_OUT)

    def _instead(self, key: tuple[str, ...]) -> str:
        """The hint for a missing series: the nearest names."""
        if not self._listed.found:
            folders = ", ".join(str(folder) for folder, _ in self.roots) or "no folder given"
            return f"no market data at all (searched {folders}); see nightdesk data list"
        meant = spelled(key[1], {k[1] for k in self._listed.found})
        if meant and (meant_keys := [k for k in self._listed.found if k[1] == meant and k[3] == key[3]]):
            return f"did you mean {meant}? Available: " + ", ".join(_series_text(k) for k in sorted(meant_keys)[:8])
        same = [k for k in self._listed.found if k[1:4] == key[1:4] and k[3] == key[3]]
        near = same or [k for k in self._listed.found if k[0] == key[0] and k[1] == key[1]]
        near = near or [k for k in self._listed.found if k[1] == key[1]]
        near = near or [k for k in self._listed.found if k[3] == key[3] and not k[4]]
        return "available: " + ", ".join(_series_text(k) for k in sorted(near)[:8]) + "; see nightdesk data list"

    def bars(self, s: Series, from_ms: int | None = None, to_ms: int | None = None) -> "pl.DataFrame":
        """Bars with from_ms <= ts < to_ms: ts Int64 (open, UTC ms), open high low close volume Float64 (base units), and
        taker_buy_volume and quote_volume where the file records them.

        Gaps stay gaps. Raises DataError for a missing or non-numeric column, and for times that do not ascend.
        """
        wanted = [*PRICES, "volume"] if not s.series.startswith("mark_") else list(PRICES)
        frame = _columns(s.path, wanted, optional=("taker_buy_volume", "quote_volume"))
        _ascending(frame, s.path)
        return _between(frame, from_ms, to_ms)

    def rows(self, s: Series, column: str) -> "pl.DataFrame":
        """One column of any series: ts Int64, value Float64 (NaN where empty), available_ms and published_ms if stated.

        Raises DataError for a missing column and, unless available_ms tells revisions apart, for times that do not ascend.
        """
        import polars as pl

        stated = [name for name in ("available_ms", "published_ms") if name in _names(s.path)]
        frame = _columns(s.path, [column, *stated]).rename({column: "value"})
        if "available_ms" not in stated:
            _ascending(frame, s.path)
            return frame.with_columns(pl.col("value").fill_null(float("nan")))
        for name in stated:
            if frame[name].null_count():
                raise DataError(f"{s.path}: {name} is empty in some rows", "say when each row was known")
        return frame.with_columns(pl.col("value").fill_null(float("nan")), *(pl.col(name).cast(pl.Int64) for name in stated))

    def funding(self, venue: str, symbol: str) -> "pl.DataFrame | None":
        """Settlements, or None without a file: ts Int64 rounded to the minute, rate Float64 (positive: longs pay).

        Venues stamp a settlement some ms late and some recordings hold it twice: equal doubles become one (D4);
        doubles that differ raise DataError: which one was paid is unknown.
        """
        if (key := (venue, symbol, "perp", "funding", "")) not in self._listed.found:
            self.require_undamaged(key)
            return None
        s = self.find(venue, symbol, "funding")
        import polars as pl

        frame = _columns(s.path, ["rate"], RATE_NAMES).with_columns(ts=(pl.col("ts") + 30_000) // 60_000 * 60_000)
        bad = frame.filter(~pl.col("rate").is_finite().fill_null(value=False))
        if bad.height:
            raise DataError(f"{s.path}: no rate for the settlement {utc(bad['ts'][0])}", "pull the funding again")
        both = frame.group_by("ts").agg(pl.col("rate").first(), other=pl.col("rate").n_unique()).sort("ts")
        odd = both.filter(pl.col("other") > 1)
        if odd.height:
            raise DataError(
                f"{s.path}: {odd.height} settlements carry two different rates, the first {utc(odd['ts'][0])}",
                "which one was paid is unknown: pull the funding again",
            )
        return both.select("ts", "rate")

    def marks(self, venue: str, symbol: str) -> "pl.DataFrame | None":
        """Mark prices of the finest recorded series: ts Int64 (bar open), open Float64. None without a file."""
        names = [k for k in self._listed.found | self._listed.damaged if k[:3] == (venue, symbol, "perp")]
        names = [k for k in names if k[3].startswith("mark_") and not k[4]]
        if not names:
            return None
        finest = min(names, key=lambda k: timeframe_ms(k[3].removeprefix("mark_")))
        self.require_undamaged(finest)
        s = self._listed.found[finest]
        frame = _columns(s.path, ["open"])
        _ascending(frame, s.path)
        return frame


def spelled(symbol: str, known: Collection[str]) -> str:
    """The known symbol that another spelling means (BTCUSDT, btc/usdt, BTC_USDT:USDT); "" when none or several do."""
    if symbol in known:
        return ""
    bare = _letters(symbol.partition(":")[0])
    found = [name for name in known if _letters(name) == bare]
    return found[0] if len(found) == 1 else ""


def _key_of(path: Path) -> tuple[str, ...] | None:
    """(venue, symbol, market, series, tag) that a file's name says; None for another name."""
    parts = NAME.fullmatch(path.name) or PLAIN_NAME.fullmatch(path.name)
    named = parts.groupdict() if parts is not None else {}
    return tuple(named.get(k) or "" for k in ("venue", "symbol", "market", "series", "tag")) if named else None


def _take(path: Path, source: str, mine: dict[tuple[str, ...], Series], listed: Listing) -> None:
    """Register one file: as a series, a duplicate within its root, or unknown with a reason."""
    key = _key_of(path)
    if key is None:
        listed.unknown[path] = "the name is not {venue}_{BASE-QUOTE}_{perp|spot}_{series}[_{tag}].parquet"
        return
    try:
        rows, first_ms, last_ms, stated = _extent(path)
    except DataError as error:
        listed.unknown[path], listed.damaged[key] = error.what, path
        return
    source = stated or ("recorded" if source == "pulled" else source)
    source = "synthetic" if key[0] == "synthetic" else source
    s = Series(path, key[0], key[1], key[2], key[3], key[4], source, rows, first_ms, last_ms)
    if key in mine:
        listed.doubled.setdefault(key, [mine[key].path]).append(path)
    else:
        listed.doubled.pop(key, None)  # a later root wins over a duplicate of an earlier one, and over a damaged file
        listed.damaged.pop(key, None)
        mine[key] = s


def _letters(symbol: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", symbol.upper())


def _series_text(key: Iterable[str]) -> str:
    """A series as a person reads it: `binance BTC-USDT perp 15m`."""
    return " ".join(part for part in key if part)


def _extent(path: Path) -> tuple[int, int, int, str]:
    """(rows, first ts, last ts, source it states or ""), read again only when the file has changed since this process read it.

    A writer of ours puts a new file in the place of the old one, which gives another number and another time of change.
    """
    try:
        now = path.stat()
    except OSError as error:
        raise DataError(f"it cannot be read ({_short(error)})") from error
    state = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    known = _EXTENTS.get(path)
    if known is None or known[0] != state:
        known = _EXTENTS[path] = (state, _read_extent(path))
    return known[1]


_EXTENTS: dict[Path, tuple[tuple[int, ...], tuple[int, int, int, str]]] = {}  # by path: the file's state, and what was read then


def _read_extent(path: Path) -> tuple[int, int, int, str]:
    """The same from the footer and the time column. Polars alone: pyarrow would cost every process 35 MB for this question."""
    import polars as pl

    require_whole(path)
    try:
        names = pl.read_parquet_schema(path)
        if "ts" not in names:
            raise DataError(f"it has no column ts (it has {', '.join(names)})")
        column = pl.read_parquet(path, columns=["ts"])["ts"]
        origin = str(pl.read_parquet_metadata(path).get(ORIGIN, ""))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"it cannot be read as parquet ({_short(error)})") from error
    if column.is_empty():
        raise DataError("it has no rows")
    known = column.drop_nulls()
    ts = _integers(column if known.is_empty() else known, path)
    first, last = int(ts.min()), int(ts.max())  # type: ignore[arg-type]  # integers, not empty
    if not (PLAUSIBLE_MS[0] <= first <= last < PLAUSIBLE_MS[1]):
        raise DataError(f"its ts are not UTC milliseconds ({first} .. {last}): nightdesk data import {path}")
    return column.len(), first, last, origin


def _names(path: Path) -> list[str]:
    """The columns that the file has. Raises as `_columns`."""
    import polars as pl

    with readable(path):
        return list(pl.read_parquet_schema(path))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Check the file before it is parsed; whatever polars makes of one that is damaged becomes a DataError that names it.

    Its panics are no Exception: they would end a thread, or a worker, past every other net.
    """
    import polars as pl

    try:
        require_whole(path)
        yield
    except DataError as error:
        raise DataError(f"{path}: {error.what}", error.hint) from error
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{path}: it is damaged: it cannot be read as parquet ({_short(error)})", WAY_OUT) from error


def _columns(
    path: Path, names: list[str], aliases: dict[str, str] | None = None, optional: tuple[str, ...] = ()
) -> "pl.DataFrame":
    """ts as Int64 ms and the named columns as Float64, `optional` too if it is there; DataError for no numbers."""
    import polars as pl

    with readable(path):
        frame = pl.read_parquet(path)
    frame = frame.rename({old: new for old, new in (aliases or {}).items() if new not in frame.columns}, strict=False)
    names = [*names, *(n for n in optional if n in frame.columns)]
    missing = [n for n in ["ts", *names] if n not in frame.columns]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; its columns: {', '.join(frame.columns)}")
    text = [n for n in names if not frame.schema[n].is_numeric()]
    if text:
        raise DataError(f"{path}: column {text[0]} holds {frame.schema[text[0]]}, not numbers", "import the file")
    return frame.select(_times(frame["ts"], path).alias("ts"), *(pl.col(n).cast(pl.Float64) for n in names))


def _integers(ts: "pl.Series", path: Path) -> "pl.Series":
    """The time column as Int64, dates in ms; DataError for nulls and for text."""
    import polars as pl

    if isinstance(ts.dtype, pl.Datetime):
        ts = ts.cast(pl.Datetime("ms", ts.dtype.time_zone)).to_physical()
    if not ts.dtype.is_integer() or ts.null_count():
        raise DataError(f"{path}: ts holds {ts.dtype} with {ts.null_count()} empty rows, not times", "import the file")
    return ts.cast(pl.Int64)


def _times(ts: "pl.Series", path: Path) -> "pl.Series":
    """The time column as Int64 UTC ms; DataError for nulls, text, or another unit."""
    ts = _integers(ts, path)
    if ts.len() and not (PLAUSIBLE_MS[0] <= int(ts.min()) and int(ts.max()) < PLAUSIBLE_MS[1]):  # type: ignore[arg-type]  # integers, not empty
        raise DataError(f"{path}: ts are not UTC milliseconds (found {ts[0]})", f"nightdesk data import {path}")
    return ts


def _ascending(frame: "pl.DataFrame", path: Path) -> None:
    """Refuse times that repeat or go back: joined or simulated as they are, they would give wrong results."""
    steps = frame["ts"].diff()
    bad = (steps <= 0).arg_true()
    if bad.len():
        row = int(bad[0])
        what = "repeats" if steps[row] == 0 else "goes back in time"
        raise DataError(
            f"{path}: row {row} ({utc(frame['ts'][row])}) {what}; {bad.len()} such rows",
            f"nightdesk data check {path}",
        )


def _between(frame: "pl.DataFrame", from_ms: int | None, to_ms: int | None) -> "pl.DataFrame":
    """Rows with from_ms <= ts < to_ms, of a frame sorted by ts."""
    ts = frame["ts"]
    first = 0 if from_ms is None else int(ts.search_sorted(from_ms, side="left"))
    end = frame.height if to_ms is None else int(ts.search_sorted(to_ms, side="left"))
    return frame.slice(first, max(0, end - first))


def _short(error: BaseException) -> str:
    """The first line of a library's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
