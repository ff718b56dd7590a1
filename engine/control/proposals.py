"""Proposals: stored requests for a change, pending a person's decision.

Made by the tools and by app.people.approvals (rollback), read by cards and the command line; decided in engine.control.apply.
Nothing here changes a configuration. A proposal is refused at creation when it is out of bounds, names a hard limit or an
unknown key, changes nothing, or lacks evidence: one run of the configuration in force and one of the changed one, on the
same bars with the same code.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select, update

from engine.clock import DAY_MS
from engine.control.config import DeskConfig, SleeveConfig, active, canonical_json, sha256_of_text, version_of, with_defaults
from engine.control.direction import Label, desk_direction, directions_by_sleeve
from engine.control.draft import Draft, diff_text, draft
from engine.control.limits import limits_of
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.runs import Runs
from engine.store.tables import Proposal

STATES = ("pending", "applied", "rejected", "expired", "stale", "superseded")
RATIONALE_MAX = 4_000  # characters
WHOLE_DESK = "*"  # the sleeve of a rollback


def create(
    engine: Engine,
    home: Path,
    *,
    sleeve: str,
    changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    rationale: str,
    evidence: Sequence[Mapping[str, Any]],
    requester: Mapping[str, Any],
    now_ms: int,
    apply_to_open: bool = False,
    expires_in_ms: int = DAY_MS,
) -> Proposal:
    """Store a pending proposal, superseding the sleeve's pending one; raises BadInput or Refused with the reason.

    `evidence`: [{"role": "base", "run_id": ..., ...}, {"role": "changed", "run_id": ..., ...}, ...]; further keys and
    further items (say {"role": "comparison", "text": ..., "told_apart": false}) are kept and shown. A change that only
    pauses needs none. `requester`: {"role", "thread", "person"}. `now_ms`: wall time.
    """
    made = draft(engine, home, sleeve, changes, apply_to_open=apply_to_open)
    kind = "pause" if [(c["key"], c["value"]) for c in made.changes] == [("paused", True)] else "change"
    if kind == "change":
        check_evidence(made, evidence, Runs(home / "runs"))
    row = Proposal(
        id="",
        kind=kind,
        sleeve=sleeve,
        base_version=made.base_version,
        diff=made.diff,
        diff_sha256=made.diff_sha256,
        direction=made.direction.label,
        exposure=canonical_json(
            {
                "before": made.direction.before.as_json(),
                "after": made.direction.after.as_json(),
                "keys": made.direction.keys,
                "why": made.direction.why,
            }
        ),
        rationale=rationale[:RATIONALE_MAX],
        evidence=canonical_json(list(evidence)),
        requester=canonical_json(dict(requester)),
        created_ms=now_ms,
        expires_ms=now_ms + expires_in_ms,
    )
    return _store(engine, row, now_ms)


def create_rollback(
    engine: Engine, home: Path, to_version: int, *, requester: Mapping[str, Any], now_ms: int, confirms: bool = False
) -> Proposal:
    """Store a pending proposal to go back to what `to_version` said, as a new version. Raises BadInput or Refused.

    `confirms`: also when it equals the one in force, because the desk does not follow that one (engine.control.agreement).
    """
    base_version, now = active(engine)
    then = version_of(engine, to_version)
    if now == then and not confirms:
        raise Refused(f"the configuration in force (version {base_version}) already equals version {to_version}")
    changes, label, exposure = desk_diff(now, then, home)
    diff = diff_text("rollback", WHOLE_DESK, base_version, changes, rollback_of=to_version)
    row = Proposal(
        id="",
        kind="rollback",
        sleeve=WHOLE_DESK,
        base_version=base_version,
        diff=diff,
        diff_sha256=sha256_of_text(diff),
        direction=label,
        exposure=canonical_json(exposure),
        rationale=f"back to version {to_version}",
        requester=canonical_json(dict(requester)),
        created_ms=now_ms,
        expires_ms=now_ms + DAY_MS,
        rollback_of=to_version,
    )
    return _store(engine, row, now_ms)


def desk_diff(now: DeskConfig, then: DeskConfig, home: Path) -> tuple[list[dict[str, Any]], Label, dict[str, Any]]:
    """Every difference of two desks of the same sleeves, its direction, and the worst cases a sleeve."""
    from engine.strategies.base import load_strategy  # brings numpy, which a supervisor need not hold

    if [s.name for s in now.sleeves] != [s.name for s in then.sleeves]:
        raise Refused("the two versions do not have the same sleeves", "propose the changes sleeve by sleeve")
    classes = {s.name: load_strategy(s.strategy, home / "strategies").Params for s in now.sleeves}
    now, then = (DeskConfig(sleeves=tuple(with_defaults(s, classes[s.name]) for s in desk.sleeves)) for desk in (now, then))
    moves = directions_by_sleeve(now, then, classes, limits_of(home))
    label, why = desk_direction(moves.values())
    changes = [
        {"key": f"{old.name}.{key}", "old": was, "value": will, "low": None, "high": None, "unit": ""}
        for old in now.sleeves
        for key, was, will in _fields(old, then.sleeve(old.name))
    ]
    sleeves = {
        name: {"before": m.before.as_json(), "after": m.after.as_json()} for name, m in moves.items() if m.label != "neutral"
    }
    keys = {f"{name}.{key}": found for name, m in moves.items() for key, found in m.keys.items()}
    return changes, label, {"sleeves": sleeves, "keys": keys, "why": why}


def _fields(old: SleeveConfig, new: SleeveConfig) -> list[tuple[str, Any, Any]]:
    """Every field in which two sleeves of one name differ."""
    direct = [key for key in SleeveConfig.model_fields if key != "params"]
    found = [(key, getattr(old, key), getattr(new, key)) for key in direct]
    found += [(key, old.params.get(key), new.params.get(key)) for key in sorted({*old.params, *new.params})]
    return [(key, was, will) for key, was, will in found if was != will]


def check_evidence(made: Draft, evidence: Sequence[Mapping[str, Any]], runs: Runs) -> None:
    """Check the evidence: Refused, naming the run, unless both runs are of the proposed change."""
    wanted = {"base": made.old, "changed": made.new}
    loaded = {}
    for role, sleeve in wanted.items():
        ids = [str(item.get("run_id", "")) for item in evidence if item.get("role") == role]
        if len(ids) != 1:
            raise Refused(f"evidence incomplete: the {role} run is missing", "run the configuration in force and the changed one")
        loaded[role] = runs.load(ids[0])
        if fault := _evidence_fault(loaded[role], sleeve):
            raise Refused(f"run {ids[0]} is not valid evidence: {fault}", "run it with the proposed configuration")
    for key in ("data", "code_hash"):
        if _comparable(loaded["base"].get(key)) != _comparable(loaded["changed"].get(key)):
            raise Refused(f"the two runs are not comparable: they differ in {key}", "run both on the same bars and code")


def _evidence_fault(run: Mapping[str, Any], sleeve: SleeveConfig) -> str:
    """Why a run does not show what this sleeve would do; empty when it does."""
    ran = run.get("sleeves") or []
    if len(ran) != 1:
        return f"it ran {len(ran)} sleeves"
    if (ran[0].get("strategy"), ran[0].get("symbol")) != (sleeve.strategy, sleeve.symbol):
        return f"it ran {ran[0].get('strategy')} on {ran[0].get('symbol')}"
    off = [key for key, value in sleeve.params.items() if ran[0].get("params", {}).get(key) != value]
    return f"its {off[0]} differs" if off else ""


def _comparable(value: Any) -> Any:
    """A part of a run's JSON in comparable form."""
    return canonical_json(value) if isinstance(value, dict | list) else value


def _store(engine: Engine, row: Proposal, now_ms: int) -> Proposal:
    """Insert the row under the next number; it supersedes the sleeve's pending proposal."""
    expire_due(engine, now_ms)
    with db.write(engine) as session:
        db.take_turn(session)
        row.id = f"prop-{_count(session) + 1}"
        older = update(Proposal).where(col(Proposal.state) == "pending", col(Proposal.sleeve) == row.sleeve)
        session.exec(older.values(state="superseded", state_reason=f"superseded by {row.id}", decided_ms=now_ms))
        session.add(Proposal(**row.model_dump()))
    return get(engine, row.id)


def _count(session: Session) -> int:
    """Number of proposals ever made; none is ever deleted."""
    return int(session.exec(select(func.count()).select_from(Proposal)).one())


def expire_due(engine: Engine, now_ms: int) -> int:
    """Expire what is past its time; returns how many. Reads first: usually nothing is due."""
    due = (col(Proposal.state) == "pending", col(Proposal.expires_ms) <= now_ms)
    with db.read(engine) as session:
        if session.exec(select(Proposal.id).where(*due).limit(1)).first() is None:
            return 0
    with db.write(engine) as session:
        db.take_turn(session)
        gone = update(Proposal).where(*due).values(state="expired", state_reason="not decided in time")
        return int(session.exec(gone).rowcount)


def get(engine: Engine, proposal_id: str) -> Proposal:
    """The proposal of that id (`prop-3`, or `3`). Raises BadInput when there is none."""
    bare = proposal_id.strip()
    with db.read(engine) as session:
        row = session.get(Proposal, f"prop-{bare}" if bare.isdigit() else bare)
    if row is None:
        raise BadInput(f"no proposal {bare[:40]!r}", "see `nightdesk proposals list`")
    return row


def list_proposals(engine: Engine, now_ms: int, state: str | None = None, limit: int = 50) -> list[Proposal]:
    """Proposals, newest first, of one state or all; what is due expires first."""
    expire_due(engine, now_ms)
    query = select(Proposal).order_by(col(Proposal.created_ms).desc(), col(Proposal.id).desc()).limit(limit)
    with db.read(engine) as session:
        return list(session.exec(query if state is None else query.where(Proposal.state == state)).all())


def view(row: Proposal) -> dict[str, Any]:
    """A proposal as plain JSON: every field, its JSON columns decoded."""
    decoded = {name: json.loads(getattr(row, name)) for name in ("diff", "exposure", "evidence", "requester", "body")}
    decided_by = json.loads(row.decided_by) if row.decided_by else None
    return {**row.model_dump(), **decoded, "decided_by": decided_by}
