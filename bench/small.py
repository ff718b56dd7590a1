"""`python -m bench small [MINUTES]`: a whole desk on one CPU and 4 GB for ten minutes from its start, the page open in a browser.

Three sleeves trade an account at a local venue over sockets on bars of 15 s: sixty times the closes of a 15m desk.
Venue and browser are outside the limits, everything that `nightdesk up` starts is inside: a control group with a quota of one CPU
and 4 GB, or, where none can be written, one CPU by its affinity and an address space of 4 GB a process. CPU is what the kernel
charged (control group, or utime and stime of the living), start-up included; other work on the machine is not in it.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.commands import NIGHTDESK, memory, spent, until
from bench.office import environment_of, ready
from bench.soak import kin
from bench.socket_homes import KEYS, SECOND_BARS, TradedPlace, written
from bench.verdicts import Verdicts
from engine.clock import LOCAL_MS
from engine.errors import DataError
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.exchange.by_the_clock import Standing, standing, two_fast, wall_ms
from tests.fakes.exchange.market import MINUTE_MS, Market, seeded_walk
from tests.fakes.exchange.stage import ETH
from tests.fakes.live_feeds import joined

MINUTES, EVERY_S = 10.0, 5.0
MEMORY_BYTES, RESIDENT_MB_MAX, SHARE_MAX = 4 << 30, 1_500, 30.0
PAST_HOURS = 26
GROUPS = Path("/sys/fs/cgroup")
NAME = f"nightdesk-small-{os.getpid()}"
SOL = ETH._replace(name="SOL")
PLAN = {**SECOND_BARS, "turns": TradedPlace("SOL", "0.001", 0.4, "stop_atr = 1.5, target_atr = 3.0", 4)}


class SmallMachine(NamedTuple):
    """How the desk is kept small: in words, what its first process does before it becomes the desk, and CPU s charged so far."""

    words: str
    enter: Callable[[], None]
    charged: Callable[[int], float]


def grouped(folders: Mapping[Path, Mapping[str, str]], charged: Callable[[], float]) -> SmallMachine | None:
    """By control groups: {folder: {file: value}}; None where one cannot be made or set."""
    try:
        for folder, values in folders.items():
            folder.mkdir()
            for name, value in values.items():
                (folder / name).write_text(value)
    except OSError:
        remove(folders)
        return None

    def enter() -> None:
        for folder in folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    return SmallMachine("a control group: one CPU by quota, 4 GB", enter, lambda _pid: charged())


def remove(folders: Mapping[Path, Mapping[str, str]]) -> None:
    """Remove the groups that exist."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def groups() -> Mapping[Path, Mapping[str, str]]:
    """The control groups of one CPU and 4 GB, for either version of the kernel's interface."""
    if (GROUPS / "cgroup.controllers").exists():
        return {GROUPS / NAME: {"cpu.max": "100000 100000", "memory.max": str(MEMORY_BYTES)}}
    return {
        GROUPS / "cpu" / NAME: {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"},
        GROUPS / "cpuacct" / NAME: {},
        GROUPS / "memory" / NAME: {"memory.limit_in_bytes": str(MEMORY_BYTES)},
    }


def charged_s() -> float:
    """CPU s of the group so far, of its processes that have ended, too."""
    old = GROUPS / "cpuacct" / NAME / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / 1e9
    words = (GROUPS / NAME / "cpu.stat").read_text().split()
    return int(words[words.index("usage_usec") + 1]) / 1e6


def pinned() -> SmallMachine:
    """Without control groups."""

    def enter() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    return SmallMachine("one CPU by affinity, 4 GB of address space a process", enter, lambda pid: spent(kin(pid)))


@contextmanager
def limited() -> Generator[SmallMachine, None, None]:
    """The best limits that this machine allows; groups are removed at the end."""
    folders = groups()
    try:
        yield grouped(folders, charged_s) or pinned()
    finally:
        remove(folders)


@contextmanager
def desk(environment: Mapping[str, str], limits: SmallMachine, log: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    """`nightdesk up` inside the limits until the block is left."""
    with log.open("w") as out:
        up = subprocess.Popen(
            [str(NIGHTDESK), "up"],
            env=dict(environment),
            stdout=out,
            stderr=out,
            preexec_fn=limits.enter,  # noqa: PLW1509 - it writes files and sets limits, and takes no lock
        )
    try:
        yield up
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


@contextmanager
def opened(environment: Mapping[str, str]) -> Generator[str, None, None]:
    """The page in a real browser, where there is one; in words."""
    from tests.app.ui.browsers import CHROMIUM

    if CHROMIUM is None:
        yield "no browser on this machine: the page is served to nobody"
        return
    from playwright.sync_api import sync_playwright

    done = subprocess.run(
        [str(NIGHTDESK), "login", "--as", "bench"], env=dict(environment), capture_output=True, text=True, check=True
    )
    link = next(word for word in done.stdout.split() if word.startswith("http"))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.goto(link)
        page.locator(".st-key-head").wait_for()
        yield "the page open in Chromium"
        chromium.close()


def three(past_hours: int, future_hours: int) -> dict[str, Market]:
    """BTC, ETH and a third coin, whose bars close every 15 s."""
    found = two_fast(past_hours, future_hours)
    every = LOCAL_MS // 6
    start = wall_ms() // MINUTE_MS * MINUTE_MS - past_hours * 3_600_000
    walk = seeded_walk(5, start, 300_000, (past_hours + future_hours) * 3_600_000 // every, every)
    return found | {SOL.name: Market(SOL, joined(walk, LOCAL_MS), least_ms=LOCAL_MS)}


def measured(folder: Path, minutes: float, limits: SmallMachine, at: Standing, venue: str, table: Verdicts) -> None:
    """One run."""
    home = folder / "home"
    written(home, venue, at, PLAN)
    environment = environment_of(home, **KEYS, XDG_STATE_HOME=str(folder / "state"))
    with desk(environment, limits, folder / "up.log") as up:
        begun, held = time.monotonic(), [memory(kin(up.pid))]
        until(ready(environment), "API and page", 300)
        with opened(environment) as how:
            until(lambda: heartbeat_of(home).get("phase") == "running", "the worker", 300)
            started_s, charged = time.monotonic() - begun, limits.charged(up.pid)
            while time.monotonic() - begun < 60 * minutes:
                time.sleep(EVERY_S)
                if up.poll() is not None:
                    raise DataError(f"the desk ended with {up.returncode}", (folder / "up.log").read_text()[-500:])
                with suppress(OSError):  # a process of the list has ended meanwhile: the next look has it
                    held.append(memory(kin(up.pid)))
            took, whole, parts = time.monotonic() - begun, limits.charged(up.pid), by_part(up.pid)
        beat = heartbeat_of(home)
    most = max(held, key=lambda one: one.resident)
    table.table.title = f"{table.table.title}: {limits.words}; {how}"
    table.add(f"all processes, most resident in {minutes:g} minutes", most.resident, "MB", RESIDENT_MB_MAX, most.note())
    table.add("CPU from the start on, start-up included", 100 * whole / took, "% of the core", SHARE_MAX)
    table.add("CPU once everything runs", 100 * (whole - charged) / (took - started_s), "% of the core", SHARE_MAX)
    table.add("until everything runs", started_s, "s")
    for name, (resident, cpu) in parts.items():
        table.add(f"{name}", resident, "MB", None, f"{resident:.0f} MB, {cpu:.1f} s of CPU")
    table.add("closes decided on", float(beat.get("bars") or 0), "bars", None, f"{beat.get('bars')}, state {beat.get('state')}")


def by_part(root: int) -> dict[str, tuple[float, float]]:
    """(resident MB, CPU s so far) of each process, by what it is."""
    names = {
        "app.processes.supervisor": "supervisor",
        "app.processes.worker": "worker",
        "isolated.serve": "strategies",
        "app.api": "API",
        "app.processes.page": "page",
    }
    found: dict[str, tuple[float, float]] = {}
    for pid in kin(root):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            name = next((shown for part, shown in names.items() if part in words), "jobs")
            resident, cpu = found.get(name, (0.0, 0.0))
            found[name] = (resident + memory([pid]).resident, cpu + spent([pid]))
    return found


def small(words: list[str]) -> None:
    """Print the table."""
    minutes = float(words[0]) if words else MINUTES
    table = Verdicts("A whole desk on a small machine")
    with tempfile.TemporaryDirectory() as name, limited() as limits, standing("bybit", PAST_HOURS, 2, three) as at:
        measured(Path(name), minutes, limits, at, "bybit", table)
    table.show()


if __name__ == "__main__":
    small(sys.argv[1:])
