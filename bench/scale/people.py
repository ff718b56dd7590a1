"""1 and 20 people who ask, against SQLite and PostgreSQL, with one and two API processes. Called by bench.scale.cell.

The home is the desk of the journal part's smallest size. People ask what no backtest answers, without a model, one question upon
another; a conversation is warmed up before it is measured. PostgreSQL is a new server on the same machine, each commit synced.
"""

import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.home.belonging import FILE as BELONGING
from bench.commands import family, memory, spent
from bench.office import ASKED, Timed, api, at_once, conversation, environment_of
from bench.scale.journal import api_pids, home_of
from bench.scale.kept import FOLDER, Figures
from engine.errors import BadInput
from tests.fakes.postgres_server import programs, served

PART = "people"
ALONE = 40  # questions of one person


def turns(database: str, processes: str, people: str) -> Figures:
    """p50 and p95 of a turn (wall ms), and CPU ms a turn of API and database."""
    home = FOLDER / f"people-{database}-{processes}"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(home_of("100000"), home, ignore=shutil.ignore_patterns("*.lock"))
    with (home / "desk.toml").open("a") as file:
        file.write(f"\n[api]\nprocesses = {processes}\n")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        more, server = {}, []  # type: tuple[dict[str, str], list[int]]
        if database == "postgresql":
            url = stack.enter_context(served(_programs(), durable=True))
            more, server = {"NIGHTDESK_DATABASE_URL": url}, postgres_of(url)
            moved_to(home, url)
        environment = environment_of(home, **more)
        clients = stack.enter_context(api(environment, home / "bench-api.log"))
        return figures_of_turns(clients, int(people), server)


def figures_of_turns(clients: Any, people: int, server: list[int]) -> Figures:
    """The figures of so many people."""
    everyone = [clients() for _ in range(people)]
    work = (lambda: at_once(everyone, 0.0)) if people > 1 else (lambda: conversation(everyone[0], ALONE))
    conversation(everyone[0], len(ASKED))
    work()
    pids = api_pids()
    begun, of_server, since = spent(pids), spent_with_ended(server), time.perf_counter()
    done: Timed = work()
    took = time.perf_counter() - since
    count = len(done.seconds)
    held = memory(api_pids())
    return {
        "p50_ms": percentile(done, 50),
        "p95_ms": percentile(done, 95),
        "cpu_ms": 1000 * (spent(pids) - begun) / count,
        "server_cpu_ms": 1000 * (spent_with_ended(server) - of_server) / count,
        "turns_a_s": count / took,
        "api_mb": held.proportional,
    }


def moved_to(home: Path, url: str) -> None:
    """Say in the home that its database is there now: an empty one, with what the first start makes."""
    (home / "desk.db").unlink()
    told = json.loads((home / BELONGING).read_text())
    (home / BELONGING).write_text(json.dumps(told | {"database": url.replace("postgres@", "")}))


def percentile(done: Timed, share: int) -> float:
    """In ms."""
    return done.against(share)[0]


def postgres_of(url: str) -> list[int]:
    """The server's first process, by its port."""
    port = url.rpartition(":")[2].partition("/")[0].encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"postgres") and port in words:
                return [int(folder.name)]
    return []


def spent_with_ended(roots: list[int]) -> float:
    """CPU s of processes and all below them that run."""
    return sum(spent(family(root)) for root in roots)


def _programs() -> Path:
    found = programs()
    if found is None:
        raise BadInput("PostgreSQL is not installed", "apt-get install postgresql")
    return found


CELLS = {"turns": turns}
