"""Health checks: worker, halt, breakers, bars, journals, disk -> one line each. No model, no network.

Called by tools/desk.py (health, probe), `nightdesk status` and the observer. A check that cannot run is `unknown`, which counts
as unhealthy.
"""

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine.amounts import price_text
from engine.book.bodies import position_of
from engine.book.quiet_close import pause_text, shut_text
from engine.clock import timeframe_ms
from engine.control import halt
from engine.errors import DeskError
from engine.store.chain import Event
from engine.watch import heartbeat
from engine.watch.halt_left import lost_and_open
from engine.watch.last_closes import failing_now
from engine.watch.shadow_journal import place_of
from engine.watch.window import FAR_MS, between, instruments_of, journal_of, mark_at, start_of

State = Literal["ok", "warning", "bad", "unknown"]
NONE_THERE = "the venue holds 0 lots of "  # how engine/live/reconcile.py begins it
DISK_BAD, DISK_WARNING = 100 << 20, 1 << 30  # bytes free
LOOKS = 5  # at the kernel's list of locks, before a lock counts as free
SILENT_MS = 30_000
STARTING_MS = 180_000  # without a heartbeat of its own, from its start: it folds the journal and reads the bars first
NOT_KNOWN = "not known: records are missing at the journal's end"
SILENT_BARS = 3  # this many consecutive bars without a price of an instrument are a warning


class HealthCheck(NamedTuple):
    """The result of one check."""

    name: str
    state: State
    text: str
    event: str = ""  # id of the journal event that shows it


def checks(home: Path, engine: Any, now_ms: int, *, full: bool = False) -> list[HealthCheck]:
    """All checks, most urgent first. `full` verifies both journals from end to end; `now_ms` is wall time.

    Where the journal has lost its end, nothing that its last mark says is taken for what is.
    """
    mark, lost = mark_at(journal_of(home)), lost_and_open(home)
    of_mark = {
        "breakers": lambda: breakers(mark),
        "sleeves": lambda: sleeves(mark),
        "strategies": lambda: strategies(home, mark),
        "protective orders": lambda: positions(mark, instruments_of(journal_of(home))),
        "bars": lambda: bars(home, mark),
    }
    found = {
        "halt": lambda: halt_latch(home, engine),
        "worker": lambda: worker(home, now_ms),
        **({name: partial(HealthCheck, name, "unknown", NOT_KNOWN) for name in of_mark} if lost else of_mark),
        "journals": lambda: (
            HealthCheck("journals", "bad", lost) if lost else journals(home, engine) if full else journal_ends(home)
        ),
        "disk": lambda: disk(home),
    }
    return [run_check(name, check) for name, check in found.items()]


def run_check(name: str, check: Any) -> HealthCheck:
    """The result of `check`, or `unknown` when it failed to run."""
    try:
        return check()  # type: ignore[no-any-return]  # every one returns a HealthCheck
    except (OSError, DeskError, KeyError, ValueError, TypeError) as error:
        return HealthCheck(
            name, "unknown", f"{name} could not be checked: {error if isinstance(error, DeskError) else type(error).__name__}"
        )


def halt_latch(home: Path, engine: Any) -> HealthCheck:
    """The latch: file and database."""
    latch = halt.read(home, engine)
    if latch.halted:
        return HealthCheck(
            "halt", "bad", f"the desk is HALTED by {latch.by or 'an unknown actor'}: {latch.reason} ({' and '.join(latch.where)})"
        )
    return HealthCheck("halt", "ok", "no halt")


def worker(home: Path, now_ms: int) -> HealthCheck:
    """Whether a worker holds the desk journal, and how old its heartbeat is."""
    pid = worker_pid(home)
    if pid is None:
        return HealthCheck(
            "worker", "bad", "no worker is running: nothing trades and no order is managed (start it: nightdesk up)"
        )
    try:
        beat = json.loads((home / heartbeat.FILE).read_text(encoding="utf-8"))
        age, beat_ms, phase, note = (
            heartbeat.age_of(beat, now_ms),
            int(beat["wall_ms"]),
            str(beat["phase"]),
            str(beat.get("note") or ""),
        )
    except FileNotFoundError:
        return HealthCheck("worker", "ok", f"the worker runs (process {pid})")
    who, most_ms = f"the worker (process {pid})", SILENT_MS
    if pid and beat.get("pid") not in (None, pid):  # an earlier worker's: this one has just begun, and is silent since then
        since_ms = max(beat_ms * (beat_ms <= now_ms), heartbeat.began_ms(pid) or 0)
        age, phase, note, most_ms = heartbeat.Age(now_ms - since_ms, None), "starting", "", STARTING_MS
    if age.silent_ms > most_ms:
        return HealthCheck("worker", "bad", f"{who} hangs: no heartbeat for {age.silent_ms // 1000} s")
    if -age.silent_ms > SILENT_MS:  # a clock that was put back would hide a silence of as long
        ahead = f"its heartbeat is {-age.silent_ms // 1000} s ahead of this clock"
        return HealthCheck("worker", "bad", f"{who} hangs since the clock was put back, or has another: {ahead}")
    runs = f"the worker runs (process {pid}), {phase}{': ' if note else ''}{note}"
    if abs(behind_ms := age.behind_ms or 0) > SILENT_MS:
        way = "behind" if behind_ms > 0 else "ahead of"
        return HealthCheck("worker", "warning", f"{runs}; its clock is {round(abs(behind_ms) / 1000)} s {way} this one")
    return HealthCheck("worker", "ok", runs)


def worker_pid(home: Path) -> int | None:
    """The process that writes the desk journal; None when none does. It locks desk.lock and the journal itself: a deleted
    lock file hides nobody.
    """
    found = (holder(home / "journal" / name) for name in ("desk.lock", "desk.jsonl"))
    return next((pid for pid in found if pid is not None), None)


def holder(lock: Path) -> int | None:
    """The process that holds a lock file, found without touching the lock; None when none does.

    The kernel's list skips entries while other processes lock and unlock (2 % of looks under load, measured), so a lock that
    is not found is looked for again.
    """
    try:
        inode = str(lock.stat().st_ino)
        for _ in range(LOOKS):
            for line in lock_list():
                words = line.split()
                if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                    return max(int(words[4]), 0)
    except FileNotFoundError:
        return None
    return None


def lock_list() -> list[str]:
    """The kernel's list of file locks."""
    return Path("/proc/locks").read_text().splitlines()


def breakers(mark: Event | None) -> HealthCheck:
    """Latched breakers of the desk."""
    if mark is None:
        return HealthCheck("breakers", "ok", "no bar decided yet")
    tripped = mark.body.get("tripped") or []
    if tripped:
        return HealthCheck("breakers", "bad", f"tripped and latched: {', '.join(tripped)}", mark.id)
    return HealthCheck("breakers", "ok", "no desk breaker is tripped", mark.id)


def sleeves(mark: Event | None) -> HealthCheck:
    """Sleeves that take no entries now, and why."""
    states = {} if mark is None else mark.body["sleeves"]
    blocked = {} if mark is None else mark.body.get("blocked", {})
    off = [f"no sleeve enters: {what}, {why}" for what, why in blocked.items()]
    names = {} if mark is None else mark.body.get("off", {})
    off += [f"sleeves of {name} enter nothing, it is not traded: {why}" for name, why in names.items()]
    off += [f"{name} is {pause_text(s)}" for name, s in states.items() if s.get("paused")]
    off += [f"{name} is paused after a loss streak or too many entries" for name, s in states.items() if s.get("paused_until_ms")]
    off += [f"{name} is blocked by its daily loss limit" for name, s in states.items() if s.get("blocked_until_ms")]
    off += [f"{name} has {shut_text(s['shut_until_ms'])}" for name, s in states.items() if s.get("shut_until_ms")]
    return HealthCheck("sleeves", "warning" if off else "ok", "; ".join(off) or "every sleeve may enter", mark.id if mark else "")


def strategies(home: Path, mark: Event | None) -> HealthCheck:
    """Whether each strategy said something at its last close; bad where none does."""
    path = journal_of(home)
    config = next((event.body for event in between(path, -1, FAR_MS, {"config"})), {})
    failing = failing_now(path, mark, config)
    if not failing:
        return HealthCheck("strategies", "ok", "every strategy answers" if mark else "no strategy was asked yet")
    text = "; ".join(f"the strategy of {name} says nothing: {why[:120]}" for name, why in sorted(failing.items()))
    everyone = len(failing) == len(config.get("sleeves", ()))
    return HealthCheck("strategies", "bad" if everyone else "warning", text[:600], mark.id if mark else "")


def layers_of(mark: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """(sleeve, layer) of every open layer in the mark."""
    states = {} if mark is None else mark.body["sleeves"]
    return [(name, layer) for name, s in states.items() for layer in (s.get("position") or {}).get("layers", [])]


def unprotected_layers(mark: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """(sleeve, layer) of the open layers that neither a protective order nor an exit at the market covers at the venue."""
    return [(name, layer) for name, layer in layers_of(mark) if not is_covered(layer)]


def is_covered(layer: Mapping[str, Any]) -> bool:
    """Whether an order at the venue ends this layer: its protective order, also one filled in part, or the exit that is due."""
    leaves = layer.get("due") is not None and layer.get("exit_state", "working") in ("sent", "working", "partial")
    return leaves or layer["protective_state"] in ("working", "partial")


def bare_text(layer: Mapping[str, Any]) -> str:
    """Why the stop that is wanted is not at the venue: ` NOT WORKING (rejected)`, dust, not moved there; "" where it is."""
    if layer.get("dust"):
        return f" not at the venue: dust, it takes no order below {layer['dust']} lots"
    if "stop_at" in layer and is_covered(layer):
        there = f"{price_text(layer['stop_at'])} for {layer['stop_lots']} of {layer['lots']} lots"
        return f" NOT MOVED: at the venue it is at {there}"
    return "" if is_covered(layer) else f" NOT WORKING ({layer['protective_state']})"


def unmoved_layers(mark: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """(sleeve, layer) of the open layers whose protective order the venue refuses to move to its level or lots."""
    return [(name, layer) for name, layer in layers_of(mark) if "stop_at" in layer]


def nothing_there(mark: Event | None, places: Mapping[str, str]) -> dict[str, str]:
    """Sleeve -> the difference that says that its venue holds nothing of its instrument; `places`: sleeve -> instrument."""
    differs = {} if mark is None else mark.body.get("differs", {})
    found = {name: str(differs.get(position_of(instrument), "")) for name, instrument in places.items()}
    return {name: text for name, text in found.items() if text.startswith(NONE_THERE)}


def positions(mark: Event | None, places: Mapping[str, str]) -> HealthCheck:
    """Each open layer has a working protective order, where it should be; of what the venue does not hold none is wanted.

    `places`: sleeve -> instrument (engine.watch.window.instruments_of).
    """
    none_there = nothing_there(mark, places)
    layers = [(name, layer) for name, layer in layers_of(mark) if name not in none_there]
    if bare := [name for name, layer in layers if not is_covered(layer)]:
        names = dict.fromkeys(bare)
        return HealthCheck("protective orders", "bad", f"position without a working protective order: {', '.join(names)}")
    if stuck := [(name, layer) for name, layer in unmoved_layers(mark) if name not in none_there]:
        names = dict.fromkeys(f"{name} (at {layer['stop_at']}, not {layer['protective']})" for name, layer in stuck)
        return HealthCheck("protective orders", "bad", f"the venue refuses to move the stop of {', '.join(names)}")
    text = "no open position" if not none_there else f"none wanted: {'; '.join(none_there.values())} (nightdesk reconcile)"
    if layers:
        text = f"{len(layers)} open layer{'s, each' if len(layers) > 1 else ','} with its protective order"
    return HealthCheck("protective orders", "ok", text, mark.id if mark else "")


def bars(home: Path, mark: Event | None) -> HealthCheck:
    """Whether the last bars had prices, in desk time."""
    if mark is None:
        return HealthCheck("bars", "unknown", "no bar decided yet")
    names, last = silent_instruments(home, mark)
    if names:
        return HealthCheck("bars", "warning", f"no price for {SILENT_BARS} bars: {', '.join(names)}", last)
    return HealthCheck("bars", "ok", "the last bars are complete" if last else "no bar yet", last)


def silent_instruments(home: Path, mark: Event) -> tuple[list[str], str]:
    """(columns without a price at the last SILENT_BARS closes of their own timeframe, id of the last bar event or "").

    One whose instrument is off is left out: that is said already. A column of a longer timeframe than the clock's
    (`instrument@4h`) is in the bars that close it, and in no other.
    """
    path = journal_of(home)
    start = start_of(path)
    step = int(start.get("timeframe_ms", 0))
    last = _closes(path, mark.t_event_ms, step)
    if not last:
        return [], ""
    own = {
        str(name): _closes(path, mark.t_event_ms, timeframe_ms(str(name).partition("@")[2])) for name in start.get("own_bars", ())
    }
    seen = {name: last for name in last[-1].body["bars"] if name not in own} | own
    traded = {name: bars for name, bars in seen.items() if name.partition("@")[0] not in mark.body.get("off", {})}
    return [name for name, bars in traded.items() if _without_price(name, bars)], last[-1].id


def _closes(path: Path, at_ms: int, step_ms: int) -> list[Event]:
    """The `bar` events of the last SILENT_BARS closes of a timeframe up to `at_ms`, each found by its time."""
    newest = at_ms - at_ms % step_ms
    found = (
        next(between(path, ms - 1, ms, {"bar"}), None) for ms in range(newest - (SILENT_BARS - 1) * step_ms, newest + 1, step_ms)
    )
    return [event for event in found if event is not None]


def _without_price(name: str, bars: list[Event]) -> bool:
    """Whether all of SILENT_BARS bars have the column, and none its price."""
    rows = [event.body["bars"][name] for event in bars if name in event.body["bars"]]
    return len(rows) == SILENT_BARS and all(None in row[:5] for row in rows)


def journal_ends(home: Path) -> HealthCheck:
    """The ends of both journals: the last complete group of each carries a valid hash."""
    from engine.store.opened import head_of

    found = []
    for name in ("desk", "people"):
        path = home / "journal" / f"{name}.jsonl"
        if path.exists():
            found.append(f"{name} ends at {head_of(path).id or 'nothing'}")
    return HealthCheck("journals", "ok", "; ".join(found) or "no journal yet")


def journals(home: Path, engine: Any, *, since: bool = False, note_ms: int | None = None) -> HealthCheck:
    """Both journals from end to end, against each other, the database and the handovers; beside them that of shadows of models,
    where there is one, by itself: no trade rests on it, so that a break there is a warning.

    With `since` only the records added since the last full verification are walked; the bytes before them are compared with
    their digest. With `note_ms` (wall time) a successful verification is recorded.
    """
    from engine.store.anchors import verify_apart, verify_home, verify_since

    reports = (verify_since if since else verify_home)(home / "journal", engine, note_ms)
    broken = [f"{name} line {r.line}: {r.reason}" for name, r in reports.items() if not r.ok]
    if broken:
        return HealthCheck("journals", "bad", f"the journal does not verify: {'; '.join(broken)}")
    shadows = place_of(home)
    if shadows.exists():
        reports["models"] = report = verify_apart(shadows, engine, since=since, note_ms=note_ms)
        if not report.ok:
            return HealthCheck("journals", "warning", f"models line {report.line}: {report.reason} (shadows of models alone)")
    return HealthCheck("journals", "ok", ", ".join(f"{name}: {r.rows} records verified" for name, r in reports.items()))


def journal_fold(home: Path) -> HealthCheck:
    """The journal folds to the state in its own rows."""
    from engine.book.replay import fold

    book = fold(journal_of(home))
    return HealthCheck("fold", "ok", "the journal is empty" if book is None else f"the journal folds, {book.count} bars")


def disk(home: Path) -> HealthCheck:
    """Room for the journals."""
    free = shutil.disk_usage(home).free
    state: State = "bad" if free < DISK_BAD else "warning" if free < DISK_WARNING else "ok"
    return HealthCheck("disk", state, f"{free / (1 << 30):.1f} GB free under {home}")
