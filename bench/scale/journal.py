"""A desk whose journal has 0.1, 1 and 4 million events: start, verification, views, explanations, memory, backup.

Called by bench.scale.cell. The smallest is a desk of ten sleeves that lived 120 days (how many events that is, is in the
figures). The longer ones have copies of it before those days, each moved back in time as a whole, written by the journal's own
writer: a true chain whose last snapshot and last day are what a worker wrote, so a worker starts on it. Equity begins anew in
each copy: what is measured is time and memory, never money.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bench.commands import family, memory, spent, timed, until
from bench.office import api, environment_of, moved
from bench.scale import desk
from bench.scale.kept import FOLDER, Figures
from engine.book.replay import groups
from engine.clock import DAY_MS
from engine.store.chain import Event, Head
from engine.store.journal import Journal, read
from engine.watch.flows import refresh_day_sums
from engine.watch.kept_lines import keep_lines

PART = "journal"
SLEEVES = 10
SMALLEST = 100_000  # asked for: the walked desk as it is
LEFT_OUT = 40  # bars at the end, so that a start has part of a day to fold
API_WORDS = (b"api", b"app.api", b"app.processes.api_processes")
STREAMS = ("events", "/metrics")
NAMED = {
    "/api/sleeves/{name}": "/api/sleeves/btc-trend",
    "/api/sleeves/{name}/trips": "/api/sleeves/btc-trend/trips",
    "/api/desk/candles": "/api/desk/candles?sleeve=btc-trend",
    "/api/journal/{event_id}": "/api/journal/d-1000",
}


def place_of(events: str) -> Path:
    """Where the home of that size is kept between cells."""
    return FOLDER / f"journal-{events}"


def home_of(events: str) -> Path:
    """The home of that size; made again where its figures are kept and it is gone."""
    if not (place_of(events) / "journal" / "desk.jsonl").exists():
        make(events)
    return place_of(events)


def walked_home() -> Path:
    """The desk that was walked, made once."""
    home = FOLDER / "journal-walked"
    if not (home / "journal" / "walked").exists():
        quick = desk.made(desk.quick_folder() / f"nightdesk-bench-{os.getpid()}", SLEEVES, desk.LONG)
        try:
            desk.walked(quick)
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(quick, home)
            (home / "journal" / "walked").touch()
        finally:
            shutil.rmtree(quick, ignore_errors=True)
    return home


@contextmanager
def opened(home: Path) -> Iterator[Any]:
    """The home as the product opens it."""
    from app.home.home import open_home

    before, os.environ["NIGHTDESK_HOME"] = os.environ.get("NIGHTDESK_HOME"), str(home)
    try:
        yield open_home()
    finally:
        os.environ.pop("NIGHTDESK_HOME")
        os.environ.update({"NIGHTDESK_HOME": before} if before is not None else {})


def make(events: str) -> Figures:
    """The home: events, bytes, CPU s of the writer."""
    from engine.store.anchors import note_head

    source, home = walked_home(), place_of(events)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("desk.jsonl*", "walked", "*.lock"))
    lived = list(groups(read(source / "journal" / "desk.jsonl")))
    lived = lived[: [n for n, group in enumerate(lived) if group[0].kind == "bar"][-LEFT_OUT]]
    copies = max(0, round(int(events) / sum(map(len, lived))) - 1) if int(events) > SMALLEST else 0
    with opened(home) as one:
        forget_heads(one.engine)
        begun = time.process_time()
        head, days = grown(lived, one.desk_journal, copies)
        took = time.process_time() - begun
        note_head(one.engine, "desk", head, lived[-1][0].t_event_ms)
        return {"events": head.seq, "bytes": one.desk_journal.stat().st_size, "days": days, "write_s": took}


def grown(lived: Sequence[Sequence[Event]], path: Path, copies: int) -> tuple[Head, int]:
    """A journal of `copies` of the groups, each moved back in time, and of the groups as they are; (its head, days)."""
    days = -(-(lived[-1][0].t_event_ms - lived[0][0].t_event_ms) // DAY_MS)
    journal = Journal(path, "worker")
    for copy in range(copies, -1, -1):
        for n, group in enumerate(lived):
            if n or copy == copies:  # one start a journal
                at_ms = group[0].t_event_ms - copy * days * DAY_MS
                journal.append(moved(group, at_ms, journal.head.seq + 1), sync=False)
    journal.sync()
    journal.close()
    return journal.head, (copies + 1) * days


def forget_heads(engine: Any) -> None:
    """The database has seen the heads of another journal."""
    from sqlmodel import delete

    from engine.store.db import write
    from engine.store.tables import Anchor, VerifiedPrefix

    with write(engine) as session:
        session.exec(delete(Anchor))
        session.exec(delete(VerifiedPrefix))


# ---- a worker's start ----------------------------------------------------------------------------------------------------


def start(events: str, place: Path | None = None) -> Figures:
    """A worker's start: CPU s until it has folded and goes on, until the chain has verified, and its memory then."""
    home = place or home_of(events)
    log, notes = home / "bench-start.log", home / "logs" / "worker.jsonl"
    notes.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "app.processes.worker", "--bars-per-second", "0.001"]
    begun = time.perf_counter()
    with log.open("w") as out:
        worker = subprocess.Popen(command, env=environment_of(home), stdout=out, stderr=out)
    try:
        until(lambda: noted(notes, "started", worker), "the worker's start", 900, 0.05)
        started_s, wall = spent([worker.pid]), time.perf_counter() - begun
        until(lambda: noted(notes, "journal verified", worker), "the verification", 900, 0.1)
        verified_s, held = spent([worker.pid]), memory([worker.pid])
        return {"start_s": started_s, "start_wall_s": wall, "verified_s": verified_s, "worker_mb": held.proportional}
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


def noted(path: Path, what: str, worker: "subprocess.Popen[bytes]") -> bool:
    """Whether the worker's log says so."""
    if worker.poll() is not None:
        raise RuntimeError(f"the worker ended with {worker.returncode}: {path.with_name('..')}")
    return path.exists() and f'"{what}"'.encode() in path.read_bytes()


# ---- what reads it -------------------------------------------------------------------------------------------------------


def upkeep(events: str) -> Figures:
    """What the supervisor does each hour, from nothing and then again: CPU s of each."""
    from engine.store.anchors import verify_home, verify_since

    found: Figures = {}
    with opened(home_of(events)) as home:
        shutil.rmtree(home.path / "cache", ignore_errors=True)
        (home.path / "cache").mkdir()
        works = {
            "verify": lambda: verify_home(home.journal, home.engine, time.time_ns() // 1_000_000),
            "verify_again": lambda: verify_since(home.journal, home.engine),
            "day_sums": lambda: refresh_day_sums(home.path),
            "day_sums_again": lambda: refresh_day_sums(home.path),
            "kept_lines": lambda: keep_lines(home.path),
            "kept_lines_again": lambda: keep_lines(home.path),
        }
        for name, work in works.items():
            begun = time.process_time()
            said = work()
            found[f"{name}_s"] = time.process_time() - begun
            if name.startswith("verify") and not all(report.ok for report in said.values()):
                raise RuntimeError(f"the journal does not verify: {said}")
        found["cache_bytes"] = sum(path.stat().st_size for path in (home.path / "cache").iterdir())
    return found


def watch(events: str) -> Figures:
    """One look of the supervisor at the desk (each few seconds), the first and the fifth, and the checks of the hour: CPU s."""
    from engine.watch.observer import Observer

    with opened(home_of(events)) as home:
        observer, seconds = Observer(home.path, home.engine, home.desk.limits), []
        for work in [lambda: observer.observe(time.time_ns() // 1_000_000)] * 5 + [
            observer.check_identity,
            observer.look_for_dead_guards,
        ]:
            begun = time.process_time()
            work()
            seconds.append(time.process_time() - begun)
    return {"first_s": seconds[0], "later_s": seconds[4], "identity_s": seconds[5], "dead_guards_s": seconds[6]}


def views(events: str) -> Figures:
    """What the API takes for each reading route over a long journal."""
    return views_of(home_of(events))


def views_of(home: Path) -> Figures:
    """CPU s of the API for each reading route, asked for the first time and then again; its memory after all of them."""
    environment = environment_of(home)
    with opened(home) as one:  # as the supervisor does each hour
        refresh_day_sums(one.path)
        keep_lines(one.path)
    first: dict[str, float] = {}
    again: dict[str, float] = {}
    with api(environment, home / "bench-api.log") as clients:
        client = clients()
        pids = api_pids()
        for path in paths_of(client):
            seconds = []
            for _ in range(2):
                begun = spent(pids)
                response = client.http.get(path, timeout=600)
                seconds.append(spent(pids) - begun)
            if response.is_success:
                first[path], again[path] = seconds
        held = memory(pids)
    return {"first": first, "again": again, "api_mb": held.proportional}


def paths_of(client: Any) -> list[str]:
    """Every GET route that gives JSON, with names of this desk where it needs some."""
    routes = client.http.get("/openapi.json").json()["paths"]
    reading = [path for path, methods in routes.items() if "get" in methods and not any(word in path for word in STREAMS)]
    found = [NAMED.get(path, path) for path in reading]
    return [path for path in found if "{" not in path] + [
        "/api/desk/candles?sleeve=btc-trend&from_ms=0&until_ms=4000000000000",
        "/api/journal?text=stop&limit=50",
        "/api/journal?kinds=halt&limit=50",
        "/api/journal?sleeve=btc-trend&kinds=fill&limit=50",
    ]


def api_pids() -> list[int]:
    """The processes of the API that this one started, their parent too where they have one."""
    found = []
    for pid in family(os.getpid())[1:]:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        found += [pid] if any(word in API_WORDS for word in words) else []
    return found


def commands(events: str) -> Figures:
    """CPU s of commands in new processes, `nightdesk --help`-like start included; bytes of a backup."""
    home = home_of(events)
    environment, file = environment_of(home), home.with_name(f"backup-{events}.tar.zst")
    file.unlink(missing_ok=True)
    count = last_number(home / "journal" / "desk.jsonl")
    asked: dict[str, tuple[str, ...]] = {
        "status": ("status",),
        "explain_id": ("journal", "explain", f"d-{count // 2}"),
        "explain_at": ("journal", "explain", "--sleeve", "btc-trend", "--at", "2025-05-01T05:15"),
        "tail": ("journal", "tail"),
        "memory": ("memory", "search", "stop"),
        "backup": ("backup", str(file)),
    }
    found: Figures = {}
    for name, words in asked.items():
        begun = time.perf_counter()
        found[f"{name}_s"] = timed(environment, words)[0]
        found[f"{name}_wall_s"] = time.perf_counter() - begun
    found["backup_bytes"] = file.stat().st_size
    file.unlink()
    return found


def last_number(path: Path) -> int:
    """The number of the last record."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (4 << 20)))
        return int(orjson.loads(file.read().splitlines()[-1])["seq"])


CELLS = {"make": make, "start": start, "upkeep": upkeep, "watch": watch, "views": views, "commands": commands}
