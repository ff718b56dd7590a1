"""One run of the plan, carried out: what did not hold, what the faults did, how long things took. A line of results.

A run that raises, or that takes more than LIMIT_S of the machine's time, has failed like one that broke a rule.
"""

import gc
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.store.journal import journal_hash
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.faults import Window
from tests.fakes.exchange.played import Played
from tests.storms.basket_storm import basket_weathered
from tests.storms.gated_storm import GatedStorm
from tests.storms.live_storm import LiveStorm, exchange_of
from tests.storms.plan import Run, seeds_of
from tests.storms.port_days import port_days

LIMIT_S = 600
WRONG_KEPT = 20
MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory; a folder of its own is made there
BOTH = {"streams": True, "feed": True}  # the account's private stream, and bars by the live feed


def stormed(run: Run, path: Path) -> LiveStorm:
    """The run, as it has ended. Raises what the desk, ccxt or the venue raise."""
    if run.part == "port":
        return port_days(run.seed, path, run.bars)
    if run.part == "basket":
        more = {"halt_at": run.halt_at, "streams": True, **dict(run.more)}
        return basket_weathered(run.venue, path, run.seed, run.bars, run.plan, run.quiet, **more)
    kind = GatedStorm if run.gated else LiveStorm

    async def script(played: Played) -> LiveStorm:
        played.venue.faults.plan.extend(run.plan)
        storm = kind(ADAPTED[run.venue], played, path, run.seed, venue=run.venue, **BOTH, **dict(run.more))
        await storm.run(run.bars, run.quiet, run.halt_at)
        return storm

    found: LiveStorm = ADAPTED[run.venue].played.under_virtual_clock(script, exchange_of(run.seed, run.bars), 0.02, run.seed)[0]
    return found


def done(run: Run) -> dict[str, Any]:
    """A line of results; never raises."""
    began, found = time.process_time(), dict[str, Any]()
    before = signal.signal(signal.SIGALRM, _late)
    signal.alarm(LIMIT_S)
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            found = twice(run, Path(folder)) if run.part == "same" else once(run, Path(folder))
    except Exception as error:  # noqa: BLE001 - whatever ends a run is a result of it
        found = {"wrong": [f"{type(error).__name__}: {error}"[:500], *traceback.format_exc().splitlines()[-6:]]}
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    about = {"name": run.name, "part": run.part, "venue": run.venue, "days": round(run.days, 4)}
    return about | found | {"cpu_s": round(time.process_time() - began, 2)}


def _late(*_: object) -> None:
    raise TimeoutError(f"it took more than {LIMIT_S} s")


def once(run: Run, folder: Path) -> dict[str, Any]:
    """One run, and what there is to say of it."""
    storm = stormed(run, folder / "desk.jsonl")
    acted = storm.played.venue.faults.acted
    wrong = [*storm.wrong, *missed(run, storm)]
    found: dict[str, Any] = {
        "wrong": [what[:500] for what in wrong[:WRONG_KEPT]],
        "looks": storm.looks,
        "events": storm.events,
        "kills": storm.met["kill"],
        "orders": len(storm.intents()),
        "fills": len(storm.times.lags),
        "pages": len(storm.pages),
        "acted": dict(sorted(storm.played.venue.faults.count.items())),
        "lags": percentiles(storm.times.lags),
        "naked_ms": storm.worst_naked_ms,
    }
    if run.part == "fault":
        found["times"] = [list(one) for one in storm.times.of_windows({w: at for w, at in acted.items() if w.kind == run.what})]
    if run.part == "pair":
        found["pairs"] = sorted({" + ".join(sorted((a.kind, b.kind))) for a in acted for b in acted if together(a, b)})
    if storm.latch and storm.duties.halt.result is not None:
        late_ms = max(0, storm.times.last_increase_ms - storm.latched_ms)
        result = storm.duties.halt.result
        found["halt"] = {"state": result.state, "flat_ms": storm.times.halted_ms, "last_increase_ms": late_ms}
    return found


def together(a: Window, b: Window) -> bool:
    """Whether both windows are of one pair: two kinds that begin in the same moment."""
    return a.kind < b.kind and a.start_ms == b.start_ms


def missed(run: Run, storm: LiveStorm) -> list[str]:
    """What a run was made for and did not meet: a plan that misses its fault proves nothing."""
    count = storm.played.venue.faults.count
    if run.part == "fault" and not count[run.what]:
        return [f"plan: {run.what} has not acted"]
    if run.part == "fair" and (storm.pages or storm.desk.book.incidents):
        return [f"I18 without a fault: {storm.pages[:3]}"]
    if run.part == "drawdown" and not storm.latch:
        return ["plan: the drawdown limit was not reached"]
    if run.part == "kill" and storm.met["kill"] < 50:
        return [f"plan: {storm.met['kill']} kills"]
    return []


def twice(run: Run, folder: Path) -> dict[str, Any]:
    """Ten seeds here and in a new process that orders sets and dicts of names anew: the same bytes, and the same hash."""
    mine = {one.name: hashes(one, folder / one.what) for one in seeds_of(run)}
    words = [sys.executable, "-m", "tests.storms", "hashes", run.name]
    env = {**os.environ, "PYTHONHASHSEED": str(1 + run.seed)}
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=env, timeout=LIMIT_S).stdout
    theirs = dict(line.split(" ", 1) for line in said.splitlines() if line.startswith("seed/"))
    wrong = [f"I20 {name}: {one} here, {theirs.get(name)} there" for name, one in mine.items() if one != theirs.get(name)]
    return {"wrong": wrong, "same": sum(mine[name] == theirs.get(name) for name in mine), "of": len(mine)}


def hashes(run: Run, folder: Path) -> str:
    """Of a run's journal: of its decisions, and of every byte."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "desk.jsonl"
    stormed(run, path)
    return f"{journal_hash(path)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def percentiles(values: list[int]) -> Mapping[str, int]:
    """Half, 99 of 100, worst and how many; empty for none."""
    row = sorted(values)
    return {"p50": row[len(row) // 2], "p99": row[(len(row) * 99 - 1) // 100], "worst": row[-1], "n": len(row)} if row else {}


def rarely() -> None:
    """At the begin of a process of runs: garbage is looked for more rarely, and not among what was imported."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
