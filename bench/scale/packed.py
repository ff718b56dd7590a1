"""A long journal plain and packed: what it takes on the disk, a start, verification, the end, an old event, a window.

Called by bench.scale.cell. The homes are those of bench.scale.journal; each is read plain, packed whole, and read again. Times are
CPU seconds of one process with nothing kept; the machine's disk has the files in memory or not, which CPU does not show.
"""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.commands import timed
from bench.office import environment_of
from bench.scale.journal import home_of, opened, start
from bench.scale.kept import Figures
from engine.book.replay import fold
from engine.clock import DAY_MS
from engine.store import segments
from engine.store.anchors import verify_home, verify_since
from engine.store.journal import find, read, tail, verify
from engine.store.opened import head_of, open_journal, parts_of, size_of
from engine.watch.window import between, mark_at

PART = "packed"
OLD_EVENTS = 20  # that are looked for, evenly over the journal
NEVER = "\n[retention]\npack_days = 0.0\n"  # a start packs nothing by itself: the states are compared
WALL_MS = 1_760_000_000_000


def pack(events: str) -> Figures:
    """Pack all of it: CPU s, and bytes before and after."""
    from app.upkeep.journals import pack_home

    with opened(_home(events)) as home:
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
    with opened(_home(events)) as home:
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
            "both": lambda: verify_home(home.journal, home.engine, WALL_MS),
            "since": lambda: verify_since(home.journal, home.engine),
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
    home = _home(events)
    environment = environment_of(home)
    half = head_of(home / "journal" / "desk.jsonl").seq // 2
    asked = {"tail": ("journal", "tail"), "explain": ("journal", "explain", f"d-{half}")}
    return {f"{name}_s": timed(environment, words)[0] for name, words in asked.items()}


def started(events: str) -> Figures:
    """A worker's start (bench.scale.journal.start)."""
    _home(events)
    return start(events)


def _home(events: str) -> Path:
    home = home_of(events)
    settings = home / "desk.toml"
    if NEVER not in (text := settings.read_text(encoding="utf-8")):
        settings.write_text(text + NEVER, encoding="utf-8")
    return home


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
    "plain": reading,
    "plain-commands": commands,
    "plain-start": started,
    "pack": pack,
    "packed": reading,
    "packed-commands": commands,
    "packed-start": started,
}
