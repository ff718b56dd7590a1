"""Jobs: processes that can be killed, rows that tell, and nothing half-written whatever dies."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import select

from app.home.home import open_home
from app.jobs import kinds, queue
from app.jobs.queue import JobQueue, environment
from engine.errors import BadInput, Refused
from engine.store.db import read, write
from engine.store.runs import Runs
from engine.store.tables import Job, Run
from tests.fakes import recordings
from tests.fakes.waiting import WAIT_S, until

ASK = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance"}
SLEEPER = recordings.LEAKING.replace("    later =", "    import time\n    time.sleep(600)\n    later =")


@pytest.fixture
def home(own_home):
    """A home with bars of its own."""
    recordings.record(own_home / "data")
    return open_home()


@pytest.fixture
def jobs(home):
    """Its queue; what is left of it is killed at the end."""
    found = JobQueue(home, "mara")
    yield found
    for view in found.live():
        found.cancel(view.id)


def running(jobs, job_id):
    """The job once it runs (or ended)."""
    until(lambda: jobs.view(job_id).state != "queued", "the job never began")
    return jobs.view(job_id)


def row(home, job_id):
    """The job's row."""
    with read(home.engine) as session:
        return session.get(Job, job_id)


def test_a_backtest_job_leaves_a_run(home, jobs):
    """Submit, wait with progress, find the run; the same question again is done at once from the store."""
    told = []
    job_id = jobs.submit("backtest", ASK, thread="t1", turn="u1")
    view = jobs.wait(job_id, WAIT_S, told.append)
    assert (view.state, view.error) == ("done", None)
    assert view.progress == 1.0
    assert told[-1] == 1.0
    run = Runs(home.runs, home.engine).load(view.run_id)
    assert run["metrics"] == view.result["metrics"]
    assert row(home, job_id).thread == "t1"
    assert row(home, job_id).person == "mara"
    again = jobs.view(jobs.submit("backtest", {**ASK, "params": {}}))
    assert (again.state, again.run_id, again.result["cached"]) == ("done", view.run_id, True)


def test_words_that_are_off_are_refused_before_a_process_starts(home, jobs):
    """No job row for what could never run."""
    with pytest.raises(BadInput, match="unknown strategy"):
        jobs.submit("backtest", {**ASK, "strategy": "tremd"})
    with pytest.raises(BadInput, match="did you mean stop_atr"):
        jobs.submit("backtest", {**ASK, "params": {"stop_atrs": 1}})
    with pytest.raises(BadInput, match="unknown kind"):
        jobs.submit("sudo", {})


def test_a_failed_job_tells_why_in_its_row(home, jobs, jobs_here):
    """A strategy that raises ends the job with the strategy's own line."""
    recordings.strategy(home.strategies, "boom", recordings.LEAKING.replace("    later =", "    1 / 0\n    later ="))
    view = jobs.wait(jobs.submit("backtest", {**ASK, "strategy": "boom"}), WAIT_S)
    assert view.state == "failed"
    assert "strategy boom raised ZeroDivisionError" in view.error
    assert Runs(home.runs, home.engine).latest() == []


def test_a_job_sees_no_key_and_cancel_kills_its_process_and_leaves_no_run(home, jobs, monkeypatch):
    """What its process sees is listed: no model key, no venue key, no token. Cancelled, the row says so, the process is gone, the
    store is empty; cancelling again changes nothing."""
    for name in ("OPENAI_API_KEY", "BINANCE_SECRET", "SLACK_BOT_TOKEN", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "hidden")
    assert "hidden" not in environment(home).values()
    recordings.strategy(home.strategies, "sleeper", SLEEPER)
    job_id = jobs.submit("backtest", {**ASK, "strategy": "sleeper"})
    pid = row(home, job_id).pid
    assert running(jobs, job_id).state == "running"
    seen = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"hidden" not in seen
    assert b"NIGHTDESK_HOME" in seen
    jobs.cancel(job_id)
    jobs.cancel(job_id)
    assert jobs.view(job_id).state == "cancelled"
    assert not Path(f"/proc/{pid}/cmdline").exists() or Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    assert list(home.runs.iterdir()) == []


def test_killed_in_mid_run_the_row_tells_and_the_next_job_runs(home, jobs):
    """kill -9 of a job's process: failed with a reason, nothing half-written, the queue goes on."""
    recordings.strategy(home.strategies, "sleeper", SLEEPER)
    first = jobs.submit("backtest", {**ASK, "strategy": "sleeper"})
    second = jobs.submit("backtest", ASK)
    assert running(jobs, first).state == "running"
    assert jobs.view(second).state == "queued"
    os.killpg(row(home, first).pid, signal.SIGKILL)
    view = jobs.wait(first, WAIT_S)
    assert view.state == "failed"
    assert "its process died" in view.error
    done = jobs.wait(second, WAIT_S)
    assert done.state == "done"
    assert [p.name for p in home.runs.iterdir()] == [done.run_id]


@pytest.mark.slow
def test_a_strategy_that_never_ends_is_ended(home):
    """A loop that swallows every exception dies at the limit; the row says which strategy and what to do."""
    for name, body in (("loop", "pass"), ("deaf", "try:\n            import time; time.sleep(9)\n        except: pass")):
        recordings.strategy(home.strategies, name, recordings.ENDLESS.replace("{body}", body))
        jobs = JobQueue(home, time_limit_s=1.0)
        view = jobs.wait(jobs.submit("backtest", {**ASK, "strategy": name}), WAIT_S)
        assert view.state == "failed"
        assert f"the backtest of {name} did not end within 1 s" in view.error
        assert "endless loop" in view.error


def test_one_runs_three_wait_the_fifth_is_refused(home, jobs, monkeypatch):
    """The queue is short on purpose; a refusal names the jobs. Those that wait need no process for that, and the one that runs
    sleeps under its name."""
    monkeypatch.setattr(queue, "SPAWN_MS_MAX", 10**9)
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: None)
    ids = [jobs.submit("backtest", {**ASK, "cash": 1000.0 + n}) for n in range(4)]
    words = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", ids[0]]
    with subprocess.Popen(words, start_new_session=True) as first:
        with write(home.engine) as session:
            found = session.get(Job, ids[0])
            found.pid, found.state = first.pid, "running"
            session.add(found)
        with pytest.raises(Refused, match=ids[0]):
            jobs.submit("backtest", {**ASK, "cash": 9.0})
        assert [view.state for view in jobs.live()] == ["running", "queued", "queued", "queued"]
        jobs.cancel(ids[3])
        assert jobs.submit("backtest", {**ASK, "cash": 9.0})
        first.kill()


def test_a_job_whose_asker_died_before_starting_it_is_not_waited_for(home, jobs, monkeypatch):
    """Queued, no process, half a minute old: failed, and out of the way."""
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: None)
    job_id = jobs.submit("backtest", ASK)
    assert jobs.view(job_id).state == "queued"
    with write(home.engine) as session:
        found = session.get(Job, job_id)
        found.created_ms -= queue.SPAWN_MS_MAX + 1
        session.add(found)
    assert jobs.view(job_id).state == "failed"
    assert "never started" in jobs.view(job_id).error


def test_a_process_that_has_no_words_yet_is_not_pronounced_dead(monkeypatch):
    """Just after the fork /proc shows an empty command line; whoever looks then must not take the job for gone."""
    monkeypatch.setattr(queue, "_CHILDREN", {})  # as another process would look at it
    for _ in range(40):
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)", "j-1"]) as child:
            assert queue.is_job(child.pid, "j-1")
            child.kill()
            until(lambda: not queue.is_job(child.pid, "j-1"), "not reaped yet: its words are gone as well, and it is dead")


def test_a_recycled_process_number_is_not_taken_for_the_job(home, jobs, monkeypatch):
    """Another program with the row's pid does not keep a dead job alive, and is not killed by cancel."""
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: None)
    job_id = jobs.submit("backtest", ASK)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        words = Path(f"/proc/{stranger.pid}/cmdline")
        until(words.read_bytes, "it never had words of its own, without which it might still be any job")
        with write(home.engine) as session:
            found = session.get(Job, job_id)
            found.pid = stranger.pid
            session.add(found)
        assert jobs.view(job_id).state == "failed"
        again = jobs.submit("backtest", ASK)
        with write(home.engine) as session:
            found = session.get(Job, again)
            found.pid = stranger.pid
            session.add(found)
        jobs.cancel(again)
        assert jobs.view(again).state == "cancelled"
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.3)
        stranger.kill()


def test_a_job_survives_its_asker_which_does_not_run_a_person_s_file(home, jobs, tmp_path):
    """Submitting imports no strategy of the user's folder into the process that holds the keys; the queue object that asked is
    forgotten, and another one finds the job done."""
    mark = tmp_path / "imported"
    text = recordings.LEAKING + f"\nimport os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
    recordings.strategy(home.strategies, "nosy", text)
    asker = JobQueue(home)
    job_id = asker.submit("backtest", {**ASK, "strategy": "nosy"})
    del asker
    queue._CHILDREN.clear()  # as a process that never started it would see it
    assert jobs.wait(job_id, WAIT_S).state == "done"
    assert int(mark.read_text()) != os.getpid()


@pytest.mark.slow
def test_a_leaks_job_reports(home, jobs):
    """The prefix check runs as a job too; its result is in the row."""
    recordings.strategy(home.strategies, "seer")
    view = jobs.wait(jobs.submit("leaks", {"strategy": "seer", "symbol": "BTC-USDT"}), WAIT_S)
    assert view.state == "done"
    assert view.result["clean"] is False
    assert "leaks at bar" in view.result["text"]
    assert view.run_id is None


def test_what_a_search_has_found_is_in_its_row_until_it_ends(home, jobs, monkeypatch):
    """Beside what the row held; a table is made once in a while, not at each variation; the result takes its place."""
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job_id: None)
    job_id = jobs.submit("sweep", {**ASK, "vary": {"stop_atr": "1,2"}})
    made, seen = [], []

    def search(_home, _args, _progress):
        for n in range(3):
            kinds.PARTLY.get()(lambda n=n: made.append(n) or {"text": f"{n} run", "columns": ["n"], "rows": [[n]]})
            seen.append(json.loads(row(home, job_id).body).get("partly"))
            clock[0] += 0.6
        return {"ended": True}

    clock = [100.0]
    monkeypatch.setattr(queue.time, "monotonic", lambda: clock[0])
    queue.run_job(home, job_id, {"sweep": search})
    assert made == [2]
    assert seen == [None, None, {"text": "2 run", "columns": ["n"], "rows": [[2]]}]
    body = json.loads(row(home, job_id).body)
    assert (body["result"], "partly" in body, body["time_limit_s"]) == ({"ended": True}, False, jobs.time_limit_s)


def test_every_kept_run_has_one_row(home):
    """Folder and table agree: of runs that jobs made, by what a job's process calls."""
    for n in range(2):
        kinds.backtest(home, {**ASK, "cash": 5_000.0 + n})
    with read(home.engine) as session:
        rows = {r.id: json.loads(r.summary) for r in session.exec(select(Run))}
    assert sorted(rows) == sorted(p.name for p in home.runs.iterdir())
    assert all(set(s) >= {"total_return_frac", "trades", "source"} for s in rows.values())
