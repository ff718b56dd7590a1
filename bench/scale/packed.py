"""A long journal plain and packed: what it takes on the disk, a start, verification, the end, an old event, a window.

Called by bench.scale.cell. The homes are those made here; each is read plain, packed, and read again. Times are CPU
seconds of one process with nothing kept; the machine's disk has the files in memory or not, which CPU does not show.
"""

import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.commands import timed
from bench.office import environment_of
from bench.scale.journal import LEFT_OUT, forget_heads, opened, start, views_of, walked_home
from bench.scale.kept import FOLDER, Figures
from engine.book.replay import fold
from engine.clock import DAY_MS
from engine.store import segments
from engine.store.chain import START
from engine.store.journal import find, read, tail, verify
from engine.store.opened import head_of, open_journal, parts_of, size_of
from engine.watch.window import between, mark_at

PART = "packed"
OLD_EVENTS = 20  # that are looked for, evenly over the journal
LINE = re.compile(
    rb'\{"seq":(\d+),"id":"d-(\d+)",("kind":"[^"]*","schema":\d+,"t_event_ms":)(-?\d+)'
    rb'(,.*?"cause_id":")(|d-\d+)(",.*)"prev":"[^"]*","hash":"[^"]*"\}\n'
)
NEVER = "\n[retention]\npack_days = 0.0\n"  # a start packs nothing by itself: the states are compared
WALL_MS = 1_760_000_000_000


def make(events: str) -> Figures:
    """The home: the walked desk, and before it copies of its lines moved back in time by their heads, each hashed into the chain.

    Bodies are copied as they are and name the times of the days that were lived; nothing measured here reads them.
    """
    from engine.store.anchors import note_head

    source, home = walked_home(), place_of(events)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("desk.jsonl*", "walked", "*.lock"))
    (home / "desk.toml").write_text((home / "desk.toml").read_text(encoding="utf-8") + NEVER, encoding="utf-8")
    lines = (source / "journal" / "desk.jsonl").read_bytes().splitlines(keepends=True)
    bars = [n for n, line in enumerate(lines) if b'"kind":"bar"' in line[:80]]
    lines = lines[: bars[-LEFT_OUT]]
    begun = time.process_time()
    _copied(lines, home / "journal" / "desk.jsonl", max(1, round(int(events) / len(lines))))
    took = time.process_time() - begun
    with opened(home) as one:
        forget_heads(one.engine)
        head = head_of(one.desk_journal)
        note_head(one.engine, "desk", head, WALL_MS)
    return {"events": head.seq, "bytes": size_of(one.desk_journal), "write_s": took}


def _copied(lines: Sequence[bytes], path: Path, copies: int) -> None:
    """The lines `copies` times, oldest first; one start a journal."""
    first = next(n for n, line in enumerate(lines) if b',"left":0,' in line) + 1
    parsed = [LINE.fullmatch(line) for line in lines]
    days = -(-(int(parsed[-1][4]) - int(parsed[0][4])) // DAY_MS)  # type: ignore[index]  # every line of a journal matches
    before, seq = START, 0
    with path.open("wb", buffering=1 << 20) as out:
        for copy in range(copies - 1, -1, -1):
            start = 0 if copy == copies - 1 else first
            by = seq - start  # what a record's own number moves by
            for match in parsed[start:]:
                assert match is not None
                seq += 1
                cause = match[6] and b"d-%d" % (int(match[6][2:]) + by)
                ms = int(match[4]) - copy * days * DAY_MS
                head = b'{"seq":%d,"id":"d-%d",%b%d' % (seq, seq, match[3], ms)
                text = head + match[5] + cause + match[7] + b'"prev":"' + before.encode("ascii") + b'"'
                before = sha256(text).hexdigest()
                out.write(text + b',"hash":"' + before.encode("ascii") + b'"}\n')


def pack(events: str) -> Figures:
    """Pack all of it: CPU s, and bytes before and after."""
    from app.upkeep.journals import pack_home

    with opened(place_of(events)) as home:
        plain = size_of(home.desk_journal)
        begun, wall = time.process_time(), time.perf_counter()
        parts = sum(size.parts for size in pack_home(home, WALL_MS, all_of_it=True))
        took, waited = time.process_time() - begun, time.perf_counter() - wall
        return {
            "pack_s": took,
            "pack_wall_s": waited,
            "parts": parts,
            "plain_bytes": plain,
            "disk_bytes": _disk(home.desk_journal),
        }


def reading(events: str) -> Figures:
    """What each way to read costs in the state that the journal is in."""
    with opened(place_of(events)) as home:
        path = home.desk_journal
        found: Figures = {"events": head_of(path).seq, "bytes": size_of(path), "disk_bytes": _disk(path)}
        count = int(found["events"])
        newest = mark_at(path)
        if newest is None:
            raise RuntimeError("a journal without a mark")
        old = [f"d-{1 + n * count // OLD_EVENTS}" for n in range(OLD_EVENTS)]
        first = next(read(path)).t_event_ms
        middle = (first + newest.t_event_ms) // 2
        works: dict[str, Callable[[], Any]] = {
            "fold": lambda: fold(path),
            "tail": lambda: tail(path, 50),
            "find": lambda: [find(path, id_) for id_ in old],
            "day": lambda: sum(1 for _ in between(path, middle, middle + DAY_MS)),
            "read": lambda: _all_of(path),
            "verify": lambda: verify(path),
        }
        for name, work in works.items():
            segments._INDEXES.clear()
            begun = time.process_time()
            said = work()
            found[f"{name}_s"] = time.process_time() - begun
            if name == "verify" and not said.ok:
                raise RuntimeError(said.reason)
        found["find_s"] /= OLD_EVENTS
        found["most_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return found


def commands(events: str) -> Figures:
    """`journal tail` and `journal explain d-N` in new processes, CPU s."""
    home = place_of(events)
    environment = environment_of(home)
    half = head_of(home / "journal" / "desk.jsonl").seq // 2
    asked = {"tail": ("journal", "tail"), "explain": ("journal", "explain", f"d-{half}")}
    return {f"{name}_s": timed(environment, words)[0] for name, words in asked.items()}


def started(events: str) -> Figures:
    """A worker's start (bench.scale.journal.start)."""
    return start(events, place_of(events))


def views(events: str) -> Figures:
    """What the API takes for what the page asks (bench.scale.journal.views_of)."""
    return views_of(place_of(events))


def place_of(events: str) -> Path:
    """Where the home of that size is kept between cells."""
    return FOLDER / f"packed-{events}"


def _all_of(path: Path) -> int:
    """Every byte, once."""
    taken = 0
    with open_journal(path) as file:
        while data := file.read(1 << 20):
            taken += len(data)
    return taken


def _disk(path: Path) -> int:
    """Bytes of its files."""
    return sum(os.stat(file).st_size for file in (path, *(part.path for part in parts_of(path))))


CELLS = {
    "make": make,
    "plain": reading,
    "plain-commands": commands,
    "plain-start": started,
    "plain-views": views,
    "pack": pack,
    "packed": reading,
    "packed-commands": commands,
    "packed-start": started,
    "packed-views": views,
}
