"""The lives of a desk's sleeves: each change of stage with who, why and what it had made by then. Called by `strategies history`.

Computed from the desk journal's config events, so past sleeves stay comparable: nothing is stored beside it. A sleeve that is
retired while it holds something is winding down: it enters nothing, its exits go on, and it counts as retired once it is flat.
Money is quote units, times are desk time (UTC ms); what was made in incident windows is apart.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import Engine
from sqlmodel import col, select

from engine.book.bodies import RESTING
from engine.clock import DAY_MS
from engine.store.chain import Event
from engine.store.db import read
from engine.store.tables import SleeveVersion
from engine.watch.desk_trips import of_sleeve, strategy_trips
from engine.watch.window import FAR_MS, between, journal_of, mark_at

WINDING_DOWN = "winding down"


class StageLife(NamedTuple):
    """One stage of a sleeve and what it made in it. `until_ms` None: it is there now."""

    sleeve: str
    strategy: str
    stage: str
    version: int | None  # under which it came there
    since_ms: int
    until_ms: int | None
    by: str
    reason: str
    event: str
    days: float
    trips: int
    won: float | None
    mean_r: float | None
    net: float | None  # change of its equity
    strategy_net: float | None  # of it without incident windows
    flat_ms: int | None  # of a resting stage: since when it holds nothing; None while it winds down


class SleeveLife(NamedTuple):
    """A sleeve from its first stage to now: `state` is its stage, or `winding down` while a retired one still holds something."""

    sleeve: str
    strategy: str
    state: str
    stages: tuple[StageLife, ...]


def lives(home: Path, engine: Engine) -> list[SleeveLife]:
    """Every sleeve that the desk ever had, past ones too, in the order in which they came; none without a journal."""
    path = journal_of(home)
    changes: dict[str, list[tuple[Event, Mapping[str, Any]]]] = {}
    last: set[str] = set()
    for event in between(path, -1, FAR_MS, {"config"}):
        listed = [one for one in event.body.get("sleeves") or () if isinstance(one, Mapping) and "name" in one]
        for one in listed:
            had = changes.setdefault(str(one["name"]), [])
            if not had or _stage(had[-1][1]) != _stage(one):
                had.append((event, one))
        last = {str(one["name"]) for one in listed} or last
    trips, why = strategy_trips(home), _reasons(engine)
    end = mark_at(path)
    found = []
    for name, had in changes.items():
        ends = [event.t_event_ms for event, _ in had[1:]]
        own = of_sleeve(home, trips, name)
        stages = tuple(_life(path, name, change, until, own, why) for change, until in zip(had, [*ends, None], strict=True))
        state = stages[-1].stage if name in last else "gone"
        if end is not None and state in RESTING and stages[-1].flat_ms is None:
            state = WINDING_DOWN
        found.append(SleeveLife(name, stages[-1].strategy, state, stages))
    return found


def _stage(sleeve: Mapping[str, Any]) -> str:
    return str(sleeve.get("stage", "paper"))


def _life(
    path: Path,
    name: str,
    change: tuple[Event, Mapping[str, Any]],
    until_ms: int | None,
    trips: pl.DataFrame,
    why: Mapping[tuple[str, int], tuple[str, str]],
) -> StageLife:
    """One stage of a sleeve, its figures from the marks at both ends and the trips that closed between them."""
    event, body = change
    since, version = event.t_event_ms, body.get("version")
    by, reason = why.get((name, version), ("", "")) if isinstance(version, int) else ("", "")
    end = mark_at(path, until_ms)
    end_ms = until_ms if until_ms is not None else end.t_event_ms if end is not None else since
    closed = trips.filter((pl.col("closed_ms") > since) & (pl.col("closed_ms") <= end_ms))
    r = closed["r"].drop_nulls()
    net, apart = _made(mark_at(path, since), end, name, float(body.get("cash") or 0.0))
    return StageLife(
        name,
        str(body.get("strategy") or ""),
        _stage(body),
        version if isinstance(version, int) else None,
        since,
        until_ms,
        by,
        reason,
        event.id,
        (end_ms - since) / DAY_MS,
        len(closed),
        float((closed["net"] > 0).sum()) / len(closed) if len(closed) else None,
        float(r.sum()) / len(r) if len(r) else None,
        net,
        None if net is None else round(net - apart, 2),
        _flat_since(path, name, since, end_ms) if _stage(body) in RESTING else None,
    )


def _made(start: Event | None, end: Event | None, name: str, cash: float) -> tuple[float | None, float]:
    """(change of a sleeve's equity between two marks, what of it was made in incident windows), to the cent. `cash`: what it
    begins with, where there is no mark before it."""
    after = {} if end is None else end.body["sleeves"].get(name, {})
    if "equity" not in after:
        return None, 0.0
    before = {} if start is None else start.body["sleeves"].get(name, {})
    first = float(before.get("equity", cash))
    apart = float(after.get("incident") or 0.0) - float(before.get("incident") or 0.0)
    return round(float(after["equity"]) - first, 2), round(apart, 2)


def _flat_since(path: Path, name: str, since_ms: int, until_ms: int) -> int | None:
    """The first mark after `since_ms` at which the sleeve holds nothing and is not winding down; None while it does."""
    for event in between(path, since_ms, until_ms, {"mark"}):
        sleeve = event.body["sleeves"].get(name, {})
        if not sleeve.get("position") and "stage_reached" not in sleeve:
            return event.t_event_ms
    return None


def _reasons(engine: Engine) -> dict[tuple[str, int], tuple[str, str]]:
    """(who, why) of each version of each sleeve."""
    with read(engine) as session:
        rows = session.exec(select(SleeveVersion).order_by(col(SleeveVersion.version))).all()
        return {(row.sleeve, row.version): (_name(row.made_by), row.reason) for row in rows}


def _name(made_by: str) -> str:
    try:
        found = json.loads(made_by)
    except ValueError:
        return ""
    return str(found.get("name") or found.get("person") or "") if isinstance(found, dict) else ""
