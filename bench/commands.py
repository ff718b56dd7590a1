"""What a person waits for and what a desk costs while it runs: whole commands in new processes, CPU and wall seconds, memory.

Called by `python -m bench`. Everything happens in a temporary home; recorded bars are used when NIGHTDESK_DATA names some.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from bench.verdicts import Verdicts
from bench.work import cpu_s
from engine.data.catalog import Catalog
from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.sim import leaks
from engine.strategies.base import SHIPPED, load_strategy

NIGHTDESK = Path(sys.executable).with_name("nightdesk")
TICK = os.sysconf("SC_CLK_TCK")
READY_S, SETTLED_S, WATCHED_S = 90.0, 10.0, 20.0
QUARTER_MS = 900_000
ASKED = ("chat", "--role", "operator", "What are my positions?")
PAST_IMPORTS = """
import sys, time
from app.cli import main
main.load_groups()
for _ in range(2):  # the first turn imports, the second is what a turn costs
    begun = time.process_time()
    sys.argv[1:] = {words!r}
    try:
        main.app(standalone_mode=False)
    except SystemExit:
        pass
    spent = time.process_time() - begun
print(f"SPENT {{spent}}")
"""


def timed(environment: dict[str, str], words: Sequence[str]) -> tuple[float, float]:
    """(CPU s with all its children, wall s) of one `nightdesk` command; DataError when it fails."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(NIGHTDESK), *words], env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise DataError(f"nightdesk {' '.join(words)} failed", done.stderr.strip()[-300:])
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def past_imports(environment: dict[str, str]) -> float:
    """CPU s of a chat turn when everything is imported."""
    script = PAST_IMPORTS.format(words=list(ASKED))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("SPENT ")), None)
    if line is None:
        raise DataError("the chat turn did not finish", done.stderr.strip()[-300:])
    return float(line.split()[1])


def family(root: int) -> list[int]:
    """The process and all its descendants."""
    found = [root]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        found += [int(x) for x in children.read_text().split()] if children.exists() else []
    return found


def spent(pids: Sequence[int]) -> float:
    """CPU s of the processes so far."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids)
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICK


class ProcessMemory(NamedTuple):
    """MB of processes, of pages counted one by one (smaps_rollup; the quick counters of stat and status lag behind)."""

    resident: float  # a page that two of them share counts twice
    proportional: float  # a page counts once, shared among whoever maps it, other desks of this machine too
    own: float  # anonymous pages alone: no file behind them, the figure that no cache of the machine moves

    def note(self) -> str:
        """In words."""
        return f"{self.resident:.0f} MB (proportional {self.proportional:.0f}, anonymous {self.own:.0f})"


def memory(pids: Sequence[int]) -> ProcessMemory:
    """What the processes hold together."""
    kb = {"Rss": 0, "Pss": 0, "Anonymous": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            if name in kb:
                kb[name] += int(rest.split()[0])
    return ProcessMemory(*(1024 * kb[name] / 1e6 for name in ("Rss", "Pss", "Anonymous")))


def engine_of(root: int) -> list[int]:
    """Supervisor and worker among the family: what trades and watches, without API and page."""
    return [root, *(pid for pid in family(root) if b"app.processes.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())]


def at_rest(environment: dict[str, str], log: Path) -> tuple[float, ProcessMemory, float]:
    """(s to ready, memory, share of a core) of supervisor and worker after their replay, at one bar a second."""
    begun = time.perf_counter()
    with log.open("w") as out:
        desk = subprocess.Popen([str(NIGHTDESK), "up"], env=environment, stdout=out, stderr=out)
    try:
        while "going on at" not in log.read_text():
            if desk.poll() is not None or time.perf_counter() - begun > READY_S:
                raise DataError("the desk did not come up", log.read_text()[-300:])
            time.sleep(0.2)
        ready = time.perf_counter() - begun
        time.sleep(SETTLED_S)
        first, begun = spent(engine_of(desk.pid)), time.perf_counter()
        time.sleep(WATCHED_S)
        share = (spent(engine_of(desk.pid)) - first) / (time.perf_counter() - begun)
        return ready, memory(engine_of(desk.pid)), share
    finally:
        desk.send_signal(signal.SIGTERM)
        desk.wait(30)


def listing_s(folder: Path) -> float:
    """CPU s of a look at all files under a folder, imports apart."""
    Catalog([(folder, "recorded")])
    return cpu_s(lambda: Catalog([(folder, "recorded")]).series())[0]


def leaks_s(folder: Path) -> float:
    """CPU s of the look-ahead check of the slowest shipped strategy on a recorded year."""
    bars = pl.read_parquet(folder / "ohlcv" / "binance_SOL-USDT_perp_15m.parquet").tail(35_040)
    columns = (bars[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
    frame = FeatureFrame((np.arange(len(bars)) + 1) * QUARTER_MS, *columns, QUARTER_MS)
    modules = [load_strategy(name) for name in SHIPPED]
    return max(cpu_s(lambda m=module: leaks.check(m, m.Params(), frame))[0] for module in modules)


def commands() -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-bench-"))
    environment = {**os.environ, "NIGHTDESK_HOME": str(folder / "home")}
    recorded = environment.get("NIGHTDESK_DATA")
    table = Verdicts(f"Commands in new processes, {'recorded' if recorded else 'synthetic'} bars")
    try:
        ready, held, share = at_rest(environment, folder / "up.log")
        span = ("--from", "2025", "--to", "2026") if recorded else ()
        year = ("backtest", "trend", "--symbol", "BTC-USDT", "--fresh", *span)
        timed(environment, year)  # the leaks check of files and the kernel's load are warm from here on
        cpu, wall = timed(environment, year)
        table.add("backtest of a year of 15m bars", cpu, "s CPU", 4, f"{cpu:.2f} s CPU, {wall:.2f} s")
        cpu, wall = timed(environment, ASKED)
        table.add("offline chat answer without a backtest", cpu, "s CPU", 4, f"{cpu:.2f} s CPU, {wall:.2f} s")
        table.add("the same past imports", past_imports(environment), "s CPU", 0.5)
        table.add("fresh home to a replayed desk", ready, "s")
        table.add("supervisor and worker, resident, shared pages in both", held.resident, "MB", 300, held.note())
        table.add("supervisor and worker, one bar a second", 100 * share, "% of a core", 3)
        if recorded:
            table.add("a look at all recorded files", listing_s(Path(recorded)), "s CPU", 0.3)
            table.add("look-ahead check of a recorded year", leaks_s(Path(recorded)), "s CPU", 1.5)
        table.show()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def until(ready: Callable[[], bool], what: str, most_s: float = READY_S, pause_s: float = 0.01) -> None:
    """Wait for something; DataError when it does not come."""
    deadline = time.perf_counter() + most_s
    while not ready():
        if time.perf_counter() > deadline:
            raise DataError(f"{what} did not come in {most_s:g} s", "run `nightdesk up` by hand and read what it says")
        time.sleep(pause_s)
