"""One journal line: an event to bytes and back, and where a chain ends. Used by engine.store.journal.

A line is one JSON object, ASCII, keys in the order of `line_of`. Its `hash` is the SHA-256 of the line's text up to
(without) `,"hash":`; `prev` is the hash of the line before, sixty-four zeros on the first. `left` counts the events of
the same group that follow: a group is durable whole or not at all, so a chain ends at its last line with `left` 0.
"""

import json
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from engine.errors import DataError, JournalBroken

quoted = encode_basestring_ascii
START = "0" * 64  # `prev` of the first line
BLOCK = 1 << 16  # bytes read from the end at first
UNORDERED_KIND = "incident"  # carries wall time, not the bar's time: of a desk journal the one kind out of order
ENDS_KEPT = 8  # files whose last line a process keeps
_HASH = b',"hash":"'
_LONG = re.compile(r"[:\[,]-?[0-9]{19}")  # an integer that may not fit 64 bits: a reader would get a float


class Head(NamedTuple):
    """The end of a chain: number, id and hash of its last record; seq 0 when empty."""

    seq: int
    id: str
    hash: str


EMPTY = Head(0, "", START)


class Event(NamedTuple):
    """One record. The writer sets the fields up to `t_recv_ms`; the journal fills in the rest when it appends.

    `t_event_ms` is desk time (the bar's) in the desk journal and wall time in the people journal; `t_recv_ms` is the wall
    time at which it was received, 0 when not measured. `cause_id` names the event this one follows from; "@0" means
    the first event of the same batch, "@3" its fourth. Body: JSON with text keys and finite numbers.
    """

    kind: str
    t_event_ms: int
    body: Mapping[str, Any]
    schema: int = 1
    cause_id: str = ""
    run_id: str = ""
    config_version: int = 0
    code_hash: str = ""
    t_recv_ms: int = 0
    seq: int = 0
    id: str = ""
    writer: str = ""
    left: int = 0  # events of the same group that follow
    other: str = ""  # the other journal's head, "id:hash", on the first event of a group
    prev: str = ""
    hash: str = ""


class Tail(NamedTuple):
    """The end of a journal file: its head, and how many bytes its whole groups take."""

    head: Head
    end: int


def _scalar(value: Any) -> Any:
    """A numpy number as a Python one; TypeError for anything else."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


encode_body = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_scalar).encode


def same_body(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two bodies are written alike, to the type and the last bit of every number."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(one, option=options) == orjson.dumps(other, option=options)


def prefix_of(path: Path) -> str:
    """What ids of this journal begin with: `d-` in desk.jsonl, `p-` in people.jsonl."""
    return f"{path.name[0]}-"


def line_of(event: Event, before: Head, prefix: str, writer: str, left: int, other: str) -> tuple[bytes, Head]:
    """The event as the line (newline included) that follows `before`, and the head it makes.

    Raises DataError when the body is not valid JSON or has NaN, infinite numbers or integers beyond 64 bits.
    """
    seq = before.seq + 1
    try:
        body = encode_body(event.body)
    except (TypeError, ValueError) as error:
        what = f"a {event.kind!r} event cannot be journaled: {error}"
        raise DataError(what, "its body must be JSON with text keys and finite numbers") from error
    if _LONG.search(body) and encode_body(json.loads(body)) != encode_body(orjson.loads(body)):
        raise DataError(f"a {event.kind!r} event cannot be journaled: an integer beyond 64 bits", "write it as text")
    text = (
        f'{{"seq":{seq},"id":"{prefix}{seq}","kind":{quoted(event.kind)},"schema":{event.schema},'
        f'"t_event_ms":{event.t_event_ms},"t_recv_ms":{event.t_recv_ms},"writer":{quoted(writer)},'
        f'"run_id":{quoted(event.run_id)},"config_version":{event.config_version},"code_hash":{quoted(event.code_hash)},'
        f'"cause_id":{quoted(event.cause_id)},"left":{left},"other":{quoted(other)},"body":{body},"prev":"{before.hash}"'
    ).encode("ascii")
    digest = sha256(text).hexdigest()
    return text + _HASH + digest.encode("ascii") + b'"}\n', Head(seq, f"{prefix}{seq}", digest)


def hash_fits(line: bytes) -> bool:
    """Whether a line (without its newline) carries the hash of its own text."""
    text, found, rest = line.rpartition(_HASH)
    return bool(found) and rest == sha256(text).hexdigest().encode("ascii") + b'"}'


def event_of(line: bytes) -> Event | None:
    """The event of a line (without its newline); None for a line that is not a journal record."""
    try:
        try:
            return Event(**orjson.loads(line))
        except orjson.JSONDecodeError:  # Python accepts half a surrogate pair in a text, and journaled it
            return Event(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None


def end_of(descriptor: int, size: int, where: Path) -> Tail:
    """Where the last whole group of an open journal file of `size` bytes ends.

    Behind it is what a crash left: part of a line, part of a group, or NUL bytes. Raises JournalBroken when
    a finished line there does not carry its own hash: that is damage, not a crash.
    """
    kept = _ENDS.get(where)
    if kept is not None and kept.tail.end == size and os.pread(descriptor, len(kept.text), size - len(kept.text)) == kept.text:
        return kept.tail
    block = BLOCK
    while True:
        start = max(0, size - block)
        data = os.pread(descriptor, size - start, start)
        found = _last_group(data, start, where)
        if found is not None:
            keep_end(where, data, found, size)
            return found
        if start == 0:
            return Tail(EMPTY, 0)
        block *= 8


class _End(NamedTuple):
    """The last line of a file, with the newline before it, and the chain's end that was read from it."""

    text: bytes
    tail: Tail


_ENDS: dict[Path, _End] = {}


def keep_end(where: Path, data: bytes, tail: Tail, size: int) -> None:
    """Keep what the last line of `data`, the end of a file of `size` bytes, says: `end_of` then compares its bytes instead of
    parsing and hashing them again. A turn of an agent looks at the ends of both journals, and a snapshot has 100 kB."""
    _ENDS.pop(where, None)
    if tail.end != size:
        return  # behind the last whole group is something that may be gone the next time
    _ENDS[where] = _End(data[max(data.rfind(b"\n", 0, len(data) - 1), 0) :], tail)
    for path in list(_ENDS)[:-ENDS_KEPT]:
        _ENDS.pop(path, None)


def _last_group(data: bytes, start: int, where: Path) -> Tail | None:
    """The last whole group that ends in `data` (the file from `start` on); None when none does."""
    end = data.rfind(b"\n") + 1
    while end > 0:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if begin == 0 and start > 0:
            return None
        line = data[begin : end - 1]
        event = event_of(line) if hash_fits(line) else None
        if event is not None and event.left == 0:
            return Tail(Head(event.seq, event.id, event.hash), start + end)
        if event is None and b"\0" not in line:
            raise JournalBroken(
                f"{where}: the line at byte {start + begin} does not carry its own hash",
                "`nightdesk journal verify` shows where; restore the file from a backup",
            )
        end = begin
    return None
