"""A window of the desk journal by desk time, without reading the rest of it. Called by watch and tools/.

Desk time never goes back in desk.jsonl (incidents aside), so the first line after an instant is found by halving the file. A
bar that closes at an instant belongs to the window that ends there: windows are (after, up to], and "yesterday" has its 96 bars.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.book.bodies import SIMULATED
from engine.clock import DAY_MS
from engine.store.chain import UNORDERED_KIND, Event, event_of
from engine.store.opened import around_time, open_journal

_HEAD = re.compile(rb'\{"seq":\d+,"id":"[^"]*","kind":"([^"]*)","schema":\d+,"t_event_ms":(-?\d+),')
_LEFT = re.compile(rb',"left":(\d+),"other":')  # the first match is the line's own: quotes inside a text are escaped
BLOCK = 1 << 16
FAR_MS = 1 << 62  # later than any bar
SEQ = len(b'{"seq":')
UNORDERED = UNORDERED_KIND.encode("ascii")
CLOSE = 3  # in a row of a bar event
BARS_MAX = 200  # closes that are looked back at for the price of an instrument without bars
SAME = 1e-6  # quote units: two values of one position


class JournalLine(NamedTuple):
    """A journal line of which only the head was parsed. `text` has no newline."""

    kind: str
    t_event_ms: int
    seq: int
    text: bytes

    def event(self) -> Event | None:
        """The parsed event; None for a line that is not a journal record."""
        return event_of(self.text)


def journal_of(home: Path) -> Path:
    """The desk journal of a home."""
    return home / "journal" / "desk.jsonl"


def between(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
) -> Iterator[Event]:
    """Events with after_ms < t_event_ms <= up_to_ms, in order, of `kinds` (None: all); none without a journal.

    A group cut short by a crash is left out, as everywhere.
    """
    for line in raw_lines(path, after_ms, up_to_ms, kinds):
        event = line.event()
        if event is not None:
            yield event


def own_close(path: Path, sleeve: str, ms: int) -> Event | None:
    """The `bar` event of the first close at or after `ms` at which a bar of the sleeve's own timeframe closed."""
    found = between(path, ms - 1, ms + DAY_MS, {"bar"})  # a day is the longest timeframe
    return next((bar for bar in found if sleeve in bar.body.get("signals", ())), None)


def raw_lines(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
    worth: Callable[[bytes, bytes], bool] | None = None,
) -> Iterator[JournalLine]:
    """The same as `between`, unparsed: parsing is most of the work, and the raw text may show that a line is not needed.

    `worth`: (kind, line) -> whether to yield the line at all.
    """
    try:
        file = open_journal(path, BLOCK)
    except FileNotFoundError:
        return
    with file:
        yield from lines_in(file, after_ms, up_to_ms, kinds, worth)


def lines_in(
    file: BinaryIO,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
    worth: Callable[[bytes, bytes], bool] | None = None,
) -> Iterator[JournalLine]:
    """The same of an open file: a journal, or lines of one that were kept."""
    wanted = None if kinds is None else {kind.encode() for kind in kinds}
    file.seek(first_after(file, after_ms))
    group: list[JournalLine] = []
    due = 0  # sequence number of the record that ends the group
    for line in file:
        head = _HEAD.match(line)
        if head is None or not line.endswith(b"\n"):
            return
        kind, t_event_ms = head[1], int(head[2])
        if t_event_ms > up_to_ms and kind != UNORDERED:
            return
        seq = 0
        if (wanted is None or kind in wanted) and after_ms < t_event_ms <= up_to_ms and (worth is None or worth(kind, line)):
            seq, left = _seq(line), _LEFT.search(line, head.end())
            if left is not None:
                group.append(JournalLine(kind.decode("ascii"), t_event_ms, seq, line[:-1]))
                due = seq + int(left[1])
        if group and (seq or _seq(line)) >= due:
            yield from group
            group = []


def _seq(line: bytes) -> int:
    """The sequence number of a record."""
    return int(line[SEQ : line.index(b",", SEQ)])


def mark_at(path: Path, at_ms: int | None = None) -> Event | None:
    """The desk's last `mark` at or before an instant (None: the very last), valued at the last close; None before the first.

    At an account a mark follows each execution. It is journaled with what the sleeves were worth at the close before, whatever
    was bought since: here it counts positions and cash as they are now, at that close's price.
    """
    if at_ms is None:
        return _last_mark(path, stamp) if (stamp := stamp_of(path)) else None
    return _mark_before(path, at_ms)


def ending(path: Path, at_ms: int, seq: int) -> Event | None:
    """The mark that ends the group of an event of that time and number, valued as mark_at; None where none has followed."""
    mark = next((mark for mark in between(path, at_ms - 1, at_ms, {"mark"}) if mark.seq > seq), None)
    return None if mark is None else valued(path, mark)


def valued(path: Path, mark: Event) -> Event:
    """A mark of the journal, valued as mark_at."""
    with open_journal(path) as file:
        earlier = _lines_before(file, first_after(file, mark.t_event_ms))
        return _valued(path, mark, (line for line in earlier if _seq(line) < mark.seq))


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What changes with every record of a journal; None without one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4)
def _last_mark(path: Path, _stamp: tuple[int, int, int]) -> Event | None:
    """The very last mark: a turn asks for it six times between two bars."""
    return _mark_before(path, None)


def _mark_before(path: Path, at_ms: int | None) -> Event | None:
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return None
    with file:
        lines = _lines_before(file, file.seek(0, os.SEEK_END) if at_ms is None else first_after(file, at_ms))
        for line in lines:
            head = _HEAD.match(line)
            if head is not None and head[1] == b"mark" and (event := event_of(line)) is not None and event.left == 0:
                return _valued(path, event, lines)
    return None


def _valued(path: Path, mark: Event, earlier: Iterator[bytes]) -> Event:
    """The mark with its sleeves at the price of the last close; `earlier`: lines before it, last first. A mark of a close is
    that already, but for instruments that had no bar; a simulated desk's is always, and a basket's, which values its legs with
    each execution.
    """
    sleeves = mark.body.get("sleeves", {})
    known = {} if "basket" in mark.body or mode_of(path) in SIMULATED else instruments_of(path)
    traded = {name: known[name] for name, sleeve in sleeves.items() if name in known and "cash" in sleeve}
    prices, bars = dict[str, float](), 0
    for line in earlier if traded else ():
        head = _HEAD.match(line)
        if head is None or head[1] != b"bar" or (bar := event_of(line)) is None:
            continue
        closed = {name: row[CLOSE] for name, row in bar.body["bars"].items() if row and row[CLOSE] is not None}
        if bar.id == mark.cause_id and closed.keys() >= {*traded.values()}:
            return mark
        prices = closed | prices
        bars += 1
        if bars == BARS_MAX or prices.keys() >= {*traded.values()}:
            break
    changed = {name: found for name, at in traded.items() if (found := _at_price(sleeves[name], prices.get(at)))}
    idle = traded and not any("position" in sleeve or "order" in sleeve for sleeve in sleeves.values())
    if idle and mark.body.get("gross"):  # what was left since the last close counts there until the next one with a bar
        mark = mark._replace(body={**mark.body, "gross": 0.0, "correlated": 0.0})
    if not changed:
        return mark
    more = sum(found["equity"] - sleeves[name]["equity"] for name, found in changed.items())
    whole = mark.body["equity"]
    return mark._replace(body={**mark.body, "equity": whole and whole + more, "sleeves": {**sleeves, **changed}})


def _at_price(sleeve: Mapping[str, Any], price: float | None) -> dict[str, Any] | None:
    """A sleeve of a mark at a price, as engine.core.ledger.valued has it; None where it is valued at that already."""
    position, cash = sleeve.get("position"), sleeve["cash"]
    if cash is None or sleeve["equity"] is None:  # not a number: nothing is made of it
        return None
    if position is None:
        return {**sleeve, "equity": cash} if abs(sleeve["equity"] - cash) > SAME else None
    if price is None:
        return None
    layers = position["layers"]
    lot_size, side = position["quantity"] / position["lots"], 1 if position["side"] == "long" else -1
    equity = cash + side * lot_size * sum(layer["lots"] * (price - layer["entry"]) for layer in layers)
    notional = position["quantity"] * price
    if abs(equity - sleeve["equity"]) <= SAME and abs(notional - position["notional"]) <= SAME:
        return None
    return {**sleeve, "equity": equity, "position": {**position, "notional": notional}}


def first_mark(path: Path) -> Event | None:
    """The desk's first mark; None before it started."""
    return next(between(path, -1, FAR_MS, {"mark"}), None)


def start_of(path: Path) -> Mapping[str, Any]:
    """The `start` of the desk's first config event: instruments, timeframe_ms, source ...; empty before it."""
    return dict(_begun(path).get("start") or {})


def mode_of(journal: Path) -> str:
    """What the desk of a journal trades, for its life: paper, shadow, testnet or live."""
    return str(start_of(journal).get("mode") or "paper")


def _begun(path: Path) -> Mapping[str, Any]:
    """The desk's first config event; empty before it."""
    return _first_config(path, stamp) if (stamp := stamp_of(path)) else {}


@lru_cache(maxsize=4)
def _first_config(path: Path, _stamp: tuple[int, int, int]) -> Mapping[str, Any]:
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    return {} if first is None else first.body


def instruments_of(path: Path) -> dict[str, str]:
    """Sleeve -> the instrument that it trades; those of a home never change."""
    return {one["name"]: one["instrument"] for one in _begun(path).get("sleeves", ()) if "instrument" in one}


def desk_ms(home: Path) -> int | None:
    """Desk time of a home: the close of the last decided bar, UTC ms; None when there is none."""
    mark = mark_at(journal_of(home))
    return None if mark is None else mark.t_event_ms


def first_after(file: BinaryIO, ms: int) -> int:
    """Byte at which the first line with a time later than `ms` starts; the file's end when there is none."""
    first, high = around_time(file, ms, _time_of)
    low = first
    while low < high:
        middle = (low + high) // 2
        file.seek(max(middle - 1, first))
        if middle > first:
            file.readline()
        at, head = file.tell(), None
        while at < high:
            line = file.readline()
            head = _HEAD.match(line)
            if head is None or head[1] != UNORDERED:
                break
            at, head = file.tell(), None
        if head is not None and int(head[2]) <= ms:
            low = file.tell()
        else:
            high = middle
    return low


def _time_of(line: bytes) -> int | None:
    """The time of a line that is in order."""
    head = _HEAD.match(line)
    return int(head[2]) if head is not None and head[1] != UNORDERED else None


def _lines_before(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Whole lines that end at or before byte `end`, last first, without their newline."""
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        lines = (file.read(end - start) + rest).split(b"\n")
        rest = lines.pop(0) if start else b""
        yield from reversed([line for line in lines if line])
        end = start
