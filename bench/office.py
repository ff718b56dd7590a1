"""What a person at the page waits for: API, turns, sentences and halts over real HTTP; what a whole desk costs at rest.

Called by `python -m bench office`. Two temporary homes: one runs a whole `nightdesk up`; the other has a long journal and the
API alone (no worker could fold that journal: its groups are a walked desk's, copied to later times). How long:
NIGHTDESK_BENCH_EVENTS.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from rich.console import Console

from app.client import Client
from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor, os_user
from app.people.sessions import Sessions
from bench.commands import NIGHTDESK, SETTLED_S, WATCHED_S, family, memory, spent, until
from bench.verdicts import Verdicts
from engine.amounts import percent_text
from engine.book.replay import groups
from engine.control import halt
from engine.errors import DataError
from engine.store.anchors import note_head
from engine.store.chain import Event
from engine.store.journal import Journal, read, verify
from engine.watch.flows import refresh_day_sums
from tests.fakes.model_server import ModelServer, Say, _Answering

DAY_MS, A_DAY, YEAR = 86_400_000, 10_000, 3_650_000  # of a busy desk: events a day and a year
EVENTS = int(os.environ.get("NIGHTDESK_BENCH_EVENTS") or YEAR // 10)  # a whole year takes 4 GB
TURNS, AT_ONCE, EACH, THINK_S = 60, 20, 4, 5.0
HALTS, BUSY, SUMS = 20, 5, 5
TOKEN_S = 0.02  # the pace of a quick model
SENTENCES = 10
WALK_S = 180.0
ASKED = (  # no COMPUTE
    ("operator", "What positions are open?"),
    ("operator", "What happened since yesterday?"),
    ("operator", "Is anything wrong?"),
    ("operator", "Which entries were refused today?"),
    ("operator", "Which proposals are pending?"),
    ("operator", "Show the desk"),
    ("advisor", "What is the live configuration?"),
    ("advisor", "How close are we to our limits?"),
    ("advisor", "What needs my attention?"),
    ("developer", "What parameters does trend have?"),
    ("developer", "What data do we have?"),
)
SUMMED = (  # COMPUTE that is no backtest: fills and funding of a window are summed
    ("a day", "Where does the P&L come from since yesterday?"),
    ("the desk's life", "Where does the P&L come from?"),
)


class Timed(NamedTuple):
    """Seconds of equal things, and what each was."""

    seconds: list[float]
    names: list[str]

    def percentiles(self, *shares: int) -> str:
        """Percentiles in ms."""
        return ", ".join(f"p{share} {1000 * float(np.percentile(self.seconds, share)):.0f} ms" for share in shares)

    def against(self, share: int, limit_ms: float | None = None) -> tuple[float, str, float | None]:
        """A percentile in ms with its unit and its limit, as a row of Verdicts takes them."""
        return 1000 * float(np.percentile(self.seconds, share)), f"ms at p{share}", limit_ms

    def slowest(self) -> str:
        """The names with the highest median."""
        medians = {n: np.median([s for s, m in zip(self.seconds, self.names, strict=True) if m == n]) for n in set(self.names)}
        worst = sorted(medians.items(), key=lambda entry: -entry[1])
        return "; ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in worst)


# ---- processes -----------------------------------------------------------------------------------------------------------


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """An environment with free ports and no model but the offline one, unless `more` names one."""
    ours = ("OPENAI_", "NIGHTDESK_MODEL", "NIGHTDESK_API", "NIGHTDESK_UI", "NIGHTDESK_DATABASE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours) and not k.lower().endswith("_proxy")}
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"NIGHTDESK_API_PORT": str(one.getsockname()[1]), "NIGHTDESK_UI_PORT": str(other.getsockname()[1])}
    return {**kept, **ports, "NIGHTDESK_HOME": str(home), **more}


@contextmanager
def started(environment: Mapping[str, str], words: Sequence[str], log: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    """A `nightdesk` command that runs until the block is left."""
    with log.open("w") as out:
        process = subprocess.Popen([str(NIGHTDESK), *words], env=dict(environment), stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def answered(url: str) -> bool:
    """Whether an address gives a good answer."""
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=1, trust_env=False).is_success
    return False


def ready(environment: Mapping[str, str], *, page: bool = True) -> Callable[[], bool]:
    """Whether the API of an environment answers, and its page."""
    urls = [f"http://127.0.0.1:{environment['NIGHTDESK_API_PORT']}/api/health"]
    urls += [f"http://127.0.0.1:{environment['NIGHTDESK_UI_PORT']}/"] if page else []
    return lambda: all(answered(url) for url in urls)


@contextmanager
def api(environment: Mapping[str, str], log: Path) -> Generator[Callable[[], Client], None, None]:
    """The API of a home, alone; gives clients with sessions of their own."""
    home, url = Path(environment["NIGHTDESK_HOME"]), f"http://127.0.0.1:{environment['NIGHTDESK_API_PORT']}"
    with started(environment, ["api"], log):
        until(ready(environment, page=False), "the API")
        yield lambda: Client(url, Sessions(home).open("bench", "all", now_ms())[0], home, timeout_s=60)


def now_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


# ---- a long journal --------------------------------------------------------------------------------------------------------


def walked(environment: Mapping[str, str], log: Path) -> None:
    """A home whose worker has walked all its bars."""
    command = [sys.executable, "-P", "-m", "app.processes.worker", "--bars-per-second", "100000", "--stop-at-end"]
    with log.open("w") as out:
        subprocess.run(command, env=dict(environment), stdout=out, stderr=out, check=True, timeout=WALK_S)


def grown(home: Home, events: int) -> tuple[int, float, float]:
    """Copy the journal's groups behind its end until it has `events`; (events, GB, s). DataError if its chain does not verify."""
    begun, path = time.perf_counter(), home.desk_journal
    taken = list(groups(read(path)))
    journal = Journal(path, "worker")
    at_ms = taken[-1][-1].t_event_ms
    for group in cycle(taken):
        if journal.head.seq >= events:
            break
        at_ms += len(group) * DAY_MS // A_DAY
        journal.append(moved(group, at_ms, journal.head.seq + 1), sync=False)
    journal.sync()
    note_head(home.engine, "desk", journal.head, now_ms())
    journal.close()
    took = time.perf_counter() - begun
    if not (report := verify(path)).ok:
        raise DataError(f"the journal does not verify: {report.reason}", "this is a bug of the benchmark")
    return report.rows, path.stat().st_size / 1e9, took


def moved(group: Sequence[Event], at_ms: int, first: int) -> list[Event]:
    """A group as if it came at `at_ms` and its first event had the number `first`: times and ids inside move along."""
    by = at_ms - group[0].t_event_ms
    return [
        event._replace(
            t_event_ms=event.t_event_ms + by,
            body={k: v + by if k.endswith("_ms") and isinstance(v, int) else v for k, v in event.body.items()},
            cause_id="d-" + str(int(event.cause_id[2:]) - group[0].seq + first) if event.cause_id else "",
        )
        for event in group
    ]


# ---- turns -----------------------------------------------------------------------------------------------------------------


def turn(client: Client, role: str, text: str, thread: str) -> tuple[float, str]:
    """(s from the question to its answer at the reader, its thread)."""
    begun = time.perf_counter()
    asked = client.ask(role, text, thread)
    took = 0.0
    for event in client.follow(asked["turn"]):
        if event["kind"] == "answer":
            took = time.perf_counter() - begun
    if not took:
        raise DataError(f"{text!r} got no answer", f"turn {asked['turn']}")
    return took, asked["thread"]


def conversation(client: Client, count: int, first: int = 0, think_s: float = 0.0) -> Timed:
    """So many questions of one person, each role in a thread of its own."""
    done, threads = Timed([], []), dict[str, str]()
    time.sleep(think_s * first / AT_ONCE)
    for role, text in islice(cycle(ASKED), first, first + count):
        begun = time.perf_counter()
        took, threads[role] = turn(client, role, text, threads.get(role, "new"))
        done.seconds.append(took)
        done.names.append(text)
        time.sleep(max(0.0, begun + think_s - time.perf_counter()))
    return done


def at_once(clients: Sequence[Client], think_s: float) -> Timed:
    """Conversations beside each other; a question every `think_s` in each, or the next as soon as one is answered."""
    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(conversation, c, EACH, n, think_s) for n, c in enumerate(clients)]
        done = [future.result() for future in running]
    return Timed([s for one in done for s in one.seconds], [n for one in done for n in one.names])


def two_processes(environment: Mapping[str, str], log: Path) -> Timed:
    """Questions upon questions, at once, to an API of two processes."""
    with (Path(environment["NIGHTDESK_HOME"]) / "desk.toml").open("a") as file:
        file.write("\n[api]\nprocesses = 2\n")
    with api(environment, log) as clients:
        many = [clients() for _ in range(AT_ONCE)]
        at_once(many, 0.0)  # the first turns import, in each process
        return at_once(many, 0.0)


# ---- halts -----------------------------------------------------------------------------------------------------------------


def halts(home: Home, client: Client) -> Timed:
    """From a click to the latch's file; released in between."""
    done, file = Timed([], []), home.path / halt.FILE
    by = Actor("bench", "claimed", os_user(), "cli")
    with ThreadPoolExecutor(1) as pool:
        for _ in range(HALTS):
            begun = time.perf_counter()
            click = pool.submit(client.call, "POST", "/api/halt", {"reason": "measured"})
            until(lambda: os.path.lexists(file), "the latch", 10, 0.0001)
            done.seconds.append(time.perf_counter() - begun)
            click.result()
            until(lambda: "database" in halt.read(home.path, home.engine).where, "the latch's row", 10)
            approvals.release(home, by, "measured", list, now_ms())
    return done


@contextmanager
def busy(clients: Sequence[Client]) -> Generator[None, None, None]:
    """As many turns as clients, running all the while."""
    over = threading.Event()

    def ask(n: int) -> None:
        for role, text in islice(cycle(ASKED), n, None):
            if over.is_set():
                return
            turn(clients[n], role, text, "new")

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(ask, n) for n in range(len(clients))]
        try:
            yield
        finally:
            over.set()
        for future in running:
            future.result()


# ---- sentences -------------------------------------------------------------------------------------------------------------


class Paced(_Answering):
    """A model that says a token now and then, and remembers when."""

    said: list[tuple[float, str]] = []  # noqa: RUF012 - of the class: a request makes an object of its own

    def _put(self, text: str) -> None:
        body = text.partition("data: ")[2].strip()
        choices = json.loads(body).get("choices") if body.startswith("{") else None
        token = (choices[0]["delta"].get("content") or "") if choices else ""
        if token:
            time.sleep(TOKEN_S)
            self.said.append((time.perf_counter(), token))
        super()._put(text)


def ends(said: Sequence[tuple[float, str]]) -> list[float]:
    """When each sentence's last token left."""
    found, text = [], ""
    for at, token in said:
        count = text.count(". ")
        text += token
        if text.count(". ") > count:
            found.append(at)
    return found


def sentences(folder: Path, rounds: int = 6) -> Timed:
    """From a sentence's last token leaving the model to the sentence at the reader."""
    words = "the book is calm and nothing waits for a person tonight. " * SENTENCES
    done, home = Timed([], []), folder / "home"
    with ModelServer(Say(words + "That is all.", pieces=len(words) // 4)) as server:
        server._web.RequestHandlerClass = Paced  # the fake has no door for a pace
        environment = environment_of(home, OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-bench", OPENAI_MODEL="small")
        with api(environment, folder / "api-model.log") as clients:
            client = clients()
            for n in range(rounds):
                Paced.said.clear()
                asked, came = client.ask("operator", "Is all well?", "new"), list[float]()
                for event in client.follow(asked["turn"]):
                    came += [time.perf_counter()] if event["kind"] == "sentence" else []
                left = ends(Paced.said)
                if len(left) != SENTENCES or len(came) < SENTENCES:
                    raise DataError(f"{len(left)} sentences left and {len(came)} came", "this is a bug of the benchmark")
                if n:  # the first turn loads the openai library and may hold tokens up
                    done.seconds.extend(b - a for a, b in zip(left, came, strict=False))
    return done


# ---- the tables ------------------------------------------------------------------------------------------------------------


def whole_desk(folder: Path, table: Verdicts) -> None:
    """`nightdesk up` on a set-up machine: ready, and at rest."""
    environment, log = environment_of(folder / "home"), folder / "up.log"
    with started(environment, ["up"], log):
        until(lambda: "going on at" in log.read_text(), "the replay's end")
        until(ready(environment), "API and page")
    begun = time.perf_counter()
    with started(environment, ["up"], log) as desk:
        until(ready(environment), "API and page")
        took = time.perf_counter() - begun
        until(lambda: "going on at" in log.read_text(), "the worker")
        time.sleep(SETTLED_S)
        pids = family(desk.pid)
        first, since = spent(pids), time.perf_counter()
        time.sleep(WATCHED_S)
        share = (spent(pids) - first) / (time.perf_counter() - since)
        held = memory(pids)
    table.add("nightdesk up on a set-up machine to API and page answering", took, "s", 10)
    table.add(f"all {len(pids)} processes at rest, resident", held.resident, "MB", 900, held.note())
    table.add("the same at one bar a second", 100 * share, "% of a core", 5)


def long_journal(folder: Path, table: Verdicts, console: Console) -> None:
    """Turns and halts on a home with a long journal."""
    environment = environment_of(folder / "home")
    os.environ["NIGHTDESK_HOME"] = environment["NIGHTDESK_HOME"]
    walked(environment, folder / "worker.log")
    home = open_home()
    events, size, took = grown(home, EVENTS)
    refresh_day_sums(home.path)  # as the supervisor does every hour
    year = f"{percent_text(events / YEAR, 0)} of a year at {A_DAY:,} a day"
    table.table.title = f"{table.table.title}; turns with {events:,} events ({size:.2f} GB, {year})"
    console.print(f"wrote and verified that journal: {events:,} events, {size:.2f} GB, written in {took:.0f} s")
    with api(environment, folder / "api.log") as clients:
        many = [clients() for _ in range(AT_ONCE)]
        conversation(many[0], len(ASKED))  # the first turns import
        alone = conversation(many[0], TURNS)
        table.add(f"an offline turn without COMPUTE, {TURNS} one by one", *alone.against(95, 150), alone.percentiles(50, 95))
        paced, pressed = at_once(many, THINK_S), at_once(many, 0.0)
        table.add(f"{AT_ONCE} threads, a question each every {THINK_S:g} s", *paced.against(95, 150), paced.percentiles(50, 95))
        table.add(f"{AT_ONCE} threads at once, question upon question", *pressed.against(95), pressed.percentiles(50, 95))
        quiet = halts(home, many[0])
        table.add("halt, click to latch", *quiet.against(95, 100), quiet.percentiles(95, 100))
        with busy(many[1 : BUSY + 1]):
            loud = halts(home, many[0])
        table.add(f"the same while {BUSY} turns run", *loud.against(95, 100), loud.percentiles(95, 100))
        for span, text in SUMMED:
            summed = Timed([turn(many[0], "advisor", text, "new")[0] for _ in range(SUMS)], [])
            table.add(f"a turn on the P&L of {span} (COMPUTE)", *summed.against(95, 150), summed.percentiles(50, 100))
    console.print(f"medians a question: {alone.slowest()}")
    heard = sentences(folder)
    table.add("a sentence's last token to the sentence at the reader", *heard.against(95, 50), heard.percentiles(50, 95))
    several = two_processes(environment, folder / "api-two.log")
    table.add(f"{AT_ONCE} threads at once, [api] processes = 2", *several.against(95, 400), several.percentiles(50, 95))


def office() -> None:
    """Print the table."""
    recorded = "recorded bars" if os.environ.get("NIGHTDESK_DATA") else "synthetic bars"
    table = Verdicts(f"API, turns and page over HTTP, {recorded}")
    console = Console(width=None if sys.stdout.isatty() else 130)
    folders = [Path(tempfile.mkdtemp(prefix="nightdesk-bench-")) for _ in range(2)]
    before = os.environ.get("NIGHTDESK_HOME")
    try:
        whole_desk(folders[0], table)
        long_journal(folders[1], table, console)
        table.show()
    finally:
        os.environ.pop("NIGHTDESK_HOME", None)
        os.environ.update({"NIGHTDESK_HOME": before} if before is not None else {})
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
