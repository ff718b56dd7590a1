"""What the desk looks like in a few words, and what differs between two looks. No model, no text from outside.

Called by app/monitor/look.py: only names, ids and states that this program made reach the question that a model is asked.
"""

from collections.abc import Mapping
from typing import Any

from app.home.home import Home
from engine.amounts import percent_text
from engine.control.config import active_version
from engine.control.proposals import list_proposals
from engine.watch.alert_rows import list_alerts
from engine.watch.desk_view import desk_view
from engine.watch.silence.status import last_silences

STEP_FRAC = 0.05  # of drawdown: a change of a whole step is one
CHANGES_MAX = 12  # that a question names
Seen = Mapping[str, Any]


def seen_now(home: Home, now_ms: int) -> dict[str, Any]:
    """What is watched for changes. Raises DeskError where the journal or the database cannot be read."""
    view = desk_view(home.path, home.engine)
    silent = [one for one in last_silences(home.path).get("items", ()) if one["state"] == "silent"]
    return {
        "alerts": {row.id: f"{row.severity} of kind {row.kind}" for row in list_alerts(home.engine, "open", 200)},
        "halted": view.halt.halted,
        "worker": str(view.worker.phase),
        "breakers": sorted(view.breakers),
        "drawdown": None if view.drawdown_frac is None else int(view.drawdown_frac / STEP_FRAC),
        "version": active_version(home.engine),
        "proposals": [row.id for row in list_proposals(home.engine, now_ms, "pending")],
        "silent": sorted(f"{one['kind']} {one['name']} of {one['place']}"[:80] for one in silent),
        "sleeves": {name: _sleeve(state) for name, state in view.sleeves.items()},
    }


def _sleeve(state: Mapping[str, Any]) -> dict[str, Any]:
    position = state.get("position")
    more = {"paused": bool(state.get("paused")), "stage": state.get("stage"), "version": state.get("version")}
    return {"side": position["side"] if position else "flat", **more}


def changes_between(before: Seen, now: Seen) -> list[str]:
    """What changed, most urgent first; empty where nothing did, and for a first look at a desk without an open alert."""
    if not before:
        return [f"{name} is open ({text})" for name, text in now["alerts"].items()][:CHANGES_MAX]
    found = []
    if now["halted"] != before["halted"]:
        found.append("the desk is halted" if now["halted"] else "the halt is released")
    was, is_ = before["alerts"], now["alerts"]
    found += [f"{name} opened ({text})" for name, text in is_.items() if name not in was]
    found += [f"{name} is now {text}, before {was[name]}" for name, text in is_.items() if name in was and was[name] != text]
    found += [f"{name} was resolved ({text})" for name, text in was.items() if name not in is_]
    found += [f"breaker {name} tripped" for name in now["breakers"] if name not in before["breakers"]]
    found += [f"fell silent: {name}" for name in now["silent"] if name not in before["silent"]]
    if (was := before["drawdown"]) is not None and now["drawdown"] is not None and now["drawdown"] != was:
        found.append(
            f"the drawdown passed {percent_text(max(now['drawdown'], was) * STEP_FRAC, 0)}, {_way(now['drawdown'] > was)}"
        )
    found += _of_sleeves(before["sleeves"], now["sleeves"])
    found += [f"{name} waits for a person" for name in now["proposals"] if name not in before["proposals"]]
    for key, what in (("version", "the configuration in force is version"), ("worker", "the worker is")):
        found += [f"{what} {now[key]}, before {before[key]}"] if now[key] != before[key] else []
    return found[:CHANGES_MAX]


def _way(up: bool) -> str:
    return "upwards" if up else "back"


def _of_sleeves(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for name, state in now.items():
        was = before.get(name, {})
        found += [
            f"{name}: {key} is {value}, before {was[key]}" for key, value in state.items() if key in was and was[key] != value
        ]
    return found
