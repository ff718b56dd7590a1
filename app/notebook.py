"""Notebooks: `from app.notebook import backtest, sweep, walkforward`. What they run counts in the home's trial ledger.

Of the home that NIGHTDESK_HOME names (default: ./var), with its costs, limits, data and strategies. Without a home, runs count in
a ledger that lasts as long as the process. Each takes what its command takes, as keywords, and returns what `--json` prints; a
backtest returns a Backtest with its frames.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Engine

from app.home.home import Home, open_home
from engine.control.desk_models import models_in_force
from engine.control.desk_setup import DeskSetup, desk_setup
from engine.research import ledger, search, search_forward
from engine.research.kill.limits import suspicion
from engine.sim import resolve
from engine.sim.backtest import Backtest
from engine.sim.basket import BasketRun, simulated
from engine.sim.request import Plan, plan
from engine.store.db import migrate, open_db

SOURCE = "notebook"


def backtest(strategy: str, symbol: str, **asked: Any) -> Backtest | BasketRun:
    """One run, a trial of its hypothesis; `trial` in its report says which. Arguments: those of engine.sim.backtest; of a basket
    the legs with commas."""
    desk, engine = _home()
    args, catalog = {"strategy": strategy, "symbol": symbol, **_spelled(asked)}, desk.catalog()
    request, in_force = resolve.backtest_request(desk, catalog, args), models_in_force(engine, desk.home)
    run = simulated(plan(request, catalog, desk.strategies, desk.overrides, in_force), checks=desk.checks)
    row = ledger.note_run(engine, run, SOURCE, time.time_ns() // 1_000_000)
    run.report["trial"] = ledger.place_of(engine, row).as_json()
    run.report["notes"] += suspicion(run.metrics["sharpe"])
    return run


def sweep(strategy: str, symbols: str | Sequence[str], vary: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
    """Many variations: `sweep("trend", "BTC-USDT", {"stop_atr": [1, 2, 3], "fast_bars": "10:50:10"}, from_="2025")`."""
    desk, engine = _home()
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    args = {"strategy": strategy, "symbols": names, "vary": dict(vary), "source": SOURCE, **_spelled(asked)}
    return search.sweep(lambda given: _plan(desk, engine, given), engine, desk.checks, args)


def walkforward(strategy: str, symbol: str, vary: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
    """Chosen on each fold's past, traded on what comes next: `walkforward("trend", "BTC-USDT", {...}, train="60d")`."""
    desk, engine = _home()
    args = {"strategy": strategy, "symbol": symbol, "vary": dict(vary), **_spelled(asked)}
    return search_forward.walkforward(lambda given: _plan(desk, engine, given), engine, desk.checks, args)


def _spelled(asked: Mapping[str, Any]) -> dict[str, Any]:
    """`from_` and `to` of Python as `start` and `end` of a request."""
    names = {"from_": "start", "to": "end"}
    return {names.get(name, name): value for name, value in asked.items()}


def _plan(desk: DeskSetup, engine: Engine, args: Mapping[str, Any]) -> Plan:
    return resolve.planned(desk, desk.catalog(), args, in_force=models_in_force(engine, desk.home))


def _home() -> tuple[DeskSetup, Engine]:
    """The desk's setup and the database with the ledger."""
    desk = desk_setup()
    if not (desk.home / "desk.toml").exists():
        return desk, _of_the_process()
    home: Home = open_home()
    return home.setup, home.engine


@cache
def _of_the_process() -> Engine:
    """A ledger in memory, where no home keeps one."""
    engine = open_db("sqlite://")
    migrate(engine)
    return engine
