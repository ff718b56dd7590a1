"""A person's own proposal: the same tools as a role's, their evidence, their card. Registered by app.api.factory.

The runs that are its evidence take time. The route waits a moment; while they run it answers with their jobs, and the same
request sent again takes those jobs up: by the page, by whoever comes back to it, or by app.api.under_way once it was left. A
pause needs no evidence.
"""

import json
from hashlib import sha256

from fastapi import APIRouter, Response
from sqlmodel import col, select

from app.api import models_sleeve as s
from app.api.context import ApiContext, At, Channel, Who, now_ms
from app.api.jobs import job_status
from app.api.proposals import card_view, row_of
from app.api.under_way import KeptRequest
from app.people.identity import os_user
from app.tool_wiring import ToolWiring
from engine.clock import MINUTE_MS
from engine.errors import BadInput, DeskError, Refused
from engine.store import db
from engine.store.tables import Job, Proposal
from tools.catalog import call
from tools.common.contract import ToolResult

router = APIRouter(prefix="/api", tags=["proposals"])
WAIT_S = 2.0
EARLIER_MS = 30 * MINUTE_MS  # how long the jobs of a request are taken up again
THREAD = "page"


@router.get("/proposing")
def under_way(at: At, who: Who) -> s.UnderWayList:
    """One's own requests whose evidence runs: whoever comes back sends the same again, and finds its card."""
    found = at.under_way.of(who.name or os_user())
    return s.UnderWayList(items=[s.UnderWayView(since_ms=asked.since_ms, **asked.body) for asked in found])


@router.post("/proposals")
def propose(at: At, who: Who, channel: Channel, body: s.ProposingBody, response: Response) -> s.Proposing:
    """Propose a change of a sleeve, with its evidence; 202 while the evidence runs. Nothing changes before a person approves."""
    pause = [(c.key, c.value) for c in body.changes] == [("paused", True)]
    if body.ends is not None and not pause:
        raise BadInput("only a pause has an end", "send paused = true as the one change, or leave ends out")
    sent, person = body.model_dump(), who.name or os_user()
    turn = f"page-{sha256(json.dumps([person, sent], sort_keys=True).encode()).hexdigest()[:16]}"
    asked = KeptRequest(turn, person, channel, now_ms(), sent)
    try:
        found = _sent(at, asked)
    except DeskError:
        at.under_way.forget(turn)
        raise
    if found.state == "made":
        at.under_way.forget(turn)
    else:
        at.under_way.keep(asked, lambda again: _sent(at, again).state == "made")
        response.status_code = 202
    return found


def _sent(at: ApiContext, asked: KeptRequest) -> s.Proposing:
    """What comes of a request by now. Raises Refused or BadInput in the tool's words."""
    if (made := _made(at, asked.turn)) is not None:
        return made
    changes = [{"key": c["key"], "value": c["value"]} for c in asked.body["changes"]]
    pause = [(c["key"], c["value"]) for c in changes] == [("paused", True)]
    args: dict[str, object] = {"sleeve": asked.body["sleeve"], "rationale": asked.body["rationale"]}
    args |= {"ends": asked.body["ends"]} if pause else {"changes": changes}
    wiring = ToolWiring(at.home, asked.person, asked.channel, WAIT_S)
    name = "propose_pause" if pause else "propose_config"
    try:
        result = _called(wiring, at, asked.turn, name, args)
    finally:
        wiring.close()
    if result.status not in ("ok", "started"):
        text = result.text.removeprefix(f"{name}: ")  # who reads it pressed a button
        raise Refused(text) if result.status == "refused" else BadInput(text)
    if result.status == "ok":
        card = card_view(at, row_of(at, str((result.data or {})["proposal"])), now_ms())
        return s.Proposing(state="made", proposal=card, jobs=[], progress=1.0)
    jobs = _jobs(at, asked.turn)
    shares = [job_status(at, job).progress for job in jobs]
    return s.Proposing(state="evidence", proposal=None, jobs=jobs, progress=sum(shares) / len(shares) if shares else 0.0)


def _made(at: ApiContext, turn: str) -> s.Proposing | None:
    """The card that waits and came of this very request, also while its page was left."""
    with db.read(at.engine) as session:
        waiting = session.exec(select(Proposal.id, Proposal.requester).where(Proposal.state == "pending")).all()
    found = next((ident for ident, requester in waiting if json.loads(requester).get("turn") == turn), None)
    if found is None:
        return None
    return s.Proposing(state="made", proposal=card_view(at, row_of(at, found), now_ms()), jobs=[], progress=1.0)


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
