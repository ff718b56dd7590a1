"""Brings to people what they should know: deliveries that are due -> a sink (Slack), with what became of each in its row.

Called by app.processes.scheduler on a thread of its own and by app.slack.sink after a decision; acknowledgements come from
command line, API and Slack. The rows themselves stand on the page whatever a sink does. A delivery is claimed by one thread of
one process, tried a bounded number of times, and given up visibly. No model is near this.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sqlmodel import col, select, update

from app.home.home import Home
from app.people.approvals import record
from app.people.identity import Actor
from engine.control.proposals import get as proposal_of
from engine.control.proposals import listed as proposals_listed
from engine.control.proposals import view as proposal_view
from engine.errors import BadInput
from engine.store import db
from engine.store.tables import Alert, Delivery, Handover, Proposal
from engine.watch import incidents

WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0, 120.0, 300.0)  # after the first, second ... failure; then it is given up
RETRY_AFTER_S_MAX = 900.0
SENDING_MS_MAX = 120_000  # a claim older than that was left by a process that died
AT_ONCE = 20
CARDS_MS = 7 * 86_400_000  # cards of proposals older than that are left as they are


class Undelivered(Exception):
    """A sink did not take a message. `wait_s`: what it asked us to wait; `final`: asking again cannot help."""

    def __init__(self, why: str, wait_s: float | None = None, *, final: bool = False) -> None:
        super().__init__(why)
        self.wait_s, self.final = wait_s, final


class Notification(NamedTuple):
    """What is to be brought: `kind` alert | card | handover, its row as plain JSON, the step, and where it lies already."""

    kind: str
    step: str
    subject: str
    row: dict[str, Any]
    before: str = ""  # ref of the first message about the same subject


class Sink(Protocol):
    """Where messages go."""

    name: str

    def send(self, home: Home, message: Notification) -> str:
        """Bring it; returns where it lies there. Raises Undelivered."""
        ...


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def deliver(home: Home, sinks: Sequence[Sink], at_ms: int, subject: str | None = None) -> int:
    """Bring what is due, oldest first (of one subject, or all); how many were brought. Never raises for what a sink does."""
    sent = 0
    for sink in sinks:
        for delivery_id in _due(home, sink.name, at_ms, subject):
            row = _claim(home, delivery_id, at_ms)
            if row is not None:
                sent += _bring(home, sink, row, at_ms)
    return sent


def _due(home: Home, sink: str, at_ms: int, subject: str | None) -> list[int]:
    """Ids of what is due, and of claims that nobody will finish."""
    mine = [Delivery.sink == sink, col(Delivery.due_ms) <= at_ms, *([Delivery.subject == subject] if subject else [])]
    lost = (col(Delivery.state) == "sending") & (col(Delivery.due_ms) <= at_ms - SENDING_MS_MAX)
    query = select(Delivery.id).where(*mine, (col(Delivery.state) == "waiting") | lost).order_by(col(Delivery.id)).limit(AT_ONCE)
    with db.read(home.engine) as session:
        return [found for found in session.exec(query).all() if found is not None]


def _claim(home: Home, delivery_id: int, at_ms: int) -> Delivery | None:
    """The row, when it is ours to bring now: one thread of one process gets it."""
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
    """Send one message and write down what happened."""
    done: dict[str, Any]
    try:
        ref = sink.send(home, message_of(home, row))
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


def message_of(home: Home, row: Delivery) -> Notification:
    """The message a delivery stands for, as things are now. Raises BadInput when its subject is gone."""
    before = first_ref(home, row)
    if row.subject.startswith("al-"):
        return Notification("alert", row.step, row.subject, incidents.view(incidents.get(home.engine, row.subject)), before)
    if row.subject.startswith("handover "):
        with db.read(home.engine) as session:
            found = session.get(Handover, row.subject.partition(" ")[2])
        if found is None:
            raise BadInput(f"there is no {row.subject}")
        return Notification("handover", row.step, row.subject, found.model_dump(), before)
    return Notification("card", row.step, row.subject, proposal_view(proposal_of(home.engine, row.subject)), before)


def first_ref(home: Home, row: Delivery) -> str:
    """Where the first message about the same subject lies at the sink; empty when none was brought."""
    same = (Delivery.subject == row.subject, Delivery.sink == row.sink, col(Delivery.state) == "sent", col(Delivery.ref) != "")
    with db.read(home.engine) as session:
        return session.exec(select(Delivery.ref).where(*same).order_by(col(Delivery.id)).limit(1)).first() or ""


def owe(home: Home, subject: str, step: str, sinks: Sequence[str], at_ms: int) -> None:
    """Write down that every sink has to bring a step; once, however often this is called."""
    for sink in sinks:
        with db.write(home.engine) as session:
            same = (Delivery.subject == subject, Delivery.step == step, Delivery.sink == sink)
            if session.exec(select(Delivery.id).where(*same)).first() is None:
                session.add(Delivery(subject=subject, step=step, sink=sink, created_ms=at_ms, due_ms=at_ms))


def cards(home: Home, sinks: Sequence[str], at_ms: int) -> None:
    """Owe a card for each pending proposal, and its end for each card whose proposal was decided, wherever that was."""
    if not sinks:
        return
    rows = [row for row in proposals_listed(home.engine, at_ms) if row.created_ms > at_ms - CARDS_MS]
    with db.read(home.engine) as session:
        known = set(session.exec(select(Delivery.subject, Delivery.step).where(col(Delivery.subject).like("prop-%"))).all())
    for row in rows:
        step = step_of(row, known)
        if step:
            owe(home, row.id, step, sinks, at_ms)


def step_of(row: Proposal, known: set[tuple[str, str]]) -> str:
    """What a proposal's card lacks: `card`, `decided`, or nothing."""
    if row.state == "pending":
        return "" if (row.id, "card") in known else "card"
    return "decided" if (row.id, "card") in known and (row.id, "decided") not in known else ""


def acknowledge(home: Home, alert_id: str, actor: Actor, at_ms: int) -> Alert:
    """A person takes an alert upon themselves; journaled under their name. Raises BadInput, Refused."""
    row = incidents.acknowledge(home.engine, alert_id, actor.as_json(), at_ms)
    record(home, "ack", {"alert": row.id, "what": row.what, "actor": actor.as_json()}, at_ms)
    return row
