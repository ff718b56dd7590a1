"""The name that a person gives a stored run. Called by app/api/runs.py.

Turns a name into an event of the people journal and then into the run's row; a run's figures and hashes are not touched.
"""

from app.home.home import Home
from app.people.approvals import record
from app.people.identity import Actor
from engine.errors import BadInput
from engine.store.runs import Runs

LENGTH_MAX = 60


def give_name(home: Home, run_id: str, name: str, actor: Actor, now_ms: int) -> str:
    """Name a run, or take its name away with an empty one; returns the name as it is kept. Raises BadInput."""
    kept = " ".join(name.split())
    if len(kept) > LENGTH_MAX or not kept.isprintable():
        what = f"has {len(kept)} characters" if len(kept) > LENGTH_MAX else "has characters that cannot be printed"
        raise BadInput(f"the name of a run {what}", f"use at most {LENGTH_MAX} printable characters")
    runs = Runs(home.runs, home.engine)
    runs.path(run_id)
    body = {"run": run_id, "name": kept, "before": runs.name_of(run_id), "actor": actor.as_json()}
    record(home, "run_name", body, now_ms)
    runs.give_name(run_id, kept)
    return kept
