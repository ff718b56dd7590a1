"""A paper desk of 1, 3, 10 and 50 sleeves: CPU of a bar and memory of its worker. Called by bench.scale.cell and
bench.scale.journal. Fifty are a `trend` on each of 50 symbols, the others two strategies on the shipped five.

The worker is the real process, which walks a synthetic market to its end as fast as it can: a bar's cost is the difference of two
walks, of 60 and 120 days, so that start, imports and replay are in neither. Homes are in memory (/dev/shm) where there is such a
folder: each bar is synced, and a busy disk would be waited for; what the sync itself costs the kernel is then not counted.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bench.commands import family, memory
from bench.scale.kept import FOLDER, Figures
from engine.clock import DAY_MS
from engine.data.synthetic import write_synthetic
from engine.errors import DataError

PART = "desk"
BAR_MS, FROM_MS, SEED = 900_000, 1_735_689_600_000, 4
BEFORE_DAYS, SHORT, LONG = 30, 60, 120  # a month warms the features; of the walk the first month is the replay
MANY, FEW_DAYS = 10, (6, 16)  # a desk of more sleeves than this walks so many days: its bars are dearer, not rarer
STRATEGIES = ("trend", "reversion")
SAMPLE_S = 1.0
WALK_S = 1_500.0


def coins(count: int) -> list[str]:
    """The symbols that a desk of so many sleeves trades."""
    from bench.scale.market import symbols

    return symbols(5 if count <= len(STRATEGIES) * 5 else count)


def desk_toml(count: int) -> str:
    """A desk of so many sleeves: `trend` on each coin, then `reversion`."""
    from app.home.desk_template import Start, text_of
    from bench.scale.market import figures_of

    names = coins(count)
    every = [Start(f"{symbol.partition('-')[0].lower()}-{s}", s, symbol) for s in STRATEGIES for symbol in names]
    own = {symbol: figures_of(symbol) for symbol in names if symbol.startswith("C0")}
    tables = [
        f'[instruments."synthetic:{symbol}:perp"]\n' + "".join(f"{key} = {value!r}\n" for key, value in figures.items())
        for symbol, figures in own.items()
    ]
    return "\n".join([text_of("synthetic", "a bench", every[:count]), *tables])


def quick_folder() -> Path:
    """Where a sync costs no wait, if there is such a place."""
    memory_folder = Path("/dev/shm")  # noqa: S108 - each home in it has a name of this process and is private
    return memory_folder if os.access(memory_folder, os.W_OK) else FOLDER


def made(home: Path, count: int, days: int) -> Path:
    """A home of that desk with its bars, not started yet."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    bars = (BEFORE_DAYS + days) * DAY_MS // BAR_MS
    write_synthetic(home / "data" / "synthetic", coins(count), "15m", BAR_MS, FROM_MS, bars, SEED)
    (home / "desk.toml").write_text(desk_toml(count))
    return home


def walked(home: Path) -> Figures:
    """The worker's walk to the end of its bars: CPU s with the strategy process, the most MB, MB at its end."""
    from bench.office import environment_of

    log, most, last = home / "bench.log", 0.0, 0.0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-P", "-m", "app.processes.worker", "--bars-per-second", "100000", "--stop-at-end"]
    with log.open("w") as out:
        worker = subprocess.Popen(command, env=environment_of(home), stdout=out, stderr=out)
        deadline = time.monotonic() + WALK_S
        while worker.poll() is None:
            with suppress(OSError, ValueError):  # a process ends while it is looked at
                last = memory(family(worker.pid)).proportional
                most = max(most, last)
            if time.monotonic() > deadline:
                worker.kill()
                break
            time.sleep(SAMPLE_S)
    if worker.wait() != 0:
        raise DataError("the worker did not end its walk", log.read_text()[-300:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "most_mb": most, "end_mb": last}


def bars(count: str) -> Figures:
    """The two walks of a desk of `count` sleeves."""
    found, bar_counts, events, size = [], [], [], 0
    for days in (SHORT, LONG) if int(count) <= MANY else FEW_DAYS:
        home = made(quick_folder() / f"nightdesk-bench-{os.getpid()}", int(count), days)
        try:
            found.append(walked(home))
            lines = (home / "journal" / "desk.jsonl").read_bytes()
            size, number = len(lines), lines.count(b"\n")
            events.append(number)
            bar_counts.append(lines.count(b'"kind":"bar"'))
        finally:
            shutil.rmtree(home, ignore_errors=True)
    short, long = found
    count_bars = bar_counts[1] - bar_counts[0]
    return {
        "bar_ms": 1000 * (long["cpu_s"] - short["cpu_s"]) / count_bars,
        "start_s": short["cpu_s"] - (long["cpu_s"] - short["cpu_s"]) / count_bars * bar_counts[0],
        "most_mb": long["most_mb"],
        "end_mb": long["end_mb"],
        "events_a_bar": (events[1] - events[0]) / count_bars,
        "bytes_an_event": size / events[1],
    }


CELLS = {"bars": bars}
