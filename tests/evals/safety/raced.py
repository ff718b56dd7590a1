"""S7: clicks and approvals that race, come too late, are forged or come from nobody, on a desk connected to a local Slack.

Two people press a card's buttons at once on two threads, by the function that Slack's requests end in; two processes approve one
card. Each has to be decided once, and everyone answered.
"""

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor
from app.slack.actions import interaction
from app.slack.signed_http import handle
from engine.control.config import versions
from engine.control.proposals import get
from engine.errors import DeskError
from engine.store.journal import read
from engine.store.tables import Proposal
from tests.fakes.slack_desks import ANN, BOB, EVE, connected, now_ms, proposed, slack_home, value_of
from tests.fakes.slack_server import SlackServer

CLICKS, PROCESSES, EACH = 1_000, 30, 10  # races of threads, of processes; of each thing that is to be refused
WAIT_S = 120.0
BY_SLACK, BY_HAND = Actor("ann", "slack", "", "slack"), Actor("ann", "claimed", "tester", "cli")


class Race(NamedTuple):
    """One thing that was tried: whether it came out as it has to, and the time to each answer, s."""

    kind: str
    right: bool
    answered_s: tuple[float, ...] = ()


def raced(folder: Path, clicks: int = CLICKS, processes: int = PROCESSES, each: int = EACH) -> Iterator[Race]:
    """All of it, on two desks."""
    with _home_is(folder / "clicked"), SlackServer() as server:
        home = slack_home(folder / "clicked", server)
        yield from _clicks(home, server, clicks)
        yield from _refused(home, server, each)
    with _home_is(folder / "approved"):
        yield from _processes(open_home(), processes)


@contextmanager
def _home_is(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("NIGHTDESK_HOME")
    os.environ["NIGHTDESK_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("NIGHTDESK_HOME")
        os.environ.update({} if before is None else {"NIGHTDESK_HOME": before})


def _clicks(home: Home, server: SlackServer, count: int) -> Iterator[Race]:
    """Ann and Bob press at the same moment: one decision each time, the other hears that nothing was done."""
    slack = connected(home, server)

    def one(user: str, value: str) -> tuple[str, float]:
        begun = time.monotonic()
        answer = interaction(home, slack, server.click(user, "reject", value))
        return ("" if answer is None else answer.text), time.monotonic() - begun

    rows, said = list[str](), list[list[tuple[str, float]]]()
    with ThreadPoolExecutor(2) as pool:
        for n in range(count):
            row = proposed(home, rationale=f"round {n}")
            rows.append(row.id)
            said.append(list(pool.map(one, (ANN, BOB), [value_of(row)] * 2)))
    decided = Counter(e.body["proposal"] for e in read(home.people_journal, {"decision"}) if "state" in e.body)
    for row_id, answers in zip(rows, said, strict=True):
        heard = sorted("Journal" in text for text, _ in answers), all(text for text, _ in answers)
        yield Race("two clicks at once", heard == ([False, True], True) and decided[row_id] == 1, tuple(s for _, s in answers))


def _refused(home: Home, server: SlackServer, each: int) -> Iterator[Race]:
    """What has to be refused, each so many times, with an answer; the card waits as before."""
    slack = connected(home, server)

    def pressed(user: str, value: str, row: Proposal) -> bool:
        answer = interaction(home, slack, server.click(user, "approve", value))
        return answer is not None and "Journal" not in answer.text and get(home.engine, row.id).state == "pending"

    for n in range(each):
        row = proposed(home, rationale=f"late {n}")
        yield Race("a stranger's click", pressed(EVE, value_of(row), row))
        yield Race("a click on another diff", pressed(ANN, f"{row.id} {'0' * 64}", row))
        looser = proposed(home, "sol-reversion", leverage_max=3.5 + n / 100)
        yield Race("a loosening by a button", pressed(ANN, value_of(looser), looser))
        form = {"payload": json.dumps(server.click(ANN, "approve", value_of(row)))}
        sent = (server.signed(form, "another secret"), server.signed(form, at_s=time.time() - 600 - n))
        statuses = [handle(home, slack, *one).status for one in sent]
        yield Race("a forged or old request", statuses == [401, 401] and get(home.engine, row.id).state == "pending")
        late = proposed(home, "eth-trend", fast_bars=30 + n)
        yield Race("after expiry", _raises(late, late.expires_ms))
        yield Race("a click on an expired card", _raises(late, now_ms()))
        older, newer = (proposed(home, "eth-trend", fast_bars=50 + n, slow_bars=200 + k) for k in range(2))
        yield Race("a superseded card", _raises(older, now_ms()) and get(home.engine, newer.id).state == "pending")


def _raises(row: Proposal, at_ms: int) -> bool:
    """Whether an approval of it is refused."""
    home = open_home()
    try:
        approvals.approve(home, row.id, row.diff_sha256, BY_SLACK, at_ms)
    except DeskError:
        return get(home.engine, row.id).state != "applied"
    return False


def _processes(home: Home, count: int) -> Iterator[Race]:
    """Two processes approve one card: one applies it, one is refused, one version more."""
    context = multiprocessing.get_context("spawn")
    jobs, results, start = [context.Queue() for _ in range(2)], context.Queue(), context.Barrier(2)
    racers = [context.Process(target=racer, args=(str(home.path), queue, results, start)) for queue in jobs]
    for process in racers:
        process.start()
    for n in range(count):
        row, before = proposed(home, stop_atr=3.0 + n / 100), len(versions(home.engine))
        for queue in jobs:
            queue.put((row.id, row.diff_sha256))
        outcomes = sorted(results.get(timeout=WAIT_S) for _ in range(2))
        right = outcomes == ["applied", "refused"] and len(versions(home.engine)) == max(before, 1) + 1
        yield Race("two processes at once", right)
    for queue, process in zip(jobs, racers, strict=True):
        queue.put(None)
        process.join(WAIT_S)


def racer(path: str, jobs: Any, results: Any, start: Any) -> None:
    """Approve what comes down the queue, at the same moment as the other."""
    os.environ["NIGHTDESK_HOME"] = path
    home = open_home()
    while (job := jobs.get()) is not None:
        start.wait()
        try:
            approvals.approve(home, *job, BY_HAND, now_ms())
            results.put("applied")
        except DeskError:
            results.put("refused")
        except Exception as error:  # noqa: BLE001 - it counts as wrong, and the parent must not wait for it
            results.put(repr(error))


def raced_table(races: Sequence[Race]) -> dict[str, Any]:
    """Counts of a run; the time within which 95 of 100 clicks were answered, s."""
    kinds: Mapping[str, list[bool]] = {kind: [r.right for r in races if r.kind == kind] for kind in {r.kind for r in races}}
    waits = sorted(s for race in races for s in race.answered_s)
    return {
        "tried": len(races),
        "right": sum(race.right for race in races),
        "wrong": sorted(f"{kind}: {right.count(False)} of {len(right)}" for kind, right in kinds.items() if not all(right)),
        "clicks": len(kinds.get("two clicks at once", [])),
        "processes": len(kinds.get("two processes at once", [])),
        "p95_s": waits[int(0.95 * (len(waits) - 1))] if waits else 0.0,
    }
