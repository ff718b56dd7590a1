"""Why a round trip of the desk began and ended: from its journal events, in the shape of engine.sim.explain.trip. Called by
app/api/sleeves.py.

The fills of the trip are between its first and its last event; each entry names the close at which it was decided, and the
decision of that close says signal, features, size and caps.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from app.views.pair_trip import closing_text, pair_steps
from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.sim.explain import RULE_TEXT
from engine.store.chain import Event
from engine.watch.desk_trips import desk_trips
from engine.watch.window import FAR_MS, between, journal_of, mark_at

FILLS_MAX = 200
COSTS = ("gross", "slippage", "fees", "funding", "net")
SIDE_OF = {"long": 1, "short": -1}  # a signal as journal events name it
LEFT_OUT = ("first_n", "last_n")


def desk_trip(home: Path, name: str) -> dict[str, Any]:
    """One round trip of the desk. Raises BadInput for one that it does not have."""
    trips = desk_trips(home)
    found = trips.filter(pl.col("trip") == name)
    if found.is_empty():
        there = f"available: t1 to t{trips.height}" if trips.height else "it has none yet"
        raise BadInput(f"the desk has no round trip {name!r}", there)
    about = found.row(0, named=True)
    path = journal_of(home)
    if about.get("a"):
        return _of_pair(path, about)
    fills = _fills(path, about)
    decided = _decisions(path, about["sleeve"], [e.body["decided_ms"] for e in fills if e.body.get("decided_ms") is not None])
    steps: list[dict[str, Any]] = [{"fill": _fill(e), "decision": decided.get(e.body.get("decided_ms") or -1)} for e in fills]
    return {
        "id": name,
        "trip": {k: v for k, v in about.items() if k not in LEFT_OUT},
        "entries": [step for step in steps if step["fill"]["slot"] == "entry"],
        "exits": [step for step in steps if step["fill"]["slot"] != "entry"],
        "costs": {k: about[k] for k in COSTS},
        "levels": _levels(path, about["sleeve"]) if about["exit_ms"] is None else None,
        "closing_rule": {"reason": about["reason"], "text": RULE_TEXT.get(about["reason"], RULE_TEXT["none"])},
    }


def _of_pair(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a pair of a basket: executions of both legs, and the spread that decided; it has no level of one price."""
    steps = pair_steps(path, about)
    return {
        "id": about["trip"],
        "trip": {k: v for k, v in about.items() if k not in LEFT_OUT},
        "entries": [step for step in steps if step["fill"]["slot"] == "entry"],
        "exits": [step for step in steps if step["fill"]["slot"] != "entry"],
        "costs": {k: about[k] for k in COSTS},
        "levels": None,
        "closing_rule": {"reason": about["reason"], "text": closing_text(about["reason"])},
    }


def _fills(path: Path, about: Mapping[str, Any]) -> list[Event]:
    """The trip's fills, oldest first; an open one's go on to the newest."""
    last = FAR_MS if about["closed_ms"] is None else about["closed_ms"]
    own = (
        event
        for event in between(path, about["entry_ms"] - DAY_MS, last, {"fill"})  # at an account after the close of its decision
        if event.body.get("sleeve") == about["sleeve"] and about["first_n"] <= event.seq <= about["last_n"]
    )
    return [event for event, _ in zip(own, range(FILLS_MAX), strict=False)]


def _decisions(path: Path, sleeve: str, at_ms: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The sleeve's decisions at these closes."""
    found = {}
    for ms in set(at_ms):
        for event in between(path, ms - 1, ms, {"decision"}):
            if event.body.get("sleeve") == sleeve:
                found[ms] = _decision(event)
    return found


def _decision(event: Event) -> dict[str, Any]:
    """A decision event as sim/explain.decision_of gives a run's."""
    body = event.body
    size = body.get("size") or {}
    return {
        "event": event.id,
        "close_ms": event.t_event_ms,
        "action": body.get("action"),
        "refused_by": body.get("refused_by"),
        "signal": {
            "side": SIDE_OF.get(str(body.get("signal")), 0),
            "strength": body.get("strength"),
        },
        "close": body.get("price"),
        "equity": body.get("equity"),
        "size": {"cap_binding": size.get("binding"), "lots_approved": size.get("approved_lots"), **_sized(size)}
        if size
        else None,
        "caps": body.get("caps"),
        "features": body.get("features") or {},
    }


def _sized(size: Mapping[str, Any]) -> dict[str, Any]:
    return {"units_wanted": size.get("wanted")} | {k: size.get(k) for k in ("risk_frac", "stop_distance", "target_distance")}


def _fill(event: Event) -> dict[str, Any]:
    """A fill event as its own facts, with its id."""
    names = ("slot", "reason", "side", "layer", "lots", "price", "reference_price", "fee", "slippage", "liquidity", "version")
    return {"event": event.id, "close_ms": event.t_event_ms} | {k: event.body[k] for k in names if k in event.body}


def _levels(path: Path, sleeve: str) -> list[dict[str, Any]]:
    """Stop and target of each open layer at the newest mark."""
    mark = mark_at(path)
    own = {} if mark is None else mark.body["sleeves"].get(sleeve) or {}
    layers = (own.get("position") or {}).get("layers") or []
    return [{k: layer.get(k) for k in ("entry", "protective", "protective_kind", "target")} for layer in layers]
