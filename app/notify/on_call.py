"""Who is on call: people.toml -> the rota that escalations follow, changes to it, and what people see of it.

Called by app.processes.scheduler (every check), deliveries.py, app/cli/people_on_call.py and app.api.alerts. The order of
being asked is engine/watch/rota.py's. No model reads or changes any of it.
"""

from typing import Any

from app.home.home import Home
from app.notify import ways
from app.people import identity
from app.people.approvals import permit, record
from app.people.identity import Actor, read_people
from app.people.rota import rota_of
from engine.errors import BadInput
from engine.watch.alert_rows import AlertPolicy
from engine.watch.observation import Finding
from engine.watch.rota import callees, is_on_shift, is_quiet

FIELDS = ("on_call", "reach", "shift", "quiet", "timezone")


def with_rota(home: Home, policy: AlertPolicy, now_ms: int) -> tuple[AlertPolicy, list[Finding]]:
    """The policy with who is on call. Where people.toml cannot be read every message goes every way, and a finding says so."""
    try:
        rota = rota_of(home.path)
    except BadInput as error:
        what = f"Nobody is known to be on call: {error.what}"[:400]
        action = "fix or restore people.toml; until then every message goes every way"
        return policy, [Finding("delivery:rota", "delivery", "warn", what, "people.toml", now_ms, action)]
    gone = [one for one in rota if one.way not in ways.names_of(home.desk)]
    what = ", ".join(f"{one.name} by {one.way}" for one in gone)
    action = "name the way in desk.toml, or nightdesk people on-call NAME --reach WAY; a page reaches them no other way"
    text = f"On call and not to be reached, desk.toml names no such way: {what}"[:400]
    found = [Finding("delivery:rota", "delivery", "warn", text, "people.toml", now_ms, action)] if gone else []
    return policy._replace(rota=tuple(rota)), found


def put_on_call(home: Home, name: str, fields: dict[str, Any], actor: Actor, now_ms: int) -> None:
    """Change what people.toml says of a person being on call. Raises Denied; BadInput for a way that desk.toml does not name."""
    permit(home, actor, "people", now_ms, who=name)
    reach = fields.get("reach")
    if reach and reach not in ways.names_of(home.desk):
        named = ", ".join(ways.names_of(home.desk)) or "none"
        raise BadInput(f"desk.toml names no way {str(reach)[:60]!r}", f"its ways: {named}; see docs/reaching-people.md")
    before = identity.set_on_call(home.path, name, **fields)
    after = read_people(home.path)[name]
    words = [" ".join(f"{key}={getattr(one, key)}" for key in FIELDS if getattr(one, key)) for one in (before, after)]
    record(home, "person", {"act": "on call", "who": name, "before": words[0], "now": words[1], "actor": actor.as_json()}, now_ms)


def rota_rows(home: Home, now_ms: int) -> list[dict[str, Any]]:
    """Whom a page would go to now, first to last, each with what the last day did not bring them. Raises BadInput."""
    rota, lost = rota_of(home.path), ways.failures(home, now_ms)
    people = read_people(home.path)
    return [
        {
            "name": one.name,
            "order": one.order,
            "reach": one.way,
            "shift": people[one.name].shift or None,
            "quiet": people[one.name].quiet or None,
            "timezone": one.timezone,
            "on_shift": is_on_shift(one, now_ms),
            "quiet_now": is_quiet(one, now_ms),
            "named": one.way in ways.names_of(home.desk),
            "undelivered": sum(row["sink"] == one.way for row in lost),
        }
        for one in callees(rota, now_ms)
    ]
