"""Delivers alerts, proposal cards and handovers: due delivery rows -> a sink (Slack), with the outcome in each row.

Called by app.processes.scheduler on its own thread and by app.slack.actions after a decision; acknowledgements come from the
command line, API and Slack. The page shows the rows whatever a sink does. One thread of one process claims a delivery, tries it
a bounded number of times and then marks it failed. No model is involved.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from sqlmodel import col, select, update

from app.home.home import Home
from app.notify.monitor_notes import SUBJECT, note_of
from app.people.approvals import permit, record
from app.people.identity import Actor
from app.people.rota import rota_of
from app.views.proposal_card import card
from engine.control.config import active_version
from engine.control.outcome import runs_now
from engine.control.proposals import get as proposal_of
from engine.control.proposals import list_proposals as proposals_listed
from engine.errors import BadInput
from engine.store import db
from engine.store.tables import Alert, Delivery, Handover, Proposal
from engine.watch import alert_rows
from engine.watch.rota import addressed

WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0, 120.0, 300.0)  # backoff after the first, second ... failure; then it has failed
RETRY_AFTER_S_MAX = 900.0
SENDING_MS_MAX = 120_000  # an older claim belongs to a process that died
AT_ONCE = 20
FIELDS = ("subject", "step", "sink", "state", "attempts", "created_ms", "sent_ms", "error")  # of a row, as it is shown
DIGEST_MIN = 2  # so many notes due at once at a sink come as one message
CARDS_MS = 7 * 86_400_000  # cards of older proposals are not updated


class Undelivered(Exception):
    """A sink did not accept a message. `wait_s`: the wait it asked for; `final`: retrying cannot help."""

    def __init__(self, why: str, wait_s: float | None = None, *, final: bool = False) -> None:
        super().__init__(why)
        self.wait_s, self.final = wait_s, final


class Notification(NamedTuple):
    """One message to deliver. `kind`: alert | card | handover | digest | monitor | test;
    its step, its row as JSON, and the ref of an earlier message."""

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
        due = _due(home, sink.name, at_ms, subject)
        notes = _notes(home, due) if subject is None else []
        if len(notes) >= DIGEST_MIN:
            sent += _bring_together(home, sink, [row for n in notes if (row := _claim(home, n, at_ms)) is not None], at_ms)
        for delivery_id in due if len(notes) < DIGEST_MIN else [n for n in due if n not in notes]:
            row = _claim(home, delivery_id, at_ms)
            if row is not None:
                sent += _bring(home, sink, row, at_ms)
    return sent


def _notes(home: Home, due: Sequence[int]) -> list[int]:
    """Which of these deliveries open a note: the unimportant, which may come together."""
    query = select(Delivery.id).join(Alert, col(Alert.id) == col(Delivery.subject))
    query = query.where(col(Delivery.id).in_(due), Alert.severity == "note", Delivery.step == "opened")
    with db.read(home.engine) as session:
        return [found for found in session.exec(query.order_by(col(Delivery.id))).all() if found is not None]


def _bring_together(home: Home, sink: Sink, rows: Sequence[Delivery], at_ms: int) -> int:
    """Send several notes as one message and record its outcome in each of their rows; how many were brought."""
    if not rows:
        return 0
    items = [alert_rows.view(alert_rows.get(home.engine, row.subject)) for row in rows]
    message = Notification("digest", "digest", f"digest {at_ms}", {"items": items})
    done = _sent(sink, lambda: message, rows[0].attempts, at_ms)
    return sum(_record(home, row, done) for row in rows)


def rows_of(home: Home, subject: str) -> list[dict[str, Any]]:
    """The deliveries of a subject, oldest first."""
    with db.read(home.engine) as session:
        rows = session.exec(select(Delivery).where(Delivery.subject == subject).order_by(col(Delivery.id))).all()
        return [{name: getattr(row, name) for name in FIELDS} for row in rows]


def _due(home: Home, sink: str, at_ms: int, subject: str | None) -> list[int]:
    """Ids of due deliveries and of abandoned claims."""
    mine = [col(Delivery.sink) == sink, col(Delivery.due_ms) <= at_ms]
    mine += [col(Delivery.subject) == subject] if subject else []
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
    return _record(home, row, _sent(sink, lambda: message_of(home, row, at_ms), row.attempts, at_ms))


def _sent(sink: Sink, message: Callable[[], Notification], attempts: int, at_ms: int) -> dict[str, Any]:
    """Send one message; the columns of its outcome."""
    try:
        return {"state": "sent", "sent_ms": at_ms, "ref": sink.send(message()), "error": ""}
    except Undelivered as error:
        return _again(attempts, at_ms, str(error), error.wait_s, final=error.final)
    except BadInput as error:
        return {"state": "dropped", "error": str(error)[:300]}
    except Exception as error:  # noqa: BLE001 - a bug with one message must not hold up those behind it and the other ways
        return _again(attempts, at_ms, f"our bug: {type(error).__name__}")


def _again(attempts: int, at_ms: int, why: str, asked_s: float | None = None, *, final: bool = False) -> dict[str, Any]:
    """The columns of a delivery that failed: when it is tried again, or that it is not."""
    wait_s = WAITS_S[min(attempts, len(WAITS_S) - 1)]
    if asked_s is not None:
        wait_s = min(max(wait_s, asked_s), RETRY_AFTER_S_MAX)
    over = final or attempts >= len(WAITS_S)
    done: dict[str, Any] = {"state": "failed" if over else "waiting", "error": why[:300]}
    return done | {"due_ms": at_ms if over else at_ms + int(wait_s * 1000)}


def _record(home: Home, row: Delivery, done: dict[str, Any]) -> bool:
    """Write an outcome into its row; whether it was sent."""
    with db.write(home.engine) as session:
        session.exec(update(Delivery).where(col(Delivery.id) == row.id).values(attempts=row.attempts + 1, **done))
    return bool(done["state"] == "sent")


def message_of(home: Home, row: Delivery, at_ms: int) -> Notification:
    """The notification for a delivery, from the current rows. Raises BadInput when its subject is gone."""
    before = first_ref(home, row)
    if row.subject.startswith("al-"):
        shown = alert_rows.view(alert_rows.get(home.engine, row.subject))
        return Notification("alert", row.step, row.subject, shown | {"on_call": _called(home, row, shown)}, before)
    if row.subject.startswith("handover "):
        with db.read(home.engine) as session:
            found = session.get(Handover, row.subject.partition(" ")[2])
        if found is None:
            raise BadInput(f"{row.subject} does not exist")
        return Notification("handover", row.step, row.subject, found.model_dump(), before)
    if row.subject.startswith(SUBJECT):
        if (note := note_of(home.path, row.subject)) is None:
            raise BadInput(f"{row.subject} is no longer kept")
        return Notification("monitor", row.step, row.subject, note, before)
    if row.subject.startswith("test "):
        at, _, by = row.subject.removeprefix("test ").partition(" ")
        return Notification("test", row.step, row.subject, {"at_ms": int(at), "by": by})
    return Notification("card", row.step, row.subject, card(home, proposal_of(home.engine, row.subject), at_ms), before)


def _called(home: Home, row: Delivery, alert: Mapping[str, Any]) -> str:
    """Whom a step of a page is for; empty for what is not a page, without a rota, and where the rota cannot be read."""
    if alert["severity"] != "page" or row.step == "resolved":
        return ""
    number = row.step.rpartition("escalated-")[2]
    with suppress(BadInput):
        return addressed(rota_of(home.path), alert["opened_ms"], int(number) if number.isdigit() else 0)
    return ""


def first_ref(home: Home, row: Delivery) -> str:
    """Ref of the first message about the same subject at the sink; empty when none was sent."""
    same = (Delivery.subject == row.subject, Delivery.sink == row.sink, col(Delivery.state) == "sent", col(Delivery.ref) != "")
    with db.read(home.engine) as session:
        return session.exec(select(Delivery.ref).where(*same).order_by(col(Delivery.id)).limit(1)).first() or ""


def owe(home: Home, subject: str, step: str, sinks: Sequence[str], at_ms: int, due_ms: int | None = None) -> None:
    """Queue one step of a subject for every sink, to go at `due_ms` (None: now); idempotent."""
    for sink in sinks:
        with db.write(home.engine) as session:
            same = (Delivery.subject == subject, Delivery.step == step, Delivery.sink == sink)
            if session.exec(select(Delivery.id).where(*same)).first() is None:
                due = at_ms if due_ms is None else due_ms
                session.add(Delivery(subject=subject, step=step, sink=sink, created_ms=at_ms, due_ms=due))


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
