"""What a named person says to the gate of an account: yes to what it waits for, or a probe now. Called by app/cli/live.py.

Turns the act into an event of the people journal, which the worker's gate reads. A consent names one fault or one attempt and
fits no other; no agent, tool, page or API reaches this module (an import contract).
"""

from typing import Any

from app.home.home import Home
from app.people.approvals import permit, prove_person, record
from app.people.identity import Actor
from engine.errors import Refused
from engine.live.gate import CONSENT, PROBE_REQUEST
from engine.watch.account_state import gate_seen


def waits_for(home: Home) -> dict[str, Any] | None:
    """The row of the gate that waits for a person; None for none."""
    event = gate_seen(home.desk_journal)
    rows = [] if event is None or event.body["open"] else event.body["rows"]
    return next((dict(row) for row in rows if row.get("consent")), None)


def consent(home: Home, key: str, actor: Actor, now_ms: int, passphrase: str | None) -> str:
    """Say yes to what the gate waits for; the event's id. Raises Refused when it waits for something else, or for nothing."""
    permit(home, actor, "consent", now_ms)
    row = waits_for(home)
    if row is None or row["consent"] != key:
        raise Refused("the gate does not wait for that any more", "look again: nightdesk live gate")
    prove_person(home, actor, passphrase, now_ms, "consent")
    return record(home, CONSENT, {"consent": key, "actor": actor.as_json(), "row": row["name"], "why": row["why"]}, now_ms)


def ask_for_probe(home: Home, actor: Actor, now_ms: int, passphrase: str | None, *, round_trip: bool) -> str:
    """Ask the running worker for a probe, or journal that this person makes one; the event's id."""
    permit(home, actor, "probe", now_ms)
    prove_person(home, actor, passphrase, now_ms, "live test")
    return record(home, PROBE_REQUEST, {"actor": actor.as_json(), "round_trip": round_trip}, now_ms)
