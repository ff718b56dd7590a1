"""`make bench`: every table, peers and ours side by side in one run, CPU seconds; a ratio is of figures of this run.

python -m bench            all of them
python -m bench peers      strategy A against vectorbt, backtesting.py and nautilus_trader
python -m bench long       strategies A and B at 10^7 bars against vectorbt, each in its own process: CPU and memory
python -m bench agreement  on recorded bars (NIGHTDESK_DATA): round trips in common with the peers
python -m bench sweep      1,000 variations of strategy A: as a sweep, one by one, and vectorbt
python -m bench research   twenty sleeves, a year's walk-forward, a first backtest in a new process
python -m bench core       ns a bar and sleeve, plain-Python step
python -m bench fold       10,000 events of a journal to the state
python -m bench commands   what a person waits for, and what a resting desk costs
python -m bench paper      one new bar of a paper desk, after a day and after a year
python -m bench making     a simulated maker on a recorded tape (NIGHTDESK_DATA) against hftbacktest: fills and speed
python -m bench making-day the same on a SYNTHETIC day of 864,000 messages, whose book and trades are made at random
python -m bench office     API, turns, sentences and halts over HTTP, and a whole desk at rest

By name alone, since they keep real time or take long:
python -m bench soak [VENUE] [MINUTES]                 an account's worker at a local venue for 90 minutes: does it grow?
python -m bench sockets [VENUE ...] [CLOSES] [HALTS]   close to orders, fill to stop, latch to flat at local venues: 40 min each
python -m bench page [PROFILES]                        a browser on a year's desk: cold chart, switches, 20 clients; CPU profiles
python -m bench small [MINUTES]                        a whole desk and its page on one CPU and 4 GB: memory and CPU
python -m bench canary [WORDS]                         false and planted breaches of watched changes on recorded bars, 10 CPU min
python -m bench scale [--part NAME] [--anew]           what grows with symbols, sleeves, events, people; stopped, it goes on
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import work
from bench.verdicts import OVER
from engine.amounts import percent_text
from engine.errors import BadInput

HERE = Path(__file__).resolve().parent
PEERS = ("vectorbt", "backtesting", "nautilus")
SLOWEST, SLOWEST_BARS = "nautilus", 100_000  # a minute and more a run beyond
ROUNDS = 3
SIZES = (100_000, 1_000_000)
console = Console(width=None if sys.stdout.isatty() else 130)


def python_of(peer: str) -> Path:
    """The peer's own interpreter, its locked packages installed."""
    folder, lock = HERE / "venvs" / peer, HERE / f"{peer}.lock"
    python, stamp = folder / "bin" / "python", folder / "ready"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        console.print(f"setting up {peer} ...")
        uv = HERE.parent / ".uv" / "bin" / "uv"
        environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        command = [str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock)]
        subprocess.run(command, check=True, env=environment)
        stamp.write_text(lock.read_text())
    return python


def measured_peer(peer: str, count: int) -> tuple[dict[str, Any], np.ndarray]:
    """One run of a peer in a fresh process: (its RESULT, its round trips)."""
    return run_peer(peer, work.saved(count))


def run_peer(peer: str, bars: Path) -> tuple[dict[str, Any], np.ndarray]:
    """The same on any file of bars."""
    trips = work.OUT / f"trips_{peer}_{bars.stem}.npy"
    command = [str(python_of(peer)), str(HERE / f"peer_{peer}.py"), str(bars), str(trips)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise BadInput(f"the benchmark of {peer} did not finish", done.stderr.strip().splitlines()[-1] if done.stderr else "")
    return json.loads(line.removeprefix("RESULT ")), np.load(trips)


def same_trips(ours: np.ndarray, theirs: np.ndarray) -> str:
    """How many round trips are the same: bars equal, prices to 1e-9 relative."""
    if len(ours) != len(theirs):
        return f"no: {len(ours)} and {len(theirs)}"
    equal = (ours[:, :2] == theirs[:, :2]).all(axis=1) & np.isclose(ours[:, 2:], theirs[:, 2:], rtol=1e-9).all(axis=1)
    return f"{int(equal.sum())} of {len(ours)}"


def peers() -> None:
    """Strategy A, rounds interleaved, medians of CPU seconds."""
    from bench import core, ours

    table = Table(title="Strategy A, synthetic 1m bars, reference mode, guardrails evaluated with limits that do not bind (CPU)")
    for name in ("bars", "engine", "CPU s", "M bars/s", "ours is x times", "round trips", "same round trips as ours"):
        table.add_column(name, justify="right")
    for count in SIZES:
        columns = np.load(work.saved(count))
        seconds: dict[str, list[float]] = {}
        found: dict[str, tuple[dict[str, Any], np.ndarray]] = {}
        for _ in range(ROUNDS):
            for peer in ("nightdesk", *(one for one in PEERS if one != SLOWEST or count <= SLOWEST_BARS)):
                result = ours.measured(columns) if peer == "nightdesk" else measured_peer(peer, count)
                seconds.setdefault(peer, []).append(result[0]["cpu_s"])
                found[peer] = result
        own = float(np.median(seconds["nightdesk"]))
        for peer, (result, trips) in found.items():
            cpu = float(np.median(seconds[peer]))
            same = "" if peer == "nightdesk" else same_trips(found["nightdesk"][1], trips)
            shown = (f"{count:,}", result["peer"], f"{cpu:.4f}", f"{count / cpu / 1e6:.2f}", f"{cpu / own:.1f}")
            table.add_row(*shown, str(result["trips"]), same)
        side = work.crosses(work.average(columns[:, 3], work.FAST), work.average(columns[:, 3], work.SLOW))
        console.print(
            f"{count:,} bars: the bare loop takes {core.gauge_ns(columns, side):.2f} ns a bar on this machine; ours by phase:",
            end=" ",
        )
        console.print(", ".join(f"{name} {ns:.1f} ns" for name, ns in ours.phases(columns).items()))
    console.print(table)


def agreement_table() -> None:
    """Strategy A on recorded bars: round trips in common with each peer, and where they part."""
    from bench import ours
    from bench.agreement import SERIES, agreement, named, saved

    table = Table(title="Strategy A on recorded bars, reference mode: round trips, and what becomes of ours at the peer")
    for name in (
        "bars",
        "engine",
        "ours",
        "theirs",
        "the same",
        "%",
        "left on the entry's bar",
        "left later",
        "entered by us alone",
    ):
        table.add_column(name, justify="right")
    why: list[str] = []
    for series in SERIES:
        path, columns = saved(series)
        _, own = ours.measured(columns)
        for peer in PEERS:
            result, theirs = run_peer(peer, path)
            found = agreement(own, theirs)
            share = f"{100 * found.same / max(found.ours, 1):.1f}"
            figures = (found.ours, found.theirs, found.same, share, found.entry_bar, found.later, found.only_ours)
            table.add_row(f"{series} ({len(columns):,})", result["peer"], *map(str, figures))
            if peer == "nautilus":
                why.append(f"{series}: " + ", ".join(f"{count} {name}" for name, count in named(own, theirs, columns).items()))
    console.print(table)
    console.print("what ends otherwise at nautilus_trader:", *why, sep="\n  ")


AWAKE = {"streak_max": 1 << 40, "day_entries_max": 1 << 40, "day_loss_frac_max": 1e9}  # nothing pauses these sleeves


def core_table() -> None:
    """The core, 1 to 100 sleeves: a desk that its breakers pause most of the time, and one that trades all the time."""
    from bench import core

    columns = np.load(work.saved(SIZES[0]))
    side = work.crosses(work.average(columns[:, 3], work.FAST), work.average(columns[:, 3], work.SLOW))
    bare = core.gauge_ns(columns, side)
    table = Table(title="The whole core, synthetic 1m bars, pessimistic, rows and their hash included (CPU)")
    for name in ("desk", "sleeves", "ns a bar and sleeve", "x the bare loop", "awake bars", "rows a bar and sleeve"):
        table.add_column(name, justify="right")
    for desk, changed in (("mostly paused", {}), ("awake", AWAKE), ("awake, no fade", {**AWAKE, "fade_below": 0.0})):
        for sleeves in (1, 5, 20, 100):
            found = core.compiled_ns(columns, sleeves, **changed)
            shown = f"{found.ns:.1f}", f"{found.ns / bare:.1f}", percent_text(found.awake_frac, 1), f"{found.rows:.3f}"
            table.add_row(desk, str(sleeves), *shown)
    console.print(table)
    plain = core.plain_us(columns[:20_000])
    console.print(f"the bare loop: {bare:.2f} ns a bar; plain Python, as the worker runs it: {plain:.1f} us a bar and sleeve")


def paper() -> None:
    """The cost of one new bar as a desk grows old."""
    from bench.paper import paper_costs

    table = Table(title="One new bar on paper: files looked through, bars read, three sleeves computed (CPU)")
    for name in ("age of the desk, days", "CPU ms", "bars read"):
        table.add_column(name, justify="right")
    for age, ms, bars in paper_costs():
        table.add_row(str(age), f"{ms:.0f}", f"{bars:,}")
    console.print(table)


def main(chosen: list[str]) -> None:
    """Print the tables named, all of them when none is."""
    from bench.canary import canary
    from bench.commands import commands
    from bench.folding import folding
    from bench.long import long_table
    from bench.making import making, making_day
    from bench.office import office
    from bench.page import page
    from bench.research import research_table
    from bench.scale.tables import scale
    from bench.small import small
    from bench.soak import soak
    from bench.socket_latency import sockets
    from bench.sweep import sweep_table

    tables = {
        "peers": peers,
        "long": long_table,
        "agreement": agreement_table,
        "sweep": sweep_table,
        "research": research_table,
        "core": core_table,
        "fold": folding,
        "commands": commands,
        "paper": paper,
        "office": office,
        "making": making,
        "making-day": making_day,
    }
    keeping_time = {"soak": soak, "sockets": sockets, "small": small, "scale": scale, "page": page, "canary": canary}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a new process compiles what it imports once, not at every command
    if chosen and chosen[0] in keeping_time:
        keeping_time[chosen[0]](chosen[1:])
    elif unknown := [name for name in chosen if name not in tables]:
        raise SystemExit(f"bench: no table {unknown[0]!r}; available: {', '.join([*tables, *keeping_time])}")
    else:
        for name in chosen or tables:
            tables[name]()
    if OVER:
        raise SystemExit(f"bench: over its limit: {'; '.join(OVER)}")


if __name__ == "__main__":
    main(sys.argv[1:])
