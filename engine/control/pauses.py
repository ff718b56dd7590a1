"""Who paused a sleeve, and when. Called by tools/pauses.py; turns the stored versions of a sleeve into one PauseOrigin."""

import json
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, select

from engine.control.config import SleeveConfig
from engine.store import db
from engine.store.tables import Proposal, SleeveVersion


class PauseOrigin(NamedTuple):
    """The version of a sleeve that set its pause as it stands."""

    version: int
    by: str
    at_ms: int  # wall time of the approval
    proposal_id: str | None
    why: str  # the proposal's rationale, or what the person wrote


def pause_origin(engine: Engine, sleeve: str, version: int) -> PauseOrigin | None:
    """What set the pause that a version of a sleeve has; None when it is not paused, or no version is stored yet."""
    own = (SleeveVersion.sleeve == sleeve, col(SleeveVersion.version) <= version)
    with db.read(engine) as session:
        rows = session.exec(select(SleeveVersion).where(*own).order_by(col(SleeveVersion.version).desc())).all()
        found: SleeveVersion | None = None
        pause: tuple[bool, int | None] | None = None
        for row in rows:
            config = SleeveConfig.model_validate_json(row.body)
            pause = pause or (config.paused, config.resumes_ms)
            if not pause[0] or (config.paused, config.resumes_ms) != pause:
                break
            found = row
        if found is None:
            return None
        asked = session.get(Proposal, found.proposal_id) if found.proposal_id else None
    by = str(json.loads(found.made_by).get("name") or "unknown")
    return PauseOrigin(found.version, by, found.created_ms, found.proposal_id, (asked and asked.rationale) or found.reason)
