"""Routes of proposals and versions: cards, and a named person's decisions through app.people.approvals. Registered by
app.api.factory."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from app.api import models_people as m
from app.api.context import ApiContext, At, Deciding, NotFound, Who, now_ms
from app.people import approvals
from app.people.authority import DecisionAct, act_of
from app.people.identity import Actor
from app.people.stages import raised_by
from app.views.proposal_card import card, rollback_card
from engine.control import proposals, rollbacks
from engine.control.canary import plan_in
from engine.control.config import active_version, versions
from engine.errors import BadInput, Refused
from engine.store.tables import Proposal
from engine.watch.desk_view import desk_view
from engine.watch.following import VERSION, carried_out

router = APIRouter(prefix="/api", tags=["proposals"])
ProposalId = Path(max_length=14, pattern=r"^(prop-)?[0-9]{1,9}$", examples=["prop-3"])
State = Literal["pending", "applied", "rejected", "expired", "stale", "superseded"]


@router.get("/proposals")
def cards(at: At, _: Who, state: State | None = None, limit: int = Query(50, ge=1, le=200)) -> m.Cards:
    """Proposals as cards, newest first."""
    now = now_ms()
    return m.Cards(items=[card_view(at, row, now) for row in proposals.list_proposals(at.engine, now, state, limit)])


@router.post("/proposals/rollback")
def rollback(at: At, actor: Deciding, body: m.RollbackBody) -> m.DecisionView:
    """Roll back the desk or one sleeve to a version, or undo an applied proposal: a new version equal to the old one."""
    done = approvals.rollback(at.home, body.target, actor, now_ms(), body.sleeve, body.diff_sha256)
    return decision_view(at, done, actor)


@router.get("/proposals/rollback")
def rollback_shown(
    at: At,
    _: Who,
    target: Annotated[m.Text, Query(min_length=1, max_length=40)],
    sleeve: Annotated[m.Text, Query(max_length=40)] = "",
) -> m.RollbackView:
    """What a rollback would change, and its direction against what runs; nothing is stored."""
    row = approvals.rollback_shown(at.home, target, now_ms(), sleeve)
    value = rollback_card(at.home, row)
    shown = {name: value[name] for name in ("diff", "diff_sha256", "direction", "verdict", "rows")}
    return m.RollbackView(target=target, sleeve=sleeve, act=act_of_card(row), **shown)


@router.get("/proposals/{proposal_id}")
def one(at: At, _: Who, proposal_id: str = ProposalId) -> m.CardView:
    """One proposal's full card."""
    now = now_ms()
    proposals.expire_due(at.engine, now)
    return card_view(at, row_of(at, proposal_id), now)


@router.post("/proposals/{proposal_id}/approve")
def approve(at: At, actor: Deciding, body: m.ApprovalBody, proposal_id: str = ProposalId) -> m.DecisionView:
    """Apply a proposal exactly as shown; 409 when its diff differs or it is no longer pending."""
    row = row_of(at, proposal_id)
    return decision_view(at, approvals.approve(at.home, row.id, body.diff_sha256, actor, now_ms()), actor)


@router.post("/proposals/{proposal_id}/reject")
def reject(at: At, actor: Deciding, body: m.RejectionBody, proposal_id: str = ProposalId) -> m.DecisionView:
    """Reject a proposal."""
    row = row_of(at, proposal_id)
    return decision_view(at, approvals.reject(at.home, row.id, actor, body.reason, now_ms()), actor)


@router.post("/proposals/{proposal_id}/refresh")
def refresh(at: At, actor: Deciding, body: m.EmptyBody, proposal_id: str = ProposalId) -> m.CardView:  # noqa: ARG001 - checked to be empty
    """Propose the same change again, on the active configuration; its evidence must still match that."""
    row = row_of(at, proposal_id)
    if row.state not in ("stale", "expired", "superseded"):
        raise Refused(f"{row.id} is {row.state}: nothing to refresh", "decide it, or ask for another proposal")
    made = _again(at, row, actor)
    approvals.record(at.home, "proposal", {"proposal": made.id, "refreshed": row.id, "actor": actor.as_json()}, now_ms())
    return card_view(at, made, now_ms())


def _again(at: ApiContext, row: Proposal, actor: Actor) -> Proposal:
    """A new pending proposal with an old one's change."""
    requester = {"role": "person", "thread": json.loads(row.requester).get("thread", ""), "person": actor.name}
    diff, now = json.loads(row.diff), now_ms()
    if row.kind == "rollback":
        back_to = diff["back_to"] if row.rollback_of is None else row.rollback_of
        keeps = diff.get("keeps") or ()
        return rollbacks.create_rollback(
            at.engine, at.path, back_to, requester=requester, now_ms=now, keeps=keeps, plan=plan_in(diff)
        )
    evidence, parts = json.loads(row.evidence), proposals.view(at.engine, row)["parts"]
    wanted = {p["sleeve"]: [{"key": c["key"], "value": c["value"]} for c in p["changes"]] for p in parts}
    plan = plan_in(diff)
    if plan is not None and not plan.is_whole:  # it sets the part of the size itself
        wanted = {name: [c for c in own if c["key"] != "size_part"] for name, own in wanted.items()}
    try:
        return proposals.create_spanning(
            at.engine,
            at.path,
            changes=wanted,
            evidence={name: [e for e in evidence if e.get("sleeve", name) == name] for name in wanted},
            rationale=row.rationale,
            requester=requester,
            now_ms=now,
            apply_to_open=bool(diff.get("apply_to_open")),
            canary=plan,
        )
    except Refused as error:
        asked = [f"{c['key']} {c['value']} for {name}" for name, own in wanted.items() for c in own]
        hint = f"ask the developer for new evidence: propose {', '.join(asked)}"
        raise Refused(f"{row.id} cannot be refreshed: {error.what}", hint) from error


@router.get("/versions")
def version_list(at: At, _: Who, limit: int = Query(20, ge=1, le=500)) -> m.VersionLines:
    """Configuration versions, newest first."""
    now = active_version(at.engine)
    columns = ("version", "created_ms", "reason", "proposal_id", "rollback_of")
    found = [
        m.VersionLine(
            **{k: getattr(row, k) for k in columns},
            sleeves=dict(json.loads(row.sleeves)),
            made_by=json.loads(row.made_by),
            active=row.version == now,
        )
        for row in reversed(versions(at.engine)[-limit:])
    ]
    return m.VersionLines(items=found)


def row_of(at: ApiContext, proposal_id: str) -> Proposal:
    """The proposal of that id. Raises NotFound."""
    try:
        return proposals.get(at.engine, proposal_id)
    except BadInput as error:
        raise NotFound(error.what, "see /api/proposals") from None


def card_view(at: ApiContext, row: Proposal, now: int) -> m.CardView:
    """A proposal's card, with its adoption."""
    value = card(at.home, row, now)
    shown = {k: v for k, v in value.items() if k in m.CardView.model_fields}
    return m.CardView(**shown, act=act_of_card(row), adoption=adoption(at, row))


def act_of_card(row: Proposal) -> DecisionAct:
    """The act that approving a proposal is, as approve itself computes it."""
    try:
        raises = bool(raised_by(row))
    except Refused:  # a step towards money and more: nobody may approve it
        raises = True
    return act_of(row.direction, raises_stage=raises)


def adoption(at: ApiContext, row: Proposal) -> m.Adoption | None:
    """An applied proposal's adoption, from the desk journal; None when it was not applied."""
    if row.applied_version is None:
        return None
    view = desk_view(at.path, at.engine)
    became = {part.sleeve: part.to_version for part in proposals.parts_of(at.engine, row.id)}
    waiting = [name for name, s in view.sleeves.items() if name in became and s.get("waiting_version") == became[name]]
    adopted = view.version is not None and view.version >= row.applied_version
    return m.Adoption(
        active_version=active_version(at.engine),
        desk_version=view.version,
        adopted=adopted,
        waiting=waiting,
        event=view.event if adopted else None,
        follows="" if adopted else carried_out(at.path, now_ms(), VERSION),
    )


def decision_view(at: ApiContext, done: approvals.DecisionRecord, actor: Actor) -> m.DecisionView:
    """The API's view of a decision."""
    row = row_of(at, done.proposal_id)
    who = m.ActorView.model_validate(actor.as_json())
    return m.DecisionView(
        proposal=row.id,
        state=done.state,
        version=done.version,
        sleeves=done.sleeves,
        direction=row.direction,
        actor=who,
        journal_id=done.journal_id,
    )
