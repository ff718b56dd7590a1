"""A home whose sleeve on SOL reads a trained model, on which every point of the audit applies and holds; made once a test run."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from app.audit.sleeve import AuditedSleeve
from app.home.home import Home
from engine.clock import DAY_MS, HOUR_MS
from engine.control.config import active, validated
from engine.data.checksums import sha256_of
from engine.sim.request import code_of
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.store.runs import FRAMES, Runs
from engine.store.tables import Delivery, Handover
from engine.strategies.base import code_sha256, load_strategy
from engine.watch.deadguards import Fires, keep_baseline, limits_digest
from engine.watch.drift_status import keep_drift
from engine.watch.drill_status import keep_drill
from engine.watch.outside_status import FILE as OUTSIDE
from engine.watch.parity_result import keep_result
from engine.watch.window import journal_of, mark_at
from tests.fakes import stored_models
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, feed_of, furnished, loop_of
from tests.fakes.parity_desks import opened
from tests.fakes.versions import put_in_force

SLEEVE, MODEL, SOL = "sol-reversion", "dir-sol-usdt", "synthetic:SOL-USDT:perp"
BARS = 6
BASE = Fires(1_000, {"stop": 480, "target": 300, "trail": 220}, {"loss streak": 40})
COMPARED: Mapping[str, Any] = {
    "from_ms": WALL_MS - DAY_MS,
    "to_ms": WALL_MS,
    "difference_usd": 0.0,
    "unexplained_usd": 0.0,
    "gross_usd": 1_000.0,
    "unexplained_frac": 0.0,
    "moved": {},
}
STEADY: Mapping[str, Any] = {"verdict": "None has moved", "days": 30, "features": [], "predictions": {"state": "steady"}}


@cache
def healthy() -> Path:
    """The home; nobody writes into it."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-audited-")) / "home"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    folder.mkdir()
    furnished(folder)
    with opened(folder) as home:
        lived(home)
        shown(home)
    return folder


def lived(home: Home) -> None:
    """Some bars of a desk whose sleeve reads a stored model."""
    stored_models.store(home.path / "models", MODEL, instrument=SOL)
    config = active(home.engine, home.path).config
    own = {"strategy": "mlsignal", "models": f"{MODEL}=1.0.0", "params": {}}
    put_in_force(home.engine, home.path, validated(config.with_sleeve(config.sleeve(SLEEVE).model_copy(update=own))), WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced(loop, BARS)
    loop.journal.close()
    ended(home, {"stop": 2})


def shown(home: Home) -> None:
    """What looks, comparisons, drills and people leave in a home where all is well."""
    versions = active(home.engine, home.path).sleeves
    keep_baseline(home.path, "r-20260101-00000001", home.desk.limits, versions, dict.fromkeys(versions, BASE))
    keep_result(home.path, COMPARED, WALL_MS)
    drilled(home)
    keep_drift(home.path, {f"{MODEL}@1.0.0": STEADY}, WALL_MS)
    outside(home, {})
    ran(home)
    delivery = {
        "subject": "al-1",
        "step": "opened",
        "sink": "slack",
        "created_ms": WALL_MS - HOUR_MS,
        "due_ms": WALL_MS - HOUR_MS,
    }
    with db.write(home.engine) as session:
        session.add(Delivery(**delivery, state="sent", sent_ms=WALL_MS - HOUR_MS))
        session.add(Handover(day="2025-10-09", created_ms=WALL_MS - HOUR_MS, text="all is well"))


def outside(home: Home, changes: Mapping[str, Any]) -> None:
    """The last question of an outside series."""
    status = {"scheduled": True, "asked_ms": WALL_MS, "last_ms": WALL_MS, "too_old_ms": WALL_MS + DAY_MS, "compared": []}
    (home.path / OUTSIDE).write_text(json.dumps({"feeds": {"fear_greed/alternative": {**status, **changes}}}))


def drilled(home: Home, never: str = "") -> None:
    """A drill in which one guard of each kind fired, but for that of one kind."""
    kinds = ("refusal", "breaker", "exit", "halt", "pause")
    guards = [{"kind": kind, "name": f"a {kind}", "where": "desk", "by": "a made bar"} for kind in kinds]
    report: dict[str, Any] = {"version": active(home.engine, home.path).version, "out_of_reach": [], "off": []}
    report |= {"fired": [g for g in guards if g["kind"] != never], "never_fired": [g for g in guards if g["kind"] == never]}
    keep_drill(home.path, report, limits_digest(home.desk.limits), WALL_MS)


def ran(home: Home) -> None:
    """A stored run of the sleeve as it is in force."""
    desk = active(home.engine, home.path)
    one = AuditedSleeve(home, desk, desk.config.sleeve(SLEEVE), WALL_MS)
    own, series = one.config, one.series
    sleeve = {"strategy": own.strategy, "symbol": own.symbol, "venue": own.venue, "market": own.market, "side": own.side}
    sleeve |= {"timeframe": own.timeframe, "name": SLEEVE, "params": one.params}
    code = code_of(()) | {"strategy mlsignal": code_sha256(load_strategy("mlsignal"))}
    run = {
        "strategy": own.strategy,
        "timeframe": own.timeframe,
        "sleeves": [sleeve],
        "config": {"instruments": {own.instrument: dict(one.source_today["costs"])}},
        "data": {"source": "synthetic", "file_sha256": {series.path.name: sha256_of(series.path)}},
        "metrics": {"days": 200.0, "trades": 300, "total_return_frac": 0.2, "sharpe": 2.0, "max_drawdown_frac": 0.05},
        "scenarios": {"pessimistic": 0.2, "optimistic": 0.21, "ambiguous_bars": 3},
        "life": {"stopped_ms": None, "text": "traded all 200 days"},
        "trial": {"deflated_sharpe": 0.97},
        "fills": "pessimistic",
        "funding": "recorded",
        "code": code,
        "leaks": None,
        "cache_key": "0123456789abcdef",
    }
    frames = dict.fromkeys(FRAMES, pl.DataFrame({"n": [1]}))
    Runs(home.runs, home.engine).keep(run, frames, lambda _: "", WALL_MS)


# ---- what a desk may still come to ---------------------------------------------------------------------------------------------


def journaled(home: Home, kind: str, body: Mapping[str, Any], bars: int = 0) -> None:
    """One more event of the desk, at its time or `bars` later; the chain stays whole."""
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    journal = Journal(home.desk_journal, "worker")
    journal.append([Event(kind, mark.t_event_ms + bars * BAR_MS, body, t_recv_ms=WALL_MS)])
    journal.close()


def ended(home: Home, reasons: Mapping[str, int]) -> None:
    """Round trips of the sleeve, ended by these paths."""
    version = active(home.engine, home.path).sleeves[SLEEVE]
    body = {"sleeve": SLEEVE, "version": version, "slot": "protective", "round_trip_pnl": -1.0}
    for reason, count in reasons.items():
        for n in range(count):
            journaled(home, "fill", {**body, "reason": reason, "key": n})
    marked(home, {})


def marked(home: Home, changes: Mapping[str, Any], bars: int = 0, **own: Any) -> None:
    """The last mark once more, changed; `own`: of the sleeve."""
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    sleeves = mark.body["sleeves"]
    journaled(home, "mark", {**mark.body, "sleeves": {**sleeves, SLEEVE: {**sleeves[SLEEVE], **own}}, **changes}, bars)
