"""What an approved card said would follow: a breached canary goes back or is paused, one that is over asks for the whole size.

Called by app.processes.canary_watch in the supervisor, with the card as the authority of what it does, and by `nightdesk canary`.
Whatever is changed goes through app.people.approvals. Done once, whoever else watches and wherever it is cut off: what was found
is noted first, and every change is made against the versions of the canary alone.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import col, select

from app.home.home import Home
from app.people import approvals
from app.people.identity import Actor, os_user
from engine.clock import DAY_MS
from engine.control import proposals, rollbacks
from engine.control.canary import (
    BREACHED,
    IN_FORCE,
    OVER,
    RUNNING,
    WHOLE,
    CanaryRun,
    canary_of,
    default_plan,
    note,
    size_before,
    size_text,
)
from engine.control.config import SleeveConfig, active, sleeve_version
from engine.control.watched import KEPT, way_back
from engine.errors import DeskError, Refused
from engine.store import db
from engine.store.tables import Proposal, ProposalPart
from engine.watch.canaries import Breach, measured_text

FULL_MS = 7 * DAY_MS  # how long the proposal of the whole size waits
LEFT_ALONE = "nothing was changed: a person had decided about the sleeve before"


def breached(home: Home, run: CanaryRun, breach: Sequence[Breach], now_ms: int) -> CanaryRun:
    """Do what the card said of a breach; the canary as it is then. Raises DeskError when it cannot be done now: call it again."""
    if run.state == RUNNING:
        noted = {"state": BREACHED, "breach": [list(one) for one in breach], "found_ms": now_ms}
        if not note(home.engine, run, **noted):
            return canary_of(home.engine, run.proposal, run.sleeve)  # another watch has found something
        run = canary_of(home.engine, run.proposal, run.sleeve)
    if run.state != BREACHED or run.found.get("action"):
        return run
    done = _done(home, run)
    if done is None and run.in_force:
        done = _take_back(home, run, now_ms)
    action, version = done or (LEFT_ALONE, run.version_now)
    note(home.engine, run, action=action, version=version)
    return canary_of(home.engine, run.proposal, run.sleeve)


def _done(home: Home, run: CanaryRun) -> tuple[str, int] | None:
    """(what was done, the sleeve's version since) where a watch did it and was cut off; else None."""
    mine = select(Proposal, ProposalPart).where(Proposal.state == "applied", ProposalPart.proposal_id == Proposal.id)
    with db.read(home.engine) as session:
        for row, part in session.exec(mine.where(ProposalPart.sleeve == run.sleeve, col(Proposal.created_ms) >= run.applied_ms)):
            if json.loads(row.requester).get("card") == run.proposal and row.kind in ("rollback", "pause"):
                return _action(row, run), int(part.to_version or 0)
    return None


def _action(row: Proposal, run: CanaryRun) -> str:
    if row.kind == "rollback":
        return f"it went back to version {run.from_version}{size_text(run.terms)} by {row.id}, as {run.proposal} said"
    return f"the sleeve was paused by {row.id}, as {run.proposal} said: a person decides"


def _take_back(home: Home, run: CanaryRun, now_ms: int) -> tuple[str, int]:
    """Go back where the card said so and it does not loosen today, else pause."""
    now = active(home.engine, home.path).config.sleeve(run.sleeve)
    row = _back(home, run, now, now_ms) if run.terms["way"] == "back" else None
    if row is None and now.paused and now.resumes_ms is None:
        return "the sleeve was paused already: a person decides", run.version_now
    if row is None:
        more: dict[str, Any] = {"requester": _requester(run), "rationale": _why(run), "now_ms": now_ms}
        row = proposals.create(home.engine, home.path, sleeve=run.sleeve, changes={"paused": True}, evidence=[], **more)
    parts = proposals.parts_of(home.engine, row.id)
    if [part.sleeve for part in parts] != [run.sleeve] or parts[0].from_version not in run.versions:
        raise Refused(f"{row.id} was made against another version than the canary's: a person has decided meanwhile")
    body = {"proposal": row.id, "diff_sha256": row.diff_sha256, "card": run.proposal, "breach": run.found["breach"]}
    approvals.record(home, "proposal", body, now_ms)
    actor = Actor(f"canary of {run.proposal}, approved by {run.approved_by}", "card", os_user(), "canary")
    done = approvals.approve(home, row.id, row.diff_sha256, actor, now_ms)
    return _action(proposals.get(home.engine, row.id), run), done.sleeves[run.sleeve]


def _back(home: Home, run: CanaryRun, now: SleeveConfig, now_ms: int) -> Proposal | None:
    """The way back as a proposal; None where it would loosen today, or what it goes back to cannot be read."""
    try:
        with db.read(home.engine) as session:
            before = SleeveConfig.model_validate_json(sleeve_version(session, run.sleeve, run.from_version))
        if way_back(now, before, home.path) != "back":
            return None
        more: dict[str, Any] = {"requester": _requester(run), "rationale": _why(run), "now_ms": now_ms}
        goal = {run.sleeve: run.from_version}
        return rollbacks.create_rollback(home.engine, home.path, goal, keeps=KEPT, **more)
    except DeskError:
        return None


def _requester(run: CanaryRun) -> dict[str, Any]:
    return {"role": "canary", "thread": "", "person": run.approved_by, "card": run.proposal}


def _why(run: CanaryRun) -> str:
    found = "; ".join(text for _, text in run.found.get("breach") or ())
    return f"the canary of {run.proposal}, which {run.approved_by} approved, is breached: {found}"


def ended_by(home: Home, run: CanaryRun, done: Mapping[str, Any], actor: Actor, now_ms: int) -> str | None:
    """End a canary for a person, or ask for the whole size after a breach: the proposal of it; None while another one waits.

    Ended, nothing takes the change back any more: it takes a role that may loosen. Raises Denied, Refused.
    """
    approvals.permit(home, actor, "loosen", now_ms, canary=run.proposal)
    if not run.in_force and run.version_now != run.found.get("version"):
        raise Refused(f"{run.sleeve} trades another version than that of {run.proposal}", "nightdesk canary list")
    if run.is_whole and run.state != RUNNING:
        raise Refused(f"{run.sleeve} trades at its own size: nothing is to be raised", "nightdesk canary list")
    if run.state == BREACHED:
        if _waits(home, run.sleeve):
            return None
        return full_size(home, run, f"{run.proposal} was breached; {actor.name} asks for the whole size", now_ms).id
    return over(home, run, done, now_ms, actor.name).found.get("full")


def over(home: Home, run: CanaryRun, done: Mapping[str, Any], now_ms: int, by: str = "") -> CanaryRun:
    """End a canary and propose the size that the sleeve had before; `by`: a person who ends it early.

    Nothing is proposed while another proposal of the sleeve waits, since one would take the other's place; call it again.
    """
    if run.state == RUNNING:
        if not note(home.engine, run, state=OVER, ended_ms=now_ms, done=dict(done), ended_by=by):
            return canary_of(home.engine, run.proposal, run.sleeve)
        run = canary_of(home.engine, run.proposal, run.sleeve)
    if run.state != OVER or run.is_whole or not run.in_force or _waits(home, run.sleeve) or (run.found.get("full") and not by):
        return run
    early = by or run.found.get("ended_by")
    whole = (
        f"the canary of {run.proposal} was ended early by {early}"
        if early
        else f"the canary of {run.proposal} is over, nothing was breached"
    )
    text = f"{whole}; {measured_text(run.found['done'])}" if run.found.get("done") else whole
    row = full_size(home, run, text, now_ms)
    note(home.engine, run, full=row.id)
    return canary_of(home.engine, run.proposal, run.sleeve)


def full_size(home: Home, run: CanaryRun, text: str, now_ms: int) -> Proposal:
    """The proposal of the size that the sleeve had before its canary: a loosening, for a person. Refused when it has it.

    It is watched against the run that the canary was, where desk.toml says that changes are.
    """
    plan = default_plan(home.desk.canary.plan)
    plan = plan and plan._replace(part=WHOLE, shortens=True)
    more: dict[str, Any] = {"requester": _requester(run), "rationale": text, "now_ms": now_ms, "expires_in_ms": FULL_MS}
    evidence = [{"role": "canary", "text": text}]
    role = "changed" if run.in_force else "base"  # it went back: the run of what it went back to
    with db.read(home.engine) as session:
        card = session.get(Proposal, run.proposal)
    evidence += [
        {"role": IN_FORCE, "run_id": e["run_id"]} for e in json.loads(card.evidence if card else "[]") if e["role"] == role
    ]
    changes = {"size_part": size_before(home.engine, run)}
    row = proposals.create(home.engine, home.path, sleeve=run.sleeve, changes=changes, evidence=evidence, canary=plan, **more)
    approvals.record(home, "proposal", {"proposal": row.id, "diff_sha256": row.diff_sha256, "card": run.proposal}, now_ms)
    return row


def _waits(home: Home, sleeve: str) -> bool:
    """Whether a proposal of the sleeve waits for a person."""
    with db.read(home.engine) as session:
        waiting = select(ProposalPart).where(ProposalPart.sleeve == sleeve, col(ProposalPart.pending).is_(True))
        return session.exec(waiting.limit(1)).first() is not None


def failed(home: Home, run: CanaryRun, why: str) -> None:
    """Note why what the card said could not be done; the alert says it."""
    run = canary_of(home.engine, run.proposal, run.sleeve)
    if run.found.get("failed") != why[:300]:
        note(home.engine, run, failed=why[:300])
