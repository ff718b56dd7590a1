"""A venue's public data -> parquet in the home's data folder: fetched page by page, resumed, checked.

Called by `nightdesk data pull`. The file on disk is complete from its first bar to its last at every moment, so the same
command goes on at its end after whatever stopped it. What the venue says is stored as it is; the check speaks afterwards.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import utc
from engine.errors import BadInput, Busy, DataError

YEAR_MS = 365 * 86_400_000
Progress = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]  # (label, total) -> advance-to(done)
SAVE_PAGES = 20  # pages between two saves: a cut loses at most so many


class PullRequest(NamedTuple):
    """The command's arguments as typed."""

    venue: str
    symbol: str
    timeframe: str
    market: str
    start: str | None
    end: str | None
    funding: bool
    marks: bool
    mirror: str


class _Kind(NamedTuple):
    """One series to fetch: its name in the catalog, its step, and how to ask for a span."""

    series: str
    step_ms: int
    ask: Callable[[int, int], Iterator[tuple[int, Any]]]


def silent(_label: str, _total: float) -> AbstractContextManager[Callable[[float], None]]:
    """Progress that nobody watches."""
    return nullcontext(lambda _done: None)


def pull(asked: PullRequest, progress: Progress = silent) -> list[dict[str, Any]]:
    """Fetch everything that was asked for; one item a series. Raises BadInput and DataError, one line each."""
    from engine.clock import timeframe_ms
    from engine.sim.request import moment
    from engine.venues import ccxt_data

    if asked.market not in ("perp", "spot"):
        raise BadInput(f"unknown market {asked.market!r}", "use perp or spot")
    if asked.market == "spot" and (asked.funding or asked.marks):
        raise BadInput("spot has no funding and no mark price", "leave out --funding and --marks")
    step, start, end = timeframe_ms(asked.timeframe), moment(asked.start), moment(asked.end)
    if start is not None and end is not None and start >= end:
        raise BadInput(f"the span ends before it begins: from {asked.start} to {asked.end}", "swap the two dates")
    with _alone(asked):
        source = ccxt_data.open_venue(asked.venue, asked.market, asked.mirror)
        name = ccxt_data.market_symbol(source, asked.symbol, asked.market)
        now = ccxt_data.server_ms(source)
        kinds = [_Kind(asked.timeframe, step, lambda a, b: ccxt_data.bars(source, name, asked.timeframe, a, b, now))]
        if asked.funding:
            kinds.append(_Kind("funding", 0, lambda a, b: ccxt_data.funding(source, name, a, b, now)))
        if asked.marks:
            hour = 3_600_000
            ask = lambda a, b: ccxt_data.bars(source, name, "1h", a, b, now, "mark")  # noqa: E731 - as the others
            kinds.append(_Kind("mark_1h", hour, ask))
        return [_pull_one(asked, kind, start, min(end or now, now), progress) for kind in kinds]


def _pull_one(asked: PullRequest, kind: _Kind, start: int | None, end: int, progress: Progress) -> dict[str, Any]:
    """Fetch what one series lacks, store it, check it."""
    from app.home.settings import read_settings
    from engine.data.checks import check, check_funding, check_series
    from engine.data.finding import as_json
    from engine.data.writer import file_name

    path = read_settings().home / "data" / file_name(asked.venue, asked.symbol, asked.market, kind.series)
    have = _stored(path)
    grid = kind.step_ms or 1
    first = end - YEAR_MS if start is None else start
    first = -(-first // grid) * grid
    before = have.height if have is not None else 0
    try:
        have = _fetch(path, have, kind, first, end, start is None, asked, progress)
    except (DataError, BadInput) as error:
        stored = _stored(path)
        until = f"{stored.height:,} rows up to {utc(stored['ts'][-1])} are stored" if stored is not None else "nothing stored yet"
        raise type(error)(error.what, f"{until}; {error.hint}") from error
    if have is None or not have.height:
        raise DataError(f"{asked.venue} has no {kind.series} of {asked.symbol} in that span", "ask for another span")
    if kind.series == "funding":
        found = check_funding(have)
    elif "volume" in have.columns:
        found = check(have, kind.step_ms)
    else:
        found = check_series(have, kind.step_ms)
    return {
        "path": str(path),
        "venue": asked.venue,
        "symbol": asked.symbol,
        "market": asked.market,
        "series": kind.series,
        "source": "pulled",
        "new": have.height - before,
        "rows": have.height,
        "first_ms": have["ts"][0],
        "last_ms": have["ts"][-1],
        "errors": sum(f.severity == "error" for f in found),
        "findings": as_json(found),
    }


def _fetch(path: Path, have: Any, kind: _Kind, first: int, end: int, go_on: bool, asked: PullRequest, progress: Progress) -> Any:
    """The stored frame with what was fetched before and after it; saved on the way forward, and at the end."""
    label = f"{asked.venue} {asked.symbol} {kind.series}"
    if have is not None and not go_on and first < have["ts"][0]:
        older = _collect(kind.ask(first, int(have["ts"][0])), label, first, int(have["ts"][0]), progress)
        have = _joined([older, have])
        _save(path, have, asked)
    start = first if have is None else int(have["ts"][-1]) + max(kind.step_ms, 1)
    if have is None and start >= end:
        raise BadInput("that span has no closed bar yet", "ask for an earlier one")
    pages, unsaved = ([] if have is None else [have]), 0
    try:
        with progress(label, end - start) as advance:
            for reached, page in kind.ask(start, end) if start < end else ():
                pages.append(page)
                unsaved += 1
                advance(reached - start)
                if unsaved >= SAVE_PAGES:
                    pages, unsaved = [_save(path, _joined(pages), asked)], 0
    finally:  # also when the venue stops answering or a person stops it: what is whole is kept
        if unsaved and any(p.height for p in pages):
            pages = [_save(path, _joined(pages), asked)]
    return _joined(pages) if pages else None


def _collect(pages: Iterator[tuple[int, Any]], label: str, start: int, end: int, progress: Progress) -> Any:
    """All pages of a span as one frame."""
    frames = []
    with progress(label, end - start) as advance:
        for reached, page in pages:
            frames.append(page)
            advance(reached - start)
    return _joined(frames)


def _joined(frames: list[Any]) -> Any:
    """Frames that follow one another in time, as one; a time that stands twice keeps its first value."""
    import polars as pl

    return pl.concat(frames, how="diagonal").unique("ts", keep="first", maintain_order=True).sort("ts")


def _save(path: Path, frame: Any, asked: PullRequest) -> Any:
    """Write the file anew, whole; returns the frame. Mark prices have no volume: the column goes."""
    from engine.data.writer import write_series

    kept = frame.drop("volume") if "_mark_" in path.name else frame
    if kept.height:
        write_series(path, kept, "pulled", {"venue": asked.venue, "mirror": asked.mirror})
    return kept


def _stored(path: Path) -> Any:
    """What an earlier pull stored, ts as Int64 ms; None when there is none. Refuses to touch a file of another origin."""
    import polars as pl
    import pyarrow.parquet as pq

    if not path.exists():
        return None
    try:
        footer = pq.read_metadata(path).metadata or {}
        if footer.get(b"nightdesk_source") != b"pulled":
            raise BadInput(f"{path} was not pulled", "move it away: a pull writes to that name")
        return pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms"))
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__})", "move it away and pull again") from error


@contextmanager
def _alone(asked: PullRequest) -> Iterator[None]:
    """One pull of a series at a time: two would write one file."""
    from app.home.settings import read_settings

    folder = read_settings().home / "data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f".{asked.venue}_{asked.symbol}_{asked.market}.pull.lock").open("w")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", "set NIGHTDESK_HOME to a folder of yours") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{asked.venue} {asked.symbol} is being pulled already", "wait for that one to end") from None
        yield
