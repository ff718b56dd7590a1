"""Alerts as rows: the findings of one check -> alerts opened, raised, repeated, escalated or resolved, each step once.

Called by app.processes.scheduler (`apply_findings`) and by the command line, API, tools and Slack (`acknowledge`, `list_alerts`,
`view`). Messages are queued as deliveries in the same transaction; app.notify.deliveries sends them. Times are wall times.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select, update

from engine.clock import MINUTE_MS
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import Alert, Delivery
from engine.watch.observation import ONE_OFF_KINDS, Finding
from engine.watch.rota import Rota, due_of, steps_least, ways_of_page

RANK = {"note": 0, "warn": 1, "page": 2}
STATES = ("open", "resolved")
REPEAT_MS = 5_000  # how often a repetition is recorded
DAY_MINUTES = 1_440


class AlertPolicy(NamedTuple):
    """When an unacknowledged page is sent again and how often, when an alert resolves, and the quiet hours of notes."""

    escalate_ms: int = 15 * MINUTE_MS
    escalations_max: int = 4
    clear_ms: int = 10_000  # not found for this long: resolved
    quiet_from: int = 22 * 60  # minute of the UTC day
    quiet_to: int = 6 * 60
    digest_ms: int = 0  # notes wait for the next multiple of it, to come together; 0: they do not
    rota: Rota = ()  # who is on call; none: every step goes every way


class AlertChange(NamedTuple):
    """A step of an alert at one check: opened, raised, escalated-N, resolved."""

    alert: str
    step: str


def apply_findings(
    engine: Engine,
    findings: Sequence[Finding],
    unknown_kinds: Collection[str],
    now_ms: int,
    policy: AlertPolicy,
    sinks: Sequence[str],
) -> list[AlertChange]:
    """Compare the findings of a check with the open alerts; returns the changes. Alerts of `unknown_kinds` stay open.

    Reads first: a check that changes nothing does not take the write lock.
    """
    with db.read(engine) as session:
        if not _plan(_open(session), findings, unknown_kinds, now_ms, policy, _unreached(session)):
            return []
    changes = []
    with db.write(engine) as session:
        rows = _open(session)
        for step, row, finding in _plan(rows, findings, unknown_kinds, now_ms, policy, _unreached(session)):
            alert = _new_row(session, finding, now_ms) if row is None and finding is not None else row
            if alert is None:
                continue
            _update_row(alert, step, finding, now_ms)
            session.add(alert)
            if step != "seen":
                changes.append(AlertChange(alert.id, step))
                _queue_deliveries(session, alert, step, now_ms, policy, sinks)
    return changes


Step = tuple[str, Alert | None, Finding | None]


def _open(session: Session) -> dict[str, Alert]:
    """Open alerts by fingerprint."""
    return {row.fingerprint: row for row in session.exec(select(Alert).where(Alert.state == "open")).all()}


def _unreached(session: Session) -> frozenset[str]:
    """Ids of pages whose last step reached nobody: every delivery of it was given up."""
    waiting = (Alert.severity == "page", Alert.state == "open", col(Alert.acked_ms).is_(None))
    query = select(Delivery.subject, Delivery.step, Delivery.state).join(Alert, col(Alert.id) == col(Delivery.subject))
    last: dict[str, tuple[str, bool]] = {}
    for subject, step, state in session.exec(query.where(*waiting).order_by(col(Delivery.id))).all():
        gone = state in ("failed", "dropped")
        last[subject] = (step, gone and (last[subject][1] if subject in last and last[subject][0] == step else True))
    return frozenset(subject for subject, (_, gone) in last.items() if gone)


def _plan(
    rows: Mapping[str, Alert],
    findings: Sequence[Finding],
    unknown_kinds: Collection[str],
    now_ms: int,
    policy: AlertPolicy,
    unreached: Collection[str] = (),
) -> list[Step]:
    """The steps to take, in order."""
    found = {finding.fingerprint: finding for finding in findings}
    plan: list[Step] = [("opened", None, finding) for print_, finding in found.items() if print_ not in rows]
    for print_, row in rows.items():
        finding = found.get(print_)
        if finding is None:
            if row.kind not in unknown_kinds and now_ms - row.seen_ms >= policy.clear_ms:
                plan.append(("resolved", row, None))
        elif rank(finding.severity, finding.level) > rank(row.severity, level_of(row)):
            plan.append(("raised", row, finding))
        elif _is_unanswered(row, now_ms, policy, row.id in unreached):
            plan.append((f"escalated-{row.escalations + 1}", row, finding))
        elif now_ms - row.seen_ms >= REPEAT_MS:
            plan.append(("seen", row, finding))
    return plan


def rank(severity: str, level: int) -> tuple[int, int]:
    """Order of badness: severity first, then the finding's own level."""
    return RANK[severity], level


def level_of(row: Alert) -> int:
    """The worst level an alert has had."""
    return int(json.loads(row.numbers).get("level", 0))


def _is_unanswered(row: Alert, now_ms: int, policy: AlertPolicy, unreached: bool) -> bool:
    """A page that has waited too long for an acknowledgement, or reached nobody while someone else is on call."""
    steps = steps_least(policy.rota)
    waits = row.severity == "page" and row.acked_ms is None and row.escalations < max(policy.escalations_max, steps)
    next_one = unreached and row.escalations < steps
    return waits and (next_one or now_ms - (row.escalated_ms or row.opened_ms) >= policy.escalate_ms)


def _new_row(session: Session, finding: Finding, now_ms: int) -> Alert:
    """A new alert row."""
    number = int(session.exec(select(func.count()).select_from(Alert)).one()) + 1
    row = Alert(
        id=f"al-{number}",
        fingerprint=finding.fingerprint,
        kind=finding.kind,
        severity=finding.severity,
        what=finding.what,
        place=finding.place,
        since_ms=finding.since_ms,
        opened_ms=now_ms,
        seen_ms=now_ms,
    )
    session.add(row)
    session.flush()
    return row


def _update_row(row: Alert, step: str, finding: Finding | None, now_ms: int) -> None:
    """Apply a step to the row."""
    if finding is not None:
        level = max(finding.level, level_of(row))
        worse = RANK[finding.severity] > RANK[row.severity]
        row.severity = finding.severity if worse else row.severity
        row.what, row.place, row.action = finding.what, finding.place, finding.action
        row.runbook, row.event, row.seen_ms = finding.runbook, finding.event or row.event, now_ms
        row.numbers = json.dumps({**finding.numbers, "level": level}, sort_keys=True)
        row.repeats += step != "opened"
    if step == "raised":
        row.acked_by = row.acked_ms = None  # what was acknowledged was less severe
        row.escalated_ms = now_ms
    elif step.startswith("escalated"):
        row.escalations, row.escalated_ms = row.escalations + 1, now_ms
    elif step == "resolved":
        row.state, row.resolved_ms = "resolved", now_ms


def _queue_deliveries(session: Session, row: Alert, step: str, now_ms: int, policy: AlertPolicy, sinks: Sequence[str]) -> None:
    """Queue the step's message for each sink; a failing sink does not carry the alert about itself."""
    name = f"raised-{row.repeats}" if step == "raised" else step
    if step == "resolved" and row.severity == "note":
        _cancel_deliveries(session, row)  # resolved before anyone was notified
    if step == "resolved" and (row.severity == "note" or row.kind in ONE_OFF_KINDS):
        return
    due_ms = quiet_until(gathered_until(now_ms, policy), policy) if row.severity == "note" else now_ms
    page = row.severity == "page"
    for sink in ways_of_page(policy.rota, sinks, row.opened_ms, row.escalations) if page else sinks:
        if not (row.kind == "delivery" and row.place == sink):
            due = due_ms if page else due_of(policy.rota, sink, due_ms)
            session.add(Delivery(subject=row.id, step=name, sink=sink, created_ms=now_ms, due_ms=due))


def _cancel_deliveries(session: Session, row: Alert) -> None:
    """Cancel the deliveries that are still waiting."""
    if row.kind in ONE_OFF_KINDS:
        return  # an event is reported even when it is over
    waiting = update(Delivery).where(col(Delivery.subject) == row.id, col(Delivery.state) == "waiting")
    session.exec(waiting.values(state="dropped"))


def gathered_until(now_ms: int, policy: AlertPolicy) -> int:
    """`now_ms`, or the next moment at which notes are brought together."""
    return now_ms if policy.digest_ms <= 0 else -(-now_ms // policy.digest_ms) * policy.digest_ms


def quiet_until(now_ms: int, policy: AlertPolicy) -> int:
    """`now_ms`, or the end of the quiet hours when it falls in them."""
    minute = now_ms // MINUTE_MS % DAY_MINUTES
    length = (policy.quiet_to - policy.quiet_from) % DAY_MINUTES
    into = (minute - policy.quiet_from) % DAY_MINUTES
    return now_ms if into >= length else (now_ms // MINUTE_MS + length - into) * MINUTE_MS


def acknowledge(engine: Engine, alert_id: str, actor: Mapping[str, Any], now_ms: int) -> Alert:
    """Record that a person has seen it: it is not sent again. Refused when resolved; acknowledging twice changes nothing."""
    bare = alert_id.strip()
    with db.write(engine) as session:
        row = session.get(Alert, f"al-{bare}" if bare.isdigit() else bare)
        if row is None:
            raise BadInput(f"no alert {bare[:40]!r}", "see `nightdesk alerts list`")
        if row.state != "open":
            raise Refused(f"{row.id} is already resolved")
        if row.acked_ms is None:
            row.acked_by, row.acked_ms = json.dumps(dict(actor), sort_keys=True), now_ms
            session.add(row)
            session.flush()
        session.refresh(row)
        session.expunge(row)
    return row


def get(engine: Engine, alert_id: str) -> Alert:
    """The alert of that id. Raises BadInput when there is none."""
    with db.read(engine) as session:
        row = session.get(Alert, alert_id)
    if row is None:
        raise BadInput(f"no alert {alert_id[:40]!r}", "see `nightdesk alerts list`")
    return row


def list_alerts(engine: Engine, state: str | None = None, limit: int = 50) -> list[Alert]:
    """Alerts, newest first, of one state or all."""
    number = (func.length(Alert.id).desc(), col(Alert.id).desc())  # al-12 before al-9, which one check may have opened too
    query = select(Alert).order_by(col(Alert.opened_ms).desc(), *number).limit(limit)
    with db.read(engine) as session:
        return list(session.exec(query if state is None else query.where(Alert.state == state)).all())


def deliveries_of(engine: Engine, subject: str) -> list[Delivery]:
    """Deliveries of one alert, proposal or handover, in whatever state, oldest first."""
    with db.read(engine) as session:
        return list(session.exec(select(Delivery).where(Delivery.subject == subject).order_by(col(Delivery.id))).all())


def view(row: Alert, deliveries: Sequence[Delivery] = ()) -> dict[str, Any]:
    """An alert as plain JSON, with its deliveries."""
    acked_by = json.loads(row.acked_by) if row.acked_by else None
    fields = ("step", "sink", "state", "attempts", "created_ms", "due_ms", "sent_ms", "error")
    sent = [{name: getattr(delivery, name) for name in fields} for delivery in deliveries]
    return {**row.model_dump(), "numbers": json.loads(row.numbers), "acked_by": acked_by, "deliveries": sent}
