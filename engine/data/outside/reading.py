"""An answer as bytes -> rows of a declared series, or one clear error: which field of which source, and what was there instead.

Called by app/market_data/outside_fetch.py. Everything is bounded: bytes, rows, the length of a text. Nothing is repaired, cut off
or filled in: half a page, a renamed field or a text for a number refuses the answer as it came.
"""

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from engine.data.catalog import PLAUSIBLE_MS
from engine.data.outside.declared import AnswerShape, OutsideFeed, OutsideField, Place
from engine.errors import DataError

BYTES_MAX = 8 << 20
ROWS_MAX = 20_000
PAGES_MAX = 100  # of one question
TEXT_MAX = 40  # characters of a number or a time
SHOWN = 60  # characters of what was there, in a message
NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")
HINT = (
    "nothing was stored; the source has changed, or something between answered: look at its address, and wait for its next answer"
)


class OutsideRow(NamedTuple):
    """One row as received: its time (UTC ms), the fields in the order of the series; None where the source has no such field."""

    ts: int
    values: tuple[float | None, ...]


def rows_of(feed: OutsideFeed, body: bytes, *, may_end: bool = False) -> list[OutsideRow]:
    """The rows of an answer in order of time; days without an observation are left out. Raises DataError for any other shape.

    `may_end`: an older page, of which there may be none.
    """
    if len(body) > BYTES_MAX:
        _refuse(feed, f"sent more than {BYTES_MAX >> 20} MiB")
    shape = feed.source.shape
    listed = _table(feed, body) if shape.table else _list(feed, _value(feed, body))
    if not listed and may_end:
        return []
    if not listed:
        _refuse(feed, "sent no rows")
    if len(listed) > ROWS_MAX:
        _refuse(feed, f"sent {len(listed):,} rows, at most {ROWS_MAX:,} are read")
    rows = [row for n, item in enumerate(listed) if (row := _row(feed, n, item)) is not None]
    if not rows:
        _refuse(feed, f"sent {len(listed)} rows without a value")
    rows.sort(key=lambda row: row.ts)
    for one, other in itertools.pairwise(rows):
        if one.ts == other.ts:
            _refuse(feed, f"sent the time {one.ts} twice")
    return rows


def paged_rows(feed: OutsideFeed, from_ms: int, ask: Callable[[int | None], bytes]) -> list[OutsideRow]:
    """The rows of a source that answers in pages, newest first, back to `from_ms`; of any other those of its one answer.

    `ask`: rows before a time (ms), or the newest (None). Raises DataError for a page that was sent already, one out of order, and
    two values of one time: what is then missing, or doubled, nobody knows. A source that has no older row ends it.
    """
    rows = rows_of(feed, ask(None))
    pages = 1
    while feed.source.older and rows[0].ts > from_ms and pages < PAGES_MAX:
        first = rows[0]
        page = rows_of(feed, ask(first.ts), may_end=True)
        if page and page[-1].ts > first.ts:
            again = page[-1].ts <= rows[-1].ts and page[0].ts >= first.ts
            what = "sent a page again" if again else "sent a page out of order"
            _refuse(feed, f"{what}: rows before {first.ts} were asked for, the newest of page {pages + 1} is of {page[-1].ts}")
        if page and page[-1].ts == first.ts and page[-1] != first:
            _refuse(feed, f"sent two values for the time {first.ts}, at the edge of page {pages + 1}")
        older = [row for row in page if row.ts < first.ts]
        if not older:
            break
        rows, pages = [*older, *rows], pages + 1
    return rows


def _refuse(feed: OutsideFeed, what: str) -> NoReturn:
    raise DataError(f"{feed.key}: {feed.source.name} {what}", HINT)


def _text(feed: OutsideFeed, body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(feed, f"sent no UTF-8 text (byte {error.start})")


def _value(feed: OutsideFeed, body: bytes) -> Any:
    """The answer as JSON."""
    text = _text(feed, body)
    try:
        return json.loads(text, parse_constant=lambda name: _refuse(feed, f"sent {name} for a number"))
    except json.JSONDecodeError as error:
        page = (
            "a page of HTML"
            if text.lstrip()[:1] == "<"
            else f"no whole JSON (broken at character {error.pos:,} of {len(text):,})"
        )
        _refuse(feed, f"sent {page}")
    except RecursionError:
        _refuse(feed, "sent JSON that is nested too deeply")
    except ValueError:  # a number of more digits than Python reads
        _refuse(feed, "sent a number of too many digits")


def _list(feed: OutsideFeed, answer: Any) -> list[Any]:
    """The list of rows inside an answer."""
    shape = feed.source.shape
    if shape.accepted is not None:
        key, good = shape.accepted
        found = answer.get(key) if isinstance(answer, dict) else None
        if found != good or isinstance(found, bool):
            _refuse(feed, f"answered {key} = {_shown(found)} where {_shown(good)} means that all is well")
    if shape.named is not None:
        about = answer
        for place in shape.named[0]:
            about = _member(feed, about, place, "the answer")
        if about != feed.filled(shape.named[1]):
            _refuse(feed, f"answered about {_shown(about)}, where {feed.filled(shape.named[1])} was wanted")
    for place in shape.rows_at:
        answer = _member(feed, answer, place, "the answer")
    if not isinstance(answer, list):
        _refuse(feed, f"sent {_shown(answer)} where a list of rows belongs ({'.'.join(map(str, shape.rows_at)) or 'the answer'})")
    return answer


def _member(feed: OutsideFeed, item: Any, place: str | int, where: str) -> Any:
    """One member of an object or a list, by its key or its position."""
    if isinstance(place, int):
        if not isinstance(item, list) or not 0 <= place < len(item):
            _refuse(feed, f"has no place {place} in {where}: it has {_shown(item)}")
        return item[place]
    if not isinstance(item, dict):
        _refuse(feed, f"has no field {place} in {where}: it has {_shown(item)}")
    if place not in item:
        _refuse(feed, f"has no field {place} in {where}: it has {', '.join(str(k)[:SHOWN] for k in list(item)[:12]) or 'none'}")
    return item[place]


def _table(feed: OutsideFeed, body: bytes) -> list[dict[str, str]]:
    """The rows of a CSV with a header; each has as many cells as the header."""
    text = _text(feed, body)
    if text.lstrip()[:1] == "<":
        _refuse(feed, "sent a page of HTML")
    lines = csv.reader(io.StringIO(text))
    try:
        header = [name.strip() for name in next(lines, [])]
        listed = []
        for cells in lines:
            if len(cells) != len(header):
                _refuse(
                    feed, f"has {len(cells)} cells in line {lines.line_num}, where its header has {len(header)}: half a page?"
                )
            listed.append(dict(zip(header, cells, strict=True)))
            if len(listed) > ROWS_MAX:
                break
    except csv.Error as error:
        _refuse(feed, f"sent no readable CSV (line {lines.line_num}: {str(error)[:SHOWN]})")
    if listed and not text.endswith("\n"):
        _refuse(feed, "sent a last line without an end: half a page?")
    return listed


def _row(feed: OutsideFeed, n: int, item: Any) -> OutsideRow | None:
    """One row; None where the source says that there is no observation."""
    shape, where = feed.source.shape, f"row {n}"
    if shape.says is not None:
        key, wanted = shape.says[0], feed.filled(shape.says[1])
        if (found := _member(feed, item, key, where)) != wanted:
            _refuse(feed, f"sent {key} = {_shown(found)} in {where}, where {wanted} was wanted")
    ts = _time(feed, _member(feed, item, shape.time, where), where)
    values: list[float | None] = []
    for field, place in zip(feed.series.fields, shape.values, strict=True):
        if place is None:
            values.append(None)
            continue
        raw = [_member(feed, item, key, where) for key in (place if isinstance(place, tuple) else (place,))]
        if shape.no_value and any(cell in shape.no_value for cell in raw):
            return None
        values.append(_bounded(feed, field, place, [_number(feed, field, x, shape, where) for x in raw], where))
    return OutsideRow(ts, tuple(values))


def _number(feed: OutsideFeed, field: OutsideField, raw: Any, shape: AnswerShape, where: str) -> float:
    """A cell as the number that it is declared to be: text where numbers come as text, else a JSON number."""
    if shape.is_text:
        if not isinstance(raw, str) or len(raw) > TEXT_MAX or NUMBER.fullmatch(raw) is None:
            _refuse(feed, f"sent {_shown(raw)} for {field.name} in {where}, where a number as text belongs")
        return float(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        _refuse(feed, f"sent {_shown(raw)} for {field.name} in {where}, where a number belongs")
    return float(raw) if abs(raw) < 1e300 else math.inf


def _bounded(feed: OutsideFeed, field: OutsideField, place: Place, numbers: list[float], where: str) -> float:
    """The field's value, which has to be possible at all."""
    if isinstance(place, tuple) and numbers[1] == 0:
        _refuse(feed, f"sent 0 for {place[1]} in {where}, of which {field.name} is a share")
    value = numbers[0] / numbers[1] if isinstance(place, tuple) else numbers[0]
    if not field.least <= value <= field.most:
        _refuse(
            feed, f"sent {value:g} for {field.name} in {where}: it is between {field.least:g} and {field.most:g} ({field.unit})"
        )
    return value


def _time(feed: OutsideFeed, raw: Any, where: str) -> int:
    """The time of a row in UTC ms."""
    stamp = feed.source.shape.stamp
    wanted = int if stamp in ("ms", "s") else str
    if type(raw) is not wanted or len(str(raw)[: TEXT_MAX + 1]) > TEXT_MAX:
        _refuse(feed, f"sent {_shown(raw)} for the time in {where}, where {STAMPS[stamp]} belongs")
    try:
        ms = _moment(str(raw), stamp)
    except (ValueError, OverflowError):
        _refuse(feed, f"sent {_shown(raw)} for the time in {where}, where {STAMPS[stamp]} belongs")
    if not PLAUSIBLE_MS[0] <= ms < PLAUSIBLE_MS[1]:
        if feed.source.shape.table:  # a table goes back as far as it likes; what is before 2000 is not read
            return ms
        _refuse(feed, f"sent {_shown(raw)} for the time in {where}: not {STAMPS[stamp]}")
    return ms


STAMPS: Mapping[str, str] = {
    "ms": "a number of milliseconds",
    "ms text": "milliseconds as text",
    "s": "a number of seconds",
    "s text": "seconds as text",
    "iso": "a time in UTC such as 2025-01-31T00:00:00Z",
    "date": "a day such as 2025-01-31",
    "us date": "a day such as 01/31/2025",
}


def _moment(text: str, stamp: str) -> int:
    """UTC ms. Raises ValueError for another form."""
    if stamp.startswith(("ms", "s")):
        if not re.fullmatch(r"\d{1,15}", text):
            raise ValueError(text)
        return int(text) * (1 if stamp.startswith("ms") else 1000)
    if stamp == "iso":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", text):
            raise ValueError(text)
        when = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - Z was required above
    else:
        when = datetime.strptime(text, "%Y-%m-%d" if stamp == "date" else "%m/%d/%Y")  # noqa: DTZ007 - days are UTC here
    return round(when.replace(tzinfo=UTC).timestamp() * 1000)


def _shown(found: Any) -> str:
    """What was there, short."""
    try:
        text = json.dumps(found, default=str)[: SHOWN + 1]
    except RecursionError:
        return "a deeply nested value"
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
