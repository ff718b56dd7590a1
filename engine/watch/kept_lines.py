"""The lines of a long journal that charts and round trips read, kept apart for whole days.

A year's journal has hundreds of megabytes, and a twentieth of them are lines of these kinds. The supervisor keeps those of days
that are over in `cache/trading.jsonl`, each with the fields that are read and nothing else, and in `cache/trading.json` what they
are worth: until when, the hash of the journal's mark there, size and digest. Derived, never a source of truth: where the two do
not fit, the journal is read. Incident windows and notes of shadows are kept whole: they are few, and a search for what is rare
reads all. Called by engine.watch.desk_trips, incidents, shadow_costs and app/views/candle_marks.py; readers never write.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.clock import DAY_MS
from engine.store.chain import Event, encode_body
from engine.watch.window import JournalLine, journal_of, lines_in, mark_at, raw_lines, stamp_of

DATA, FILE = "cache/trading.jsonl", "cache/trading.json"
SCHEMA = 5
BYTES_MAX = 1 << 30  # beyond it no day is added: later ones are read from the journal
ROOM = 1 << 16  # with less than this left no day is tried any more
HEAD_BYTES_MAX = 4096
BLOCK = 1 << 20
OF_MODELS = ("model(", "regime(")  # columns of stored models, by which round trips are split
_OF_PAIRS = ("pair", "pair_key", "action", "lots", "risk")  # of a basket's decisions
_ORDER = ("sleeve", "slot", "key", "lots", "price")
FIELDS: dict[str, tuple[str, ...]] = {
    "fill": (*_ORDER, "version", "t_ms", "side", "reason", "reference_price", "fee", "liquidity", "parts"),
    "cross": ("sleeve", "version", "t_ms", "price", "parts"),
    "funding": ("sleeve", "version", "t_ms", "cash_flow", "parts"),
    "decision": ("sleeve", "version", "t_ms", "size", "refused_by", "features", *_OF_PAIRS),
    "intent": _ORDER,
    "amend": _ORDER,
    "breaker": ("sleeve", "breaker", "until_ms"),
    "config": ("sleeves", "basket"),
    "window": (),
    "shadow": (),
}
WHOLE = frozenset(kind for kind, names in FIELDS.items() if not names)  # kept with all they have


class Kept(NamedTuple):
    """What the file holds: lines up to `until_ms` in its first `size` bytes; `mark` is the hash of the journal's mark there."""

    until_ms: int
    mark: str
    size: int
    digest: str


NONE = Kept(-1, "", 0, sha256().hexdigest())


def trading_lines(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str],
    worth: Callable[[bytes, bytes], bool] | None = None,
) -> Iterator[JournalLine]:
    """What window.raw_lines gives of `kinds`, all of them in FIELDS. A body has the FIELDS of its kind at least, one of WHOLE all
    that it has, and of a decision's features perhaps the names alone, but the values of stored models.
    """
    until_ms = _kept(path).until_ms
    if after_ms < until_ms:
        with suppress(FileNotFoundError), (_home(path) / DATA).open("rb") as file:
            yield from lines_in(file, after_ms, min(up_to_ms, until_ms), kinds, worth)
    if up_to_ms > until_ms:
        yield from raw_lines(path, max(after_ms, until_ms), up_to_ms, kinds, worth)


def keep_lines(home: Path) -> None:
    """Bring the file up to the last day that is over, or the last that has room. A full disk makes charts slower, not wrong."""
    path = journal_of(home)
    last, kept = mark_at(path), _kept(path)
    until_ms = -1 if last is None else (last.t_event_ms - 1) // DAY_MS * DAY_MS
    if until_ms <= kept.until_ms or kept.size > BYTES_MAX - ROOM or mark_at(path, until_ms) is None:
        return
    with suppress(OSError):
        (home / DATA).parent.mkdir(exist_ok=True)
        with os.fdopen(os.open(home / DATA, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            until_ms, size, digest = _extended(file, kept, path, until_ms)
            file.truncate(size)
        if until_ms > kept.until_ms and (mark := mark_at(path, until_ms)) is not None:
            draft = home / f"{FILE}.draft"
            draft.write_text(
                json.dumps({"schema": SCHEMA, **Kept(until_ms, mark.hash, size, digest)._asdict()}), encoding="ascii"
            )
            draft.replace(home / FILE)


def _extended(file: BinaryIO, kept: Kept, path: Path, until_ms: int) -> tuple[int, int, str]:
    """Append the journal's lines since the kept ones, over whatever a crash left there, day by day while they have room; (until
    when, size and digest of the whole).
    """
    digest = _digest(file, kept.size)
    file.seek(kept.size)
    file.truncate()
    size, day = kept.size, kept.until_ms
    fitting = kept.until_ms, kept.size, kept.digest
    for line in raw_lines(path, kept.until_ms, until_ms, FIELDS):
        if (event := line.event()) is not None:
            before = (event.t_event_ms - 1) // DAY_MS * DAY_MS
            if before > day:
                day, fitting = before, (before, size, digest.hexdigest())
            text = _shortened(event)
            size += file.write(text)
            digest.update(text)
        if size > BYTES_MAX:
            return fitting
    return until_ms, size, digest.hexdigest()


def _shortened(event: Event) -> bytes:
    """An event as a line with its head and the FIELDS of its body, as a journal would write them."""
    names = event.body if event.kind in WHOLE else FIELDS[event.kind]
    body = {name: event.body[name] for name in names if name in event.body}
    if features := body.get("features"):
        body["features"] = {name: value if name.startswith(OF_MODELS) else None for name, value in features.items()}
    head = f'{{"seq":{event.seq},"id":"{event.id}","kind":"{event.kind}","schema":{event.schema},"t_event_ms":{event.t_event_ms},'
    head += f'"t_recv_ms":{event.t_recv_ms},'
    return f'{head}"config_version":{event.config_version},"left":0,"other":"","body":{encode_body(body)}}}\n'.encode("ascii")


def _kept(path: Path) -> Kept:
    """What may be read of a journal's file: NONE where it is missing, damaged, or of a journal that has not that mark."""
    home = _home(path)
    try:
        stamps = stamp_of(home / FILE), stamp_of(home / DATA)
    except OSError:
        return NONE
    kept = NONE if None in stamps else _fitting(home, stamps)
    if kept is NONE:
        return NONE
    mark = mark_at(path, kept.until_ms)
    return kept if mark is not None and mark.hash == kept.mark else NONE


@lru_cache(maxsize=4)
def _fitting(home: Path, _stamps: tuple[Any, ...]) -> Kept:
    """What the file says of the lines beside it, where they are what it says; read once while neither has changed."""
    try:
        with (home / FILE).open("rb") as file:
            found = json.loads(file.read(HEAD_BYTES_MAX))
        if found.pop("schema") != SCHEMA:
            return NONE
        kept = Kept(int(found["until_ms"]), str(found["mark"]), int(found["size"]), str(found["digest"]))
        if not 0 <= kept.size <= BYTES_MAX:
            return NONE
        with (home / DATA).open("rb") as file:
            return kept if _digest(file, kept.size).hexdigest() == kept.digest else NONE
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NONE


def _digest(file: BinaryIO, size: int) -> Any:
    """SHA-256 of a file's first bytes; of fewer where it ends before."""
    found = sha256()
    while size > 0 and (block := file.read(min(size, BLOCK))):
        found.update(block)
        size -= len(block)
    return found


def _home(path: Path) -> Path:
    """The home of a desk journal."""
    return path.parent.parent
