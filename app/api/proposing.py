"""A person's own proposal: the same tools as a role's, their evidence, their card. Registered by app.api.factory.

The runs that are its evidence take time. The route waits a moment; while they run it answers with their jobs, and the same
request sent again takes those jobs up. A pause needs no evidence.
"""

import json
from hashlib import sha256

from fastapi import APIRouter, Response
from sqlmodel import col, select

from app.api import models_sleeve as s
from app.api.context import ApiContext, At, Channel, Who, now_ms
from app.api.jobs import job_status
from app.api.proposals import card_view, row_of
from app.people.identity import os_user
from app.tool_wiring import ToolWiring
from engine.clock import MINUTE_MS
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import Job
from tools.catalog import call
from tools.common.contract import ToolResult

router = APIRouter(prefix="/api", tags=["proposals"])
WAIT_S = 2.0
EARLIER_MS = 30 * MINUTE_MS  # how long the jobs of a request are taken up again
THREAD = "page"


@router.post("/proposals")
def propose(at: At, who: Who, channel: Channel, body: s.ProposingBody, response: Response) -> s.Proposing:
    """Propose a change of a sleeve, with its evidence; 202 while the evidence runs. Nothing changes before a person approves."""
    changes = [{"key": c.key, "value": c.value} for c in body.changes]
    pause = [(c.key, c.value) for c in body.changes] == [("paused", True)]
    if body.ends is not None and not pause:
        raise BadInput("only a pause has an end", "send paused = true as the one change, or leave ends out")
    args: dict[str, object] = {"sleeve": body.sleeve, "rationale": body.rationale}
    args |= {"ends": body.ends} if pause else {"changes": changes}
    turn = f"page-{sha256(json.dumps([who.name, args], sort_keys=True).encode()).hexdigest()[:16]}"
    wiring = ToolWiring(at.home, who.name or os_user(), channel, WAIT_S)
    name = "propose_pause" if pause else "propose_config"
    try:
        result = _called(wiring, at, turn, name, args)
    finally:
        wiring.close()
    if result.status == "ok":
        made = card_view(at, row_of(at, str((result.data or {})["proposal"])), now_ms())
        return s.Proposing(state="made", proposal=made, jobs=[], progress=1.0)
    if result.status != "started":
        text = result.text.removeprefix(f"{name}: ")  # who reads it pressed a button
        raise Refused(text) if result.status == "refused" else BadInput(text)
    response.status_code = 202
    jobs = _jobs(at, turn)
    shares = [job_status(at, job).progress for job in jobs]
    return s.Proposing(state="evidence", proposal=None, jobs=jobs, progress=sum(shares) / len(shares) if shares else 0.0)


def _called(wiring: ToolWiring, at: ApiContext, turn: str, name: str, args: dict[str, object]) -> ToolResult:
    """The tool's result, called as the role whose tool it is, for a person: no model asks."""
    ctx = wiring.context(
        role="operator" if name == "propose_pause" else "developer",
        thread=THREAD,
        turn=turn,
        person=wiring.person,
        desk_ms=wiring.desk_ms(),
        now_ms=wiring.now_ms(),
    )
    ctx.earlier_jobs = tuple(_jobs(at, turn))
    return call(ctx, name, args)


def _jobs(at: ApiContext, turn: str) -> list[str]:
    """The jobs that the same request started lately and that did not fail."""
    query = select(Job.id).where(
        Job.turn == turn, col(Job.created_ms) > now_ms() - EARLIER_MS, col(Job.state).in_(("queued", "running", "done"))
    )
    with db.read(at.engine) as session:
        return list(session.exec(query.order_by(col(Job.created_ms), col(Job.id))))
