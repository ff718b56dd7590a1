"""What a page shows of a home's upkeep and of what fell silent: from what was kept, nothing is asked anew.

Called by app/api/upkeep.py. Files of a home are read as strangers' are: what has another shape counts as not kept.
"""

from collections.abc import Mapping
from typing import Any

from app.home.home import Home
from app.views.kept import natural, rows_in
from engine.watch.last_upkeep import KINDS, last_upkeep
from engine.watch.silence.status import last_silences

SILENCES_MAX = 60
STATES = ("silent", "cannot tell", "as expected")
AGES: Mapping[str, str] = {  # kind -> its age under [retention] of desk.toml
    "runs": "runs_days",
    "recordings": "recordings_days",
    "level 2": "recordings_days",
    "makers": "makers_days",
    "reports": "reports_days",
    "requests to models": "sent_days",
    "logs": "logs_days",
}


def upkeep_of(home: Home) -> dict[str, Any]:
    """{backup: {file, made_ms, files, bytes} or None, looked_ms, removed, freed, items: each kind with what it took at that look
    (None without one) and how many days it is kept (0: for ever)}."""
    kept = last_upkeep(home.path)
    backup = {key: natural(value) if key != "file" else str(value)[:400] for key, value in (kept["backup"] or {}).items()}
    backup.pop("schema", None)
    look = kept["look"] or {}
    taken = {str(one.get("kind")): one for one in rows_in(look.get("taken"))}
    ages = home.desk.retention.model_dump()
    items = [
        {"kind": kind, "days": float(ages.get(AGES.get(kind, ""), 0.0))}
        | {key: natural(taken.get(kind, {}).get(key)) for key in ("files", "bytes")}
        for kind in KINDS
    ]
    made = backup if natural(backup.get("made_ms")) is not None else None
    return {"backup": made, "looked_ms": natural(look.get("wall_ms")), "log_megabytes": ages["log_megabytes"], "items": items} | {
        key: natural(look.get(key)) for key in ("removed", "freed")
    }


def silences_of(home: Home) -> dict[str, Any]:
    """{wall_ms, counts, items}: the last look, what is silent first; `wall_ms` None before the first."""
    last = last_silences(home.path)
    found = [one for one in rows_in(last.get("items")) if one.get("state") in STATES]
    found.sort(key=lambda one: STATES.index(one["state"]))
    counts = {state.replace(" ", "_"): sum(one["state"] == state for one in found) for state in STATES}
    fields = ("kind", "place", "name", "state", "text", "why")
    items = [{key: str(one.get(key) or "")[:400] for key in fields} for one in found if one["state"] != "as expected"]
    return {"wall_ms": natural(last.get("wall_ms")), "counts": counts, "items": items[:SILENCES_MAX]}
