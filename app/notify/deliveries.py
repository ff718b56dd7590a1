"""Delivers alerts, proposal cards and handovers: due delivery rows -> a sink (Slack), with the outcome in each row.

Called by app.processes.scheduler on its own thread and by app.slack.actions after a decision; acknowledgements come from the
command line, API and Slack. The page shows the rows whatever a sink does. One thread of one process claims a delivery, tries it
a bounded number of times and then marks it failed. No model is involved.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sqlmodel import col, select, update

from app.home.home import Home
from app.people.approvals import permit, record
from app.people.identity import Actor
from app.views.proposal_card import card
from engine.control.config import active_version
from engine.control.outcome import runs_now
from engine.control.proposals import get as proposal_of
from engine.control.proposals import list_proposals as proposals_listed
from engine.errors import BadInput
from engine.store import db
from engine.store.tables import Alert, Delivery, Handover, Proposal
from engine.watch import alert_rows

WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0, 120.0, 300.0)  # backoff after the first, second ... failure; then it has failed
RETRY_AFTER_S_MAX = 900.0
SENDING_MS_MAX = 120_000  # an older claim belongs to a process that died
AT_ONCE = 20
CARDS_MS = 7 * 86_400_000  # cards of older proposals are not updated


class Undelivered(Exception):
    """A sink did not accept a message. `wait_s`: the wait it asked for; `final`: retrying cannot help."""

    def __init__(self, why: str, wait_s: float | None = None, *, final: bool = False) -> None:
        super().__init__(why)
        self.wait_s, self.final = wait_s, final


class Notification(NamedTuple):
    """One message to deliver: `kind` alert | card | handover, the step, its row as JSON, and the ref of an earlier message."""

    kind: str
    step: str
    subject: str
    row: dict[str, Any]
    before: str = ""  # ref of the first message about the same subject


class Sink(Protocol):
    """Where notifications go."""

    name: str

    def send(self, message: Notification) -> str:
        """Send it; returns its ref at the sink. Raises Undelivered."""
        ...


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def deliver(home: Home, sinks: Sequence[Sink], at_ms: int, subject: str | None = None) -> int:
    """Send what is due, oldest first (of one subject, or all); returns how many were sent. Never raises for a sink's failure."""
    sent = 0
    for sink in sinks:
        for delivery_id in _due(home, sink.name, at_ms, subject):
            row = _claim(home, delivery_id, at_ms)
            if row is not None:
                sent += _bring(home, sink, row, at_ms)
    return sent


def _due(home: Home, sink: str, at_ms: int, subject: str | None) -> list[int]:
    """Ids of due deliveries and of abandoned claims."""
    mine = [Delivery.sink == sink, col(Delivery.due_ms) <= at_ms, *([Delivery.subject == subject] if subject else [])]
    lost = (col(Delivery.state) == "sending") & (col(Delivery.due_ms) <= at_ms - SENDING_MS_MAX)
    query = select(Delivery.id).where(*mine, (col(Delivery.state) == "waiting") | lost).order_by(col(Delivery.id)).limit(AT_ONCE)
    with db.read(home.engine) as session:
        return [found for found in session.exec(query).all() if found is not None]


def _claim(home: Home, delivery_id: int, at_ms: int) -> Delivery | None:
    """Claim a delivery; the row if we got it: only one thread of one process does."""
    free = (col(Delivery.state) == "waiting") | (
        (col(Delivery.state) == "sending") & (col(Delivery.due_ms) <= at_ms - SENDING_MS_MAX)
    )
    with db.write(home.engine) as session:
        claim = update(Delivery).where(col(Delivery.id) == delivery_id, free)
        if session.exec(claim.values(state="sending", due_ms=at_ms)).rowcount != 1:
            return None
        row = session.get(Delivery, delivery_id)
        if row is not None:
            session.expunge(row)
        return row


def _bring(home: Home, sink: Sink, row: Delivery, at_ms: int) -> bool:
    """Send one message and record the outcome."""
    done: dict[str, Any]
    try:
        ref = sink.send(message_of(home, row, at_ms))
        done = {"state": "sent", "sent_ms": at_ms, "ref": ref, "error": ""}
    except Undelivered as error:
        wait_s = WAITS_S[min(row.attempts, len(WAITS_S) - 1)]
        if error.wait_s is not None:
            wait_s = min(max(wait_s, error.wait_s), RETRY_AFTER_S_MAX)
        over = error.final or row.attempts >= len(WAITS_S)
        done = {"state": "failed" if over else "waiting", "error": str(error)[:300]}
        done["due_ms"] = at_ms if over else at_ms + int(wait_s * 1000)
    except BadInput as error:
        done = {"state": "dropped", "error": str(error)[:300]}
    with db.write(home.engine) as session:
        session.exec(update(Delivery).where(col(Delivery.id) == row.id).values(attempts=row.attempts + 1, **done))
    return done["state"] == "sent"


def message_of(home: Home, row: Delivery, at_ms: int) -> Notification:
    """The notification for a delivery, from the current rows. Raises BadInput when its subject is gone."""
    before = first_ref(home, row)
    if row.subject.startswith("al-"):
        return Notification("alert", row.step, row.subject, alert_rows.view(alert_rows.get(home.engine, row.subject)), before)
    if row.subject.startswith("handover "):
        with db.read(home.engine) as session:
            found = session.get(Handover, row.subject.partition(" ")[2])
        if found is None:
            raise BadInput(f"{row.subject} does not exist")
        return Notification("handover", row.step, row.subject, found.model_dump(), before)
    return Notification("card", row.step, row.subject, card(home, proposal_of(home.engine, row.subject), at_ms), before)


def first_ref(home: Home, row: Delivery) -> str:
    """Ref of the first message about the same subject at the sink; empty when none was sent."""
    same = (Delivery.subject == row.subject, Delivery.sink == row.sink, col(Delivery.state) == "sent", col(Delivery.ref) != "")
    with db.read(home.engine) as session:
        return session.exec(select(Delivery.ref).where(*same).order_by(col(Delivery.id)).limit(1)).first() or ""


def owe(home: Home, subject: str, step: str, sinks: Sequence[str], at_ms: int) -> None:
    """Queue one step of a subject for every sink; idempotent."""
    for sink in sinks:
        with db.write(home.engine) as session:
            same = (Delivery.subject == subject, Delivery.step == step, Delivery.sink == sink)
            if session.exec(select(Delivery.id).where(*same)).first() is None:
                session.add(Delivery(subject=subject, step=step, sink=sink, created_ms=at_ms, due_ms=at_ms))


def cards(home: Home, sinks: Sequence[str], at_ms: int) -> None:
    """Queue a card for each pending proposal, an update for each card whose proposal was decided, wherever that was, and one
    more when what it applied no longer runs."""
    if not sinks:
        return
    rows = [row for row in proposals_listed(home.engine, at_ms) if row.created_ms > at_ms - CARDS_MS]
    now = active_version(home.engine)
    with db.read(home.engine) as session:
        queued = set(session.exec(select(Delivery.subject, Delivery.step).where(col(Delivery.subject).like("prop-%"))).all())
    for row in rows:
        step = step_of(row, queued) or _outrun(home, row, queued, now)
        if step:
            owe(home, row.id, step, sinks, at_ms)


def step_of(row: Proposal, queued: set[tuple[str, str]]) -> str:
    """The step a proposal's card still needs: `card`, `decided`, or none."""
    if row.state == "pending":
        return "" if (row.id, "card") in queued else "card"
    return "decided" if (row.id, "card") in queued and (row.id, "decided") not in queued else ""


def _outrun(home: Home, row: Proposal, queued: set[tuple[str, str]], now: int) -> str:
    """`outrun` for a card that says `applied` of a change that the version in force, `now`, no longer has; none for any other."""
    if row.applied_version in (None, now) or (row.id, "decided") not in queued or (row.id, "outrun") in queued:
        return ""
    found = runs_now(home.engine, home.path, row)
    return "outrun" if found is not None and found.outcome in ("rolled back", "replaced") else ""


def acknowledge(home: Home, alert_id: str, actor: Actor, at_ms: int) -> Alert:
    """Acknowledge an alert; journaled under the person's name. Raises BadInput, Refused."""
    permit(home, actor, "acknowledge", at_ms)
    row = alert_rows.acknowledge(home.engine, alert_id, actor.as_json(), at_ms)
    record(home, "ack", {"alert": row.id, "what": row.what, "actor": actor.as_json()}, at_ms)
    return row
