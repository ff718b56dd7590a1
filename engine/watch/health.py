"""Is anything wrong? Worker, halt, breakers, bars, journals, disk -> one line each. No model, no network.

Called by tools/desk.py (health, probe) and `nightdesk status`. What cannot be looked at is `unknown`,
which is never healthy.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine.control import halt
from engine.errors import DeskError
from engine.store.chain import Event
from engine.watch import heartbeat
from engine.watch.window import beginning, between, journal_of, mark_at

State = Literal["ok", "warning", "bad", "unknown"]
DISK_BAD, DISK_WARNING = 100 << 20, 1 << 30  # bytes free
SILENT_MS = 30_000
SILENT_BARS = 3  # so many bars in a row without a price of an instrument are a warning


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: State
    text: str
    event: str = ""  # id of the journal event that shows it


def checks(home: Path, engine: Any, now_ms: int, *, whole: bool = False) -> list[Check]:
    """Everything that is looked at, in the order in which a person would. `whole` verifies both journals from end
    to end; `now_ms` is wall time."""
    mark = mark_at(journal_of(home))
    looks = (
        lambda: halted(home, engine),
        lambda: worker(home, now_ms),
        lambda: breakers(mark),
        lambda: sleeves(mark),
        lambda: positions(mark),
        lambda: bars(home, mark),
        lambda: journals(home, engine) if whole else ends(home),
        lambda: disk(home),
    )
    names = ("halt", "worker", "breakers", "sleeves", "protective orders", "bars", "journals", "disk")
    return [looked_at(name, look) for name, look in zip(names, looks, strict=True)]


def looked_at(name: str, look: Any) -> Check:
    """The check, or `unknown` when looking failed."""
    try:
        return look()  # type: ignore[no-any-return]  # every look returns a Check
    except (OSError, DeskError, KeyError, ValueError, TypeError) as error:
        return Check(
            name, "unknown", f"{name} could not be looked at: {error if isinstance(error, DeskError) else type(error).__name__}"
        )


def halted(home: Path, engine: Any) -> Check:
    """The latch: file and database."""
    latch = halt.read(home, engine)
    if latch.halted:
        return Check(
            "halt", "bad", f"the desk is HALTED by {latch.by or 'somebody'}: {latch.reason} ({' and '.join(latch.where)})"
        )
    return Check("halt", "ok", "no halt")


def worker(home: Path, now_ms: int) -> Check:
    """Whether a worker holds the desk journal, and when it last said something about itself."""
    pid = holder(home / "journal" / "desk.lock")
    if pid is None:
        return Check("worker", "bad", "no worker is running: nothing trades and no order is looked after (nightdesk up)")
    try:
        said = json.loads((home / heartbeat.FILE).read_text(encoding="utf-8"))
        silent_ms, phase, note = now_ms - int(said["wall_ms"]), str(said["phase"]), str(said.get("note") or "")
    except FileNotFoundError:
        return Check("worker", "ok", f"the worker runs (process {pid})")
    if silent_ms > SILENT_MS:
        return Check("worker", "bad", f"the worker (process {pid}) has said nothing for {silent_ms // 1000} s: it hangs")
    return Check("worker", "ok", f"the worker runs (process {pid}), {phase}{': ' if note else ''}{note}")


def holder(lock: Path) -> int | None:
    """The process that holds a lock file, found without touching the lock: None when nobody does."""
    try:
        inode = lock.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return max(int(words[4]), 0)
    return None


def breakers(mark: Event | None) -> Check:
    """Latched breakers of the desk."""
    if mark is None:
        return Check("breakers", "ok", "the desk has decided on no bar yet")
    tripped = mark.body.get("tripped") or []
    if tripped:
        return Check("breakers", "bad", f"tripped and latched: {', '.join(tripped)}", mark.id)
    return Check("breakers", "ok", "no breaker of the desk is tripped", mark.id)


def sleeves(mark: Event | None) -> Check:
    """Sleeves that take no entries now, and why."""
    held = {} if mark is None else mark.body["sleeves"]
    off = [f"{name} is paused by a person" for name, s in held.items() if s.get("paused")]
    off += [f"{name} pauses after losses or too many entries" for name, s in held.items() if s.get("paused_until_ms")]
    off += [f"{name} is blocked by its daily loss" for name, s in held.items() if s.get("blocked_until_ms")]
    return Check("sleeves", "warning" if off else "ok", "; ".join(off) or "every sleeve may enter", mark.id if mark else "")


def layers_of(mark: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """(sleeve, layer) of every open layer, as the mark tells it."""
    held = {} if mark is None else mark.body["sleeves"]
    return [(name, layer) for name, s in held.items() for layer in (s.get("position") or {}).get("layers", [])]


def naked(mark: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """(sleeve, layer) of the open layers that no working protective order covers and that are not leaving already."""
    return [(name, layer) for name, layer in layers_of(mark) if layer["protective_state"] != "working" and not layer.get("due")]


def positions(mark: Event | None) -> Check:
    """Each open layer has a working protective order."""
    layers = layers_of(mark)
    if bare := naked(mark):
        names = dict.fromkeys(name for name, _ in bare)
        return Check("protective orders", "bad", f"a position without a working protective order: {', '.join(names)}")
    text = f"{len(layers)} open layers, each with its protective order" if layers else "no open position"
    return Check("protective orders", "ok", text, mark.id if mark else "")


def bars(home: Path, mark: Event | None) -> Check:
    """Whether the last bars had prices, in desk time."""
    if mark is None:
        return Check("bars", "unknown", "the desk has decided on no bar yet")
    names, last = silent(home, mark)
    if names:
        return Check("bars", "warning", f"no price for {SILENT_BARS} bars: {', '.join(names)}", last)
    return Check("bars", "ok", "the last bars are complete" if last else "no bar yet", last)


def silent(home: Path, mark: Event) -> tuple[list[str], str]:
    """(instruments without a price for SILENT_BARS bars in a row, id of the last bar event or "")."""
    step = int(beginning(journal_of(home)).get("timeframe_ms", 0))
    last = list(between(journal_of(home), mark.t_event_ms - SILENT_BARS * step - 1, mark.t_event_ms, {"bar"}))[-SILENT_BARS:]
    if not last:
        return [], ""
    names = last[-1].body["bars"] if len(last) == SILENT_BARS else {}
    return [name for name in names if all(None in event.body["bars"][name][:5] for event in last)], last[-1].id


def ends(home: Path) -> Check:
    """The ends of both journals: their last whole groups carry their hashes."""
    from engine.store.chain import end_of

    said = []
    for name in ("desk", "people"):
        path = home / "journal" / f"{name}.jsonl"
        if path.exists():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                said.append(f"{name} ends at {end_of(descriptor, os.fstat(descriptor).st_size, path).head.id or 'nothing'}")
            finally:
                os.close(descriptor)
    return Check("journals", "ok", "; ".join(said) or "no journal yet")


def journals(home: Path, engine: Any, *, since: bool = False, note_ms: int | None = None) -> Check:
    """Both journals from end to end, against each other, the database and the handovers.

    With `since` only what was added since they were last found whole is walked; of what lies before the bytes are compared.
    With `note_ms` (wall time) it is noted that they are whole.
    """
    from engine.store.anchors import verify_home, verify_since

    reports = (verify_since if since else verify_home)(home / "journal", engine, note_ms)
    broken = [f"{name} line {r.line}: {r.reason}" for name, r in reports.items() if not r.ok]
    if broken:
        return Check("journals", "bad", f"the journal does not verify: {'; '.join(broken)}")
    return Check("journals", "ok", ", ".join(f"{name}: {r.rows} records verified" for name, r in reports.items()))


def folded(home: Path) -> Check:
    """The journal folds to the state it tells."""
    from engine.book.replay import fold

    book = fold(journal_of(home))
    return Check("fold", "ok", "the journal is empty" if book is None else f"the journal folds, {book.count} bars")


def disk(home: Path) -> Check:
    """Room for the journals."""
    free = shutil.disk_usage(home).free
    state: State = "bad" if free < DISK_BAD else "warning" if free < DISK_WARNING else "ok"
    return Check("disk", state, f"{free / (1 << 30):.1f} GB free under {home}")
