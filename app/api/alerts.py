"""Routes of alerts with their deliveries, acknowledgements, runbooks and morning handovers. Registered by app.api.factory."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path as File
from typing import Any

from fastapi import APIRouter, Path, Query
from sqlmodel import col, select

from app.api import models as m
from app.api.context import ApiContext, At, Deciding, NotFound, Who, now_ms
from app.api.models_people import EmptyBody
from app.notify import ways
from app.notify.deliveries import acknowledge
from app.notify.on_call import rota_rows
from app.people.approvals import record
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import Delivery, Handover
from engine.watch.alert_rows import list_alerts, view
from tools.shipped import RUNBOOK_PAGES

router = APIRouter(prefix="/api", tags=["alerts"])
ALONE = "this API was started alone, without the watch that raises alerts; to start both: nightdesk up"
TEST_WAIT_S = 6.0  # the supervisor delivers once a second
DELIVERY_FIELDS = ("sink", "state", "attempts", "sent_ms", "error")


class HandoverView(m.ApiModel):
    """One morning's handover, with the deliveries of its messages."""

    day: str
    created_ms: int
    text: str
    body: dict[str, Any]
    deliveries: list[dict[str, Any]]


class Handovers(m.ApiModel):
    """Newest first; `at`: time of day of the next one, UTC."""

    items: list[HandoverView]
    at: str


class TestOfWays(m.ApiModel):
    """A test message and its deliveries: sent, failed, or waiting with why."""

    subject: str
    items: list[dict[str, Any]]


class RunbookPage(m.ApiModel):
    """A page of docs/runbooks, markdown."""

    name: str
    text: str


@router.get("/alerts")
def alerts(
    at: At, _: Who, open_only: bool = Query(default=True, alias="open"), limit: int = Query(100, ge=1, le=1000)
) -> m.AlertList:
    """Open alerts (or all), newest first; `reason` says why alerts may be missing."""
    rows = list_alerts(at.engine, "open" if open_only else None, limit)
    brought = brought_of(at, [row.id for row in rows])
    items, lost = [view(row, brought[row.id]) for row in rows], ways.failures(at.home, now_ms())
    reason = None if watched() else ALONE
    found: dict[str, Any] = {"items": items, "reason": reason, "undelivered": lost, "ways": ways.names_of(at.home.desk)}
    with suppress(BadInput):  # a people.toml that cannot be read is an alert of its own
        found["rota"] = rota_rows(at.home, now_ms())
    return m.AlertList(**found)


@router.post("/notify/test", status_code=202)
def notify_test(at: At, actor: Deciding, body: EmptyBody) -> TestOfWays:  # noqa: ARG001 - checked to be empty
    """Send a test message every way that desk.toml names; 202 with what became of it so far. The supervisor brings it."""
    if not ways.names_of(at.home.desk):
        raise Refused(
            "desk.toml names no way to people", "add [slack], [telegram], [discord] or [webhooks.NAME], then start again"
        )
    subject = ways.ask_for_test(at.home, actor.name, now_ms())
    record(at.home, "notify_test", {"actor": actor.as_json(), "ways": ways.names_of(at.home.desk)}, now_ms())
    return TestOfWays(subject=subject, items=ways.outcome_of(at.home, subject, TEST_WAIT_S))


@router.post("/alerts/{alert_id}/ack")
def ack(
    at: At,
    actor: Deciding,
    body: EmptyBody,  # noqa: ARG001 - checked to be empty
    alert_id: str = Path(max_length=12, pattern=r"^(al-)?[0-9]{1,9}$"),
) -> dict[str, Any]:
    """Acknowledge an alert: it is not sent again."""
    try:
        row = acknowledge(at.home, alert_id, actor, now_ms())
    except BadInput as error:
        raise NotFound(error.what, "see /api/alerts") from None
    return view(row, brought_of(at, [row.id])[row.id])


@router.get("/runbooks/{name}")
def runbook(_: Who, name: str = Path(max_length=41, pattern=r"^[a-z][a-z-]{1,40}$")) -> RunbookPage:
    """The runbook that an alert names, by its file name without folder and suffix."""
    path = RUNBOOK_PAGES / f"{name}.md"
    if not path.is_file():
        raise NotFound(f"unknown runbook {name!r}", "see docs/runbooks")
    return RunbookPage(name=name, text=path.read_text(encoding="utf-8"))


@router.get("/handovers")
def handovers(at: At, _: Who, limit: int = Query(7, ge=1, le=100)) -> Handovers:
    """The latest morning handovers: yesterday's result, refusals, what waits for a person."""
    from app.processes.scheduler import handover_at

    with db.read(at.engine) as session:
        rows = session.exec(select(Handover).order_by(col(Handover.day).desc()).limit(limit)).all()
    brought = brought_of(at, [f"handover {row.day}" for row in rows])
    items = [
        HandoverView(
            day=row.day,
            created_ms=row.created_ms,
            text=row.text,
            body=json.loads(row.body or "{}"),
            deliveries=[{name: getattr(d, name) for name in DELIVERY_FIELDS} for d in brought[f"handover {row.day}"]],
        )
        for row in rows
    ]
    return Handovers(items=items, at=handover_at(at.home))


def brought_of(at: ApiContext, subjects: Iterable[str]) -> dict[str, list[Delivery]]:
    """Each subject's deliveries, oldest first."""
    found: dict[str, list[Delivery]] = {subject: [] for subject in subjects}
    with db.read(at.engine) as session:
        for row in session.exec(select(Delivery).where(col(Delivery.subject).in_(found)).order_by(col(Delivery.id))):
            found[row.subject].append(row)
    return found


def watched() -> bool:
    """Whether this process' parent is the supervisor, which runs the watch."""
    try:
        return b"app.processes.supervisor" in File(f"/proc/{os.getppid()}/cmdline").read_bytes()
    except OSError:
        return True  # unknown without /proc: show the alerts without a warning
