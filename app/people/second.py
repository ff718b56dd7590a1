"""Two people for what loosens a live sleeve: whether a proposal takes them, and the first of them. Called by
app.people.approvals.

Off unless people.toml says `two_people = true`. The first approval is kept in the proposal's own row, by one conditional
UPDATE: of two people who approve at the same moment one is the first, and the other goes on to apply it. Neither needs to know
of the other, and the same person twice is one person.
"""

import json

from sqlmodel import col, select, update

from app.home.home import Home
from app.people.authority import may
from app.people.identity import Actor, read_people, two_people
from engine.control.config import active
from engine.control.proposals import parts_of
from engine.errors import Refused
from engine.store import db
from engine.store.tables import Proposal

LIVE = ("live_small", "live")  # stages that trade money
STAGE_KEY = "stage"


def takes_two(home: Home, row: Proposal) -> bool:
    """Whether a proposal needs two people: it does not tighten, and a sleeve of it trades money or would."""
    if row.direction == "tightens" or not two_people(home.path):
        return False
    config = active(home.engine, home.path).config
    touched = {part.sleeve for part in parts_of(home.engine, row.id)} or {sleeve.name for sleeve in config.sleeves}
    stages: set[str] = {sleeve.stage for sleeve in config.sleeves if sleeve.name in touched}
    for change in json.loads(row.diff).get("changes") or []:
        if str(change["key"]).rpartition(".")[2] == STAGE_KEY:
            stages.add(str(change["value"]))
    return bool(stages & set(LIVE))


def first_of_two(home: Home, row: Proposal, shown_sha256: str, actor: Actor, now_ms: int) -> str | None:
    """Who approved before `actor`, who may go on: "" where one person is enough; None: `actor` is the first of two.

    A first person who was removed or lost the role since is none: `actor` takes their place. A canary's way back waits for
    nobody, since whoever approved its card approved it. Raises Refused for the same person again.
    """
    if actor.assurance == "card" or not takes_two(home, row):
        return ""
    mine = json.dumps(actor.as_json() | {"one_of_two": True, "at_ms": now_ms}, sort_keys=True)
    open_ = (
        col(Proposal.id) == row.id,
        col(Proposal.state) == "pending",
        col(Proposal.expires_ms) > now_ms,
        col(Proposal.diff_sha256) == shown_sha256,
    )
    with db.write(home.engine) as session:
        free = update(Proposal).where(*open_, col(Proposal.decided_by).is_(None))
        if session.exec(free.values(decided_by=mine)).rowcount == 1:
            return None
        before = session.exec(select(Proposal.decided_by).where(*open_)).first()
        if before and not _may_still(home, before):
            left = update(Proposal).where(*open_, col(Proposal.decided_by) == before)
            if session.exec(left.values(decided_by=mine)).rowcount == 1:
                return None
    first = str(json.loads(before).get("name", "")) if before else ""
    if before and first == actor.name:
        raise Refused(f"{actor.name} has approved {row.id} already: it takes a second person", "ask another approver")
    return first  # no longer pending or not as shown: apply says why, and refuses


def _may_still(home: Home, decided_by: str) -> bool:
    """Whether a first person is still registered and still has a role that may approve."""
    person = read_people(home.path).get(str(json.loads(decided_by).get("name", "")))
    return person is not None and may(person.role, "loosen")
