"""PROTECTED: the only code that puts a configuration in force (law 4). Imported by app.people.approvals and by nothing else.

One database transaction claims a pending proposal, writes the new version and moves the active pointer; of any number of
threads and processes that try, one succeeds. Everything the person was shown is recomputed first.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select, update

from engine.control.agreement import followed
from engine.control.config import DeskConfig, active_pointer, canonical_json, config_of, row_of, sha256_of_text, validated
from engine.control.draft import draft_against
from engine.control.limits import limits_of
from engine.control.proposals import desk_diff
from engine.errors import BadInput, DeskError, Refused
from engine.store import db
from engine.store.tables import Active, ConfigVersion, Halt, Proposal


class Applied(NamedTuple):
    """What an approval did."""

    proposal_id: str
    base_version: int
    version: int


class _Gone(Exception):
    """A pending proposal that must leave `pending` for `state`."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


def apply(engine: Engine, home: Path, proposal_id: str, shown_sha256: str, actor: Mapping[str, Any], now_ms: int) -> Applied:
    """Put an approved proposal in force, exactly once. `actor` is the named person, `shown_sha256` the diff they saw.

    Raises Refused, with the reason, when it is no longer pending, expired, stale, or not what was shown; then nothing has
    changed except possibly the proposal's state.
    """
    if not str(actor.get("name", "")).strip():
        raise Refused("no name given", "a named person decides: --as NAME")
    taken = followed(home)
    try:
        with db.write(engine) as session:
            return _in_one_transaction(session, home, proposal_id, shown_sha256, actor, now_ms, taken)
    except _Gone as gone:
        _leave_pending(engine, proposal_id, gone, now_ms)
        raise Refused(f"{proposal_id} is {gone.state}: {gone.reason}", "ask for a new proposal") from None


def reject(engine: Engine, proposal_id: str, actor: Mapping[str, Any], reason: str, now_ms: int) -> None:
    """Reject a pending proposal. Raises Refused when it is no longer pending."""
    with db.write(engine) as session:
        db.take_turn(session)
        row = _row(session, proposal_id)
        claim = update(Proposal).where(
            col(Proposal.id) == row.id, col(Proposal.state) == "pending", col(Proposal.expires_ms) > now_ms
        )
        decided = {"decided_by": canonical_json(dict(actor)), "decided_ms": now_ms}
        if session.exec(claim.values(state="rejected", state_reason=reason, **decided)).rowcount != 1:
            raise Refused(f"{row.id} cannot be rejected: {why_not_pending(row, now_ms)}")


def _in_one_transaction(
    session: Session, home: Path, proposal_id: str, shown_sha256: str, actor: Mapping[str, Any], now_ms: int, taken: int
) -> Applied:
    """Check, claim, write the version, move the pointer. Whatever raises is rolled back.

    `taken`: the number of the version that the journal follows; the new one is higher.
    """
    db.take_turn(session)
    row, base = _row(session, proposal_id), active_pointer(session)
    _check_applicable(session, row, base, shown_sha256, now_ms)
    config = _proposed_config(session, row, home)
    version = max(int(session.exec(select(func.max(ConfigVersion.version))).one()), taken) + 1
    who = canonical_json(dict(actor))
    claim = update(Proposal).where(
        col(Proposal.id) == row.id,
        col(Proposal.state) == "pending",
        col(Proposal.expires_ms) > now_ms,
        col(Proposal.diff_sha256) == shown_sha256,
        col(Proposal.base_version) == select(Active.version).where(col(Active.id) == 1).scalar_subquery(),
    )
    decided = {"state": "applied", "decided_by": who, "decided_ms": now_ms, "applied_version": version}
    if session.exec(claim.values(**decided)).rowcount != 1:
        raise Refused(f"{row.id} cannot be applied: another decision was made concurrently")
    made = row_of(version, config, now_ms, actor, row.rationale)
    made.proposal_id, made.rollback_of = row.id, row.rollback_of
    session.add(made)
    session.flush()
    point = update(Active).where(col(Active.id) == 1, col(Active.version) == base)
    if session.exec(point.values(version=version, changed_ms=now_ms)).rowcount != 1:
        raise _Gone("stale", "another approval was applied concurrently")
    others = update(Proposal).where(col(Proposal.state) == "pending")
    session.exec(others.values(state="stale", state_reason=f"version {version} was applied", decided_ms=now_ms))
    return Applied(row.id, base, version)


def _check_applicable(session: Session, row: Proposal, base: int, shown_sha256: str, now_ms: int) -> None:
    """The claim's conditions, one by one so that each has its message; and that no halt began since."""
    if row.state != "pending":
        raise Refused(f"{row.id} cannot be applied: {why_not_pending(row, now_ms)}")
    if row.expires_ms <= now_ms:
        raise _Gone("expired", "not decided in time")
    if sha256_of_text(row.diff) != row.diff_sha256:
        raise _Gone("stale", "its diff was changed after it was proposed")
    if row.diff_sha256 != shown_sha256:
        raise Refused(f"{row.id} is not what was shown (diff {row.diff_sha256[:12]})", "review it again, then approve")
    if row.base_version != base:
        raise _Gone("stale", f"it was made for version {row.base_version}, version {base} is in force")
    halt = session.exec(select(Halt).where(col(Halt.set_ms) >= row.created_ms).limit(1)).first()
    if halt is not None:
        raise _Gone("stale", f"a halt began after it was proposed: {halt.reason}")


def _proposed_config(session: Session, row: Proposal, home: Path) -> DeskConfig:
    """The proposed configuration, recomputed: bounds, hard limits and direction must hold today."""
    desk = config_of(_version(session, row.base_version))
    diff = json.loads(row.diff)
    try:
        if row.kind == "rollback":
            config = config_of(_version(session, int(diff["rollback_of"])))
            validated(config, home / "strategies")
            changes, label, _ = desk_diff(desk, config, home)
        else:
            wanted = [{"key": c["key"], "value": c["value"]} for c in diff["changes"]]
            to_open = bool(diff["apply_to_open"])
            made = draft_against(row.base_version, desk, row.sleeve, wanted, home, limits_of(home), apply_to_open=to_open)
            config, changes, label = desk.with_sleeve(made.new), made.changes, made.direction.label
    except DeskError as error:
        raise _Gone("stale", f"it is no longer valid: {error.what}") from error
    if label != row.direction or canonical_json(changes) != canonical_json(diff["changes"]):
        raise _Gone("stale", f"its direction was shown as {row.direction}; recomputed today: {label}")
    return config


def _version(session: Session, version: int) -> ConfigVersion:
    row = session.get(ConfigVersion, version)
    if row is None:
        raise BadInput(f"no configuration version {version}")
    return row


def _row(session: Session, proposal_id: str) -> Proposal:
    row = session.get(Proposal, proposal_id)
    if row is None:
        raise BadInput(f"no proposal {proposal_id[:40]!r}", "see `nightdesk proposals list`")
    return row


def _leave_pending(engine: Engine, proposal_id: str, gone: _Gone, now_ms: int) -> None:
    """Record that it can never be applied, unless it was decided meanwhile."""
    with db.write(engine) as session:
        db.take_turn(session)
        row = update(Proposal).where(col(Proposal.id) == proposal_id, col(Proposal.state) == "pending")
        session.exec(row.values(state=gone.state, state_reason=gone.reason, decided_ms=now_ms))


def why_not_pending(row: Proposal, now_ms: int) -> str:
    """Why a proposal can no longer be decided, in words."""
    if row.state == "pending" and row.expires_ms <= now_ms:
        return "it has expired"
    who = json.loads(row.decided_by).get("name", "") if row.decided_by else ""
    by = f" by {who}" if who else ""
    version = f" as version {row.applied_version}" if row.applied_version else ""
    return f"it is already {row.state}{by}{version}" + (f" ({row.state_reason})" if row.state_reason else "")
