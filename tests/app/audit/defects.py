"""A defect for each point of the audit, planted in a home on which all of them hold."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlmodel import update

from app.audit.live import EXACT, NEARLY
from app.audit.training import GATES
from app.home.home import Home
from engine.clock import DAY_MS, HOUR_MS
from engine.control import halt
from engine.control.agreement import version_of
from engine.control.config import DeskVersion, active, validated
from engine.data.writer import write_series
from engine.store import db
from engine.store.tables import Delivery, Handover, Run
from engine.watch.alert_rows import AlertPolicy, apply_findings
from engine.watch.deadguards import keep_baseline
from engine.watch.drift_status import keep_drift
from engine.watch.observation import Finding
from engine.watch.parity_result import keep_result
from engine.watch.window import journal_of, mark_at
from tests.fakes import stored_models
from tests.fakes.audited_homes import BASE, COMPARED, MODEL, SLEEVE, SOL, STEADY, drilled, ended, journaled, marked, outside
from tests.fakes.papers import BAR_MS, WALL_MS
from tests.fakes.versions import put_in_force

Plant = Callable[[Home, pytest.MonkeyPatch], None]
BARS = "data/synthetic/synthetic_SOL-USDT_perp_15m.parquet"
FUNDING = "data/synthetic/synthetic_SOL-USDT_perp_funding.parquet"
AT = 3_000  # a row in the middle of the file
PRICES = ("open", "high", "low", "close")


# ---- market data -----------------------------------------------------------------------------------------------------------


def in_file(file: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Plant:
    """Other rows in a file."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        frame = pl.read_parquet(home.path / file).with_columns(pl.col("ts").dt.epoch("ms"))
        write_series(home.path / file, change(frame), "synthetic", {})

    return plant


def gone(file: str) -> Plant:
    """A file that is no longer there."""
    return lambda home, _: (home.path / file).unlink()


def cell(column: str, value: Any, row: int = AT) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """One other number; `value`: an expression or a number."""
    expr = value if isinstance(value, pl.Expr) else pl.lit(value)
    return lambda f: f.with_columns(pl.when(pl.int_range(pl.len()) == row).then(expr).otherwise(pl.col(column)).alias(column))


def without(first: int, last: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Rows first..last left out."""
    return lambda f: pl.concat([f[:first], f[last + 1 :]])


def times(factor: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Prices in another unit from the middle on."""
    return lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) >= AT).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name) for name in PRICES
    )


def repeated(count: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """One bar that repeats."""
    return lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()).is_between(AT, AT + count)).then(pl.lit(f[name][AT])).otherwise(pl.col(name)).alias(name)
        for name in (*PRICES, "volume")
    )


def not_closed(f: pl.DataFrame) -> pl.DataFrame:
    """All bars later, so that the last one is still forming."""
    ahead = time.time_ns() // 1_000_000 // BAR_MS * BAR_MS - int(f["ts"][-1])
    return f.with_columns(pl.col("ts") + ahead)


def too_short(home: Home, patch: pytest.MonkeyPatch) -> None:
    """The file ends a day before the desk's time."""
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    in_file(BARS, lambda f: f.filter(pl.col("ts") < mark.t_event_ms - DAY_MS))(home, patch)


def real_orders(home: Home, _: pytest.MonkeyPatch) -> None:
    """A sleeve that trades with money on a synthetic market, which the worker follows and which was drilled."""
    config = active(home.engine, home.path).config
    put_in_force(home.engine, home.path, _staged(config, "live"), WALL_MS)
    desk: DeskVersion = active(home.engine, home.path)
    event = version_of(home.desk_journal)
    assert event is not None
    sleeves = [
        {**s, "version": desk.sleeves[s["name"]], "stage": desk.config.sleeve(s["name"]).stage} for s in event.body["sleeves"]
    ]
    journaled(home, "config", {**event.body, "version": desk.version, "sha256": desk.sha256, "sleeves": sleeves})
    marked(home, {"version": desk.version}, version=desk.sleeves[SLEEVE])
    keep_baseline(home.path, "r-20260101-00000001", home.desk.limits, desk.sleeves, dict.fromkeys(desk.sleeves, BASE))
    ended(home, {"stop": 2})
    drilled(home)


def _staged(config: Any, stage: str) -> Any:
    return validated(config.with_sleeve(config.sleeve(SLEEVE).model_copy(update={"stage": stage})))


# ---- models ----------------------------------------------------------------------------------------------------------------


def damaged(home: Home, _: pytest.MonkeyPatch) -> None:
    """A byte more in a file of the model."""
    path = home.path / "models" / MODEL / "1.0.0" / "model.txt"
    path.chmod(0o600)
    path.write_text("by hand!\n")


def trained_as(**named: Any) -> Plant:
    """Another model under the same version."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        shutil.rmtree(home.path / "models" / MODEL)
        stored_models.store(home.path / "models", MODEL, instrument=SOL, **named)

    return plant


def moved(home: Home, _: pytest.MonkeyPatch) -> None:
    """An input of the model that has moved."""
    row = {"name": "returns(4)", "text": "returns(4) (PSI 0.40)", "psi": 0.4, "missing_now": 0.0, "missing_then": 0.0}
    keep_drift(home.path, {f"{MODEL}@1.0.0": {**STEADY, "features": [{**row, "state": "moved"}]}}, WALL_MS)


# ---- the run ---------------------------------------------------------------------------------------------------------------


def in_run(change: Callable[[dict[str, Any]], Any]) -> Plant:
    """The stored run as if it had been made otherwise."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        (path,) = home.runs.glob("*/run.json")
        run = json.loads(path.read_text())
        change(run)
        path.write_text(json.dumps(run))
        stored_so(home, path)

    return plant


def stored_so(home: Home, path: Path) -> None:
    """The row's digest is that of the file: it was stored so, and not changed since."""
    with db.write(home.engine) as session:
        row = session.get(Run, path.parent.name)
        assert row is not None
        body = json.loads(row.body)
        body["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        row.body = json.dumps(body)


def set_in(*keys: Any, to: Any) -> Plant:
    """One value of the stored run."""

    def change(run: Any) -> None:
        for key in keys[:-1]:
            run = run[key]
        run[keys[-1]] = to

    return in_run(change)


def no_run(home: Home, _: pytest.MonkeyPatch) -> None:
    """The folder of runs was cleared."""
    shutil.rmtree(home.runs)


# ---- the desk --------------------------------------------------------------------------------------------------------------


def in_journal(**own: Any) -> Plant:
    """A `config` event whose sleeve differs; nested tables are merged."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        event = version_of(home.desk_journal)
        assert event is not None
        mine = {key: {**value} if isinstance(value, dict) else value for key, value in own.items()}
        sleeves = [merged(s, mine) if s["name"] == SLEEVE else s for s in event.body["sleeves"]]
        journaled(home, "config", {**event.body, "sleeves": sleeves})

    return plant


def merged(sleeve: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A sleeve with other values."""
    return {**sleeve, **{k: {**sleeve[k], **v} if isinstance(v, dict) else v for k, v in own.items()}}


def other_event(**changes: Any) -> Plant:
    """A `config` event of the desk that differs."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        event = version_of(home.desk_journal)
        assert event is not None
        journaled(home, "config", {**event.body, **changes})

    return plant


def drilled_without(kind: str) -> Plant:
    """A guard that never fired in the drill."""
    return lambda home, _: drilled(home, kind)


def silent_refusal(home: Home, _: pytest.MonkeyPatch) -> None:
    """A rule that refused on most days of the backtest, and never on the desk."""
    base = BASE._replace(refusal_days={"loss streak": 4_000})
    versions = active(home.engine, home.path).sleeves
    keep_baseline(home.path, "r-20260101-00000001", home.desk.limits, versions, dict.fromkeys(versions, base))


def compared_as(result: Mapping[str, Any]) -> Plant:
    """Another outcome of the comparison with the backtest."""
    return lambda home, _: keep_result(home.path, result, WALL_MS)


def halted(home: Home, _: pytest.MonkeyPatch) -> None:
    """A person has halted the desk."""
    halt.set(home.path, "a look at the venue", {"name": "ann"}, WALL_MS, home.engine)


def mark_of(changes: Mapping[str, Any], **own: Any) -> Plant:
    """Another last mark."""
    return lambda home, _: marked(home, changes, **own)


def blind(home: Home, _: pytest.MonkeyPatch) -> None:
    """Three closes without a price."""
    for _n in range(3):
        journaled(home, "bar", {"bars": {SOL: [None] * 7}, "signals": {}}, 1)
        marked(home, {}, 1)


def lacking(home: Home, _: pytest.MonkeyPatch) -> None:
    """A close at which three features had no value."""
    bar = {"bars": {SOL: [1.0, 1.0, 1.0, 1.0, 1.0, None, None]}, "signals": {SLEEVE: []}, "lacking": {SLEEVE: ["a", "b", "c"]}}
    journaled(home, "bar", bar, 1)
    marked(home, {}, 1)


def broken(home: Home, _: pytest.MonkeyPatch) -> None:
    """One digit of the journal's middle, changed on disk."""
    text = home.desk_journal.read_text()
    at = text.index('"equity":', len(text) // 2) + len('"equity":')
    digit = "7" if text[at] != "7" else "8"
    home.desk_journal.write_text(text[:at] + digit + text[at + 1 :])


def full_disk(_: Home, patch: pytest.MonkeyPatch) -> None:
    """A disk with little room."""
    patch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 1 << 20})())


def unanswered(home: Home, _: pytest.MonkeyPatch) -> None:
    """A page of two days ago."""
    finding = Finding("bars", "bars", "page", "No bar", "desk", WALL_MS - 2 * DAY_MS, "look")
    apply_findings(home.engine, [finding], frozenset(), WALL_MS - 2 * DAY_MS, AlertPolicy(), [])


def undelivered(home: Home, _: pytest.MonkeyPatch) -> None:
    """A message that was given up after the last one that arrived."""
    row = {"subject": "al-2", "step": "opened", "sink": "slack", "created_ms": WALL_MS - 1, "due_ms": WALL_MS - 1}
    with db.write(home.engine) as session:
        session.add(Delivery(**row, state="failed", error="channel not found"))


def no_handover(home: Home, _: pytest.MonkeyPatch) -> None:
    """The last handover is of three days ago."""
    with db.write(home.engine) as session:
        session.exec(update(Handover).values(created_ms=WALL_MS - 72 * HOUR_MS))


STOPLESS = {
    "side": "long",
    "quantity": 1.0,
    "lots": 1,
    "layers": [{"lots": 1, "entry": 1.0, "protective": 0.9, "protective_state": "rejected", "due": None}],
}
WINDOW = {
    "taken": True,
    "what": "open",
    "window": "w1",
    "cause": "a fault",
    "by": "ann",
    "sleeves": [SLEEVE],
    "instruments": [SOL],
}
DEFECTS: Mapping[str, Plant] = {
    "data.bars": gone(BARS),
    "data.order": in_file(BARS, lambda f: pl.concat([f[:AT], f[AT + 1 : AT + 2], f[AT : AT + 1], f[AT + 2 :]])),
    "data.duplicates": in_file(BARS, lambda f: pl.concat([f[: AT + 1], f[AT:]])),
    "data.grid": in_file(BARS, cell("ts", pl.col("ts") + 7_000)),
    "data.timeframe": in_file(BARS, lambda f: f.gather_every(4)),
    "data.gaps": in_file(BARS, without(AT, AT + 480)),
    "data.nulls": in_file(BARS, cell("close", None)),
    "data.prices": in_file(BARS, cell("low", pl.col("high"))),
    "data.level": in_file(BARS, times(3.0)),
    "data.spikes": in_file(BARS, cell("high", pl.col("high") * 1.3)),
    "data.frozen": in_file(BARS, repeated(30)),
    "data.volume": in_file(BARS, cell("volume", -1.0)),
    "data.closed": in_file(BARS, not_closed),
    "data.fresh": too_short,
    "data.settlements": gone(FUNDING),
    "data.settlements_whole": in_file(FUNDING, without(50, 60)),
    "data.real": real_orders,
    "data.outside": lambda home, _: outside(home, {"too_old_ms": WALL_MS - 1}),
    "data.sources_agree": lambda home, _: outside(home, {"compared": ["two sources are 12 % apart"]}),
    "training.whole": damaged,
    "training.journaled": in_journal(models={f"{MODEL}@1.0.0": "0" * 64}),
    **{f"training.{gate}": trained_as(metrics=stored_models.metrics_of(gate)) for gate in GATES},
    "training.answers": trained_as(days=(57, 58)),
    "training.inputs_steady": moved,
    "backtest.there": no_run,
    "backtest.parameters": set_in("sleeves", 0, "params", "stop_atr", to=9.0),
    "backtest.strategy_code": set_in("code", "strategy mlsignal", to="0" * 64),
    "backtest.engine_code": set_in("code", "core", to="0" * 64),
    "backtest.same_bars": in_run(lambda run: run["data"]["file_sha256"].update(dict.fromkeys(run["data"]["file_sha256"], "0"))),
    "backtest.fees": set_in("config", "instruments", SOL, "taker_frac", to=0.0),
    "backtest.spreads": set_in("config", "instruments", SOL, "half_spread_frac", to=0.0),
    "backtest.funding": set_in("funding", to="none"),
    "backtest.fills": set_in("fills", to="optimistic"),
    "backtest.no_look_ahead": set_in("leaks", to={"clean": False, "looks_ahead": True, "text": "", "strategies": []}),
    "backtest.span": set_in("metrics", "days", to=12.0),
    "backtest.trips": set_in("metrics", "trades", to=11),
    "backtest.net": set_in("metrics", "total_return_frac", to=-0.01),
    "backtest.deflated_sharpe": set_in("trial", "deflated_sharpe", to=0.4),
    "backtest.ambiguous": set_in("scenarios", "pessimistic", to=-0.1),
    "backtest.to_the_end": set_in("life", "stopped_ms", to=WALL_MS),
    "live.version": mark_of({}, version=7),
    "live.parameters": in_journal(params={"stop_atr": 9.0}),
    "live.exits": in_journal(rules={"trail_atr": 9.0}),
    "live.sizes": in_journal(rules={"kelly_part": 1.0}),
    "live.sleeve_limits": in_journal(rules={"streak_max": 99}),
    "live.instrument": in_journal(rules={"tick": 9.0}),
    "live.costs": in_journal(costs={"taker_frac": 0.0}),
    "live.limits": other_event(limits={"gross_frac_max": 9.0}),
    "live.code": in_journal(strategy_sha256="0" * 64),
    "live.reads": in_journal(reads=["another"]),
    **{f"live.drilled_{kind}s": drilled_without(kind) for kind in ("refusal", "breaker", "exit", "halt", "pause")},
    "live.exits_fire": lambda home, _: ended(home, {"stop": 28, "target": 13}),
    "live.refusals_fire": silent_refusal,
    "live.compared": compared_as({"failed": "a file is missing"}),
    **{f"live.parity_{name}": compared_as({**COMPARED, "moved": {SLEEVE: {name: -500.0}}}) for name in (*EXACT, *NEARLY)},
    "live.no_halt": halted,
    "live.no_breaker": mark_of({"tripped": ["desk drawdown"]}),
    "live.stops_work": mark_of({}, position=STOPLESS),
    "live.prices_come": blind,
    "live.chains_whole": broken,
    "live.disk": full_disk,
    "live.features_there": lacking,
    "live.venue_agrees": mark_of({"differs": {"SOL": 1}}),
    "live.database_agrees": other_event(version=99, sha256="0" * 64),
    "live.no_incident": partial(lambda home, _: journaled(home, "window", WINDOW)),
    "live.pages_answered": unanswered,
    "live.delivered": undelivered,
    "live.handed_over": no_handover,
}
