"""PROTECTED: the only code that puts a configuration in force (law 4). Imported by app.people.approvals and by nothing else.

One database transaction claims a pending proposal, writes the new version of each of its sleeves, moves their pointers by
compare-and-set, and writes the desk's version that they make; of any number of threads and processes that try, one succeeds,
and of a proposal that spans sleeves all parts take effect or none. Everything the person was shown is recomputed first. The
first approval of a desk also writes version 1, if no worker has.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, exists
from sqlmodel import Session, col, func, select, update

from engine.control.agreement import Followed, followed
from engine.control.canary import terms_by_sleeve
from engine.control.config import (
    DeskVersion,
    active,
    add_first,
    canonical_json,
    configured,
    desk_row,
    desk_version,
    in_force,
    sha256_of_text,
    sleeve_row,
    sleeve_text,
    sleeve_version,
    stored,
    validated,
)
from engine.control.draft import draft_against
from engine.control.limits import limits_of
from engine.control.makers import KIND as MAKER
from engine.control.model_pins import require_models
from engine.control.pending import leave_pending
from engine.control.proposals import changes_by_sleeve, desk_diff, merged, restored
from engine.control.rollbacks import with_kept
from engine.control.stages import rises
from engine.control.watched import way_back
from engine.errors import BadInput, DeskError, Refused
from engine.store import db
from engine.store.tables import Active, ActiveSleeve, ConfigVersion, Halt, Proposal, ProposalPart, SleeveVersion


class Applied(NamedTuple):
    """What an approval did: the desk's version that it made, and the new version of each sleeve that it changed."""

    proposal_id: str
    version: int
    sleeves: dict[str, int]


class _Gone(Exception):
    """A pending proposal that must leave `pending` for `state`."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


def apply(
    engine: Engine,
    home: Path,
    proposal_id: str,
    shown_sha256: str,
    actor: Mapping[str, Any],
    now_ms: int,
    raised: Collection[tuple[str, str]] = (),
) -> Applied:
    """Put an approved proposal in force, exactly once. `actor` is the named person, `shown_sha256` the diff they saw; `raised`:
    (sleeve, stage) of the steps towards money whose evidence was looked at. No other step is made.

    Raises Refused, with the reason, when it is no longer pending, expired, stale, or not what was shown; then nothing has
    changed except possibly the proposal's state.
    """
    if not str(actor.get("name", "")).strip():
        raise Refused("no name given", "a named person decides: --as NAME")
    taken = followed(home)
    _read_strategies(engine, home, proposal_id)
    try:
        with db.write(engine) as session:
            return _in_one_transaction(session, home, proposal_id, shown_sha256, actor, now_ms, taken, raised)
    except _Gone as gone:
        _leave_pending(engine, proposal_id, gone, now_ms)
        raise Refused(f"{proposal_id} is {gone.state}: {gone.reason}", "ask for a new proposal") from None


def reject(engine: Engine, proposal_id: str, actor: Mapping[str, Any], reason: str, now_ms: int) -> None:
    """Reject a pending proposal. Raises Refused when it is no longer pending."""
    with db.write(engine) as session:
        db.take_turn(session)
        row = _row(session, proposal_id)
        decided = {"decided_by": canonical_json(dict(actor)), "decided_ms": now_ms}
        which = (col(Proposal.id) == row.id, col(Proposal.expires_ms) > now_ms)
        if leave_pending(session, *which, state="rejected", state_reason=reason, **decided) != 1:
            raise Refused(f"{row.id} cannot be rejected: {why_not_pending(row, now_ms)}")


def _in_one_transaction(
    session: Session,
    home: Path,
    proposal_id: str,
    shown_sha256: str,
    actor: Mapping[str, Any],
    now_ms: int,
    taken: Followed,
    raised: Collection[tuple[str, str]],
) -> Applied:
    """Check, claim, write the versions, move the pointers. Whatever raises is rolled back, version 1 included.

    `taken`: the versions that the journal follows; new ones are higher.
    """
    from engine.strategies.isolated.described import from_memory  # brings numpy, which a supervisor need not hold

    db.take_turn(session)
    row = _row(session, proposal_id)
    if session.get(Active, 1) is None:
        with from_memory():
            first = configured(home)
        add_first(session, first, now_ms, "desk.toml at the first approval")
    base = in_force(session)
    assert base is not None  # noqa: S101 - written above
    own = select(ProposalPart).where(ProposalPart.proposal_id == row.id).order_by(col(ProposalPart.sleeve))
    parts = list(session.exec(own).all())
    _check_applicable(session, row, parts, base, shown_sha256, now_ms)
    if row.kind == MAKER:
        return _maker_step(session, row, base, shown_sha256, actor, now_ms, raised)
    with from_memory():
        bodies, equals = _proposed(session, row, parts, base, home)
    _check_stages(row, base, restored(base, bodies), raised)
    version = max(int(session.exec(select(func.max(ConfigVersion.version))).one()), taken.version) + 1
    decided = {"state": "applied", "decided_by": canonical_json(dict(actor)), "decided_ms": now_ms, "applied_version": version}
    if leave_pending(session, *_claim(row.id, shown_sha256, now_ms), **decided) != 1:
        raise Refused(f"{row.id} cannot be applied: another decision was made concurrently")
    numbers = {}
    for part in parts:
        about = (now_ms, actor, row.rationale)
        numbers[part.sleeve] = _move_sleeve(session, part, bodies[part.sleeve], equals.get(part.sleeve), taken, *about)
    desk = desk_version(version, {**base.sleeves, **numbers}, {**base.bodies, **bodies})
    made = desk_row(desk, now_ms, actor, row.rationale)
    made.proposal_id, made.rollback_of = row.id, row.rollback_of
    session.add(made)
    session.flush()
    point = update(Active).where(col(Active.id) == 1, col(Active.version) == base.version)
    if session.exec(point.values(version=version, changed_ms=now_ms)).rowcount != 1:
        raise Refused(f"{row.id} was not applied: another approval was applied concurrently", "try again")
    return Applied(row.id, version, numbers)


def _maker_step(
    session: Session,
    row: Proposal,
    base: DeskVersion,
    shown_sha256: str,
    actor: Mapping[str, Any],
    now_ms: int,
    raised: Collection[tuple[str, str]],
) -> Applied:
    """A market maker's step: the applied row is what it asks for at each start, and no configuration of the desk changes."""
    for change in json.loads(row.diff)["changes"]:
        new = str(change["value"])
        if rises(str(change["old"]), new) and (row.sleeve, new) not in raised:
            raise Refused(f"{row.id} cannot be applied: {row.sleeve} does not come to {new} without evidence")
    decided = {"decided_by": canonical_json(dict(actor)), "decided_ms": now_ms, "applied_version": base.version}
    if leave_pending(session, *_claim(row.id, shown_sha256, now_ms), state="applied", **decided) != 1:
        raise Refused(f"{row.id} cannot be applied: another decision was made concurrently")
    return Applied(row.id, base.version, {})


def _check_stages(row: Proposal, base: DeskVersion, then: DeskVersion, raised: Collection[tuple[str, str]]) -> None:
    """Refuse a step towards money whose evidence nobody has looked at."""
    for name in base.sleeves:
        old, new = base.config.sleeve(name).stage, then.config.sleeve(name).stage
        if rises(old, new) and (name, new) not in raised:  # each approval names what it has looked at
            raise Refused(f"{row.id} cannot be applied: {name} does not come to {new} without evidence", "nightdesk live stages")


def _read_strategies(engine: Engine, home: Path, proposal_id: str) -> None:
    """Read what the strategy files say of themselves before the transaction: their processes may take seconds, and it waits for
    none. What is wrong is said there.
    """
    with suppress(DeskError, _Gone):
        desk = active(engine, home)
        with db.read(engine) as session:
            row = _row(session, proposal_id)
            parts = list(session.exec(select(ProposalPart).where(ProposalPart.proposal_id == row.id)).all())
            if row.kind != MAKER:
                _proposed(session, row, parts, desk, home)


def _claim(proposal_id: str, shown_sha256: str, now_ms: int) -> tuple[Any, ...]:
    """What must hold at the moment of the claim, in its own WHERE: in time, as shown, and no sleeve of it has moved."""
    same = exists().where(
        col(ActiveSleeve.sleeve) == col(ProposalPart.sleeve), col(ActiveSleeve.version) == col(ProposalPart.from_version)
    )
    moved = select(ProposalPart.proposal_id).where(ProposalPart.proposal_id == proposal_id, ~same)
    return (
        col(Proposal.id) == proposal_id,
        col(Proposal.expires_ms) > now_ms,
        col(Proposal.diff_sha256) == shown_sha256,
        col(Proposal.id).not_in(moved),
    )


def _move_sleeve(
    session: Session,
    part: ProposalPart,
    body: str,
    equals: int | None,
    taken: Followed,
    now_ms: int,
    actor: Mapping[str, Any],
    reason: str,
) -> int:
    """Write a sleeve's new version and point to it; its number. `equals`: the version of its own that a rollback restores."""
    highest = session.exec(select(func.max(SleeveVersion.version)).where(SleeveVersion.sleeve == part.sleeve)).one()
    number = max(int(highest or 0), taken.sleeves.get(part.sleeve, 0)) + 1
    made = sleeve_row(part.sleeve, number, body, now_ms, actor, reason)
    made.proposal_id, made.rollback_of = part.proposal_id, equals
    session.add(made)
    session.flush()
    point = update(ActiveSleeve).where(col(ActiveSleeve.sleeve) == part.sleeve, col(ActiveSleeve.version) == part.from_version)
    if session.exec(point.values(version=number, changed_ms=now_ms)).rowcount != 1:
        raise _Gone("stale", f"another approval moved {part.sleeve} concurrently")
    part.to_version = number
    session.add(part)
    return number


def _check_applicable(
    session: Session, row: Proposal, parts: Sequence[ProposalPart], base: DeskVersion, shown_sha256: str, now_ms: int
) -> None:
    """The claim's conditions, one by one so that each has its message; and that no halt began since."""
    if row.state != "pending":
        raise Refused(f"{row.id} cannot be applied: {why_not_pending(row, now_ms)}")
    if row.expires_ms <= now_ms:
        raise _Gone("expired", "not decided in time")
    if sha256_of_text(row.diff) != row.diff_sha256:
        raise _Gone("stale", "its diff was changed after it was proposed")
    if row.diff_sha256 != shown_sha256:
        raise Refused(f"{row.id} is not what was shown (diff {row.diff_sha256[:12]})", "review it again, then approve")
    for part in parts:
        now = base.sleeves.get(part.sleeve, 0)
        if part.from_version != now:
            raise _Gone("stale", f"it was made for version {part.from_version} of {part.sleeve}, version {now} is in force")
        if part.from_sha256 != base.digest(part.sleeve):
            raise _Gone("stale", f"{part.sleeve} was changed in desk.toml after it was proposed")
    halt = session.exec(select(Halt).where(col(Halt.set_ms) >= row.created_ms).limit(1)).first()
    if halt is not None:
        raise _Gone("stale", f"a halt began after it was proposed: {halt.reason}")


def _proposed(
    session: Session, row: Proposal, parts: Sequence[ProposalPart], base: DeskVersion, home: Path
) -> tuple[dict[str, str], dict[str, int]]:
    """(each sleeve's new text, for a rollback the sleeve's version that it equals), recomputed: bounds, hard limits and
    direction must hold today, and a stage must be within reach.
    """
    touched = {part.sleeve for part in parts}
    diff, names = json.loads(row.diff), [name for name in base.sleeves if name in touched]
    equals: dict[str, int] = {}
    try:
        if row.kind == "rollback":
            bodies, equals = _back_to(session, row, names, diff, base)
            then = restored(base, bodies)
            if row.rollback_of is not None and then.sha256 != stored(session, row.rollback_of).sha256:
                raise _Gone("stale", f"a sleeve moved since: it would not restore version {row.rollback_of}")
            validated(then.config, home / "strategies")
            require_models(then.config.sleeves, home / "strategies")
            found = desk_diff(base.config, then.config, home)
            whole = row.rollback_of is not None
            _, changes, label, _ = merged({s: found[s] for s in names or base.sleeves}, whole=whole)
        else:
            own, to_open = changes_by_sleeve(names, diff["changes"]), bool(diff["apply_to_open"])
            wanted = {s: [{"key": c["key"], "value": c["value"]} for c in changes] for s, changes in own.items()}
            hard = limits_of(home)
            drafts = {s: draft_against(base, s, wanted[s], home, hard, apply_to_open=to_open) for s in names}
            bodies = {s: sleeve_text(made.new) for s, made in drafts.items()}
            then = restored(base, bodies)
            if {s: made.models for s, made in drafts.items() if made.models} != diff.get("models", {}):
                raise _Gone("stale", "a model that it names is not the one that was shown")
            terms = terms_by_sleeve(diff)
            if any(way_back(drafts[s].new, drafts[s].old, home) != one["way"] for s, one in terms.items()):
                raise _Gone("stale", "what a breach of its canary would do is not what was shown")
            _, changes, label, _ = merged({s: (made.changes, made.direction) for s, made in drafts.items()})
    except DeskError as error:
        raise _Gone("stale", f"it is no longer valid: {error.what}") from error
    if label != row.direction or canonical_json(changes) != canonical_json(diff["changes"]):
        raise _Gone("stale", f"its direction was shown as {row.direction}; recomputed today: {label}")
    return bodies, equals


def _back_to(
    session: Session, row: Proposal, names: Sequence[str], diff: Mapping[str, Any], base: DeskVersion
) -> tuple[dict[str, str], dict[str, int]]:
    """(text, number) of the version that each sleeve goes back to."""
    if row.rollback_of is not None:
        then = stored(session, row.rollback_of)
        return {name: then.bodies[name] for name in names}, {name: then.sleeves[name] for name in names}
    numbers = {name: int(diff["back_to"][name]) for name in names}
    bodies = {name: sleeve_version(session, name, number) for name, number in numbers.items()}
    if keeps := diff.get("keeps"):
        bodies = {name: with_kept(body, base.config.sleeve(name), keeps) for name, body in bodies.items()}
    return bodies, numbers


def _row(session: Session, proposal_id: str) -> Proposal:
    row = session.get(Proposal, proposal_id)
    if row is None:
        raise BadInput(f"no proposal {proposal_id[:40]!r}", "see `nightdesk proposals list`")
    return row


def _leave_pending(engine: Engine, proposal_id: str, gone: _Gone, now_ms: int) -> None:
    """Record that it can never be applied, unless it was decided meanwhile."""
    with db.write(engine) as session:
        db.take_turn(session)
        reason = {"state": gone.state, "state_reason": gone.reason, "decided_ms": now_ms}
        leave_pending(session, col(Proposal.id) == proposal_id, **reason)


def why_not_pending(row: Proposal, now_ms: int) -> str:
    """Why a proposal can no longer be decided, in words."""
    if row.state == "pending" and row.expires_ms <= now_ms:
        return "it has expired"
    who = json.loads(row.decided_by).get("name", "") if row.decided_by else ""
    by = f" by {who}" if who and row.state in ("applied", "rejected") else ""  # of two people, one may have approved before
    version = f" as version {row.applied_version}" if row.applied_version else ""
    return f"it is already {row.state}{by}{version}" + (f" ({row.state_reason})" if row.state_reason else "")
