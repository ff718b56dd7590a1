"""What a sleeve's page shows beside its candles: the open position, its settings with the version that set each, its versions
with what they changed, and what it did at each close lately. Called by app/api/sleeves.py.

Turns the newest mark, the book, the stored versions and the journal of the last days into plain JSON. Levels and liquidation are
the core's own; nothing here is later than the desk's clock.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.home.home import Home
from engine.book.bodies import SIMULATED
from engine.book.replay import fold
from engine.clock import DAY_MS
from engine.control.config import FIRST, DeskVersion, SleeveConfig, active, fields_apart, sleeve_versions
from engine.core.liquidation import liquidation_level
from engine.errors import BadInput
from engine.store.chain import Event
from engine.strategies.isolated.described import read_strategy
from engine.strategies.params import params_table
from engine.watch.desk_parents import worked_entries
from engine.watch.desk_trips import desk_trips
from engine.watch.health import is_covered
from engine.watch.parity_result import last_result
from engine.watch.quiet_closes import CloseCount, closes_of
from engine.watch.window import journal_of, mark_at, mode_of

CLOSES_MS = 7 * DAY_MS
VERSIONS_MAX = 50


def sleeve_page(home: Home, name: str) -> dict[str, Any]:
    """The page's figures. Raises BadInput for a sleeve that the desk does not have."""
    desk = active(home.engine, home.path)
    sleeve = desk.config.traded_sleeve(name)
    owner = sleeve.leg_of or name
    path = journal_of(home.path)
    mark = mark_at(path)
    own: Mapping[str, Any] = {} if mark is None else mark.body["sleeves"].get(name) or {}
    history = _history(home, owner, desk)
    params, why = _params(home, sleeve, history)
    return {
        "name": name,
        "configured": owner,
        "basket": None if mark is None else mark.body.get("basket"),
        "strategy": sleeve.strategy,
        "instrument": sleeve.instrument,
        "timeframe": sleeve.timeframe,
        "desk_ms": None if mark is None else mark.t_event_ms,
        "version": desk.sleeves[owner],
        "runs_version": own.get("version"),
        "position": None if mark is None else _position(home.path, path, mark, name),
        "closes": [] if mark is None else [c._asdict() for c in _closes(str(path), mark.id, name, mark.t_event_ms)],
        "closes_ms": CLOSES_MS,
        "execution": sleeve.execution,
        "models": sleeve.models,
        "worked": None if mark is None else _worked(str(path), mark.id, name, mark.t_event_ms),
        "drift": _drift(home.path, sleeve.leg_of or name),
        "params": params,
        "params_why": why,
        "versions": [_version(*pair) for pair in zip([None, *history], history, strict=False)][::-1][:VERSIONS_MAX],
    }


def _drift(home: Path, name: str) -> list[dict[str, Any]]:
    """The pairs of sides of the last comparison; empty where none was made."""
    last = last_result(home)
    days = last.get("drift_days", last)
    rows = [row for row in last.get("drift", ()) if row["sleeve"] == name]
    return [
        {"one": row["one"], "other": row["other"], "from_ms": days["from_ms"], "to_ms": days["to_ms"]}
        | {"difference_usd": row["difference_usd"], "causes": {cause: usd for cause, usd in row["causes"].items() if usd}}
        | {key: row["worse"][key] for key in ("verdict", "needed", "since_ms")}
        for row in rows
    ]


# ---- the open position


def _position(home: Path, path: Path, mark: Event, name: str) -> dict[str, Any] | None:
    """The position at the mark: size, P&L in money and R, and how far away what would end it is; None while flat."""
    own = mark.body["sleeves"].get(name) or {}
    held = own.get("position")
    if not held or not held.get("layers"):
        return None
    price, gained = marked(own)
    risk = _risk(home, name)
    level = _liquidation(str(path), mark.id, name)
    nearest = max if held["side"] == "long" else min
    leaving = mode_of(path) in SIMULATED  # a simulated layer that is due has an exit in the place of its stop and target
    layers = [layer for layer in held["layers"] if not (leaving and layer.get("due"))]
    stops = [layer["protective"] for layer in layers if layer.get("protective")]
    targets = [layer["target"] for layer in layers if layer.get("target")]
    due = next((f"leaves next open: {layer['due']}" for layer in held["layers"] if layer not in layers), "")
    stop, target = (nearest(stops) if stops else None), ((min if nearest is max else max)(targets) if targets else None)
    return {
        "side": held["side"],
        "quantity": held["quantity"],
        "opened_ms": held["opened_ms"],
        "layers": len(held["layers"]),
        "entry": _average(held["layers"]),
        "mark": price,
        "notional": held.get("notional"),
        "leverage": abs(held["notional"]) / own["equity"] if own.get("equity") and held.get("notional") is not None else None,
        "unrealised": gained,
        "risk": risk,
        "r": gained / risk if risk and gained is not None else None,
        "stop": _level(stop, price)
        | {"kind": next((la["protective_kind"] for la in layers if stop and la.get("protective") == stop), due)}
        | {"uncovered": sum(not is_covered(layer) for layer in held["layers"])},
        "target": _level(target, price),
        "liquidation": _level(level, price),
    }


def marked(own: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """(price at the mark, unrealised P&L) of a sleeve of a mark with an open position; Nones while flat or not known."""
    held = own.get("position") or {}
    if not held.get("quantity") or held.get("notional") is None:
        return None, None
    gained = None if own.get("equity") is None or own.get("cash") is None else own["equity"] - own["cash"]
    return abs(held["notional"] / held["quantity"]), gained


def with_cover(held: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A position of a mark, each of its layers with whether a working order at the venue ends it; None while flat."""
    if not held:
        return None
    return {**held, "layers": [{**layer, "covered": is_covered(layer)} for layer in held.get("layers") or ()]}


def _average(layers: Sequence[Mapping[str, Any]]) -> float | None:
    """The entry price of all layers, by lots."""
    lots = sum(layer["lots"] for layer in layers)
    return sum(layer["lots"] * layer["entry"] for layer in layers) / lots if lots else None


def _level(price: float | None, mark: float | None) -> dict[str, Any]:
    """A level and how far the mark is from it, as a fraction of the mark; nulls for none."""
    away = None if price is None or not mark else (price - mark) / mark
    return {"price": price, "away_frac": away}


def _risk(home: Path, name: str) -> float | None:
    """What the open round trip was to lose at its first stops (1 R); null when its sizes are not in the journal."""
    trips = desk_trips(home, name)
    last = trips.tail(1).to_dicts()
    if "a" in trips.columns:  # a leg has no stop that it was sized by: what is risked is a pair's
        return None
    return float(last[0]["risk"]) if last and last[0]["reason"] == "open" and last[0]["risk"] else None


@lru_cache(maxsize=64)
def _liquidation(path: str, mark: str, name: str) -> float | None:
    """The liquidation level as the core computes it of the book at this mark; null for a long that has none above 0."""
    del mark  # the book is that of the newest mark: the cache's key
    book = fold(Path(path))
    if (
        book is None
        or book.basket is not None
        or name not in book.names
        or not book.sleeves[book.names.index(name)].position.open_layers
    ):
        return None
    s = book.names.index(name)
    level = liquidation_level(book.sleeves[s], book.specs[s].rules)
    return level if level > 0.0 else None


# ---- what it did


@lru_cache(maxsize=64)
def _closes(path: str, mark: str, name: str, until_ms: int) -> list[CloseCount]:
    """The closes of the last days, counted; once for each mark."""
    del mark
    return closes_of(Path(path), name, until_ms - CLOSES_MS, until_ms)


@lru_cache(maxsize=64)
def _worked(path: str, mark: str, name: str, until_ms: int) -> dict[str, Any] | None:
    """Its entries of the last days that were worked in slices; once for each mark."""
    del mark
    return worked_entries(Path(path), name, until_ms - CLOSES_MS, until_ms)


# ---- settings and versions


def _history(home: Home, name: str, desk: DeskVersion) -> list[dict[str, Any]]:
    """The sleeve's versions, oldest first: number, when, by whom, why, and its configuration. Before version 1 is written, what
    desk.toml says."""
    rows = sleeve_versions(home.engine, name)
    if not rows:
        return [{"version": FIRST, "created_ms": None, "made_by": "desk.toml", "reason": "", "config": desk.config.sleeve(name)}]
    return [
        {
            "version": row.version,
            "created_ms": row.created_ms,
            "made_by": str(json.loads(row.made_by).get("name") or "desk.toml"),
            "reason": row.reason,
            "proposal": row.proposal_id,
            "rollback_of": row.rollback_of,
            "config": SleeveConfig.model_validate_json(row.body),
        }
        for row in rows
        if row.version <= desk.sleeves[name]
    ]


def _version(before: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """A version with what it changed against the one before."""
    moved = [] if before is None else fields_apart(before["config"], found["config"])
    changes = [{"key": key, "old": was, "value": will} for key, was, will in moved]
    return {k: v for k, v in found.items() if k != "config"} | {"changes": changes}


def _params(home: Home, sleeve: SleeveConfig, history: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Every parameter with its bounds, what it means and the version that set it; or none, and why."""
    try:
        table = params_table(read_strategy(sleeve.strategy, home.strategies))
    except BadInput as error:
        return [], error.what
    rows = []
    for row in table:
        value = sleeve.params.get(row["key"], row["default"])
        since = _since(row["key"], value, history)
        rows.append({**row, "choices": list(row["choices"]), "value": value, **since})
    return rows, ""


def _since(key: str, value: Any, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The oldest version from which on a parameter has had its value without a break."""
    first = history[-1]
    for found in reversed(history):
        if found["config"].params.get(key, value) != value:
            break
        first = found
    return {"version": first["version"], "since_ms": first["created_ms"]}
