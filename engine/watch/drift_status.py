"""The last look at the drift of the inputs of models in use, kept for the watch; what has moved is an alert with its name.

Written each day by app/jobs/model_drift.py, read by engine.watch.observer. A file of the home, derived: without it, and where the
desk uses no model, nothing is claimed. An alert changes no model and no size.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.watch import derived
from engine.watch.observation import DeskObservation, Finding

FILE = "cache/drift.json"
MODELS_MAX = 20
SHOWN_MAX = 10  # features of one model that have an alert of their own
WHY_MAX = 300
ACTION = "nightdesk models drift {model} has every feature beside its training; look for a broken source first"


def keep_drift(home: Path, found: Mapping[str, Mapping[str, Any]], now_ms: int) -> None:
    """Keep a look at each model in use (model_drift.drift, or {"failed": why}); on a full disk the one before stays."""
    models = {name: _kept(one) for name, one in list(found.items())[:MODELS_MAX]}
    with suppress(OSError):
        derived.keep(home / FILE, {"wall_ms": now_ms, "models": models})


def _kept(one: Mapping[str, Any]) -> dict[str, Any]:
    """Of a look, what an alert says."""
    if "failed" in one:
        return {"failed": str(one["failed"])[:WHY_MAX]}
    moved = [row for row in (*one["features"], one["predictions"]) if row["state"] == "moved"]
    own = ("name", "text", "psi", "missing_now", "missing_then")
    return {"verdict": one["verdict"], "days": one["days"], "moved": [{key: row[key] for key in own} for row in moved]}


def last_drift(home: Path) -> Mapping[str, Any]:
    """The look that was kept last; empty without one, or where it cannot be read."""
    return derived.kept(home / FILE)


def input_drift(desk: DeskObservation) -> Iterator[Finding]:
    """A feature, or the predictions, of a model in use that has moved; a model that cannot be looked at."""
    models: Mapping[str, Mapping[str, Any]] = desk.drift.get("models", {})
    for model, one in sorted(models.items())[:MODELS_MAX]:
        since, action = int(desk.drift["wall_ms"]), ACTION.format(model=model)
        if "failed" in one:
            what = f"The inputs of the model {model} cannot be compared with its training: {str(one['failed'])[:WHY_MAX]}"
            yield Finding(f"drift:{model}", "drift", "note", what, model, since, action)
            continue
        moved = list(one["moved"])
        for row in moved[:SHOWN_MAX]:
            what = f"{row['text']} of the model {model} has moved since its training, over {one['days']} days"
            if len(moved) > SHOWN_MAX:
                what += f"; with {len(moved) - 1} others"
            numbers = {key: row[key] for key in ("psi", "missing_now", "missing_then")}
            yield Finding(f"drift:{model}:{row['name']}", "drift", "warn", what, model, since, action, numbers)
