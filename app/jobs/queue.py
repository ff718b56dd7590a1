"""The job queue: work in separate processes - killable, niced, with an allow-listed environment - and their database rows.

Used by the tool layer (through the port tools.common.contract.Jobs), the API and the command line; `python -m app.jobs.queue
ID` is a job's process. At most one runs and three wait. A waiting process starts by itself when its turn comes, so the caller
need not stay alive: the row holds the outcome even if the caller or the job's process is killed.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select, update

from app.home.files import NETWORK
from app.home.home import Home, open_home
from app.jobs import kinds, model_jobs
from engine.errors import BadInput, DataError, DeskError, Refused
from engine.own_source import own_source
from engine.research.partly import Partly
from engine.store.db import read, write
from engine.store.runs import Runs
from engine.store.tables import Job
from engine.strategies.base import OURS, own_names, strategy_file
from tools.common.contract import JobView

Kind = Callable[[Home, Mapping[str, Any], kinds.Progress], dict[str, Any]]
KINDS: Mapping[str, Kind] = {
    "backtest": kinds.backtest,
    "leaks": kinds.leaks,
    "sweep": kinds.sweep,
    "walkforward": kinds.walkforward,
    "parity": kinds.parity,
    "desk_drift": kinds.desk_drift,
    "drift": model_jobs.drift,
    "train": model_jobs.train,
    "judge": kinds.judge,
    "pairs": kinds.pairs,
}
# kinds whose process is another program: a venue's client and the trading loop are what this module must not import
PROGRAMS = {"pull": "app.jobs.pull_job", "drill": "app.jobs.drill_job"}
LIVE = ("queued", "running")
LIMITS_S = {
    "train": 1_800.0,
    "pairs": 900.0,
}  # of kinds that run no strategy and take long; a training that is stopped keeps its folds
WAITING_MAX = 3
NICE = 10
POLL_S = 0.05
TURN_S = 0.1  # how often a waiting process checks whether it may start
PROGRESS_S = 0.2  # minimum time between two progress updates
PARTLY_S = 1.0  # and between two tables of what was found so far
SPAWN_MS_MAX = 30_000  # a queued job without a process after this never got one
PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONHASHSEED", "NUMBA_CACHE_DIR"),
    *("NIGHTDESK_DATA", "NIGHTDESK_DATABASE_URL"),
)


class JobQueue:
    """The queue of one home; any process may open it. `time_limit_s`: how long a job may run."""

    def __init__(self, home: Home, person: str = "", time_limit_s: float = kinds.TIME_LIMIT_S) -> None:
        self.home, self.person, self.time_limit_s = home, person, time_limit_s

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None = None, turn: str | None = None) -> str:
        """Queue a job; returns its id. Invalid arguments raise BadInput; a run that is already stored ends at once.

        Raises Refused when one job runs and WAITING_MAX wait.
        """
        if kind not in (*KINDS, *PROGRAMS):
            raise BadInput(f"unknown kind of job {kind!r}", f"available: {', '.join((*KINDS, *PROGRAMS))}")
        stored = self._stored_result(kind, args)
        try:
            given = json.dumps(dict(args), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BadInput(f"the arguments cannot be kept: {error}", "numbers must be finite") from error
        now = now_ms()
        job = Job(
            id=f"j-{datetime.fromtimestamp(now / 1000, UTC):%Y%m%d}-{secrets.token_hex(4)}",
            kind=kind,
            args=given,
            state="done" if stored else "queued",
            progress=1.0 if stored else 0.0,
            person=self.person or None,
            run_id=stored["run_id"] if stored else None,
            created_ms=now,
            ended_ms=now if stored else None,
            body=json.dumps({"result": stored} if stored else {"time_limit_s": max(self.time_limit_s, LIMITS_S.get(kind, 0.0))}),
            thread=thread,
            turn=turn,
        )
        with write(self.home.engine) as session:
            if not stored:
                refuse_when_full(session, now)
            session.add(job)
            session.flush()
            session.expunge_all()
        if not stored:
            self.spawn(job.id)
        return job.id

    def _stored_result(self, kind: str, args: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a backtest that is already stored. A person's strategy file is never executed in this process."""
        strategies = {args.get("strategy"), *(s.get("strategy") for s in args.get("sleeves") or ())} - {None, *OURS}
        for name in strategies - set(own_names(self.home.strategies)):
            strategy_file(str(name), self.home.strategies)  # no such file: raises the right error
        if kind != "backtest" or strategies:
            return None
        run = Runs(self.home.runs, self.home.engine).cached(kinds.planned_backtest(self.home, args).cache_key)
        return brief(run | {"cached": True}) if run else None

    def spawn(self, job_id: str) -> None:
        """Start the job's process in its own session: it outlives this one and can be killed as a group."""
        kind, logs = self._row(job_id).kind, self.home.path / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{job_id}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", PROGRAMS.get(kind, "app.jobs.queue"), job_id],
                env=environment(self.home, NETWORK if kind == "pull" else ()),
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _CHILDREN[child.pid] = child  # before its pid is in the row: an older child may have had the same pid
        with write(self.home.engine) as session:
            session.exec(update(Job).where(col(Job.id) == job_id, col(Job.pid).is_(None)).values(pid=child.pid))

    def view(self, job_id: str) -> JobView:
        """The job as it is now; a process that died is detected here. BadInput for an unknown id."""
        job = self._row(job_id)
        if job.state in LIVE and (why := why_dead(job, now_ms())):
            with suppress(DataError), write(self.home.engine) as session:  # a full disk: it is said, and stored later
                fail_dead(session, now_ms())
            job = self._row(job_id)
            if job.state in LIVE:
                return JobView(job.id, "failed", job.progress, None, why, None)
        result = json.loads(job.body).get("result")
        return JobView(job.id, job.state, job.progress, job.run_id, job.error, result)  # type: ignore[arg-type]  # a word of LIVE or an end

    def _row(self, job_id: str) -> Job:
        """The job's row as it is now."""
        with read(self.home.engine) as session:
            job = session.get(Job, job_id)
        if job is None:
            raise BadInput(f"unknown job {job_id!r}", "its id was printed when it started")
        return job

    def wait(self, job_id: str, timeout_s: float | None = None, progress: kinds.Progress = kinds.silent) -> JobView:
        """The job when it has ended, or as it is after `timeout_s` seconds (None: as long as it takes)."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            found = self.view(job_id)
            progress(found.progress)
            if found.state not in LIVE or (until is not None and time.monotonic() >= until):
                return found
            time.sleep(POLL_S)

    def cancel(self, job_id: str) -> None:
        """Cancel a job: the row first, then the process. What it was writing never becomes a run; an ended job is unchanged."""
        with write(self.home.engine) as session:
            pid = session.exec(select(Job.pid).where(Job.id == job_id)).first()
            if not finish(session, job_id, "cancelled", error="cancelled"):
                return
        if pid is not None and is_job(pid, job_id):
            end(pid)

    def live(self) -> list[JobView]:
        """Jobs that run or wait, oldest first."""
        with read(self.home.engine) as session:
            ids = list(session.exec(select(Job.id).where(col(Job.state).in_(LIVE)).order_by(col(Job.created_ms))))
        return [self.view(job_id) for job_id in ids]


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}  # our own children, polled so that they do not stay zombies


def now_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


def brief(run: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a result kept in the job's row: of a run its id is enough, since it is in the store; anything else is kept."""
    return {name: run[name] for name in ("run_id", "cached", "metrics", "scenarios")} if "cached" in run else dict(run)


def environment(home: Home, more: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a job's process: listed variables only, no key, no token."""
    passed = {name: os.environ[name] for name in (*PASSED_ON, *more) if name in os.environ}
    if home.settings.data is not None:
        passed["NIGHTDESK_DATA"] = str(home.settings.data)
    return passed | own_source(os.environ) | {"NIGHTDESK_HOME": str(home.path)}


def refuse_when_full(session: Session, now: int) -> None:
    """Refused when one job runs (or is about to) and WAITING_MAX wait."""
    fail_dead(session, now)
    live = list(session.exec(select(Job.id).where(col(Job.state).in_(LIVE))))
    if len(live) > WAITING_MAX:
        raise Refused(f"the queue is full: one job runs and {WAITING_MAX} wait ({', '.join(live)})", "wait, or cancel one")


def fail_dead(session: Session, now: int) -> None:
    """Mark jobs whose process is gone as failed, with the reason."""
    for job in session.exec(select(Job).where(col(Job.state).in_(LIVE))):
        if why := why_dead(job, now):
            finish(session, job.id, "failed", error=why)


def why_dead(job: Job, now: int) -> str:
    """Why a live job will never end by itself; empty while its process lives or may still start."""
    if job.pid is None:
        return "its process never started: the caller died first" if now - job.created_ms > SPAWN_MS_MAX else ""
    if is_job(job.pid, job.id):
        return ""
    return f"its process died (killed, out of memory, or no disk space for its result); see logs/{job.id}.log"


def finish(session: Session, job_id: str, state: str, **values: Any) -> bool:
    """End a live job; False when it had already ended. The only place where a job ends."""
    claim = update(Job).where(col(Job.id) == job_id, col(Job.state).in_(LIVE))
    return bool(session.exec(claim.values(state=state, ended_ms=now_ms(), **values)).rowcount == 1)


def is_job(pid: int, job_id: str) -> bool:
    """True while process `pid` lives and is this job's: pids are reused."""
    child = _CHILDREN.get(pid)
    if child is not None and child.poll() is None:
        return True
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc/self").exists() and _can_signal(pid)
    except OSError:
        return False
    return job_id.encode() in text if text else _is_starting(pid)


def _is_starting(pid: int) -> bool:
    """True for a live process without a command line: between fork and exec it has none yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _can_signal(pid: int) -> bool:
    """True when that pid can be signalled; for systems without /proc."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def end(pid: int) -> None:
    """Kill the process and its children."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child = _CHILDREN.pop(pid, None)
    if child is not None:
        child.wait()


def my_turn(home: Home, job_id: str) -> bool | None:
    """Claim the single running slot: True when claimed, False when not yet, None when the job was cancelled."""
    with read(home.engine) as session:  # reading takes no lock; only the next job takes one
        first, mine = next_up(session), session.get(Job, job_id)
        if first is not None and first.id != job_id and not why_dead(first, now_ms()):
            return False if mine is not None and mine.state == "queued" else None
    with write(home.engine) as session:
        fail_dead(session, now_ms())
        job, first = session.get(Job, job_id), next_up(session)
        if job is None or job.state != "queued":
            return None
        if first is None or first.id != job_id:
            return False
        job.state, job.pid, job.started_ms = "running", os.getpid(), now_ms()
        session.add(job)
        return True


def next_up(session: Session) -> Job | None:
    """The running job, else the one that has waited longest."""
    live = select(Job).where(col(Job.state).in_(LIVE))
    return session.exec(live.order_by(col(Job.state) != "running", col(Job.created_ms), col(Job.id))).first()


def run_job(home: Home, job_id: str, work: Mapping[str, Kind] = KINDS) -> None:
    """Run one job: wait for its turn, do the work, record the outcome. The body of a job's process."""
    while (turn := my_turn(home, job_id)) is False:
        time.sleep(TURN_S)
    if turn is None:
        return
    with read(home.engine) as session:
        job = session.get(Job, job_id)
        assert job is not None  # noqa: S101 - it existed a moment ago, and rows are never deleted
        kind, args, kept = job.kind, json.loads(job.args), json.loads(job.body)
        kinds.SOURCE.set("chat" if job.thread else "page")
        kinds.PARTLY.set(partly_writer(home, job_id, kept))
    limit_s = kept.get("time_limit_s", kinds.TIME_LIMIT_S)
    try:
        what = f"the {kind} of {args.get('strategy') or args.get('model') or 'these sleeves'}"
        with kinds.limited(limit_s, what, last_words=lambda text: fail(home, job_id, text)):
            result = brief(work[kind](home, args, progress_writer(home, job_id)))
        body = json.dumps({**kept, "result": result, "time_limit_s": limit_s}, allow_nan=False)
    except DeskError as error:
        fail(home, job_id, str(error))
        return
    except Exception as error:  # the row must say so; the traceback goes to the log
        fail(home, job_id, f"our bug: {type(error).__name__}: {error}; logs/{job_id}.log")
        raise
    with write(home.engine) as session:
        finish(session, job_id, "done", progress=1.0, run_id=result.get("run_id"), body=body)


def fail(home: Home, job_id: str, text: str) -> None:
    """Record why a job failed."""
    with write(home.engine) as session:
        finish(session, job_id, "failed", error=text)


def progress_writer(home: Home, job_id: str) -> kinds.Progress:
    """A progress callback that updates the job's row at most every PROGRESS_S."""
    last = [0.0]

    def write_progress(share: float) -> None:
        if time.monotonic() - last[0] < PROGRESS_S:
            return
        last[0] = time.monotonic()
        with suppress(DataError), write(home.engine) as session:  # no room for a number: the work goes on
            claim = update(Job).where(col(Job.id) == job_id, col(Job.state) == "running")
            session.exec(claim.values(progress=min(max(share, 0.0), 1.0)))

    return write_progress


def partly_writer(home: Home, job_id: str, kept: Mapping[str, Any]) -> Partly:
    """Keeps in the job's row what it has found so far, at most every PARTLY_S; `kept`: what the row's body holds beside it."""
    last = [time.monotonic()]

    def write_table(make: Callable[[], Mapping[str, Any]]) -> None:
        if time.monotonic() - last[0] < PARTLY_S:
            return
        last[0] = time.monotonic()
        body = json.dumps({**kept, "partly": make()}, allow_nan=False)
        with suppress(DataError), write(home.engine) as session:  # no room for a table: the work goes on
            session.exec(update(Job).where(col(Job.id) == job_id, col(Job.state) == "running").values(body=body))

    return write_table


def main() -> None:
    """`python -m app.jobs.queue ID`"""
    os.nice(NICE)
    run_job(open_home(), sys.argv[1])


if __name__ == "__main__":
    main()
