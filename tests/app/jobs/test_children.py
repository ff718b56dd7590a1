"""A job of several runs: its rows while it runs, a run that fails, cancelled, killed and resumed; nothing is counted twice."""

import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from sqlmodel import col, select

from app.api import jobs as api_jobs
from app.api.jobs import job_status
from app.cli.jobs import register
from app.home.home import Home, open_home
from app.jobs import children, kinds, queue
from app.jobs.children import children_of, counts_of, resume, run_all, submit_runs, table_of
from app.jobs.queue import RUNS, JobQueue, run_job
from engine.errors import BadInput, DataError, Refused
from engine.store.db import read, write
from engine.store.tables import Job, Run
from tests.fakes import recordings
from tests.fakes.waiting import WAIT_S, until

ASK = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with bars."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("children")
        patch.setenv("NIGHTDESK_HOME", str(folder / "home"))
        recordings.record(folder / "home" / "data", 200, ("BTC-USDT",))
        made = open_home()
    yield made
    made.engine.dispose()


@pytest.fixture
def jobs(home: Home, monkeypatch: pytest.MonkeyPatch) -> JobQueue:
    """A queue whose children run at once, in this process; a parent's process is started by the test itself."""
    work = {"backtest": _played}

    def spawn(self: JobQueue, job_id: str) -> None:
        with read(home.engine) as session:
            kind = session.get(Job, job_id).kind  # type: ignore[union-attr]  # it was stored a moment ago
        if kind != RUNS:
            run_job(home, job_id, work)

    monkeypatch.setattr(JobQueue, "spawn", spawn)
    monkeypatch.setattr(queue, "is_job", lambda pid, _job_id: pid == os.getpid())
    return JobQueue(home, "ann")


PLAYED: list[float] = []


def _played(_home: Home, args: Any, progress: kinds.Progress) -> dict[str, Any]:
    """A backtest that is only noted; a stop of 9 fails, one of 7 ends the parent."""
    stop = args["params"]["stop_atr"]
    PLAYED.append(stop)
    progress(0.5)
    if stop == 9:
        raise DataError("no bars for that", "pull them")
    if stop == 7:
        raise KeyboardInterrupt
    return {"run_id": f"r-20261127-0000000{stop:g}", "cached": False, "metrics": {"sharpe": stop}, "scenarios": {}}


@pytest.fixture(autouse=True)
def none_played() -> None:
    """Nothing yet."""
    PLAYED.clear()


def wanted(*stops: float) -> list[tuple[str, dict[str, Any]]]:
    """A run a stop."""
    return [(f"stop_atr {stop:g}", {**ASK, "params": {"stop_atr": stop}}) for stop in stops]


def run_parent(home: Home, job_id: str) -> None:
    """What the parent's process does."""
    run_job(home, job_id, {RUNS: partial(run_all, job_id)})


def states(home: Home, job_id: str) -> list[str]:
    """Of its runs, in their order."""
    return [row.state for row in children_of(home.engine, job_id)]


def test_each_run_is_a_row_and_one_that_fails_is_one_that_fails(home: Home, jobs: JobQueue) -> None:
    """One turn of the queue for all; counts and figures in the order asked for; the parent is done when one of them is."""
    job = submit_runs(jobs, wanted(2, 9, 3), thread="t-1", turn="u-1")
    assert counts_of(children_of(home.engine, job))["queued"] == 3
    assert [view.id for view in jobs.live()] == [job]
    run_parent(home, job)
    view, table = jobs.view(job), table_of(children_of(home.engine, job))
    assert (view.state, view.progress) == ("done", 1.0)
    ended = {"text": "2 of 3 runs done, 1 failed", "total": 3, "done": 2, "failed": 1, "cancelled": 0, "running": 0, "queued": 0}
    assert view.result == {"children": ended}
    assert [(row[0], row[1], row[3], row[5]) for row in table["rows"]] == [
        ("stop_atr 2", "done", "r-20261127-00000002", 2),
        ("stop_atr 9", "failed", None, None),
        ("stop_atr 3", "done", "r-20261127-00000003", 3),
    ]
    assert PLAYED == [2, 9, 3]


def test_all_that_fail_are_a_failure_with_the_first_reason(home: Home, jobs: JobQueue) -> None:
    """Nothing to show is no success."""
    job = submit_runs(jobs, wanted(9, 9))
    run_parent(home, job)
    view = jobs.view(job)
    assert view.state == "failed"
    assert "none of its 2 runs ended well; the first: no bars for that" in str(view.error)


def test_the_table_is_there_while_it_runs(home: Home, jobs: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """From within the second run: the first has its figures, and another job waits its turn."""
    seen: list[Any] = []

    def look(_home: Home, args: Any, progress: kinds.Progress) -> dict[str, Any]:
        found = table_of(children_of(home.engine, job))["rows"]
        seen.append([(row[1], row[5]) for row in found])
        seen.append(queue.my_turn(home, other))
        return _played(_home, args, progress)

    def spawn(_self: JobQueue, job_id: str) -> None:
        if job_id.count("-") == 3:
            run_job(home, job_id, {"backtest": look})

    monkeypatch.setattr(JobQueue, "spawn", spawn)
    job = other = ""
    job = submit_runs(jobs, wanted(2, 3))
    other = jobs.submit("backtest", ASK | {"params": {"stop_atr": 5}})
    run_parent(home, job)
    assert seen == [[("running", None), ("queued", None)], False, [("done", 2), ("running", None)], False]


def test_a_parent_that_is_cancelled_takes_its_runs_with_it(home: Home, jobs: JobQueue) -> None:
    """What has ended stays; what waits or runs is cancelled; its process finds nothing to do."""
    job = submit_runs(jobs, wanted(2, 3, 4))
    first = children_of(home.engine, job)[0].id
    run_job(home, first, {"backtest": _played})
    second = children_of(home.engine, job)[1].id
    with write(home.engine) as session:  # it runs, in a process that is gone when it is asked
        row = session.get(Job, second)
        assert row is not None
        row.state, row.pid = "running", 2**22 + 1
    jobs.cancel(job)
    assert states(home, job) == ["done", "cancelled", "cancelled"]
    run_parent(home, job)
    assert PLAYED == [2]


def test_killed_and_resumed_it_runs_the_rest_and_counts_nothing_twice(home: Home, jobs: JobQueue) -> None:
    """The process dies in the third of four runs; resumed twice at once it is queued once, and what was done is not run again."""
    job = submit_runs(jobs, wanted(2, 3, 7, 4))
    with pytest.raises(KeyboardInterrupt):
        run_parent(home, job)
    with write(home.engine) as session:
        for row in session.exec(select(Job).where(col(Job.state) == "running")):
            row.pid = 2**22 + 1  # its process is gone
    assert jobs.view(job).state == "failed"
    assert states(home, job)[:2] == ["done", "done"]
    assert states(home, job)[3] == "cancelled"
    jobs.view(children_of(home.engine, job)[2].id)
    assert states(home, job)[2] == "failed"
    resume(jobs, job)
    with pytest.raises(Refused, match=f"{job} is queued"):
        resume(jobs, job)
    assert states(home, job) == ["done", "done", "queued", "queued"]
    with write(home.engine) as session:
        third = session.get(Job, f"{job}-3")
        assert third is not None
        third.args = json.dumps({**ASK, "params": {"stop_atr": 8}})  # this time it ends
    run_parent(home, job)
    assert PLAYED == [2, 3, 7, 8, 4]
    assert (jobs.view(job).result or {})["children"]["text"] == "4 of 4 runs done"
    with pytest.raises(Refused, match="0 of its 4 runs"):
        resume(jobs, job)


def test_a_bad_run_among_them_queues_none(home: Home, jobs: JobQueue) -> None:
    """All arguments are checked first; too many or none are refused."""
    for bad in ([*wanted(2), ("x", {**ASK, "params": {"stop_atr": 2000.0}})], [], wanted(*[2.0] * (children.RUNS_MAX + 1))):
        with pytest.raises(BadInput):
            submit_runs(jobs, bad)
    with read(home.engine) as session:
        assert session.exec(select(Job)).all() == []
    other = jobs.submit("backtest", wanted(2)[0][1])
    with pytest.raises(BadInput, match="no runs of its own"):
        resume(jobs, other)


def test_the_queue_counts_a_job_with_its_runs_as_one(home: Home, jobs: JobQueue) -> None:
    """Four of them fill it, not four hundred runs."""
    for _ in range(queue.WAITING_MAX + 1):
        submit_runs(jobs, wanted(*range(2, 9)))
    with pytest.raises(Refused, match="the queue is full"):
        submit_runs(jobs, wanted(2))


def test_command_and_api_show_the_same_while_it_runs(
    home: Home, jobs: JobQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run has ended, one failed, one waits: counts in the list, a row each, the reason; cancelled and resumed by command."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(home.path))
    job = submit_runs(jobs, wanted(2, 9, 3))
    for n in (1, 2):
        run_job(home, f"{job}-{n}", {"backtest": _played})
    (listed,) = command(capsys, "list")["items"]
    assert (listed["id"], listed["state"], listed["children"]["text"]) == (job, "queued", "1 of 3 runs done, 1 failed")
    shown = command(capsys, "show", job)
    assert [(row[1], row[5]) for row in shown["runs"]["rows"]] == [("done", 2), ("failed", None), ("queued", None)]
    assert shown["errors"] == {f"{job}-2": "no bars for that - pull them"}
    at: Any = SimpleNamespace(engine=home.engine, home=home)
    status, found = job_status(at, job), api_jobs.runs(at, None, job)
    assert status.children == found.counts
    assert (found.counts.text, found.rows) == (listed["children"]["text"], shown["runs"]["rows"])
    assert [one.id for one in api_jobs.jobs(at, None, live=False, limit=50).items] == [job]
    assert command(capsys, "cancel", job)["children"]["text"] == "1 of 3 runs done, 1 failed, 1 cancelled"
    assert command(capsys, "resume", job)["state"] == "queued"
    assert states(home, job) == ["done", "queued", "queued"]


def command(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What `nightdesk jobs ... --json` prints."""
    capsys.readouterr()
    own = typer.Typer()
    register(own)
    own(["jobs", *words, "--json"], standalone_mode=False)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.long  # four processes: that a real parent is killed with SIGKILL, and its runs are stored once each
def test_with_processes_of_their_own(own_home: Path) -> None:
    """kill -9 of the parent while it runs; resumed, each run is in the store once."""
    recordings.record(own_home / "data", 2_000, ("BTC-USDT",))
    home = open_home()
    jobs = JobQueue(home, "ann")
    job = submit_runs(jobs, wanted(2, 2.5, 3))
    until(lambda: states(home, job)[0] == "done", "the first run never ended")
    with read(home.engine) as session:
        pid = session.get(Job, job).pid  # type: ignore[union-attr]  # it was stored a moment ago
    os.killpg(pid, signal.SIGKILL)
    until(lambda: jobs.view(job).state == "failed" and "running" not in states(home, job), "the kill was not seen")
    resume(jobs, job)
    view = jobs.wait(job, WAIT_S)
    assert (view.state, states(home, job)) == ("done", ["done"] * 3)
    with read(home.engine) as session:
        assert len(session.exec(select(Run)).all()) == 3
