"""Decisions by named people: approve, reject, roll back, release a halt. The sole importer of engine.control.apply.

Called by the command line, API and Slack; works with every model down. Each decision is journaled twice: the request before
anything changes, the outcome afterwards. If a crash or a full disk loses the outcome, the next decision journals it (`settle`).
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlmodel import col, select, update

from app.home.home import Home
from app.people.authority import act_of, require
from app.people.identity import Actor, read_people, reason_given
from app.people.passphrases import prove, require_free
from app.people.second import first_of_two
from app.people.sessions import Denied
from app.people.stages import raised_by, require_evidence, require_people
from engine.clock import utc
from engine.control import halt, proposals, rollbacks
from engine.control.agreement import differs
from engine.control.apply import apply
from engine.control.apply import reject as reject_row
from engine.control.canary import WHOLE, default_plan
from engine.control.config import active
from engine.control.proposals import get
from engine.errors import BadInput, DataError, DeskError, Refused
from engine.store import db
from engine.store.anchors import note_head
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.tables import Proposal
from engine.watch import window

VERSION_DIGITS_MAX = 9  # the longest number that a database is asked for
Probe = Callable[[], list[str]]  # what is unhealthy; empty when all is well


class DecisionRecord(NamedTuple):
    """The outcome of a decision and its event in the people journal."""

    proposal_id: str
    state: str
    version: int | None  # of the desk
    sleeves: dict[str, int]  # the new version of each sleeve that changed
    journal_id: str


def approve(
    home: Home, proposal_id: str, shown_sha256: str, actor: Actor, now_ms: int, passphrase: str | None = None
) -> DecisionRecord:
    """Apply a proposal whose diff `actor` was shown as `shown_sha256`. Raises Refused when it can no longer be applied, Denied
    when its direction takes another role.

    One that takes a sleeve nearer to money needs the person's `passphrase`, and evidence as it is now. Where two people are
    asked for, the first one's approval is kept and the record's state is `pending`.
    """
    row = get(home.engine, proposal_id)
    settle(home, now_ms)
    raised = {(move.sleeve, move.new) for move in raised_by(row)}
    permit(home, actor, act_of(row.direction, raises_stage=bool(raised)), now_ms, proposal=row.id)
    if raised:
        require_people(home, actor)
        prove_person(home, actor, passphrase, now_ms, "approve")
    request_id = record(home, "approve", {"proposal": row.id, "diff_sha256": shown_sha256, "actor": actor.as_json()}, now_ms)
    try:
        _no_halt_since(home, row)
        _pause_ahead(home, row)
        if row.state == "pending":  # of another one it says which it is, not what its evidence lacks by now
            require_evidence(home, row, now_ms)
        first = first_of_two(home, row, shown_sha256, actor, now_ms)
        if first is None:
            body = {"proposal": row.id, "actor": actor.as_json(), "outcome": "one of two", "diff_sha256": shown_sha256}
            return DecisionRecord(row.id, "pending", None, {}, record(home, "decision", body, now_ms, request_id))
        by = actor.as_json() | ({"first": first} if first else {})
        done = apply(home.engine, home.path, row.id, shown_sha256, by, now_ms, raised)
    except DeskError as error:
        body = {"proposal": row.id, "actor": actor.as_json(), "outcome": "refused", "reason": str(error)}
        record(home, "decision", body, now_ms, request_id)
        raise
    with _outcome_kept(f"{row.id} IS applied, as version {done.version} of the desk"):
        kept = _answer(home, get(home.engine, row.id), now_ms, request_id)
    return DecisionRecord(row.id, "applied", done.version, done.sleeves, kept)


def reject(home: Home, proposal_id: str, actor: Actor, reason: str, now_ms: int) -> DecisionRecord:
    """Reject a pending proposal. Raises Refused when it is no longer pending."""
    row, reason = get(home.engine, proposal_id), reason_given(reason)
    permit(home, actor, "reject", now_ms, proposal=row.id)
    settle(home, now_ms)
    request_id = record(home, "reject", {"proposal": row.id, "actor": actor.as_json(), "reason": reason}, now_ms)
    try:
        reject_row(home.engine, row.id, actor.as_json(), reason, now_ms)
    except DeskError as error:
        body = {"proposal": row.id, "actor": actor.as_json(), "outcome": "refused", "reason": str(error)}
        record(home, "decision", body, now_ms, request_id)
        raise
    with _outcome_kept(f"{row.id} IS rejected"):
        kept = _answer(home, get(home.engine, row.id), now_ms, request_id)
    return DecisionRecord(row.id, "rejected", None, {}, kept)


def rollback(home: Home, target: str, actor: Actor, now_ms: int, sleeve: str = "", shown_sha256: str = "") -> DecisionRecord:
    """Roll back, as a new version: the desk to a version (`3`, `v3`), a sleeve to one of its own, or what a proposal changed
    (`prop-2`) to what it was before. `shown_sha256`: the diff that the person was shown, if it was.
    """
    permit(home, actor, "propose", now_ms)
    back_to, more = back_to_of(home, target, sleeve), _of_rollback(home, actor.name, now_ms)
    row = rollbacks.create_rollback(home.engine, home.path, back_to, shown_sha256=shown_sha256, **more)
    goal = {"rollback_of": back_to} if isinstance(back_to, int) else {"back_to": back_to}
    record(home, "proposal", {"proposal": row.id, "diff_sha256": row.diff_sha256, **goal}, now_ms)
    return approve(home, row.id, row.diff_sha256, actor, now_ms)


def rollback_shown(home: Home, target: str, now_ms: int, sleeve: str = "") -> Proposal:
    """What that rollback would be, with its diff and its direction against what runs; nothing is stored."""
    desk, back_to = active(home.engine, home.path), back_to_of(home, target, sleeve)
    return rollbacks.rollback_against(home.engine, home.path, desk, back_to, **_of_rollback(home, "", now_ms))[0]


def _of_rollback(home: Home, name: str, now_ms: int) -> dict[str, Any]:
    """Who asks for a rollback, when, how it is watched, and whether it may confirm the version in force."""
    lost = bool(differs(home.engine, home.desk_journal))  # the desk waits for a person to say which version holds
    who, plan = {"role": "person", "thread": "", "person": name}, default_plan(home.desk.canary.plan)
    plan = plan and plan._replace(part=WHOLE, shortens=True)  # it goes back to a size that a person knows
    return {"requester": who, "now_ms": now_ms, "confirms": lost, "plan": plan}


def back_to_of(home: Home, target: str, sleeve: str = "") -> int | dict[str, int]:
    """What `target` goes back to: a version of the desk, or a version of each sleeve concerned. BadInput when it names none."""
    bare = target.strip().removeprefix("v")
    if bare.isascii() and bare.isdigit():
        if len(bare) > VERSION_DIGITS_MAX:
            raise BadInput(f"{bare[:VERSION_DIGITS_MAX]}\u2026 is not a version", "see the versions on the proposals page")
        return {sleeve: int(bare)} if sleeve else int(bare)
    row = get(home.engine, target)
    if row.kind == "code":
        raise BadInput(f"{row.id} is a change of code: no version goes back to it", "put the file back, then start the desk anew")
    if row.applied_version is None:
        raise BadInput(f"{row.id} was never applied (state: {row.state})", "name a version or an applied proposal")
    found = {p.sleeve: p.from_version for p in proposals.parts_of(home.engine, row.id) if sleeve in ("", p.sleeve)}
    if not found:
        raise BadInput(f"{row.id} did not change {sleeve or 'any sleeve'}", "name a version or another proposal")
    return found


def release(home: Home, actor: Actor, reason: str, probe: Probe, now_ms: int, passphrase: str | None = None) -> halt.Latch:
    """Release the halt if the desk is healthy. Returns the latch that was released.

    `probe` lists what is unhealthy; `passphrase` is needed once people.toml has entries. Raises Refused for an unhealthy desk,
    a missing reason, a desk that is not halted, a wrong or locked passphrase, and a new halt in the meantime.
    """
    reason = reason_given(reason)
    permit(home, actor, "release", now_ms)
    prove_person(home, actor, passphrase, now_ms)
    if not reason:
        raise Refused("a release needs a reason", "--reason WHY")
    seen = halt.read(home.path, home.engine)
    if not seen.halted:
        raise Refused("the desk is not halted")
    body = {"actor": actor.as_json(), "reason": reason, "halt": {"reason": seen.reason, "since_ms": seen.since_ms}}
    request_id = record(home, "release", body, now_ms)
    if sick := probe():
        record(home, "decision", {"outcome": "refused", "reason": "; ".join(sick)}, now_ms, request_id)
        raise Refused(f"the desk is not healthy: {'; '.join(sick)}", "fix this first; the halt stays")
    left = halt.release(home.path, home.engine, seen, actor.as_json(), reason, now_ms)
    with _outcome_kept("the desk is STILL HALTED" if left.halted else "the halt IS released", "nothing needs to be done again"):
        record(home, "decision", {"outcome": "still halted" if left.halted else "released"}, now_ms, request_id)
    if left.halted:
        raise Refused(f"the desk is still halted: {left.reason}", "check the new halt, then release again")
    return seen


def permit(home: Home, actor: Actor, act: str, now_ms: int, **about: str) -> None:
    """Refuse what the person's role does not cover (app/people/authority.py); journaled. Raises Denied."""
    try:
        require(home.path, actor, act)
    except Denied as error:
        record(home, "denied", {"actor": actor.as_json(), "act": act, "reason": str(error), **about}, now_ms)
        raise


def before_passphrase(home: Home, actor: Actor, now_ms: int, asked: str = "release", act: str = "") -> None:
    """Check the role for `act` and the lockout before asking for a passphrase: raises Denied, Refused with the time of the next
    attempt; journaled."""
    if act:
        permit(home, actor, act, now_ms)
    with _refusals(home, actor, now_ms, asked):
        require_free(home.engine, actor.name, now_ms)


def prove_person(home: Home, actor: Actor, passphrase: str | None, now_ms: int, asked: str = "release") -> None:
    """Verify the person's passphrase, once people.toml has entries; a refusal is journaled, never with the passphrase.

    `asked`: what the person wants to do, for the journal.
    """
    people = read_people(home.path)
    if people:
        with _refusals(home, actor, now_ms, asked):
            prove(home.engine, actor.name, people.get(actor.name), passphrase or "", now_ms)


@contextmanager
def _refusals(home: Home, actor: Actor, now_ms: int, asked: str) -> Iterator[None]:
    """Journal every refused passphrase with its reason."""
    try:
        yield
    except Refused as error:
        body = {"actor": actor.as_json(), "asked": asked, "outcome": "refused", "reason": str(error)}
        record(home, "passphrase", body, now_ms)
        raise


def record(home: Home, kind: str, body: Mapping[str, Any], now_ms: int, cause_id: str = "") -> str:
    """Append durably to the people journal and anchor its head in the database; returns the event's id."""
    journal = Journal(home.people_journal, "approvals")
    try:
        head = journal.append([Event(kind, now_ms, body, cause_id=cause_id)])[0]
    finally:
        journal.close()
    note_head(home.engine, "people", head, now_ms)
    return head.id


def settle(home: Home, now_ms: int) -> int:
    """Journal decisions that are in the database but, after a crash, not in the journal; returns how many."""
    decided = col(Proposal.state).in_(("applied", "rejected"))
    with _alone(home):
        with db.read(home.engine) as session:
            open_ = list(session.exec(select(Proposal).where(decided, col(Proposal.journal_id).is_(None))).all())
        if open_:
            journaled = {e.body.get("proposal"): e.id for e in read(home.people_journal, {"decision"}) if "state" in e.body}
            for row in open_:
                _note(home, row, journaled[row.id]) if row.id in journaled else _journal_outcome(home, row, now_ms, "")
    return len(open_)


@contextmanager
def _outcome_kept(done: str, then: str = "the next decision journals it; do not decide again") -> Iterator[None]:
    """Say what is done when only its record fails: whoever reads `failed, try again` would decide twice."""
    try:
        yield
    except (DeskError, OSError) as error:
        why = error.what if isinstance(error, DeskError) else error.strerror or str(error)
        raise DataError(f"{done}; only the record of it is missing: {why}", f"free disk space; {then}") from error


def _answer(home: Home, row: Proposal, now_ms: int, request_id: str) -> str:
    """Journal a proposal's outcome unless a concurrent `settle` already did; the event's id."""
    with _alone(home):
        return get(home.engine, row.id).journal_id or _journal_outcome(home, row, now_ms, request_id)


def _journal_outcome(home: Home, row: Proposal, now_ms: int, request_id: str) -> str:
    """Journal a proposal's outcome and store the event's id in its row. The caller holds the lock."""
    body = {
        "proposal": row.id,
        "state": row.state,
        "outcome": row.state,
        "diff_sha256": row.diff_sha256,
        "diff": json.loads(row.diff),
        "direction": row.direction,
        "version": row.applied_version,
        "sleeves": {p.sleeve: p.to_version for p in proposals.parts_of(home.engine, row.id) if p.to_version is not None},
        "actor": json.loads(row.decided_by or "{}"),
        "reason": row.state_reason,
    }
    id_ = record(home, "decision", body, now_ms, request_id)
    _note(home, row, id_)
    return id_


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One process and thread at a time, so that an outcome is journaled once."""
    with (home.people_journal.parent / "decisions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _note(home: Home, row: Proposal, journal_id: str) -> None:
    with db.write(home.engine) as session:
        session.exec(update(Proposal).where(col(Proposal.id) == row.id).values(journal_id=journal_id))


def _no_halt_since(home: Home, row: Proposal) -> None:
    """Refuse a proposal older than the halt; the file may hold a halt that the database does not."""
    latch = halt.read(home.path, home.engine)
    if latch.unreadable:
        raise DataError(latch.unreadable, "fix this first: until then the desk counts as halted")
    if latch.halted and (latch.since_ms is None or latch.since_ms >= row.created_ms):
        raise Refused(f"{row.id} is stale: a halt began after it was proposed ({latch.reason})", "release, then propose again")


def _pause_ahead(home: Home, row: Proposal) -> None:
    """Refuse a pause whose end desk time has reached already: approved, it would do nothing."""
    desk_ms = window.desk_ms(home.path)
    changes = json.loads(row.diff).get("changes") or []
    ends = [c["value"] for c in changes if str(c["key"]).rpartition(".")[2] == "resumes_ms" and c["value"] is not None]
    if row.kind == "pause" and desk_ms is not None and any(end <= desk_ms for end in ends):
        raise Refused(
            f"the pause of {row.id} would be over: its end is {utc(min(ends))}, desk time {utc(desk_ms)}", "ask for a new one"
        )
