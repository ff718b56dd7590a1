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
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.errors import DataError

NIGHTDESK = Path(sys.executable).with_name("nightdesk")
TICK = os.sysconf("SC_CLK_TCK")
READY_S, WATCHED_S = 90.0, 20.0
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


def cost(pids: Sequence[int]) -> tuple[float, float]:
    """(resident MB, CPU s so far) of the processes."""
    memory = seconds = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / TICK
        memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return memory, seconds


def engine_of(root: int) -> list[int]:
    """Supervisor and worker among the family: what trades and watches, without API and page."""
    return [root, *(pid for pid in family(root) if b"app.processes.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())]


def at_rest(environment: dict[str, str], log: Path) -> tuple[float, float, float]:
    """(s to ready, resident MB, share of a core) of supervisor and worker after their replay, at one bar a second."""
    begun = time.perf_counter()
    with log.open("w") as out:
        desk = subprocess.Popen([str(NIGHTDESK), "up"], env=environment, stdout=out, stderr=out)
    try:
        while "going on at" not in log.read_text():
            if desk.poll() is not None or time.perf_counter() - begun > READY_S:
                raise DataError("the desk did not come up", log.read_text()[-300:])
            time.sleep(0.2)
        ready = time.perf_counter() - begun
        time.sleep(2.0)
        _, first = cost(engine_of(desk.pid))
        time.sleep(WATCHED_S)
        memory, last = cost(engine_of(desk.pid))
        return ready, memory, (last - first) / WATCHED_S
    finally:
        desk.send_signal(signal.SIGTERM)
        desk.wait(30)


def commands() -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-bench-"))
    environment = {**os.environ, "NIGHTDESK_HOME": str(folder / "home")}
    recorded = "recorded bars" if environment.get("NIGHTDESK_DATA") else "synthetic bars"
    table = Table(title=f"Commands in new processes, {recorded}")
    for name in ("what", "measured", "wanted"):
        table.add_column(name, justify="right" if name != "what" else "left")
    try:
        ready, memory, share = at_rest(environment, folder / "up.log")
        span = ("--from", "2025", "--to", "2026") if environment.get("NIGHTDESK_DATA") else ()
        year = ("backtest", "trend", "--symbol", "BTC-USDT", "--fresh", *span)
        timed(environment, year)  # the leaks check of files and the kernel's load are warm from here on
        cpu, wall = timed(environment, year)
        table.add_row("backtest of a year of 15m bars", f"{cpu:.2f} s CPU, {wall:.2f} s", "4 s")
        cpu, wall = timed(environment, ASKED)
        table.add_row("offline chat answer without a backtest", f"{cpu:.2f} s CPU, {wall:.2f} s", "4 s")
        table.add_row("the same past imports", f"{past_imports(environment):.2f} s CPU", "0.5 s")
        table.add_row("fresh home to a replayed desk", f"{ready:.1f} s", "-")
        table.add_row("supervisor and worker, resident", f"{memory:.0f} MB", "300 MB")
        table.add_row("supervisor and worker, one bar a second", f"{100 * share:.1f} % of a core", "3 %")
        Console(width=None if sys.stdout.isatty() else 130).print(table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
