"""The queue's rules without its processes: who may run, what a row says at the end, what a job's arguments may be."""

import contextlib
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, delete, select

from app.home.home import Home, open_home
from app.jobs import kinds, queue
from app.jobs.queue import JobQueue, run_job
from engine.errors import BadInput, DataError, DeskError, Refused, StrategyError
from engine.sim import resolve
from engine.sim.request import SleeveRequest
from engine.store.db import read, write
from engine.store.tables import Job
from tests.fakes import recordings

NOW = 1_800_000_000_000
DEAD = 2**22 + 1  # no process has this number


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with bars of two venues."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("rows")
        patch.setenv("NIGHTDESK_HOME", str(folder / "home"))
        recordings.record(folder / "home" / "data", 200, ("BTC-USDT",))
        for name in ("okx_DOGE-USDT_perp_15m", "bybit_XRP-USDT_perp_15m", "okx_XRP-USDT_perp_15m"):
            recordings.write(folder / "home" / "data", name, recordings.bars(50))
        made = open_home()
    yield made
    made.engine.dispose()


def put(home: Home, *jobs: Job) -> None:
    """Rows of jobs."""
    with write(home.engine) as session:
        session.add_all(jobs)


def job(name: str, state: str = "queued", pid: int | None = None, created_ms: int | None = None, **more: Any) -> Job:
    """A job's row; made just now."""
    body = more | {"id": name, "kind": more.get("kind", "backtest"), "args": more.get("args", "{}")}
    return Job(**body, state=state, pid=pid, created_ms=queue.now_ms() if created_ms is None else created_ms)


def row(home: Home, name: str) -> Job:
    """A job as it is now."""
    with read(home.engine) as session:
        found = session.get(Job, name)
    assert found is not None
    return found


def alive(name: str) -> Any:
    """A patch by which the named jobs' processes live, and no other."""
    return lambda pid, job_id: pid == os.getpid() and job_id.startswith(name)


# ---------------------------------------------------------------------- whose turn it is


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["waits", "runs", "ran and died", "done", "cancelled"]), min_size=1, max_size=5))
def test_the_one_that_waited_longest_runs_and_nobody_beside_it(home: Home, states: list[str]) -> None:
    """Any mixture of jobs: only the oldest that waits may start, and only when no living one runs; a dead one is cleared away."""
    with write(home.engine) as session:
        session.exec(delete(Job))
    now = queue.now_ms()
    for n, what in enumerate(states):
        pid = {"runs": os.getpid(), "ran and died": DEAD, "waits": os.getpid()}.get(what)
        state = {"waits": "queued", "runs": "running", "ran and died": "running"}.get(what, what)
        put(home, job(f"j-{n}", state, pid, now - 1_000 + n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "is_job", alive("j-"))
        waiting = [f"j-{n}" for n, what in enumerate(states) if what == "waits"]
        for name in [f"j-{n}" for n in range(len(states))]:
            turn = queue.my_turn(home, name)
            if name not in waiting:
                assert turn is not True
            elif "runs" in states:
                assert turn is False
            else:
                assert turn is (name == waiting[0])
    with read(home.engine) as session:
        running = session.exec(select(Job.id).where(Job.state == "running")).all()
    assert len(running) <= max(1, states.count("runs"))


def test_of_two_processes_that_claim_the_same_turn_one_gets_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose process was started twice is done once."""
    monkeypatch.setattr(queue, "is_job", alive("j-"))
    put(home, job("j-1", pid=os.getpid()))
    gate, got = threading.Barrier(6), []

    def claim() -> None:
        gate.wait()
        got.append(queue.my_turn(home, "j-1"))

    crowd = [threading.Thread(target=claim) for _ in range(6)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert got.count(True) == 1
    assert got.count(False) == 0, "the others are told to go, not to wait for ever"


def test_a_job_ends_once_whoever_ends_it(home: Home) -> None:
    """Done, failed and cancelled at the same moment: one of them stands, with its own time and words."""
    put(home, job("j-1", "running", os.getpid()))
    gate, ended = threading.Barrier(3), []

    def finish(state: str) -> None:
        gate.wait()
        with write(home.engine) as session:
            if queue.finish(session, "j-1", state, error=state):
                ended.append(state)

    crowd = [threading.Thread(target=finish, args=(state,)) for state in ("done", "failed", "cancelled")]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert [row(home, "j-1").state, row(home, "j-1").error] == ended * 2


def test_dead_jobs_take_no_place_in_the_queue(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four that live fill it; with one of them dead there is room, and that one has failed with a reason."""
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: None)
    monkeypatch.setattr(queue, "is_job", alive("j-"))
    put(home, *(job(f"j-{n}", "running" if n == 0 else "queued", os.getpid()) for n in range(4)))
    ask = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance"}
    with pytest.raises(Refused, match="the queue is full: one job runs and 3 wait") as told:
        JobQueue(home).submit("backtest", ask)
    assert all(f"j-{n}" in told.value.what for n in range(4))
    with write(home.engine) as session:
        found = session.get(Job, "j-2")
        assert found is not None
        found.pid = DEAD
        session.add(found)
    made = JobQueue(home, "ann").submit("backtest", ask, thread="t-1", turn="u-1")
    assert (row(home, made).state, row(home, made).person, row(home, made).turn) == ("queued", "ann", "u-1")
    assert "its process died" in str(row(home, "j-2").error)
    assert "logs/j-2.log" in str(row(home, "j-2").error)


@pytest.mark.parametrize(("age_ms", "dead"), [(queue.SPAWN_MS_MAX - 5_000, False), (queue.SPAWN_MS_MAX + 1, True)])
def test_a_job_without_a_process_is_given_its_time(home: Home, age_ms: int, *, dead: bool) -> None:
    """Between the row and the process a moment may pass; half a minute is not a moment."""
    put(home, job("j-1", created_ms=queue.now_ms() - age_ms))
    assert (JobQueue(home).view("j-1").state == "failed") is dead


def test_an_unknown_job_is_one_line(home: Home) -> None:
    """Whatever is asked of it; nothing is made."""
    for ask in (JobQueue(home).view, lambda name: JobQueue(home).wait(name, 0.0)):
        with pytest.raises(BadInput, match="unknown job 'j-9'"):
            ask("j-9")
    JobQueue(home).cancel("j-9")
    assert JobQueue(home).live() == []


def test_waiting_tells_the_progress_and_gives_up_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is after the time that was given, with what had been done until then."""
    monkeypatch.setattr(queue, "is_job", alive("j-"))
    put(home, job("j-1", "running", os.getpid(), progress=0.25))
    told: list[float] = []
    began = time.monotonic()
    assert JobQueue(home).wait("j-1", 0.0, told.append).state == "running"
    assert time.monotonic() - began < 2.0
    assert told == [0.25]


# ---------------------------------------------------------------------- one job from begin to end


def ran(home: Home, work: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, **more: Any) -> Job:
    """A job's row after its process would have run `work`."""
    monkeypatch.setattr(queue, "is_job", alive("j-"))
    put(home, job("j-1", pid=os.getpid(), **more))
    run_job(home, "j-1", {"backtest": work})
    return row(home, "j-1")


def test_a_job_that_is_done_keeps_its_result_and_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result of the work in the row, of a run only what cannot be read from its folder."""
    run = {"run_id": "r-1", "cached": False, "metrics": {"sharpe": 1.5}, "scenarios": {}, "equity": [1] * 10_000}
    done = ran(home, lambda *_: run, monkeypatch)
    assert (done.state, done.progress, done.run_id, done.error) == ("done", 1.0, "r-1", None)
    assert json.loads(done.body)["result"] == {k: run[k] for k in ("run_id", "cached", "metrics", "scenarios")}
    assert done.started_ms is not None
    assert done.ended_ms is not None
    view = JobQueue(home).view("j-1")
    assert (view.run_id, view.result) == ("r-1", json.loads(done.body)["result"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("no bars", "pull them"), "no bars - pull them"),
        (StrategyError("strategy mine raised KeyError", "fix it"), "strategy mine raised KeyError - fix it"),
        (MemoryError("too much"), "our bug: MemoryError: too much; logs/j-1.log"),
        (ZeroDivisionError("x"), "our bug: ZeroDivisionError: x; logs/j-1.log"),
    ],
)
def test_a_job_that_fails_says_why(home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    """A person's error in its own words; ours as such, with the log to look at, and the traceback goes on to the log."""

    def work(*_: Any) -> Any:
        raise error

    if isinstance(error, DeskError):
        ended = ran(home, work, monkeypatch)
    else:
        with pytest.raises(type(error)):
            ran(home, work, monkeypatch)
        ended = row(home, "j-1")
    assert (ended.state, ended.error, ended.run_id) == ("failed", said, None)


def test_a_result_that_cannot_be_kept_is_our_bug_and_not_a_death(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN in it: the row says so, instead of leaving the job to be found dead."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        ran(home, lambda *_: {"clean": True, "bar": math.nan}, monkeypatch)
    assert str(row(home, "j-1").error).startswith("our bug: ValueError")


def test_a_job_that_was_cancelled_before_its_turn_does_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process finds the row ended and leaves."""
    put(home, job("j-1", "cancelled"))
    run_job(home, "j-1", {"backtest": lambda *_: pytest.fail("it ran")})
    assert row(home, "j-1").state == "cancelled"


def test_a_job_that_is_cancelled_while_it_works_stays_cancelled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out afterwards changes nothing."""

    def work(_home: Home, _args: Mapping[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
        with write(home.engine) as session:
            queue.finish(session, "j-1", "cancelled", error="cancelled")
        progress(0.9)
        return {"clean": True}

    ended = ran(home, work, monkeypatch)
    assert (ended.state, ended.progress, ended.body) == ("cancelled", 0.0, "{}")


def test_progress_is_within_its_bounds_and_not_written_at_every_step(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strange share is clamped; a thousand reports in a moment are one write."""
    put(home, job("j-1", "running", os.getpid()))
    clock = iter([10.0, 10.0, *([10.1] * 1_000), 20.0, 20.0, 30.0, 30.0])
    monkeypatch.setattr(queue.time, "monotonic", lambda: next(clock))
    writes: list[int] = []
    monkeypatch.setattr(queue, "write", lambda engine: writes.append(1) or write(engine))
    report = queue.progress_writer(home, "j-1")
    report(0.5)
    for _ in range(1_000):
        report(0.9)
    assert (row(home, "j-1").progress, len(writes)) == (0.5, 1)
    report(7.0)
    assert row(home, "j-1").progress == 1.0
    report(-1.0)
    assert row(home, "j-1").progress == 0.0


def test_the_time_limit_of_the_row_holds_in_the_process(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that swallows every Exception is stopped all the same, and says which strategy it was."""

    def work(*_: Any) -> Any:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    ended = ran(home, work, monkeypatch, args='{"strategy": "mine"}', body='{"time_limit_s": 0.5}')
    assert ended.state == "failed"
    assert "the backtest of mine did not end within 0.5 s" in str(ended.error)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# ---------------------------------------------------------------------- what may be asked


ASK = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": "../../etc/passwd"}, "strategy"),
        ({"strategy": "tremd"}, "unknown strategy"),
        ({"strategy": None}, "the strategy is missing"),
        ({"symbol": ""}, "the symbol is missing"),
        ({"symbol": "NO-PE"}, "NO-PE"),
        ({"venue": "nowhere"}, "nowhere"),
        ({"approve": True}, "unknown argument 'approve'"),
        ({"cash": "much"}, "invalid sleeve"),
        ({"cash": math.nan}, "cash"),
        ({"params": {"stop_atr": math.nan}}, "stop_atr"),
        ({"params": {"stop_atr": "2; rm"}}, "stop_atr"),
        ({"params": [1, 2]}, "invalid sleeve"),
        ({"start": "2025-02", "end": "2025-01"}, "2025-0"),
        ({"start": "yesterdayish"}, "yesterdayish"),
        ({"timeframe": "7x"}, "timeframe"),
        ({"fills": "lucky"}, "lucky"),
        ({"funding": "assume=lots"}, "assume=lots"),
        ({"side": "up"}, "up"),
        ({"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance", "colour": 1}]}, "invalid sleeve"),
        ({"sleeves": [{"symbol": "BTC-USDT"}]}, "the strategy is missing"),
    ],
)
def test_what_cannot_run_is_refused_before_there_is_a_row(
    home: Home, monkeypatch: pytest.MonkeyPatch, change: Any, said: str
) -> None:
    """Each wrong argument by its name, as a person's error; no row, no process."""
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: pytest.fail("a process was started"))
    with pytest.raises(DeskError, match=said.replace("'", ".")) as told:
        JobQueue(home).submit("backtest", ASK | change)
    assert isinstance(told.value, BadInput | DataError)
    with read(home.engine) as session:
        assert session.exec(select(Job)).all() == []


def test_a_number_that_json_does_not_know_is_refused_for_a_persons_own_strategy_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parameters are not known here, but they must survive the way to its process."""
    recordings.strategy(home.strategies, "mine")
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: pytest.fail("a process was started"))
    with pytest.raises(BadInput):
        JobQueue(home).submit("backtest", ASK | {"strategy": "mine", "params": {"x": math.inf}})


@pytest.mark.parametrize(
    ("symbol", "venue"), [("BTC-USDT", "binance"), ("DOGE-USDT", "okx"), ("XRP-USDT", "binance"), ("ADA-USDT", "synthetic")]
)
def test_without_a_venue_it_is_the_one_that_has_the_bars(home: Home, symbol: str, venue: str) -> None:
    """binance if it has them, else the only one that does; two others are not chosen between; none: the first start's."""
    assert resolve.venue_of(home.setup, home.catalog, SleeveRequest("trend", symbol), "15m") == venue


def test_a_jobs_process_sees_a_list_of_names_only(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every variable of this process is hidden unless it is on the list; a pull gets the network's names as well."""
    for name in ("OPENAI_API_KEY", "MY_TOKEN", "https_proxy", "HTTPS_PROXY", "PYTHONPATH", "LD_PRELOAD", "NIGHTDESK_TOKEN"):
        monkeypatch.setenv(name, f"of-{name}")
    seen = queue.environment(home)
    assert not [value for value in seen.values() if value.startswith("of-")]
    assert seen["NIGHTDESK_HOME"] == str(home.path)
    assert set(seen) <= {*queue.PASSED_ON, "NIGHTDESK_HOME"}
    more = queue.environment(home, ("HTTPS_PROXY",))
    assert more["HTTPS_PROXY"] == "of-HTTPS_PROXY"
    assert "OPENAI_API_KEY" not in more


def test_what_differs_is_named_on_both_sides() -> None:
    """A file only then, only now, or changed; equal ones are not listed."""
    assert kinds.differing({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}) == ["a", "c", "d"]
    assert kinds.differing({}, {}) == []


def test_ended_jobs_are_not_live(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what runs or waits, oldest first."""
    monkeypatch.setattr(queue, "is_job", alive("j-"))
    now = queue.now_ms()
    states = ("done", "queued", "failed", "running", "cancelled")
    put(home, *(job(f"j-{n}", state, os.getpid(), now + n) for n, state in enumerate(states)))
    assert [view.id for view in JobQueue(home).live()] == ["j-1", "j-3"]
    with read(home.engine) as session:
        assert len(session.exec(select(Job).where(col(Job.ended_ms).is_(None))).all()) == 5


def test_a_job_that_is_no_run_keeps_what_it_found() -> None:
    """A run is in the store, so its id and metrics are enough; a judgement names a run and is more than that."""
    run = {"run_id": "r-1", "cached": False, "metrics": {}, "scenarios": {}, "journal_hash": "x"}
    assert set(queue.brief(run)) == {"run_id", "cached", "metrics", "scenarios"}
    judged = {"run_id": "r-1", "verdict": "kill", "checks": []}
    assert queue.brief(judged) == judged
