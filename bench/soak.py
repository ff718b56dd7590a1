"""`python -m bench soak [VENUE] [MINUTES]`: a trading process at a local venue over sockets for 90 minutes; does it grow?

A bar closes every 15 s, so 90 minutes walk 360 closes, which are 90 hours of a 15m market; timers, polls, pings and signatures
keep real time. Every 10 s: memory and descriptors of the worker and of its strategy processes, threads, journal, closes, orders,
executions. All samples stay in bench/out/soak_VENUE.jsonl.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.socket_homes import SECOND_BARS, trading
from bench.verdicts import OVER
from bench.work import OUT
from engine.errors import BadInput
from engine.store.journal import read
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.exchange import ledger
from tests.fakes.exchange.by_the_clock import Standing
from tests.fakes.waiting import until

VENUE, MINUTES = "bybit", 90
EVERY_S, SHOWN_EVERY = 10.0, 30  # a sample; how many samples a printed line
STEADY = (10 / 90, 20 / 90)  # the first part that counts: not before caches are warm
STEADY_SOCKETS = (0.25, 0.5)  # every duty has had its connections by then
GROWTH_MAX = 0.05
Sample = dict[str, Any]
console = Console(width=None if sys.stdout.isatty() else 140)


def kin(pid: int) -> list[int]:
    """The processes below `pid`, itself first."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*"):
            with suppress(OSError):  # a thread that has ended meanwhile
                found += [int(x) for x in (task / "children").read_text().split()]
    return found


def anonymous(pid: int) -> float:
    """MB that are the process's own, libraries' files left out."""
    status = dict(line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024


def resources(pid: int) -> tuple[float, int, int]:
    """(resident MB, descriptors, threads) of a process; zeros of one that has ended."""
    try:
        status = dict(line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"])
    except (OSError, KeyError):
        return 0.0, 0, 0


def open_kinds(pid: int) -> dict[str, int]:
    """What a process's descriptors are open on, counted: `socket`, `pipe`, `anon_inode`, and files by their path."""
    found = Counter[str]()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            target = str(one.readlink())
            found[target if target.startswith("/") else target.partition(":")[0]] += 1
    return dict(found)


def sampled(home: Path, at: Standing, pid: int, begun: float) -> Sample:
    """One look at everything that may grow, and at what was done meanwhile."""
    beat, (own, *others) = heartbeat_of(home), kin(pid)
    rss, files, threads = resources(own)
    opened = open_kinds(own)
    below = [resources(one) for one in others]
    kinds = Counter(event.kind for event in list(at.venue.exchange.ledger))
    return {
        "s": round(time.monotonic() - begun, 1),
        "rss": round(rss, 1),
        "rss_own": round(anonymous(own), 1),
        "rss_below": round(sum(x[0] for x in below), 1),
        "files": files,
        "sockets": opened.get("socket", 0),  # connections kept for the next request come and go
        "fixed": files - opened.get("socket", 0),
        "open": opened,
        "files_below": sum(x[1] for x in below),
        "threads": threads,
        "processes": len(below),
        "cpu_s": round(sum(map(float, Path(f"/proc/{own}/stat").read_text().rpartition(")")[2].split()[11:13])) / 100, 1),
        "journal_kb": (home / "journal" / "desk.jsonl").stat().st_size // 1024,
        "phase": beat.get("phase", ""),
        "halted": beat.get("halted"),
        "bars": beat.get("bars", 0),
        "equity": beat.get("equity"),
        "orders": kinds[ledger.ACCEPTED] + kinds[ledger.ALGO_ACCEPTED],
        "fills": kinds[ledger.FILL],
        "note": beat.get("note", ""),
    }


def watched(venue: str, minutes: float, folder: Path, out: Path) -> tuple[list[Sample], Path]:
    """The samples of a run, written as they come."""
    samples: list[Sample] = []
    with trading(folder, venue, int(minutes // 60) + 2, SECOND_BARS) as (home, at, worker), out.open("w") as lines:
        until(lambda: heartbeat_of(home).get("phase") == "running", "the worker does not trade", lambda: heartbeat_of(home))
        begun = time.monotonic()
        while time.monotonic() - begun < 60 * minutes:
            time.sleep(EVERY_S)
            if worker.poll() is not None:
                raise BadInput(f"the worker has ended with {worker.returncode}", f"{folder / 'worker.txt'}")
            samples.append(sampled(home, at, worker.pid, begun))
            lines.write(json.dumps(samples[-1]) + "\n")
            lines.flush()
            if len(samples) % SHOWN_EVERY == 1:
                console.print(
                    " ".join(
                        f"{name} {value}" for name, value in samples[-1].items() if value not in ("", None) and name != "open"
                    )
                )
    return samples, home


def steady(samples: list[Sample], name: str, first: bool) -> float:
    """The middle of what was seen in minutes 10 to 20 of 90, or in the last ten."""
    span = samples[-1]["s"]
    within = [x[name] for x in samples if (STEADY[0] <= x["s"] / span <= STEADY[1] if first else x["s"] / span >= 1 - STEADY[0])]
    return float(sorted(within)[len(within) // 2])


def most_sockets(samples: list[Sample], since: float, until: float) -> int:
    """The most connections in a part of the run."""
    return max(int(x["sockets"]) for x in samples if since <= x["s"] / samples[-1]["s"] <= until)


def differences(home: Path) -> tuple[Counter[str], Counter[str]]:
    """What the journal says went wrong: differences from the venue by what differs, incidents by their first words."""
    differs, incidents = Counter[str](), Counter[str]()
    for event in read(home / "journal" / "desk.jsonl", {"reconcile", "incident"}):
        if event.kind == "reconcile":
            differs.update({str(name): 1 for name in event.body.get("differs", {})})
        else:
            incidents[str(event.body.get("what", ""))[:70]] += 1
    return differs, incidents


def pages(home: Path) -> Counter[str]:
    """What the worker woke a person for, by its first words."""
    found = Counter[str]()
    for line in (home / "logs" / "worker.jsonl").read_text().splitlines():
        note = json.loads(line)
        if note["event"] == "page":
            found[note["what"][:70]] += 1
    return found


def report(title: str, samples: list[Sample], home: Path) -> None:
    """The table of a run, and what its journal says."""
    table = Table(title=title)
    for name in ("what", "minutes 10 to 20 of 90", "the last ten", "growth"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name in ("rss", "rss_own", "rss_below", "files", "fixed", "files_below", "threads", "processes"):
        first, last = steady(samples, name, True), steady(samples, name, False)
        table.add_row(name, f"{first:g}", f"{last:g}", f"{(last / first - 1) * 100 if first else 0:+.1f} %")
        if (name.startswith("rss") and last > first * (1 + GROWTH_MAX)) or (name in ("fixed", "files_below") and last > first):
            OVER.append(f"soak: {name} grew from {first:g} to {last:g}")
    console.print(table)
    early, late = most_sockets(samples, *STEADY_SOCKETS), most_sockets(samples, 1 - STEADY[0], 1.0)
    console.print(f"connections: at most {early} in the second quarter, {late} at the end")
    if late > early:
        OVER.append(f"soak: connections grew from {early} to {late}")
    for at, sample in (("a fifth", samples[len(samples) // 5]), ("the end", samples[-1])):
        console.print(f"descriptors at {at}:", sample["open"])
    differs, incidents = differences(home)
    console.print({name: samples[-1][name] for name in ("bars", "orders", "fills", "cpu_s", "journal_kb", "equity")})
    console.print("journal:", dict(Counter(event.kind for event in read(home / "journal" / "desk.jsonl"))))
    console.print("differences:", dict(differs), "incidents:", dict(incidents), "pages:", dict(pages(home)))


def soak(words: list[str]) -> None:
    """Run it and print the table."""
    venue = words[0] if words else VENUE
    minutes = float(words[1]) if len(words) > 1 else MINUTES
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as text:
        samples, home = watched(venue, minutes, Path(text), OUT / f"soak_{venue}.jsonl")
        report(f"{minutes:g} minutes at a local {venue} over sockets, a close every 15 s", samples, home)
