"""What a job does, one function per kind: backtest, leaks, parity, pairs, rerun. Called by app/jobs/queue.py in the job's own
process, and by the command line in its process, with a progress bar.

Each takes the opened home, arguments as JSON values and a progress callback, and returns JSON values. `limited` stops a
strategy that never ends, even one that swallows every exception.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from app.home.home import Home
from engine.control.desk_models import models_in_force
from engine.errors import BadInput, DataError, StrategyError
from engine.research.partly import Partly, unseen
from engine.sim import resolve
from engine.sim.request import Plan, Request, plan, request_of
from engine.sim.stamps import stamps
from engine.store import trials
from engine.store.runs import Runs

Progress = Callable[[float], None]
TIME_LIMIT_S = 120.0
SOURCE: ContextVar[str] = ContextVar("source", default="command")  # who asked, for the trial ledger: command | chat | page | ...
PARTLY: ContextVar[Partly] = ContextVar("partly", default=unseen)  # shows what a search has found so far
AGAIN_S = 2.0  # from one exception to the next, for work that swallows it
GRACE_S = 5.0  # from the exception to the end of the process


def silent(_done: float) -> None:
    """A progress callback that does nothing."""


def planned(home: Home, args: Mapping[str, Any]) -> Plan:
    """The request of `args` resolved against the home's setup; the synthetic market is made where it is asked for."""
    return _plan_of(home, resolve.request_from(home.setup, home.catalog, args))


def planned_backtest(home: Home, args: Mapping[str, Any]) -> Plan:
    """The same of a backtest, which may be one of a basket."""
    return _plan_of(home, resolve.backtest_request(home.setup, home.catalog, args))


def _plan_of(home: Home, request: Request) -> Plan:
    if any(spec.venue == "synthetic" for spec in request.sleeves):
        from app.home.synthetic import ensure_market

        ensure_market(home)
    return plan(request, home.catalog, home.strategies, home.setup.overrides, models_in_force(home.engine, home.path))


def backtest(home: Home, args: Mapping[str, Any], progress: Progress = silent, *, fresh: bool = False) -> dict[str, Any]:
    """Run and store a backtest, also one of a basket, or return the stored run of the same key: the run's JSON with `cached`."""
    return run_plan(home, planned_backtest(home, args), progress, fresh=fresh)


def run_plan(home: Home, found: Plan, progress: Progress = silent, *, fresh: bool = False) -> dict[str, Any]:
    """The run of a plan: the stored one of the same key unless `fresh`, else simulated and stored."""
    runs = Runs(home.runs, home.engine)
    stored = None if fresh else runs.cached(found.cache_key)
    from engine.research import ledger

    if stored is not None:
        ledger.link_run(home.engine, found, stored)
        progress(1.0)
        return ledger.as_of_now(home.engine, stored) | {"cached": True}
    from engine.research.kill.limits import suspicion
    from engine.sim.basket import simulated

    done = simulated(found, lambda share: progress(0.9 * share), home.setup.checks)
    now = time.time_ns() // 1_000_000
    trial = ledger.note_run(home.engine, done, SOURCE.get(), now)  # before it is stored: what was seen counts
    place = ledger.place_of(home.engine, trial)
    done.report["trial"] = place.as_json()
    said = [*suspicion(done.metrics["sharpe"]), f"{ledger.THEN}{place.text}"]
    at = len(stamps(done.report))
    done.report["notes"][at:at] = said
    try:
        kept = runs.keep(done.report, done.frames(), done.page, now)
    except OSError as error:
        what = f"the run cannot be stored in {home.runs}: {error.strerror or error}"
        raise DataError(what, "free disk space, or set NIGHTDESK_HOME to a writable folder") from error
    trials.set_run(home.engine, trial.id, kept["run_id"])
    progress(1.0)
    return kept | {"cached": False}


def sweep(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Run many variations of a strategy: engine/research/search.py."""
    from engine.research import search

    asked = {"source": SOURCE.get() if SOURCE.get() != "command" else "sweep", **args}
    return search.sweep(partial(planned, home), home.engine, home.setup.checks, asked, progress, PARTLY.get())


def walkforward(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Choose parameters fold by fold and trade what comes next: engine/research/search_forward.py."""
    from engine.research import search_forward

    return search_forward.walkforward(partial(planned, home), home.engine, home.setup.checks, args, progress, PARTLY.get())


def leaks(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Check a strategy for look-ahead bias on the request's bars: the report, with the data it ran on."""
    return leaks_in(planned(home, args_of_leaks(args)), home.setup.checks, progress)


def args_of_leaks(args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a check, with what it takes when nothing is named."""
    return {"symbol": "BTC-USDT", "funding": "none", **{k: v for k, v in args.items() if v is not None}}


def leaks_in(found: Plan, checks: Path | None, progress: Progress = silent) -> dict[str, Any]:
    """The same of a plan; `checks` is the folder of checks made before."""
    from engine.sim.backtest import load
    from engine.sim.checked import check_sleeve

    sleeve, loaded = found.sleeves[0], load(found)
    report = check_sleeve(found, sleeve, loaded, checks, progress)
    series, bars = found.series[found.column(sleeve)], len(loaded.own[sleeve.bar_ms].span.close_ms)
    data = {"files": list(found.files), "sha256": found.data_sha256, "bars": bars, "source": series.source}
    return {"instrument": sleeve.key, **report, "data": data}


def parity(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """The desk against its backtest since `since` (UTC ms; None: since it began); `sleeve`: of one alone. What the
    watch reads is kept in the home."""
    from engine.parity.desk_parity import desk_parity

    given = (args.get("since"), args.get("sleeve"))
    return desk_parity(home.setup, home.engine, home.catalog, *given, progress, time.time_ns() // 1_000_000)


def desk_drift(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Backtest, this home's desk and those of `homes` (folders; without any those of desk.toml), every pair of sides by cause,
    since `since` (UTC ms), of `sleeve` or all. What the watch reads is kept in the home, where all sleeves were compared.
    """
    from engine.parity.desk_drift import desk_drift as compared
    from engine.parity.desk_drift import keep_pairs

    beside = [home.path / Path(place).expanduser() for place in args.get("homes") or home.desk.drift.homes]
    for place in beside:
        if not (place / "journal" / "desk.jsonl").is_file():
            raise BadInput(f"no desk has run in {str(place)[:200]!r}", "name the folder of a home: NIGHTDESK_HOME of that desk")
    sleeve = args.get("sleeve")
    found = compared(home.setup, home.engine, home.catalog, args.get("since"), sleeve, beside, progress)
    if sleeve is None:
        keep_pairs(home.path, found, time.time_ns() // 1_000_000)
    return found


def judge(
    home: Home, args: Mapping[str, Any], progress: Progress = silent, announce: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """The early-kill page of a strategy on one symbol: verdict, reasons, checks, the page; and its base run, stored, unless the
    strategy looks ahead."""
    from engine.research.kill.trials import LedgerTrials
    from engine.research.kill.verdict import judge as judged

    found, setup = planned(home, args), home.setup
    counted = LedgerTrials(home.engine, time.time_ns() // 1_000_000)
    result = judged(
        found,
        checks=setup.checks,
        overrides=setup.overrides,
        announce=announce,
        progress=lambda share: progress(0.9 * share),
        trials=counted,
    )
    run = None if result["page"] is None else run_plan(home, found, lambda share: progress(0.9 + 0.1 * share))
    if run is not None and run["journal_hash"] != result["page"]["base"]["journal_hash"]:
        raise DataError("the judged run and the stored one differ: the bars or the code changed meanwhile", "judge again")
    kept = {name: run and run[name] for name in ("run_id", "data", "funding", "fills", "life", "notes")}
    return result | kept


def pairs(home: Home, args: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Scan pairs of instruments for cointegration and an edge after costs: engine/research/pairs."""
    from engine.research.pairs.request import asked_of, report

    return report(home.setup, home.catalog, asked_of(args), progress)


def rerun(home: Home, run_id: str, progress: Progress = silent) -> dict[str, Any]:
    """Simulate a stored run's configuration again and compare journal, data, code and configuration."""
    from engine.sim.basket import simulated

    then = Runs(home.runs, home.engine).load(run_id)
    request, overrides = request_of(then["config"])
    found = plan(request, home.catalog, home.strategies, overrides)
    now = simulated(found, progress).report
    pairs = {name: (then[name], now[name]) for name in ("journal_hash", "config_hash", "code_hash")}
    pairs["data_sha256"] = (then["data"]["sha256"], now["data"]["sha256"])
    compared = {name: {"then": a, "now": b, "equal": a == b} for name, (a, b) in pairs.items()}
    return {
        "run_id": run_id,
        "equal": compared["journal_hash"]["equal"],
        **compared,
        "code_that_differs": differing(then["code"], now["code"]),
        "files_that_differ": differing(then["data"]["file_sha256"], now["data"]["file_sha256"]),
        "versions_that_differ": differing(then["versions"], now["versions"]),
        "total_return_frac": {"then": then["metrics"]["total_return_frac"], "now": now["metrics"]["total_return_frac"]},
    }


def differing(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names whose values differ."""
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


class _TimedOut(BaseException):
    """Raised into work that exceeded its time limit; a strategy's `except Exception` does not catch it."""


@contextmanager
def limited(seconds: float, what: str, last_words: Callable[[str], None] = lambda _text: None) -> Iterator[None]:
    """Let the block run for `seconds` of wall time, then raise StrategyError. Main thread only.

    What a strategy prints goes to stderr: stdout is the command's result. A crash in native code says in which line it happened.
    If the work swallows even that, the whole process exits GRACE_S later, after calling `last_words` with the reason.
    """

    over = False

    def ring(_signal: int, _frame: FrameType | None) -> None:
        if not over:  # a machine that stalls lets it ring once more while the block is being left
            raise _TimedOut

    late = StrategyError(
        f"{what} did not end within {seconds:g} s and was stopped",
        "check the strategy for an endless loop, or raise --time-limit",
    )
    hard = threading.Timer(seconds + GRACE_S, _end_process, [str(late), last_words])
    hard.daemon = True
    before = signal.signal(signal.SIGALRM, ring)
    hard.start()
    with suppress(ValueError, OSError):  # stderr is no file of the system's, as in a test
        faulthandler.enable()
    try:
        with redirect_stdout(sys.stderr):
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)  # from here on whatever it interrupts is caught
            yield
    except _TimedOut as stopped:
        over = True
        if notes := getattr(stopped, "__notes__", ()):  # of a search: which variation it was in
            what = f"{late.what}, {notes[-1]}"
            hint = "leave its values out, or raise --time-limit"
            raise StrategyError(what, hint) from None
        raise late from None
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        hard.cancel()


def _end_process(line: str, last_words: Callable[[str], None]) -> None:
    """The last resort: print the reason and exit at once."""
    try:
        last_words(line)
        sys.stderr.write(f"nightdesk: {line}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)
