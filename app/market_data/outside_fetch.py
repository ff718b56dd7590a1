"""Outside series of the home: asked for, read, checked at the door, stored with what was known when; and what each is worth now.

Called by `nightdesk data fetch` and `sources`. One source that is dead, late or changed stops no other: its item says why, its
series grows too old and reads as missing. `outside.json` beside the data says when each was asked, and what was wrong.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app.home.settings import OutsideEntry
from app.home.written import alone_in, write_whole
from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS, utc
from engine.data.outside.declared import SERIES, OutsideFeed, feeds_of, history_ms, series_named
from engine.data.sources import FUNDING
from engine.errors import BadInput, DataError, DeskError
from engine.watch.outside_status import FILE, read_status

DECLARATION = "[outside]"  # what the status calls a fault of the declaration itself
OVERLAP_ROWS = 30  # rows asked for again: a revision is seen
RETRY_MS = 5 * MINUTE_MS  # the least between two questions of the schedule
PAGE_S = 0.25  # between two pages of one source
LOCK, BUSY = ".outside.lock", "another fetch of outside series is running"
WORDS_MAX = 300  # of an error or a warning in the status
Ask = Callable[[str, str], bytes]  # (address, key) -> the answer


class FetchRequest(NamedTuple):
    """What to fetch: names or groups, of these symbols; empty: what desk.toml declares."""

    names: Collection[str] = ()
    symbols: Collection[str] = ()
    due_only: bool = False
    as_history: bool = False
    days: int = 0  # back from now, of a source that answers in pages as far as it goes; 0: 400 rows at first, then what is new


def now_wall_ms() -> int:
    """Wall time, UTC ms: when an answer was received."""
    return time.time_ns() // 1_000_000


def declared_feeds(entry: OutsideEntry, request: FetchRequest) -> list[OutsideFeed]:
    """The feeds that a request means. Raises BadInput for an unknown name."""
    publishers = {source.name for series in SERIES for source in series.sources}
    for name in (*entry.sources, *entry.base_urls):
        if name not in publishers:
            raise BadInput(
                f"[outside] in desk.toml names an unknown source {name[:60]!r}", f"use {', '.join(sorted(publishers))}"
            )
    names = request.names or entry.series
    return feeds_of(series_named(names), request.symbols or entry.symbols, entry.sources) if names else []


def fetch(home: Path, entry: OutsideEntry, request: FetchRequest, clock: Callable[[], int] = now_wall_ms) -> dict[str, Any]:
    """{"items": one a feed, "compared": what two sources disagree on}. Raises BadInput for an unknown name, Busy beside another.

    Nothing is asked where nothing is declared and nothing named.
    """
    try:
        feeds = declared_feeds(entry, request)
    except BadInput as error:
        if request.due_only:  # nobody reads what the schedule's process prints: it becomes an alert
            _note_fault(home, str(error), clock())
        raise
    if not feeds:
        return {"items": [], "compared": []}
    folder, every = home / "data", feeds
    with alone_in(folder, LOCK, BUSY):
        status = read_status(home)
        if request.due_only:
            status.pop(DECLARATION, None)
            keys = {feed.key for feed in feeds}
            for key in status:  # one that desk.toml declares no more is no alert
                status[key]["scheduled"] = key in keys
            feeds = [feed for feed in feeds if due(feed, status.get(feed.key, {}), clock())]
        items = []
        for feed in feeds:
            items.append(_fetch_one(folder, entry, feed, request, clock))
            status[feed.key] = _status_of(feed, items[-1], status.get(feed.key, {}), request.due_only)
        fetched = {(feed.series.name, feed.symbol) for feed in feeds}
        beside = [feed for feed in every if (feed.series.name, feed.symbol) in fetched]  # one source may be due, the other not
        compared = compare(folder, beside)
        for feed in beside:
            status.setdefault(feed.key, {})["compared"] = [c["text"][:WORDS_MAX] for c in compared if feed.key in c["between"]]
        _write_status(home, status)
    return {"items": items, "compared": compared}


def _note_fault(home: Path, why: str, now_ms: int) -> None:
    """Keep what is wrong with the declaration itself, for the watch."""
    with alone_in(home / "data", LOCK, BUSY):
        status = read_status(home)
        fault = {"scheduled": True, "asked_ms": now_ms, "too_old_ms": now_ms - 1, "last_ms": None, "error": why[:WORDS_MAX]}
        _write_status(home, {**status, DECLARATION: fault})


def _write_status(home: Path, status: Mapping[str, Any]) -> None:
    write_whole(home / FILE, json.dumps({"feeds": status}, indent=1, sort_keys=True) + "\n")


def due(feed: OutsideFeed, status: Mapping[str, Any], now_ms: int) -> bool:
    """Whether the schedule asks: the next row should have been published, and the last question is some time ago."""
    asked, last = status.get("asked_ms"), status.get("last_ms")
    if not isinstance(asked, int) or now_ms < asked:
        return True
    if now_ms - asked < max(RETRY_MS, feed.series.period_ms // 24) or now_ms < (status.get("wait_until_ms") or 0):
        return False
    return not isinstance(last, int) or now_ms >= feed.series.published_ms(last + feed.series.period_ms)


def _fetch_one(
    folder: Path, entry: OutsideEntry, feed: OutsideFeed, request: FetchRequest, clock: Callable[[], int]
) -> dict[str, Any]:
    """One feed's item; whatever is wrong with its source is in `error`."""
    item: dict[str, Any] = {
        "name": feed.key,
        "series": feed.series.name,
        "source": feed.source.name,
        "symbol": feed.symbol or None,
        "path": str(folder / feed.file),
        "asked_ms": clock(),
        "new": 0,
        "revised": 0,
        "rows": 0,
        "last_ms": None,
        "error": None,
        "warnings": [],
        "wait_s": None,
    }
    try:
        item |= _pulled(entry, feed) if feed.series.name == FUNDING else _stored(folder, entry, feed, request, clock)
    except DeskError as error:
        what = str(error) if error.what.startswith(feed.key) else f"{feed.key}: {error}"
        item["error"], item["wait_s"] = what, getattr(error, "wait_s", None)
    return item


def _pulled(entry: OutsideEntry, feed: OutsideFeed) -> dict[str, Any]:
    """Funding: the one way it is fetched is the pull's."""
    from app.market_data.pulling import pull_funding

    found = pull_funding(feed.source.name, feed.symbol, entry.base_urls.get(feed.source.name, ""))
    warnings = [f["text"] for f in found["findings"]]
    return {"new": found["new"], "rows": found["rows"], "last_ms": found["last_ms"], "warnings": warnings, "path": found["path"]}


def _stored(
    folder: Path, entry: OutsideEntry, feed: OutsideFeed, request: FetchRequest, clock: Callable[[], int]
) -> dict[str, Any]:
    """Ask, read, check, store. Raises DataError when the answer is not fit to be stored."""
    from app.market_data.pulling import stored_frame
    from engine.data.outside import asking, door, stored
    from engine.data.outside.reading import paged_rows
    from engine.data.writer import write_series

    path, days = folder / feed.file, request.days
    have = stored_frame(path)
    before = [] if have is None else stored.latest(feed, have)
    from_ms = clock() - days * DAY_MS if days else clock() - history_ms(feed.series)
    if before:
        from_ms = min(from_ms, before[0].ts) if days else before[-1].ts - OVERLAP_ROWS * feed.series.period_ms
    key = _key(feed)

    def ask(before_ms: int | None) -> bytes:
        if before_ms is not None:
            time.sleep(PAGE_S)
        return asking.answer(_address(entry, feed, from_ms, before_ms), key, feed.source.key_header)

    asked = paged_rows(feed, from_ms, ask)
    received = clock()
    rows = [row for row in stored.closed_rows(feed, asked, received) if row.ts >= from_ms]
    if not rows:
        raise DataError(
            f"{feed.key}: {feed.source.name} has no row since {utc(from_ms)}", "its last one is older than what is asked"
        )
    found = door.findings(feed, before, rows, received)
    bad = [f for f in found if f.severity == "error"]
    if bad:
        what = f"{feed.key}: {bad[0].rule}: {bad[0].text}" + (f", and {len(bad) - 1} more" if len(bad) > 1 else "")
        raise DataError(what, f"nothing was stored; if the source is right, move {path.name} away and fetch it anew")
    added = stored.merged(feed, have, rows, received, as_history=request.as_history)
    if added.new + added.revised:
        write_series(path, added.frame, "pulled", {"publisher": feed.source.name, "feed": feed.key})
    last = max(rows[-1].ts, before[-1].ts if before else 0)
    counts = {"new": added.new, "revised": added.revised, "rows": added.frame.height, "last_ms": last}
    return counts | {"warnings": [f"{f.rule}: {f.text}" for f in found]}


def _address(entry: OutsideEntry, feed: OutsideFeed, from_ms: int, before_ms: int | None = None) -> str:
    """The address of a question, of rows before a time where one is given; ccxt knows where a venue answers."""
    import httpx

    source, url = feed.source, entry.base_urls.get(feed.source.name, "")
    query = {name: feed.filled(value, from_ms) for name, value in source.query}
    query |= {source.older: str(before_ms)} if before_ms is not None else {}
    if source.section:
        from engine.venues.ccxt_data import public_address

        return public_address(source.name, source.section, source.path, query, url)
    return str(httpx.URL((url or source.base_url) + source.path, params=query or None))


def _key(feed: OutsideFeed) -> str:
    """The key of a source that wants one. Raises BadInput naming the variable that lacks."""
    name = feed.source.key_env
    if name and not os.environ.get(name):
        raise BadInput(f"{feed.key} needs a key", f"set {name}, or leave it out: sources in [outside]")
    return os.environ.get(name, "") if name else ""


def compare(folder: Path, feeds: Collection[OutsideFeed]) -> list[dict[str, Any]]:
    """What stored sources of one series disagree on, each pair once."""
    from engine.data.outside.door import compare_feeds

    groups: dict[tuple[str, str], list[OutsideFeed]] = {}
    for feed in feeds:
        groups.setdefault((feed.series.name, feed.symbol), []).append(feed)
    found = []
    for group in groups.values():
        rows = [(feed, _rows_of_file(folder, feed)) for feed in group] if len(group) > 1 else []
        for n, (one, mine) in enumerate(rows):
            for other, theirs in rows[n + 1 :]:
                pair = compare_feeds(one.series, (one.source.name, mine), (other.source.name, theirs)) if mine and theirs else []
                found += [{"between": [one.key, other.key], "rule": f.rule, "text": f"{one.series.name}: {f.text}"} for f in pair]
    return found


def _rows_of_file(folder: Path, feed: OutsideFeed) -> list[Any]:
    """The stored rows of a feed; none where its file cannot be read: its own item says so."""
    from app.market_data.pulling import stored_frame
    from engine.data.outside.stored import latest

    try:
        frame = stored_frame(folder / feed.file)
    except DeskError:
        return []
    return [] if frame is None else latest(feed, frame)


def _status_of(feed: OutsideFeed, item: Mapping[str, Any], before: Mapping[str, Any], scheduled: bool) -> dict[str, Any]:
    """What is kept of a question: the last good one stays beside a later fault."""
    good = item["error"] is None
    wait, last = item["wait_s"], item["last_ms"] if item["error"] is None else before.get("last_ms")
    age_ms = round(feed.series.max_age_hours * HOUR_MS)
    return {
        "scheduled": scheduled or bool(before.get("scheduled")),
        "too_old_ms": feed.series.published_ms(last) + age_ms if isinstance(last, int) else None,
        "asked_ms": item["asked_ms"],
        "answered_ms": item["asked_ms"] if good else before.get("answered_ms"),
        "last_ms": last,
        "error": None if good else str(item["error"])[:WORDS_MAX],
        "failed_since_ms": None if good else before.get("failed_since_ms") or item["asked_ms"],
        "wait_until_ms": item["asked_ms"] + round(wait * 1000) if wait else None,
        "warnings": [str(text)[:WORDS_MAX] for text in item["warnings"][:5]] if good else before.get("warnings", []),
    }


def sources(roots: list[tuple[Path, str]], home: Path, entry: OutsideEntry, now_ms: int, window: int = 0) -> list[dict[str, Any]]:
    """Every declared series from each source: the last value's time, its age, its greatest age, and whether it counts now.

    `missing_because` says why not: not declared, never fetched, too old, and what the source answered last. `window`: rows that
    something wants to look back over; a series with fewer has a warning that names it.
    """
    from engine.data.catalog import Catalog

    catalog, status = Catalog(roots), read_status(home)
    wanted = {feed.key for feed in declared_feeds(entry, FetchRequest())}
    return [
        _source_item(catalog, feed, status.get(feed.key, {}), feed.key in wanted, now_ms, window)
        for feed in feeds_of(SERIES, entry.symbols)
    ]


def _source_item(
    catalog: Any, feed: OutsideFeed, status: Mapping[str, Any], wanted: bool, now_ms: int, window: int
) -> dict[str, Any]:
    """One line of `sources`. The value is joined as a strategy would have it at a close now."""
    import numpy as np

    from engine.data.outside.door import enough_rows
    from engine.data.sources import asof, observations, why_missing

    field, short = feed.series.fields[0].name, []
    known_ms, last_ms, value, why = None, None, None, ""
    try:
        of = (feed.symbol, "perp") if feed.series.of == "instrument" else ("", "")
        found = catalog.find(feed.source.name, of[0], feed.word, of[1])
        observed = observations(catalog, feed.reading(field), found)
        rows = catalog.rows(found, field)["ts"].n_unique() if feed.series.name != FUNDING else found.rows
        short = [f.text for f in enough_rows(feed, rows, window, f"a window of {window}")]
        last_ms, why = found.last_ms, why_missing(observed, now_ms)
        values, available = asof(observed, np.array([now_ms], np.int64))
        value, known_ms = (None, None) if why else (float(values[0]), int(available[0]))
    except BadInput:
        why = "nothing is stored" if wanted else "nothing is stored; [outside] in desk.toml does not declare it"
    except DataError as error:
        why = str(error)
    fault = status.get("error")
    since = f"; since {utc(status.get('failed_since_ms'))} its source fails: {fault}" if fault else ""
    return {
        "name": feed.key,
        "series": feed.series.name,
        "group": feed.series.group,
        "what": feed.series.what,
        "unit": feed.series.fields[0].unit,
        "source": feed.source.name,
        "symbol": feed.symbol or None,
        "period": feed.series.period,
        "lag_minutes": feed.series.lag_minutes,
        "max_age_hours": feed.series.max_age_hours,
        "declared": wanted,
        "key_env": feed.source.key_env or None,
        "last_ms": last_ms,
        "known_ms": known_ms,
        "age_hours": None if last_ms is None else round((now_ms - feed.series.published_ms(last_ms)) / HOUR_MS, 2),
        "value": value,
        "fresh": not why,
        "missing_because": f"{why}{since}" if why else None,
        "fault": fault,
        "warnings": [*short, *status.get("warnings", []), *status.get("compared", [])],
    }
