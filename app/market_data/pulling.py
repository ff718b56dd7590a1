"""A venue's public data -> parquet in the home's data folder: fetched page by page, resumable, checked.

Called by `nightdesk data pull` and app.jobs.pull_job. A pull first asks again for what is missing between the first stored
row and the last, then goes on at the end, so the same command resumes and repairs. Data is stored as the venue sends it and
checked afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from app.home.written import alone_in
from engine.clock import utc
from engine.errors import BadInput, DataError

YEAR_MS = 365 * 86_400_000
Progress = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]  # (label, total) -> advance-to(done)
HOLES_MAX = 50  # holes asked for again in one pull; what a venue never had is asked for each time
SAVE_PAGES = 20  # pages between two saves: an interruption loses at most these


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
    """One series to fetch: its catalog name, its step, and how to request a time range."""

    series: str
    step_ms: int
    ask: Callable[[int, int], Iterator[tuple[int, Any]]]


def silent(_label: str, _total: float) -> AbstractContextManager[Callable[[float], None]]:
    """A progress callback that does nothing."""
    return nullcontext(lambda _done: None)


def pull(request: PullRequest, progress: Progress = silent) -> list[dict[str, Any]]:
    """Fetch the requested series; one item per series. Raises BadInput and DataError, one line each."""
    from engine.clock import LOCAL_TIMEFRAME, timeframe_ms
    from engine.sim.request import moment
    from engine.venues import ccxt_data

    if request.market not in ("perp", "spot"):
        raise BadInput(f"unknown market {request.market!r}", "use perp or spot")
    if request.market == "spot" and (request.funding or request.marks):
        raise BadInput("spot has neither funding nor mark prices", "leave out --funding and --marks")
    if request.timeframe == LOCAL_TIMEFRAME and not request.mirror:
        raise BadInput(f"{LOCAL_TIMEFRAME} bars are a local venue's alone", "use 1m or longer")
    step, start, end = timeframe_ms(request.timeframe), moment(request.start), moment(request.end)
    if start is not None and end is not None and start >= end:
        raise BadInput(f"--to {request.end} is not after --from {request.start}", "swap the two dates")
    with alone(request):
        source = ccxt_data.open_venue(request.venue, request.market, request.mirror)
        name = ccxt_data.market_symbol(source, request.symbol, request.market)
        now = ccxt_data.server_ms(source)
        kinds = [_Kind(request.timeframe, step, lambda a, b: ccxt_data.bars(source, name, request.timeframe, a, b, now))]
        if request.funding:
            kinds.append(_Kind("funding", 0, lambda a, b: ccxt_data.funding(source, name, a, b, now)))
        if request.marks:
            hour = 3_600_000
            ask = lambda a, b: ccxt_data.bars(source, name, "1h", a, b, now, "mark")  # noqa: E731 - as the others
            kinds.append(_Kind("mark_1h", hour, ask))
        return [_pull_one(request, kind, start, min(end or now, now), progress) for kind in kinds]


def pull_funding(venue: str, symbol: str, mirror: str = "") -> dict[str, Any]:
    """Fetch settled funding alone; as `pull` does, without bars. Raises BadInput and DataError, one line each."""
    from engine.venues import ccxt_data

    request = PullRequest(venue, symbol, "1h", "perp", None, None, True, False, mirror)
    with alone(request):
        source = ccxt_data.open_venue(venue, "perp", mirror)
        name, now = ccxt_data.market_symbol(source, symbol, "perp"), ccxt_data.server_ms(source)
        kind = _Kind("funding", 0, lambda a, b: ccxt_data.funding(source, name, a, b, now))
        return _pull_one(request, kind, None, now, silent)


def _pull_one(request: PullRequest, kind: _Kind, start: int | None, end: int, progress: Progress) -> dict[str, Any]:
    """Fetch the missing part of one series, store it, check it."""
    from app.home.settings import read_settings
    from engine.data.checks import check, check_funding, check_series
    from engine.data.issues import as_json
    from engine.data.writer import file_name

    path = read_settings().home / "data" / file_name(request.venue, request.symbol, request.market, kind.series)
    have = stored_frame(path)
    grid = kind.step_ms or 1
    first = end - YEAR_MS if start is None else start
    first = -(-first // grid) * grid
    before = have.height if have is not None else 0
    try:
        have = _repair(path, have, kind, end, request)
        repaired = 0 if have is None else have.height - before
        have = _fetch(path, have, kind, first, end, start is None, request, progress)
    except (DataError, BadInput) as error:
        stored = stored_frame(path)
        until = f"{stored.height:,} rows up to {utc(stored['ts'][-1])} are stored" if stored is not None else "nothing stored yet"
        raise type(error)(error.what, f"{until}; {error.hint}") from error
    if have is None or not have.height:
        raise DataError(f"{request.venue} has no {kind.series} data for {request.symbol} in this range", "choose another range")
    if kind.series == "funding":
        found = check_funding(have)
    elif "volume" in have.columns:
        found = check(have, kind.step_ms)
    else:
        found = check_series(have, kind.step_ms)
    return {
        "path": str(path),
        "venue": request.venue,
        "symbol": request.symbol,
        "market": request.market,
        "series": kind.series,
        "source": "pulled",
        "new": have.height - before,
        "repaired": repaired,
        "missing": [{"from_ms": a, "to_ms": b} for a, b in _holes(have, kind)],
        "rows": have.height,
        "first_ms": have["ts"][0],
        "last_ms": have["ts"][-1],
        "errors": sum(f.severity == "error" for f in found),
        "findings": as_json(found),
    }


def _repair(path: Path, have: Any, kind: _Kind, end: int, request: PullRequest) -> Any:
    """The stored frame with those holes filled that the venue can fill."""
    for a, b in _holes(have, kind)[:HOLES_MAX] if have is not None else ():
        first, last = (a + kind.step_ms, b) if kind.step_ms else (a + 60_000, b - 60_000)
        if first >= end:
            continue
        pages = [page for _, page in kind.ask(first, last) if page.height]
        if pages:
            have = _save(path, _joined([have, *pages]), request)
    return have


def _holes(have: Any, kind: _Kind) -> list[tuple[int, int]]:
    """(last known, next known) times between which rows are missing."""
    import numpy as np

    from engine.data.gaps import hole_spans

    ts = have["ts"].to_numpy()
    if not kind.step_ms:  # a settlement is stamped some ms late
        return hole_spans(np.unique((ts + 30_000) // 60_000 * 60_000))
    after = (ts[1:] - ts[:-1] > kind.step_ms).nonzero()[0]
    return [(int(ts[i]), int(ts[i + 1])) for i in after]


def _fetch(
    path: Path, have: Any, kind: _Kind, first: int, end: int, go_on: bool, request: PullRequest, progress: Progress
) -> Any:
    """The stored frame plus what was fetched before and after it; saved along the way and at the end."""
    label = f"{request.venue} {request.symbol} {kind.series}"
    if have is not None and not go_on and first < have["ts"][0]:
        older = _collect(kind.ask(first, int(have["ts"][0])), label, first, int(have["ts"][0]), progress)
        have = _joined([older, have])
        _save(path, have, request)
    start = first if have is None else int(have["ts"][-1]) + max(kind.step_ms, 1)
    if have is None and start >= end:
        raise BadInput("no closed bar in this range yet", "choose an earlier range")
    pages, unsaved = ([] if have is None else [have]), 0
    try:
        with progress(label, end - start) as advance:
            for reached, page in kind.ask(start, end) if start < end else ():
                pages.append(page)
                unsaved += 1
                advance(reached - start)
                if unsaved >= SAVE_PAGES:
                    pages, unsaved = [_save(path, _joined(pages), request)], 0
    finally:  # also when the venue stops answering or a person interrupts: complete pages are kept
        if unsaved and any(p.height for p in pages):
            pages = [_save(path, _joined(pages), request)]
    return _joined(pages) if pages else None


def _collect(pages: Iterator[tuple[int, Any]], label: str, start: int, end: int, progress: Progress) -> Any:
    """All pages of a range as one frame."""
    frames = []
    with progress(label, end - start) as advance:
        for reached, page in pages:
            frames.append(page)
            advance(reached - start)
    return _joined(frames)


def _joined(frames: list[Any]) -> Any:
    """Consecutive frames as one; a duplicate time keeps its first row."""
    import polars as pl

    return pl.concat(frames, how="diagonal").unique("ts", keep="first", maintain_order=True).sort("ts")


def _save(path: Path, frame: Any, request: PullRequest) -> Any:
    """Rewrite the file; returns the frame. Mark prices have no volume, so that column is dropped."""
    from engine.data.writer import write_series

    kept = frame.drop("volume") if "_mark_" in path.name else frame
    if kept.height:
        write_series(path, kept, "pulled", {"venue": request.venue, "mirror": request.mirror})
    return kept


def stored_frame(path: Path) -> Any:
    """What an earlier pull stored, ts as Int64 ms; None without a file. Refuses to touch a file of another origin."""
    import polars as pl

    from engine.data.catalog import ORIGIN, readable

    if not path.exists():
        return None
    with readable(path):
        if pl.read_parquet_metadata(path).get(ORIGIN) != "pulled":
            raise BadInput(f"{path} was not written by a pull", "move it away: a pull writes to that name")
        return pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms"))


@contextmanager
def alone(request: PullRequest) -> Iterator[None]:
    """One pull per instrument at a time: two would write the same file."""
    from app.home.settings import read_settings

    name = f".{request.venue}_{request.symbol}_{request.market}.pull.lock"
    with alone_in(read_settings().home / "data", name, f"another pull of {request.venue} {request.symbol} is running"):
        yield
