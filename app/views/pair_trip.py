"""Why a round trip of a pair of the desk's basket began and ended, from its journal events. Called by app/views/desk_trip.py.

In the shape of engine.sim.basket_explain, which explains one of a run: the executions of both legs as far as they are the pair's,
and the spread that decided.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from engine.clock import DAY_MS
from engine.sim import explain
from engine.sim.basket_explain import RULE_TEXT
from engine.store.chain import Event
from engine.watch.window import FAR_MS, between

FILLS_MAX = 200
SIDE_OF = {"long": 1, "short": -1, "buy": 1, "sell": -1}
READ = {"z": "spread_z", "hedge": "hedge", "deviation": "deviation", "risk": "risk"}  # of a decision -> as a run names it


def pair_steps(path: Path, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the pair has of each execution and crossing of its legs, oldest first; an entry with the decision before it."""
    last_ms = FAR_MS if about["closed_ms"] is None else about["closed_ms"]
    found, decided = list[dict[str, Any]](), None
    for event in between(path, about["entry_ms"] - DAY_MS, last_ms, {"fill", "cross", "decision"}):
        if event.kind == "decision":
            if (event.body.get("pair"), event.body.get("action")) == (about["sleeve"], "enter") and event.seq < about["first_n"]:
                decided = _decision(event)
        elif about["first_n"] <= event.seq <= about["last_n"]:
            found += [_step(event, part, decided) for part in event.body.get("parts", ()) if part["pair"] == about["sleeve"]]
    return list(islice(found, FILLS_MAX))


def closing_text(reason: str) -> str:
    """Why a pair was left, in words."""
    return RULE_TEXT.get(reason) or explain.RULE_TEXT.get(reason) or explain.RULE_TEXT["none"]


def _step(event: Event, part: Mapping[str, Any], decided: Mapping[str, Any] | None) -> dict[str, Any]:
    """One part of an event."""
    body, opens = event.body, bool(part["opens"])
    slot = "entry" if opens else str(body.get("slot", "exit")).replace("entry", "exit")
    fill = {
        "event": event.id,
        "close_ms": event.t_event_ms,
        "leg": str(body["sleeve"]),
        "slot": slot,
        "side": part["side"],
        "lots": part["lots"],
        "price": body["price"],
        "reference_price": body.get("reference_price", body["price"]),
        "fee": part["fee"],
        "crossed": event.kind == "cross",
    }
    if "reason" in part:
        fill["reason"] = part["reason"]
    return {"fill": fill, "decision": decided if opens else None}


def _decision(event: Event) -> dict[str, Any]:
    """A pair's entry as desk_trip gives a decision: what it read is its spread."""
    body = event.body
    return {
        "event": event.id,
        "close_ms": event.t_event_ms,
        "action": body.get("action"),
        "refused_by": None,
        "signal": {"side": SIDE_OF.get(str(body.get("signal")), 0), "strength": 1.0},
        "close": None,
        "equity": body.get("equity"),
        "size": None,
        "caps": None,
        "features": {name: body[key] for key, name in READ.items() if body.get(key) is not None},
    }
