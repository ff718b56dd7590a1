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
from sqlmodel import Session, col, or_, select

from engine.book.bodies import RESTING
from engine.clock import DAY_MS
from engine.control.canary import CanaryPlan
from engine.control.config import (
    DeskConfig,
    DeskVersion,
    SleeveConfig,
    active,
    canonical_json,
    desk_version,
    fields_apart,
    sha256_of_text,
    with_defaults,
)
from engine.control.direction import Direction, Label, desk_direction, directions_by_sleeve
from engine.control.draft import Draft, draft_against, limits_in
from engine.control.limits import limits_of
from engine.control.model_evidence import promotions
from engine.control.pending import leave_pending
from engine.control.stages import STEPS
from engine.control.watched import Changes, at_part, watch_of
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.runs import Runs
from engine.store.tables import Proposal, ProposalPart
from engine.strategies.params import StrategyParams

STATES = ("pending", "applied", "rejected", "expired", "stale", "superseded")
RATIONALE_MAX = 4_000  # characters
WHOLE_DESK = "*"  # the sleeve of a rollback of the whole desk
SHOWN_ALONE = [("paused", True), *(("stage", stage) for stage in RESTING)]  # changes that need no run to be judged by

Evidence = Sequence[Mapping[str, Any]]


def create(engine: Engine, home: Path, *, sleeve: str, changes: Changes, evidence: Evidence, **more: Any) -> Proposal:
    """Store a pending proposal of one sleeve; the rest as for `create_spanning`.

    `evidence`: [{"role": "base", "run_id": ..., ...}, {"role": "changed", "run_id": ..., ...}, ...]; further keys and
    further items (say {"role": "comparison", "text": ..., "told_apart": false}) are kept and shown. A change that only
    pauses, or takes the sleeve out of trading, needs none.
    """
    return create_spanning(engine, home, changes={sleeve: changes}, evidence={sleeve: evidence}, **more)


def create_spanning(
    engine: Engine,
    home: Path,
    *,
    changes: Mapping[str, Changes],
    evidence: Mapping[str, Evidence],
    rationale: str,
    requester: Mapping[str, Any],
    now_ms: int,
    apply_to_open: bool = False,
    expires_in_ms: int = DAY_MS,
    canary: CanaryPlan | None = None,
) -> Proposal:
    """Store a pending proposal of one or several sleeves (`changes` and `evidence` by sleeve), which is applied all or none.

    It supersedes what waits for any of them. `requester`: {"role", "thread", "person"}. `now_ms`: wall time. `canary`: how the
    change is watched, at a part of the size or at the whole (engine.control.canary). Raises BadInput or Refused with the reason.
    """
    if not changes:
        raise BadInput("no sleeve is named", "name at least one")
    if canary is not None:
        changes = at_part(changes, canary, apply_to_open=apply_to_open)
    desk, hard = active(engine, home), limits_of(home)
    names = [*(s for s in desk.sleeves if s in changes), *(s for s in changes if s not in desk.sleeves)]
    drafts = {s: draft_against(desk, s, changes[s], home, hard, apply_to_open=apply_to_open) for s in names}
    runs = Runs(home / "runs", engine)
    for sleeve, made in drafts.items():
        if not _shown_alone(made):
            check_evidence(made, evidence.get(sleeve, ()), runs)
    name, shown, label, exposure = merged({s: (made.changes, made.direction) for s, made in drafts.items()})
    models = {s: made.models for s, made in drafts.items() if made.models}
    diff = canonical_json(
        {
            "kind": "change",
            "sleeve": name,
            "from_versions": {s: made.from_version for s, made in drafts.items()},
            "changes": shown,
            "apply_to_open": apply_to_open,
            **({"models": models} if models else {}),
            **watch_of(canary, drafts, evidence, home),
        }
    )
    evidence = {s: [*evidence.get(s, ()), *promotions(made.old.models, made.models, home)] for s, made in drafts.items()}
    row = Proposal(
        id="",
        kind=_kind_of(drafts.values()),
        sleeve=name,
        base_version=desk.version,
        diff=diff,
        diff_sha256=sha256_of_text(diff),
        direction=label,
        exposure=canonical_json(exposure),
        rationale=rationale[:RATIONALE_MAX],
        evidence=canonical_json(_evidence_of(drafts, evidence)),
        requester=canonical_json(dict(requester)),
        created_ms=now_ms,
        expires_ms=now_ms + expires_in_ms,
    )
    return store(engine, row, desk, list(drafts), now_ms)


Merged = tuple[str, list[dict[str, Any]], Label, dict[str, Any]]


def merged(parts: Mapping[str, tuple[list[dict[str, Any]], Direction]], *, whole: bool = False) -> Merged:
    """(name, changes, direction, worst cases) of a proposal, from the changes and the direction of each of its sleeves.

    Of one sleeve they are that sleeve's; of several, or of the `whole` desk, each key carries its sleeve (`btc-trend.stop_atr`),
    and the worst direction wins.
    """
    if len(parts) == 1 and not whole:
        ((name, (changes, moves)),) = parts.items()
        worst = {"before": moves.before.as_json(), "after": moves.after.as_json()}
        return name, changes, moves.label, {**worst, "keys": moves.keys, "why": moves.why}
    label, why = desk_direction(moves for _, moves in parts.values())
    all_changes = [{**c, "key": f"{name}.{c['key']}"} for name, (changes, _) in parts.items() for c in changes]
    keys = {f"{name}.{key}": found for name, (_, moves) in parts.items() for key, found in moves.keys.items()}
    sleeves = {
        name: {"before": moves.before.as_json(), "after": moves.after.as_json()}
        for name, (_, moves) in parts.items()
        if moves.label != "neutral"
    }
    name = WHOLE_DESK if whole else ", ".join(parts)
    return name, all_changes, label, {"sleeves": sleeves, "keys": keys, "why": why}


def changes_by_sleeve(names: Sequence[str], changes: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The changes of a diff by sleeve: `merged` the other way round. A parameter's name has no dot."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for change in changes:
        sleeve, dot, key = str(change["key"]).partition(".")
        name = sleeve if dot else names[0] if names else ""
        found.setdefault(name, []).append({**change, "key": key if dot else sleeve})
    return found


def _kind_of(drafts: Any) -> str:
    pauses = all(made.new.paused and {c["key"] for c in made.changes} <= {"paused", "resumes_ms"} for made in drafts)
    return "pause" if pauses else "change"


def _shown_alone(made: Draft) -> bool:
    """Whether a run would say nothing about the change: it only pauses the sleeve, takes it out of trading, or moves its stage
    (what that takes is looked at when a person decides: engine.control.stages).
    """
    if {c["key"] for c in made.changes} == {"size_part"}:  # a run at another part says the same of every round trip
        return True
    if {c["key"] for c in made.changes} == {"stage"} and (made.new.stage in STEPS or made.direction.label == "tightens"):
        return True
    alone = (c["key"] == "resumes_ms" or (c["key"], c["value"]) in SHOWN_ALONE for c in made.changes)
    return made.direction.label == "tightens" and all(alone)


def _evidence_of(drafts: Mapping[str, Draft], evidence: Mapping[str, Evidence]) -> list[dict[str, Any]]:
    """What is stored: each item as it was given; of several sleeves, with the sleeve that it is about."""
    if len(drafts) == 1:
        return [dict(item) for sleeve in drafts for item in evidence.get(sleeve, ())]
    return [{**item, "sleeve": sleeve} for sleeve in drafts for item in evidence.get(sleeve, ())]


def restored(desk: DeskVersion, bodies: Mapping[str, str]) -> DeskVersion:
    """The desk with other versions of some sleeves, as its number will be given later."""
    return desk_version(desk.version, desk.sleeves, {**desk.bodies, **bodies})


def desk_diff(now: DeskConfig, then: DeskConfig, home: Path) -> dict[str, tuple[list[dict[str, Any]], Direction]]:
    """Sleeve -> every field in which two desks of the same sleeves differ, and the direction of going from one to the other."""
    from engine.strategies.isolated.described import read_strategy  # brings numpy, which a supervisor need not hold

    classes = {s.name: read_strategy(s.strategy, home / "strategies").Params for s in now.sleeves}
    now, then = (DeskConfig(sleeves=tuple(with_defaults(s, classes[s.name]) for s in desk.sleeves)) for desk in (now, then))
    moves = directions_by_sleeve(now, then, classes, limits_of(home))
    return {s.name: (_changes_apart(s, then.sleeve(s.name), classes[s.name]), moves[s.name]) for s in now.sleeves}


def _changes_apart(old: SleeveConfig, new: SleeveConfig, params: type[StrategyParams]) -> list[dict[str, Any]]:
    """Two sleeves' differences as the changes of a diff, with their bounds."""
    return [
        {"key": key, "old": was, "value": will, **limits_in(params.model_fields, key)}
        for key, was, will in fields_apart(old, new)
    ]


def check_evidence(made: Draft, evidence: Sequence[Mapping[str, Any]], runs: Runs) -> None:
    """Check the evidence: Refused, naming the run, unless both runs are of the proposed change."""
    wanted = {"base": made.old, "changed": made.new}
    loaded = {}
    for role, sleeve in wanted.items():
        ids = [str(item.get("run_id", "")) for item in evidence if item.get("role") == role]
        if len(ids) != 1:
            raise Refused(f"evidence incomplete: the {role} run is missing", "run the configuration in force and the changed one")
        runs.require_unchanged(ids[0])
        loaded[role] = runs.load(ids[0])
        if fault := evidence_fault(loaded[role], sleeve):
            raise Refused(f"run {ids[0]} is not valid evidence: {fault}", "run it with the proposed configuration")
    for key in ("data", "code_hash"):
        if _comparable(loaded["base"].get(key)) != _comparable(loaded["changed"].get(key)):
            raise Refused(f"the two runs are not comparable: they differ in {key}", "run both on the same bars and code")


def evidence_fault(run: Mapping[str, Any], sleeve: SleeveConfig) -> str:
    """Why a run does not show what this sleeve would do; empty when it does."""
    if run.get("raw_signal"):
        return "it ran with limits too wide to bind"
    if run.get("delayed"):
        return "its signals acted late"
    ran = run.get("sleeves") or []
    legs = list(sleeve.legs or (sleeve.symbol,))  # a basket's run has a sleeve a leg, which are equal but for the instrument
    if len(ran) != len(legs):
        return f"it ran {len(ran)} sleeves"
    if [(one.get("strategy"), one.get("symbol")) for one in ran] != [(sleeve.strategy, leg) for leg in legs]:
        return f"it ran {ran[0].get('strategy')} on {ran[0].get('symbol')}"
    if (ran[0].get("models") or None) != sleeve.models:
        return f"it read {ran[0].get('models') or 'no stored model'}, not {sleeve.models or 'none'}"
    off = [key for key, value in sleeve.params.items() if ran[0].get("params", {}).get(key) != value]
    return f"its {off[0]} differs" if off else ""


def _comparable(value: Any) -> Any:
    """A part of a run's JSON in comparable form."""
    return canonical_json(value) if isinstance(value, dict | list) else value


def store(engine: Engine, row: Proposal, desk: DeskVersion, sleeves: Sequence[str], now_ms: int) -> Proposal:
    """Insert the row under the next number, with a part for each sleeve; it supersedes what waits for any of them."""
    expire_due(engine, now_ms)
    with db.write(engine) as session:
        db.take_turn(session)
        row.id = f"prop-{count(session) + 1}"
        same = select(ProposalPart.proposal_id).where(col(ProposalPart.sleeve).in_(sleeves))
        older = or_(col(Proposal.id).in_(same), col(Proposal.sleeve) == row.sleeve)
        leave_pending(session, older, state="superseded", state_reason=f"superseded by {row.id}", decided_ms=now_ms)
        session.add(Proposal(**row.model_dump()))
        session.flush()
        session.add_all(
            ProposalPart(proposal_id=row.id, sleeve=s, from_version=desk.sleeves[s], from_sha256=desk.digest(s)) for s in sleeves
        )
    return get(engine, row.id)


def count(session: Session) -> int:
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
        return leave_pending(session, *due[1:], state="expired", state_reason="not decided in time")


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


def parts_of(engine: Engine, proposal_id: str) -> list[ProposalPart]:
    """What a proposal does to each of its sleeves."""
    with db.read(engine) as session:
        found = select(ProposalPart).where(ProposalPart.proposal_id == proposal_id).order_by(col(ProposalPart.sleeve))
        return list(session.exec(found).all())


def view(engine: Engine, row: Proposal) -> dict[str, Any]:
    """A proposal as plain JSON: every field, its JSON columns decoded, and `parts`: each sleeve with its versions and changes."""
    decoded = {name: json.loads(getattr(row, name)) for name in ("diff", "exposure", "evidence", "requester", "body")}
    decided_by = json.loads(row.decided_by) if row.decided_by else None
    parts = parts_of(engine, row.id)
    changes = changes_by_sleeve([part.sleeve for part in parts], decoded["diff"].get("changes") or [])
    shown = [
        {**{k: getattr(part, k) for k in ("sleeve", "from_version", "to_version")}, "changes": changes[part.sleeve]}
        for part in parts
    ]
    return {**row.model_dump(), **decoded, "decided_by": decided_by, "parts": shown}
