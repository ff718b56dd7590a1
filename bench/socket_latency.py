"""`python -m bench sockets [VENUE ...] [CLOSES] [HALTS]`: how long an account's desk takes over real sockets.

A worker process trades at a local venue, bars closing every 15 s: first so many closes that lead to orders, then so many halts by
`nightdesk halt` in a process of its own, timed so that entries are about to leave. Both processes read this machine's clock.
From the venue's side: its request log (when a request came and was answered) and its ledger (executions, what stands). From the
desk's: when an event was journaled.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.socket_homes import EVERY_BAR, command_environment, trading
from bench.verdicts import Verdicts
from bench.work import OUT
from engine.clock import LOCAL_MS
from engine.errors import BadInput
from engine.store.chain import Event
from engine.store.journal import read
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.exchange import ledger
from tests.fakes.exchange.by_the_clock import SeenRequest, Standing, wall_ms
from tests.fakes.waiting import until

VENUES, CLOSES, HALTS = ("okx", "binance", "bybit"), 100, 20
CLOSE_MS, STOP_MS, LATCH_MS, FLAT_MS = 500.0, 1_000.0, 100.0, 5_000.0  # RELIABILITY and LIVE: what is wanted
OURS = re.compile(r"nd[a-z0-9]{4}\d{8}[EXSTAF]\d\d")
PROBE = "ndpr0b"  # how the orders of a start's probe begin
CANDLES = re.compile(r"kline|candles")
BEFORE_MS, BEHIND_MS = 250.0, 60.0  # a halt falls between so long before and behind the usual time of an entry
HALT = [sys.executable, "-P", "-c", "import sys, time\nfrom app.cli import halt\nfrom app.cli.main import run\n"
        "time.sleep(max(0.0, float(sys.argv.pop(1)) - time.time()))\nrun()"]  # fmt: skip
NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]


class CloseTimes(NamedTuple):
    """One close that led to orders; ms after the bar's end."""

    confirmed: float  # the venue's answer that has it closed: from here on the desk can know
    decided: float  # the bar event is journaled: fold and signals are done
    came: float  # the last of its orders has come to the venue
    answered: float  # the desk has journaled the answer to the last of them
    turns: bool  # an entry that waits for the exit before it


class HaltTimes(NamedTuple):
    """One halt; ms after the latch was written."""

    last_entry: float  # the last request for an entry that came to the venue; negative: before the latch
    kept_back: int  # entries that were decided and did not leave
    flat: float  # no position and no order at the venue
    killed: float  # the desk has journaled how it ended


def id_of(asked: SeenRequest) -> str:
    """The order of the desk that a request is about, "" for none."""
    found = OURS.search(asked.body) or OURS.search(asked.target)
    return found[0] if found else ""


def places_entry(asked: SeenRequest) -> bool:
    """Whether a request places an order that opens or adds."""
    changes = "cancel" in asked.target or "amend" in asked.target
    return asked.method == "POST" and not changes and id_of(asked)[14:15] == "E"


# ---- closes ----------------------------------------------------------------------------------------------------------------


def closes_of(events: Sequence[Event], asked: Sequence[SeenRequest]) -> list[CloseTimes]:
    """Every close whose batch holds intents of entries or exits that were answered."""
    first_came: dict[str, float] = {}
    for request in asked:
        if request.method == "POST" and (id_ := id_of(request)):
            first_came.setdefault(id_, request.came_ms)
    candles = [request.answered_ms for request in asked if CANDLES.search(request.target)]
    answered: dict[str, int] = {}
    for event in events:
        if event.kind == "order" and event.body["state"] != "cancelling":
            answered.setdefault(event.body["order"], event.t_recv_ms)
    found = []
    for n, event in enumerate(events):
        if event.kind != "bar":
            continue
        end = int(event.body["close_ms"])
        batch = events[n + 1 : n + 1 + event.left]
        ids = [e.body["order"] for e in batch if e.kind == "intent" and e.body["order"][14] in "EX"]
        ids = [id_ for id_ in ids if id_ in first_came and id_ in answered]
        before = [t for t in candles if end <= t <= event.t_recv_ms]
        if ids and before:
            times = (max(before), event.t_recv_ms, max(first_came[x] for x in ids), max(answered[x] for x in ids))
            found.append(CloseTimes(*(t - end for t in times), {id_[14] for id_ in ids} == {"E", "X"}))
    return found


# ---- stops -----------------------------------------------------------------------------------------------------------------


class LedgerState:
    """Position and conditional orders of each symbol, followed along the ledger."""

    def __init__(self) -> None:
        self.lots: dict[str, int] = {}
        self.algos: dict[int, tuple[str, int, int]] = {}  # id -> symbol, side, lots
        self.orders: set[int] = set()

    def take(self, event: ledger.Event) -> None:
        """One line of the ledger."""
        if (algo := event.algo) is not None:
            if event.kind in (ledger.ALGO_ACCEPTED, ledger.ALGO_AMENDED):
                self.algos[algo.id] = (algo.symbol, algo.side, algo.lots)
            elif event.kind in (ledger.ALGO_ENDED, ledger.ALGO_TRIGGERED):
                self.algos.pop(algo.id, None)
        if (order := event.order) is None:
            return
        if event.kind == ledger.ACCEPTED:
            self.orders.add(order.id)
        if event.kind == ledger.FILL and event.bill is not None:
            self.lots[order.symbol] = self.lots.get(order.symbol, 0) + order.side * event.bill.lots
        if event.kind == ledger.ENDED or (event.kind == ledger.FILL and order.left == 0):
            self.orders.discard(order.id)

    def bare(self, symbol: str) -> bool:
        """Whether lots of a position have no conditional order against them."""
        lots = self.lots.get(symbol, 0)
        stops = sum(n for of, side, n in self.algos.values() if of == symbol and side * lots < 0)
        return abs(lots) > stops

    @property
    def flat(self) -> bool:
        """No position, no order."""
        return not any(self.lots.values()) and not self.algos and not self.orders


def bare_spells(lines: Iterable[ledger.Event]) -> list[float]:
    """For each entry that filled: ms from its first execution until conditional orders stand against the whole position."""
    held, since, found = LedgerState(), dict[str, int](), list[float]()
    for event in lines:
        before = dict(held.lots)
        held.take(event)
        for symbol in held.lots:
            opens = abs(held.lots[symbol]) > abs(before.get(symbol, 0))
            if opens and symbol not in since:
                since[symbol] = event.t_ms
            if symbol in since and not held.bare(symbol):
                found.append(float(event.t_ms - since.pop(symbol)))
    return found


# ---- halts -----------------------------------------------------------------------------------------------------------------


def halted(home: Path, at: Standing, usual_ms: float, dice: random.Random) -> HaltTimes:
    """One halt by the command, timed to fall about when an entry usually leaves; released again when it has ended."""
    until(lambda: all(at.venue.exchange.account.position(s).lots for s in ("BTC",)), "no position to halt")
    due = (wall_ms() // LOCAL_MS + 1) * LOCAL_MS + usual_ms + dice.uniform(-BEFORE_MS, BEHIND_MS)
    environment, begun = command_environment(home), wall_ms()
    command = [*HALT, str(due / 1000), "halt", "the benchmark halts"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    latch = (home / "HALT").stat().st_mtime_ns / 1e6
    if done.returncode:
        raise BadInput("nightdesk halt failed", done.stderr[-300:])

    def ended() -> Event | None:
        kills = (e for e in read(home / "journal" / "desk.jsonl", {"incident"}) if "halt: KILL" in str(e.body.get("what")))
        return next((e for e in kills if e.t_recv_ms > begun), None)

    kill = until(ended, "the halt does not end")
    if "KILLED" not in kill.body["what"]:
        raise BadInput("a halt without a fault did not end flat", kill.body["what"])
    held, flat = LedgerState(), 0
    for event in list(at.venue.exchange.ledger):
        was = held.flat
        held.take(event)
        if held.flat and not was:
            flat = event.t_ms
    close_ms = int(latch) // LOCAL_MS * LOCAL_MS
    entries = [x.came_ms for x in list(at.asked) if x.came_ms > close_ms and places_entry(x)]
    answers = (e for e in read(home / "journal" / "desk.jsonl", {"order"}) if e.t_recv_ms > close_ms)
    kept = sum(e.body["order"][14] == "E" and "never sent" in str(e.body.get("why")) for e in answers)
    done = subprocess.run(
        [*NIGHTDESK, "release", "--reason", "the benchmark goes on", "--as", "bench"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise BadInput("nightdesk release failed", done.stderr[-300:])
    return HaltTimes(max(entries) - latch if entries else float("nan"), kept, flat - latch, kill.t_recv_ms - latch)


# ---- the run and its table -------------------------------------------------------------------------------------------------


def journal_of(home: Path) -> list[Event]:
    """All of it."""
    return list(read(home / "journal" / "desk.jsonl"))


def measured(venue: str, closes: int, halts: int, folder: Path) -> dict[str, list[Any]]:
    """One venue: closes, spells without a stop, halts."""
    hours = int((closes + 6 * halts) * LOCAL_MS / 3_600_000) + 2
    with trading(folder, venue, hours, EVERY_BAR) as (home, at, worker):

        def so_far() -> list[CloseTimes]:
            if worker.poll() is not None:
                raise BadInput(f"the worker has ended with {worker.returncode}", f"{folder / 'worker.txt'}")
            time.sleep(5.0)
            return closes_of(journal_of(home), list(at.asked)) if (home / "journal" / "desk.jsonl").exists() else []

        until(lambda: heartbeat_of(home).get("phase") == "running", "the worker does not trade", lambda: heartbeat_of(home))
        end = time.monotonic() + (2 * closes + 20) * LOCAL_MS / 1000
        while len(found := so_far()) < closes and time.monotonic() < end:
            continue
        spells = bare_spells(list(at.venue.exchange.ledger))
        came = sorted(x.came_ms % LOCAL_MS for x in list(at.asked) if places_entry(x) and not id_of(x).startswith(PROBE))
        dice, usual = random.Random(1), came[len(came) // 2] if came else 1_500.0
        stopped = [halted(home, at, usual, dice) for _ in range(halts)]
        return {"closes": found, "bare": spells, "halts": stopped}


def spread(values: Iterable[float]) -> tuple[int, float, float, float]:
    """(how many, p50, p99, worst)."""
    ordered = sorted(values)
    if not ordered:
        return 0, float("nan"), float("nan"), float("nan")
    at = [ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.99)]
    return len(ordered), at[0], at[1], ordered[-1]


def rows_of(found: dict[str, list[Any]]) -> dict[str, tuple[list[float], float | None]]:
    """What is measured -> (values in ms, the limit of their p99)."""
    closes, halts = found["closes"], found["halts"]
    plain = [x for x in closes if not x.turns]
    return {
        "bar's end to the close confirmed": ([x.confirmed for x in closes], None),
        "confirmed to decided and journaled": ([x.decided - x.confirmed for x in closes], None),
        "decided to the last order at the venue": ([x.came - x.decided for x in closes], None),
        "confirmed to all orders answered": ([x.answered - x.confirmed for x in closes], CLOSE_MS),
        "  of these, no entry behind an exit": ([x.answered - x.confirmed for x in plain], CLOSE_MS),
        "bar's end to all orders answered": ([x.answered for x in closes], None),
        "first execution to stops on all of it": (found["bare"], STOP_MS),
        "latch to the last entry at the venue": (
            [max(0.0, x.last_entry) for x in halts if x.last_entry == x.last_entry],
            LATCH_MS,
        ),
        "latch to flat": ([x.flat for x in halts], FLAT_MS),
        "latch to KILLED in the journal": ([x.killed for x in halts], None),
    }


def sockets(words: list[str]) -> None:
    """Run it and print a table a venue; figures stay in bench/out/sockets_VENUE.json."""
    numbers = [int(word) for word in words if word.isdigit()]
    closes, halts = (*numbers, *(CLOSES, HALTS)[len(numbers) :])
    OUT.mkdir(exist_ok=True)
    for venue in [word for word in words if not word.isdigit()] or VENUES:
        with tempfile.TemporaryDirectory() as text:
            found = measured(venue, closes, halts, Path(text))
        (OUT / f"sockets_{venue}.json").write_text(json.dumps(found))
        table = Verdicts(f"A desk at a local {venue} over sockets: p99 (p50, worst, of how many)")
        for what, (values, limit) in rows_of(found).items():
            count, middle, p99, worst = spread(values)
            table.add(what, p99, "ms", limit, f"{p99:.0f} ms ({middle:.0f}, {worst:.0f}, {count})")
        table.show()
        kept = sum(x.kept_back for x in found["halts"])
        print(f"halts: {len(found['halts'])}, entries that the latch kept back: {kept}")
