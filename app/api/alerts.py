"""Routes of alerts: what the supervisor's watch has found, and a person who takes one upon themselves."""

import json
import os
from pathlib import Path as File
from typing import Any

from fastapi import APIRouter, Path, Query
from sqlmodel import col, select

from app.alerts import acknowledge
from app.api import models as m
from app.api.context import At, Deciding, NotThere, Who, now_ms
from app.api.models_people import Nothing
from engine.errors import BadInput
from engine.store import db
from engine.store.tables import Alert

router = APIRouter(prefix="/api/alerts", tags=["alerts"])
OPENED = ("numbers", "acked_by")  # columns of JSON text
ALONE = "no watch runs with this API: it was started by itself. `nightdesk up` starts both"


@router.get("")
def alerts(
    at: At, _: Who, open_only: bool = Query(default=True, alias="open"), limit: int = Query(100, ge=1, le=1000)
) -> m.AlertsSaid:
    """What is wrong now (or also what was), the last opened first; `reason` when nobody may have looked."""
    query = select(Alert).order_by(col(Alert.opened_ms).desc(), col(Alert.id).desc()).limit(limit)
    with db.read(at.engine) as session:
        rows = session.exec(query.where(Alert.state == "open") if open_only else query).all()
    return m.AlertsSaid(items=[said(row) for row in rows], reason=None if watched() else ALONE)


@router.post("/{alert_id}/ack")
def ack(at: At, actor: Deciding, body: Nothing, alert_id: str = Path(pattern=r"^(al-)?\d{1,9}$")) -> dict[str, Any]:  # noqa: ARG001 - checked to be empty
    """Take an alert upon yourself: it is not sent again."""
    try:
        return said(acknowledge(at.home, alert_id, actor, now_ms()))
    except BadInput as error:
        raise NotThere(error.what, "see /api/alerts") from None


def said(row: Alert) -> dict[str, Any]:
    """An alert as the API tells it."""
    return {**row.model_dump(), **{k: json.loads(getattr(row, k) or "null") for k in OPENED}}


def watched() -> bool:
    """Whether the supervisor, in which the watch runs, is this process' parent."""
    try:
        return b"app.supervisor" in File(f"/proc/{os.getppid()}/cmdline").read_bytes()
    except OSError:
        return True  # not to be told here; the page shows what there is
