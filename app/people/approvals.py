"""Where a named person decides: approve, reject, roll back, release a halt. The sole importer of engine.control.apply.

Called by the command line, page, API and Slack; works with every model down. Each decision is asked in the people journal
before anything changes and answered there afterwards, with ids of both; a decision whose answer a crash swallowed is
answered by the next one to come (`settle`).
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlmodel import col, select, update

from app.home.home import Home
from app.people.identity import Actor, Person, read_people
from app.people.passphrases import prove, require_free
from engine.control import halt, proposals
from engine.control.agreement import differs
from engine.control.apply import apply
from engine.control.apply import reject as reject_row
from engine.control.proposals import get
from engine.errors import BadInput, DataError, DeskError, Refused
from engine.store import db
from engine.store.anchors import note_head
from engine.store.journal import Event, Journal, read
from engine.store.tables import Proposal

Probe = Callable[[], list[str]]  # what is not healthy; empty: all is


class Decision(NamedTuple):
    """What a decision did, and where the people journal says so."""

    proposal_id: str
    state: str
    version: int | None
    journal_id: str


def approve(home: Home, proposal_id: str, shown_sha256: str, actor: Actor, now_ms: int) -> Decision:
    """Put a proposal in force that `actor` saw as `shown_sha256`. Raises Refused when it cannot be (any more)."""
    row = get(home.engine, proposal_id)
    settle(home, now_ms)
    asked = record(home, "approve", {"proposal": row.id, "diff_sha256": shown_sha256, "actor": actor.as_json()}, now_ms)
    try:
        _no_halt_since(home, row)
        done = apply(home.engine, home.path, row.id, shown_sha256, actor.as_json(), now_ms)
    except DeskError as error:
        body = {"proposal": row.id, "actor": actor.as_json(), "outcome": "refused", "reason": str(error)}
        record(home, "decision", body, now_ms, asked)
        raise
    return Decision(row.id, "applied", done.version, _answer(home, get(home.engine, row.id), now_ms, asked))


def reject(home: Home, proposal_id: str, actor: Actor, reason: str, now_ms: int) -> Decision:
    """Turn a pending proposal down. Raises Refused when it is not pending (any more)."""
    row = get(home.engine, proposal_id)
    settle(home, now_ms)
    asked = record(home, "reject", {"proposal": row.id, "actor": actor.as_json(), "reason": reason}, now_ms)
    try:
        reject_row(home.engine, row.id, actor.as_json(), reason, now_ms)
    except DeskError as error:
        body = {"proposal": row.id, "actor": actor.as_json(), "outcome": "refused", "reason": str(error)}
        record(home, "decision", body, now_ms, asked)
        raise
    return Decision(row.id, "rejected", None, _answer(home, get(home.engine, row.id), now_ms, asked))


def rollback(home: Home, target: str, actor: Actor, now_ms: int) -> Decision:
    """Go back, as a new version, to a version (`3`, `v3`) or to what held before an applied proposal (`prop-2`)."""
    version = version_before(home, target)
    requester = {"role": "person", "thread": "", "person": actor.name}
    lost = bool(differs(home.engine, home.desk_journal))  # the desk waits for a person to say which version holds
    row = proposals.create_rollback(home.engine, home.path, version, requester=requester, now_ms=now_ms, confirms=lost)
    record(home, "proposal", {"proposal": row.id, "diff_sha256": row.diff_sha256, "rollback_of": version}, now_ms)
    return approve(home, row.id, row.diff_sha256, actor, now_ms)


def version_before(home: Home, target: str) -> int:
    """The version that `target` means to go back to. Raises BadInput when it names none."""
    bare = target.strip().removeprefix("v")
    if bare.isascii() and bare.isdigit():
        return int(bare)
    row = get(home.engine, target)
    if row.applied_version is None:
        raise BadInput(f"{row.id} was never applied: it is {row.state}", "name a version or an applied proposal")
    return row.base_version


def release(home: Home, actor: Actor, reason: str, probe: Probe, now_ms: int, passphrase: str | None = None) -> halt.Latch:
    """Take the halt back, when the desk is healthy. Returns what was released.

    `probe` lists what is not healthy; `passphrase` is needed once people.toml has entries. Raises Refused when something
    is not healthy, without a reason or a halt, for a wrong passphrase or one too many, and when somebody halted again meanwhile.
    """
    people = read_people(home.path)
    if people:
        _prove(home, people.get(actor.name), actor, passphrase or "", now_ms)
    if not reason.strip():
        raise Refused("a release needs a reason", "--reason WHY")
    seen = halt.read(home.path, home.engine)
    if not seen.halted:
        raise Refused("the desk is not halted")
    body = {"actor": actor.as_json(), "reason": reason, "halt": {"reason": seen.reason, "since_ms": seen.since_ms}}
    asked = record(home, "release", body, now_ms)
    if sick := probe():
        record(home, "decision", {"outcome": "refused", "reason": "; ".join(sick)}, now_ms, asked)
        raise Refused(f"the desk is not healthy: {'; '.join(sick)}", "mend it first; the halt stays")
    left = halt.release(home.path, home.engine, seen, actor.as_json(), reason, now_ms)
    record(home, "decision", {"outcome": "still halted" if left.halted else "released"}, now_ms, asked)
    if left.halted:
        raise Refused(f"the desk is still halted: {left.reason}", "look again, then release again")
    return seen


def before_passphrase(home: Home, actor: Actor, now_ms: int) -> None:
    """Whoever waits after wrong passphrases need not type one: raises Refused, journaled, naming when it may be tried again."""
    with _refusals(home, actor, now_ms):
        require_free(home.engine, actor.name, now_ms)


def _prove(home: Home, entry: Person | None, actor: Actor, word: str, now_ms: int) -> None:
    """The person's passphrase, or a journaled refusal (never with the word)."""
    with _refusals(home, actor, now_ms):
        prove(home.engine, actor.name, entry, word, now_ms)


@contextmanager
def _refusals(home: Home, actor: Actor, now_ms: int) -> Iterator[None]:
    """Journal that a passphrase was refused, and why."""
    try:
        yield
    except Refused as error:
        body = {"actor": actor.as_json(), "asked": "release", "outcome": "refused", "reason": str(error)}
        record(home, "passphrase", body, now_ms)
        raise


def record(home: Home, kind: str, body: Mapping[str, Any], now_ms: int, cause_id: str = "") -> str:
    """Append to the people journal, durably, and note its head in the database; returns the event's id."""
    journal = Journal(home.people_journal, "approvals")
    try:
        head = journal.append([Event(kind, now_ms, body, cause_id=cause_id)])[0]
    finally:
        journal.close()
    note_head(home.engine, "people", head, now_ms)
    return head.id


def settle(home: Home, now_ms: int) -> int:
    """Journal the decisions that are in the database but not yet in the journal (a crash came between); returns how many."""
    decided = col(Proposal.state).in_(("applied", "rejected"))
    with _alone(home):
        with db.read(home.engine) as session:
            open_ = list(session.exec(select(Proposal).where(decided, col(Proposal.journal_id).is_(None))).all())
        if open_:
            said = {e.body.get("proposal"): e.id for e in read(home.people_journal, {"decision"}) if "state" in e.body}
            for row in open_:
                _note(home, row, said[row.id]) if row.id in said else _tell(home, row, now_ms, "")
    return len(open_)


def _answer(home: Home, row: Proposal, now_ms: int, asked: str) -> str:
    """Journal what became of a proposal, unless somebody who came in between (`settle`) already has; the event's id."""
    with _alone(home):
        told = get(home.engine, row.id).journal_id
        return told or _tell(home, row, now_ms, asked)


def _tell(home: Home, row: Proposal, now_ms: int, asked: str) -> str:
    """Journal what became of a proposal, and note in its row where; only one at a time may."""
    body = {
        "proposal": row.id,
        "state": row.state,
        "outcome": row.state,
        "diff_sha256": row.diff_sha256,
        "diff": json.loads(row.diff),
        "direction": row.direction,
        "version": row.applied_version,
        "actor": json.loads(row.decided_by or "{}"),
        "reason": row.state_reason,
    }
    id_ = record(home, "decision", body, now_ms, asked)
    _note(home, row, id_)
    return id_


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One process and thread at a time: a decision is answered in the journal once."""
    with (home.people_journal.parent / "decisions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _note(home: Home, row: Proposal, journal_id: str) -> None:
    with db.write(home.engine) as session:
        session.exec(update(Proposal).where(col(Proposal.id) == row.id).values(journal_id=journal_id))


def _no_halt_since(home: Home, row: Proposal) -> None:
    """Refuse what a halt has overtaken; the file may know of one that the database does not."""
    latch = halt.read(home.path, home.engine)
    if latch.unreadable:
        raise DataError(latch.unreadable, "mend it first: until then the desk counts as halted")
    if latch.halted and (latch.since_ms is None or latch.since_ms >= row.created_ms):
        raise Refused(f"{row.id} is stale: a halt began after it was proposed ({latch.reason})", "release, then ask anew")
